package timers

import (
	"container/heap"
	"container/list"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(s int) time.Time { return epoch.Add(time.Duration(s) * time.Second) }

// wait is a timer of the model: what is set, in the order of setting.
type wait struct {
	timer, at int
}

// Whatever is set, moved and stopped, what comes due is what a sorted list of it
// says, in its order.
func TestHeapAgainstSortedList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h Heap[int]
		timers := make([]Timer[int], rapid.IntRange(1, 40).Draw(t, "timers"))
		for i := range timers {
			timers[i].Of = i
		}
		var model []wait
		remove := func(i int) { model = slices.DeleteFunc(model, func(w wait) bool { return w.timer == i }) }
		now := 0
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			i := rapid.IntRange(0, len(timers)-1).Draw(t, "timer")
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0, 1, 2:
				s := now + rapid.IntRange(-2, 20).Draw(t, "in")
				h.Set(&timers[i], at(s))
				remove(i)
				model = append(model, wait{i, s})
				slices.SortStableFunc(model, func(a, b wait) int { return a.at - b.at })
			case 3:
				h.Stop(&timers[i])
				remove(i)
			default:
				now += rapid.IntRange(0, 5).Draw(t, "pass")
				for due := h.Due(at(now)); due != nil; due = h.Due(at(now)) {
					if len(model) == 0 || model[0].timer != due.Of || model[0].at > now || due.IsSet() {
						t.Fatalf("at %d timer %d comes due, set %v; waiting are %v", now, due.Of, due.IsSet(), model)
					}
					model = model[1:]
				}
				if len(model) > 0 && model[0].at <= now {
					t.Fatalf("at %d nothing more comes due; waiting are %v", now, model)
				}
			}
			next := time.Time{}
			if len(model) > 0 {
				next = at(model[0].at)
			}
			if h.Len() != len(model) || !h.Next().Equal(next) {
				t.Fatalf("%d wait, the next until %v; want %d and %v", h.Len(), h.Next(), len(model), next)
			}
			for i := range timers {
				set := slices.IndexFunc(model, func(w wait) bool { return w.timer == i })
				if timers[i].IsSet() != (set >= 0) || set >= 0 && !timers[i].At().Equal(at(model[set].at)) || set < 0 && !timers[i].At().IsZero() {
					t.Fatalf("timer %d is set %v for %v; waiting are %v", i, timers[i].IsSet(), timers[i].At(), model)
				}
			}
		}
	})
}

func TestHeapAllocatesNothing(t *testing.T) {
	var h Heap[int]
	timers := make([]Timer[int], 1000)
	for i := range timers {
		h.Set(&timers[i], at(i*7919%1000))
	}
	n := 0
	if got := testing.AllocsPerRun(1000, func() {
		n++
		h.Set(&timers[n*31%1000], at(n*7919%5000))
		h.Stop(&timers[n*17%1000])
		h.Set(&timers[n*17%1000], at(n))
		if d := h.Due(at(n)); d != nil {
			h.Set(d, at(n+500))
		}
	}); got != 0 {
		t.Errorf("%v allocations in a heap that was as large before, want none", got)
	}
}

// standard is the same by container/heap and pointers, to measure against.
type standard struct {
	heap []*standardTimer
	seq  uint64
}

type standardTimer struct {
	at  time.Time
	seq uint64
	pos int
}

func (t *standard) Len() int { return len(t.heap) }
func (t *standard) Less(i, j int) bool {
	a, b := t.heap[i], t.heap[j]
	if a.at.Equal(b.at) {
		return a.seq < b.seq
	}
	return a.at.Before(b.at)
}

func (t *standard) Swap(i, j int) {
	t.heap[i], t.heap[j] = t.heap[j], t.heap[i]
	t.heap[i].pos, t.heap[j].pos = i, j
}

func (t *standard) Push(x any) {
	w := x.(*standardTimer)
	w.pos = len(t.heap)
	t.heap = append(t.heap, w)
}

func (t *standard) Pop() any {
	last := len(t.heap) - 1
	w := t.heap[last]
	t.heap = t.heap[:last]
	w.pos = -1
	return w
}

func (t *standard) set(w *standardTimer, at time.Time) {
	t.seq++
	w.at, w.seq = at, t.seq
	if w.pos >= 0 {
		heap.Fix(t, w.pos)
		return
	}
	heap.Push(t, w)
}

// BenchmarkMove moves one of many timers to a later time, as a neighbour that is
// heard from does; BenchmarkPass takes the first and sets it anew.
func BenchmarkMove(b *testing.B) {
	for _, n := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprintf("heap/%d", n), func(b *testing.B) {
			var h Heap[int]
			timers := make([]Timer[int], n)
			i := 0
			for b.Loop() {
				h.Set(&timers[i*7919%n], at(i))
				i++
			}
		})
		// For timers that are all set for the same time ahead, and so are in order
		// already.
		b.Run(fmt.Sprintf("list/%d", n), func(b *testing.B) {
			l := list.New()
			timers := make([]*list.Element, n)
			for i := range timers {
				timers[i] = l.PushBack(new(standardTimer))
			}
			i := 0
			for b.Loop() {
				e := timers[i*7919%n]
				e.Value.(*standardTimer).at = at(i)
				l.MoveToBack(e)
				i++
			}
		})
		b.Run(fmt.Sprintf("container/%d", n), func(b *testing.B) {
			var h standard
			timers := make([]standardTimer, n)
			for i := range timers {
				timers[i].pos = -1
			}
			i := 0
			for b.Loop() {
				h.set(&timers[i*7919%n], at(i))
				i++
			}
		})
	}
}

func BenchmarkPass(b *testing.B) {
	const far = 1 << 30
	for _, n := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprintf("heap/%d", n), func(b *testing.B) {
			var h Heap[int]
			timers := make([]Timer[int], n)
			for i := range timers {
				h.Set(&timers[i], at(i*7919%n))
			}
			i := n
			for b.Loop() {
				h.Set(h.Due(at(far)), at(i+i*7919%n))
				i++
			}
		})
		b.Run(fmt.Sprintf("container/%d", n), func(b *testing.B) {
			var h standard
			timers := make([]standardTimer, n)
			for i := range timers {
				timers[i].pos = -1
				h.set(&timers[i], at(i*7919%n))
			}
			i := n
			for b.Loop() {
				h.set(heap.Pop(&h).(*standardTimer), at(i+i*7919%n))
				i++
			}
		})
	}
}
