package rip

import (
	"net/netip"
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/protocol"
	"routerd/routing/rip/wire"
)

// Each row of the table at type route: from each state, what happens to a
// route to netA makes it what is said.
func TestTransitions(t *testing.T) {
	states := map[string]func(*bed){
		"absent":  func(*bed) {},
		"learned": func(b *bed) { b.hear(eth0, peer, entry(netA, 4)) },
		"dying":   func(b *bed) { b.hear(eth0, peer, entry(netA, 4)); b.hear(eth0, peer, entry(netA, 16)) },
		"own":     func(b *bed) { b.redistribute(netA, 3, 1) },
	}
	type want struct{ state, route string }
	for _, tt := range []struct {
		event string
		do    func(*bed)
		want  map[string]want
		ask   map[string]bool // from which states the neighbours are asked
	}{
		{"heard", func(b *bed) { b.hear(eth0, peer3, entry(netA, 2)) }, map[string]want{
			"absent": {"learned", "3 by 10.0.0.3"}, "learned": {"learned", "3 by 10.0.0.3"},
			"dying": {"learned", "3 by 10.0.0.3"}, "own": {"redistributed", ""},
		}, nil},
		{"heard as unreachable", func(b *bed) { b.hear(eth0, peer, entry(netA, 16)) }, map[string]want{
			"absent": {"absent", ""}, "learned": {"dying", ""}, "dying": {"dying", ""}, "own": {"redistributed", ""},
		}, map[string]bool{"learned": true}},
		{"unreachable by the metric added", func(b *bed) { b.hear(eth0, peer, entry(netA, 15)) }, map[string]want{
			"absent": {"absent", ""}, "learned": {"dying", ""}, "dying": {"dying", ""}, "own": {"redistributed", ""},
		}, map[string]bool{"learned": true}},
		{"not heard of", func(b *bed) { b.advance(180 * time.Second) }, map[string]want{
			"absent": {"absent", ""}, "learned": {"dying", ""}, "dying": {"absent", ""}, "own": {"redistributed", ""},
		}, nil}, // asked later than this looks
		{"interface down", func(b *bed) { b.step(protocol.LinkDown{Link: eth0}) }, map[string]want{
			"absent": {"absent", ""}, "learned": {"dying", ""}, "dying": {"dying", ""}, "own": {"redistributed", ""},
		}, map[string]bool{"absent": true, "learned": true, "dying": true, "own": true}}, // the subnet dies too
		{"neighbour lost", func(b *bed) { b.step(protocol.NeighborState{Link: eth0, Address: peer}) }, map[string]want{
			"absent": {"absent", ""}, "learned": {"dying", ""}, "dying": {"dying", ""}, "own": {"redistributed", ""},
		}, map[string]bool{"learned": true}},
		{"next hop not reachable", func(b *bed) {
			b.step(protocol.Notices{Notices: routing.Notices{NextHops: []routing.NextHopState{{Address: peer, Interface: eth0}}}})
		}, map[string]want{
			"absent": {"absent", ""}, "learned": {"dying", ""}, "dying": {"dying", ""}, "own": {"redistributed", ""},
		}, map[string]bool{"learned": true}},
		{"another neighbour lost", func(b *bed) { b.step(protocol.NeighborState{Link: eth0, Address: peer3}) }, map[string]want{
			"absent": {"absent", ""}, "learned": {"learned", "5 by 10.0.0.2"}, "dying": {"dying", ""}, "own": {"redistributed", ""},
		}, nil},
		{"redistributed", func(b *bed) { b.redistribute(netA, 9, 1) }, map[string]want{
			"absent": {"redistributed", ""}, "learned": {"redistributed", ""}, "dying": {"redistributed", ""}, "own": {"redistributed", ""},
		}, nil},
		{"redistributed, less preferred", func(b *bed) { b.redistribute(netA, 9, 200) }, map[string]want{
			"absent": {"redistributed", ""}, "learned": {"learned", "5 by 10.0.0.2"}, "dying": {"redistributed", ""}, "own": {"redistributed", ""},
		}, nil},
		{"taken back", func(b *bed) { b.takeBack(netA) }, map[string]want{
			"absent": {"absent", ""}, "learned": {"learned", "5 by 10.0.0.2"}, "dying": {"dying", ""}, "own": {"dying", ""},
		}, map[string]bool{"own": true}},
	} {
		for from, prepare := range states {
			t.Run(tt.event+" while "+from, func(t *testing.T) {
				b := newBed(t, nil)
				prepare(b)
				b.advance(time.Second) // what the preparation asked is over
				b.m.asking = asking{}
				b.clear()
				tt.do(b)
				want := tt.want[from]
				if got := b.state(netA); got != want.state {
					t.Errorf("is %s, want %s", got, want.state)
				}
				b.wantRoute(netA, want.route)
				if tt.event == "not heard of" {
					return
				}
				b.advance(askDelay)
				asked := false
				for _, line := range b.sends() {
					asked = asked || line == "eth1 224.0.0.9 request all"
				}
				if asked != tt.ask[from] {
					t.Errorf("asked the neighbours: %v, want %v", asked, tt.ask[from])
				}
			})
		}
	}
}

