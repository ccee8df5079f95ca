package ospf

import "net/netip"

// Prefixes gives a number to each prefix that LSAs name, so that routes are
// arrays by number. A number whose prefix nobody names any more is given again. It
// is shared by all areas of a router.
type Prefixes struct {
	numbers map[netip.Prefix]int32
	list    []netip.Prefix
	uses    []int32
	free    []int32
	// released are numbers that were free at some time since somebody emptied it.
	released []int32
}

// NewPrefixes makes an empty one.
func NewPrefixes() *Prefixes { return &Prefixes{numbers: map[netip.Prefix]int32{}} }

// use gives the number of p, which has to be released as often.
func (s *Prefixes) use(p netip.Prefix) int32 {
	n, known := s.numbers[p]
	switch {
	case known:
	case len(s.free) > 0:
		n = s.free[len(s.free)-1]
		s.free = s.free[:len(s.free)-1]
		s.list[n], s.numbers[p] = p, n
	default:
		n = int32(len(s.list))
		s.list, s.uses = append(s.list, p), append(s.uses, 0)
		s.numbers[p] = n
	}
	s.uses[n]++
	return n
}

func (s *Prefixes) release(n int32) {
	if s.uses[n]--; s.uses[n] == 0 {
		delete(s.numbers, s.list[n])
		s.free = append(s.free, n)
		s.released = append(s.released, n)
	}
}
