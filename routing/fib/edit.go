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
	case above == 0 && w.six:
		depth = 3
	case above == 0:
		depth = 2
	case above < 7:
		depth = min(depth, 8)
	}
	if s != nil && s.depth == depth {
		return w.stem(s, items)
	}
	n := &stem{depth: depth}
	n.hi, n.lo = front(hi, lo, 8*depth)
	n.apart = w.fixed(depth)
	if s != nil {
		w.put(n, byteAt(hi, lo, depth), s, new(parts))
	}
	return w.stem(n, items)
}

// stem gives what there is in the place of s after the changes, which are all
// longer than 8 bits for each byte of its depth and behind its bytes.
func (w *Writer) stem(was *stem, items []item) *stem {
	s := *was
	var owned parts // of s.fork
	var changed reach
	indexed, late := w.indexed(s.depth), false
	if indexed {
		w.touched = touched{behind: w.touched.behind[:0]}
	}
	for len(items) > 0 {
		x := &items[0]
		b := byteAt(x.hi, x.lo, s.depth)
		if x.bits <= 8*(s.depth+1) {
			if changed.none() {
				n := ending(items, s.depth)
				if late = w.fixed(s.depth) && s.routes.takesLate(n); !late {
					s.routes = s.routes.clone(n)
				}
			}
			at := spot(b, x.bits-8*s.depth)
			changed.add(at)
			if indexed {
				w.touched.add(span(at))
			}
			w.edit(&s.routes, x, b, x.bits-8*s.depth, late)
			items = items[1:]
			continue
		}
		k := 1
		for k < len(items) && byteAt(items[k].hi, items[k].lo, s.depth) == b && items[k].bits > 8*(s.depth+1) {
			k++
		}
		n := w.under(s.below(b), items[:k], s.depth)
		switch {
		case !indexed:
		case w.six:
			w.touched.behindByte(b, items[:k])
		default:
			w.touched.add(int(b), 1)
		}
		w.put(&s, b, n, &owned)
		items = items[k:]
	}
	if s.routes.n == 0 {
		switch {
		case s.fork == nil:
			return nil
		case s.fork.len() == 1 && s.mayGo(w.six):
			return s.fork.first()
		}
	}
	if !w.fixed(s.depth) {
		w.measure(&s, &owned)
	}
	return &s
}

// indexed reports whether an index leads to stems of a depth.
func (w *Writer) indexed(depth uint8) bool { return w.six && depth == 3 || !w.six && depth == 2 }

// fixed reports whether stems of a depth are in no block: an index or a spread has
// what they say, and leads to the blocks of the stems below.
func (w *Writer) fixed(depth uint8) bool { return w.six && depth < 6 || depth == 2 }

// mayGo reports whether s is not needed where it has no prefix and one stem below.
func (s *stem) mayGo(six bool) bool {
	switch s.depth {
	case 2:
		return false
	case 3:
		return !six
	case 7, 8:
		return s.fork.first().depth <= 8
	}
	return true
}

// measure says how large s is, and decides whether the stems below get blocks of
// their own.
func (w *Writer) measure(s *stem, owned *parts) {
	s.words = uint16(min(nodeHead+10+(int(s.routes.n)+s.fork.len())/2, nodeHead+4*16))
	switch {
	case s.apart:
		s.apart = s.inner > mostWords/2
	case s.inner > mostWords:
		s.apart = true
		for i := range s.fork.stems {
			part := s.own(i, owned)
			for j, n := range *part {
				(*part)[j].block = w.index.build.block(n.stem)
			}
		}
	}
	if !s.apart {
		s.words += uint16(s.inner)
	}
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

// parts is which parts of a fork a change owns: a bit for each quarter, and one for
// the fork itself.
type parts uint8

const ownsFork = 1 << 4

// own gives the stems of a quarter of the fork of s to be written to.
func (s *stem) own(i int, owned *parts) *[]child {
	if *owned&ownsFork == 0 {
		f := fork{}
		if s.fork != nil {
			f = *s.fork
		}
		s.fork = &f
		*owned |= ownsFork
	}
	part := &s.fork.stems[i]
	if *owned>>i&1 == 0 {
		*part = append(make([]child, 0, len(*part)+1), *part...)
		*owned |= 1 << i
	}
	return part
}

// put makes n the stem below the byte b of s; nil takes away what is there.
func (w *Writer) put(s *stem, b byte, n *stem, owned *parts) {
	old := s.below(b)
	if old == nil && n == nil {
		return
	}
	c := child{stem: n}
	if n != nil && s.apart && !w.fixed(n.depth) {
		c.block = w.index.build.block(n)
	}
	part := s.own(int(b>>6), owned)
	i, _ := s.fork.index(b)
	switch {
	case n == nil:
		s.inner -= uint32(old.words)
		*part = slices.Delete(*part, i, i+1)
		s.fork.has[b>>6] &^= 1 << (b & 63)
		if s.fork.len() == 0 {
			s.fork, *owned = nil, 0
		}
	case old != nil:
		s.inner += uint32(n.words) - uint32(old.words)
		(*part)[i] = c
	default:
		s.inner += uint32(n.words)
		*part = slices.Insert(*part, i, c)
		s.fork.has[b>>6] |= 1 << (b & 63)
	}
}