// Each row of the second table: what another announcement makes of a route
// that is learned from peer and peer3 with metric 5.
func TestHeardAgain(t *testing.T) {
	for _, tt := range []struct {
		name   string
		from   netip.Addr
		metric uint8 // as sent
		want   string
	}{
		{"better, of one of the two", peer, 2, "3 by 10.0.0.2"},
		{"better, of another", far, 3, "4 by 10.0.1.2"},
		{"equal, of one of the two", peer, 4, "5 by 10.0.0.2 10.0.0.3"},
		{"equal, of another", far, 4, "5 by 10.0.0.2 10.0.0.3 10.0.1.2"},
		{"worse, of one of the two", peer, 7, "5 by 10.0.0.3"},
		{"worse, of another", far, 7, "5 by 10.0.0.2 10.0.0.3"},
		{"gone, of one of the two", peer, 16, "5 by 10.0.0.3"},
		{"gone, of another", far, 16, "5 by 10.0.0.2 10.0.0.3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBed(t, nil)
			b.hear(eth0, peer, entry(netA, 4))
			b.hear(eth0, peer3, entry(netA, 4))
			on := eth0
			if tt.from == far {
				on = eth1
			}
			b.hear(on, tt.from, entry(netA, tt.metric))
			b.wantRoute(netA, tt.want)
		})
	}
	t.Run("worse, of the only one", func(t *testing.T) {
		b := newBed(t, nil)
		b.hear(eth0, peer, entry(netA, 4))
		b.hear(eth0, peer, entry(netA, 9))
		b.wantRoute(netA, "10 by 10.0.0.2")
	})
}

// With one path, an equal one takes over from one that is halfway to its
// timeout, and not before (RFC 2453 §3.9.2).
func TestHalfTimedOut(t *testing.T) {
	b := newBed(t, func(c *Config) { c.MaximumPaths = 1 })
	b.hear(eth0, peer, entry(netA, 4))
	b.advance(89 * time.Second)
	b.hear(eth0, peer3, entry(netA, 4))
	b.wantRoute(netA, "5 by 10.0.0.2")
	b.advance(time.Second)
	b.hear(eth0, peer3, entry(netA, 4))
	b.wantRoute(netA, "5 by 10.0.0.3")
}

// A route lives for Invalid from when it was last heard of, and its death is
// announced until Flush.
func TestTimers(t *testing.T) {
	b := newBed(t, nil)
	b.hear(eth0, peer, entry(netA, 4))
	b.advance(179 * time.Second)
	b.hear(eth0, peer, entry(netA, 4))
	b.advance(180*time.Second - 1)
	if got := b.state(netA); got != "learned" {
		t.Errorf("is %s before the invalid interval is over", got)
	}
	b.advance(1)
	if got := b.state(netA); got != "dying" {
		t.Errorf("is %s after the invalid interval", got)
	}
	b.advance(120*time.Second - 1)
	if got := b.state(netA); got != "dying" {
		t.Errorf("is %s before the flush interval is over", got)
	}
	b.advance(1)
	if got := b.state(netA); got != "absent" {
		t.Errorf("is %s after the flush interval", got)
	}
	// Its neighbour is forgotten after the same time, within an update.
	b.advance(40 * time.Second)
	if n := b.m.Neighbors(); len(n) != 0 {
		t.Errorf("neighbours %v, want none", n)
	}
}

