package fib

import (
	"math/bits"
	"slices"
)

// A value says what becomes of an address: 0, for no way known here; or a way, of
// the longest prefix so far; or a node below, in this block or first in another one:
const (
	isBelow   = 1 << 15
	isApart   = 1 << 14     // in another block: the number of the link
	belowMask = isApart - 1 // else the place of the node's first word
)

// quarter is the values of a quarter of a byte, 64, as an index leads to: a line of
// memory. A value is 0, a way below firstLink, or from there the number of a link
// of the stem, to the block of a stem below it. Where that is not enough, all values
// of the quarter are the number of a link to a block of the stem itself.
type quarter [64]uint8

const (
	firstLink = 192
	mostLinks = 256 - firstLink
)

// A block is what lookups read of a stem and of those below it that are not in
// blocks of their own: nodes, in words without a pointer. The values of a node's
// byte are 256; each quarter of them that has any way is
//
//	word 0   a bit for each byte whose value differs from that of the byte before
//	from 1   the values, four to a word: of byte 0 and of each byte with its bit set
//
// so that the value of a byte is found by counting the bits up to its own. A dense
// quarter has no bits but the values of all bytes, so that a lookup touches one
// line of memory instead of two.
//
// A node is
//
//	its half   the half of the stem's address that ends at its depth
//	its word   from bit 0 its quarters, a byte each: where it begins, counted from
//	           the node's place, and its marks; from bit 32 its depth; from bit 36
//	           its place; from bit 48 the way of the longest prefix so far, or 0 if
//	           it is not known in this block
//
// and the quarters. Both are in front of the quarters, but for the first node of a
// block, where they are in the block's head.
const nodeHead = 2

const (
	quarterPlace = 1<<6 - 1
	someQuarter  = 1 << 6 // it is there
	denseQuarter = 1 << 7
	depthShift   = 32
	depthMask    = 15
	placeShift   = 36
	placeMask    = 1<<12 - 1
	wayShift     = 48
)

// manyValues is from how many values on a quarter is dense.
const manyValues = 20

// block is the head of a block, as long as a line of memory.
type block struct {
	words []uint64
	links []link // what nodes in it lead to
	half  uint64 // of the first node
	node  uint64 // its word
}

// link leads to a block. way is that of the longest prefix so far, or 0 if the block
// above does not know it.
type link struct {
	*block
	way uint16
}

// mostWords is from how many words on, of all stems below one, these get blocks of
// their own: a change writes whole blocks anew.
const mostWords = 192

// builder writes blocks and spreads.
type builder struct {
	known *knownFacts
	words []uint64
	links []link

	by, old, new runs
	spreads      []link6
}

// block gives s a block of its own.
func (b *builder) block(s *stem) *block {
	b.words, b.links = b.words[:0], b.links[:0]
	half, node := b.node(s, 0, 0)
	made := &block{words: make([]uint64, len(b.words)), links: slices.Clone(b.links), half: half, node: node}
	copy(made.words, b.words)
	return made
}

// noBlock is below a link that says a way and nothing more.
var noBlock = &block{}

// quarters gives the four of a stem that an index leads to, and its links. way is
// that of the longest prefix above the stem. It gives those of was again that are
// still right.
func (b *builder) quarters(s *stem, way uint16, was *[4]*quarter, known *known) (q [4]*quarter, links []link) {
	var values [256]uint16
	var edges [4]uint64
	b.links = b.links[:0]
	b.values(s, way, &values, &edges)
	below := b.links
	var large []int
	for i := range q {
		made, more, fits := coded((*[64]uint16)(values[64*i:]), edges[i], len(links))
		switch {
		case !fits:
			large = append(large, i)
			continue
		case made == *was[i]:
			q[i] = was[i]
		case edges[i]&^1 == 0:
			q[i] = known.quarter(int(made[0]))
		default:
			own := made
			q[i] = &own
		}
		for ; more != 0; more &= more - 1 {
			links = append(links, below[values[64*i+bits.TrailingZeros64(more)]&belowMask])
		}
	}
	if large != nil {
		for _, i := range large {
			q[i] = known.quarter(firstLink + len(links))
		}
		links = append(links, link{b.block(s), way})
	}
	return q, links
}

