package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"routerd/internal/origin"
	"routerd/nat"
)

// natFields are the values of [nat] that belong to no rule or pool, as text,
// for Diff.
func (c *Config) natFields(fields map[string]string) {
	n := &c.NAT
	fields["nat.max-sessions"], fields["nat.max-sessions-per-host"] = fmt.Sprint(n.MaxSessions), fmt.Sprint(n.MaxSessionsPerHost)
	fields["nat.mapping"], fields["nat.filtering"], fields["nat.pairing"] = n.Mapping.String(), n.Filtering.String(), n.Pairing.String()
	fields["nat.fair-share"] = fmt.Sprint(!n.NoFairShare)
	fields["nat.hairpin"], fields["nat.inbound-refresh"] = fmt.Sprint(!n.NoHairpin), fmt.Sprint(n.InboundRefresh)
	t := &n.Timeouts
	fields["nat.timeout.tcp-established"], fields["nat.timeout.tcp-opening"] = t.TCPEstablished.String(), t.TCPOpening.String()
	fields["nat.timeout.tcp-closing"], fields["nat.timeout.tcp-time-wait"] = t.TCPClosing.String(), t.TCPTimeWait.String()
	fields["nat.timeout.tcp-reset"] = t.TCPReset.String()
	fields["nat.timeout.udp"], fields["nat.timeout.icmp"], fields["nat.timeout.other"] = t.UDP.String(), t.ICMP.String(), t.Other.String()
}

// natObjects adds the pools and rules, each by its name, to what Diff compares.
func (c *Config) natObjects(all map[string]object) {
	for _, p := range c.NAT.Pools {
		fields := map[string]string{"addresses": joined(p.Addresses), "ports": textOf(p.Ports, p.Ports != nat.PortRange{})}
		all["nat.pool."+p.Name] = object{fields, c.Origins.Place(p.Origin)}
	}
	for i := range c.NAT.Source {
		s := &c.NAT.Source[i]
		fields := matchFields(&s.Match)
		fields["translation"] = sourceText(s)
		all["nat.source."+s.Name] = object{fields, c.Origins.Place(s.Origin)}
	}
	for i := range c.NAT.Destination {
		d := &c.NAT.Destination[i]
		fields := matchFields(&d.Match)
		fields["translation"] = textOf(d.Address, d.Address.IsValid())
		if d.Ports != (nat.PortRange{}) {
			fields["translation"] += ":" + d.Ports.String()
		}
		fields["hairpin"] = textOf(d.Hairpin, d.Hairpin)
		all["nat.destination."+d.Name] = object{fields, c.Origins.Place(d.Origin)}
	}
	for _, s := range c.NAT.Static {
		fields := map[string]string{
			"interface": strings.Join(s.Interfaces, " "), "hairpin": textOf(s.Hairpin, s.Hairpin),
			"outside": staticText(s.Outside), "inside": staticText(s.Inside),
		}
		all["nat.static."+s.Name] = object{fields, c.Origins.Place(s.Origin)}
	}
}

// staticText gives a prefix of one host without its length.
func staticText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return textOf(p, p.IsValid())
}

func matchFields(m *nat.Match) map[string]string {
	var words []string
	for _, p := range m.Protocols {
		words = append(words, protocolText(p))
	}
	return map[string]string{
		"inbound-interface": strings.Join(m.Inbound, " "), "outbound-interface": strings.Join(m.Outbound, " "),
		"protocol": strings.Join(words, " "), "source": joined(m.Sources), "destination": joined(m.Destinations),
		"source-port": joined(m.SourcePorts), "destination-port": joined(m.DestinationPorts),
	}
}

// protocolText gives the configuration's word, or the number of a protocol
// that has none.
func protocolText(p uint8) string {
	for word, number := range protocolNumbers {
		if number == p {
			return word
		}
	}
	return fmt.Sprint(p)
}

// sourceText is what a source rule translates to, as the configuration has it.
func sourceText(s *nat.SourceRule) string {
	switch s.Method {
	case nat.FixedAddress:
		return textOf(s.Address, s.Address.IsValid())
	case nat.FromPool:
		return "pool:" + s.Pool
	case nat.Exempt:
		return "none"
	}
	return "masquerade"
}

// natOrder finds lists of rules whose order has changed, apart from what came
// and went: the first match wins, so it may mean something for new flows.
func natOrder(old, new *Config) []Change {
	var changes []Change
	before, _ := old.natNames()
	after, firsts := new.natNames()
	for i, kind := range []string{"source", "destination", "static"} {
		gone := func(others []string) func(string) bool {
			return func(name string) bool { return !slices.Contains(others, name) }
		}
		was := slices.DeleteFunc(slices.Clone(before[i]), gone(after[i]))
		is := slices.DeleteFunc(slices.Clone(after[i]), gone(before[i]))
		if !slices.Equal(was, is) {
			changes = append(changes, Change{
				Kind: "changed", Path: "nat." + kind, Old: strings.Join(was, " "), New: strings.Join(is, " "),
				Impact: "another order, for what begins from now on; sessions stay", Origin: firsts[i],
			})
		}
	}
	return changes
}

// natNames gives the names of source, destination and static rules in their
// order, and where the first of each stands.
func (c *Config) natNames() (lists [3][]string, firsts [3]origin.Place) {
	add := func(kind int, name string, id origin.ID) {
		if lists[kind] == nil {
			firsts[kind] = c.Origins.Place(id)
		}
		lists[kind] = append(lists[kind], name)
	}
	for i := range c.NAT.Source {
		add(0, c.NAT.Source[i].Name, c.NAT.Source[i].Origin)
	}
	for i := range c.NAT.Destination {
		add(1, c.NAT.Destination[i].Name, c.NAT.Destination[i].Origin)
	}
	for _, s := range c.NAT.Static {
		add(2, s.Name, s.Origin)
	}
	return lists, firsts
}
