package rib

import (
	"encoding/binary"
	"net/netip"
)

// number is the dense number of a prefix for which there is a candidate, or was
// one until the next settling; 0 is none. Numbers are given again.
type number uint32

// page is a fixed array of a slab: the slab grows without being copied, and a
// small table does not pay for a large one.
const (
	pageBits = 8
	pageSize = 1 << pageBits
)

// slab keeps values by dense numbers, from 0, and has nothing in it for the
// garbage collector to follow but one pointer for each page.
type slab[T any] struct {
	pages []*[pageSize]T
	used  uint32     // numbers given so far, those that are free included
	free  []uint32   // to be given again, the last first
	more  [][]uint32 // those to be given after them, freeAtOnce in each
}

// freeAtOnce is how long one list of free numbers may be: it is copied as it grows.
const freeAtOnce = 1 << 16

func (s *slab[T]) at(n uint32) *T { return &s.pages[n>>pageBits][n%pageSize] }

// take gives a number. What stands there is what was last.
func (s *slab[T]) take() uint32 {
	if n := len(s.more); n > 0 && len(s.free) == 0 {
		s.free, s.more = s.more[n-1], s.more[:n-1]
	}
	if n := len(s.free); n > 0 {
		id := s.free[n-1]
		s.free = s.free[:n-1]
		return id
	}
	if s.used%pageSize == 0 {
		s.grow()
	}
	s.used++
	return s.used - 1
}

// give takes a number back.
func (s *slab[T]) give(n uint32) {
	if len(s.free) == freeAtOnce {
		s.more, s.free = append(s.more, s.free), nil
	}
	s.free = append(s.free, n)
}

// cover makes room for number n of another slab, whose numbers are used here too.
func (s *slab[T]) cover(n uint32) {
	for int(n>>pageBits) >= len(s.pages) {
		s.grow()
	}
}

// grow adds a page, and writes to it before anybody reads it: for a read the kernel would
// map its page of zeros, and then the write costs a second fault, and an interrupt to each
// processor that the router runs on.
func (s *slab[T]) grow() {
	page := new([pageSize]T)
	s.pages = append(s.pages, page)
	*page = [pageSize]T{}
}

// dest is a prefix with its best candidate. There may be millions, so it is
// small and holds no pointer.
type dest struct {
	candidate
	more  ref    // the next best
	key   uint32 // an IPv4 address, or the number of an IPv6 one
	leads leads  // as in the FIB
	bits  uint8
	flags destFlags
}

type destFlags uint8

const (
	isIPv6    destFlags = 1 << iota
	isTransit           // next hops lie in it, see transit
	isOffered           // some subscriber may have been offered this prefix
	isDirty             // it is among those that inputs touched
	isPending           // while settling: not decided yet
	isUsed              // the number is not free
	isHeld              // it is kept without a candidate, see outbox.go
)

func (d *dest) is(f destFlags) bool { return d.flags&f != 0 }

// spare is a candidate that is not the best of its prefix.
type spare struct {
	candidate
	more ref
	dest number
}

// transit is what is to be known of a prefix that watched next hops lie in. There
// are few of those.
type transit struct {
	watches int
	looped  []*watch // next hops that resolve back through this prefix; mostly none
	visited bool     // while settling: looked at in this round
	was     facts    // while settling: what the FIB holds
}

// slabs are the prefixes and candidates by number. The sets of next hops stand by
// themselves, so that all who lead by a set are found in one pass over little
// memory.
type slabs struct {
	index  index
	dests  slab[dest]
	hops   slab[uint32] // of the best candidates, by the number of the prefix, whose slab gives it
	spares slab[spare]
	shops  slab[uint32] // of the spares, by theirs
	six    slab[[16]byte]
}

// init makes them such that 0 is none, everywhere.
func (t *slabs) init() {
	t.dests.take()
	t.hops.cover(0)
	t.spares.take()
	t.shops.cover(0)
}

func (t *slabs) at(n number) *dest { return t.dests.at(uint32(n)) }

// prefix gives the prefix of n.
func (t *slabs) prefix(n number) netip.Prefix {
	d := t.at(n)
	if d.is(isIPv6) {
		return netip.PrefixFrom(netip.AddrFrom16(*t.six.at(d.key)), int(d.bits))
	}
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], d.key)
	return netip.PrefixFrom(netip.AddrFrom4(b), int(d.bits))
}

