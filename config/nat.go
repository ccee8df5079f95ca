package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"routerd/flow"
	"routerd/internal/packet"
	"routerd/internal/tomltext"
	"routerd/nat"
)

// decodeNAT reads [nat]: limits and behaviour, pools, and the rules in their
// order. It checks each rule by itself; checkNAT checks it against the rest of
// the configuration.
func (r *reader) decodeNAT(top *tomltext.Section, c *Config) {
	s := top.Section("nat")
	n := &c.NAT
	n.MaxSessions = tomltext.Get(s, "max-sessions", nat.DefaultMaxSessions, tomltext.Whole(1, 16<<20))
	n.MaxSessionsPerHost = tomltext.Get(s, "max-sessions-per-host", nat.DefaultMaxSessionsPerHost, tomltext.Whole(1, 16<<20))
	n.NoFairShare = !tomltext.Get(s, "fair-share", true, tomltext.Bool)
	n.Mapping = tomltext.Get(s, "mapping", nat.EndpointIndependent, behaviorReading)
	n.Filtering = tomltext.Get(s, "filtering", nat.AddressAndPortDependent, behaviorReading)
	n.Pairing = tomltext.Get(s, "pairing", nat.Paired, tomltext.OneOf([]string{"paired", "arbitrary"}, []nat.Pairing{nat.Paired, nat.Arbitrary}))
	n.NoHairpin = !tomltext.Get(s, "hairpin", true, tomltext.Bool)
	n.InboundRefresh = tomltext.Get(s, "inbound-refresh", false, tomltext.Bool)
	n.Timeouts = decodeTimeouts(s.Section("timeout"))

	pools := s.Section("pool")
	for _, name := range pools.Names() {
		if p := pools.Section(name); p.Table != nil {
			n.Pools = append(n.Pools, r.decodePool(p, name))
		}
	}
	names := map[string]bool{}
	for _, rule := range s.Sections("source") {
		n.Source = append(n.Source, r.decodeSourceRule(rule, r.ruleName(rule, names)))
	}
	for _, rule := range s.Sections("destination") {
		n.Destination = append(n.Destination, r.decodeDestinationRule(rule, r.ruleName(rule, names)))
	}
	for _, rule := range s.Sections("static") {
		n.Static = append(n.Static, r.decodeStaticRule(rule, r.ruleName(rule, names)))
	}
	s.Done()
}

var behaviorReading = tomltext.OneOf(
	[]string{nat.EndpointIndependent.String(), nat.AddressDependent.String(), nat.AddressAndPortDependent.String()},
	[]nat.Behavior{nat.EndpointIndependent, nat.AddressDependent, nat.AddressAndPortDependent})

// decodeTimeouts reads [nat.timeout]. tcp-transitory applies to every state in
// which a connection is not established, unless the state has a timeout of its
// own.
func decodeTimeouts(s *tomltext.Section) flow.Timeouts {
	t := flow.Timeouts{}.Defaults()
	within := tomltext.Duration(flow.MinTimeout, flow.MaxTimeout)
	t.TCPEstablished = tomltext.Get(s, "tcp-established", t.TCPEstablished, within)
	if d := tomltext.Get(s, "tcp-transitory", 0, within); d != 0 {
		t.TCPOpening, t.TCPClosing, t.TCPTimeWait, t.TCPReset = d, d, d, d
	}
	t.TCPOpening = tomltext.Get(s, "tcp-opening", t.TCPOpening, within)
	t.TCPClosing = tomltext.Get(s, "tcp-closing", t.TCPClosing, within)
	t.TCPTimeWait = tomltext.Get(s, "tcp-time-wait", t.TCPTimeWait, within)
	t.TCPReset = tomltext.Get(s, "tcp-reset", t.TCPReset, within)
	t.UDP = tomltext.Get(s, "udp", t.UDP, within)
	t.ICMP = tomltext.Get(s, "icmp", t.ICMP, within)
	t.Other = tomltext.Get(s, "other", t.Other, within)
	s.Done()
	return t
}

