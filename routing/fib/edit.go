package fib

import "slices"

// under gives the stem below a place after changes there: s is what is there
// now, or nil, and above the depth of what it hangs from.
func (w *Writer) under(s *stem, items []item, above uint8) *stem {
	hi, lo := items[0].hi, items[0].lo
	depth := (items[0].bits - 1) / 8
	if s != nil {
		hi, lo, depth = s.hi, s.lo, s.depth
	}
	for i := range items {
		depth = min(depth, (items[i].bits-1)/8, alike(hi, lo, items[i].hi, items[i].lo))
	}
	switch {
	case above == 0:
		depth = 2
	case above == 2 && w.six:
		depth = 3
	case above < 7:
		depth = min(depth, 8)
	}
	if s != nil && s.depth == depth {
		return w.stem(s, items)
	}
	n := &stem{depth: depth}
	n.hi, n.lo = front(hi, lo, 8*depth)
	if n.apart = w.indexed(depth); n.apart && s != nil {
		s = w.withBlock(s)
	}
	if s != nil {
		n.put(byteAt(hi, lo, depth), s)
	}
	return w.stem(n, items)
}

// stem gives what there is in the place of s after the changes, which are all
// longer than 8 bits for each byte of its depth and behind its bytes.
func (w *Writer) stem(was *stem, items []item) *stem {
	s := *was
	s.block = nil
	site := w.six && s.depth == 2 // the index leads to what is below, and not to s
	forked := false
	var changed reach
	for len(items) > 0 {
		x := &items[0]
		b := byteAt(x.hi, x.lo, s.depth)
		if x.bits <= 8*(s.depth+1) {
			if changed.none() {
				s.routes = s.routes.clone(ending(items, s.depth))
			}
			changed.add(spot(b, x.bits-8*s.depth))
			w.edit(&s.routes, x, b, x.bits-8*s.depth)
			items = items[1:]
			continue
		}
		k := 1
		for k < len(items) && byteAt(items[k].hi, items[k].lo, s.depth) == b && items[k].bits > 8*(s.depth+1) {
			k++
		}
		if !forked {
			s.fork, forked = s.fork.clone(), true
		}
		n := w.under(s.below(b), items[:k], s.depth)
		if site {
			w.index.enter6(items[0].hi, n, w.index.above6(items[0].hi))
		} else if n != nil && s.apart {
			n = w.withBlock(n)
		}
		s.put(b, n)
		items = items[k:]
	}
	if site {
		changed.paint(&s.routes, func(b int, way uint16) {
			hi := s.hi | uint64(b)<<40
			if w.index.above6(hi) != way {
				w.index.enter6(hi, s.below(byte(b)), way)
			}
		})
	}
	if len(s.routes.keys) == 0 {
		switch {
		case s.fork == nil:
			return nil
		case len(s.fork.stems) == 1 && s.mayGo(w.six):
			return s.fork.stems[0]
		}
	}
	if !site && !w.indexed(s.depth) {
		w.measure(&s)
	}
	return &s
}

// indexed reports whether an index leads to stems of a depth.
func (w *Writer) indexed(depth uint8) bool { return w.six && depth == 3 || !w.six && depth == 2 }

// mayGo reports whether s is not needed where it has no prefix and one stem below.
func (s *stem) mayGo(six bool) bool {
	switch s.depth {
	case 2:
		return false
	case 3:
		return !six
	case 7, 8:
		return s.fork.stems[0].depth <= 8
	}
	return true
}

// measure says how large s is, and decides whether the stems below get blocks of
// their own.
func (w *Writer) measure(s *stem) {
	stems := 0
	if s.fork != nil {
		stems = len(s.fork.stems)
	}
	s.words = uint16(min(nodeHead+10+(len(s.routes.keys)+stems)/2, nodeHead+4*16))
	switch {
	case s.apart:
		s.apart = s.inner > mostWords/2
	case s.inner > mostWords:
		s.apart = true
		for i, n := range s.fork.stems { // it is changed, so it is a copy
			s.fork.stems[i] = w.withBlock(n)
		}
	}
	if !s.apart {
		s.words += uint16(s.inner)
	}
}

// withBlock gives n with a block of its own.
func (w *Writer) withBlock(n *stem) *stem {
	if n.block == nil {
		c := *n
		c.block = w.index.build.block(&c)
		n = &c
	}
	return n
}

// ending is how many of the changes end in the byte number depth.
func ending(items []item, depth uint8) int {
	n := 0
	for i := range items {
		if items[i].bits <= 8*(depth+1) {
			n++
		}
	}
	return n
}

// put makes n the stem below the byte b of s, whose fork is its own; nil takes
// away what is there.
func (s *stem) put(b byte, n *stem) {
	if old := s.below(b); old != nil {
		s.inner -= uint32(old.words)
	}
	if n != nil {
		s.inner += uint32(n.words)
	}
	f := s.fork
	if f == nil {
		if n == nil {
			return
		}
		f = &fork{}
		s.fork = f
	}
	i, found := f.index(b)
	switch {
	case n == nil && !found:
	case n == nil:
		f.stems = slices.Delete(f.stems, i, i+1)
		f.has[b>>6] &^= 1 << (b & 63)
		if len(f.stems) == 0 {
			s.fork = nil
		}
	case found:
		f.stems[i] = n
	default:
		f.stems = slices.Insert(f.stems, i, n)
		f.has[b>>6] |= 1 << (b & 63)
	}
}

func (f *fork) clone() *fork {
	if f == nil {
		return nil
	}
	return &fork{f.has, slices.Clone(f.stems)}
}
