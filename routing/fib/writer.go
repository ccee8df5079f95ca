package fib

// Writer makes the states of a table, one after another. The owner of the table
// gives it changes, as many at a time as it has time for, and publishes them
// together:
//
//	w.Apply(some)
//	w.Apply(others) // with something else in between, if need be
//	next := w.Publish()
//
// What the changes do not touch is shared with the state before, and what they
// touch is copied once for all of them, nodes and their pages at least.
//
// A Writer is used by one goroutine at a time. Tables that come from one Empty have
// one writer: there must not be two Writers of them that have changes to publish.
type Writer struct {
	next  *FIB // the state that is written, nil without a change
	index indexDraft
	ways  wayDraft
	facts factsDraft
	base  *FIB // published last

	count int  // prefixes more in the family at hand
	six   bool // it is IPv6
	made  int  // changes since there has been a Writer
	items [2][]item
	ahead ahead

	touched touched // bytes of the stem at hand, of those that an index leads to
}

// NewWriter gives a Writer whose first state follows that of f.
func NewWriter(f *FIB) *Writer { return &Writer{base: f} }

// begin makes the drafts of the next state.
func (w *Writer) begin() {
	f := w.base
	w.next = new(FIB)
	*w.next = *f
	w.index.indexes, w.index.base, w.index.known = &w.next.indexes, &f.indexes, f.ways.known
	w.ways = newWayDraft(&f.ways)
	known := f.ways.known
	if known.state != f.state { // what followed f last was not published
		known.recount(f)
	}
	known.state++
	w.next.state = known.state
	w.index.build.known = &known.facts
	w.facts = factsDraft{factsTable: f.facts, known: &known.facts, state: known.state}
}

// Apply makes changes, in order, of what Publish will give. It takes a microsecond
// or two for each where they come in order of address, some more where each is
// far from the others, and less for many in order.
func (w *Writer) Apply(changes []Change) {
	if len(changes) == 0 {
		return
	}
	if w.next == nil {
		w.begin()
	}
	if w.made += len(changes); w.made > len(met{}) && w.facts.known.met == nil {
		w.facts.known.met = new(met)
	}
	w.pieces(changes, func(which int, items []item) {
		w.count, w.six = 0, which == six
		w.family(items)
		w.next.count[which] += w.count
	})
}

// Publish gives the table after all changes so far, to be published by storing its
// pointer; without any it is the one before. The Writer goes on from there.
func (w *Writer) Publish() *FIB {
	if w.next != nil {
		w.next.ways, w.next.facts = w.ways.ways, w.facts.factsTable
		w.base, w.next = w.next, nil
		// The state before goes, if nobody reads it.
		w.index.indexes, w.index.base, w.ways, w.facts = nil, nil, wayDraft{}, factsDraft{}
	}
	return w.base
}

func (w *Writer) which() int {
	if w.six {
		return six
	}
	return four
}
