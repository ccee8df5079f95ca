package bgp

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"routerd/routing/protocol"
)

// A neighbour of another AS is lost together with the link to it, at once; one inside the
// AS, which may be reached otherwise, and one on another link stay.
func TestSessionEndsWithItsLink(t *testing.T) {
	w := newNetwork(t, 1)
	a, b, c, d := w.router(65001), w.router(65002), w.router(65003), w.router(65001)
	w.peer(a, b, nil)
	w.peer(a, c, nil)
	w.peer(a, d, nil)
	w.start()
	w.run(time.Minute)
	w.established()
	var link protocol.LinkUp
	for _, l := range a.links {
		if slices.ContainsFunc(l.Addresses, func(p netip.Prefix) bool { return p.Contains(a.config.Neighbors[0].Address) }) {
			link = l
		}
	}
	w.step(a, protocol.LinkDown{Link: link.Link})
	w.want(a, ownPrefix(1), "none", "")
	if n := a.machine.Neighbors(); n[0].State != Idle || n[0].Last.Err == nil || n[1].State != Established || n[2].State != Established {
		t.Fatalf("without the link to the first neighbour: %+v", n)
	}
	if want := "session down " + errLinkLost.Error(); !slices.Contains(a.events, want) {
		t.Errorf("events %v, want %q", a.events, want)
	}
	w.step(a, link)
	w.run(time.Minute)
	w.established()
	w.want(a, ownPrefix(1), "65002", "10.0.1.2")
}
