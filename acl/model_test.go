package acl

import (
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"routerd/flow"
	"routerd/internal/packet"
	"routerd/routing"
)

// naive decides as the documentation of Rule says, one rule after another. It
// gives the names of all rules that matched; the last one decided, "" being the
// default action.
func naive(c *Config, l *List, p *Packet, src, dst netip.Addr, names map[string]routing.InterfaceID) (Action, []string) {
	var hits []string
	for i := range l.Rules {
		r := &l.Rules[i]
		if !naiveMatch(c, r, p, src, dst, names) {
			continue
		}
		hits = append(hits, r.Name)
		if r.Action.decides() {
			return r.Action, hits
		}
	}
	return l.Default, append(hits, "")
}

// one reports whether a list is empty or has an element that matches.
func one[T any](list []T, match func(T) bool) bool {
	return len(list) == 0 || slices.ContainsFunc(list, match)
}

func naiveMatch(c *Config, r *Rule, p *Packet, src, dst netip.Addr, names map[string]routing.InterfaceID) bool {
	if r.Family != 0 && r.Family != p.Family {
		return false
	}
	if len(r.States) == 0 && r.Action == Accept && p.State == Invalid || !one(r.States, func(s State) bool { return s == p.State }) {
		return false
	}
	between := func(a netip.Addr, x flow.AddressRange) bool {
		return a.BitLen() == x.First.BitLen() && x.First.Compare(a) <= 0 && a.Compare(x.Last) <= 0
	}
	addressed := func(a netip.Addr, ranges []flow.AddressRange, sets []string) bool {
		if len(ranges)+len(sets) == 0 {
			return true
		}
		for _, s := range c.Sets {
			if slices.Contains(sets, s.Name) && slices.ContainsFunc(s.Prefixes, func(x netip.Prefix) bool { return x.Contains(a) }) {
				return true
			}
		}
		return slices.ContainsFunc(ranges, func(x flow.AddressRange) bool { return between(a, x) })
	}
	icmp := func(t ICMPType) bool {
		return uint16(t.Type) == p.DstPort>>8 && (t.All || uint16(t.Code) == p.DstPort&0xff)
	}
	port := func(v uint16) func(flow.PortRange) bool {
		return func(x flow.PortRange) bool { return x.First <= v && v <= x.Last }
	}
	return one(r.Protocols, func(v uint8) bool { return v == p.Protocol }) &&
		(p.Protocol != packet.ProtoICMP || p.Family == 4 || !slices.Equal(r.Protocols, []uint8{packet.ProtoICMP})) &&
		(p.Protocol != packet.ProtoICMPv6 || p.Family == 6 || !slices.Equal(r.Protocols, []uint8{packet.ProtoICMPv6})) &&
		addressed(src, r.Sources, r.SourceSets) && addressed(dst, r.Destinations, r.DestinationSets) &&
		one(r.SourcePorts, port(p.SrcPort)) && one(r.DestinationPorts, port(p.DstPort)) && one(r.ICMP, icmp) &&
		p.TCPFlags&r.TCPFlags.Of == r.TCPFlags.Set && (!r.Fragments || p.Fragment) &&
		one(r.Inbound, func(n string) bool { return names[n] == p.In }) && one(r.Outbound, func(n string) bool { return names[n] == p.Out }) &&
		one(r.DSCPs, func(v uint8) bool { return v == p.DSCP }) &&
		one(r.Lengths, func(x LengthRange) bool { return x.First <= p.Length && p.Length <= x.Last })
}

