package rib

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"routerd/internal/origin"
	"routerd/routing"
)

// file is the origin of a file as a whole.
const file origin.ID = 1 << 31

// listOf makes a list; each route is on a line of its own, from 0.
func listOf(t testing.TB, routes ...StaticRoute) *RouteList {
	t.Helper()
	var b ListBuilder
	for line, s := range routes {
		b.Add(s.Prefix, b.Way(StaticRoute{Action: s.Action, NextHops: s.NextHops, Metric: s.Metric, Tag: s.Tag}), line)
	}
	l, twice := b.List(file)
	if l == nil {
		t.Fatalf("the list has prefixes twice: %v", twice)
	}
	return l
}

func listedVia(prefix, hop string) StaticRoute {
	return StaticRoute{Prefix: pfx(prefix), NextHops: []StaticNextHop{{Address: ip(hop)}}}
}

func TestList(t *testing.T) {
	x := newTable(t)
	first := listOf(t,
		listedVia("203.0.113.0/24", "10.0.0.2"), listedVia("2001:db8:9::/48", "2001:db8::2"), listedVia("198.18.0.0/15", "10.0.1.2"),
		StaticRoute{Prefix: pfx("192.0.2.0/24"), Action: routing.Blackhole, Metric: 7, Tag: 5},
		StaticRoute{Prefix: pfx("192.0.2.1/32"), NextHops: []StaticNextHop{{Interface: "new0"}}})
	x.SetConfig(t0, Config{List: first})
	x.flush()
	want := map[string]string{
		"203.0.113.0/24": "10.0.0.2@lan0", "2001:db8:9::/48": "2001:db8::2@lan0", "198.18.0.0/15": "10.0.1.2@lan1",
		"192.0.2.0/24": "blackhole", "192.0.2.1/32": "-",
	}
	check := func() {
		t.Helper()
		for p, hops := range want {
			if got := x.hops(p); got != hops {
				t.Errorf("%s leads to %q, want %q", p, got, hops)
			}
		}
	}
	check()
	if e := x.fib.Get(pfx("192.0.2.0/24")); e == nil || e.Metric != 7 || e.Origin != file {
		t.Errorf("the fib has %+v of 192.0.2.0/24, want metric 7 and the file as its origin", e)
	}
	// An interface that comes concerns those that lead by its name, and no others.
	x.link(9, "new0", true, "10.9.0.1/24")
	if n := len(x.relistings); n != 1 {
		t.Errorf("%d walks over the list after an interface that it names has come, want 1", n)
	}
	x.flush()
	want["192.0.2.1/32"] = "link@new0"
	check()
	x.link(10, "other0", true, "10.10.0.1/24")
	if n := len(x.relistings); n != 0 {
		t.Errorf("%d walks over the list after an interface that it does not name has come, want none", n)
	}
	// The next list: one is gone, one is new, one leads elsewhere, one is on
	// another line.
	x.SetConfig(t0.Add(time.Hour), Config{List: listOf(t,
		listedVia("2001:db8:9::/48", "2001:db8::2"), listedVia("198.18.0.0/15", "10.0.1.3"), listedVia("203.0.112.0/24", "10.0.0.2"),
		StaticRoute{Prefix: pfx("192.0.2.0/24"), Action: routing.Blackhole, Metric: 7, Tag: 5})})
	if d := cmp.Diff([]string{"192.0.2.1/32", "198.18.0.0/15", "203.0.112.0/24", "203.0.113.0/24", "10.10.0.0/24", "10.10.0.1/32", "10.10.0.0/32", "10.10.0.255/32"}, x.flush(), inAnyOrder()); d != "" {
		t.Errorf("changes of the fib (-want +got):\n%s", d)
	}
	want = map[string]string{
		"203.0.113.0/24": "-", "203.0.112.0/24": "10.0.0.2@lan0", "2001:db8:9::/48": "2001:db8::2@lan0",
		"198.18.0.0/15": "10.0.1.3@lan1", "192.0.2.0/24": "blackhole", "192.0.2.1/32": "-",
	}
	check()
	if c := x.Get(pfx("2001:db8:9::/48"))[0]; c.Origin != file {
		t.Errorf("a route that moved to line 0 has origin %d, want %d", c.Origin, file)
	}
	if since := x.Get(pfx("192.0.2.0/24"))[0].Since; !since.Equal(t0) {
		t.Errorf("a route that stayed is from %v, want %v", since, t0)
	}
	x.SetConfig(t0, Config{})
	x.flush()
	if n := x.Stats().Routes[routing.SourceStatic]; n != [2]int{} {
		t.Errorf("%d static routes without a configuration, want none", n)
	}
}

