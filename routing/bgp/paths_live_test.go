package bgp

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

const birdLeaving = `
log stderr all;
router id 198.18.0.2;
graceful restart wait 1;
protocol device {}
protocol static s4 {
	ipv4;
	route 203.0.113.0/24 blackhole;
	route 198.51.100.128/25 blackhole;
	route 192.0.2.0/24 blackhole { bgp_community.add((65535,7)); };
}
protocol bgp a {
	neighbor 198.18.0.1 as 65001; multihop; strict bind; connect delay time 1; error wait time 1, 2;
	local 198.18.0.2 as 65002;
	graceful restart on; graceful restart time 3; long lived graceful restart on; long lived stale time 600;
	ipv4 { import all; export where source = RTS_STATIC; };
}
`

const birdTaking = `
log stderr all;
router id 198.18.0.3;
protocol device {}
protocol bgp b {
	neighbor 198.18.0.1 as 65001; multihop; strict bind; connect delay time 1; error wait time 1, 2;
	local 198.18.0.3 as 65003;
	ipv4 { import all; export none; add paths rx; };
}
`

// BIRD takes several paths of a prefix from a machine, which keeps the routes of another
// one that goes for long: with the community that BIRD knows them by, and without those
// that it must not keep.
func TestBIRDPathsAndLongLived(t *testing.T) {
	l := newLive(t, "bird", "birdc")
	leaving, taking := l.bird(birdLeaving), l.bird(birdTaking)
	both := netip.MustParsePrefix("203.0.113.0/24")
	c := Config{AS: 65001, RouterID: 0xc6120001, Networks: []Network{{Prefix: both, Always: true}}}
	c.Listen[wire.IPv4Unicast] = netip.MustParseAddrPort("0.0.0.0:179")
	for i := range 2 {
		n := NeighborConfig{
			Address: netip.AddrFrom4([4]byte{198, 18, 0, byte(2 + i)}), Link: routing.NoInterface, AS: 65002 + uint32(i),
			Local: netip.MustParseAddr("198.18.0.1"), HoldTime: 9, Multihop: 2, Passive: true,
		}
		n.Families[wire.IPv4Unicast] = FamilyConfig{
			Enabled: true, Import: Policy{Given: true}, Export: Policy{Given: true}, SendPaths: AllPaths, LongLived: time.Hour,
		}
		c.Neighbors = append(c.Neighbors, n)
	}
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	l.machine = New(protocol.Start{Seed: 1, Slots: new(routing.Slots)})
	l.listens()
	l.step(protocol.LinkUp{Link: 1, Name: "lo", Kind: protocol.Loopback, Addresses: []netip.Prefix{netip.MustParsePrefix("198.18.0.1/32")}})
	l.step(protocol.Configure{Config: c})
	show := func() string {
		return taking("show", "route", "all") + leaving("show", "protocols", "all") + fmt.Sprint(l.faults)
	}
	has := func(prefix string, words ...string) func() bool {
		return func() bool {
			got := taking("show", "route", prefix, "all")
			for _, w := range words {
				if !strings.Contains(got, w) {
					return false
				}
			}
			return strings.Count(got, "BGP.as_path") == len(words)
		}
	}
	l.until("both paths", has(both.String(), "BGP.as_path: 65001 65002", "BGP.as_path: 65001\n"), show)
	l.until("the other routes", func() bool { return strings.Contains(taking("show", "route", "count"), "4 of") }, show)

	leaving("graceful", "restart")
	l.until("long-lived routes", func() bool { return l.machine.Neighbors()[0].Families[wire.IPv4Unicast].LongLived }, show)
	l.until("the mark of them", has("198.51.100.128/25", "BGP.community: (65535,6)"), show)
	l.until("the loss of what must not be kept", func() bool { return !strings.Contains(taking("show", "route", "192.0.2.0/24"), "198.18") }, show)
	if len(l.table) != 1 { // the own network is in no slot
		t.Errorf("offered are %v, want the long-lived route alone", l.table)
	}
}
