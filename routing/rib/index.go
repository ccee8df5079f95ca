package rib

import (
	"iter"
	"net/netip"

	"github.com/gaissmai/bart"

	"routerd/routing/fib"
)

// index finds the numbers of prefixes. It has one writer, the RIB's owner.
type index struct{ trie bart.Table[number] }

// get gives the number of exactly this prefix, 0 where it has none.
func (x *index) get(p netip.Prefix) number {
	n, _ := x.trie.Get(p)
	return n
}

// add gives the number of a prefix, which make gives if it is new.
func (x *index) add(p netip.Prefix, make func() number) (n number, made bool) {
	x.trie.Modify(p, func(was number, ok bool) (number, bool) {
		if n, made = was, !ok; made {
			n = make()
		}
		return n, false
	})
	return n, made
}

func (x *index) remove(p netip.Prefix) { x.trie.Delete(p) }

// above yields the prefixes that contain a, the longest first.
func (x *index) above(a netip.Addr) iter.Seq[number] {
	return func(yield func(number) bool) {
		for _, n := range x.trie.Supernets(hostPrefix(a)) {
			if !yield(n) {
				return
			}
		}
	}
}

// behind yields the prefixes behind after in order of address and length, IPv4
// first; all for the zero Prefix.
func (x *index) behind(after netip.Prefix) iter.Seq[number] {
	return func(yield func(number) bool) {
		for _, n := range fib.Behind(&x.trie, after) {
			if !yield(n) {
				return
			}
		}
	}
}

// sizes is how many prefixes there are, IPv4 and IPv6.
func (x *index) sizes() (v4, v6 int) { return x.trie.Size4(), x.trie.Size6() }
