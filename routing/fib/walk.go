package fib

import (
	"encoding/binary"
	"net/netip"
)

// cursor gathers a page of entries in order of address and length.
type cursor struct {
	hi, lo uint64 // the prefix behind which the page begins
	bits   uint8
	begun  bool // false = the page begins at the start
	six    bool // of IPv6
	page   []*Entry
	max    int
	facts  *factsTable
	met    func(number uint32) // if set, gets the number of each entry's facts instead of the page
}

func (c *cursor) begin(p netip.Prefix) {
	c.begun, c.bits = true, uint8(p.Bits())
	if p.Addr().Is4() {
		c.hi, c.lo = parts4(p.Addr())
	} else {
		c.hi, c.lo = parts6(p.Addr())
	}
}

func (c *cursor) full() bool { return len(c.page) == c.max }

// passed reports whether a prefix is not behind the cursor.
func (c *cursor) passed(hi, lo uint64, n uint8) bool {
	if !c.begun {
		return false
	}
	if hi != c.hi {
		return hi < c.hi
	}
	if lo != c.lo {
		return lo < c.lo
	}
	return n <= c.bits
}

// gone reports whether all prefixes in this one, which is at least as long as it
// is wide, are before the cursor.
func (c *cursor) gone(hi, lo uint64, n uint8) bool {
	if !c.begun {
		return false
	}
	h, l := front(c.hi, c.lo, n)
	return hi < h || hi == h && lo < l
}

// prefixOf is a prefix as those who ask know it.
func prefixOf(hi, lo uint64, bits uint8, six bool) netip.Prefix {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], hi)
	binary.BigEndian.PutUint64(b[8:], lo)
	if six {
		return netip.PrefixFrom(netip.AddrFrom16(b), int(bits)).Masked()
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte(b[:4])), int(bits)).Masked()
}

// entryOf is the entry with these facts.
func entryOf(x *facts, p netip.Prefix) *Entry {
	e := x.said
	e.Prefix = p
	return &e
}

// family walks through f.
func (c *cursor) family(f family) {
	c.level(f.routes[f.which], 0, 0, 0, func(b byte) {
		hi := uint64(b) << 56
		if f.which == four && f.four[hi>>60][hi>>56&15] == noPart4 || f.which == six && f.six[hi>>60][hi>>56&15] == noPart6 || c.gone(hi, 0, 8) {
			return
		}
		c.level(f.second(f.which, hi), hi, 0, 1, func(b byte) {
			hi := hi | uint64(b)<<48
			switch {
			case f.which == four:
				c.stem(f.stem(four, hi))
			case f.sites(hi) != noSites && !c.gone(hi, 0, 16):
				c.level(f.sites(hi).routes, hi, 0, 2, func(b byte) { c.stem(f.stem(six, hi|uint64(b)<<40)) })
			}
		})
	})
}

func (c *cursor) stem(s *stem) {
	if s == nil || c.gone(s.hi, s.lo, 8*s.depth) {
		return
	}
	c.level(&s.routes, s.hi, s.lo, s.depth, func(b byte) { c.stem(s.below(b)) })
}

// level walks through the prefixes that end in the byte number depth behind the
// bytes of hi and lo, and has below walk through what is longer.
func (c *cursor) level(l *list, hi, lo uint64, depth uint8, below func(byte)) {
	var room [mostKeys]uint32
	keys := l.merged(&room)
	next := 0
	for b := 0; b < 256 && !c.full(); b++ {
		for ; next < len(keys) && !c.full(); next++ {
			if first, _ := span(keys[next] >> factsBits); first != b {
				break
			}
			h, w := hi, lo
			if depth < 8 {
				h |= uint64(b) << (56 - 8*depth)
			} else {
				w |= uint64(b) << (56 - 8*(depth-8))
			}
			bits := 8*depth + uint8(keys[next]>>factsBits&15)
			switch {
			case c.passed(h, w, bits):
			case c.met != nil:
				c.met(keys[next] & factsMask)
			default:
				p := prefixOf(h, w, bits, c.six)
				c.page = append(c.page, entryOf(c.facts.of(keys[next]&factsMask, p), p))
			}
		}
		if !c.full() {
			below(byte(b))
		}
	}
}
