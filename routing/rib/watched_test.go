package rib

import (
	"strings"
	"testing"

	"routerd/routing"
)

// A watched next hop that is dead takes its route with it, if it is the only one,
// and the next one comes in; nothing happens to routes that do not have it
// watched.
func TestWatchedNextHops(t *testing.T) {
	watched := &Watch{Profile: "fast"}
	a, b := ip("10.0.0.2"), ip("10.0.1.2")
	tb := newTable(t,
		StaticRoute{Prefix: pfx("0.0.0.0/0"), NextHops: []StaticNextHop{{Address: a, Watch: watched}}},
		StaticRoute{Prefix: pfx("0.0.0.0/0"), NextHops: []StaticNextHop{{Address: b}}, Distance: 10},
		StaticRoute{Prefix: pfx("192.0.2.0/24"), NextHops: []StaticNextHop{{Address: a, Watch: watched}, {Address: b, Watch: watched}}},
		StaticRoute{Prefix: pfx("198.18.0.0/15"), NextHops: []StaticNextHop{{Address: a}}},
		StaticRoute{Prefix: pfx("203.0.113.0/24"), NextHops: []StaticNextHop{{Address: a, Interface: "lan0", Watch: watched}}},
	)
	want := func(when string, hops ...string) {
		t.Helper()
		for n, p := range []string{"0.0.0.0/0", "192.0.2.0/24", "198.18.0.0/15", "203.0.113.0/24"} {
			if got := tb.hops(p); got != hops[n] {
				t.Errorf("%s: %s goes by %s, want %s", when, p, got, hops[n])
			}
		}
	}
	say := func(in Watched) []string {
		t.Helper()
		if err := tb.Step(t0, in); err != nil {
			t.Fatal(err)
		}
		return tb.flush()
	}
	both := "10.0.0.2@lan0 10.0.1.2@lan1"
	first, second := "10.0.0.2@lan0", "10.0.1.2@lan1"
	want("nothing known", first, both, first, first)
	say(Watched{Address: a, Interface: routing.NoInterface})
	want("dead", second, second, first, first)
	if c := tb.Get(pfx("0.0.0.0/0"))[0]; !strings.Contains(c.WhyNot, "BFD") {
		t.Errorf("not chosen since %q, want that to speak of BFD", c.WhyNot)
	}
	if changed := say(Watched{Address: a, Interface: routing.NoInterface}); len(changed) != 0 {
		t.Errorf("the same again changed %v", changed)
	}
	say(Watched{Address: a, Interface: lan0})
	want("dead on lan0 too", second, second, first, "-")
	say(Watched{Address: b, Interface: routing.NoInterface})
	want("both dead", second, "-", first, "-")
	say(Watched{Address: a, Interface: routing.NoInterface, Alive: true})
	say(Watched{Address: a, Interface: lan0, Alive: true})
	want("the first one alive", first, first, first, first)
	say(Watched{Address: b, Interface: routing.NoInterface, Alive: true})
	want("all alive", first, both, first, first)
}
