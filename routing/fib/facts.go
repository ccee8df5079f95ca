package fib

import (
	"maps"
	"net/netip"
	"slices"

	"routerd/routing"
)

// facts is an entry but for its prefix, which its place in the table says, and the way.
// Nearly all entries have the same facts as many others, so they are kept once and have
// a number, of 20 bits; noFacts stands for no entry. They are immutable.
type facts struct {
	said   Entry
	way    *Way
	number uint16 // of the way, or unnumbered
}

const (
	noFacts   = 0
	factsBits = 20
	factsMask = 1<<factsBits - 1
	// unlisted is the number of facts that have none because all are taken. They are
	// found by the prefix of their entry, slowly.
	unlisted = factsMask
)

// said gives e as its facts have it: the prefix is left out where the way does not
// depend on it.
func (e *Entry) said() Entry {
	s := *e
	if s.Prefix.Bits() != 0 && (s.Source != routing.SourceConnected || s.Action != routing.Forward) {
		s.Prefix = netip.Prefix{}
	}
	return s
}

// factsPage is facts whose numbers follow each other.
type factsPage [factsOfPage]*facts

const factsOfPage = 256

// factsTable says what the numbers of facts stand for in one state. It never changes.
type factsTable struct {
	pages []*factsPage
	more  map[netip.Prefix]*facts // of entries whose facts are unlisted
	// without is how many facts with a number have a way that has none.
	without int
}

// of gives the facts with a number, of the entry of p.
func (t *factsTable) of(number uint32, p netip.Prefix) *facts {
	if number == unlisted {
		return t.more[p]
	}
	return t.pages[number/factsOfPage][number%factsOfPage]
}

// numbered is what the writer knows of a number of facts.
type numbered struct {
	facts *facts // nil if the number is free
	uses  uint32 // entries with it
	way   uint16 // the number of its way
}

// knownFacts is the writer's, shared by all states: what the numbers stand for in the
// state last begun.
type knownFacts struct {
	list    []numbered // by number
	free    []uint32   // numbers that were given, and are free
	numbers map[Entry]uint32
	met     *met     // nil until there have been some changes
	pages   []uint64 // by page: the state that it was written for
	most    int      // numbers there are, 0 included
}

func newKnownFacts() knownFacts {
	return knownFacts{list: make([]numbered, 1), numbers: map[Entry]uint32{}, most: unlisted}
}

// met is facts that have just been met: many entries come one after another that say
// the same, or again as soon as the other metrics of a row of networks have had their
// turn.
type met [2048]struct {
	*facts
	number uint32
}

// at gives the place in met of what e says.
func (m *met) at(e *Entry) int {
	x := e.Metric*31 ^ uint32(e.Origin)*57
	if e.Group != nil {
		x ^= e.Group.number.Load()
	}
	return int((x ^ x>>7) % uint32(len(m)))
}

// wayOf gives the number of the way of a key's facts.
func (k *knownFacts) wayOf(key uint32) uint16 {
	if n := key & factsMask; n < uint32(len(k.list)) {
		return k.list[n].way
	}
	return unnumbered
}

// find gives the number of what e says, noFacts if it has none.
func (k *knownFacts) find(e *Entry) uint32 {
	said := e.said()
	if k.met == nil {
		return k.numbers[said]
	}
	m := &k.met[k.met.at(e)]
	if m.facts != nil && k.list[m.number].facts == m.facts && m.said == said {
		return m.number
	}
	n := k.numbers[said]
	m.facts, m.number = k.list[n].facts, n
	return n
}

// recount sets what the writer knows to the state f, when states that it knew later ones
// of are gone on from.
func (k *known) recount(f *FIB) {
	k.uses = make([]uint32, f.ways.given)
	k.facts.list = make([]numbered, max(1, min(len(f.facts.pages)*factsOfPage, k.facts.most)))
	k.facts.free, k.facts.met = k.facts.free[:0], nil
	clear(k.facts.numbers)
	c := cursor{max: 1 << 62, met: func(number uint32) {
		if number != unlisted {
			k.facts.list[number].uses++
		}
	}}
	c.family(f.of(four))
	c.family(f.of(six))
	for n := len(k.facts.list) - 1; n > 0; n-- {
		x := f.facts.of(uint32(n), netip.Prefix{})
		if x == nil {
			k.facts.free = append(k.facts.free, uint32(n))
			continue
		}
		k.facts.list[n].facts, k.facts.list[n].way, k.facts.numbers[x.said] = x, x.number, uint32(n)
		if x.number != unnumbered {
			k.uses[x.number]++
		}
	}
}

// factsDraft is the next state of facts while it is written.
type factsDraft struct {
	factsTable
	known *knownFacts
	state uint64 // for which it is written
	owned bool   // the list of pages is not that of the state before
	kept  bool   // nor is the map of those that are unlisted
}

// set says what a number stands for, nil = nothing.
func (d *factsDraft) set(number uint32, x *facts) {
	if !d.owned {
		d.pages, d.owned = slices.Clone(d.pages), true
	}
	at := int(number / factsOfPage)
	if at == len(d.pages) {
		d.pages = append(d.pages, new(factsPage))
		d.known.pages = append(d.known.pages[:at], d.state)
	}
	if d.known.pages[at] != d.state {
		c := *d.pages[at]
		d.pages[at], d.known.pages[at] = &c, d.state
	}
	d.pages[at][number%factsOfPage] = x
	d.known.list[number].facts = x
	if x != nil {
		d.known.list[number].way = x.number
	}
}

// keep notes the facts of a prefix that are unlisted; nil = it has none any more.
func (d *factsDraft) keep(p netip.Prefix, x *facts) {
	if !d.kept {
		m := make(map[netip.Prefix]*facts, len(d.more)+1)
		maps.Copy(m, d.more)
		d.more, d.kept = m, true
	}
	if x == nil {
		delete(d.more, p)
	} else {
		d.more[p] = x
	}
}

// use gives the number of what e says, for one entry more.
func (w *Writer) use(e *Entry) uint32 {
	k := w.facts.known
	n := k.find(e)
	if n == noFacts {
		n = w.list(e)
	}
	if n != unlisted {
		k.list[n].uses++
	}
	return n
}

// list gives what e says, which is new, a number, and its way one.
func (w *Writer) list(e *Entry) uint32 {
	k := w.facts.known
	way := e.Way()
	x := &facts{said: e.said(), way: &way, number: unnumbered}
	n := uint32(len(k.list))
	switch last := len(k.free) - 1; {
	case last >= 0:
		n, k.free = k.free[last], k.free[:last]
	case len(k.list) == k.most:
		w.facts.keep(e.Prefix, x)
		return unlisted
	default:
		k.list = append(k.list, numbered{})
	}
	if x.number, x.way = w.ways.use(x.way); x.number == unnumbered {
		w.facts.without++
	}
	k.numbers[x.said] = n
	w.facts.set(n, x)
	return n
}

// release takes back the use of a number by the entry of p.
func (w *Writer) release(number uint32, p netip.Prefix) {
	if number == unlisted {
		w.facts.keep(p, nil)
		return
	}
	k := w.facts.known
	if k.list[number].uses--; k.list[number].uses > 0 {
		return
	}
	x := k.list[number].facts
	delete(k.numbers, x.said)
	k.free = append(k.free, number)
	w.facts.set(number, nil)
	if x.number == unnumbered {
		w.facts.without--
	} else {
		w.ways.release(x.number)
	}
}