// coded gives values, which may change at edges, in bytes; and where there are links,
// which get numbers behind those of so many others. It may not fit.
func coded(values *[64]uint16, edges uint64, links int) (q quarter, linked uint64, fits bool) {
	edges &^= 1
	for at := 0; at < 64; {
		next := 64
		if edges != 0 {
			next = bits.TrailingZeros64(edges)
			edges &= edges - 1
		}
		code := int(values[at&63])
		switch {
		case code&isBelow != 0:
			linked |= 1 << at
			code = firstLink + links
			links++
		case code >= firstLink:
			return q, linked, false
		}
		if links == mostLinks {
			return q, linked, false
		}
		for i := range q[at:next] {
			q[at+i] = uint8(code)
		}
		at = next
	}
	return q, linked, true
}

// values fills in what becomes of each byte, and marks in edges where that may be
// another than of the byte before.
func (b *builder) values(s *stem, way uint16, values *[256]uint16, edges *[4]uint64) {
	s.routes.paint(b.known, values, edges, way)
	if s.fork == nil {
		return
	}
	for i, has := range s.fork.has {
		edges[i] |= has | has<<1
		for _, c := range s.fork.stems[i] {
			v := &values[64*i+bits.TrailingZeros64(has)]
			has &= has - 1
			if s.apart {
				b.links = append(b.links, link{c.block, *v})
				*v = isBelow | isApart | uint16(len(b.links)-1)
			} else {
				_, node := b.node(c.stem, *v, nodeHead)
				*v = isBelow | uint16(node>>placeShift&placeMask)
			}
		}
	}
}

// node writes the nodes of the stems below s and then its own, with so many words
// in front. way is that of the longest prefix above s in the block. It gives the
// node's half and word.
func (b *builder) node(s *stem, way uint16, head int) (front, node uint64) {
	var values [256]uint16
	var edges [4]uint64
	b.values(s, way, &values, &edges)
	place := len(b.words)
	front, _ = half(s.hi, s.lo, s.depth-1)
	node = uint64(s.depth)<<depthShift | uint64(place)<<placeShift | uint64(way)<<wayShift
	b.words = append(b.words, front, 0)[:place+head]
	for i := range edges {
		at := len(b.words) - place
		if mark := b.quarter((*[64]uint16)(values[64*i:]), edges[i]); mark != 0 {
			node |= uint64(at|mark) << (8 * i)
		}
	}
	if head > 0 {
		b.words[place+1] = node
	}
	return front, node
}

// quarter writes a quarter, whose values may change at edges. It gives its marks, 0
// if there is nothing in it.
func (b *builder) quarter(values *[64]uint16, edges uint64) int {
	var packed [16]uint64
	last := values[0]
	packed[0] = uint64(last)
	var set uint64
	n := 0
	for edges &^= 1; edges != 0; edges &= edges - 1 {
		at := bits.TrailingZeros64(edges)
		if v := values[at&63]; v != last {
			last = v
			n++
			set |= 1 << at
			packed[n/4&15] |= uint64(v) << (n % 4 * 16)
		}
	}
	switch {
	case n == 0 && last == 0:
		return 0
	case n+1 < manyValues:
		b.words = append(b.words, set)
		b.words = append(b.words, packed[:n/4+1]...)
		return someQuarter
	}
	for i := 0; i < 64; i += 4 {
		b.words = append(b.words, uint64(values[i])|uint64(values[i+1])<<16|uint64(values[i+2])<<32|uint64(values[i+3])<<48)
	}
	return someQuarter | denseQuarter
}
