// Package timers has the timers of a protocol core, which are set, moved and
// stopped, and become due in order.
//
// A [Timer] is a field of the thing that waits, so setting it needs no search,
// and a [Heap] allocates nothing unless it grows larger than ever before.
// Neither has a clock: the core compares with the time that it gets, and its
// Deadline is the heap's Next.
//
// Where all of a kind wait equally long, as RIP's routes do, a list in the order
// in which they were set needs no heap, and moves one in a tenth of the time
// (BenchmarkMove).
package timers

import (
	"slices"
	"time"
)

// Timer is one timer. The zero Timer is not set. It must not be copied while it
// is set.
type Timer[T any] struct {
	// Of is the thing that waits.
	Of  T
	pos int // in the heap, counted from 1; 0 = not set
	at  time.Time
}

// IsSet reports whether the timer is set.
func (t *Timer[T]) IsSet() bool { return t.pos > 0 }

// At is when it is due, the zero Time unless it is set.
func (t *Timer[T]) At() time.Time { return t.at }

// Heap holds timers in the order in which they are due; of equal times, the one
// set first comes first. The zero Heap is empty. It is not safe for concurrent
// use.
type Heap[T any] struct {
	entries []entry[T]
	seq     uint64
	began   time.Time // when the first timer was set to be due
}

// entry has the values that are compared, so that comparing does not read the
// timer.
type entry[T any] struct {
	at    time.Duration // since the heap began: a third of the memory of a time
	seq   uint64
	timer *Timer[T]
}

func (e *entry[T]) before(o *entry[T]) bool {
	return e.at < o.at || e.at == o.at && e.seq < o.seq
}

// Len is how many timers are set.
func (h *Heap[T]) Len() int { return len(h.entries) }

// Next is when the first timer is due, the zero Time if none is set.
func (h *Heap[T]) Next() time.Time {
	if len(h.entries) == 0 {
		return time.Time{}
	}
	return h.entries[0].timer.at
}

// Set sets t to the time at, whatever it was set to before. It comes after
// timers that were set to the same time earlier.
func (h *Heap[T]) Set(t *Timer[T], at time.Time) {
	if h.seq == 0 {
		h.began = at
	}
	h.seq++
	t.at = at
	e := entry[T]{at.Sub(h.began), h.seq, t}
	if t.pos == 0 {
		if n := len(h.entries); n == cap(h.entries) { // append would copy a large one four times as often
			h.entries = slices.Grow(h.entries, max(n, 1))
		}
		h.entries = append(h.entries, e)
		h.up(len(h.entries)-1, &e)
		return
	}
	i := t.pos - 1
	if e.before(&h.entries[i]) {
		h.up(i, &e)
	} else {
		h.down(i, &e)
	}
}

// Stop stops t. It does nothing if t is not set.
func (h *Heap[T]) Stop(t *Timer[T]) {
	if t.pos == 0 {
		return
	}
	i, last := t.pos-1, len(h.entries)-1
	moved := h.entries[last]
	h.entries[last] = entry[T]{} // let the collector free it
	h.entries = h.entries[:last]
	t.pos, t.at = 0, time.Time{}
	switch {
	case i == last:
	case i > 0 && moved.before(&h.entries[(i-1)/branches]):
		h.up(i, &moved)
	default:
		h.down(i, &moved)
	}
}

// Due removes the first timer that is due by now from the heap and returns it,
// nil if none is.
func (h *Heap[T]) Due(now time.Time) *Timer[T] {
	if len(h.entries) == 0 || h.entries[0].timer.at.After(now) {
		return nil
	}
	t := h.entries[0].timer
	h.Stop(t)
	return t
}

// branches is how many children an entry has: with four there are half as many
// levels as with two, and the children's times are contiguous in memory.
const branches = 4

// up moves e up from i to its place.
func (h *Heap[T]) up(i int, e *entry[T]) {
	for i > 0 {
		above := (i - 1) / branches
		if !e.before(&h.entries[above]) {
			break
		}
		h.put(i, &h.entries[above])
		i = above
	}
	h.put(i, e)
}

// down moves e down from i to its place.
func (h *Heap[T]) down(i int, e *entry[T]) {
	for {
		first := branches*i + 1
		if first >= len(h.entries) {
			break
		}
		least := first
		for j := first + 1; j < min(first+branches, len(h.entries)); j++ {
			if h.entries[j].before(&h.entries[least]) {
				least = j
			}
		}
		if !h.entries[least].before(e) {
			break
		}
		h.put(i, &h.entries[least])
		i = least
	}
	h.put(i, e)
}

func (h *Heap[T]) put(i int, e *entry[T]) {
	h.entries[i] = *e
	e.timer.pos = i + 1
}
