package ospf

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"routerd/routing"
	"routerd/routing/ospf/wire"
)

// What a change of links means for a tree: what is repaired, how much of it is reached
// otherwise, and what has all be calculated.
func TestTreesFollowLinks(t *testing.T) {
	// 1 - 2 - 4 and 1 - 3 - 4, the first way shorter; 2 - 3 lies beside both.
	build := func() (*site, *areaBed, *changes) {
		s := newSite(0)
		a, b := s.state.Areas[0], s.areas[0]
		c := &changes{}
		b.follow = func(e *Entry) { c.add(a, b.db, e) }
		s.attach(0, 12, 12, 2)
		s.attach(0, 13, 13, 3)
		b.router(1, 0, p2p(2, 12, 10), p2p(3, 13, 10))
		b.router(2, 0, p2p(1, 21, 10), p2p(4, 24, 10), p2p(3, 23, 10))
		b.router(3, 0, p2p(1, 31, 10), p2p(4, 34, 15), p2p(2, 32, 10))
		b.router(4, 0, p2p(2, 42, 10), p2p(3, 43, 15))
		s.table.Update(&s.state, nil, true)
		c.reset()
		return s, b, c
	}
	for _, tt := range []struct {
		name  string
		do    func(b *areaBed)
		stale Difference
		kind  RunKind
		moved int
	}{
		{"a link beside costs more", func(b *areaBed) { b.router(2, 0, p2p(1, 21, 10), p2p(4, 24, 10), p2p(3, 23, 11)) }, SomePaths, RunPartial, 0},
		{"and less", func(b *areaBed) { b.router(2, 0, p2p(1, 21, 10), p2p(4, 24, 10), p2p(3, 23, 1)) }, SomePaths, RunPartial, 0},
		{"nothing at all", func(b *areaBed) { b.router(2, 0, p2p(1, 21, 10), p2p(4, 24, 10), p2p(3, 23, 0)) }, OtherPaths, RunFull, 0},
		{"it goes", func(b *areaBed) { b.router(2, 0, p2p(1, 21, 10), p2p(4, 24, 10)) }, SomePaths, RunPartial, 0},
		{"one on a shortest path costs more", func(b *areaBed) { b.router(2, 0, p2p(1, 21, 10), p2p(4, 24, 11), p2p(3, 23, 10)) }, SomePaths, RunIncremental, 1},
		{"as much as the other way", func(b *areaBed) { b.router(2, 0, p2p(1, 21, 10), p2p(4, 24, 15), p2p(3, 23, 10)) }, SomePaths, RunIncremental, 1},
		{"one on a shortest path goes", func(b *areaBed) { b.router(2, 0, p2p(1, 21, 10), p2p(3, 23, 10)) }, SomePaths, RunIncremental, 1},
		{"its way back goes", func(b *areaBed) { b.router(4, 0, p2p(3, 43, 15)) }, SomePaths, RunIncremental, 1},
		{"a way back beside costs more", func(b *areaBed) { b.router(4, 0, p2p(2, 42, 10), p2p(3, 43, 16)) }, SomePaths, RunPartial, 0},
		{"a way back costs more", func(b *areaBed) { b.router(4, 0, p2p(2, 42, 11), p2p(3, 43, 15)) }, SomePaths, RunPartial, 0},
		{"a further link that is longer", func(b *areaBed) { b.router(2, 0, p2p(1, 21, 10), p2p(4, 24, 10), p2p(3, 23, 10), p2p(4, 25, 20)) }, SomePaths, RunPartial, 0},
		{"and one that is shorter", func(b *areaBed) { b.router(2, 0, p2p(1, 21, 10), p2p(4, 24, 10), p2p(3, 23, 10), p2p(4, 25, 9)) }, SomePaths, RunIncremental, 1},
		{"and one that makes the other way as short", func(b *areaBed) { b.router(3, 0, p2p(1, 31, 10), p2p(4, 34, 10), p2p(2, 32, 10)) }, SomePaths, RunIncremental, 1},
		{"a link to nobody", func(b *areaBed) { b.router(2, 0, p2p(1, 21, 10), p2p(4, 24, 10), p2p(3, 23, 10), p2p(9, 29, 1)) }, SomePaths, RunPartial, 0},
		{"another bit", func(b *areaBed) {
			b.router(2, wire.RouterB, p2p(1, 21, 10), p2p(4, 24, 10), p2p(3, 23, 10))
		}, OtherPaths, RunFull, 0},
		{"a link of the root", func(b *areaBed) { b.router(1, 0, p2p(2, 12, 10), p2p(3, 13, 11)) }, OtherPaths, RunFull, 0},
		{"a link to the root", func(b *areaBed) { b.router(3, 0, p2p(1, 31, 11), p2p(4, 34, 15), p2p(2, 32, 10)) }, SomePaths, RunPartial, 0},
		{"a link to the root goes", func(b *areaBed) { b.router(2, 0, p2p(4, 24, 10), p2p(3, 23, 10)) }, SomePaths, RunIncremental, 2},
		{"a new router", func(b *areaBed) { b.router(9, 0, p2p(2, 92, 1)) }, OtherPaths, RunFull, 0},
		{"a router goes", func(b *areaBed) { b.install(wire.RouterLSA, 4, 4, wire.MaxAge, &wire.Router{}) }, OtherPaths, RunFull, 0},
		{"many at once", func(b *areaBed) {
			for n := range wire.ID(mostTouched + 2) { // of which the first two are there
				b.router(2+n, 0, p2p(1, 21, 10), p2p(4, 24, 11), p2p(3, 23, 10))
			}
		}, OtherPaths, RunFull, 0},
	} {
		s, b, c := build()
		tt.do(b)
		a := s.state.Areas[0]
		if a.stale != tt.stale || !c.any() {
			t.Errorf("%s: %d, %d triggers, want %d", tt.name, a.stale, c.count, tt.stale)
		}
		u := s.table.Update(&s.state, c.prefixes, c.all)
		if moved := len(a.tree.repairs.moved); u.Kind != tt.kind || moved != tt.moved || u.Whole != (u.Kind == RunFull) {
			t.Errorf("%s: %v, whole %v, %d routers reached otherwise, want %v and %d", tt.name, u.Kind, u.Whole, moved, tt.kind, tt.moved)
		}
	}
}

