package fib

// ahead reads what changes will touch, before they are made. A change waits for memory
// a dozen times, each time at an address that the read before gives. So 32 changes are
// read for side by side: each step is made for all of them before the next one, so that
// the processor waits for many reads at a time. A change alone gains a tenth by it: what
// packets read of its place and what the stems say lie apart.
type ahead struct {
	items []item // all changes of the family at hand
	done  int    // how many of them have been read for
	sum   uint64 // of what was read: the compiler leaves out reads that give nothing
	stem  [lanes]*stem
}

// begin is before the changes of a family.
func (a *ahead) begin(items []item) { a.items, a.done = items, 0 }

// readAhead reads for the first of the changes and those after it, if that has not
// been done. They are a part of all those of the family.
func (w *Writer) readAhead(items []item) {
	a := &w.ahead
	at := cap(a.items) - cap(items)
	if at < a.done {
		return
	}
	next := a.items[at:min(at+lanes, len(a.items))]
	a.done = at + len(next)
	if !apart(next, w.six) {
		return
	}
	for i := range next {
		if e := next[i].entry; e != nil {
			a.sum += uint64(e.Metric) + uint64(e.Source)
		}
	}
	for i := range next {
		if e := next[i].entry; e != nil && e.Group != nil {
			a.sum += uint64(e.Group.number.Load())
		}
	}
	if w.six {
		w.readIndex6(next)
	} else {
		w.readIndex4(next)
	}
	for range 3 {
		if !a.readStems(next) {
			break
		}
	}
	clear(a.stem[:])
}

// apart reports whether changes are in many parts of the table.
func apart(items []item, six bool) bool {
	parts, shift := 1, 48
	if six {
		shift = 40
	}
	for i := 1; i < len(items); i++ {
		parts += btoi(items[i].hi>>shift != items[i-1].hi>>shift)
	}
	return parts > len(items)/2
}

// readIndex4 reads the index up to the stems, and the quarters.
func (w *Writer) readIndex4(items []item) {
	a := &w.ahead
	var to [lanes]*doors
	for i := range items {
		hi := items[i].hi
		to[i&(lanes-1)] = w.index.four[hi>>60][hi>>56&15].to[hi>>51&31]
	}
	for i := range items {
		d := to[i&(lanes-1)]
		a.sum += uint64(d.way[0])
		for k := 0; k < len(d.to); k += 8 {
			a.sum += uint64(btoi(d.to[k] == noQuarter))
		}
		a.stem[i&(lanes-1)] = d.stems[items[i].hi>>48&7]
	}
	for i := range items {
		a.sum += uint64(to[i&(lanes-1)].to[items[i].hi>>46&31][0])
	}
}

// readIndex6 reads the index up to the stems, the quarters, and what is behind four
// bytes.
func (w *Writer) readIndex6(items []item) {
	a := &w.ahead
	var to [lanes]*doors6
	var quarter [lanes]*quarter6
	var behind [lanes]*link6
	for i := range items {
		hi := items[i].hi
		to[i&(lanes-1)] = w.index.sites(hi).to[hi>>43&31]
	}
	for i := range items {
		d, hi := to[i&(lanes-1)], items[i].hi
		a.sum += uint64(d.way[0])
		for k := 0; k < len(d.to); k += 8 {
			a.sum += uint64(btoi(d.to[k] == noQuarter6))
		}
		a.stem[i&(lanes-1)], quarter[i&(lanes-1)] = d.stems[hi>>40&7], d.to[hi>>38&31]
	}
	for i := range items {
		q := quarter[i&(lanes-1)]
		if v := q.values[items[i].hi>>32&63]; v >= firstLink && items[i].bits > 32 {
			behind[i&(lanes-1)] = &q.links[v-firstLink]
		}
	}
	for i := range items {
		if l := behind[i&(lanes-1)]; l != nil {
			a.sum += uint64(l.way)
		}
	}
	for i := range items {
		switch l := behind[i&(lanes-1)]; {
		case l == nil:
		case l.fan != nil:
			for k := 0; k < len(l.fan.to); k += 2 {
				a.sum += uint64(btoi(l.fan.to[k].line == nil))
			}
		case l.page != nil:
			for k := range l.page.lines {
				a.sum += uint64(l.page.lines[k].starts[0])
			}
		case l.line != nil:
			a.sum += uint64(l.line.starts[0])
		}
	}
}

// readStems reads what the stems say of the changes, and goes to the stems below, if
// there are any.
func (a *ahead) readStems(items []item) (more bool) {
	for i := range items {
		if s := a.stem[i&(lanes-1)]; s != nil {
			a.sum += s.hi + uint64(s.depth)
		}
	}
	for i := range items {
		s := a.stem[i&(lanes-1)]
		if s == nil {
			continue
		}
		if s.fork != nil {
			a.sum += s.fork.has[0] + uint64(len(s.fork.stems[3]))
		}
		if s.routes.lates > 0 {
			a.sum += uint64(s.routes.late.keys[0])
		}
		if n := len(s.routes.keys); n > 0 {
			at := guess(n, uint32(byteAt(items[i].hi, items[i].lo, s.depth))<<4)
			a.sum += uint64(s.routes.keys[at])
		}
	}
	for i := range items {
		s := a.stem[i&(lanes-1)]
		if s == nil {
			continue
		}
		if items[i].bits > 8*(s.depth+1) {
			s = s.below(byteAt(items[i].hi, items[i].lo, s.depth))
			more = more || s != nil
		} else {
			s = nil
		}
		a.stem[i&(lanes-1)] = s
	}
	return more
}
