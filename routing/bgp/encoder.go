package bgp

import (
	"net/netip"
	"slices"

	"routerd/routing/bgp/wire"
)

// encoder is the room in which blocks of UPDATEs are made.
type encoder struct {
	announced, withdrawn, extra wire.Packer
	buffers                     [3][]byte // of these

	items    []item
	batch    []uint32 // indices of items, those with the same attributes one after the other
	runs     []run
	runOf    []uint32 // by number of attributes, the run that may be theirs
	segments []segment
	parts    []part // of what is withdrawn
	variants []variant
	hop      netip.Addr
	hopOf    *neighbor // the neighbour with that address, if there is one
	block    *block
}

// item is a route that is announced, or of a prefix that is withdrawn.
type item struct {
	number, path, attributes uint32
	source                   uint16
	whole                    bool // it is part of a dump
}

// segment is messages with routes of one neighbour. It is something else to that one, and
// to the one who is the next hop.
type segment struct {
	from     *neighbor
	hop      netip.Addr // that is passed on, invalid if there is none
	at       int        // where it begins in what is announced
	own, via int        // variants, and one
}

// part is messages that withdraw what all have been sent but the one whose own it was.
type part struct {
	but    *outgoing // nil: all
	at     int       // where it begins in what is withdrawn
	number int       // of prefixes
}

// run is the items of a batch that have the same attributes.
type run struct{ attributes, items, next uint32 }

// arrange puts the items in order by their attributes, in the order in which these come
// first. Numbers is above those of attributes.
func (e *encoder) arrange(numbers uint32) {
	if uint32(len(e.runOf)) < numbers {
		e.runOf = append(e.runOf, make([]uint32, int(numbers)-len(e.runOf))...)
	}
	for i := range e.items {
		a := e.items[i].attributes
		k := e.runOf[a]
		if k >= uint32(len(e.runs)) || e.runs[k].attributes != a {
			k = uint32(len(e.runs))
			e.runOf[a] = k
			e.runs = append(e.runs, run{attributes: a})
		}
		e.runs[k].items++
	}
	sum := uint32(0)
	for k := range e.runs {
		e.runs[k].next = sum
		sum += e.runs[k].items
	}
	e.batch = slices.Grow(e.batch[:0], len(e.items))[:len(e.items)]
	for i := range e.items {
		x := &e.runs[e.runOf[e.items[i].attributes]]
		e.batch[x.next] = uint32(i)
		x.next++
	}
}
