package rib

import (
	"maps"
	"net/netip"
	"slices"

	"routerd/routing/fib"
)

// settling is one settling of the table: what has to be looked at, and the
// result so far. It is done in slices; between two of them nothing else changes
// the table.
//
// Prefixes that contain some next hop (transit) may depend on one another and
// are decided first, together. All others, nearly all of a large table, are
// leaves, on which nothing depends: they are decided one by one at the end, and
// only if their candidates or the resolution of their hops changed.
type settling struct {
	rib      *RIB
	open     []number      // transit
	leaves   paged[number] // that are decided besides those that inputs touched, for subscribers
	sets     []*hopSet
	watches  []*watch
	led      map[uint32][]number // the transit prefixes that lead by a set, once it is needed
	news     bitmap              // sets that came to something new
	renewed  int                 // how many these are
	latest   uint32              // the one of them that was last
	changed  paged[number]       // what the FIB has to change
	roamed   roaming             // in which order
	out      []fib.Change        // of these, what the slice hands out
	touched  []Touched           // since the last slice, for who follows
	arranged *arrangement        // another order; nil = as they came
	traces   traces
	found    []number // decideUsers: of one scan

	left  int    // units left in the slice
	phase int    // of phases
	at    int    // position of the phase in its list
	also  int    // position in its second list
	place uint32 // position in a slab
	moved bool   // settleOpen: the round has decided something
	after netip.Prefix
}

// phases are the phases of a settling, in order. Each reports whether it is
// complete; if not, it goes on there in the next slice.
var phases = []func(*settling) bool{
	(*settling).enrolDirty, (*settling).spread, (*settling).settleOpen, (*settling).settleWatches,
	(*settling).settleSets, (*settling).decideUsers, (*settling).decideSpareUsers, (*settling).decideDirty,
	(*settling).notifyHops, (*settling).notifyOpen, (*settling).notifyDirty, (*settling).notifyLeaves, (*settling).notifyRenewed,
	(*settling).countChanges, (*settling).arrangeChanges, (*settling).handOut,
	(*settling).clean, (*settling).sweepOpen,
}

// work works for one slice and reports whether all is done.
func (s *settling) work(units int) bool {
	s.left = units
	for s.phase < len(phases) {
		if !phases[s.phase](s) {
			return false
		}
		s.phase++
		s.at, s.also, s.place = 0, 0, 1
	}
	return true
}

// spend takes one unit of the slice and reports whether there was one.
func (s *settling) spend() bool {
	s.left--
	return s.left >= 0
}

// each calls do for each of the list, and reports whether it came to the end.
func each[T any](s *settling, list []T, do func(T)) bool {
	for ; s.at < len(list); s.at++ {
		if !s.spend() {
			return false
		}
		do(list[s.at])
	}
	return true
}

// eachOf is each for a paged list.
func eachOf[T any](s *settling, list *paged[T], do func(*T)) bool {
	for s.at < list.n {
		if s.left <= 0 {
			return false
		}
		page := list.pages[s.at/pagedSize][s.at%pagedSize:]
		page = page[:min(len(page), s.left)]
		for i := range page {
			do(&page[i])
		}
		s.left -= len(page)
		s.at += len(page)
	}
	return true
}

// dirtyLeaves is eachOf for the leaves that inputs touched.
func (s *settling) dirtyLeaves(do func(*dirtied)) bool {
	return eachOf(s, &s.rib.dirty, func(x *dirtied) {
		if !s.rib.at(x.n).is(isTransit) {
			do(x)
		}
	})
}

// enrolDirty has the transit prefixes that inputs touched decided. Mostly it is
// known which these are.
func (s *settling) enrolDirty() bool {
	enrol := func(x *dirtied) {
		if d := s.rib.at(x.n); d.is(isTransit) {
			d.flags |= isPending
			s.enrolTransit(x.n, s.rib.was(x))
		}
	}
	if s.rib.dirtyAnew {
		return eachOf(s, &s.rib.dirty, enrol)
	}
	return each(s, s.rib.dirtyTransits, func(at int) { enrol(s.rib.dirty.at(at)) })
}

