package fib

import (
	"math"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"routerd/routing"
)

// flows is a spread of hashes as a good flow hash gives them, without
// randomness.
const flows = 1 << 16

func hashOf(flow int) uint32 { return uint32(mix(uint64(flow) + 1)) }

func drawHops(t *rapid.T) []NextHop {
	n := rapid.IntRange(2, 12).Draw(t, "hops")
	hops := make([]NextHop, n)
	for i := range hops {
		hops[i] = NextHop{
			Address:   netip.AddrFrom4([4]byte{10, 0, byte(i), rapid.Byte().Draw(t, "address")}),
			Interface: routing.InterfaceID(rapid.IntRange(0, 3).Draw(t, "interface")),
			Weight:    rapid.Uint8Range(0, 20).Draw(t, "weight"),
			Index:     uint32(i + 1),
		}
	}
	return hops
}

func TestShareFollowsWeight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hops := drawHops(t)
		g := NewGroup(hops)
		var total float64
		for _, h := range hops {
			total += float64(max(h.Weight, 1))
		}
		count := make([]float64, len(hops)+1)
		for i := range flows {
			count[g.Pick(hashOf(i)).Index]++
		}
		for _, h := range hops {
			want := float64(max(h.Weight, 1)) / total
			got := count[h.Index] / flows
			// Five standard deviations of the draw, and of the flows over
			// the buckets.
			bound := 5*math.Sqrt(want*(1-want)/float64(len(g.buckets))) + 0.005
			if math.Abs(got-want) > bound {
				t.Fatalf("hop %v of %v got %.4f of the flows, want %.4f ± %.4f", h, hops, got, want, bound)
			}
		}
	})
}

// A hop that goes gives its flows away; every other flow stays where it is.
// The number of buckets changes between 8 and 9 hops, which moves nothing
// much but is not promised, so both groups here are on one side of it.
func TestLosingAHopMovesOnlyItsFlows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hops := drawHops(t)
		if len(hops) == 9 {
			hops = hops[:8]
		}
		gone := rapid.IntRange(0, len(hops)-1).Draw(t, "gone")
		rest := slices.Delete(slices.Clone(hops), gone, gone+1)
		full, less := NewGroup(hops), NewGroup(rest)
		for i := range flows {
			was, is := full.Pick(hashOf(i)), less.Pick(hashOf(i))
			if was.Index != hops[gone].Index && was.Index != is.Index {
				t.Fatalf("flow %d moved from hop %d to %d when hop %d went", i, was.Index, is.Index, hops[gone].Index)
			}
			if is.Index == hops[gone].Index {
				t.Fatalf("flow %d goes to hop %d, which went", i, is.Index)
			}
		}
	})
}

func TestOrderOfHopsMovesNoFlow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hops := drawHops(t)
		turned := slices.Clone(hops)
		slices.Reverse(turned)
		a, b := NewGroup(hops), NewGroup(turned)
		for i := range 4096 {
			if a.Pick(hashOf(i)).Index != b.Pick(hashOf(i)).Index {
				t.Fatalf("flow %d depends on the order of %v", i, hops)
			}
		}
	})
}

// A hash with only a few bits of entropy, low or high, must still spread.
func TestPoorHashesSpread(t *testing.T) {
	g := NewGroup([]NextHop{{Interface: 1, Index: 1}, {Interface: 2, Index: 2}})
	for _, shift := range []int{0, 8, 16, 22} {
		var first int
		for i := range 1024 {
			if g.Pick(uint32(i)<<shift).Index == 1 {
				first++
			}
		}
		if first < 300 || first > 724 {
			t.Errorf("hashes i<<%d: %d of 1024 flows take the first of two equal hops, want about half", shift, first)
		}
	}
}

func TestSmallGroups(t *testing.T) {
	if h := NewGroup(nil).Pick(1); h != nil {
		t.Errorf("a group without hops picks %v, want nil", h)
	}
	one := NewGroup([]NextHop{{Interface: 3}})
	if h := one.Pick(12345); h == nil || h.Interface != 3 {
		t.Errorf("a group of one hop picks %v, want its hop", h)
	}
	if one.buckets != nil {
		t.Error("a group of one hop has buckets, want none")
	}
	many := NewGroup(make([]NextHop, routing.MaxNextHops+5))
	if n := len(many.Hops()); n != routing.MaxNextHops {
		t.Errorf("a group took %d hops, want at most %d", n, routing.MaxNextHops)
	}
}

func TestGroupCopiesItsHops(t *testing.T) {
	hops := []NextHop{{Interface: 1}}
	g := NewGroup(hops)
	hops[0].Interface = 9
	if got := g.Pick(0).Interface; got != 1 {
		t.Errorf("the group changed with the caller's slice: interface %d, want 1", got)
	}
}