// ruleName reads the name of a rule, by which reloads identify it.
func (r *reader) ruleName(s *tomltext.Section, names map[string]bool) string {
	name := tomltext.Get(s, "name", "", natName)
	switch {
	case !s.Has("name"):
		r.WrongKey(s.At, fmt.Sprintf("%s has no name", s.At), "name = a word of your own: sessions stay over a reload with the rule of their name")
	case name != "" && names[name]:
		r.Wrong(s.At.With("name"), fmt.Sprintf("%s is %q, the name of a rule before it", s.At.With("name"), name), "a name of its own")
	}
	names[name] = true
	s.Name(name, "name")
	return name
}

var natName = tomltext.Reading[string]{Read: func(v any) (string, error) {
	s, ok := v.(string)
	if !ok || !isName(s, 64) {
		return "", tomltext.ErrUnwanted
	}
	return s, nil
}, Want: "1 to 64 letters, digits, '-', '_' and '.', beginning with a letter or digit"}

func (r *reader) decodePool(s *tomltext.Section, name string) nat.PoolConfig {
	p := nat.PoolConfig{Name: name, Origin: r.origin(s.At), Ports: tomltext.Get(s, "ports", flow.PortRange{}, portRange)}
	for _, a := range tomltext.Distinct(s, "addresses", addressRange) {
		p.Addresses = append(p.Addresses, a.Value)
	}
	if !s.Has("addresses") {
		r.WrongKey(s.At, fmt.Sprintf("the pool %s has no addresses", name), `addresses = ["203.0.113.32-203.0.113.39"], say`)
	}
	s.Done()
	if !isName(name, 64) {
		r.WrongKey(s.At, fmt.Sprintf("a pool is called %q", name), natName.Want)
	}
	return p
}

// decodeMatch reads all conditions of a rule. Not every kind of rule may have
// each of them.
func (r *reader) decodeMatch(s *tomltext.Section) nat.Match {
	var m nat.Match
	for _, i := range tomltext.Distinct(s, "inbound-interface", interfaceName) {
		m.Inbound = append(m.Inbound, i.Value)
	}
	var words []string
	for _, p := range tomltext.Distinct(s, "protocol", protocol) {
		m.Protocols = append(m.Protocols, p.Value)
		words = append(words, protocolText(p.Value))
	}
	s.Record("protocol", strings.Join(words, " "))
	for _, a := range tomltext.Distinct(s, "source", addressRange) {
		m.Sources = append(m.Sources, a.Value)
	}
	for _, p := range tomltext.Distinct(s, "source-port", portRange) {
		m.SourcePorts = append(m.SourcePorts, p.Value)
	}
	for _, p := range tomltext.Distinct(s, "destination-port", portRange) {
		m.DestinationPorts = append(m.DestinationPorts, p.Value)
	}
	return m
}

// checkPorts refuses ports in a rule for protocols that have none.
func (r *reader) checkPorts(s *tomltext.Section, m nat.Match) {
	if len(m.SourcePorts)+len(m.DestinationPorts) == 0 || len(m.Protocols) == 0 && s.Has("protocol") { // which is invalid and reported already
		return
	}
	at := s.At
	for _, key := range []string{"protocol", "destination-port", "source-port", "destination"} {
		if s.Has(key) {
			at = s.At.With(key)
			break
		}
	}
	for _, p := range m.Protocols {
		if p != packet.ProtoTCP && p != packet.ProtoUDP {
			r.Wrong(at, fmt.Sprintf("%s matches ports, and a protocol that has none", s.At), `protocol = "tcp", "udp" or ["tcp", "udp"]`)
			return
		}
	}
	if len(m.Protocols) == 0 {
		r.Wrong(at, fmt.Sprintf("%s matches ports without saying of which protocol", s.At), `protocol = "tcp", "udp" or ["tcp", "udp"]`)
	}
}