// enrolTransit adds a transit prefix, which is pending, to what is decided.
func (s *settling) enrolTransit(n number, was facts) {
	t := s.rib.transits[n]
	t.looped, t.was = nil, was
	s.open = append(s.open, n)
}

// enrol adds a transit prefix that no input has touched to what this settling
// decides.
func (s *settling) enrol(n number) {
	if d := s.rib.at(n); !d.is(isPending) {
		d.flags |= isPending
		s.enrolTransit(n, s.rib.installed(n))
	}
}

// spread finds all that depends on what was touched: sets of hops, the transit
// prefixes that use them, the sets of hops that resolve through those, and so
// on.
func (s *settling) spread() bool {
	r := s.rib
	for _, w := range r.staleWatches {
		s.touchWatch(w)
	}
	for _, hs := range r.staleSets {
		s.touchSet(hs)
	}
	r.staleWatches, r.staleSets = nil, nil
	for s.at < len(s.sets) || s.also < len(s.open) {
		if !s.spend() {
			return false
		}
		if s.at < len(s.sets) {
			for _, n := range s.ledBy(s.sets[s.at]) {
				s.enrol(n)
			}
			s.at++
			continue
		}
		n := s.open[s.also]
		s.also++
		for _, w := range r.watches.Subnets(r.prefix(n)) {
			if w.affectedBy(r.at(n)) {
				s.touchWatch(w)
			}
		}
	}
	return true
}

// ledBy gives the transit prefixes that lead by a set of hops.
func (s *settling) ledBy(hs *hopSet) []number {
	r := s.rib
	if s.led == nil {
		s.led = map[uint32][]number{}
		for _, n := range slices.Sorted(maps.Keys(r.transits)) {
			s.left--
			for c := r.first(n); c != 0; c = *r.more(c) {
				set := *r.hopsOf(c)
				s.led[set] = append(s.led[set], n)
			}
		}
	}
	return s.led[hs.number]
}

// affectedBy reports whether a change of d may change what w resolves to: not
// if w resolves through a longer prefix. If the address itself is a prefix, a
// host route to it is skipped in its own resolution, so shorter prefixes count
// too.
func (w *watch) affectedBy(d *dest) bool {
	return !w.via.IsValid() || int(d.bits) >= w.via.Bits() || w.via.IsSingleIP()
}

// touchWatch touches every set that uses w.
func (s *settling) touchWatch(w *watch) {
	if w.stale || len(w.users) == 0 {
		return
	}
	w.stale = true
	s.watches = append(s.watches, w)
	for _, hs := range w.users {
		s.touchSet(hs)
	}
}

// touchSet has the set resolved again and its transit users decided. Its leaves
// are decided only if its resolution changes.
func (s *settling) touchSet(hs *hopSet) {
	if hs.stale || hs.refs == 0 {
		return
	}
	hs.stale = true
	s.sets = append(s.sets, hs)
}

// settleWatches works out which prefix answers for each touched address.
func (s *settling) settleWatches() bool {
	return each(s, s.watches, func(w *watch) {
		w.stale, w.via = false, netip.Prefix{}
		if res := s.rib.resolveAddress(w.prefix.Addr(), 0); res.why == usable {
			w.via = s.rib.prefix(res.via)
		}
	})
}

// settleSets works out what each touched set comes to.
func (s *settling) settleSets() bool {
	return each(s, s.sets, func(hs *hopSet) {
		var g gathering
		g.gather(s.rib, hs, 0)
		was, sum := hs.leads, hs.sum
		hs.leads, hs.sum = g.outcome(s.rib), g.sum()
		s.rib.releaseLeads(was)
		if hs.settled && (was != hs.leads || sum != hs.sum) { // else all its users are dirty
			s.news.set(hs.number)
			s.latest = hs.number
			s.renewed++
		}
		hs.stale, hs.settled = false, true
	})
}

// decideUsers decides the leaves whose best candidate has hops with a new result,
// in one pass over the table.
func (s *settling) decideUsers() bool {
	return s.scan(&s.rib.hops, func(i uint32) number { return number(i) })
}

