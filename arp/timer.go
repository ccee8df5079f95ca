package arp

import (
	"container/heap"
	"time"
)

// timer is one thing of the machine that waits; it is part of what waits.
type timer struct {
	at   time.Time
	seq  uint64 // of equal times the one armed first goes first
	pos  int    // in the heap; -1 = not armed
	what interface{ expire(m *Machine) }
}

// timers is a heap of what waits, the soonest first.
type timers struct {
	heap []*timer
	seq  uint64
}

func (t *timers) Len() int { return len(t.heap) }

func (t *timers) Less(i, j int) bool {
	a, b := t.heap[i], t.heap[j]
	if a.at.Equal(b.at) {
		return a.seq < b.seq
	}
	return a.at.Before(b.at)
}

func (t *timers) Swap(i, j int) {
	t.heap[i], t.heap[j] = t.heap[j], t.heap[i]
	t.heap[i].pos, t.heap[j].pos = i, j
}

func (t *timers) Push(x any) {
	w := x.(*timer)
	w.pos = len(t.heap)
	t.heap = append(t.heap, w)
}

func (t *timers) Pop() any {
	last := len(t.heap) - 1
	w := t.heap[last]
	t.heap[last] = nil
	t.heap = t.heap[:last]
	w.pos = -1
	return w
}

// arm sets w to go off at the time at, whatever it was set to before.
func (t *timers) arm(w *timer, at time.Time) {
	t.seq++
	w.at, w.seq = at, t.seq
	if w.pos >= 0 {
		heap.Fix(t, w.pos)
		return
	}
	heap.Push(t, w)
}

func (t *timers) disarm(w *timer) {
	if w.pos >= 0 {
		heap.Remove(t, w.pos)
	}
}

// due takes the next timer that has gone off by now, nil without one.
func (t *timers) due(now time.Time) *timer {
	if len(t.heap) == 0 || t.heap[0].at.After(now) {
		return nil
	}
	return heap.Pop(t).(*timer)
}
