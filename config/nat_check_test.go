package config

import (
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"routerd/flow"
	"routerd/nat"
)

// What the rows below build on, at lines 1 and 2.
const insideOutside = `interface.lan0 = { kind = "tap", addresses = "10.0.1.1/24" }
interface.wan0 = { kind = "tap", addresses = ["203.0.113.1/24", "203.0.113.2/24"] }
`

// What does not fit is said once, at the value that is wrong, and of what is
// in order nothing is said: the edges of what TestEachMistakeOnce shows.
func TestNATAgainstTheRouter(t *testing.T) {
	source := func(more string) string {
		return insideOutside + "[[nat.source]]\nname = \"a\"\n" + more
	}
	forward := func(more string) string {
		return insideOutside + "[[nat.destination]]\nname = \"a\"\nprotocol = \"tcp\"\n" + more
	}
	for _, tt := range []struct {
		name, text string
		want       []string // line:column+width: message
	}{
		{"an inbound one", source("inbound-interface = \"lan1\"\ntranslation = \"masquerade\""), []string{
			`5:21+6: the rule "a" names the interface "lan1", and there is no such interface`,
		}},
		{"an interface with a mistake of its own is one", source("outbound-interface = \"x\"\ntranslation = \"masquerade\"\n[interface.x]\nmtu = 1500"), []string{
			"7:12+1: interface.x has no kind",
		}},
		{"a pool that there is not", source("translation = \"pool:b\"\n[nat.pool.c]\naddresses = \"203.0.113.32\""), []string{
			`5:15+8: the rule "a" translates to the pool "b", and there is no such pool`,
			"6:11+1: no rule translates to the pool c",
		}},
		{"a pool of a /16", source("translation = \"pool:c\"\n[nat.pool.c]\naddresses = \"100.64.0.0/16\""), nil},
		{"a pool of a /16 and one", source("translation = \"pool:c\"\n[nat.pool.c]\naddresses = [\"100.64.0.0/16\", \"203.0.113.32\"]"), []string{
			"7:13+33: the pool c has 65537 addresses",
		}},
		{"an interface without one needs none for a pool", source("outbound-interface = \"six\"\ntranslation = \"203.0.113.9\"\n[interface.six]\nkind = \"tun\""), nil},
		{"addresses that no host has", insideOutside + `[nat.pool.a]
addresses = ["203.0.113.9", "239.1.2.3"]
[[nat.source]]
name = "a"
translation = "pool:a"
[[nat.static]]
name = "b"
outside = "240.0.0.0/28"
inside = "127.0.0.0/28"
[[nat.destination]]
name = "c"
inbound-interface = "wan0"
translation = "0.0.0.0"`, []string{
			"4:29+11: the pool a: 239.1.2.3, which no host can have",
			`10:11+14: the outside of the rule "b": 240.0.0.0/28, which no host can have`,
			`11:10+14: the inside of the rule "b": 127.0.0.0/28, which no host can have`,
			`15:15+9: the translation of the rule "c": 0.0.0.0, which no host can have`,
		}},
		{"a source with host bits", source("source = \"192.168.10.1/24\"\ntranslation = \"masquerade\""), []string{
			`5:10+17: nat.source[1].source is "192.168.10.1/24", which has bits set behind its length`,
		}},
		{"a destination with host bits", forward("destination = \"203.0.113.1/24:80\"\ntranslation = \"10.0.1.2:8080\""), []string{
			`6:15+19: nat.destination[1].destination is "203.0.113.1/24:80", which has bits set behind its length`,
		}},
		{"an inside with host bits", insideOutside + "[[nat.static]]\nname = \"a\"\noutside = \"203.0.113.16/28\"\ninside = \"10.0.1.17/28\"", []string{
			`6:10+14: nat.static[1].inside is "10.0.1.17/28", which has bits set behind its length`,
		}},
		{"a protocol that there is not", source("protocol = \"tcpp\"\ndestination-port = 80\ntranslation = \"masquerade\""), []string{
			`5:12+6: nat.source[1].protocol is "tcpp"`,
		}},
		{"a destination port that there is not", forward("destination-port = 80000\ninbound-interface = \"wan0\"\ntranslation = \"10.0.1.2:8080\""), []string{
			`6:20+5: nat.destination[1].destination-port is 80000`,
		}},
		{"a port forward of whatever passes", forward("destination-port = 80\ntranslation = \"10.0.1.2\""), []string{
			`4:8+3: the rule "a" translates whatever passes`,
		}},
		{"a port forward of a second address", forward("destination = \"203.0.113.2:80\"\ntranslation = \"10.0.1.2\""), nil},
		{"of one that is of a pool", forward("destination = \"203.0.113.3:80\"\ntranslation = \"10.0.1.2\"\n[[nat.source]]\nname = \"b\"\ntranslation = \"203.0.113.3\""), nil},
		{"of one that is routed here", forward("destination = \"198.51.100.1:80\"\ntranslation = \"10.0.1.2\""), nil},
		{"to a host that nothing leads to", forward("destination-port = 80\ninbound-interface = \"wan0\"\ntranslation = \"10.7.0.1\""), []string{
			`8:15+10: the rule "a" translates to 10.7.0.1, which no interface or static route leads to`,
		}},
		{"to a host behind a route", forward("destination-port = 80\ninbound-interface = \"wan0\"\ntranslation = \"10.7.0.1\"\n[[static.route]]\nprefix = \"10.0.0.0/8\"\nnext-hop = \"10.0.1.9\""), nil},
		{"to a host that RIP may lead to", forward("destination-port = 80\ninbound-interface = \"wan0\"\ntranslation = \"10.7.0.1\"\n[rip.interface.lan0]"), nil},
		{"rules alike on interfaces of their own", source("outbound-interface = \"wan0\"\ntranslation = \"masquerade\"\n[[nat.source]]\nname = \"b\"\noutbound-interface = \"lan0\"\ntranslation = \"masquerade\""), nil},
		{"the wider rule last", source("source = \"10.0.1.0/25\"\ntranslation = \"none\"\n[[nat.source]]\nname = \"b\"\nsource = \"10.0.1.0/24\"\ntranslation = \"masquerade\""), nil},
		{"the wider rule first, in two parts", source("source = [\"10.0.1.128/25\", \"10.0.1.0/25\"]\ntranslation = \"none\"\n[[nat.source]]\nname = \"b\"\nsource = \"10.0.1.0/24\"\ntranslation = \"masquerade\""), []string{
			`8:8+3: the rule "b" never applies: "a" matches all that it does, and comes first (t:4)`,
		}},
		{"a hairpin rule reaches further than one before it", forward(`destination = "203.0.113.1:80"
inbound-interface = "wan0"
translation = "10.0.1.2"
[[nat.destination]]
name = "b"
protocol = "tcp"
destination = "203.0.113.1:80"
inbound-interface = "wan0"
translation = "10.0.1.3"
hairpin = true`), nil},
		{"a static rule that leaves nothing to masquerade", insideOutside + "[[nat.static]]\nname = \"a\"\noutside = \"203.0.113.16/28\"\ninside = \"10.0.1.16/28\"\n[[nat.source]]\nname = \"b\"\nsource = \"10.0.1.20\"\noutbound-interface = \"wan0\"\ntranslation = \"masquerade\"", []string{
			`8:8+3: the rule "b" never applies: "a" matches all that it does, and comes first (t:6)`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) { wantProblems(t, tt.text, tt.want) })
	}
}

