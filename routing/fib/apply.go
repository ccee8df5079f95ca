package fib

import (
	"cmp"
	"net/netip"
	"slices"
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

// inOrder reports whether the changes of each family seem to come by address and
// length: it looks at some of them.
func inOrder(changes []Change) bool {
	var last [2]item
	for i := 0; i < len(changes); i += max(1, len(changes)/512) {
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
	for len(changes) > 0 {
		part := changes[:min(size, len(changes))]
		changes = changes[len(part):]
		w.items = [2][]item{w.items[four][:0], w.items[six][:0]}
		var unsorted [2]bool
		for i := range part {
			if !part[i].Prefix.IsValid() {
				continue
			}
			x, family := itemOf(&part[i], i)
			list := w.items[family]
			unsorted[family] = unsorted[family] || len(list) > 0 && list[len(list)-1].compare(x) > 0
			if len(list) == cap(list) {
				list = slices.Grow(list, min(len(part)-i, max(len(list), piece)))
			}
			w.items[family] = append(list, x)
		}
		for family, list := range w.items {
			if unsorted[family] {
				slices.SortFunc(list, item.compare)
			}
			if len(list) > 0 {
				yield(family, list)
			}
		}
	}
	for family := range w.items {
		if w.ahead.begin(nil); cap(w.items[family]) > 2*piece {
			w.items[family] = nil
		}
		clear(w.items[family]) // the entries are the caller's
	}
}

// family makes the changes, which are sorted, of the family at hand.
func (w *Writer) family(items []item) {
	which := w.which()
	w.ahead.begin(items)
	var routes *list
	for len(items) > 0 {
		x := &items[0]
		if x.bits <= 8 {
			if routes == nil {
				routes = w.index.routes[which].copied(ending(items, 0))
				w.index.routes[which] = routes
			}
			w.edit(routes, x, byte(x.hi>>56), x.bits, false)
			items = items[1:]
			continue
		}
		k := 1
		for k < len(items) && items[k].hi>>56 == x.hi>>56 && items[k].bits > 8 {
			k++
		}
		w.second(items[:k])
		items = items[k:]
	}
	if routes != nil {
		var ways [256]uint16
		routes.paint(w.facts.known, &ways, new([4]uint64), 0)
		w.index.short[which] = &ways
	}
}

// edit makes one change of a list, late or of a copy that the writer owns. b is the
// byte that the prefix ends in, n how many bits of it are the prefix's.
func (w *Writer) edit(l *list, x *item, b byte, n uint8, late bool) {
	s := spot(b, n)
	was, now := uint32(noFacts), uint32(noFacts)
	last := !late && (len(l.keys) == 0 || s > l.keys[len(l.keys)-1]>>factsBits)
	if !last {
		was = l.find(s)
	}
	if x.entry != nil {
		now = w.use(x.entry)
	}
	switch {
	case was != noFacts && (was != unlisted || now != unlisted):
		w.release(was, w.prefix(x))
	case was == noFacts && now == noFacts:
		return
	}
	more := btoi(now != noFacts) - btoi(was != noFacts)
	l.n, w.count = uint16(int(l.n)+more), w.count+more
	switch key := s<<factsBits | now; {
	case last:
		l.keys = append(l.keys, key)
	case late:
		l.putLate(key)
	default:
		l.keys = put(l.keys, key)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (w *Writer) prefix(x *item) netip.Prefix { return prefixOf(x.hi, x.lo, x.bits, w.six) }

// second makes the changes, all longer than 8 bits, behind one first byte.
func (w *Writer) second(items []item) {
	which, top := w.which(), items[0].hi&^(1<<56-1)
	var routes *list
	var changed reach
	for len(items) > 0 {
		x := &items[0]
		b := byte(x.hi >> 48)
		if x.bits <= 16 {
			if routes == nil {
				routes = w.index.second(which, top).copied(ending(items, 1))
				w.index.setSecond(which, top, routes)
			}
			changed.add(spot(b, x.bits-8))
			w.edit(routes, x, b, x.bits-8, false)
			items = items[1:]
			continue
		}
		k := 1
		for k < len(items) && byte(items[k].hi>>48) == b && items[k].bits > 16 {
			k++
		}
		if w.six {
			w.third(items[:k])
		} else {
			w.readAhead(items)
			s := w.under(w.index.stem(four, x.hi), items[:k], 0)
			w.index.enter4(x.hi, s, w.index.above4(x.hi), &w.touched)
		}
		items = items[k:]
	}
	if routes == nil {
		return
	}
	changed.paint(routes, w.facts.known, func(b int, way uint16) {
		hi := top | uint64(b)<<48
		if w.six {
			w.index.way6(hi, way)
		} else if w.index.above4(hi) != way {
			w.index.enter4(hi, w.index.stem(four, hi), way, nil)
		}
	})
	if routes.n == 0 {
		w.index.setSecond(which, top, noList)
	}
}

// third makes the changes of IPv6, all longer than 16 bits, behind two bytes.
func (w *Writer) third(items []item) {
	top := items[0].hi &^ (1<<48 - 1)
	var routes *list
	var changed reach
	for len(items) > 0 {
		x := &items[0]
		b := byte(x.hi >> 40)
		if x.bits <= 24 {
			if routes == nil {
				routes = w.index.sites(top).routes.copied(ending(items, 2))
				w.index.setThird(top, routes)
			}
			changed.add(spot(b, x.bits-16))
			w.edit(routes, x, b, x.bits-16, false)
			items = items[1:]
			continue
		}
		k := 1
		for k < len(items) && byte(items[k].hi>>40) == b && items[k].bits > 24 {
			k++
		}
		w.readAhead(items)
		s := w.under(w.index.stem(six, x.hi), items[:k], 0)
		w.index.enter6(x.hi, s, w.index.above6(x.hi), &w.touched)
		items = items[k:]
	}
	if routes == nil {
		return
	}
	changed.paint(routes, w.facts.known, func(b int, way uint16) {
		hi := top | uint64(b)<<40
		if w.index.above6(hi) != way {
			w.index.enter6(hi, w.index.stem(six, hi), way, nil)
		}
	})
	if routes.n == 0 {
		w.index.setThird(top, noList)
	}
}

// reach is the bytes whose ways changes of a list may have changed.
type reach struct{ from, to int }

func (r *reach) none() bool { return r.to == 0 }

func (r *reach) add(spot uint32) {
	first, n := span(spot)
	if r.none() {
		r.from = first
	}
	r.from, r.to = min(r.from, first), max(r.to, first+n)
}

// paint calls set for each of the bytes with its way.
func (r *reach) paint(l *list, known *knownFacts, set func(b int, way uint16)) {
	if r.none() {
		return
	}
	var ways [256]uint16
	l.paint(known, &ways, new([4]uint64), 0)
	for b := r.from; b < r.to; b++ {
		set(b, ways[b])
	}
}
