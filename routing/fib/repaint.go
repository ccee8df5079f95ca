package fib

import (
	"math/bits"
	"slices"
)

// touched is bytes of a stem whose values changes may have changed.
type touched struct {
	bytes  [4]uint64
	times  int
	behind []reached // of IPv6
}

// reached is what changes behind a byte of a stem have reached of its spread.
type reached struct {
	from, to uint16
	at       byte
	many     bool // more than mostReached are behind the byte
}

// mostReached is how many changes behind one byte are made one by one. More are made
// together, in a fan those of each sixteenth.
const mostReached = 8

// behindByte notes changes behind a byte.
func (t *touched) behindByte(b byte, items []item) {
	n := len(t.behind)
	for i := range items {
		x := reached{uint16(items[i].hi >> 16), 0, b, len(items) > mostReached}
		x.to = x.from | uint16(0xffff>>min(items[i].bits-32, 16))
		last := len(t.behind) - 1
		if last >= n && (x.from <= t.behind[last].to || x.many && x.from>>12 == t.behind[last].to>>12) {
			t.behind[last].to = max(t.behind[last].to, x.to)
		} else {
			t.behind = append(t.behind, x)
		}
	}
}

// mostTouched is how many changes of one stem are made byte by byte. With more, all
// four quarters are written anew, which takes as long as some twenty of them.
const mostTouched = 16

func (t *touched) add(first, n int) {
	t.times++
	for n > 0 {
		part := min(n, 64-first&63)
		t.bytes[first>>6] |= (^uint64(0) >> (64 - part)) << (first & 63)
		first, n = first+part, n-part
	}
}

// repaint writes the values of the bytes that are touched, and leaves the others and
// the numbers of all links as they are; of 64 bytes that do not change it keeps the
// quarter. It gives the links if one of them changes. It fails, and has changed nothing,
// where links come or go, or where values do not fit in a quarter.
func repaint(s *stem, way uint16, q *[4]*quarter, links []link, t *touched, known *known) (changed []link, ok bool) {
	if t.times > mostTouched || links != nil && large(q) {
		return nil, false
	}
	made := *q
	for i, left := range t.bytes {
		if left == 0 {
			continue
		}
		var has uint64
		if s.fork != nil {
			has = s.fork.has[i]
		}
		own := *q[i]
		for left != 0 {
			from := bits.TrailingZeros64(left)
			to := from + bits.TrailingZeros64(^(left >> from))
			left &^= (^uint64(0) >> (64 - (to - from))) << from
			var ways [64]uint16
			s.routes.part(&known.facts, 64*i+from, ways[from:to], way)
			for b := from; b < to; b++ {
				code := own[b]
				switch {
				case has>>b&1 != 0:
					if code < firstLink {
						return nil, false
					}
					at, _ := s.fork.index(byte(64*i + b))
					if l := (link{s.fork.stems[i][at].block, ways[b]}); links[code-firstLink] != l {
						if changed == nil {
							changed = slices.Clone(links)
						}
						changed[code-firstLink] = l
					}
				case code >= firstLink || ways[b] >= firstLink:
					return nil, false
				default:
					own[b] = uint8(ways[b])
				}
			}
		}
		switch same := known.quarter(int(own[0])); {
		case own == *q[i]:
		case own == *same:
			made[i] = same
		default:
			made[i] = new(quarter)
			*made[i] = own
		}
	}
	*q = made
	return changed, true
}

// large reports whether a quarter is a link to a block of the stem itself: the number
// of a stem below stands at one byte only.
func large(q *[4]*quarter) bool {
	for _, q := range q {
		if q[0] >= firstLink && q[0] == q[len(q)-1] {
			return true
		}
	}
	return false
}

// part fills in the ways of bytes from first on: of the longest prefix that contains
// each, or else way.
func (l *list) part(known *knownFacts, first int, ways []uint16, way uint16) {
	if len(ways) <= 4 {
		for i := range ways {
			ways[i] = l.wayOf(known, byte(first+i), way)
		}
		return
	}
	if l.lates == 0 {
		part(l.keys, known, first, ways, way)
		return
	}
	var room [mostKeys]uint32
	part(l.merged(&room), known, first, ways, way)
}

func part(keys []uint32, known *knownFacts, first int, ways []uint16, way uint16) {
	for i := range ways {
		ways[i] = way
	}
	end := first + len(ways)
	fill := func(k uint32) {
		from, size := span(k >> factsBits)
		own := known.wayOf(k)
		for b := max(from, first); b < min(from+size, end); b++ {
			ways[b-first] = own
		}
	}
	for n := range uint8(9) {
		if i, ok := search(keys, spot(byte(first), n)); ok {
			fill(keys[i])
		}
	}
	for i, _ := search(keys, spot(byte(first), 8)+1); i < len(keys) && int(keys[i]>>(factsBits+4)) < end; i++ {
		fill(keys[i])
	}
}

// wayOf gives the way of the longest prefix here that contains the byte b, or else way.
func (l *list) wayOf(known *knownFacts, b byte, way uint16) uint16 {
	if l.n == 0 {
		return way
	}
	for n := range uint8(9) {
		if x := l.find(spot(b, 8-n)); x != noFacts {
			return known.wayOf(x)
		}
	}
	return way
}
