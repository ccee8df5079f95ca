package acl

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"
)

// address is an IP address as a number; that of an IPv4 address is in lo.
type address struct{ hi, lo uint64 }

func numberOf(a netip.Addr) address {
	if a.Is4() {
		b := a.As4()
		return address{lo: uint64(binary.BigEndian.Uint32(b[:]))}
	}
	b := a.As16()
	return address{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func (a address) compare(b address) int {
	switch {
	case a == b:
		return 0
	case a.hi < b.hi || a.hi == b.hi && a.lo < b.lo:
		return -1
	}
	return 1
}

// next is the number after a, and whether there is one.
func (a address) next() (address, bool) {
	lo, carry := bits.Add64(a.lo, 1, 0)
	hi, over := bits.Add64(a.hi, 0, carry)
	return address{hi, lo}, over == 0
}

// interval is a range of values of one kind, both ends included.
type interval struct{ lo, hi address }

// ranges tells for a value which rules have it. Between two cuts that is the
// same bitmap; equal bitmaps are stored once.
type ranges struct {
	first []uint64 // upper halves of the cuts, sorted; absent where all are 0
	cuts  []uint64 // where a part begins; the first one is 0
	parts []uint32 // for each cut, where in maps its bitmap begins
	maps  []uint64
}

// newRanges compiles the intervals of a list's rules; a rule whose entry is nil
// has every value.
func newRanges(rules [][]interval) ranges {
	cuts := []address{{}}
	for _, list := range rules {
		for _, i := range list {
			cuts = append(cuts, i.lo)
			if after, ok := i.hi.next(); ok {
				cuts = append(cuts, after)
			}
		}
	}
	slices.SortFunc(cuts, address.compare)
	cuts = slices.Compact(cuts)

	var r ranges
	words := (len(rules) + 63) / 64
	kept := map[string]uint32{}
	current := make([]uint64, words)
	key := make([]byte, 8*words)
	events := eventsOf(rules, current)
	for _, c := range cuts {
		for len(events) > 0 && events[0].at == c {
			events[0].apply(current)
			events = events[1:]
		}
		for w := range current {
			binary.NativeEndian.PutUint64(key[8*w:], current[w])
		}
		at, ok := kept[string(key)]
		if !ok {
			at = uint32(len(r.maps))
			kept[string(key)] = at
			r.maps = append(r.maps, current...)
		}
		if n := len(r.parts); n > 0 && r.parts[n-1] == at {
			continue // nothing changes here
		}
		r.first, r.cuts, r.parts = append(r.first, c.hi), append(r.cuts, c.lo), append(r.parts, at)
	}
	if !slices.ContainsFunc(r.first, func(v uint64) bool { return v != 0 }) {
		r.first = nil
	}
	return r
}

// event says that from a value on one interval more, or one less, of a rule
// applies.
type event struct {
	at    address
	rule  int
	opens bool
	open  []int // how many intervals of each rule apply; shared by all events
}

func (e *event) apply(current []uint64) {
	bit := uint64(1) << (e.rule & 63)
	if e.opens {
		e.open[e.rule]++
	} else {
		e.open[e.rule]--
	}
	if e.open[e.rule] > 0 {
		current[e.rule>>6] |= bit
	} else {
		current[e.rule>>6] &^= bit
	}
}

// eventsOf lists where the intervals begin and end, in order, and sets the
// rules that have every value.
func eventsOf(rules [][]interval, current []uint64) []event {
	var list []event
	open := make([]int, len(rules))
	for n, intervals := range rules {
		if intervals == nil {
			current[n>>6] |= 1 << (n & 63)
		}
		for _, i := range intervals {
			list = append(list, event{i.lo, n, true, open})
			if after, ok := i.hi.next(); ok {
				list = append(list, event{after, n, false, open})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b event) int { return a.at.compare(b.at) })
	return list
}

// of gives the bitmap, of so many words, for a value below 2⁶⁴.
func (r *ranges) of(v uint64, words int) []uint64 {
	lo, n := 0, len(r.cuts)
	for n > 1 {
		half := n / 2
		if r.cuts[lo+half] <= v {
			lo += half
		}
		n -= half
	}
	at := r.parts[lo]
	return r.maps[at : int(at)+words]
}

// of128 is of for a value of 128 bits.
func (r *ranges) of128(v address, words int) []uint64 {
	if r.first == nil {
		// All cuts lie below 2⁶⁴, so what is above has the last part.
		if v.hi != 0 {
			v.lo = ^uint64(0)
		}
		return r.of(v.lo, words)
	}
	lo, n := 0, len(r.cuts)
	for n > 1 {
		half := n / 2
		if f := r.first[lo+half]; f < v.hi || f == v.hi && r.cuts[lo+half] <= v.lo {
			lo += half
		}
		n -= half
	}
	at := r.parts[lo]
	return r.maps[at : int(at)+words]
}
