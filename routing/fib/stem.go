package fib

import "math/bits"

// family is all prefixes of IPv4 or of IPv6, and what their entries say: a tree by
// the bytes of an address. An index leads to a stem behind the first two bytes of IPv4,
// and the first three of IPv6; below, there is a stem for each byte at which prefixes
// end or part, and none for those in between. Lookups read the blocks that are written
// from it.
//
// An IPv4 address is the first four of the sixteen bytes.
type family struct {
	*indexes
	which int
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
func (s *stem) below(b byte) *stem { return s.child(b).stem }

// child gives the same with its block.
func (s *stem) child(b byte) child {
	if s.fork == nil {
		return child{}
	}
	if i, ok := s.fork.index(b); ok {
		return s.fork.stems[b>>6][i]
	}
	return child{}
}

// second gives the prefixes of 9 to 16 bits behind the first byte of an address.
func (x *indexes) second(which int, hi uint64) *list {
	if which == four {
		return x.four[hi>>60][hi>>56&15].routes
	}
	return x.six[hi>>60][hi>>56&15].routes
}

// sites gives what is behind the first two bytes of an IPv6 address.
func (x *indexes) sites(hi uint64) *sites {
	return x.six[hi>>60][hi>>56&15].to[hi>>52&15][hi>>48&15]
}

// stem gives that to which an index leads, or nil.
func (x *indexes) stem(which int, hi uint64) *stem {
	if which == four {
		return x.four[hi>>60][hi>>56&15].to[hi>>51&31].stems[hi>>48&7]
	}
	return x.sites(hi).to[hi>>43&31].stems[hi>>40&7]
}

// get gives the number of the facts of exactly this prefix, or noFacts.
func (f family) get(hi, lo uint64, n uint8) uint32 {
	switch {
	case n <= 8:
		return f.routes[f.which].find(spot(byte(hi>>56), n))
	case n <= 16:
		return f.second(f.which, hi).find(spot(byte(hi>>48), n-8))
	case n <= 24 && f.which == six:
		return f.sites(hi).routes.find(spot(byte(hi>>40), n-16))
	}
	s := f.stem(f.which, hi)
	for s != nil && n > 8*s.depth && s.holds(hi, lo) {
		b := byteAt(hi, lo, s.depth)
		if n <= 8*(s.depth+1) {
			return s.routes.find(spot(b, n-8*s.depth))
		}
		s = s.below(b)
	}
	return noFacts
}

// lookup gives the number of the facts of the longest prefix that contains an address,
// and its length; or noFacts.
func (f family) lookup(hi, lo uint64) (best uint32, bits uint8) {
	level := func(l *list, depth uint8) {
		if e, n := l.longest(byteAt(hi, lo, depth)); e != noFacts {
			best, bits = e, 8*depth+n
		}
	}
	level(f.routes[f.which], 0)
	level(f.second(f.which, hi), 1)
	if f.which == six {
		level(f.sites(hi).routes, 2)
	}
	for s := f.stem(f.which, hi); s != nil && s.holds(hi, lo); {
		level(&s.routes, s.depth)
		if s.depth == 15 {
			break
		}
		s = s.below(byteAt(hi, lo, s.depth))
	}
	return best, bits
}
