package bgp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// step gives the machine an input, and carries out what it asks of the RIB and of the
// streams.
func (l *live) step(in protocol.Input) {
	for queue := []protocol.Input{in}; len(queue) > 0; queue = queue[1:] {
		var streams []protocol.Effect
		for _, e := range l.machine.Step(time.Now(), queue[0], nil) {
			switch e := e.(type) {
			case protocol.Track:
				queue = append(queue, protocol.Notices{Notices: routing.Notices{NextHops: []routing.NextHopState{
					{Address: e.Address, Interface: e.Link, Reachable: true, Source: routing.SourceConnected},
				}}})
			case protocol.Mark:
				queue = append(queue, protocol.Notices{Notices: routing.Notices{Installed: e.Number}})
			case protocol.Event:
				l.faults = append(l.faults, fmt.Sprintf("%s %v", e.What, e.Err))
			default:
				streams = append(streams, e)
			}
		}
		l.do(streams)
		l.machine.slots.Drain(func(c routing.Change) {
			delete(l.table, c.Slot.Prefix.String())
			if c.Offered {
				l.table[c.Slot.Prefix.String()] = c.Slot.NextHops[0].Address.String()
			}
		})
	}
}

const birdFirst = `
log stderr all;
router id 198.18.0.2;
protocol device {}
ipv6 table a6;
protocol static s4 {
	ipv4;
	route 203.0.113.0/24 blackhole { bgp_path.prepend(65010); bgp_community.add((65002,1)); };
	route 198.51.100.128/25 blackhole;
	route 192.0.2.0/24 blackhole { bgp_community.add((65535,65281)); };
}
protocol static s6 { ipv6 { table a6; }; route 2001:db8:b::/48 blackhole; }
protocol bgp a {
	neighbor 198.18.0.1 as 65001; multihop; strict bind; connect delay time 1; error wait time 1, 2;
	local 198.18.0.2 as 65002;
	ipv4 { import all; export where source = RTS_STATIC; };
	ipv6 { table a6; import all; export where source = RTS_STATIC; next hop address 2001:db8::2; };
}
`

const birdSecond = `
log stderr all;
router id 198.18.0.3;
protocol device {}
protocol bgp b {
	neighbor 198.18.0.1 as 65001; multihop; strict bind; connect delay time 1; error wait time 1, 2;
	local 198.18.0.3 as 65003;
	ipv4 { import all; export none; };
}
`

// A machine between two ASes of BIRD's: the routes of one come to the other, with the
// attributes that they are to have then, and go when the session does.
func TestBIRDMachine(t *testing.T) {
	l := newLive(t, "bird", "birdc")
	ask, second := l.bird(birdFirst), l.bird(birdSecond)
	c := Config{AS: 65001, RouterID: 0xc6120001, Networks: []Network{{Prefix: netip.MustParsePrefix("20.0.0.0/16"), Always: true}}}
	c.Listen[wire.IPv4Unicast] = netip.MustParseAddrPort("0.0.0.0:179")
	for i, passive := range []bool{false, true} {
		n := NeighborConfig{
			Address: netip.AddrFrom4([4]byte{198, 18, 0, byte(2 + i)}), Link: routing.NoInterface, AS: 65002 + uint32(i),
			Local: netip.MustParseAddr("198.18.0.1"), HoldTime: 9, Multihop: 2, Passive: passive,
		}
		for f := range n.Families {
			n.Families[f] = FamilyConfig{Enabled: true, Import: Policy{Given: true}, Export: Policy{Given: true}}
		}
		c.Neighbors = append(c.Neighbors, n)
	}
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	l.machine = New(protocol.Start{Seed: 1, Slots: new(routing.Slots)})
	l.listens()
	l.step(protocol.LinkUp{Link: 1, Name: "lo", Kind: protocol.Loopback, Addresses: []netip.Prefix{
		netip.MustParsePrefix("198.18.0.1/32"), netip.MustParsePrefix("2001:db8::1/128"),
	}})
	l.step(protocol.Configure{Config: c})
	show := func() string {
		return ask("show", "protocols", "all") + second("show", "protocols", "all") + second("show", "route", "all") + fmt.Sprint(l.table)
	}
	up := func() bool {
		return len(l.table) == 4 && strings.Contains(second("show", "route", "count"), "3 of")
	}
	l.until("routes", up, show)
	if got := l.table["2001:db8:b::/48"]; got != "2001:db8::2" {
		t.Errorf("the next hop of the route of IPv6 is %q", got)
	}
	got := second("show", "route", "203.0.113.0/24", "all")
	for _, line := range []string{"BGP.as_path: 65001 65002 65010", "BGP.next_hop: 198.18.0.1", "BGP.community: (65002,1)"} {
		if !strings.Contains(got, line) {
			t.Errorf("BIRD has not %q:\n%s", line, got)
		}
	}
	if got := second("show", "route", "192.0.2.0/24"); strings.Contains(got, "198.18") {
		t.Errorf("a route with no-export was exported:\n%s", got)
	}
	ask("disable", "a")
	l.until("withdrawal", func() bool {
		return len(l.table) == 0 && strings.Contains(second("show", "route", "count"), "1 of")
	}, show)
	ask("enable", "a")
	l.until("routes again", up, show)
	l.step(Clear{Address: netip.MustParseAddr("198.18.0.2"), Link: routing.NoInterface, Soft: true, In: true, Out: true})
	before := l.machine.Neighbors()[0].Counts.Announcements
	l.until("refresh", func() bool { return l.machine.Neighbors()[0].Counts.Announcements == before+4 }, show)
	exchangedWithBIRD(t, l, &c, second)
	l.step(protocol.Stop{})
	l.until("words about the end", func() bool {
		return strings.Contains(ask("show", "protocols", "all", "a"), "Received: Administrative shutdown")
	}, show)
}