// find gives the number of a prefix, 0 if it has none.
func (t *slabs) find(p netip.Prefix) number { return t.lookup(keyOf(p)) }

// number gives the number of a prefix, and whether it is new: then there is no
// candidate yet.
func (t *slabs) number(p netip.Prefix) (n number, made bool) {
	k := keyOf(p)
	b, depth := t.index.leaf(&k, true)
	i, found := t.place(b, depth, &k)
	if found {
		t.index.last.next = i + 1
		return b.slots[i], false
	}
	n = number(t.dests.take())
	t.hops.cover(uint32(n))
	d := t.at(n)
	*d = dest{bits: k.bits, key: uint32(k.hi >> 32), flags: isUsed}
	if k.six {
		d.flags |= isIPv6
		d.key = t.six.take()
		*t.six.at(d.key) = p.Addr().As16()
	}
	t.enter(b, depth, i, &k, n)
	return n, true
}

// forget frees the number of a prefix that nothing refers to any more.
func (t *slabs) forget(n number) {
	k := t.key(n)
	t.leave(&k, n)
	d := t.at(n)
	if d.is(isIPv6) {
		t.six.give(d.key)
	}
	*d = dest{}
	t.dests.give(uint32(n))
}

// family is 0 for IPv4 and 1 for IPv6.
func (d *dest) family() int {
	if d.is(isIPv6) {
		return 1
	}
	return 0
}

// inFamily reports whether d is of the family 4 or 6; 0 is both.
func (d *dest) inFamily(family int) bool {
	return family == 0 || (family == 6) == d.is(isIPv6)
}

// paged is a list that grows without being copied.
type paged[T any] struct {
	pages [][]T
	n     int
}

const pagedSize = 1024

func (p *paged[T]) add(v T) {
	if p.n%pagedSize == 0 {
		c := 8 // most lists are short
		if p.n > 0 {
			c = pagedSize
		}
		p.pages = append(p.pages, make([]T, 0, c))
	}
	last := &p.pages[len(p.pages)-1]
	*last = append(*last, v)
	p.n++
}

func (p *paged[T]) at(i int) *T { return &p.pages[i/pagedSize][i%pagedSize] }

// bitmap is a set of numbers. It grows by pages, without being copied, and a few
// numbers take a few pages.
type bitmap []*[bitmapPage / 64]uint64

const bitmapPage = 1 << 12

func (b bitmap) has(n uint32) bool {
	if p := int(n / bitmapPage); p < len(b) && b[p] != nil {
		return b[p][n%bitmapPage/64]>>(n%64)&1 != 0
	}
	return false
}

// clear takes out a number that the set has.
func (b bitmap) clear(n uint32) { b[n/bitmapPage][n%bitmapPage/64] &^= 1 << (n % 64) }

func (b *bitmap) set(n uint32) {
	p := int(n / bitmapPage)
	if p >= len(*b) {
		*b = append(*b, make(bitmap, p+1-len(*b))...)
	}
	if (*b)[p] == nil {
		(*b)[p] = new([bitmapPage / 64]uint64)
	}
	(*b)[p][n%bitmapPage/64] |= 1 << (n % 64)
}

// traces say of which prefixes a settling changes the FIB, and which of these the
// FIB in use has: two bits for each number, in pages as in a bitmap.
type traces []*[2 * bitmapPage / 64]uint64

func (b traces) of(n uint32) (changes, had bool) {
	if p := int(n / bitmapPage); p < len(b) && b[p] != nil {
		x := b[p][n%bitmapPage/32] >> (n % 32 * 2)
		return x&1 != 0, x&2 != 0
	}
	return false, false
}

func (b *traces) set(n uint32, had bool) {
	p := int(n / bitmapPage)
	if p >= len(*b) {
		*b = append(*b, make(traces, p+1-len(*b))...)
	}
	if (*b)[p] == nil {
		(*b)[p] = new([2 * bitmapPage / 64]uint64)
	}
	(*b)[p][n%bitmapPage/32] |= uint64(1+2*btoi(had)) << (n % 32 * 2)
}
