package fib

import "math/bits"

// A spread is what is behind four bytes of an IPv6 address, by the next two: nearly
// all prefixes longer than 32 bits end in these. It has runs of values that lead the
// same way, 14 to a line of memory, in which the last one that begins at or before the
// two bytes is sought. Most spreads are one line; others are a page of lines, or a fan by the next four bits. One of the three is set.
//
// The value of a run is a way, or 0 for none known here, or leads to a block.
type spread struct {
	line *line
	page *page
	fan  *fan
}

// line is runs: where each begins, and its value. The first is taken to begin with the
// line; those left over begin at 0xffff and have the value of the last one.
type line struct {
	starts [runsOfLine]uint16
	values [runsOfLine]uint16
	below  *[runsOfLine]link // that values with isBelow lead to
}

// page is up to 16 lines, and where each begins; 0xffff for those left over.
type page struct {
	starts [mostLines]uint16
	lines  []line
	runs   int // that they have
}

// fan is 16 spreads, each of a sixteenth of the values.
type fan struct {
	to   [16]spread
	runs int // that they have
}

const (
	runsOfLine = 14
	mostLines  = 16
	// fullLine is how many runs lines are written with: some room is left, so that
	// most changes write one line only.
	fullLine = 12
	// With more than mostRuns a spread gets a fan, which goes when there are no more
	// than fewRuns. A line of several with fewer than leastRuns has all written anew.
	mostRuns  = mostLines * fullLine
	fewRuns   = mostRuns / 2
	leastRuns = 3
)

// noLine knows no way.
var noLine = runs{{}}.lineOf(new(line))

// begun is all ones if something has begun at x, else 0: the processor would foresee
// a branch wrongly as often as not.
func begun(start, x uint16) int { return int(int32(start)-int32(x)-1) >> 31 }

// number gives that of the line with the value of x.
func (p *page) number(x uint16) int {
	i := begun(p.starts[8], x) & 8
	i += begun(p.starts[i+4], x) & 4
	i += begun(p.starts[i+2], x) & 2
	i += begun(p.starts[i+1], x) & 1
	return min(i, len(p.lines)-1)
}

// number gives that of the run with the value of x.
func (l *line) number(x uint16) int {
	i := begun(l.starts[7], x) & 7
	i += begun(l.starts[i+3], x) & 3
	i += begun(l.starts[i+2], x) & 2
	return i + begun(l.starts[i+1], x)&1
}

