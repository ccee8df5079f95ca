package fib

import (
	"slices"
)

// list is the prefixes that end in one byte of the address, below the same
// bytes in front: at most 511. It is sorted by spot, which is the order of address
// and length: a prefix comes behind those that contain it.
type list struct {
	keys    []uint32 // spot<<16 | way
	entries []*Entry
}

// spot is the place of a prefix among all that end in the same byte, b; n is how
// many bits of b are the prefix's, 0 to 8.
func spot(b byte, n uint8) uint32 { return uint32(b)&^(0xff>>n)<<4 | uint32(n) }

// span gives the bytes that a spot covers: the first, and how many.
func span(spot uint32) (first, n int) { return int(spot >> 4), 1 << (8 - spot&15) }

func (l *list) search(spot uint32) (int, bool) {
	return slices.BinarySearchFunc(l.keys, spot, func(k, s uint32) int { return int(k>>16) - int(s) })
}

// get gives the entry of a spot, or nil.
func (l *list) get(spot uint32) *Entry {
	if i, ok := l.search(spot); ok {
		return l.entries[i]
	}
	return nil
}

// longest gives the entry of the longest prefix here that contains the byte b,
// or nil.
func (l *list) longest(b byte) *Entry {
	if len(l.keys) == 0 {
		return nil
	}
	for n := range uint8(9) {
		if e := l.get(spot(b, 8-n)); e != nil {
			return e
		}
	}
	return nil
}

// clone gives a copy with room for n more.
func (l *list) clone(n int) list {
	return list{
		keys:    append(make([]uint32, 0, len(l.keys)+n), l.keys...),
		entries: append(make([]*Entry, 0, len(l.keys)+n), l.entries...),
	}
}

// paint fills in the way of every byte: of the longest prefix that contains it,
// 0 where none does. It marks in edges where that may be another than of the
// byte before.
func (l *list) paint(ways *[256]uint16, edges *[4]uint64) {
	*ways, *edges = [256]uint16{}, [4]uint64{}
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
