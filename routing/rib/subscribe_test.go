package rib

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"routerd/routing"
)

func mustStep(t *testing.T, r *RIB, in ...Input) {
	t.Helper()
	for _, i := range in {
		if err := r.Step(t0, i); err != nil {
			t.Fatal(err)
		}
	}
}

func ospfRoute(prefix, via string, iface routing.InterfaceID) Deltas {
	return Deltas{{Route: routing.Route{
		Prefix: netip.MustParsePrefix(prefix), Source: routing.SourceOSPF, Metric: 30, Tag: 3,
		NextHops: []routing.NextHop{{Address: netip.MustParseAddr(via), Interface: iface}},
	}}}
}

// A subscription says what is wrong with it, and changes nothing then.
func TestSubscriptionsRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   Input
		want string
	}{
		{"no source", Subscribe{Name: "rip", Redistribute: []Redistribution{{}}}, "source none"},
		{"its own routes", Subscribe{Name: "rip", Speaks: []routing.Source{routing.SourceRIP}, Redistribute: []Redistribution{{Source: routing.SourceRIP}}}, "it offers the routes of rip itself"},
		{"one source twice", Subscribe{Name: "rip", Redistribute: []Redistribution{{Source: routing.SourceOSPF}, {Source: routing.SourceOSPF}}}, "ospf is redistributed twice"},
		{"a stranger tracks", Track{Name: "bgp", Address: netip.MustParseAddr("10.0.0.1"), Interface: routing.NoInterface}, `"bgp" has not subscribed`},
		{"a stranger marks", Mark{Name: "bgp", Number: 1}, `"bgp" has not subscribed`},
		{"stale static routes", Stale{Source: routing.SourceStatic}, "no protocol speaks for source static"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := New()
			err := r.Step(t0, tt.in)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the error is %v, want one with %q", err, tt.want)
			}
			if len(r.subscribers) != 0 || len(r.restarts) != 0 {
				t.Error("it was taken in nevertheless")
			}
		})
	}
}

// What a protocol hears of its own offers, of the others' routes, and of a
// next hop, in one life of a route.
func TestNotices(t *testing.T) {
	r := New()
	lan := Interface{ID: 1, Name: "lan0", Up: true, Addresses: []Address{{Prefix: netip.MustParsePrefix("10.0.1.1/24")}}}
	lo := Interface{ID: 2, Name: "lo0", Up: true, Addresses: []Address{{Prefix: netip.MustParsePrefix("192.0.2.1/32")}}}
	mustStep(
		t, r, lan, lo,
		Subscribe{
			Name: "rip", Speaks: []routing.Source{routing.SourceRIP},
			Redistribute: []Redistribution{{Source: routing.SourceConnected, Metric: 1}, {Source: routing.SourceOSPF, Metric: 5, Tag: 8}},
		},
		Subscribe{Name: "ospf", Speaks: []routing.Source{routing.SourceOSPF}},
		Track{Name: "rip", Address: netip.MustParseAddr("203.0.113.9"), Interface: routing.NoInterface},
		ospfRoute("203.0.113.0/24", "10.0.1.2", 1), Mark{Name: "ospf", Number: 4},
	)
	if n, _ := r.Drain("ospf", 10); n.Installed != 0 {
		t.Fatalf("ospf hears that %d is installed before anything is flushed", n.Installed)
	}
	r.Flush()
	if diff := cmp.Diff([]string{"ospf", "rip"}, r.Waiting()); diff != "" {
		t.Fatalf("who has something to hear (-want +got):\n%s", diff)
	}
	if n, more := r.Drain("ospf", 10); n.Installed != 4 || len(n.Routes) != 0 || more {
		t.Errorf("ospf hears %+v, want that 4 is installed and nothing else", n)
	}
	onLink := func(p string, iface routing.InterfaceID) routing.Delta {
		return routing.Delta{Route: routing.Route{
			Prefix: netip.MustParsePrefix(p), Source: routing.SourceConnected, Metric: 1,
			NextHops: []routing.NextHop{{Interface: iface, Weight: 1}},
		}}
	}
	learned := routing.Route{
		Prefix: netip.MustParsePrefix("203.0.113.0/24"), Source: routing.SourceOSPF, Distance: 110, Metric: 5, Tag: 8,
		NextHops: []routing.NextHop{{Address: netip.MustParseAddr("10.0.1.2"), Interface: 1, Weight: 1}},
	}
	n, _ := r.Drain("rip", 10)
	compare := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
	addresses := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	want := routing.Notices{
		NextHops: []routing.NextHopState{{
			Address: netip.MustParseAddr("203.0.113.9"), Interface: routing.NoInterface, Reachable: true,
			Via: learned.Prefix, Source: routing.SourceOSPF, Distance: 110, Metric: 30,
			Gateway: netip.MustParseAddr("10.0.1.2"), Out: 1,
		}},
		Routes: []routing.Delta{onLink("10.0.1.0/24", 1), onLink("192.0.2.1/32", 2), {Route: learned}},
	}
	if diff := cmp.Diff(want, sorted(n), compare, addresses); diff != "" {
		t.Errorf("what rip hears (-want +got):\n%s", diff)
	}

	// A route of its own for the same prefix that wins ends the redistribution.
	mine := learned
	mine.Source, mine.Distance = routing.SourceRIP, 1
	mustStep(t, r, Deltas{{Route: mine}})
	r.Flush()
	n, _ = r.Drain("rip", 10)
	if len(n.Routes) != 1 || !n.Routes[0].Withdraw || n.Routes[0].Route.Prefix != learned.Prefix || n.Routes[0].Route.Source != routing.SourceOSPF {
		t.Errorf("rip hears %+v, want the withdrawal of ospf's route", n.Routes)
	}
	mustStep(t, r, Unsubscribe{Name: "rip"})
	r.Flush()
	if len(r.Waiting()) != 0 || r.watches.Size() != 0 {
		t.Errorf("%v wait and %d next hops are watched when nobody listens", r.Waiting(), r.watches.Size())
	}
}

