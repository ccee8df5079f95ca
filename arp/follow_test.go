package arp

import (
	"net/netip"
	"testing"
	"time"

	"routerd/routing"
)

// A follower hears of each neighbour that is learned, changes its address or
// state, or is forgotten, and finds it as it is then.
func TestChangedNeighbors(t *testing.T) {
	a := netip.MustParseAddr("10.0.0.2")
	var heard []netip.Addr
	cfg := DefaultConfig()
	cfg.Changed = func(link routing.InterfaceID, address netip.Addr) {
		if link != 3 {
			t.Errorf("heard of %s on link %d, want 3", address, link)
		}
		heard = append(heard, address)
	}
	m := New(cfg, 1)
	now := time.Unix(1000, 0)
	m.Step(now, InterfaceUp{Interface: 3, Config: InterfaceConfig{
		MAC: MAC{2, 0, 0, 0, 0, 1}, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}, Timeout: DefaultTimeout,
	}}, nil)
	is := func(what string, state State, known bool) {
		t.Helper()
		if len(heard) == 0 || heard[len(heard)-1] != a {
			t.Errorf("%s: heard of %v, want %s", what, heard, a)
		}
		heard = nil
		n, ok := m.Find(3, a, now)
		if ok != known || n.State != state {
			t.Errorf("%s: found %v, %t; want state %v, %t", what, n, ok, state, known)
		}
	}
	m.Step(now, Resolve{Interface: 3, Addr: a, Packet: make([]byte, 20)}, nil)
	is("resolved", Incomplete, true)
	m.Step(now, Clear{Interface: 3, Addr: a}, nil)
	if len(heard) != 0 {
		t.Errorf("one that is still asked for stays, and heard of %v", heard)
	}
	for range 10 { // unanswered, it is forgotten in the end
		if now = now.Add(time.Second); len(heard) > 0 {
			break
		}
		m.Step(now, Tick{}, nil)
	}
	is("unanswered", Absent, false)
}
