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
}

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

func (l *list) search(spot uint32) (int, bool) {
	return slices.BinarySearchFunc(l.keys, spot, func(k, s uint32) int { return int(k>>16) - int(s) })
}

// get gives the facts of a spot, or noFacts.
func (l *list) get(spot uint32) facts {
	if i, ok := l.search(spot); ok {
		return l.facts[i]
	}
	return noFacts
}

// longest gives the facts of the longest prefix here that contains the byte b, and
// how many bits of the byte are the prefix's; or noFacts.
func (l *list) longest(b byte) (facts, uint8) {
	if len(l.keys) == 0 {
		return noFacts, 0
	}
	for n := range uint8(9) {
		if e := l.get(spot(b, 8-n)); e != noFacts {
			return e, 8 - n
		}
	}
	return noFacts, 0
}

// clone gives a copy with room for n more.
func (l *list) clone(n int) list {
	return list{
		keys:  append(make([]uint32, 0, len(l.keys)+n), l.keys...),
		facts: append(make([]facts, 0, len(l.keys)+n), l.facts...),
	}
}

// paint fills in the way of every byte: of the longest prefix that contains it, or
// else way. It marks in edges where that may be another than of the byte before.
func (l *list) paint(ways *[256]uint16, edges *[4]uint64, way uint16) {
	*ways, *edges = [256]uint16{}, [4]uint64{}
	if way != 0 {
		for i := range ways {
			ways[i] = way
		}
	}
	for _, k := range l.keys {
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