func (r *reader) decodeSourceRule(s *tomltext.Section, name string) nat.SourceRule {
	rule := nat.SourceRule{Name: name, Origin: r.origin(s.At.With("name")), Match: r.decodeMatch(s)}
	for _, i := range tomltext.Distinct(s, "outbound-interface", interfaceName) {
		rule.Match.Outbound = append(rule.Match.Outbound, i.Value)
	}
	for _, a := range tomltext.Distinct(s, "destination", addressRange) {
		rule.Match.Destinations = append(rule.Match.Destinations, a.Value)
	}
	t := tomltext.Get(s, "translation", sourceTranslation{}, translation)
	rule.Method, rule.Address, rule.Pool = t.method, t.address, t.pool
	if !s.Has("translation") {
		r.WrongKey(s.At, fmt.Sprintf("%s says nothing of what the source becomes", s.At), translation.Want)
	}
	s.Done()
	r.checkPorts(s, rule.Match)
	return rule
}

type sourceTranslation struct {
	method  nat.Method
	address netip.Addr
	pool    string
}

var translation = tomltext.Reading[sourceTranslation]{Read: func(v any) (sourceTranslation, error) {
	var t sourceTranslation
	s, ok := v.(string)
	if !ok {
		return t, tomltext.ErrUnwanted
	}
	if pool, isPool := strings.CutPrefix(s, "pool:"); isPool && pool != "" {
		return sourceTranslation{method: nat.FromPool, pool: pool}, nil
	}
	switch s {
	case "masquerade":
		return t, nil
	case "none":
		return sourceTranslation{method: nat.Exempt}, nil
	}
	if a, err := netip.ParseAddr(s); err == nil && isHost4(a) {
		return sourceTranslation{method: nat.FixedAddress, address: a}, nil
	}
	return t, tomltext.Hint{Suggestion: tomltext.Suggest(s, []string{"masquerade", "none"})}
}, Want: `"masquerade", an IPv4 address, "pool:NAME", or "none" to leave what matches as it is`}

// isHost4 reports whether a can be the address of one IPv4 host.
func isHost4(a netip.Addr) bool {
	return a.Is4() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() && a.As4()[0] < 240
}

func (r *reader) decodeDestinationRule(s *tomltext.Section, name string) nat.DestinationRule {
	rule := nat.DestinationRule{Name: name, Origin: r.origin(s.At.With("name")), Match: r.decodeMatch(s)}
	rule.Hairpin = tomltext.Get(s, "hairpin", false, tomltext.Bool)
	for _, d := range tomltext.Distinct(s, "destination", endpoint) {
		rule.Match.Destinations = append(rule.Match.Destinations, d.Value.addresses)
		if p := d.Value.ports; p != (flow.PortRange{}) {
			if s.Has("destination-port") || len(rule.Match.DestinationPorts) > 0 && !slices.Contains(rule.Match.DestinationPorts, p) {
				r.Wrong(d.At, fmt.Sprintf("%s gives ports that the rule has otherwise too", d.At), "the ports in one place: destination-port")
				continue
			}
			rule.Match.DestinationPorts = []flow.PortRange{p}
		}
	}
	to := tomltext.Get(s, "translation", endpointValue{}, endpoint)
	rule.Address, rule.Ports = to.addresses.First, to.ports
	s.Done()
	r.checkPorts(s, rule.Match)
	at := s.At.With("translation")
	switch {
	case !s.Has("translation"):
		r.WrongKey(s.At, fmt.Sprintf("%s says nothing of where the destination goes", s.At), `translation = "192.168.10.20:8443", say`)
	case !to.addresses.First.IsValid(): // reported already
	case to.addresses.First != to.addresses.Last:
		r.Wrong(at, fmt.Sprintf("%s is %s, which is several hosts", at, to.addresses), "the address of one inside host")
	case s.Has("destination-port") && len(rule.Match.DestinationPorts) == 0, s.Has("destination") && len(rule.Match.Destinations) == 0: // likewise
	case to.ports != (flow.PortRange{}) && len(rule.Match.DestinationPorts) != 1:
		r.Wrong(at, fmt.Sprintf("%s gives a port, and the rule matches %d of them", at, len(rule.Match.DestinationPorts)), "one destination port or range of them to translate")
	case to.ports != (flow.PortRange{}) && !samePorts(rule.Match.DestinationPorts[0], to.ports):
		r.Wrong(at, fmt.Sprintf("%s leads the ports %s to %s, which are not as many", at, rule.Match.DestinationPorts[0], to.ports), "a range of the same length")
	}
	return rule
}