// A rule said to be covered by another matches nothing that the other does
// not; one that is the same but for being narrower is covered.
func TestCoversAsPacketsSay(t *testing.T) {
	ports := rapid.Custom(func(t *rapid.T) flow.PortRange {
		first := rapid.Uint16Range(1, 6).Draw(t, "first")
		return flow.PortRange{First: first, Last: first + rapid.Uint16Range(0, 3).Draw(t, "more")}
	})
	addresses := rapid.Custom(func(t *rapid.T) flow.AddressRange {
		first := rapid.ByteRange(0, 5).Draw(t, "first")
		last := first + rapid.ByteRange(0, 3).Draw(t, "more")
		return flow.AddressRange{First: netip.AddrFrom4([4]byte{10, 0, 0, first}), Last: netip.AddrFrom4([4]byte{10, 0, 0, last})}
	})
	rule := rapid.Custom(func(t *rapid.T) nat.Match {
		return nat.Match{
			Outbound:         rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b"}), 0, 2).Draw(t, "outbound"),
			Protocols:        rapid.SliceOfN(rapid.SampledFrom([]uint8{6, 17}), 0, 2).Draw(t, "protocols"),
			Sources:          rapid.SliceOfN(addresses, 0, 3).Draw(t, "sources"),
			DestinationPorts: rapid.SliceOfN(ports, 0, 3).Draw(t, "ports"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		x, y := rule.Draw(t, "x"), rule.Draw(t, "y")
		a, b := newMatcher("x", &x, false, nil), newMatcher("y", &y, false, nil)
		covers, says := a.covers(&b), true
		for _, out := range []string{"a", "b", "c"} {
			for _, proto := range []uint8{6, 17, 1} {
				for address := range byte(10) {
					for port := range uint16(11) {
						p := probe{out, proto, netip.AddrFrom4([4]byte{10, 0, 0, address}), port}
						says = says && (!p.matches(&y) || p.matches(&x))
					}
				}
			}
		}
		if covers != says {
			t.Fatalf("covered: %v, by what packets say: %v", covers, says)
		}
	})
}

type probe struct {
	out    string
	proto  uint8
	source netip.Addr
	port   uint16
}

// matches is the documentation of nat.Match, word for word.
func (p probe) matches(m *nat.Match) bool {
	return (len(m.Outbound) == 0 || slices.Contains(m.Outbound, p.out)) &&
		(len(m.Protocols) == 0 || slices.Contains(m.Protocols, p.proto)) &&
		(len(m.Sources) == 0 || slices.ContainsFunc(m.Sources, func(r flow.AddressRange) bool { return !p.source.Less(r.First) && !r.Last.Less(p.source) })) &&
		(len(m.DestinationPorts) == 0 || slices.ContainsFunc(m.DestinationPorts, func(r flow.PortRange) bool { return r.First <= p.port && p.port <= r.Last }))
}