func sorted(n routing.Notices) routing.Notices {
	slices.SortFunc(n.Routes, func(a, b routing.Delta) int { return a.Route.Prefix.Compare(b.Route.Prefix) })
	return n
}

// Routes of a source that starts afresh forward until it has said which of
// them it still has.
func TestStaleRoutesForwardUntilSwept(t *testing.T) {
	r := New()
	lan := Interface{ID: 1, Name: "lan0", Up: true, Addresses: []Address{{Prefix: netip.MustParsePrefix("10.0.1.1/24")}}}
	kept, gone := ospfRoute("203.0.113.0/24", "10.0.1.2", 1), ospfRoute("198.51.100.0/24", "10.0.1.2", 1)
	mustStep(t, r, lan, kept, gone)
	r.Flush()
	until := t0.Add(time.Minute)
	mustStep(t, r, Stale{Source: routing.SourceOSPF, Family: 4, Until: until}, kept)
	if changes, _ := r.Flush(); len(changes) != 0 {
		t.Errorf("the fib changes by %v while routes are stale", changes)
	}
	if c := r.Get(gone[0].Route.Prefix); !c[0].Stale || !c[0].Installed {
		t.Errorf("%+v: want it stale and installed", c[0])
	}
	if r.Deadline() != until {
		t.Errorf("the deadline is %v, want %v", r.Deadline(), until)
	}
	if err := r.Step(until.Add(-1), Tick{}); err != nil {
		t.Fatal(err)
	}
	if changes, _ := r.Flush(); len(changes) != 0 {
		t.Errorf("the fib changes by %v before the time", changes)
	}
	if err := r.Step(until, Tick{}); err != nil {
		t.Fatal(err)
	}
	changes, _ := r.Flush()
	if len(changes) != 1 || changes[0].Prefix != gone[0].Route.Prefix || changes[0].Entry != nil {
		t.Errorf("the fib changes by %v, want only %v gone", changes, gone[0].Route.Prefix)
	}
	if !r.Deadline().IsZero() {
		t.Errorf("the deadline is %v after the sweep", r.Deadline())
	}
}