// exchangedWithBIRD compares what the machine says that it has sent and received with what
// BIRD has, and has another import policy take effect without asking for anything.
func exchangedWithBIRD(t *testing.T, l *live, c *Config, second func(...string) string) {
	first := c.Neighbors[0].Address
	sent, _ := l.machine.AdvertisedPage(c.Neighbors[1].Address, routing.NoInterface, ipv4, netip.Prefix{}, netip.Prefix{}, 10)
	if len(sent) != 3 {
		t.Errorf("BIRD was sent %+v, and has 3 routes", sent)
	}
	for _, s := range sent {
		got := second("show", "route", s.Prefix.String(), "all")
		for _, line := range []string{"BGP.as_path: " + s.Attributes.ASPath.String(), "BGP.next_hop: " + s.Attributes.NextHop.Address.String()} {
			if !strings.Contains(got, line) {
				t.Errorf("BIRD was sent %+v, and has not %q:\n%s", s, line, got)
			}
		}
	}
	other := *c
	other.Neighbors = slices.Clone(c.Neighbors)
	other.Neighbors[0].Families[ipv4].KeepReceived = true
	l.step(protocol.Configure{Config: other})
	status := func() FamilyStatus { return l.machine.Neighbors()[0].Families[ipv4] }
	seen := func() string { return fmt.Sprintf("%+v", status()) }
	l.until("what is kept", func() bool { return status().Kept == 3 && status().Whole }, seen)
	before := l.machine.Neighbors()[0].Counts.Announcements
	third := other
	third.Neighbors = slices.Clone(other.Neighbors)
	third.Neighbors[0].Families[ipv4].Import = rejecting(t, netip.MustParsePrefix("203.0.113.0/24"))
	l.step(protocol.Configure{Config: third})
	l.until("another policy", func() bool {
		return status().Accepted == 2 && strings.Contains(second("show", "route", "count"), "2 of")
	}, seen)
	list, _ := l.machine.ReceivedPage(first, routing.NoInterface, ipv4, true, netip.Prefix{}, netip.Prefix{}, 10)
	if len(list) != 1 || list[0].Attributes.ASPath.String() != "65002 65010" || list[0].Why != "statement 1 of policy p rejects it" {
		t.Errorf("filtered is %+v", list)
	}
	if n := l.machine.Neighbors()[0].Counts.Announcements; n != before {
		t.Errorf("BIRD has announced %d routes again, though all were kept", n-before)
	}
}