var (
	someAddresses = []string{"0.0.0.0", "10.0.0.0", "10.0.0.1", "10.0.0.255", "10.0.1.0", "10.255.255.255", "192.0.2.7", "255.255.255.255", "::", "::a00:1", "2001:db8::", "2001:db8::1", "2001:db8:0:0:ffff:ffff:ffff:ffff", "2001:db8:0:1::", "fe80::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}
	somePrefixes  = []string{"0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/24", "10.0.0.1/32", "192.0.2.0/24", "255.255.255.255/32", "::/0", "::/64", "2001:db8::/32", "2001:db8::/64", "2001:db8::1/128", "ffff::/16"}
	someInterface = map[string]routing.InterfaceID{"lan0": 1, "wan0": 2, "dmz0": 5}
)

func drawRange(t *rapid.T) flow.AddressRange {
	if rapid.Bool().Draw(t, "prefix") {
		return flow.RangeOf(netip.MustParsePrefix(rapid.SampledFrom(somePrefixes).Draw(t, "prefix")))
	}
	list := rapid.SampledFrom([][]string{someAddresses[:8], someAddresses[8:]}).Draw(t, "family")
	i := rapid.IntRange(0, len(list)-1).Draw(t, "first")
	j := rapid.IntRange(i, len(list)-1).Draw(t, "last")
	return flow.AddressRange{First: netip.MustParseAddr(list[i]), Last: netip.MustParseAddr(list[j])}
}

func some[T any](t *rapid.T, what string, most int, draw func(*rapid.T) T) []T {
	if rapid.IntRange(0, 2).Draw(t, what+"?") > 0 {
		return nil
	}
	return rapid.SliceOfN(rapid.Custom(draw), 1, most).Draw(t, what)
}

func drawPorts(t *rapid.T) flow.PortRange {
	first := rapid.SampledFrom([]uint16{0, 1, 22, 80, 1024, 65535}).Draw(t, "first")
	return flow.PortRange{First: first, Last: rapid.SampledFrom([]uint16{first, max(first, 443), 65535}).Draw(t, "last")}
}

func drawRule(t *rapid.T, name string) Rule {
	r := Rule{Name: name, Family: rapid.SampledFrom([]uint8{0, 0, 4, 6}).Draw(t, "family"), Action: Action(rapid.IntRange(0, 4).Draw(t, "action")), Log: rapid.IntRange(0, 3).Draw(t, "log") == 0}
	r.States = some(t, "states", 2, func(t *rapid.T) State { return State(rapid.IntRange(0, 3).Draw(t, "state")) })
	r.Sources, r.Destinations = some(t, "sources", 3, drawRange), some(t, "destinations", 3, drawRange)
	set := func(t *rapid.T) string { return rapid.SampledFrom([]string{"none", "inside", "both"}).Draw(t, "set") }
	r.SourceSets, r.DestinationSets = some(t, "source sets", 2, set), some(t, "destination sets", 2, set)
	switch rapid.IntRange(0, 4).Draw(t, "protocols") {
	case 0:
	case 1:
		r.Protocols = rapid.SliceOfN(rapid.Uint8(), 1, 3).Draw(t, "any")
	case 2:
		r.Protocols = []uint8{rapid.SampledFrom([]uint8{packet.ProtoICMP, packet.ProtoICMPv6}).Draw(t, "icmp")}
		r.ICMP = some(t, "types", 2, func(t *rapid.T) ICMPType {
			return ICMPType{rapid.SampledFrom([]uint8{0, 3, 8, 128}).Draw(t, "type"), rapid.Uint8Range(0, 2).Draw(t, "code"), rapid.Bool().Draw(t, "all")}
		})
	case 3:
		r.Protocols = []uint8{packet.ProtoTCP}
		r.TCPFlags.Of = rapid.Uint8Range(0, 31).Draw(t, "flags")
		r.TCPFlags.Set = r.TCPFlags.Of & rapid.Uint8().Draw(t, "set")
		fallthrough
	case 4:
		if r.Protocols == nil {
			r.Protocols = []uint8{packet.ProtoTCP, packet.ProtoUDP}
		}
		r.SourcePorts, r.DestinationPorts = some(t, "source ports", 2, drawPorts), some(t, "destination ports", 2, drawPorts)
	}
	r.Fragments = rapid.IntRange(0, 7).Draw(t, "fragments") == 0
	name1 := func(t *rapid.T) string { return rapid.SampledFrom([]string{"lan0", "wan0", "dmz0"}).Draw(t, "name") }
	if rapid.IntRange(0, 3).Draw(t, "rest") == 0 {
		r.Inbound, r.Outbound = some(t, "inbound", 2, name1), some(t, "outbound", 2, name1)
		r.DSCPs = some(t, "dscp", 2, func(t *rapid.T) uint8 { return rapid.Uint8Range(0, 63).Draw(t, "value") })
		r.Lengths = some(t, "lengths", 2, func(t *rapid.T) LengthRange {
			first := rapid.Uint32Range(0, 1500).Draw(t, "first")
			return LengthRange{first, first + rapid.Uint32Range(0, 200).Draw(t, "more")}
		})
	}
	return r
}

func drawPacket(t *rapid.T) (p Packet, src, dst netip.Addr) {
	p = Packet{
		In:       rapid.SampledFrom([]routing.InterfaceID{1, 2, 5}).Draw(t, "in"),
		Out:      rapid.SampledFrom([]routing.InterfaceID{1, 2, 5, routing.NoInterface}).Draw(t, "out"),
		Protocol: rapid.OneOf(rapid.SampledFrom([]uint8{1, 6, 17, 58}), rapid.Uint8()).Draw(t, "protocol"),
		State:    State(rapid.IntRange(0, 2).Draw(t, "state")), TCPFlags: rapid.Uint8Range(0, 31).Draw(t, "flags"),
		DSCP: rapid.Uint8Range(0, 63).Draw(t, "dscp"), Fragment: rapid.Bool().Draw(t, "fragment"), Length: rapid.Uint32Range(20, 1600).Draw(t, "length"),
	}
	port := rapid.SampledFrom([]uint16{0, 1, 2, 21, 22, 79, 80, 81, 443, 444, 1023, 1024, 65534, 65535, 3 << 8, 8 << 8, 8<<8 | 1, 128 << 8})
	p.SrcPort, p.DstPort = port.Draw(t, "source port"), port.Draw(t, "destination port")
	list := someAddresses[:8]
	if p.Family = 4; rapid.Bool().Draw(t, "v6") {
		p.Family, list = 6, someAddresses[8:]
	}
	address := rapid.Custom(func(t *rapid.T) netip.Addr {
		a := netip.MustParseAddr(rapid.SampledFrom(list).Draw(t, "address"))
		switch rapid.IntRange(0, 2).Draw(t, "beside") {
		case 1:
			if a.Next().IsValid() {
				a = a.Next()
			}
		case 2:
			if a.Prev().IsValid() {
				a = a.Prev()
			}
		}
		return a
	})
	src, dst = address.Draw(t, "source"), address.Draw(t, "destination")
	p.from(src, dst)
	return p, src, dst
}

// from sets the addresses by the method of their family.
func (p *Packet) from(src, dst netip.Addr) {
	if p.Family == 4 {
		p.Addresses4(uint32(numberOf(src).lo), uint32(numberOf(dst).lo))
		return
	}
	p.Addresses6(append(src.AsSlice(), dst.AsSlice()...))
}

func interfacesForTest() []Interface {
	var list []Interface
	for name, n := range someInterface {
		list = append(list, Interface{n, name})
	}
	return list
}

// TestDecidesAsOneRuleAfterAnother: the compiled list decides as the plain one
// does, and hits the same rules.
func TestDecidesAsOneRuleAfterAnother(t *testing.T) {
	sets := []Set{
		{Name: "none"},
		{Name: "inside", Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("192.0.2.0/24")}},
		{Name: "both", Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/64")}},
	}
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.SampledFrom([]int{0, 1, 3, 10, 63, 64, 65, 70}).Draw(t, "rules")
		l := List{Name: "x", Default: Action(rapid.IntRange(0, 2).Draw(t, "default"))}
		for i := range count {
			l.Rules = append(l.Rules, drawRule(t, string(rune('A'+i))))
		}
		cfg := Config{Lists: []List{l}, Sets: sets, Interfaces: []Binding{{Interface: "lan0", In: "x"}}}
		rules, err := Compile(cfg, interfacesForTest(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			p, src, dst := drawPacket(t)
			wantAction, wantHits := naive(&cfg, &l, &p, src, dst, someInterface)
			d, numbers := rules.In(1).Decide(&p, nil)
			var hits []string
			for _, n := range numbers {
				place, ok := rules.Place(n.Number)
				if !ok {
					t.Fatalf("number %d is no rule's", n.Number)
				}
				hits = append(hits, place.Rule)
			}
			if d.Action != wantAction || !slices.Equal(hits, wantHits) || d.Number != numbers[len(numbers)-1].Number {
				t.Fatalf("packet %+v from %s to %s: %s by %q, want %s by %q", p, src, dst, d.Action, hits, wantAction, wantHits)
			}
		}
	})
}