// A hop that dies gives its flows to the others as a group without it would,
// in every group that shares its state, and has them again when it lives.
func TestDeadHopsArePassedOver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hops := drawHops(t)
		states := make([]*State, len(hops))
		for i := range states {
			states[i] = &State{}
		}
		g, before := NewSharedGroup(hops, states), NewGroup(hops)
		var living []NextHop
		for i := range hops {
			alive := rapid.Bool().Draw(t, "alive")
			states[i].Set(routing.CauseCarrier, alive)
			if alive {
				living = append(living, hops[i])
			}
		}
		left := NewGroup(living)
		for i := range 2000 {
			got := g.Pick(hashOf(i)).Index
			switch {
			case len(living) == 0:
				if want := before.Pick(hashOf(i)).Index; got != want {
					t.Fatalf("all are dead, and flow %d takes %d instead of %d", i, got, want)
				}
			case len(left.buckets) == len(g.buckets) || len(living) == 1:
				if want := left.Pick(hashOf(i)).Index; got != want {
					t.Fatalf("flow %d takes %d, and without the dead %d", i, got, want)
				}
			case !states[got-1].Alive():
				t.Fatalf("flow %d takes %d, which is dead", i, got)
			}
		}
		for _, s := range states {
			s.Set(routing.CauseCarrier, true)
		}
		for i := range 2000 {
			if got, want := g.Pick(hashOf(i)).Index, before.Pick(hashOf(i)).Index; got != want {
				t.Fatalf("all live again, and flow %d takes %d instead of %d", i, got, want)
			}
		}
	})
}

// Which hop a flow takes follows from what speaks against each: as long as one
// lives it is one that does; else one that only does not answer, which has to be
// asked again; else the one that it would be if all lived. A group of one hop
// has no choice.
func TestChoiceAmongTheDead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hops := drawHops(t)
		links, states := []*State{{}, {}}, make([]*State, len(hops))
		var alive, silent []int
		for i := range states {
			states[i] = &State{link: links[i%2]}
		}
		links[0].Set(routing.CauseCarrier, rapid.IntRange(0, 3).Draw(t, "link") > 0)
		for i, s := range states {
			unanswered := rapid.IntRange(0, 2).Draw(t, "unanswered") > 0
			down := rapid.IntRange(0, 3).Draw(t, "down") == 0
			s.Set(routing.CauseNeighbor, !unanswered)
			s.Set(routing.CauseBFD, !down)
			switch down = down || !links[i%2].Alive(); {
			case !down && !unanswered:
				alive = append(alive, i)
			case !down:
				silent = append(silent, i)
			}
		}
		g, all := NewSharedGroup(hops, states), NewGroup(hops)
		want := alive
		if len(alive) == 0 {
			want = silent
		}
		for i := range 500 {
			got, first := g.Pick(hashOf(i)).Index, all.Pick(hashOf(i)).Index
			among := func(list []int) bool { return slices.Contains(list, int(got)-1) }
			if len(want) == 0 && got != first || len(want) > 0 && !among(want) || slices.Contains(want, int(first)-1) && got != first {
				t.Fatalf("flow %d takes %d, and %d if all lived; alive are %v and silent %v, counted from 0", i, got, first, alive, silent)
			}
		}
	})
}

// Neither a living nor a dead hop costs an allocation.
func TestPickAllocatesNothing(t *testing.T) {
	hops := []NextHop{{Interface: 1, Index: 1}, {Interface: 2, Index: 2}, {Interface: 3, Index: 3}}
	states := []*State{{}, {}, {}}
	g := NewSharedGroup(hops, states)
	states[0].Set(routing.CauseCarrier, false)
	n := uint32(0)
	if got := testing.AllocsPerRun(1000, func() { n += g.Pick(n * 7919).Index }); got != 0 {
		t.Errorf("%v allocations for each pick", got)
	}
}

func BenchmarkPickShared(b *testing.B) {
	hops := make([]NextHop, 8)
	states := make([]*State, len(hops))
	for i := range hops {
		hops[i], states[i] = NextHop{Interface: routing.InterfaceID(i), Index: uint32(i)}, &State{}
	}
	g := NewSharedGroup(hops, states)
	for _, name := range []string{"alive", "one of 8 dead", "all silent"} {
		for i, s := range states {
			s.Set(routing.CauseCarrier, name != "one of 8 dead" || i > 0)
			s.Set(routing.CauseNeighbor, name != "all silent")
		}
		b.Run(name, func(b *testing.B) {
			n := uint32(0)
			for b.Loop() {
				n += g.Pick(n*7919 + 1).Index
			}
		})
	}
}
