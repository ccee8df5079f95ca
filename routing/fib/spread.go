package fib

// A spread is what is behind four bytes of an IPv6 address, by the next two: nearly
// all prefixes longer than 32 bits end in these. It has runs of values that lead the
// same way, 14 to a line of memory, in which the last one that begins at or before the
// two bytes is sought. Most spreads are one line; others are a page of lines, or a fan by
// the next four bits. One of the three is set.
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

// left reports whether number i is left over.
func (l *line) left(i int) bool {
	return i > 0 && l.starts[i] == 0xffff && l.values[i] == l.values[i-1]
}

// exactly gives the number of the run from a value to another, if there is that one, it
// leads to no block and those beside it have not the value now; else -1. The line is
// from the value first to the value end.
func (l *line) exactly(first, end, from, to int, now uint16) int {
	i := l.number(uint16(from))
	start, last := int(l.starts[i]), end
	if i == 0 {
		start = first
	}
	beside := i > 0 && l.values[i-1] == now
	if i+1 < runsOfLine && !l.left(i+1) {
		last = int(l.starts[i+1]) - 1
		beside = beside || l.values[i+1] == now
	}
	if beside || start != from || last != to || l.left(i) || l.values[i]&isBelow != 0 {
		return -1
	}
	return i
}

// set gives run number i another value.
func (l *line) set(i int, value uint16) {
	was := l.values[i]
	l.values[i] = value
	for ; i+1 < runsOfLine && l.starts[i+1] == 0xffff && l.values[i+1] == was; i++ {
		l.values[i+1] = value
	}
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

// copied is a copy of p to be written to.
func (p *page) copied() *page {
	return &page{p.starts, append(make([]line, 0, len(p.lines)), p.lines...), p.runs}
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
	for n < runsOfLine && !s.line.left(n) {
		n++
	}
	return n
}

// change gives s, which is from the value first to the value end, with the runs of by
// from a value to another.
func (b *builder) change(s *spread, first, end int, by runs, from, to int) spread {
	b.old, b.new = b.old[:0], b.new[:0]
	simple := len(by) == 1 && by[0].value != isBelow
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
		if at := s.page.lines[i].exactly(int(s.page.starts[i]), last, from, to, by[0].value); simple && at >= 0 {
			l := s.page.copied()
			l.lines[i].set(at, by[0].value)
			return spread{page: l}
		}
		b.old.line(&s.page.lines[i], int(s.page.starts[i]))
		b.new.changed(b.old, by, from, to, last)
		if n := len(b.new); n < leastRuns || n > runsOfLine {
			b.old, b.new = b.old[:0], b.new[:0]
			break
		}
		l := s.page.copied()
		l.runs += len(b.new) - len(b.old)
		b.new.lineOf(&l.lines[i])
		return spread{page: l}
	case s.line != nil:
		if at := s.line.exactly(first, end, from, to, by[0].value); simple && at >= 0 {
			l := *s.line
			l.set(at, by[0].value)
			return spread{line: &l}
		}
	}
	b.old.spread(s, first, end)
	b.new.changed(b.old, by, from, to, end)
	return b.new.of(first, end)
}

// spread gives what is behind four bytes after changes there from a value to another:
// old is what it was, c the stem.
func (b *builder) spread(old *spread, c child, from, to int) spread {
	none := *old == spread{}
	if none {
		from, to = 0, 0xffff
	}
	b.by = b.by[:0]
	if b.by.behind(c, b.known, 0, from, to); none {
		return b.by.of(0, 0xffff)
	}
	return b.change(old, 0, 0xffff, b.by, from, to)
}
