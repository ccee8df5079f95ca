package fib

import "math/bits"

// A node is what lookups read of a stem, in consecutive words. The values of the
// last byte are its 256; each quarter of them is
//
//	word 0   a bit for each byte whose value differs from that of the byte before
//	from 1   the values, one for each bit set, behind one of zero
//
// and is named by the place of its first word. The value of a byte is the bits
// set up to its own, counted; with none set it is the zero in front. A dense
// quarter has no bitmap but the values of all bytes, so that a lookup touches one
// line of memory instead of two. A narrow quarter, with no stem below, has values
// of 16 bits: ways. A wide one has whole words: the way of the longest prefix so
// far, and the node below. A quarter without any value has no words, and its
// place is 0, where there are zeros.
//
// The slots of a chunk name the quarters themselves. All other nodes are found
// by their own place, and begin with
//
//	word 0   the half of the stem's address that ends at its depth
//	word 1   where the quarters are, behind the node's place, 16 bits each
const nodeHead = 2

// A word in a wide quarter. A word of zeros is neither node nor way.
const (
	placeMask  = 1<<32 - 1 // of the node below; 0 = none
	depthShift = 32        // of the stem below
	depthMask  = 15
	wayShift   = 48
)

// The marks of a wide and of a dense quarter: in a slot, and in the word that
// says where the quarters are.
const (
	wideSlot  = 1 << 31
	denseSlot = 1 << 30
	slotPlace = denseSlot - 1

	widePlace    = 1 << 15
	densePlace   = 1 << 14
	quarterPlace = densePlace - 1
)

// A quarter is dense from so many values on.
const (
	manyNarrow = 20
	manyWide   = 32
)

// word is how the node above names that of s.
func (s *stem) word() uint64 { return uint64(s.place) | uint64(s.depth)<<depthShift }

// quarters is a node as it is made.
type quarters struct {
	ways  [256]uint16
	edges [4]uint64 // where ways may change
	words [4 * (1 + 1 + 64)]uint64
	n     int
	at    [4]uint32 // where each begins, with its marks; 0 = it has no value

	values [1 + 64]uint64 // of the quarter at hand
}

// write makes the node of s anew, where it is if it still fits.
func (d *draft) write(s *stem) {
	q := &d.made
	q.n = 0
	s.routes.paint(&q.ways, &q.edges)
	next := 0
	for i := range q.at {
		if s.fork == nil || s.fork.has[i] == 0 {
			q.narrow(i)
		} else {
			q.wide(i, s.fork.has[i], s.fork.stems[next:])
			next += bits.OnesCount64(s.fork.has[i])
		}
	}
	n := nodeHead + q.n
	place := s.place
	if place == 0 && s.depth == 4 {
		d.short.stems++
	}
	if place == 0 || !d.fits(place, n) {
		if place != 0 {
			d.give(place)
		}
		place = d.take(n)
	}
	g := d.own(place / pageWords)[place%pageWords:]
	g[0], _ = half(s.hi, s.lo, s.depth-1)
	g[1] = 0
	for i, at := range q.at {
		g[1] |= uint64(at) << (16 * i)
		s.quarter[i] = 0
		if at != 0 {
			s.quarter[i] = place + at&quarterPlace | at&^quarterPlace<<16
		}
	}
	copy(g[nodeHead:], q.words[:q.n])
	s.place = place
	if s.depth == 4 { // only IPv6 has such
		d.short.set(uint32(s.hi>>32), &s.quarter)
	}
}

// narrow adds a quarter of ways alone.
func (q *quarters) narrow(i int) {
	values := q.words[q.n+1:]
	values[0] = 0
	var last uint16
	var set uint64
	n := 0
	for edges := q.edges[i] | 1; edges != 0; edges &= edges - 1 {
		b := bits.TrailingZeros64(edges)
		if way := q.ways[64*i+b]; way != last {
			last = way
			n++
			set |= 1 << b
			if n%4 == 0 {
				values[n/4] = 0
			}
			values[n/4] |= uint64(way) << (n % 4 * 16)
		}
	}
	q.at[i] = uint32(nodeHead + q.n)
	switch {
	case n == 0:
		q.at[i] = 0
	case n >= manyNarrow:
		q.at[i] |= densePlace
		words := q.words[q.n:]
		for b, ways := 0, q.ways[64*i:]; b < 64; b += 4 {
			words[b/4] = uint64(ways[b]) | uint64(ways[b+1])<<16 | uint64(ways[b+2])<<32 | uint64(ways[b+3])<<48
		}
		q.n += 64 / 4
	default:
		q.words[q.n] = set
		q.n += 1 + n/4 + 1
	}
}

// wide adds a quarter with stems below, at the bytes in has.
func (q *quarters) wide(i int, has uint64, stems []*stem) {
	q.values[0] = 0
	var last, set uint64
	n := 0
	for edges := q.edges[i] | 1 | has | has<<1; edges != 0; edges &= edges - 1 {
		b := bits.TrailingZeros64(edges)
		v := uint64(q.ways[64*i+b]) << wayShift
		if has>>b&1 == 1 {
			v |= stems[0].word()
			stems = stems[1:]
		}
		if v != last {
			last = v
			n++
			set |= 1 << b
			q.values[n] = v
		}
	}
	q.at[i] = uint32(nodeHead+q.n) | widePlace
	if n < manyWide {
		q.words[q.n] = set
		copy(q.words[q.n+1:], q.values[:n+1])
		q.n += 1 + n + 1
		return
	}
	q.at[i] |= densePlace
	n = 0
	for b := range 64 {
		n += int(set >> b & 1)
		q.words[q.n+b] = q.values[n]
	}
	q.n += 64
}

// erase takes the node of s back.
func (d *draft) erase(s *stem) {
	if s.place != 0 {
		d.give(s.place)
		if s.depth == 4 {
			d.short.stems--
			d.short.set(uint32(s.hi>>32), nil)
		}
	}
	s.place = 0
}
