package rib

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// table is all that `show route` shows, by prefix.
func (w *world) table() map[netip.Prefix][]Candidate {
	all := map[netip.Prefix][]Candidate{}
	for _, c := range w.rib.Walk(netip.Prefix{}, 1<<20) {
		all[c.Prefix] = append(all[c.Prefix], c)
	}
	return all
}

// A follower is told of every prefix of which something else is shown after a
// settling. Exceptions are what is said of a next hop, which can change without
// any consequence for the routes, and the line that a route of a list stands in.
func TestFollowingMissesNoPrefix(t *testing.T) {
	ignored := cmpopts.IgnoreFields(Candidate{}, "NextHops", "WhyNot", "Origin")
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		w.rib.Follow(true)
		now := time.Unix(1000, 0)
		before := w.table()
		for range rapid.IntRange(1, 25).Draw(t, "settlings") {
			for range rapid.IntRange(1, 4).Draw(t, "events") {
				w.event(t, now)
			}
			touched := map[netip.Prefix]bool{}
			for w.rib.Unsettled() {
				s, _, err := w.rib.Settle(rapid.IntRange(1, 50).Draw(t, "units"))
				if err != nil {
					t.Fatal(err)
				}
				for _, x := range s.Touched {
					touched[x.Prefix] = true
				}
			}
			after := w.table()
			for _, tables := range []map[netip.Prefix][]Candidate{before, after} {
				for p := range tables {
					if d := cmp.Diff(before[p], after[p], ignored, cmpopts.EquateComparable(netip.Prefix{})); d != "" && !touched[p] {
						t.Fatalf("nobody was told of %s (-before +after):\n%s", p, d)
					}
				}
			}
			before = after
		}
	})
}

// A prefix is new if the FIB had no route for it.
func TestFollowingKnowsNewPrefixes(t *testing.T) {
	w := newWorld()
	w.rib.Follow(true)
	in := Interface{ID: 0, Name: "lan0", Up: true, Addresses: []Address{{Prefix: netip.MustParsePrefix("10.0.1.1/24")}}}
	for i, want := range []bool{true, false, true} {
		in.Up = i != 1 // the first one, then it goes, then it comes again
		if err := w.rib.Step(time.Unix(1000, 0), in); err != nil {
			t.Fatal(err)
		}
		s, _, err := w.rib.Settle(1000)
		if err != nil {
			t.Fatal(err)
		}
		got, told := false, false
		for _, x := range s.Touched {
			if x.Prefix == netip.MustParsePrefix("10.0.1.0/24") {
				got, told = x.New, true
			}
		}
		if !told || got != want {
			t.Errorf("settling %d: told %t, new %t; want new %t", i, told, got, want)
		}
	}
}
