package rip

import (
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/protocol"
)

func watchedBed(t *testing.T, bfd *BFD) *bed {
	return newBed(t, func(cfg *Config) {
		i := cfg.Interfaces["eth0"]
		i.BFD = bfd
		cfg.Interfaces["eth0"] = i
	})
}

// asked gives what the machine wants watched, since the last clear.
func (b *bed) asked() (watch []protocol.Watch, unwatch []protocol.Unwatch) {
	for _, e := range b.out {
		switch x := e.(type) {
		case protocol.Watch:
			watch = append(watch, x)
		case protocol.Unwatch:
			unwatch = append(unwatch, x)
		}
	}
	return watch, unwatch
}

func (b *bed) found(alive bool) {
	b.step(protocol.NeighborState{Link: eth0, Address: peer, Cause: routing.CauseBFD, Alive: alive})
}

// A neighbour is watched from when it is heard until it is forgotten.
func TestNeighborsAreWatched(t *testing.T) {
	b := watchedBed(t, &BFD{Profile: "fast"})
	b.hear(eth0, peer, entry(netA, 4))
	want := protocol.Watch{Path: protocol.Path{Link: eth0, Address: peer}, Profile: "fast"}
	if watch, _ := b.asked(); len(watch) != 1 || watch[0] != want {
		t.Fatalf("asked for %+v, want %+v", watch, want)
	}
	b.hear(eth0, peer, entry(netA, 4))
	b.hear(eth1, peer, entry(netB, 4)) // where nobody is watched
	if watch, _ := b.asked(); len(watch) != 1 {
		t.Errorf("asked again: %+v", watch)
	}
	b.clear()
	b.advance(10 * time.Minute)
	if _, unwatch := b.asked(); len(unwatch) != 1 || unwatch[0].Path != want.Path {
		t.Errorf("a forgotten neighbour: %+v", unwatch)
	}
}

// RFC 5882 §10.3: all routes of a neighbour that is lost go at once, whatever
// their next hop, and it is not believed until it is back.
func TestNeighborLostByBFD(t *testing.T) {
	b := watchedBed(t, &BFD{})
	other := entry(netB, 4)
	other.NextHop = peer3
	b.hear(eth0, peer, entry(netA, 4), other)
	b.hear(eth0, peer3, entry(netB, 9))
	b.found(true)
	b.wantRoute(netA, "5 by 10.0.0.2")
	b.clear()
	b.found(false)
	b.wantRoute(netA, "")
	if got := b.state(netB); got != "dying" {
		t.Errorf("a route of its by another next hop is %s, want dying", got)
	}
	b.hear(eth0, peer, entry(netA, 4))
	b.wantRoute(netA, "")
	i := b.m.interfaces[eth0]
	if i.counters.Dead != 1 || !b.m.Neighbors()[0].Dead {
		t.Errorf("%d packets refused, neighbors %+v", i.counters.Dead, b.m.Neighbors())
	}
	b.hear(eth0, peer3, entry(netB, 9))
	b.wantRoute(netB, "10 by 10.0.0.3")
	b.found(true)
	b.hear(eth0, peer, entry(netA, 4))
	b.wantRoute(netA, "5 by 10.0.0.2")
}

// A neighbour that BFD has lost and that goes on speaking is remembered as lost,
// and one that falls silent is forgotten.
func TestLostNeighborIsRemembered(t *testing.T) {
	b := watchedBed(t, &BFD{})
	b.hear(eth0, peer, entry(netA, 4))
	b.found(false)
	for range 40 {
		b.advance(30 * time.Second)
		b.hear(eth0, peer, entry(netA, 4))
	}
	b.wantRoute(netA, "")
	b.advance(time.Hour)
	if _, unwatch := b.asked(); len(unwatch) != 1 || len(b.m.Neighbors()) != 0 {
		t.Errorf("a silent one: %v, %+v", unwatch, b.m.Neighbors())
	}
}

// What a strict interface hears is not used before the session is up.
func TestStrictNeighbors(t *testing.T) {
	b := watchedBed(t, &BFD{Strict: true})
	b.hear(eth0, peer, entry(netA, 4))
	b.wantRoute(netA, "")
	b.found(true)
	b.hear(eth0, peer, entry(netA, 4))
	b.wantRoute(netA, "5 by 10.0.0.2")
}

// A reload that begins or ends to have neighbours watched leaves their routes.
func TestWatchingIsReconfigured(t *testing.T) {
	b := watchedBed(t, nil)
	b.hear(eth0, peer, entry(netA, 4))
	configure := func(bfd *BFD) {
		cfg := DefaultConfig(RIP)
		for _, name := range []string{"eth0", "eth1"} {
			i := DefaultInterface()
			i.BFD = bfd
			cfg.Interfaces[name] = i
		}
		b.clear()
		b.step(protocol.Configure{Config: cfg})
		b.wantRoute(netA, "5 by 10.0.0.2")
	}
	for _, tt := range []struct {
		bfd            *BFD
		watch, unwatch int
	}{{&BFD{}, 1, 0}, {&BFD{}, 0, 0}, {&BFD{Profile: "fast"}, 1, 0}, {nil, 0, 1}, {nil, 0, 0}} {
		configure(tt.bfd)
		if watch, unwatch := b.asked(); len(watch) != tt.watch || len(unwatch) != tt.unwatch {
			t.Errorf("%+v: watch %v, unwatch %v", tt.bfd, watch, unwatch)
		}
	}
}

// A neighbour that is back is asked by itself: the three times in 15 s that all
// are asked are for routes that are lost.
func TestNeighborBackIsAskedAlone(t *testing.T) {
	b := watchedBed(t, &BFD{})
	for round := range 3 {
		b.hear(eth0, peer, entry(netA, 4))
		for _, alive := range []bool{false, true} {
			b.clear()
			b.found(alive)
			b.advance(200 * time.Millisecond)
			asked := map[routing.InterfaceID]bool{}
			for _, e := range b.out {
				if x, ok := e.(protocol.Send); ok && x.Payload[0] == 1 { // a request
					asked[x.Link] = true
				}
			}
			if !asked[eth0] || asked[eth1] == alive {
				t.Errorf("round %d, alive %v: asked on %v", round, alive, asked)
			}
		}
	}
}
