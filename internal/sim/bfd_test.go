package sim

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"routerd/internal/router"
	"routerd/routing"
	"routerd/routing/bfd"
	"routerd/routing/bfd/wire"
	"routerd/routing/rib"
	"routerd/routing/rip"
)

// fastBFD is sessions of 50 ms x 3, with the peers that are configured.
func fastBFD(peers ...string) router.ProtocolConfig {
	p := bfd.DefaultProfile()
	p.Transmit, p.Receive = 50*time.Millisecond, 50*time.Millisecond
	c := bfd.Config{Profiles: map[string]bfd.Profile{"": p}}
	for _, a := range peers {
		c.Peers = append(c.Peers, bfd.Peer{Address: netip.MustParseAddr(a)})
	}
	return router.ProtocolConfig{Config: c}
}

// configure changes the configuration of a node.
func (f fork) configure(name string, change func(*router.Config)) {
	f.t.Helper()
	n, cfg, err := f.Router(name)
	if err != nil {
		f.t.Fatal(err)
	}
	if cfg.Protocols == nil {
		cfg.Protocols = map[string]router.ProtocolConfig{}
	}
	change(cfg)
	if err := n.Apply(*cfg); err != nil {
		f.t.Fatal(err)
	}
}

// newWatchedFork is a fork whose r0 has both next hops watched. Both are up.
func newWatchedFork(t *testing.T, routes ...rib.StaticRoute) fork {
	t.Helper()
	f := newFork(t)
	for name, peer := range map[string]string{"r1": "10.0.1.1", "r2": "10.0.2.1"} {
		f.configure(name, func(c *router.Config) { c.Protocols["bfd"] = fastBFD(peer) })
	}
	f.configure("r0", func(c *router.Config) {
		c.Protocols["bfd"] = fastBFD()
		c.RIB.Static = routes
	})
	f.run(10 * time.Second)
	f.wantSession("10.0.1.2", wire.Up)
	f.wantSession("10.0.2.2", wire.Up)
	return f
}

func watchedHop(a string) rib.StaticNextHop {
	return rib.StaticNextHop{Address: netip.MustParseAddr(a), Watch: &rib.Watch{}}
}

func toStub(distance uint8, hops ...rib.StaticNextHop) rib.StaticRoute {
	return rib.StaticRoute{Prefix: netip.MustParsePrefix("10.9.0.0/24"), Distance: distance, NextHops: hops}
}

func (f fork) run(d time.Duration) {
	f.t.Helper()
	if err := f.Network.Run(d); err != nil {
		f.t.Fatal(err)
	}
}

// session gives r0's session with a neighbour.
func (f fork) session(peer string) bfd.SessionInfo {
	f.t.Helper()
	all := f.Network.Node("r0").Router.Protocol("bfd").Core().(*bfd.Machine).Sessions()
	at := slices.IndexFunc(all, func(s bfd.SessionInfo) bool { return s.Address == netip.MustParseAddr(peer) })
	if at < 0 {
		f.t.Fatalf("r0 has no session with %s: %+v", peer, all)
	}
	return all[at]
}

func (f fork) wantSession(peer string, state wire.State) {
	f.t.Helper()
	if s := f.session(peer); s.State != state {
		f.t.Fatalf("the session with %s is %v (%v), want %v; last refusal %q", peer, s.State, s.Diagnostic, state, s.Refused)
	}
}

// found waits until all of 64 flows go by r2, and gives how long that took.
func (f fork) found() time.Duration {
	f.t.Helper()
	for took := time.Duration(0); took < time.Second; took += 2 * time.Millisecond {
		if _, by2 := f.cross(2 * time.Millisecond); by2 == 64 {
			return took
		}
	}
	f.t.Fatal("a second after the link fell silent packets are still lost")
	return 0
}

// A link that loses all packets and keeps its carrier is found out within the
// detection time, and packets take the other next hop: one of the same route at
// once, one of another route when the RIB has decided.
func TestWatchedNextHop(t *testing.T) {
	for name, routes := range map[string][]rib.StaticRoute{
		"two next hops": {toStub(0, watchedHop("10.0.1.2"), watchedHop("10.0.2.2"))},
		"two routes":    {toStub(0, watchedHop("10.0.1.2")), toStub(10, rib.StaticNextHop{Address: netip.MustParseAddr("10.0.2.2")}), toStub(250, watchedHop("10.0.2.2"))},
	} {
		t.Run(name, func(t *testing.T) {
			f := newWatchedFork(t, routes...)
			if by1, _ := f.cross(time.Second); by1 == 0 {
				t.Fatal("no packet goes by 10.0.1.2")
			}
			link := f.Network.Links[0]
			link.SetSilent(true)
			// The delay of the link, and what the RIB gathers a burst for.
			if took := f.found(); took > 160*time.Millisecond {
				t.Errorf("packets were lost for %v, want at most the detection time of 150ms", took)
			}
			f.wantSession("10.0.1.2", wire.Down)
			link.SetSilent(false)
			f.run(5 * time.Second)
			f.wantSession("10.0.1.2", wire.Up)
			if by1, by2 := f.cross(time.Second); by1 == 0 || by1+by2 != 64 {
				t.Errorf("%d and %d of 64 packets after the link is back", by1, by2)
			}
			if s := f.session("10.0.2.2"); s.Counters.Downs != 0 {
				t.Errorf("the other session went down %d times", s.Counters.Downs)
			}
		})
	}
}

