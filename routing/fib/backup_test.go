package fib

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"routerd/routing"
)

// Flows go, as long as one is left, to a hop that lives and is no backup; then to a
// backup that lives; then to one of those that only do not answer, a backup last
// again; else to where they went at first. In each of these steps the hops that
// are fit share the flows as a group of them alone would.
func TestBackupsServeLast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hops := drawHops(t)
		if len(hops) > 8 {
			hops = hops[:8] // so that all groups have as many buckets
		}
		states := make([]*State, len(hops))
		const primary, backup, alive, silent = 0, 1, 0, 2
		var ranks [4][]NextHop // by the sum of one of the first two and one of the others
		all := true
		for i := range hops {
			hops[i].Backup = rapid.Bool().Draw(t, "backup")
			all = all && hops[i].Backup
		}
		var first []NextHop
		for i := range hops {
			hops[i].Backup = hops[i].Backup && !all
			states[i] = &State{link: &State{}}
			if !hops[i].Backup {
				first = append(first, hops[i])
			}
			rank := primary + alive
			if hops[i].Backup {
				rank = backup + alive
			}
			switch rapid.IntRange(0, 4).Draw(t, "state") {
			case 0:
			case 1:
				states[i].Set(routing.CauseNeighbor, false)
				rank += silent
			case 2:
				states[i].link.Set(routing.CauseCarrier, false)
				rank = -1
			case 3:
				states[i].Set(routing.CauseBFD, false)
				rank = -1
			case 4:
				states[i].Set(routing.CauseProtocol, false)
				rank = -1
			}
			if rank >= 0 {
				ranks[rank] = append(ranks[rank], hops[i])
			}
		}
		given := slices.Clone(hops)
		if all {
			for i := range given {
				given[i].Backup = true // which says nothing if all are
			}
		}
		g := NewSharedGroup(given, states)
		if !slices.Equal(g.Hops(), first) || len(g.Hops())+len(g.Backups()) != len(hops) {
			t.Fatalf("of %v no backups are %v and backups %v", given, g.Hops(), g.Backups())
		}
		for i, h := range slices.Concat(g.Hops(), g.Backups()) {
			if want := states[h.Index-1].Causes(); !slices.Equal(g.Dead(i), want) {
				t.Fatalf("against %v speak %v, want %v", h, g.Dead(i), want)
			}
		}
		fit := first
		for _, rank := range ranks {
			if len(rank) > 0 {
				fit = rank
				break
			}
		}
		want := NewGroup(fit)
		for i := range 500 {
			got := g.Pick(hashOf(i)).Index
			if all := NewGroup(first).Pick(hashOf(i)); slices.ContainsFunc(fit, func(h NextHop) bool { return h.Index == all.Index }) {
				if got != all.Index {
					t.Fatalf("flow %d goes to %d, though %d, where it belongs, is as fit", i, got, all.Index)
				}
			} else if w := want.Pick(hashOf(i)).Index; got != w {
				t.Fatalf("flow %d goes to %d of %v, want %d of %v", i, got, hops, w, fit)
			}
		}
		if only := g.Only(); (only != nil) != (len(hops) == 1) {
			t.Fatalf("of %v the only one is %v", hops, only)
		}
	})
}

// Packets may leave by a backup's interface only while no other hop lives.
func TestLeavesBy(t *testing.T) {
	first, second := &State{}, &State{}
	g := NewSharedGroup([]NextHop{{Interface: 3, Backup: true}, {Interface: 1}, {Interface: 2}}, []*State{{}, first, second})
	check := func(want ...routing.InterfaceID) {
		t.Helper()
		for i := routing.InterfaceID(0); i < 5; i++ {
			if g.LeavesBy(i) != slices.Contains(want, i) {
				t.Errorf("packets leave by %d: %v, want them to by %v", i, g.LeavesBy(i), want)
			}
		}
	}
	check(1, 2)
	first.Set(routing.CauseCarrier, false)
	check(1, 2)
	second.Set(routing.CauseBFD, false)
	check(1, 2, 3)
	first.Set(routing.CauseCarrier, true)
	check(1, 2)
	g = NewGroup([]NextHop{{Interface: 1}, {Interface: 2, Backup: true}}) // without states all live
	check(1)
}

// While carriers and sessions come and go, whoever picks gets the backup if the
// other is dead from before until after, and the other if it lives so long.
func TestPickWhileHopsDie(t *testing.T) {
	states := NewStates()
	link, backup := states.Link(1), states.Link(2)
	g := NewSharedGroup([]NextHop{{Interface: 1, Index: 1}, {Interface: 2, Index: 2, Backup: true}}, []*State{link, backup})
	var step atomic.Int64 // of four: lives, dies, is dead, revives
	var done atomic.Bool
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for flow := 0; !done.Load(); flow++ {
				before := step.Load()
				got := g.Pick(hashOf(flow)).Index
				if step.Load() != before {
					continue
				}
				if before%4 == 0 && got != 1 || before%4 == 2 && got != 2 {
					t.Errorf("in step %d flow %d goes to %d", before%4, flow, got)
					return
				}
			}
		})
	}
	causes := []routing.Cause{routing.CauseCarrier, routing.CauseBFD, routing.CauseNeighbor, routing.CauseProtocol, routing.CauseInterface}
	for i := range 20000 {
		c := causes[i%len(causes)]
		step.Add(1)
		link.Set(c, false)
		step.Add(1)
		g.Pick(uint32(i))
		step.Add(1)
		link.Set(c, true)
		step.Add(1)
		g.Pick(uint32(i))
	}
	done.Store(true)
	readers.Wait()
}