// at gives the line with the value of x.
func (s *spread) at(x uint16) *line {
	for shift := 12; s.fan != nil; shift -= 4 {
		s = &s.fan.to[x>>shift&15]
	}
	if s.page != nil {
		return &s.page.lines[s.page.number(x)]
	}
	return s.line
}

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
		case x.start == 0xffff && v == l.values[i-1]:
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
	for i, x := range o {
		if int(x.start) > to {
			return
		}
		if i+1 == len(o) || int(o[i+1].start) > from {
			x.start = max(x.start, uint16(from))
			r.add(x)
		}
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

// lineOf writes a line, at l; there must not be more runs than it takes.
func (r runs) lineOf(l *line) *line {
	l.below = nil
	last := len(r) - 1
	for i := range l.starts {
		if i > last {
			l.starts[i], l.values[i] = 0xffff, l.values[last]
			continue
		}
		l.starts[i], l.values[i] = r[i].start, r[i].value
		if r[i].value == isBelow {
			if l.below == nil {
				l.below = new([runsOfLine]link)
			}
			l.values[i] |= uint16(i)
			l.below[i] = r[i].below
		}
	}
	return l
}

// of writes a spread of all runs from the value first to the value end.
func (r runs) of(first, end int) spread {
	switch n := len(r); {
	case n == 1 && r[0].value == 0:
		return spread{line: noLine}
	case n <= runsOfLine:
		return spread{line: r.lineOf(new(line))}
	case n <= mostRuns:
		count := (n + fullLine - 1) / fullLine
		l := &page{lines: make([]line, count), runs: n}
		for i := range l.starts {
			l.starts[i] = 0xffff
			if i < count {
				part := r[n*i/count : n*(i+1)/count]
				l.starts[i] = part[0].start
				part.lineOf(&l.lines[i])
			}
		}
		return spread{page: l}
	}
	f := &fan{}
	var part runs
	size := (end - first + 1) / 16
	for i := range f.to {
		part = part[:0]
		from := first + i*size
		part.within(r, from, from+size-1)
		f.to[i] = part.of(from, from+size-1)
		f.runs += f.to[i].runs()
	}
	return spread{fan: f}
}

// runs is how many there are.
func (s *spread) runs() int {
	switch {
	case s.fan != nil:
		return s.fan.runs
	case s.page != nil:
		return s.page.runs
	}
	n := 1
	for n < runsOfLine && (s.line.starts[n] != 0xffff || s.line.values[n] != s.line.values[n-1]) {
		n++
	}
	return n
}

// change gives s, which is from the value first to the value end, with the runs of by
// from a value to another. An empty one has to get all its runs.
func (b *builder) change(s *spread, first, end int, by runs, from, to int) spread {
	b.old, b.new = b.old[:0], b.new[:0]
	switch {
	case s.fan != nil:
		f := *s.fan
		size := (end - first + 1) / 16
		for i := (from - first) / size; i <= (to-first)/size; i++ {
			start := first + i*size
			f.runs -= f.to[i].runs()
			f.to[i] = b.change(&f.to[i], start, start+size-1, by, max(from, start), min(to, start+size-1))
			f.runs += f.to[i].runs()
		}
		if f.runs > fewRuns {
			return spread{fan: &f}
		}
		b.new = b.new[:0]
		b.new.spread(&spread{fan: &f}, first, end)
		return b.new.of(first, end)
	case s.page != nil:
		i := s.page.number(uint16(from))
		if i != s.page.number(uint16(to)) {
			break
		}
		last := end
		if i+1 < len(s.page.lines) {
			last = int(s.page.starts[i+1]) - 1
		}
		b.old.line(&s.page.lines[i], int(s.page.starts[i]))
		b.new.changed(b.old, by, from, to, last)
		if n := len(b.new); n < leastRuns || n > runsOfLine {
			b.old, b.new = b.old[:0], b.new[:0]
			break
		}
		l := &page{s.page.starts, append(make([]line, 0, len(s.page.lines)), s.page.lines...), s.page.runs + len(b.new) - len(b.old)}
		b.new.lineOf(&l.lines[i])
		return spread{page: l}
	}
	b.old.spread(s, first, end)
	b.new.changed(b.old, by, from, to, end)
	return b.new.of(first, end)
}

// spread gives what is behind four bytes after changes there from a value to another:
// old is what it was, c the stem.
func (b *builder) spread(old *spread, c child, from, to int) spread {
	if *old == (spread{}) {
		from, to = 0, 0xffff
	}
	b.by = b.by[:0]
	b.by.behind(c, 0, from, to)
	return b.change(old, 0, 0xffff, b.by, from, to)
}

// behind adds the runs of a stem that is behind four bytes or five, from a value to
// another; the way is of those that it does not have.
func (r *runs) behind(c child, way uint16, from, to int) {
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
			r.bytes(c.stem, way, x>>8, y>>8, func(b int, below child, way uint16) {
				x, y := max(x, b<<8), min(y, b<<8|0xff)
				if below.stem == nil {
					r.add(run{start: uint16(x), value: way})
				} else {
					r.behind(below, way, x, y)
				}
			})
		case 5:
			r.bytes(c.stem, way, x&0xff, y&0xff, func(b int, below child, way uint16) {
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

// bytes yields the bytes of s from one to another, but not each that is as the one
// before: the stem below, if there is one, and the way.
func (r *runs) bytes(s *stem, way uint16, from, to int, yield func(b int, below child, way uint16)) {
	var ways [256]uint16
	edges := [4]uint64{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
	if to-from < 16 {
		s.routes.part(from, ways[from:to+1], way)
	} else {
		s.routes.paint(&ways, &edges, way)
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
