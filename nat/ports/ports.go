// Package ports is the set of ports in use at one address for one protocol,
// and the choice of a free one (RFC 4787 §4.2, RFC 6056 §3.3).
//
// A Set says whether a port is free, finds a free one, or finds that a range is
// full, in a time that does not depend on how many are in use: each port is a
// bit, and a bit for each 64 ports says that all of them of one parity are in
// use.
package ports

import (
	"math/bits"
	"sync/atomic"
)

// Set is the ports of one address in one protocol. The zero Set is empty.
// One goroutine at a time may change it; Has may be called by any meanwhile.
type Set struct {
	used [1024]atomic.Uint64
	// full has, for either parity, a bit for each word of used in which no
	// port of that parity is free.
	full [2][16]uint64
	n    int
}

// The even and the odd ports of a word.
var parity = [2]uint64{0x5555555555555555, 0xaaaaaaaaaaaaaaaa}

// Has reports whether the port is in use.
func (s *Set) Has(port uint16) bool {
	return s.used[port>>6].Load()>>(port&63)&1 != 0
}

// Take puts the port in use and reports whether it was free.
func (s *Set) Take(port uint16) bool {
	w := &s.used[port>>6]
	old, bit := w.Load(), uint64(1)<<(port&63)
	if old&bit != 0 {
		return false
	}
	w.Store(old | bit)
	s.n++
	if p := port & 1; (old|bit)&parity[p] == parity[p] {
		s.full[p][port>>12] |= 1 << (port >> 6 & 63)
	}
	return true
}

// Release frees the port.
func (s *Set) Release(port uint16) {
	w := &s.used[port>>6]
	old, bit := w.Load(), uint64(1)<<(port&63)
	if old&bit == 0 {
		return
	}
	w.Store(old &^ bit)
	s.n--
	s.full[port&1][port>>12] &^= 1 << (port >> 6 & 63)
}

// Len is the number of ports in use.
func (s *Set) Len() int { return s.n }

// Used counts the ports from first to last that are in use. It is a scan: not
// for the packet path.
func (s *Set) Used(first, last uint16) int {
	n := 0
	for w := first >> 6; w <= last>>6; w++ {
		n += bits.OnesCount64(s.used[w].Load() & span(w, first, last))
	}
	return n
}

// span is the bits of word w that stand for ports from first to last.
func span(w, first, last uint16) uint64 {
	m := ^uint64(0)
	if w == first>>6 {
		m <<= first & 63
	}
	if w == last>>6 {
		m &= ^uint64(0) >> (63 - last&63)
	}
	return m
}

// Parity says which ports are wanted.
type Parity uint8

const (
	Even Parity = iota
	Odd
	Either
)

// Free finds a free port of the parity from first to last: the first one at or
// after start, else the first one from first on.
func (s *Set) Free(first, last, start uint16, p Parity) (uint16, bool) {
	if start < first || start > last {
		start = first
	}
	if port, ok := s.next(start, last, p); ok {
		return port, true
	}
	if start == first {
		return 0, false
	}
	return s.next(first, start-1, p)
}

// next finds the first free port from first to last.
func (s *Set) next(first, last uint16, p Parity) (uint16, bool) {
	mask := ^uint64(0)
	if p != Either {
		mask = parity[p]
	}
	lo, hi := first>>6, last>>6
	for w := lo; w <= hi; w++ {
		// The words that have something free, from w on: the group's bits.
		open := ^s.closed(w>>6, p) >> (w & 63)
		if open == 0 {
			w |= 63 // the loop goes on with the next group
			continue
		}
		w += uint16(bits.TrailingZeros64(open))
		if w > hi {
			break
		}
		if free := ^s.used[w].Load() & mask & span(w, first, last); free != 0 {
			return w<<6 | uint16(bits.TrailingZeros64(free)), true
		}
	}
	return 0, false
}

func (s *Set) closed(group uint16, p Parity) uint64 {
	if p == Either {
		return s.full[Even][group] & s.full[Odd][group]
	}
	return s.full[p][group]
}
