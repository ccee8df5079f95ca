package ospf

import (
	"encoding/binary"
	"net/netip"
)

// Prefixes gives a number to each prefix that LSAs name, so that routes are
// arrays by number. A number whose prefix nobody names any more is given again. It
// is shared by all areas of a router.
type Prefixes struct {
	numbers map[prefixKey]int32
	list    []netip.Prefix
	uses    []int32
	free    []int32
	// released are numbers that were free at some time since somebody emptied it.
	released []int32
}

// prefixKey is a prefix in the bits of a number, which a map finds in half of the time
// and of the memory.
type prefixKey uint64

func keyOf(p netip.Prefix) prefixKey {
	a := p.Addr().As4()
	return prefixKey(binary.BigEndian.Uint32(a[:]))<<8 | prefixKey(p.Bits())
}

// NewPrefixes makes an empty one.
func NewPrefixes() *Prefixes { return &Prefixes{numbers: map[prefixKey]int32{}} }

// find gives the number of p, if anybody names it.
func (s *Prefixes) find(p netip.Prefix) (n int32, known bool) {
	if !p.Addr().Is4() {
		return 0, false
	}
	n, known = s.numbers[keyOf(p)]
	return n, known
}

// use gives the number of p, which has to be released as often.
func (s *Prefixes) use(p netip.Prefix) int32 {
	key := keyOf(p)
	n, known := s.numbers[key]
	switch {
	case known:
	case len(s.free) > 0:
		n = s.free[len(s.free)-1]
		s.free = s.free[:len(s.free)-1]
		s.list[n], s.numbers[key] = p, n
	default:
		n = int32(len(s.list))
		s.list, s.uses = append(s.list, p), append(s.uses, 0)
		s.numbers[key] = n
	}
	s.uses[n]++
	return n
}

func (s *Prefixes) release(n int32) {
	if s.uses[n]--; s.uses[n] == 0 {
		delete(s.numbers, keyOf(s.list[n]))
		s.free = append(s.free, n)
		s.released = append(s.released, n)
	}
}
