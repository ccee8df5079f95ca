package sim

import (
	"net/netip"
	"testing"
	"time"

	"routerd/dataplane"
	"routerd/internal/verdict"
	"routerd/routing"
	"routerd/routing/rib"
)

// fork is a network in which r0 reaches 10.9.0.0/24 by r1 and by r2.
type fork struct {
	*Script
	t *testing.T
}

func newFork(t *testing.T, hops ...string) fork {
	t.Helper()
	f := fork{NewScript(3), t}
	_, err := f.Play(`router r0
  stub0 10.1.0.1/24
  eth1  10.0.1.1/30
  eth2  10.0.2.1/30
router r1
  eth0  10.0.1.2/30
  stub0 10.9.0.1/24
router r2
  eth0  10.0.2.2/30
  stub0 10.9.0.1/24
link r0:eth1 r1:eth0 delay=1ms
link r0:eth2 r2:eth0 delay=1ms
run 5s
`)
	if err != nil {
		t.Fatal(err)
	}
	route := rib.StaticRoute{Prefix: netip.MustParsePrefix("10.9.0.0/24")}
	for _, h := range hops {
		route.NextHops = append(route.NextHops, rib.StaticNextHop{Address: netip.MustParseAddr(h)})
	}
	n, cfg, err := f.Router("r0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.RIB.Static = append(cfg.RIB.Static, route)
	if err := n.Apply(*cfg); err != nil {
		t.Fatal(err)
	}
	return f
}

// cross sends a packet of each of 64 flows, lets some time pass, and says how
// many came out behind r1 and behind r2.
func (f fork) cross(wait time.Duration) (by1, by2 int) {
	f.t.Helper()
	stub1, stub2 := f.Network.Node("r1").End("stub0"), f.Network.Node("r2").End("stub0")
	stub1.Received, stub2.Received = nil, nil
	for i := range 64 {
		raw, err := dataplane.Probe{
			Src: netip.MustParseAddr("10.1.0.9"), Dst: netip.MustParseAddr("10.9.0.9"),
			Proto: 17, SrcPort: uint16(4000 + i), DstPort: 9, TTL: 64, Size: 60,
		}.Build()
		if err != nil {
			f.t.Fatal(err)
		}
		f.Network.Node("r0").Inject("stub0", raw)
	}
	if err := f.Network.Run(wait); err != nil {
		f.t.Fatal(err)
	}
	return len(stub1.Received), len(stub2.Received)
}

// A next hop of several that stops answering ARP gets no packets any more once
// that is found out, though its link keeps its carrier, and gets its flows back
// when it answers again.
func TestSilentNextHopIsPassedOver(t *testing.T) {
	f := newFork(t, "10.0.1.2", "10.0.2.2")
	if by1, by2 := f.cross(5 * time.Second); by1+by2 != 64 || by1 == 0 || by2 == 0 {
		t.Fatalf("%d and %d of 64 packets went by the two next hops, want all of them and some by each", by1, by2)
	}
	link := f.Network.Links[0]
	link.SetSilent(true)
	elapsed := 0
	for by1, by2 := f.cross(time.Second); by2 != 64; by1, by2 = f.cross(time.Second) {
		if elapsed++; elapsed > 60 {
			t.Fatalf("60 s after 10.0.1.2 fell silent %d and %d of 64 packets come through by the two next hops, want all by 10.0.2.2", by1, by2)
		}
	}
	id := f.Network.Node("r0").Router.View().Named("eth1").ID
	state := f.Network.Node("r0").Router.HopStates().Neighbor(netip.MustParseAddr("10.0.1.2"), id)
	if c := state.Causes(); len(c) != 1 || c[0] != routing.CauseNeighbor {
		t.Errorf("what speaks against the silent next hop is %v, want its neighbour state", c)
	}
	for i := range 120 { // while it is asked again and again, no packet is risked on it
		if by1, by2 := f.cross(time.Second); by2 != 64 {
			t.Fatalf("%d s later %d and %d of 64 packets come through, want all by 10.0.2.2", i, by1, by2)
		}
	}
	link.SetSilent(false)
	elapsed = 0
	for by1, by2 := f.cross(time.Second); by1 == 0; by1, by2 = f.cross(time.Second) {
		if elapsed++; elapsed > 35 || by2 != 64 {
			t.Fatalf("%d s after 10.0.1.2 answers again %d and %d of 64 packets come through, want some by it within 35 s and none lost", elapsed, by1, by2)
		}
	}
	if by1, by2 := f.cross(time.Second); by1+by2 != 64 || !state.Alive() {
		t.Errorf("afterwards %d and %d of 64 packets come through, and the next hop lives: %v", by1, by2, state.Alive())
	}
}

// Where every next hop is silent, and where there is only one, packets wait for
// it, it is asked for, and their senders are told, as before that was known; it
// is used as soon as it answers a packet's question.
func TestAllNextHopsSilent(t *testing.T) {
	for _, hops := range [][]string{{"10.0.1.2"}, {"10.0.1.2", "10.0.2.2"}} {
		f := newFork(t, hops...)
		f.cross(5 * time.Second)
		for _, l := range f.Network.Links {
			l.SetSilent(true)
		}
		for range 60 { // until it is known of all of them
			f.cross(time.Second)
		}
		r := f.Network.Node("r0").Router
		before := r.Neighbors().Counters.Verdict(verdict.NeighborFailed)
		if by1, by2 := f.cross(20 * time.Second); by1+by2 != 0 {
			t.Fatalf("%v: %d and %d packets went over silent links", hops, by1, by2)
		}
		if got := r.Neighbors().Counters.Verdict(verdict.NeighborFailed) - before; got < 64 {
			t.Errorf("%v are silent: %d of 64 packets were refused because the neighbour failed, want all", hops, got)
		}
		for _, l := range f.Network.Links {
			l.SetSilent(false)
		}
		if by1, by2 := f.cross(5 * time.Second); by1+by2 != 64 {
			t.Errorf("%v answer again: %d and %d of the next 64 packets came through, want all", hops, by1, by2)
		}
	}
}