// Whatever changes, a tree that is repaired is the one that is calculated, and so are
// its order and the paths to prefixes.
func TestRepairedTreesAreThoseCalculated(t *testing.T) {
	repaired := 0
	rapid.Check(t, func(t *rapid.T) {
		s := newSite(0)
		a, b := s.state.Areas[0], s.areas[0]
		var c changes
		b.follow = func(e *Entry) { c.add(a, b.db, e) }
		for d := range 3 {
			s.attach(0, wire.ID(100+d), routing.InterfaceID(d), 1, 2, 3, 4, 5, 6)
		}
		cost := rapid.OneOf(rapid.Uint16Range(1, 4), rapid.SampledFrom([]uint16{100, 1000, 65535}))
		b.drawNetwork(t, cost)
		for range rapid.IntRange(1, 12).Draw(t, "calculations") {
			for range rapid.IntRange(1, 3).Draw(t, "changes") {
				if rapid.IntRange(0, 9).Draw(t, "any LSA") == 0 {
					b.drawLSA(t, cost)
				} else {
					b.drawLinks(t, cost)
				}
			}
			if u := s.table.Update(&s.state, c.prefixes, c.all); u.Kind == RunIncremental {
				repaired++
			}
			c.reset()
			var hops Hops
			var tree Tree
			hops.reset()
			tree.Calculate(a.Graph, self, a.Attachments, &hops, nil)
			if got, want := paths(&a.tree, &s.table.Hops), paths(&tree, &hops); !slices.Equal(got, want) {
				t.Fatalf("paths\n%q, want\n%q", got, want)
			}
			for v := range tree.ways {
				if v >= len(a.tree.distance) && tree.distance[v] == Unreachable {
					continue // nothing has been calculated since there is such a vertex
				}
				if got, want := a.tree.distance[v], tree.distance[v]; got != want {
					t.Fatalf("vertex %d at %d, want %d", v, got, want)
				}
				if got, want := ways(&s.table.Hops, a.tree.ways[v]), ways(&hops, tree.ways[v]); !slices.Equal(got, want) {
					t.Fatalf("vertex %d by %q, want %q", v, got, want)
				}
			}
			if len(a.tree.order) != len(tree.order) {
				t.Fatalf("%d vertices in order, want %d", len(a.tree.order), len(tree.order))
			}
			for i, v := range a.tree.order {
				if i > 0 && a.tree.rank(v) < a.tree.rank(a.tree.order[i-1]) {
					t.Fatalf("order %v of distances %v", a.tree.order, a.tree.distance)
				}
			}
		}
	})
	if !testing.Short() && repaired < 10 {
		t.Errorf("%d trees were repaired: too few", repaired)
	}
}
