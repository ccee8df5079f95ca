package rib

import (
	"encoding/binary"

	"routerd/routing"
)

// offers is the routes that a subscriber is to be told of, and what it was told
// of all others, by the numbers of their prefixes. What a route says now is made
// from the table when it is told, so that one costs a handful of bytes for each
// subscriber that gets it.
type offers struct {
	told   prints
	list   paged[number] // to be told, in the order of first change
	head   int           // of list, which has been told up to there
	queued bitmap        // what the list has
	idle   bitmap        // of that, what needs no telling any more
	void   int           // how many these are
}

// print stands for what a subscriber was told of a prefix: the source in the lower
// bits, above them a hash of the route, which no two routes of one prefix are
// expected to share. 0 is nothing.
type print uint64

const printSource = 1<<4 - 1

func (p print) source() routing.Source { return routing.Source(p & printSource) }

// prints are the prints of all prefixes that have one.
type prints struct{ pages []*[pageSize]print }

func (p *prints) get(n number) print {
	if i := int(n >> pageBits); i < len(p.pages) && p.pages[i] != nil {
		return p.pages[i][n%pageSize]
	}
	return 0
}

func (p *prints) set(n number, to print) {
	i := int(n >> pageBits)
	for i >= len(p.pages) {
		p.pages = append(p.pages, nil)
	}
	if p.pages[i] == nil {
		p.pages[i] = new([pageSize]print)
	}
	p.pages[i][n%pageSize] = to
}

// printOf is the print of a route: routes that say the same to a protocol have the
// same, see sameRoute.
func printOf(rt *routing.Route) print {
	h := mix(uint64(rt.Action)<<8|uint64(rt.Distance), uint64(rt.Metric)<<32|uint64(rt.Tag))
	for i := range rt.NextHops {
		hop := &rt.NextHops[i]
		a := hop.Address.As16()
		h = mix(h, binary.BigEndian.Uint64(a[:8]))
		h = mix(h, binary.BigEndian.Uint64(a[8:]))
		h = mix(h, uint64(hop.Address.BitLen())<<32|uint64(hop.Interface)<<8|uint64(hop.Weight))
	}
	return print(h)&^printSource | print(rt.Source)
}

// mix spreads every bit of both over the result.
func mix(a, b uint64) uint64 {
	h := (a ^ b + 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>31 ^ a<<17) * 0x94d049bb133111eb
	return h ^ h>>29
}

// waiting is how many there are in the list.
func (o *offers) waiting() int { return o.list.n - o.head }

// note notes what is now to be known of n.
func (o *offers) note(n number, now print) {
	i := uint32(n)
	switch news := now != o.told.get(n); {
	case news && !o.queued.has(i):
		o.queued.set(i)
		o.list.add(n)
	case news && o.idle.has(i):
		o.idle.clear(i)
		o.void--
	case !news && o.queued.has(i) && !o.idle.has(i):
		o.idle.set(i)
		if o.void++; o.void > o.waiting()/2 {
			o.compact()
		}
	}
}

// compact drops what needs no telling. That is when half of the list is such.
func (o *offers) compact() {
	var kept paged[number]
	for i := o.head; i < o.list.n; i++ {
		n := *o.list.at(i)
		if o.idle.has(uint32(n)) {
			o.idle.clear(uint32(n))
			o.queued.clear(uint32(n))
		} else {
			kept.add(n)
		}
	}
	o.list, o.head, o.void = kept, 0, 0
}

// next takes one from the list; ok is false if there is nothing to tell of it.
func (o *offers) next() (n number, ok bool) {
	n = *o.list.at(o.head)
	if o.head++; o.head%pagedSize == 0 {
		o.list.pages[o.head/pagedSize-1] = nil
	}
	o.queued.clear(uint32(n))
	if ok = !o.idle.has(uint32(n)); !ok {
		o.idle.clear(uint32(n))
		o.void--
	}
	return n, ok
}

// drain gives the change of one route since the last drain, if there is any. A
// route that inputs have touched since the last settling waits for the next.
func (r *RIB) drain(s *subscriber) (delta routing.Delta, ok bool) {
	n, ok := s.outbox.next()
	if !ok {
		return delta, false
	}
	d := r.at(n)
	if d.is(isDirty) {
		s.outbox.queued.set(uint32(n))
		s.outbox.list.add(n)
		return delta, false
	}
	was, now := s.outbox.told.get(n), print(0)
	rt, offered := s.redistributed(r, n, r.best(n))
	if offered {
		now = printOf(&rt)
	}
	if now == was {
		return delta, false
	}
	s.outbox.told.set(n, now)
	if offered {
		return routing.Delta{Route: rt}, true
	}
	delta = routing.Delta{Withdraw: true, Route: routing.Route{Prefix: r.prefix(n), Source: was.source()}}
	if d.is(isHeld) {
		r.sweepHeld(n)
	}
	return delta, true
}

// A prefix without a candidate keeps its number while a subscriber has to be told
// that its route is gone: it is held.

// hold reports whether n has to be held, and notes it.
func (r *RIB) hold(n number) bool {
	d := r.at(n)
	held := false
	for _, s := range r.subscribers {
		held = held || s.outbox.told.get(n) != 0
	}
	if held != d.is(isHeld) {
		d.flags ^= isHeld
		r.held[d.family()] += 2*btoi(held) - 1
	}
	return held
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// sweepHeld frees n if nothing holds it any more.
func (r *RIB) sweepHeld(n number) {
	if !r.hold(n) {
		r.free(n)
	}
}

// sweepAllHeld does so for all prefixes, after a subscriber has gone.
func (r *RIB) sweepAllHeld() {
	for i := uint32(1); i < r.dests.used && r.held != [2]int{}; i++ {
		if n := number(i); r.at(n).is(isHeld) && !r.at(n).is(isDirty) { // else the settling does it
			r.sweepHeld(n)
		}
	}
}

// free forgets a prefix without candidates.
func (r *RIB) free(n number) {
	for _, s := range r.subscribers {
		s.outbox.note(n, s.outbox.told.get(n)) // which is nothing
	}
	if r.at(n).is(isTransit) {
		delete(r.transits, n)
	}
	r.forget(n)
}

// isGone reports whether there is nothing to be shown of n.
func (r *RIB) isGone(n number) bool { return r.first(n) == 0 && !r.forwards(n) }