func samePorts(a, b flow.PortRange) bool { return a.Last-a.First == b.Last-b.First }

func (r *reader) decodeStaticRule(s *tomltext.Section, name string) nat.StaticRule {
	rule := nat.StaticRule{Name: name, Origin: r.origin(s.At.With("name"))}
	for _, i := range tomltext.Distinct(s, "interface", interfaceName) {
		rule.Interfaces = append(rule.Interfaces, i.Value)
	}
	rule.Outside = tomltext.Get(s, "outside", netip.Prefix{}, hostOrSubnet4)
	rule.Inside = tomltext.Get(s, "inside", netip.Prefix{}, hostOrSubnet4)
	rule.Hairpin = tomltext.Get(s, "hairpin", false, tomltext.Bool)
	if rule.Outside.IsValid() && rule.Inside.IsValid() {
		s.Record("outside", text(rule.Outside))
		s.Record("inside", text(rule.Inside))
	}
	s.Done()
	for _, key := range []string{"outside", "inside"} {
		if !s.Has(key) {
			r.WrongKey(s.At, fmt.Sprintf("%s has no %s", s.At, key), fmt.Sprintf("%s = an IPv4 address, or a prefix of as many hosts as the other side's", key))
		}
	}
	if rule.Outside.IsValid() && rule.Inside.IsValid() && rule.Outside.Bits() != rule.Inside.Bits() {
		at := s.At.With("inside")
		r.Wrong(at, fmt.Sprintf("%s is %s, which is not as many hosts as %s", at, rule.Inside, rule.Outside), "a prefix of the same length")
	}
	return rule
}

var interfaceName = tomltext.Text("the name of an interface")

var protocolNumbers = map[string]uint8{
	"icmp": packet.ProtoICMP, "tcp": packet.ProtoTCP, "udp": packet.ProtoUDP,
	"gre": 47, "esp": 50, "ah": 51, "sctp": 132, "udplite": 136,
}

// protocolText returns the configuration's word for a protocol, or its number
// if it has none.
func protocolText(p uint8) string {
	for word, number := range protocolNumbers {
		if number == p {
			return word
		}
	}
	return fmt.Sprint(p)
}

var protocol = tomltext.Reading[uint8]{Read: func(v any) (uint8, error) {
	switch v := v.(type) {
	case int64:
		if v > 0 && v < 256 {
			return uint8(v), nil
		}
	case string:
		if p, ok := protocolNumbers[v]; ok {
			return p, nil
		}
		words := []string{}
		for w := range protocolNumbers {
			words = append(words, w)
		}
		slices.Sort(words)
		return 0, tomltext.Hint{Suggestion: tomltext.Suggest(v, words)}
	}
	return 0, tomltext.ErrUnwanted
}, Want: `"tcp", "udp", "icmp", "gre", "esp", "ah", "sctp", "udplite", or a protocol's number`}

var portRange = tomltext.Reading[flow.PortRange]{Read: func(v any) (flow.PortRange, error) {
	switch v := v.(type) {
	case int64:
		if v > 0 && v < 65536 {
			return flow.PortRange{First: uint16(v), Last: uint16(v)}, nil
		}
	case string:
		if p, ok := parsePorts(v); ok {
			return p, nil
		}
	}
	return flow.PortRange{}, tomltext.ErrUnwanted
}, Want: `a port from 1 to 65535, or a range like "1024-65535"`}

