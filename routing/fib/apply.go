package fib

import (
	"cmp"
	"net/netip"
	"slices"
	"unique"
)

// item is a change as the table takes it: the prefix as two halves.
type item struct {
	hi, lo uint64
	entry  *Entry // nil = none any more
	order  uint32 // among the changes
	bits   uint8
}

func (a item) compare(b item) int {
	switch {
	case a.hi != b.hi:
		return cmp.Compare(a.hi, b.hi)
	case a.lo != b.lo:
		return cmp.Compare(a.lo, b.lo)
	case a.bits != b.bits:
		return int(a.bits) - int(b.bits)
	}
	return cmp.Compare(a.order, b.order)
}

// itemOf gives a change as an item, and its family. p has to be valid.
func itemOf(c *Change, order int) (x item, family int) {
	x = item{entry: c.Entry, order: uint32(order), bits: uint8(c.Prefix.Bits())}
	a := c.Prefix.Addr()
	if a.Is4() {
		x.hi, x.lo = parts4(a)
		return x, four
	}
	x.hi, x.lo = parts6(a)
	return x, six
}

// piece is how many changes are made at a time where they come in order: few
// enough to stay near the processor, so many that few stems are in two pieces.
const piece = 4096

// inOrder reports whether the changes of each family are by address and length.
func inOrder(changes []Change) bool {
	var last [2]item
	for i := range changes {
		if !changes[i].Prefix.IsValid() {
			continue
		}
		x, family := itemOf(&changes[i], i)
		if last[family].compare(x) > 0 {
			return false
		}
		last[family] = x
	}
	return true
}

// pieces yields the changes of each family sorted by address and length; those
// of one prefix stay in their order.
func (w *Writer) pieces(changes []Change, yield func(family int, items []item)) {
	size := len(changes)
	if size > piece && inOrder(changes) {
		size = piece
	}
	items := &w.items
	for len(changes) > 0 {
		part := changes[:min(size, len(changes))]
		changes = changes[len(part):]
		n4 := 0
		for i := range part {
			if part[i].Prefix.Addr().Is4() {
				n4++
			}
		}
		items[four] = slices.Grow(items[four][:0], n4)
		items[six] = slices.Grow(items[six][:0], len(part)-n4)
		for i := range part {
			if part[i].Prefix.IsValid() {
				x, family := itemOf(&part[i], i)
				items[family] = append(items[family], x)
			}
		}
		for family, list := range items {
			if !slices.IsSortedFunc(list, item.compare) {
				slices.SortFunc(list, item.compare)
			}
			if len(list) > 0 {
				yield(family, list)
			}
		}
	}
	for family := range items {
		if cap(items[family]) > piece {
			items[family] = nil
		}
		clear(items[family]) // the entries are the caller's
	}
}

// family makes the changes, which are sorted, of a family f of the next state;
// base is the same of the state before.
func (w *Writer) family(f, base family, items []item) {
	changed := false
	for len(items) > 0 {
		x := &items[0]
		if x.bits <= 8 {
			if !changed {
				*f.routes, changed = f.routes.clone(1), true
			}
			w.edit(f.routes, x, byte(x.hi>>56), x.bits)
			items = items[1:]
			continue
		}
		top := x.hi >> 56
		k := 1
		for k < len(items) && items[k].hi>>56 == top && items[k].bits > 8 {
			k++
		}
		i := top >> 4
		if f.top[i] == base.top[i] {
			g := *f.top[i]
			f.top[i] = &g
		}
		at := &f.top[i].chunk[top&15]
		*at = w.chunk(*at, base.top[i].chunk[top&15], items[:k])
		items = items[k:]
	}
	if changed {
		f.spread(base)
	}
}

// spread makes the groups say what the prefixes of up to 8 bits come to.
func (f family) spread(base family) {
	var ways [256]uint16
	f.routes.paint(&ways, new([4]uint64))
	for i, g := range f.top {
		way := [16]uint16(ways[16*i:])
		if g.way == way {
			continue
		}
		if g == base.top[i] {
			c := *g
			g, f.top[i] = &c, &c
		}
		g.way = way
	}
}

