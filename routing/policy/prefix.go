package policy

import (
	"crypto/sha256"
	"net/netip"

	"github.com/gaissmai/bart"
)

// prefixSet answers whether it holds a prefix.
type prefixSet struct {
	name  string
	table bart.Table[lengths]
	of    families
	sum   digest
}

// lengths are those from 0 to 128 that a set accepts below one of its prefixes.
type lengths [3]uint64

func (l *lengths) add(low, high uint8) {
	for n := int(low); n <= int(high); n++ {
		l[n>>6] |= 1 << (n & 63)
	}
}

func (l *lengths) has(n int) bool { return l[n>>6]&(1<<(n&63)) != 0 }

// newPrefixSet compiles the entries. The most specific entry that contains a
// prefix answers for all of them, so each is given what those around it accept.
func newPrefixSet(c *PrefixSet) *prefixSet {
	s := &prefixSet{name: c.Name}
	var said []byte
	for _, e := range c.Entries {
		l, _ := s.table.Get(e.Prefix)
		l.add(e.Low, e.High)
		s.table.Insert(e.Prefix, l)
		s.of |= familyOf(e.Prefix.Addr())
		said = append(append(e.Prefix.AppendTo(said), ' ', e.Low, e.High), '\n')
	}
	s.sum = sha256.Sum256(said)
	var all []netip.Prefix
	for p := range s.table.AllSorted() { // the wider ones first
		all = append(all, p)
	}
	for _, p := range all {
		l, _ := s.table.Get(p)
		for _, around := range s.table.Supernets(p) {
			for i := range l {
				l[i] |= around[i]
			}
		}
		s.table.Insert(p, l)
	}
	return s
}

func (s *prefixSet) holds(p netip.Prefix) bool {
	l, ok := s.table.LookupPrefix(p)
	return ok && l.has(p.Bits())
}
