package fib

import "math/bits"

// run is values that lead the same way, from start on to the next run.
type run struct {
	start, value uint16
	below        link // where value is isBelow
}

// runs are in order of their starts.
type runs []run

// add adds a run, if it is not more of the last one.
func (r *runs) add(x run) {
	if n := len(*r); n == 0 || (*r)[n-1].value != x.value || (*r)[n-1].below != x.below {
		*r = append(*r, x)
	}
}

// line adds the runs of a line that begins at first.
func (r *runs) line(l *line, first int) {
	for i, v := range l.values {
		x := run{start: l.starts[i], value: v}
		switch {
		case i == 0:
			x.start = uint16(first)
		case l.left(i):
			return
		}
		if v&isBelow != 0 {
			x.value, x.below = isBelow, l.below[v&belowMask]
		}
		r.add(x)
	}
}

// spread adds the runs of a spread from the value first to the value end.
func (r *runs) spread(s *spread, first, end int) {
	switch {
	case s.fan != nil:
		size := (end - first + 1) / 16
		for i := range s.fan.to {
			r.spread(&s.fan.to[i], first+i*size, first+(i+1)*size-1)
		}
	case s.page != nil:
		for i := range s.page.lines {
			r.line(&s.page.lines[i], int(s.page.starts[i]))
		}
	case s.line != nil:
		r.line(s.line, first)
	}
}

// within adds the runs of o from a value to another.
func (r *runs) within(o runs, from, to int) {
	first, n := 0, len(o)
	for n > 1 { // the last that begins at from or before is among the n from first on
		half := n / 2
		if int(o[first+half].start) <= from {
			first += half
		}
		n -= half
	}
	for _, x := range o[first:] {
		if int(x.start) > to {
			return
		}
		x.start = max(x.start, uint16(from))
		r.add(x)
	}
}

// changed adds the runs of o, which go up to the value end, but those of by from a
// value to another.
func (r *runs) changed(o, by runs, from, to, end int) {
	if len(o) > 0 && from > int(o[0].start) {
		r.within(o, int(o[0].start), from-1)
	}
	r.within(by, from, to)
	if to < end {
		r.within(o, to+1, end)
	}
}

// behind adds the runs of a stem that is behind four bytes or five, from a value to
// another; the way is of those that it does not have.
func (r *runs) behind(c child, known *knownFacts, way uint16, from, to int) {
	first := int(c.hi >> 16 & 0xffff)
	end := first
	switch c.depth {
	case 4:
		end = 0xffff
	case 5:
		end = first | 0xff
	}
	if from < first {
		r.add(run{start: uint16(from), value: way})
	}
	if x, y := max(from, first), min(to, end); x <= y {
		switch c.depth {
		case 4:
			r.bytes(c.stem, known, way, x>>8, y>>8, func(b int, below child, way uint16) {
				x, y := max(x, b<<8), min(y, b<<8|0xff)
				if below.stem == nil {
					r.add(run{start: uint16(x), value: way})
				} else {
					r.behind(below, known, way, x, y)
				}
			})
		case 5:
			if c.fork == nil && y-x == 0xff {
				r.list(&c.routes, known, first, way)
				break
			}
			r.bytes(c.stem, known, way, x&0xff, y&0xff, func(b int, below child, way uint16) {
				if below.stem == nil {
					r.add(run{start: uint16(first | b), value: way})
				} else {
					r.add(run{uint16(first | b), isBelow, link{below.block, way}})
				}
			})
		default:
			r.add(run{uint16(first), isBelow, link{c.block, way}})
		}
	}
	if to > end {
		r.add(run{start: uint16(max(from, end+1)), value: way})
	}
}

// list adds the runs of the 256 values from first on, by the prefixes that end there; the
// way is of those that have none.
func (r *runs) list(l *list, known *knownFacts, first int, way uint16) {
	if l.lates == 0 {
		r.keys(l.keys, known, first, way)
		return
	}
	var room [mostKeys]uint32
	r.keys(l.merged(&room), known, first, way)
}

func (r *runs) keys(keys []uint32, known *knownFacts, first int, way uint16) {
	var ways [10]uint16 // of the prefixes around, each in the one before
	var ends [10]int
	ways[0], ends[0] = way, 256
	at, n := 0, 0
	until := func(end int) {
		if at < end {
			r.add(run{start: uint16(first + at), value: ways[n]})
			at = end
		}
	}
	for _, k := range keys {
		begin, size := span(k >> factsBits)
		for ends[n] <= begin {
			until(ends[n])
			n--
		}
		until(begin)
		n++
		ways[n], ends[n] = known.wayOf(k), begin+size
	}
	for ; n >= 0; n-- {
		until(ends[n])
	}
}

// bytes yields the bytes of s from one to another, but not each that is as the one
// before: the stem below, if there is one, and the way.
func (r *runs) bytes(s *stem, known *knownFacts, way uint16, from, to int, yield func(b int, below child, way uint16)) {
	if from == to {
		yield(from, s.child(byte(from)), s.routes.wayOf(known, byte(from), way))
		return
	}
	var ways [256]uint16
	edges := [4]uint64{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
	if to-from < 16 {
		s.routes.part(known, from, ways[from:to+1], way)
	} else {
		s.routes.paint(known, &ways, &edges, way)
	}
	for i := range edges {
		edges[i] |= 1
		if s.fork != nil {
			edges[i] |= s.fork.has[i] | s.fork.has[i]<<1
		}
	}
	for b := from; b <= to; {
		below := s.child(byte(b))
		yield(b, below, ways[b])
		b++
		for b <= to {
			if left := edges[b>>6] >> (b & 63); left != 0 {
				b += bits.TrailingZeros64(left)
				break
			}
			b = (b | 63) + 1
		}
	}
}
