package router

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"routerd/dataplane/port/memory"
	"routerd/routing"
	"routerd/routing/protocol"
	"routerd/routing/rib"
)

// scripted is a core that notes its inputs, and gives as effects what it is
// handed as such.
type scripted struct{ heard []string }

// do is an input that has a scripted core give effects.
type do []protocol.Effect

func (s *scripted) Deadline() time.Time { return time.Time{} }

func (s *scripted) Step(_ time.Time, in protocol.Input, out []protocol.Effect) []protocol.Effect {
	switch x := in.(type) {
	case do:
		return append(out, x...)
	case protocol.WatchFor:
		text := fmt.Sprintf("watch %v on %d for %s: %q %v", x.Watch.Address, x.Watch.Link, x.Client, x.Watch.Profile, x.Watch.Strict)
		if x.Watch.Multihop {
			text += fmt.Sprintf(" over several hops from %v", x.Watch.Source)
		}
		s.heard = append(s.heard, text)
	case protocol.UnwatchFor:
		s.heard = append(s.heard, fmt.Sprintf("unwatch %v on %d for %s", x.Path.Address, x.Path.Link, x.Client))
	case protocol.NeighborState:
		s.heard = append(s.heard, fmt.Sprintf("%v on %d by %v: %v", x.Address, x.Link, x.Cause, x.Alive))
	}
	return out
}

func (s *scripted) take() []string {
	list := s.heard
	s.heard = nil
	return list
}

// watching is a router with a client and a watcher, whose cores are scripted.
func watching(t *testing.T) (r *Router, client, watcher *Protocol) {
	t.Helper()
	make := func(protocol.Start) protocol.Core { return &scripted{} }
	r = New(rand.NewPCG(1, 1), Kind{Name: "client", New: make}, Kind{Name: "watcher", Watches: true, New: make})
	if err := r.Commit(twoLANs(), now); err != nil {
		t.Fatal(err)
	}
	return r, r.Protocol("client"), r.Protocol("watcher")
}

func drive(p *Protocol) []string {
	p.Inbox.Poll(p, now)
	return p.Core().(*scripted).take()
}

func wantHeard(t *testing.T, who string, got []string, want ...string) {
	t.Helper()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%s heard %q, want %q", who, got, want)
	}
}

var (
	hop  = netip.MustParseAddr("10.0.1.2")
	path = protocol.Path{Link: 0, Address: hop}
)

// A client's wish reaches the watcher, and what the watcher finds out the client
// that asked, and the packets' way at once.
func TestProtocolsAskAndHear(t *testing.T) {
	r, client, watcher := watching(t)
	client.Step(now, do{protocol.Watch{Path: path, Profile: "fast"}})
	wantHeard(t, "the watcher", drive(watcher), `watch 10.0.1.2 on 0 for client: "fast" false`)
	watcher.Step(now, do{
		protocol.HopState{Address: hop, Cause: routing.CauseBFD},
		protocol.Tell{Client: "client", State: protocol.NeighborState{Address: hop, Cause: routing.CauseBFD}},
		protocol.Tell{Client: "nobody", State: protocol.NeighborState{Address: hop, Cause: routing.CauseBFD}},
	})
	if got := r.HopStates().Neighbor(hop, 0).Causes(); !slices.Contains(got, routing.CauseBFD) {
		t.Errorf("the hop is dead by %v, want by bfd too, before anybody has heard of it", got)
	}
	wantHeard(t, "the client", drive(client), "10.0.1.2 on 0 by bfd: false")
	client.Step(now, do{protocol.Unwatch{Path: path}})
	wantHeard(t, "the watcher", drive(watcher), "unwatch 10.0.1.2 on 0 for client")
}

// Nobody waits and nothing is lost: a full inbox is no obstacle, and of each path
// only the latest is heard.
func TestPendingInputsNeedNoRoom(t *testing.T) {
	_, client, watcher := watching(t)
	for watcher.Inbox.Offer(protocol.Tick{}) {
	}
	other := protocol.Path{Link: 1, Address: hop}
	client.Step(now, do{protocol.Watch{Path: path}, protocol.Unwatch{Path: path}, protocol.Watch{Path: other}, protocol.Watch{Path: path, Strict: true}})
	wantHeard(t, "the watcher", drive(watcher), `watch 10.0.1.2 on 0 for client: "" true`, `watch 10.0.1.2 on 1 for client: "" false`)
	for client.Inbox.Offer(protocol.Tick{}) {
	}
	for _, alive := range []bool{true, false, true, false} {
		watcher.Step(now, do{protocol.Tell{Client: "client", State: protocol.NeighborState{Address: hop, Cause: routing.CauseBFD, Alive: alive}}})
	}
	wantHeard(t, "the client", drive(client), "10.0.1.2 on 0 by bfd: false")
	wantHeard(t, "the client once more", drive(client))
}

