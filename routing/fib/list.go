package fib

import (
	"slices"
	"unique"
)

// list is the prefixes that end in one byte of the address, below the same
// bytes in front: at most 511. It is sorted by spot, which is the order of address
// and length: a prefix comes behind those that contain it.
type list struct {
	keys  []uint32 // spot<<16 | way
	facts []facts
	late  *late // what has changed since they were written, or nil
	lates uint8 // how much of late is of this state
	n     uint16
}

// late is changes of a long list, in order, so that it is not copied for each of them.
// Lists of states after one another share one: a later one has more of it, which an
// earlier one does not look at.
type late struct {
	used  int // by the newest list; only the writer knows
	keys  [mostLate]uint32
	facts [mostLate]facts // noFacts of a prefix that is no more
}

const (
	mostLate = 8
	// fewKeys is up to how many keys a list is copied for a change.
	fewKeys = 8
)

// facts is an entry without its prefix, which its place in the table says. Nearly
// all entries have the same as many others, so they are kept once.
type facts = unique.Handle[Entry]

// noFacts is that of no entry.
var noFacts facts

// spot is the place of a prefix among all that end in the same byte, b; n is how
// many bits of b are the prefix's, 0 to 8.
func spot(b byte, n uint8) uint32 { return uint32(b)&^(0xff>>n)<<4 | uint32(n) }

// span gives the bytes that a spot covers: the first, and how many.
func span(spot uint32) (first, n int) { return int(spot >> 4), 1 << (8 - spot&15) }

// search gives the place of a spot among keys, and whether it is there.
func search(keys []uint32, spot uint32) (int, bool) {
	from, n := 0, len(keys)
	if n > 2*nearKeys {
		// Many keys are spread about evenly, so that this is read from two lines of
		// memory mostly.
		low := max(guess(n, spot)-nearKeys, 0)
		high := min(low+2*nearKeys, n-1)
		if keys[low]>>16 <= spot && spot < keys[high]>>16 {
			from, n = low, high-low
		}
	}
	for n > 1 { // it is in the n keys from from on, or behind them
		half := n / 2
		if keys[from+half]>>16 <= spot {
			from += half
		}
		n -= half
	}
	if n == 0 || keys[from]>>16 < spot {
		return from + n, false
	}
	return from, keys[from]>>16 == spot
}

// nearKeys is how far from its place a key is sought first.
const nearKeys = 16

// guess is where a spot would be among n keys that are spread evenly.
func guess(n int, spot uint32) int { return n * int(spot>>4) >> 8 }

// find gives the key of a spot, with the way, and its facts; 0 and noFacts where there
// is none.
func (l *list) find(spot uint32) (uint32, facts) {
	for i := int(l.lates) - 1; i >= 0; i-- {
		if k := l.late.keys[i]; k>>16 == spot {
			if l.late.facts[i] == noFacts {
				return 0, noFacts
			}
			return k, l.late.facts[i]
		}
	}
	if i, ok := search(l.keys, spot); ok {
		return l.keys[i], l.facts[i]
	}
	return 0, noFacts
}

// get gives the facts of a spot, or noFacts.
func (l *list) get(spot uint32) facts {
	_, x := l.find(spot)
	return x
}

// put says what there is at the spot of a key; noFacts takes it away. l is a copy that
// the writer owns.
func (l *list) put(key uint32, x facts) {
	i, found := search(l.keys, key>>16)
	switch {
	case x != noFacts && found:
		l.keys[i], l.facts[i] = key, x
	case x != noFacts:
		l.keys, l.facts = slices.Insert(l.keys, i, key), slices.Insert(l.facts, i, x)
	case found:
		l.keys, l.facts = slices.Delete(l.keys, i, i+1), slices.Delete(l.facts, i, i+1)
	}
}

// putLate does the same for a list that is shared with the state before. It fails if
// there have been too many such changes.
func (l *list) putLate(key uint32, x facts) {
	if l.late == nil || l.late.used != int(l.lates) {
		c := new(late)
		if l.late != nil {
			copy(c.keys[:l.lates], l.late.keys[:])
			copy(c.facts[:l.lates], l.late.facts[:])
		}
		l.late = c
	}
	l.late.keys[l.lates], l.late.facts[l.lates] = key, x
	l.lates++
	l.late.used = int(l.lates)
}

// takesLate reports whether so many changes are best made late.
func (l *list) takesLate(n int) bool {
	return len(l.keys) > fewKeys && int(l.lates)+n <= mostLate
}

// longest gives the facts of the longest prefix here that contains the byte b, and
// how many bits of the byte are the prefix's; or noFacts.
func (l *list) longest(b byte) (facts, uint8) {
	if l.n == 0 {
		return noFacts, 0
	}
	for n := range uint8(9) {
		if e := l.get(spot(b, 8-n)); e != noFacts {
			return e, 8 - n
		}
	}
	return noFacts, 0
}

// clone gives a copy with room for n more, where nothing is late.
func (l *list) clone(n int) list {
	c := list{
		keys:  append(make([]uint32, 0, len(l.keys)+n+int(l.lates)), l.keys...),
		facts: append(make([]facts, 0, len(l.keys)+n+int(l.lates)), l.facts...),
		n:     l.n,
	}
	for i := range int(l.lates) {
		c.put(l.late.keys[i], l.late.facts[i])
	}
	return c
}

// copied is a clone that the writer owns.
func (l *list) copied(n int) *list {
	c := l.clone(n)
	return &c
}

// settled gives l as a list where nothing is late.
func (l *list) settled() *list {
	if l.lates == 0 {
		return l
	}
	return l.copied(0)
}

// mostKeys is how many prefixes can end in one byte, and one more.
const mostKeys = 512

// merged gives the keys with what is late. They are in room, if there is any.
func (l *list) merged(room *[mostKeys]uint32) []uint32 {
	keys := append(room[:0], l.keys...)
	for i := range int(l.lates) {
		k := l.late.keys[i]
		at, found := search(keys, k>>16)
		switch gone := l.late.facts[i] == noFacts; {
		case !gone && found:
			keys[at] = k
		case !gone:
			keys = slices.Insert(keys, at, k)
		case found:
			keys = slices.Delete(keys, at, at+1)
		}
	}
	return keys
}

// paint fills in the way of every byte: of the longest prefix that contains it, or
// else way. It marks in edges where that may be another than of the byte before.
func (l *list) paint(ways *[256]uint16, edges *[4]uint64, way uint16) {
	if l.lates == 0 {
		paint(l.keys, ways, edges, way)
		return
	}
	var room [mostKeys]uint32
	paint(l.merged(&room), ways, edges, way)
}

func paint(keys []uint32, ways *[256]uint16, edges *[4]uint64, way uint16) {
	*ways, *edges = [256]uint16{}, [4]uint64{}
	if way != 0 {
		for i := range ways {
			ways[i] = way
		}
	}
	for _, k := range keys {
		first, n := span(k >> 16)
		edges[first>>6] |= 1 << (first & 63)
		if end := first + n; end < len(ways) {
			edges[end>>6] |= 1 << (end & 63)
		}
		part := ways[first : first+n]
		for i := range part {
			part[i] = uint16(k)
		}
	}
}
