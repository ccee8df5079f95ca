package wire

import (
	"encoding/binary"
	"strconv"
)

// SegmentType is the type of a segment of an AS path.
type SegmentType uint8

// The types (RFC 4271 §4.3; RFC 5065 §3).
const (
	SegmentSet            SegmentType = 1
	SegmentSequence       SegmentType = 2
	SegmentConfedSequence SegmentType = 3
	SegmentConfedSet      SegmentType = 4
)

const maxSegment = 255 // AS numbers

// Path is an AS path with AS numbers of four octets: segments of a type, a count
// and so many numbers.
type Path []byte

// Segment is the part of a path of one type.
type Segment struct {
	Type    SegmentType
	numbers []byte
}

// Len is how many AS numbers the segment has.
func (s Segment) Len() int { return len(s.numbers) / 4 }

// AS is the AS number at i.
func (s Segment) AS(i int) uint32 { return binary.BigEndian.Uint32(s.numbers[4*i:]) }

// Segments yields the segments.
func (p Path) Segments(yield func(Segment) bool) {
	for len(p) >= 2 {
		n := 2 + 4*int(p[1])
		if !yield(Segment{SegmentType(p[0]), p[2:n]}) {
			return
		}
		p = p[n:]
	}
}

// Numbers yields all AS numbers, those of sets among them.
func (p Path) Numbers(yield func(uint32) bool) {
	for s := range p.Segments {
		for i := range s.Len() {
			if !yield(s.AS(i)) {
				return
			}
		}
	}
}

// Length is how long the path is where routes are compared: a set counts as one (RFC
// 4271 §9.1.2.2 (a)), what is of a confederation not at all (RFC 5065 §5.3).
func (p Path) Length() (n int) { return pathLength(p, 4) }

func pathLength(p []byte, width int) (n int) {
	for len(p) >= 2 {
		switch SegmentType(p[0]) {
		case SegmentSequence:
			n += int(p[1])
		case SegmentSet:
			n++
		}
		p = p[2+width*int(p[1]):]
	}
	return n
}

// First is the AS that the path begins with, the neighbour's; 0 if the path is
// empty or begins with a set.
func (p Path) First() uint32 {
	if len(p) < 6 || SegmentType(p[0]) != SegmentSequence {
		return 0
	}
	return binary.BigEndian.Uint32(p[2:])
}

// Last is the AS that the route comes from; 0 if the path is empty or ends with a
// set.
func (p Path) Last() (as uint32) {
	for s := range p.Segments {
		as = 0
		if s.Type == SegmentSequence {
			as = s.AS(s.Len() - 1)
		}
	}
	return as
}

// Count is how often an AS is in the path.
func (p Path) Count(as uint32) (n int) {
	for len(p) >= 2 {
		end := 2 + 4*int(p[1])
		for i := 2; i < end; i += 4 {
			if binary.BigEndian.Uint32(p[i:]) == as {
				n++
			}
		}
		p = p[end:]
	}
	return n
}

// narrow reports whether all AS numbers fit into two octets.
func (p Path) narrow() bool {
	for len(p) >= 2 {
		end := 2 + 4*int(p[1])
		for i := 2; i < end; i += 4 {
			if p[i]|p[i+1] != 0 {
				return false
			}
		}
		p = p[end:]
	}
	return true
}

// AppendText appends the path as people write it: sequences as numbers, sets in
// braces, confederations in parentheses and brackets (RFC 5065 leaves that open;
// other routers write it so).
func (p Path) AppendText(dst []byte) []byte {
	for s := range p.Segments {
		if len(dst) > 0 && dst[len(dst)-1] != ' ' {
			dst = append(dst, ' ')
		}
		ends, comma := [2]string{}, byte(' ')
		switch s.Type {
		case SegmentSet:
			ends, comma = [2]string{"{", "}"}, ','
		case SegmentConfedSequence:
			ends = [2]string{"(", ")"}
		case SegmentConfedSet:
			ends, comma = [2]string{"[", "]"}, ','
		}
		dst = append(dst, ends[0]...)
		for i := range s.Len() {
			if i > 0 {
				dst = append(dst, comma)
			}
			dst = strconv.AppendUint(dst, uint64(s.AS(i)), 10)
		}
		dst = append(dst, ends[1]...)
	}
	return dst
}

// String writes the path as people do: "65000 65001 {65002,65003}".
func (p Path) String() string { return string(p.AppendText(nil)) }

// AppendPrepended appends to dst the path with an AS before it, times times (RFC 4271
// §5.1.2).
func (p Path) AppendPrepended(dst []byte, as uint32, times int) []byte {
	at, rest, had := len(dst), p, 0
	// What the first segment has no room for is a segment before it.
	if len(p) >= 2 && SegmentType(p[0]) == SegmentSequence && int(p[1])+times <= maxSegment && times > 0 {
		had, rest = int(p[1]), p[2:]
	}
	for left := times; left > 0; {
		n := min(left, maxSegment)
		dst = append(dst, byte(SegmentSequence), byte(n))
		for range n {
			dst = binary.BigEndian.AppendUint32(dst, as)
		}
		left -= n
	}
	if had > 0 {
		dst[at+1] += byte(had)
	}
	return append(dst, rest...)
}

// AppendSequence appends a path of AS numbers in this order to dst.
func AppendSequence(dst []byte, numbers []uint32) []byte {
	for len(numbers) > 0 {
		n := (len(numbers)-1)%maxSegment + 1 // the first segment is the one that has room
		dst = append(dst, byte(SegmentSequence), byte(n))
		for _, as := range numbers[:n] {
			dst = binary.BigEndian.AppendUint32(dst, as)
		}
		numbers = numbers[n:]
	}
	return dst
}