func parsePorts(s string) (flow.PortRange, bool) {
	first, last, isRange := strings.Cut(s, "-")
	if !isRange {
		last = first
	}
	a, err1 := strconv.ParseUint(first, 10, 16)
	b, err2 := strconv.ParseUint(last, 10, 16)
	if err1 != nil || err2 != nil || a == 0 || a > b {
		return flow.PortRange{}, false
	}
	return flow.PortRange{First: uint16(a), Last: uint16(b)}, true
}

var addressRange = tomltext.Reading[flow.AddressRange]{Read: func(v any) (flow.AddressRange, error) {
	s, ok := v.(string)
	if !ok {
		return flow.AddressRange{}, tomltext.ErrUnwanted
	}
	a, ok := parseAddresses(s)
	if !ok {
		return a, wrongAddresses(s)
	}
	return a, nil
}, Want: `an IPv4 address, a prefix like "192.0.2.0/24", or a range like "192.0.2.32-192.0.2.39"`}

// wrongAddresses returns a more helpful error for an IPv6 address and for a
// prefix with host bits.
func wrongAddresses(s string) error {
	if p, err := netip.ParsePrefix(s); err == nil && p.Addr().Is4() {
		return tomltext.Hint{Message: "which has bits set behind its length", Suggestion: fmt.Sprintf("did you mean %q?", p.Masked())}
	}
	if strings.Count(s, ":") > 1 {
		return tomltext.Hint{Message: "and only IPv4 is translated"}
	}
	return tomltext.ErrUnwanted
}

func parseAddresses(s string) (flow.AddressRange, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return flow.RangeOf(p), p.Addr().Is4() && p.Masked() == p
	}
	first, last, isRange := strings.Cut(s, "-")
	if !isRange {
		last = first
	}
	a, err1 := netip.ParseAddr(first)
	b, err2 := netip.ParseAddr(last)
	if err1 != nil || err2 != nil || !a.Is4() || !b.Is4() || b.Less(a) {
		return flow.AddressRange{}, false
	}
	return flow.AddressRange{First: a, Last: b}, true
}

// endpointValue is the outside or inside endpoint of a port forward.
type endpointValue struct {
	addresses flow.AddressRange
	ports     flow.PortRange
}

var endpoint = tomltext.Reading[endpointValue]{Read: func(v any) (endpointValue, error) {
	s, ok := v.(string)
	if !ok {
		return endpointValue{}, tomltext.ErrUnwanted
	}
	host, ports, hasPorts := strings.Cut(s, ":")
	var e endpointValue
	if e.addresses, ok = parseAddresses(host); !ok {
		if strings.Count(s, ":") > 1 {
			host = s
		}
		return endpointValue{}, wrongAddresses(host)
	}
	if hasPorts {
		if e.ports, ok = parsePorts(ports); !ok {
			return endpointValue{}, tomltext.ErrUnwanted
		}
	}
	return e, nil
}, Want: `an IPv4 address with or without a port or ports: "192.0.2.1", "192.0.2.1:443", "192.0.2.1:8000-8010"`}

// hostOrSubnet4 reads an address as its /32.
var hostOrSubnet4 = tomltext.Reading[netip.Prefix]{Read: func(v any) (netip.Prefix, error) {
	s, ok := v.(string)
	if !ok {
		return netip.Prefix{}, tomltext.ErrUnwanted
	}
	if a, err := netip.ParseAddr(s); err == nil && a.Is4() {
		return netip.PrefixFrom(a, 32), nil
	}
	if p, err := netip.ParsePrefix(s); err == nil && p.Addr().Is4() && p.Masked() == p {
		return p, nil
	}
	return netip.Prefix{}, wrongAddresses(s)
}, Want: `an IPv4 address, or a prefix like "203.0.113.16/28"`}
