package ospf

import (
	"encoding/binary"
	"net/netip"

	"routerd/routing/ospf/wire"
)

// Prefixes gives a number to each prefix that LSAs name, so that routes are
// arrays by number. A number whose prefix nobody names any more is given again. It
// is shared by all areas of a router.
type Prefixes struct {
	numbers index // of prefixKeys
	uses    []int32
	free    []int32
	// released are numbers that were free at some time since somebody emptied it.
	released []int32
}

// prefixKey is a prefix in the bits of a number, a quarter of the memory. Zero is none.
type prefixKey uint64

func keyOf(p netip.Prefix) prefixKey {
	a := p.Addr().As4()
	return prefixKey(binary.BigEndian.Uint32(a[:]))<<8 | prefixKey(p.Bits())<<1 | 1
}

// prefix gives the prefix, invalid where there is none.
func (k prefixKey) prefix() netip.Prefix {
	if k == 0 {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(wire.ID(k>>8).Addr(), k.bits())
}

func (k prefixKey) bits() int { return int(k & 0xff >> 1) }

// NewPrefixes makes an empty one.
func NewPrefixes() *Prefixes { return &Prefixes{} }

// len is how many numbers there ever were.
func (s *Prefixes) len() int { return len(s.uses) }

// key is the prefix that has a number, or had it last.
func (s *Prefixes) key(n int32) prefixKey { return prefixKey(s.numbers.keys[n]) }

// prefix is the same as a prefix.
func (s *Prefixes) prefix(n int32) netip.Prefix { return s.key(n).prefix() }

// find gives the number of p, if anybody names it.
func (s *Prefixes) find(p netip.Prefix) (n int32, known bool) {
	if !p.Addr().Is4() {
		return 0, false
	}
	return s.numbers.find(uint64(keyOf(p)))
}

// use gives the number of p, which has to be released as often.
func (s *Prefixes) use(p netip.Prefix) int32 {
	key := uint64(keyOf(p))
	n, known := s.numbers.find(key)
	if !known {
		if last := len(s.free) - 1; last >= 0 {
			n, s.free = s.free[last], s.free[:last]
		} else {
			n = int32(len(s.uses))
			s.uses = append(double(s.uses), 0)
		}
		s.numbers.add(key, n)
	}
	s.uses[n]++
	return n
}

func (s *Prefixes) release(n int32) {
	if s.uses[n]--; s.uses[n] == 0 {
		s.numbers.remove(s.numbers.keys[n])
		s.free = append(s.free, n)
		s.released = append(s.released, n)
	}
}