func TestListTwice(t *testing.T) {
	var b ListBuilder
	w := b.Way(StaticRoute{Action: routing.Blackhole})
	for line, p := range []string{"10.0.0.0/8", "10.0.0.0/9", "::/0", "10.0.0.0/8", "0.0.0.0/0", "::/0", "10.0.0.0/8"} {
		b.Add(pfx(p), w, line)
	}
	l, twice := b.List(1)
	want := []Twice{{pfx("10.0.0.0/8"), 0, 3}, {pfx("::/0"), 2, 5}, {pfx("10.0.0.0/8"), 0, 6}}
	if d := cmp.Diff(want, twice, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" || l != nil {
		t.Errorf("with a list %v (-want +got):\n%s", l, d)
	}
}

func TestListCompare(t *testing.T) {
	a := listOf(t, listedVia("10.1.0.0/16", "10.0.0.2"), listedVia("10.2.0.0/16", "10.0.0.2"), listedVia("10.3.0.0/16", "10.0.0.2"))
	b := listOf(t, listedVia("10.2.0.0/16", "10.0.0.2"), listedVia("10.3.0.0/16", "10.0.0.3"), listedVia("10.4.0.0/16", "10.0.0.2"), listedVia("10.5.0.0/16", "10.0.0.2"))
	for _, c := range []struct {
		was, is *RouteList
		want    Difference
		moved   bool
	}{
		{a, b, Difference{2, 1, 1}, true},
		{b, a, Difference{1, 2, 1}, true},
		{a, a, Difference{}, false},
		{nil, b, Difference{Added: 4}, false},
		{a, nil, Difference{Removed: 3}, false},
		{nil, nil, Difference{}, false},
	} {
		if got, moved := c.was.Compare(c.is); got != c.want || moved != c.moved {
			t.Errorf("%d routes and %d differ by %+v, moved %v, want %+v, %v", c.was.Len(), c.is.Len(), got, moved, c.want, c.moved)
		}
	}
	if s, ok := b.Get(pfx("10.4.0.0/16")); !ok || s.Origin != file+2 || s.NextHops[0].Address != ip("10.0.0.2") {
		t.Errorf("the list has %+v, %v, want it by 10.0.0.2 on line 2", s, ok)
	}
	if _, ok := b.Get(pfx("10.4.0.0/17")); ok {
		t.Error("the list has a prefix that nobody added")
	}
}

// A long list is offered in slices, and published as a whole.
func TestListInSlices(t *testing.T) {
	const many = 10_000
	x := newTable(t)
	var b ListBuilder
	w := b.Way(StaticRoute{NextHops: []StaticNextHop{{Address: ip("10.0.0.2")}}})
	for i := range many {
		b.Add(netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 0}), 24), w, i)
	}
	l, _ := b.List(file)
	x.SetConfig(t0, Config{List: l})
	slices, given := 0, 0
	for complete := false; !complete; slices++ {
		s, done, err := x.Settle(1000)
		if err != nil || slices > many {
			t.Fatalf("slice %d: %v", slices, err)
		}
		if given += len(s.Changes); s.Generation != 0 != done {
			t.Fatalf("slice %d of %d changes is generation %d, complete: %v", slices, given, s.Generation, done)
		}
		complete = done
	}
	if given != many || slices < 2*many/1000 {
		t.Errorf("%d changes in %d slices, want %d in %d at least", given, slices, many, 2*many/1000)
	}
	x.SetConfig(t0, Config{List: l})
	if _, complete, _ := x.Settle(10); !complete || len(x.relistings) > 0 {
		t.Error("the same list again is gone through, want nothing done for its routes")
	}
}

func inAnyOrder() cmp.Option {
	return cmp.Transformer("set", func(list []string) map[string]bool {
		set := map[string]bool{}
		for _, s := range list {
			set[s] = true
		}
		return set
	})
}
