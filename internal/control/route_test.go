package control

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// How a next hop is worded, by how it was resolved.
func TestNextHops(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.1.2"), netip.MustParseAddr("10.9.9.9")
	via := netip.MustParsePrefix("10.9.0.0/16")
	for _, c := range []struct {
		hop  NextHop
		want string
	}{
		{NextHop{Address: a, Interface: "lan0"}, "10.0.1.2 on lan0"},
		{NextHop{Address: a}, "10.0.1.2"},
		{NextHop{Interface: "lan0"}, "directly on lan0"},
		{NextHop{Interface: "lan0", Usable: true, Resolved: []Hop{{Interface: "lan0", Weight: 1}}}, "directly on lan0"},
		{NextHop{Address: a, Usable: true, Via: via, Resolved: []Hop{{Address: a, Interface: "lan0", Weight: 1}}}, "10.0.1.2 on lan0"},
		{NextHop{Address: b, Usable: true, Via: via, Resolved: []Hop{{Address: a, Interface: "lan0", Weight: 1}}}, "10.9.9.9 through 10.0.1.2 on lan0"},
		{NextHop{Address: b, Usable: true, Via: via, Resolved: []Hop{{Address: a, Interface: "lan0"}, {Interface: "lan1"}}}, "10.9.9.9 through 10.0.1.2 on lan0, directly on lan1"},
		{NextHop{Address: b, Usable: true, Via: via}, "10.9.9.9, discarded by the route to 10.9.0.0/16"},
	} {
		if got := givenHop(&c.hop); got != c.want {
			t.Errorf("%+v: %q, want %q", c.hop, got, c.want)
		}
	}
}

// The notes of a route with several next hops, none of them usable: each
// stands beside its hop, and is not said twice.
func TestRouteNotes(t *testing.T) {
	r := Route{
		WhyNot: "interface lan0 is down; interface lan1 is down",
		NextHops: []NextHop{
			{Interface: "lan0", Weight: 1, WhyNot: "interface lan0 is down"},
			{Interface: "lan1", Weight: 3, WhyNot: "interface lan1 is down"},
		},
	}
	want := []routeLine{{"directly on lan0", "interface lan0 is down"}, {"directly on lan1 (weight 3)", "interface lan1 is down"}}
	if d := cmp.Diff(want, routeLines(&r), cmp.AllowUnexported(routeLine{})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	r.WhyNot = "distance 20 is higher than static's 1"
	want[0].note = r.WhyNot
	if d := cmp.Diff(want, routeLines(&r), cmp.AllowUnexported(routeLine{})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	stale := Route{Stale: true, NextHops: []NextHop{{Interface: "lan0", Weight: 1, Usable: true}}}
	if got := routeLines(&stale)[0].note; got != "stale: its source has started afresh" {
		t.Errorf("the note of a stale route is %q", got)
	}
}