func TestMaxRoutes(t *testing.T) {
	b := newBed(t, func(c *Config) { c.MaxRoutes = 3 }) // two of them connected
	b.hear(eth0, peer, entry(netA, 4), entry(netB, 4))
	b.wantRoute(netA, "5 by 10.0.0.2")
	b.wantRoute(netB, "")
	if got := b.m.Interfaces()[0].Counters.TableFull; got != 1 {
		t.Errorf("counted %d routes too many, want 1", got)
	}
	b.redistribute(netB, 1, 1) // the router's own do not count
	if got := b.state(netB); got != "redistributed" {
		t.Errorf("is %s", got)
	}
}

// Next hops that are named, and those that are not to be used (RFC 2453 §4.4).
func TestNextHop(t *testing.T) {
	for _, tt := range []struct{ name, hop, want string }{
		{"on the link", "10.0.0.9", "2 by 10.0.0.9"},
		{"off the link", "192.0.2.1", "2 by 10.0.0.2"},
		{"on another link", "10.0.1.9", "2 by 10.0.0.2"},
		{"loopback", "127.0.0.1", "2 by 10.0.0.2"},
		{"the subnet's broadcast address", "10.0.0.255", "2 by 10.0.0.2"},
		{"the subnet itself", "10.0.0.0", "2 by 10.0.0.2"},
		{"this router", "10.0.0.1", ""},
		{"this router on another link", "10.0.1.1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBed(t, nil)
			b.hear(eth0, peer, wire.Entry{Prefix: netA, Metric: 1, NextHop: addr(tt.hop)})
			b.wantRoute(netA, tt.want)
		})
	}
	t.Run("this router, of a route by that neighbour", func(t *testing.T) {
		b := newBed(t, nil)
		b.hear(eth0, peer, entry(netA, 1))
		b.hear(eth0, peer, wire.Entry{Prefix: netA, Metric: 2, NextHop: addr("10.0.0.1")})
		b.wantRoute(netA, "")
	})
	t.Run("the same from two", func(t *testing.T) {
		b := newBed(t, nil)
		b.hear(eth0, peer, entry(netA, 1))
		b.hear(eth0, peer3, wire.Entry{Prefix: netA, Metric: 1, NextHop: peer})
		b.wantRoute(netA, "2 by 10.0.0.2")
	})
}

// A change of the tag alone is passed on to the RIB and the others.
func TestTag(t *testing.T) {
	b := newBed(t, nil)
	b.hear(eth0, peer, wire.Entry{Prefix: netA, Metric: 1, Tag: 5})
	if b.rib[netA].Tag != 5 {
		t.Errorf("tag %d, want 5", b.rib[netA].Tag)
	}
	b.sent("eth1 224.0.0.9 response 198.51.100.0/24=2/5")
	b.advance(6 * time.Second)
	b.clear()
	b.hear(eth0, peer, wire.Entry{Prefix: netA, Metric: 1, Tag: 6})
	b.sent("eth1 224.0.0.9 response 198.51.100.0/24=2/6")
	if b.rib[netA].Tag != 6 {
		t.Errorf("tag %d, want 6", b.rib[netA].Tag)
	}
}

func TestBits(t *testing.T) {
	var b bits
	for _, id := range []routing.InterfaceID{0, 63, 64, 200, 65534} {
		if b.has(id) {
			t.Errorf("%d is in an empty set", id)
		}
		b.set(id, false)
		b.set(id, true)
		if !b.has(id) || b.has(id+1) {
			t.Errorf("after %d is put in: %v, and the next: %v", id, b.has(id), b.has(id+1))
		}
	}
	b.set(200, false)
	if b.has(200) || !b.has(65534) || !b.has(0) {
		t.Error("taking one out takes out others, or not that one")
	}
}