// pathFaults is what was found in the octets of a path.
type pathFaults struct {
	reason       Reason // PathSegment, PathLength or ASZero, the first of them
	theirs, ours int
	set, confed  bool
}

// checkPath checks the segments of a path whose AS numbers have width octets (RFC
// 7606 §7.2, RFC 7607 §2).
func checkPath(p []byte, width int) (f pathFaults) {
	for len(p) > 0 {
		if len(p) == 1 {
			return pathFaults{reason: PathLength, theirs: 2, ours: 1}
		}
		t, n := SegmentType(p[0]), 2+width*int(p[1])
		switch {
		case t < SegmentSet || t > SegmentConfedSet || n == 2:
			return pathFaults{reason: PathSegment, theirs: int(t)}
		case n > len(p):
			return pathFaults{reason: PathLength, theirs: n, ours: len(p)}
		}
		f.set = f.set || t == SegmentSet || t == SegmentConfedSet
		f.confed = f.confed || t >= SegmentConfedSequence
		for i := 2; i < n; i += width {
			if width == 4 && binary.BigEndian.Uint32(p[i:]) == 0 || width == 2 && p[i]|p[i+1] == 0 {
				f.reason = ASZero
			}
		}
		p = p[n:]
	}
	return f
}

// appendAttribute appends the path as an attribute, its sequences joined where they
// are neighbours. AS4_PATH goes without confederations (RFC 6793 §4.2.2).
func (p Path) appendAttribute(dst []byte, code Attribute, flags byte, narrow bool) []byte {
	if !narrow && code == AttrASPath && (len(p) == 0 || len(p) == 2+4*int(p[1])) { // one segment, of most routes
		return appendRaw(dst, code, flags, p)
	}
	at := len(dst)
	dst = append(dst, flags|flagExtended, byte(code), 0, 0)
	w := pathWriter{dst: dst, last: -1, narrow: narrow}
	for len(p) >= 2 {
		t, n := SegmentType(p[0]), 2+4*int(p[1])
		if code != AttrAS4Path || t <= SegmentSequence {
			w.segment(t, p[2:n], 4)
		}
		p = p[n:]
	}
	dst = w.dst
	n := len(dst) - at - 4
	if n > 0xff {
		binary.BigEndian.PutUint16(dst[at+2:], uint16(n))
		return dst
	}
	copy(dst[at+3:], dst[at+4:])
	dst[at], dst[at+2] = flags, byte(n)
	return dst[:len(dst)-1]
}

// pathWriter writes segments, each sequence into the one before it while that has
// room.
type pathWriter struct {
	dst    []byte
	last   int // where the last segment begins, if it is a sequence; else -1
	narrow bool
}

// segment writes AS numbers of width octets.
func (w *pathWriter) segment(t SegmentType, numbers []byte, width int) {
	for len(numbers) > 0 {
		n := len(numbers) / width
		if w.last < 0 || t != SegmentSequence || w.dst[w.last+1] == maxSegment {
			w.last = len(w.dst)
			w.dst = append(w.dst, byte(t), 0)
		}
		n = min(n, maxSegment-int(w.dst[w.last+1]))
		w.dst[w.last+1] += byte(n)
		w.numbers(numbers[:n*width], width)
		numbers = numbers[n*width:]
	}
	if t != SegmentSequence {
		w.last = -1
	}
}

func (w *pathWriter) numbers(b []byte, width int) {
	switch {
	case w.narrow == (width == 2):
		w.dst = append(w.dst, b...)
	case width == 2:
		for i := 0; i < len(b); i += 2 {
			w.dst = append(w.dst, 0, 0, b[i], b[i+1])
		}
	default:
		for i := 0; i < len(b); i += 4 {
			as := uint16(ASTrans)
			if b[i]|b[i+1] == 0 {
				as = binary.BigEndian.Uint16(b[i+2:])
			}
			w.dst = binary.BigEndian.AppendUint16(w.dst, as)
		}
	}
}

// merge appends the path that AS_PATH of two-octet numbers and AS4_PATH give
// together (RFC 6793 §4.2.3), which is AS_PATH alone where AS4_PATH is longer or
// there is none.
func mergePaths(dst, narrow, as4 []byte) []byte {
	w := pathWriter{dst: dst, last: -1}
	lead := pathLength(narrow, 2)
	if n := pathLength(as4, 4); n == 0 || n > lead {
		as4 = nil
	} else {
		lead -= n
	}
	for len(narrow) >= 2 {
		t, n := SegmentType(narrow[0]), int(narrow[1])
		numbers := narrow[2 : 2+2*n]
		narrow = narrow[2+2*n:]
		switch {
		case as4 == nil, t >= SegmentConfedSequence:
			// Of a confederation: it leads, or is next to what was taken.
		case lead == 0:
			narrow = nil
			continue
		case t == SegmentSequence:
			n = min(n, lead)
			numbers, lead = numbers[:2*n], lead-n
		default:
			lead--
		}
		w.segment(t, numbers, 2)
	}
	for len(as4) >= 2 {
		t, n := SegmentType(as4[0]), 2+4*int(as4[1])
		if t <= SegmentSequence { // RFC 6793 §6: others are left out
			w.segment(t, as4[2:n], 4)
		}
		as4 = as4[n:]
	}
	return w.dst
}
