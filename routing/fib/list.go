package fib

import "slices"

// list is the prefixes that end in one byte of the address, below the same
// bytes in front: at most 511. It is sorted by spot, which is the order of address
// and length: a prefix comes behind those that contain it.
type list struct {
	keys  []uint32 // spot<<factsBits | the number of its facts
	late  *late    // what has changed since they were written, or nil
	lates uint8    // how much of late is of this state
	n     uint16
}

// late is changes of a long list, in order, so that it is not copied for each of them.
// Lists of states after one another share one: a later one has more of it, which an
// earlier one does not look at.
type late struct {
	used int              // by the newest list; only the writer knows
	keys [mostLate]uint32 // with noFacts of a prefix that is no more
}

const (
	mostLate = 8
	// fewKeys is up to how many keys a list is copied for a change.
	fewKeys = 8
)

// spot is the place of a prefix among all that end in the same byte, b; n is how
// many bits of b are the prefix's, 0 to 8.
func spot(b byte, n uint8) uint32 { return uint32(b)&^(0xff>>n)<<4 | uint32(n) }

// span gives the bytes that a spot covers: the first, and how many.
func span(spot uint32) (first, n int) { return int(spot >> 4), 1 << (8 - spot&15) }

// search gives the place of a spot among keys, and whether it is there.
func search(keys []uint32, spot uint32) (int, bool) {
	from, n := 0, len(keys)
	if n > 2*nearKeys {
		// Many keys are spread about evenly, so that this is read from two lines of
		// memory mostly.
		low := max(guess(n, spot)-nearKeys, 0)
		high := min(low+2*nearKeys, n-1)
		if keys[low]>>factsBits <= spot && spot < keys[high]>>factsBits {
			from, n = low, high-low
		}
	}
	for n > 1 { // it is in the n keys from from on, or behind them
		half := n / 2
		if keys[from+half]>>factsBits <= spot {
			from += half
		}
		n -= half
	}
	if n == 0 || keys[from]>>factsBits < spot {
		return from + n, false
	}
	return from, keys[from]>>factsBits == spot
}

// nearKeys is how far from its place a key is sought first.
const nearKeys = 16

// guess is where a spot would be among n keys that are spread evenly.
func guess(n int, spot uint32) int { return n * int(spot>>4) >> 8 }

// find gives the number of the facts of a spot, or noFacts.
func (l *list) find(spot uint32) uint32 {
	for i := int(l.lates) - 1; i >= 0; i-- {
		if k := l.late.keys[i]; k>>factsBits == spot {
			return k & factsMask
		}
	}
	if i, ok := search(l.keys, spot); ok {
		return l.keys[i] & factsMask
	}
	return noFacts
}

// put adds a key to keys that are in order, in place of what there is at its spot;
// one with noFacts takes that away. It gives the keys again.
func put(keys []uint32, key uint32) []uint32 {
	i, found := search(keys, key>>factsBits)
	switch gone := key&factsMask == noFacts; {
	case !gone && found:
		keys[i] = key
	case !gone:
		keys = slices.Insert(keys, i, key)
	case found:
		keys = slices.Delete(keys, i, i+1)
	}
	return keys
}

// putLate does the same for a list that is shared with the state before. It fails if
// there have been too many such changes.
func (l *list) putLate(key uint32) {
	if l.late == nil || l.late.used != int(l.lates) {
		c := new(late)
		if l.late != nil {
			copy(c.keys[:l.lates], l.late.keys[:])
		}
		l.late = c
	}
	l.late.keys[l.lates] = key
	l.lates++
	l.late.used = int(l.lates)
}

// takesLate reports whether so many changes are best made late.
func (l *list) takesLate(n int) bool {
	return len(l.keys) > fewKeys && int(l.lates)+n <= mostLate
}

// longest gives the number of the facts of the longest prefix here that contains the
// byte b, and how many bits of the byte are the prefix's; or noFacts.
func (l *list) longest(b byte) (uint32, uint8) {
	if l.n == 0 {
		return noFacts, 0
	}
	for n := range uint8(9) {
		if x := l.find(spot(b, 8-n)); x != noFacts {
			return x, 8 - n
		}
	}
	return noFacts, 0
}

// clone gives a copy with room for n more, where nothing is late.
func (l *list) clone(n int) list {
	return list{keys: l.into(make([]uint32, 0, len(l.keys)+n+int(l.lates))), n: l.n}
}

// copied is a clone that the writer owns.
func (l *list) copied(n int) *list {
	c := l.clone(n)
	return &c
}

// mostKeys is how many prefixes can end in one byte, and one more.
const mostKeys = 512

// merged gives the keys with what is late. They are in room, if anything is.
func (l *list) merged(room *[mostKeys]uint32) []uint32 {
	if l.lates == 0 {
		return l.keys
	}
	return l.into(room[:0])
}

// into gives the keys with what is late, in room, which is empty.
func (l *list) into(room []uint32) []uint32 {
	keys := append(room, l.keys...)
	for i := range int(l.lates) {
		keys = put(keys, l.late.keys[i])
	}
	return keys
}

// paint fills in the way of every byte: of the longest prefix that contains it, or
// else way. It marks in edges where that may be another than of the byte before.
func (l *list) paint(known *knownFacts, ways *[256]uint16, edges *[4]uint64, way uint16) {
	if l.lates == 0 {
		paint(l.keys, known, ways, edges, way)
		return
	}
	var room [mostKeys]uint32
	paint(l.merged(&room), known, ways, edges, way)
}

func paint(keys []uint32, known *knownFacts, ways *[256]uint16, edges *[4]uint64, way uint16) {
	*ways, *edges = [256]uint16{}, [4]uint64{}
	if way != 0 {
		for i := range ways {
			ways[i] = way
		}
	}
	for _, k := range keys {
		first, n := span(k >> factsBits)
		edges[first>>6] |= 1 << (first & 63)
		if end := first + n; end < len(ways) {
			edges[end>>6] |= 1 << (end & 63)
		}
		part, own := ways[first:first+n], known.wayOf(k)
		for i := range part {
			part[i] = own
		}
	}
}
