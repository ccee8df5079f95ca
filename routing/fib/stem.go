package fib

import "math/bits"

// family is all prefixes of IPv4 or of IPv6, and what their entries say: a tree by
// the bytes of an address. The first two are an index; below, there is a stem for
// each byte at which prefixes end or part, and none for those in between. Lookups
// read the blocks that are written from it.
//
// An IPv4 address is the first four of the sixteen bytes.
type family struct {
	top    *[16]*group
	routes *list // lengths 0 to 8
}

// group is 16 of the values of the first byte.
type group [16]*chunk

// chunk is the values of the second byte.
type chunk struct {
	routes list // lengths 9 to 16
	stems  [16]*[16]*stem
	below  int // stems
}

// stem is the prefixes that end in the byte number depth, behind the same bytes
// in front, and the stems below it.
//
// There is one where prefixes end or at least two stems are below. There is one at
// depth 7 or 8 above every deeper one, so that a node needs to compare one half of
// the address only; one at depth 2 above every other; and of IPv6 one at depth 3
// above every deeper one. To these an index leads.
type stem struct {
	hi, lo uint64 // the bytes in front; zeros from depth on
	routes list
	fork   *fork  // nil without a stem below
	inner  uint32 // the sum of words of the stems below
	words  uint16 // at most what it takes in the block of the stem above
	depth  uint8
	apart  bool // the stems below have blocks of their own
}

// fork is the stems below a stem, by the byte that tells them apart: those of each
// quarter of it, in order.
type fork struct {
	has   [4]uint64
	stems [4][]child
}

// child is a stem below another one, with its block if it has one of its own. The
// blocks are here, side by side, since whoever writes a block needs those of all
// stems below.
type child struct {
	*stem
	block *block
}

var (
	noStems  [16]*stem
	noChunk  = newChunk()
	noGroup  = newGroup()
	noGroups = newGroups()
)

func newChunk() *chunk {
	c := &chunk{}
	for i := range c.stems {
		c.stems[i] = &noStems
	}
	return c
}

func newGroup() *group {
	g := &group{}
	for i := range g {
		g[i] = noChunk
	}
	return g
}

func newGroups() (g [16]*group) {
	for i := range g {
		g[i] = noGroup
	}
	return g
}

// half gives the eight bytes of an address among which byte number depth is,
// and the shift that brings it down.
func half(hi, lo uint64, depth uint8) (uint64, uint8) {
	if depth < 8 {
		return hi, 56 - 8*depth
	}
	return lo, 56 - 8*(depth-8)
}

// byteAt gives byte number depth of an address.
func byteAt(hi, lo uint64, depth uint8) byte {
	h, shift := half(hi, lo, depth)
	return byte(h >> shift)
}

// front gives the first n bits of an address, the others as zeros.
func front(hi, lo uint64, n uint8) (uint64, uint64) {
	if n <= 64 {
		return hi &^ (^uint64(0) >> n), 0
	}
	return hi, lo &^ (^uint64(0) >> (n - 64))
}

// alike is how many bytes two addresses have in common in front.
func alike(hi, lo, hi2, lo2 uint64) uint8 {
	if d := hi ^ hi2; d != 0 {
		return uint8(bits.LeadingZeros64(d) / 8)
	}
	return 8 + uint8(bits.LeadingZeros64(lo^lo2)/8)
}

// holds reports whether an address is behind the bytes of s.
func (s *stem) holds(hi, lo uint64) bool { return alike(hi, lo, s.hi, s.lo) >= s.depth }

// index is the place among the stems of its quarter of the one at the byte b, and
// whether there is one.
func (f *fork) index(b byte) (int, bool) {
	n := bits.OnesCount64(f.has[b>>6] << (63 - b&63))
	if f.has[b>>6]>>(b&63)&1 == 0 {
		return n, false
	}
	return n - 1, true
}

// len is how many stems there are.
func (f *fork) len() (n int) {
	if f == nil {
		return 0
	}
	for _, part := range f.stems {
		n += len(part)
	}
	return n
}

// first gives the first stem; there has to be one.
func (f *fork) first() *stem {
	for _, part := range f.stems {
		if len(part) > 0 {
			return part[0].stem
		}
	}
	return nil
}

// below gives the stem at the byte b, or nil.
func (s *stem) below(b byte) *stem {
	if s.fork == nil {
		return nil
	}
	if i, ok := s.fork.index(b); ok {
		return s.fork.stems[b>>6][i].stem
	}
	return nil
}

// at gives the stem below a value of the second byte, or nil.
func (c *chunk) at(b byte) *stem { return c.stems[b>>4][b&15] }

// chunkOf gives what the first byte of an address leads to.
func (f family) chunkOf(hi uint64) *chunk { return f.top[hi>>60][hi>>56&15] }

// get gives the entry of exactly this prefix, or nil.
func (f family) get(hi, lo uint64, n uint8) facts {
	switch {
	case n <= 8:
		return f.routes.get(spot(byte(hi>>56), n))
	case n <= 16:
		return f.chunkOf(hi).routes.get(spot(byte(hi>>48), n-8))
	}
	s := f.chunkOf(hi).at(byte(hi >> 48))
	for s != nil && n > 8*s.depth && s.holds(hi, lo) {
		b := byteAt(hi, lo, s.depth)
		if n <= 8*(s.depth+1) {
			return s.routes.get(spot(b, n-8*s.depth))
		}
		s = s.below(b)
	}
	return noFacts
}

// lookup gives the facts of the longest prefix that contains an address, and its
// length; or noFacts.
func (f family) lookup(hi, lo uint64) (best facts, bits uint8) {
	c := f.chunkOf(hi)
	best, bits = c.routes.longest(byte(hi >> 48))
	bits += 8
	for s := c.at(byte(hi >> 48)); s != nil && s.holds(hi, lo); {
		b := byteAt(hi, lo, s.depth)
		if e, n := s.routes.longest(b); e != noFacts {
			best, bits = e, 8*s.depth+n
		}
		if s.depth == 15 {
			break
		}
		s = s.below(b)
	}
	if best == noFacts {
		return f.routes.longest(byte(hi >> 56))
	}
	return best, bits
}