// decideSpareUsers does the same for the other candidates.
func (s *settling) decideSpareUsers() bool {
	return s.scan(&s.rib.shops, func(i uint32) number { return s.rib.spares.at(i).dest })
}

// decideUser decides n if it is a leaf that no input has touched. Twice is no more
// than once.
func (s *settling) decideUser(n number) {
	d := s.rib.at(n)
	switch {
	case d.flags&(isTransit|isDirty) != 0:
		return
	case d.more == 0:
		l := s.leadsAlone(n, d)
		s.lead(n, d, l, l == d.leads) // nothing else of it has changed
	default:
		s.decideLeaf(n, s.rib.installed(n))
	}
	s.follow(n, false)
	if len(s.rib.subscribers) > 0 {
		s.leaves.add(n)
	}
}

// together is how many prefixes are collected before they are decided: what is to
// be known of each is far away in memory, and it is asked for at once.
const together = 64

// scan finds the numbers whose hops came to something new, and decides their
// prefixes.
func (s *settling) scan(hops *slab[uint32], of func(uint32) number) bool {
	if s.renewed == 0 {
		return true
	}
	page := s.place / pageSize
	for ; int(page) < len(hops.pages) && s.left > 0; page++ {
		s.left -= pageSize / 32
		if s.renewed == 1 {
			s.scanForOne(hops.pages[page], page*pageSize, of)
		} else {
			s.scanForAll(hops.pages[page], page*pageSize, of)
		}
		if len(s.found) >= together {
			s.decideFound()
		}
	}
	s.decideFound()
	s.place = page * pageSize
	return int(page) == len(hops.pages)
}

func (s *settling) scanForOne(page *[pageSize]uint32, first uint32, of func(uint32) number) {
	want := s.latest
	for i := 0; i < pageSize; i += 4 { // next to none leads by it
		four := page[i : i+4 : i+4]
		if four[0] != want && four[1] != want && four[2] != want && four[3] != want {
			continue
		}
		for j, set := range four {
			if set == want {
				s.found = append(s.found, of(first+uint32(i+j)))
			}
		}
	}
}

func (s *settling) scanForAll(page *[pageSize]uint32, first uint32, of func(uint32) number) {
	for i, set := range page {
		if s.news.has(set) {
			s.found = append(s.found, of(first+uint32(i)))
		}
	}
}

func (s *settling) decideFound() {
	var any destFlags
	for _, n := range s.found { // the processor waits for all of them at a time
		any |= s.rib.at(n).flags
	}
	if any&isUsed == 0 {
		return // there are none
	}
	for _, n := range s.found {
		s.decideUser(n)
	}
	s.left -= len(s.found)
	s.found = s.found[:0]
}

func (s *settling) decideDirty() bool {
	return s.dirtyLeaves(func(x *dirtied) { s.decideLeaf(x.n, s.rib.was(x)) })
}

// clean clears what the inputs touched, and frees the leaves without a candidate.
func (s *settling) clean() bool {
	r := s.rib
	done := eachOf(s, &r.dirty, func(x *dirtied) {
		d := r.at(x.n)
		d.flags &^= isDirty
		s.follow(x.n, x.was == 0)
		if !d.is(isTransit) {
			s.sweep(x.n)
		}
	})
	if done {
		r.dirty, r.facts = paged[dirtied]{}, paged[facts]{}
		r.dirtyTransits, r.dirtyAnew = nil, false
	}
	return done
}

// sweep frees a prefix without candidates, unless it is held.
func (s *settling) sweep(n number) {
	r := s.rib
	switch empty := r.first(n) == 0; {
	case empty && (len(r.subscribers) == 0 && !r.at(n).is(isHeld) || !r.hold(n)):
		r.free(n)
	case !empty && r.at(n).is(isHeld):
		r.at(n).flags &^= isHeld
		r.held[r.at(n).family()]--
	}
}

func (s *settling) sweepOpen() bool {
	return each(s, s.open, func(n number) {
		s.follow(n, false)
		s.sweep(n)
	})
}

// neverUsed is the distance of a route that is kept but not used, as in FRR.
const neverUsed = 255