// edit makes one change of a list that the writer owns. b is the byte that the
// prefix ends in, n how many bits of it are the prefix's.
func (w *Writer) edit(l *list, x *item, b byte, n uint8) {
	s := spot(b, n)
	if x.entry != nil && (len(l.keys) == 0 || s > l.keys[len(l.keys)-1]>>16) {
		l.keys = append(l.keys, s<<16|uint32(w.ways.use(x.entry)))
		l.facts = append(l.facts, w.factsOf(x.entry))
		w.count++
		return
	}
	i, found := l.search(s)
	switch {
	case x.entry == nil && !found:
	case x.entry == nil:
		w.ways.release(uint16(l.keys[i]), w.prefix(x))
		l.keys = slices.Delete(l.keys, i, i+1)
		l.facts = slices.Delete(l.facts, i, i+1)
		w.count--
	case found:
		was := uint16(l.keys[i])
		l.keys[i] = s<<16 | uint32(w.ways.use(x.entry))
		if was != unnumbered || uint16(l.keys[i]) != unnumbered {
			w.ways.release(was, w.prefix(x))
		}
		l.facts[i] = w.factsOf(x.entry)
	default:
		l.keys = slices.Insert(l.keys, i, s<<16|uint32(w.ways.use(x.entry)))
		l.facts = slices.Insert(l.facts, i, w.factsOf(x.entry))
		w.count++
	}
}

func (w *Writer) prefix(x *item) netip.Prefix { return prefixOf(x.hi, x.lo, x.bits, w.six) }

// met is the facts of entries that have just been met: many come one after
// another that say the same.
type met [128]struct {
	said  Entry
	facts facts
}

// factsOf gives what e says but for its prefix.
func (w *Writer) factsOf(e *Entry) facts {
	said := *e
	said.Prefix = netip.Prefix{}
	if w.known == nil {
		return unique.Make(said)
	}
	at := uint32(w.ways.number) ^ e.Metric*31 ^ uint32(e.Origin)*57
	k := &w.known[(at^at>>7)%uint32(len(w.known))]
	if k.facts == noFacts || k.said != said {
		k.said, k.facts = said, unique.Make(said)
	}
	return k.facts
}

// chunk gives c after the changes, all longer than 8 bits and of c; base is the
// chunk in its place in the state before.
func (w *Writer) chunk(c, base *chunk, items []item) *chunk {
	if c == base || c == noChunk {
		n := *c
		c = &n
	}
	changed := false
	for len(items) > 0 {
		x := &items[0]
		b := byte(x.hi >> 48)
		if x.bits <= 16 {
			if !changed {
				c.routes, changed = c.routes.clone(1), true
			}
			w.edit(&c.routes, x, b, x.bits-8)
			items = items[1:]
			continue
		}
		k := 1
		for k < len(items) && byte(items[k].hi>>48) == b && items[k].bits > 16 {
			k++
		}
		i := b >> 4
		if c.stems[i] == base.stems[i] || c.stems[i] == &noStems {
			stems := *c.stems[i]
			c.stems[i] = &stems
		}
		at := &c.stems[i][b&15]
		old := *at
		*at = w.under(old, items[:k], 0)
		c.slots[b] = [4]uint32{}
		if *at != nil {
			c.slots[b] = (*at).quarter
			c.below++
		}
		if old != nil {
			c.below--
		}
		items = items[k:]
	}
	if changed {
		c.routes.paint(&c.way, new([4]uint64))
	}
	if c.below == 0 && len(c.routes.keys) == 0 {
		return noChunk
	}
	return c
}

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
	case above < 7:
		depth = min(depth, 8)
	}
	if s != nil && s.depth == depth {
		return w.stem(s, items)
	}
	n := &stem{depth: depth}
	n.hi, n.lo = front(hi, lo, 8*depth)
	if s != nil {
		n.put(byteAt(hi, lo, depth), s)
	}
	return w.stem(n, items)
}

// stem gives what there is in the place of s after the changes, which are all
// longer than 8 bits for each byte of its depth and behind its bytes.
func (w *Writer) stem(was *stem, items []item) *stem {
	s := *was
	owned, forked, changed := false, false, was.place == 0
	for len(items) > 0 {
		x := &items[0]
		b := byteAt(x.hi, x.lo, s.depth)
		if x.bits <= 8*(s.depth+1) {
			if !owned {
				s.routes, owned, changed = s.routes.clone(ending(items, s.depth)), true, true
			}
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
		old := s.below(b)
		n := w.under(old, items[:k], s.depth)
		s.put(b, n)
		changed = changed || old == nil || n == nil || old.word() != n.word()
		items = items[k:]
	}
	if len(s.routes.keys) == 0 {
		switch {
		case s.fork == nil:
			w.erase(&s)
			return nil
		case len(s.fork.stems) == 1 && s.depth != 2 && (s.depth < 7 || s.depth > 8 || s.fork.stems[0].depth <= 8):
			w.erase(&s)
			return s.fork.stems[0]
		}
	}
	if changed {
		w.write(&s)
	}
	return &s
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
