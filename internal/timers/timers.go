// Package timers is what waits in a protocol core: times that are set, moved and
// stopped, and come due one after the other.
//
// A [Timer] is part of what waits, so setting one finds its place without a
// search, and a [Heap] that has been as large before allocates nothing. Neither
// has a clock: the core compares with the time that it is handed, and its Deadline
// is the heap's Next.
//
// Where all of a kind wait equally long, as RIP's routes do, a list in the order
// in which they were set needs no heap, and moves one in a tenth of the time
// (BenchmarkMove).
package timers

import "time"

// Timer is one thing that waits. The zero Timer is not set. It must not be copied
// while it is.
type Timer[T any] struct {
	// Of is what waits.
	Of  T
	pos int // in the heap, counted from 1; 0 = not set
	at  time.Time
}

// IsSet reports whether the timer waits.
func (t *Timer[T]) IsSet() bool { return t.pos > 0 }

// At is when it comes due, the zero Time unless it is set.
func (t *Timer[T]) At() time.Time { return t.at }

// Heap is timers in the order in which they come due; of equal times the one set
// first is first. The zero Heap is empty. It is a value of one owner: not safe for
// concurrent use.
type Heap[T any] struct {
	entries []entry[T]
	seq     uint64
}

// entry has what is compared beside the timer, which is not looked at for that.
type entry[T any] struct {
	at    time.Time
	seq   uint64
	timer *Timer[T]
}

func (e *entry[T]) before(o *entry[T]) bool {
	if e.at.Before(o.at) {
		return true
	}
	return e.seq < o.seq && e.at.Equal(o.at)
}

// Len is how many timers are set.
func (h *Heap[T]) Len() int { return len(h.entries) }

// Next is when the first of them comes due, the zero Time where none is set.
func (h *Heap[T]) Next() time.Time {
	if len(h.entries) == 0 {
		return time.Time{}
	}
	return h.entries[0].at
}

// Set has t come due at the time at, whatever it was set to before; behind those
// that were set to the same time earlier.
func (h *Heap[T]) Set(t *Timer[T], at time.Time) {
	h.seq++
	t.at = at
	e := entry[T]{at, h.seq, t}
	if t.pos == 0 {
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

// Stop has t not come due any more. One that is not set stays so.
func (h *Heap[T]) Stop(t *Timer[T]) {
	if t.pos == 0 {
		return
	}
	i, last := t.pos-1, len(h.entries)-1
	moved := h.entries[last]
	h.entries[last] = entry[T]{} // not kept from the collector
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

// Due takes the first timer that has come due by now out of the heap, nil where
// none has.
func (h *Heap[T]) Due(now time.Time) *Timer[T] {
	if len(h.entries) == 0 || h.entries[0].at.After(now) {
		return nil
	}
	t := h.entries[0].timer
	h.Stop(t)
	return t
}

// branches is how many entries are below one: with four, half as many levels as
// with two, and their times lie side by side.
const branches = 4

// up puts e at i or above.
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

// down puts e at i or below.
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
