package bgp

import (
	"slices"
	"strings"
	"testing"
	"time"

	"routerd/routing/bgp/wire"
)

// marked reports whether a router's best route of another's own prefix has the community
// graceful-shutdown, and which local preference.
func (r *router) marked(t *testing.T, of *router) (community bool, preference uint32) {
	t.Helper()
	b := r.best(ownPrefix(of.number))
	if b == nil {
		t.Fatalf("router %d has no route to %v", r.number, ownPrefix(of.number))
	}
	preference = DefaultLocalPref
	if b.Attributes.Has(wire.AttrLocalPref) {
		preference = b.Attributes.LocalPref
	}
	return b.Attributes.Communities.Has(wire.GracefulShutdown), preference
}

// Before a session ends, both sides use other routes, without the session having ended;
// and afterwards all is as it was (RFC 8326 §4.2).
func TestGracefulShutdown(t *testing.T) {
	w := newNetwork(t, 1)
	a, b, c := w.router(65001), w.router(65002), w.router(65001)
	w.peer(a, b, nil)
	w.peer(a, c, nil)
	w.start()
	w.run(time.Minute)
	w.established()
	check := func(what string, leaving bool) {
		t.Helper()
		w.run(time.Minute)
		for _, x := range []struct{ at, of *router }{{b, a}, {a, b}, {c, b}} {
			want := uint32(DefaultLocalPref)
			if leaving {
				want = 0
			}
			if community, preference := x.at.marked(t, x.of); community != leaving || preference != want {
				t.Errorf("%s: router %d has the route of %d with the community %v and local preference %d, want %v and %d",
					what, x.at.number, x.of.number, community, preference, leaving, want)
			}
		}
		if community, preference := c.marked(t, a); community || preference != DefaultLocalPref {
			t.Errorf("%s: inside the AS a route of its own is marked %v, local preference %d", what, community, preference)
		}
		if a.downs()+b.downs()+c.downs() != 0 {
			t.Fatalf("%s: sessions ended: %v %v %v", what, a.events, b.events, c.events)
		}
	}
	check("at first", false)
	a.config.Neighbors[0].GracefulShutdown = true
	w.configure(a)
	check("the session leaves", true)
	a.config.Neighbors[0].GracefulShutdown = false
	w.configure(a)
	check("it stays", false)
	a.config.GracefulShutdown = true
	w.configure(a)
	w.run(time.Minute)
	if community, preference := c.marked(t, a); !community || preference != 0 {
		t.Errorf("of a router that leaves, its own routes inside the AS are marked %v, local preference %d", community, preference)
	}
	if community, _ := b.marked(t, a); !community || a.downs() != 0 {
		t.Errorf("of a router that leaves, another AS has its route marked %v; %v", community, a.events)
	}
	if community, preference := a.marked(t, a); community || preference != DefaultLocalPref {
		t.Errorf("its own table has its route marked %v, local preference %d", community, preference)
	}
}

// A neighbour is told why its session ends (RFC 9003), and no message ends one.
func TestShutdownMessage(t *testing.T) {
	w := newNetwork(t, 1)
	a, b := w.router(65001), w.router(65002)
	w.peer(a, b, nil)
	w.start()
	w.run(time.Minute)
	n := &a.config.Neighbors[0]
	n.ShutdownMessage = "new cables, back at nine"
	w.configure(a)
	w.run(time.Second)
	w.established()
	n.Shutdown = true
	w.configure(a)
	w.run(time.Second)
	if want := `session down received cease: administrative shutdown: "new cables, back at nine"`; !slices.Contains(b.events, want) {
		t.Errorf("events of the neighbour: %v", b.events)
	}
	n.Shutdown = false
	w.configure(a)
	w.run(5 * time.Minute)
	w.established()
	w.step(a, Clear{Address: n.Address, Link: n.Link, Message: "once more"})
	w.run(time.Second)
	if want := `session down received cease: administrative reset: "once more"`; !slices.Contains(b.events, want) {
		t.Errorf("events of the neighbour: %v", b.events)
	}
	n.ShutdownMessage = strings.Repeat("x", 256)
	if err := a.config.Check(); err == nil || !strings.Contains(err.Error(), "a shutdown message of 256 octets") {
		t.Errorf("256 octets: %v", err)
	}
}

// A neighbour that the hold timer finds dead keeps its routes for its restart, since both
// sides say that they keep routes over NOTIFICATIONs (RFC 8538 §4).
func TestHoldTimerKeeps(t *testing.T) {
	for _, notification := range []bool{true, false} {
		w := newNetwork(t, 1)
		a, b := w.router(65001), w.router(65002)
		w.peer(a, b, nil)
		w.start()
		b.machine.order[0].session.config.Open.Capabilities.Restart = wire.GracefulRestart{
			Present: true, Notification: notification, Time: 120, Families: wire.Of(wire.IPv4Unicast), Forwarding: wire.Of(wire.IPv4Unicast),
		}
		w.run(time.Minute)
		w.established()
		w.pipes = nil // nothing comes any more, and nobody says so
		clear(b.listeners)
		w.now = w.now.Add(100 * time.Second)
		w.step(a, Clear{}) // no neighbour's: what is due is done
		if f := a.machine.Neighbors()[0].Families[wire.IPv4Unicast]; (f.Stale == 1) != notification {
			t.Errorf("with N %v: %+v; %v", notification, f, a.events)
		}
	}
}
