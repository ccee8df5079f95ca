package fib

import (
	"iter"
	"net/netip"
)

// Sorted is the interface of a prefix table that Behind can walk; bart's tables
// have it.
type Sorted[V any] interface {
	AllSorted() iter.Seq2[netip.Prefix, V]
	AllSorted6() iter.Seq2[netip.Prefix, V]
	// Subnets yields the entries within a prefix, itself included, sorted.
	Subnets(netip.Prefix) iter.Seq2[netip.Prefix, V]
}

// Behind yields the entries of a table after the prefix after, sorted by
// address and length, IPv4 first; all for the zero Prefix.
//
// First come the entries inside the prefix and then, from the innermost
// outwards, those in the right-hand siblings of the prefix and of all prefixes
// that contain it. So a cursor is found in at most one descent per bit, and no
// entry before it is touched.
func Behind[V any](t Sorted[V], after netip.Prefix) iter.Seq2[netip.Prefix, V] {
	if !after.IsValid() {
		return t.AllSorted()
	}
	after = after.Masked()
	return func(yield func(netip.Prefix, V) bool) {
		for p, v := range t.Subnets(after) {
			if p != after && !yield(p, v) {
				return
			}
		}
		for n := after.Bits(); n > 0; n-- {
			sibling, ok := rightSibling(after.Addr(), n)
			if !ok {
				continue
			}
			for p, v := range t.Subnets(sibling) {
				if !yield(p, v) {
					return
				}
			}
		}
		if after.Addr().Is4() {
			for p, v := range t.AllSorted6() {
				if !yield(p, v) {
					return
				}
			}
		}
	}
}

// rightSibling gives the other half of the prefix of n-1 bits around a, if a
// lies in the left one. n counts from 1.
func rightSibling(a netip.Addr, n int) (netip.Prefix, bool) {
	b := a.As16()
	bit := n - 1
	if a.Is4() {
		bit += 96
	}
	mask := byte(0x80) >> (bit % 8)
	if b[bit/8]&mask != 0 {
		return netip.Prefix{}, false
	}
	b[bit/8] |= mask
	r := netip.AddrFrom16(b)
	if a.Is4() {
		r = r.Unmap()
	}
	return netip.PrefixFrom(r, n).Masked(), true
}