// The next hops of static routes are watched as the configuration says, each
// once, and their routes follow what is found out.
func TestStaticNextHopsAreWatched(t *testing.T) {
	r, _, watcher := watching(t)
	to := netip.MustParsePrefix("192.0.2.0/24")
	far := netip.MustParseAddr("10.0.2.2")
	commit := func(hops ...rib.StaticNextHop) {
		t.Helper()
		cfg := twoLANs()
		cfg.RIB.Static = []rib.StaticRoute{
			{Prefix: to, NextHops: hops},
			{Prefix: netip.MustParsePrefix("198.51.100.0/24"), NextHops: hops},
			{Prefix: to, NextHops: []rib.StaticNextHop{{Address: far}}, Distance: 200},
		}
		if err := r.Commit(cfg, now); err != nil {
			t.Fatal(err)
		}
	}
	distance := func() (d uint8) {
		for _, c := range r.RIB().Get(to) {
			if c.Selected {
				d = c.Distance
			}
		}
		return d
	}
	at := now
	tell := func(alive bool, link routing.InterfaceID) {
		t.Helper()
		watcher.Step(now, do{protocol.Tell{Client: "static", State: protocol.NeighborState{Link: link, Address: hop, Cause: routing.CauseBFD, Alive: alive}}})
		at = at.Add(time.Second) // the table is calm again
		if _, err := r.Poll(at); err != nil {
			t.Fatal(err)
		}
	}
	fast := &rib.Watch{Profile: "fast"}
	for _, name := range []string{"lan0", "lan1"} {
		port := memory.New(name, 1500)
		t.Cleanup(func() { port.Close() })
		if _, err := r.Attach(name, port, now); err != nil {
			t.Fatal(err)
		}
	}
	commit(rib.StaticNextHop{Address: hop, Watch: fast})
	wantHeard(t, "the watcher", drive(watcher), `watch 10.0.1.2 on 65535 for static: "fast" false`)
	if got := distance(); got != 1 {
		t.Fatalf("distance %d before anything is known, want 1", got)
	}
	tell(false, routing.NoInterface)
	if got := distance(); got != 200 {
		t.Errorf("distance %d when the hop is dead, want 200", got)
	}
	commit(rib.StaticNextHop{Address: hop, Watch: fast})
	wantHeard(t, "the watcher after the same reload", drive(watcher))
	if got := distance(); got != 200 {
		t.Errorf("distance %d after the same reload, want 200", got)
	}
	tell(true, routing.NoInterface)
	if got := distance(); got != 1 {
		t.Errorf("distance %d when the hop lives again, want 1", got)
	}
	commit(rib.StaticNextHop{Address: hop, Interface: "lan0", Watch: &rib.Watch{Strict: true}})
	wantHeard(t, "the watcher", drive(watcher), "unwatch 10.0.1.2 on 65535 for static", `watch 10.0.1.2 on 0 for static: "" true`)
	tell(false, 0)
	if got := distance(); got != 200 {
		t.Errorf("distance %d when the hop on lan0 is dead, want 200", got)
	}
	commit(rib.StaticNextHop{Address: hop, Watch: &rib.Watch{Source: netip.MustParseAddr("10.0.2.1")}})
	wantHeard(t, "the watcher", drive(watcher), "unwatch 10.0.1.2 on 0 for static", `watch 10.0.1.2 on 65535 for static: "" false over several hops from 10.0.2.1`)
	if got := distance(); got != 1 {
		t.Errorf("distance %d before anything is known of the path over several hops, want 1", got)
	}
	tell(false, routing.NoInterface)
	if got := distance(); got != 200 {
		t.Errorf("distance %d when the path over several hops is dead, want 200", got)
	}
	commit(rib.StaticNextHop{Address: hop, Interface: "lan0"})
	wantHeard(t, "the watcher", drive(watcher), "unwatch 10.0.1.2 on 65535 for static")
	if got := distance(); got != 1 {
		t.Errorf("distance %d when the hop is not watched any more, want 1", got)
	}
}