// A neighbour that stops says AdminDown, which is no failure: its packets still
// go by it. One that crashes is found out, and found again.
func TestWatchedNeighborStopsAndCrashes(t *testing.T) {
	f := newWatchedFork(t, toStub(0, watchedHop("10.0.1.2"), watchedHop("10.0.2.2")))
	r1 := f.Network.Node("r1")
	r1.Stop()
	for range 20 {
		if by1, by2 := f.cross(100 * time.Millisecond); by1 == 0 || by1+by2 != 64 {
			t.Fatalf("%d and %d of 64 packets when r1 has said that it stops, want some by each and all", by1, by2)
		}
	}
	if s := f.session("10.0.1.2"); s.State != wire.Down || s.RemoteState != wire.AdminDown || s.Failed {
		t.Errorf("the session is %v, the neighbour %v, against it %v", s.State, s.RemoteState, s.Failed)
	}
	_, cfg, err := f.Router("r1")
	if err != nil {
		t.Fatal(err)
	}
	again := func() {
		if err := r1.Apply(*cfg); err != nil {
			t.Fatal(err)
		}
		f.run(5 * time.Second)
		f.wantSession("10.0.1.2", wire.Up)
	}
	r1.Crash()
	again()
	if f.session("10.0.1.2").Counters.Downs != 1 {
		t.Errorf("%d times down, want once, by AdminDown", f.session("10.0.1.2").Counters.Downs)
	}
	r1.Crash()
	if took := f.found(); took > 160*time.Millisecond {
		t.Errorf("packets were lost for %v", took)
	}
	again()
	if by1, by2 := f.cross(time.Second); by1 == 0 || by1+by2 != 64 {
		t.Errorf("%d and %d of 64 packets when r1 is back", by1, by2)
	}
}

// A reload in the midst of it drops no session, and one that takes the watch away
// is told to the neighbour as no failure.
func TestWatchedNextHopIsReconfigured(t *testing.T) {
	f := newWatchedFork(t, toStub(0, watchedHop("10.0.1.2"), watchedHop("10.0.2.2")))
	for range 10 {
		f.configure("r0", func(c *router.Config) { c.Name += "x" })
		f.run(20 * time.Millisecond)
	}
	for _, peer := range []string{"10.0.1.2", "10.0.2.2"} {
		if s := f.session(peer); s.State != wire.Up || s.Counters.Downs != 0 {
			t.Errorf("the session with %s is %v, %d times down", peer, s.State, s.Counters.Downs)
		}
	}
	f.configure("r0", func(c *router.Config) { c.RIB.Static = []rib.StaticRoute{toStub(0, watchedHop("10.0.2.2"))} })
	f.run(time.Second)
	m := f.Network.Node("r1").Router.Protocol("bfd").Core().(*bfd.Machine)
	if s := m.Sessions()[0]; s.RemoteState != wire.AdminDown {
		t.Errorf("r1 sees its neighbour in %v, want AdminDown", s.RemoteState)
	}
	id := f.Network.Node("r0").Router.View().Named("eth1").ID
	if c := f.Network.Node("r0").Router.HopStates().Neighbor(netip.MustParseAddr("10.0.1.2"), id).Causes(); slices.Contains(c, routing.CauseBFD) {
		t.Errorf("against a hop that is not watched any more speaks %v", c)
	}
}

// RIP's neighbours: the routes by one that is lost go within the detection time,
// and others take their place.
func TestWatchedRIPNeighbors(t *testing.T) {
	f := newFork(t)
	for _, name := range []string{"r0", "r1", "r2"} {
		f.configure(name, func(c *router.Config) {
			speakRIP(c)
			r := c.Protocols["rip"].Config.(rip.Config)
			for i, ic := range r.Interfaces {
				ic.BFD, ic.Passive = &rip.BFD{}, i == "stub0"
				if name == "r2" && i == "eth0" {
					ic.OffsetOut = 1 // worse than by r1
				}
				r.Interfaces[i] = ic
			}
			c.Protocols["bfd"] = fastBFD()
		})
	}
	f.run(time.Minute)
	f.wantSession("10.0.1.2", wire.Up)
	if by1, by2 := f.cross(time.Second); by1 != 64 {
		t.Fatalf("%d and %d of 64 packets, want all by r1", by1, by2)
	}
	f.Network.Links[0].SetSilent(true)
	if took := f.found(); took > 250*time.Millisecond {
		t.Errorf("packets were lost for %v, want the detection time and what it takes to ask for another route", took)
	}
	f.run(2 * time.Minute)
	if by1, by2 := f.cross(time.Second); by2 != 64 {
		t.Errorf("%d and %d of 64 packets afterwards", by1, by2)
	}
	f.Network.Links[0].SetSilent(false)
	f.run(time.Minute)
	f.wantSession("10.0.1.2", wire.Up)
	if by1, by2 := f.cross(time.Second); by1 != 64 {
		t.Errorf("%d and %d of 64 packets when the link is back, want all by r1", by1, by2)
	}
}
