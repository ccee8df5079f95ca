package fib

// number6 gives the number of the way to one address of IPv6.
func (f *FIB) number6(hi, lo uint64) uint16 {
	x := f.pairs[hi>>56][hi>>48&255]
	way := x &^ hasSites
	if way == 0 {
		way = f.short[six][hi>>56]
	}
	if x&hasSites == 0 {
		return way
	}
	d := f.sites(hi).to[hi>>43&31]
	v := d.to[hi>>38&31].values[hi>>32&63]
	if v == 0 {
		return way
	}
	if v < firstLink {
		return uint16(v)
	}
	l := &d.to[hi>>38&31].links[v-firstLink]
	if l.way != 0 {
		way = l.way
	}
	part := l.at(uint16(hi >> 16))
	switch w := part.values[part.number(uint16(hi>>16))]; {
	case w == 0:
		return way
	case w&isBelow != 0:
		return part.below[w&belowMask].descend(hi, lo, way)
	default:
		return w
	}
}

func (f *FIB) together6(q *Query, list []uint8) {
	pairs, short := f.pairs, f.short[six]
	n := 0
	for _, i := range list {
		i &= lanes - 1
		hi := q.hi[i]
		x := pairs[hi>>56][hi>>48&255]
		q.active[n&(lanes-1)] = i
		n += int(x / hasSites)
		way := x &^ hasSites
		if w := short[hi>>56]; way == 0 {
			way = w
		}
		q.way[i] = way
	}
	if n > 0 {
		f.behindPairs(q, n)
	}
}

// behindPairs goes on with the first active lanes, which are behind two bytes that have
// sites.
func (f *FIB) behindPairs(q *Query, active int) {
	top := &f.six
	var some [lanes]*sites
	n := 0
	for _, i := range q.active[:active&63] {
		i &= lanes - 1
		hi := q.hi[i]
		s := top[hi>>60][hi>>56&15].to[hi>>52&15][hi>>48&15]
		some[n&(lanes-1)] = s
		q.active[n&(lanes-1)] = i
		n += int(s.has[hi>>43&31] >> (hi >> 38 & 31) & 1)
	}
	var to [lanes]*quarter6
	for j := range q.active[:n&63] {
		hi := q.hi[q.active[j&(lanes-1)]&(lanes-1)]
		to[j&(lanes-1)] = some[j&(lanes-1)].to[hi>>43&31].to[hi>>38&31]
	}
	// Both lines of the quarters are read, and nothing else is done, so that the reads
	// come close together. Likewise below.
	for j := range q.active[:n&63] {
		quarter := to[j&(lanes-1)]
		q.index[j&(lanes-1)] = quarter.values[q.hi[q.active[j&(lanes-1)]&(lanes-1)]>>32&63]
		q.touched[j&(lanes-1)] = uint16(len(quarter.links))
	}
	k := 0
	var links [lanes][]link6
	for j := range q.active[:n&63] {
		i := q.active[j&(lanes-1)] & (lanes - 1)
		v := uint32(q.index[j&(lanes-1)])
		way := q.way[i]
		if v-1 < firstLink-1 {
			way = uint16(v)
		}
		q.way[i] = way
		q.below[k&(lanes-1)] = uint16(v - firstLink)
		links[k&(lanes-1)] = to[j&(lanes-1)].links
		q.active[k&(lanes-1)] = i
		k += int((v + mostLinks) >> 8)
	}
	if k > 0 {
		q.behindLinks(&links, k)
	}
}

// spreads is where lanes are.
type spreads struct {
	line [lanes]*line
	page [lanes]*page
	fan  [lanes]*fan
}

// behindLinks goes on with the first k active lanes, which are behind four bytes.
func (q *Query) behindLinks(links *[lanes][]link6, k int) {
	var link [lanes]*link6
	for j := range q.active[:k&63] {
		l := &links[j&(lanes-1)][q.below[j&(lanes-1)]]
		link[j&(lanes-1)] = l
		q.touched[j&(lanes-1)] = l.way
	}
	var at spreads
	fanned, paged := 0, 0
	for j := range q.active[:k&63] {
		i := q.active[j&(lanes-1)] & (lanes - 1)
		l := link[j&(lanes-1)]
		way := q.way[i]
		if l.way != 0 {
			way = l.way
		}
		q.way[i] = way
		at.line[i], at.page[i], at.fan[i] = l.line, l.page, l.fan
		q.fanned[fanned&(lanes-1)] = i
		if l.fan != nil {
			fanned++
		}
		q.paged[paged&(lanes-1)] = i
		if l.page != nil {
			paged++
		}
	}
	q.pages(&at, q.fans(&at, fanned, paged))
	if left := q.lines(&at, k); left > 0 {
		q.behindLines(&at, left)
	}
}

// fans finds what is behind the fans of so many lanes. It gives how many lanes have a
// page then, after so many that do already.
func (q *Query) fans(at *spreads, fanned, paged int) int {
	var to [lanes]*spread
	for shift := 28; fanned > 0; shift -= 4 {
		for _, i := range q.fanned[:fanned&63] {
			i &= lanes - 1
			s := &at.fan[i].to[q.hi[i]>>shift&15]
			to[i], at.line[i] = s, s.line
		}
		left := 0
		for _, i := range q.fanned[:fanned&63] {
			i &= lanes - 1
			s := to[i]
			at.page[i], at.fan[i] = s.page, s.fan
			q.fanned[left&(lanes-1)] = i
			if s.fan != nil {
				left++
			}
			q.paged[paged&(lanes-1)] = i
			if s.page != nil {
				paged++
			}
		}
		fanned = left
	}
	return paged
}

// pages finds the lines of so many lanes that have a page.
func (q *Query) pages(at *spreads, paged int) {
	for _, i := range q.paged[:paged&63] {
		i &= lanes - 1
		q.touched[i] = at.page[i].starts[8]
	}
	for _, i := range q.paged[:paged&63] {
		i &= lanes - 1
		p := at.page[i]
		at.line[i] = &p.lines[p.number(uint16(q.hi[i]>>16))]
	}
}

// lines finds the values of the first k active lanes. It leaves those active that go on
// below, and gives how many they are.
func (q *Query) lines(at *spreads, k int) (left int) {
	for _, i := range q.active[:k&63] {
		i &= lanes - 1
		q.touched[i] = at.line[i].starts[7]
	}
	for _, i := range q.active[:k&63] {
		i &= lanes - 1
		l := at.line[i]
		x := l.values[l.number(uint16(q.hi[i]>>16))]
		way := q.way[i]
		if int16(x) > 0 {
			way = x
		}
		q.way[i] = way
		q.below[i] = x
		q.active[left&(lanes-1)] = i
		left += int(x >> 15)
	}
	return left
}

// behindLines goes on with the first active lanes, which are behind six bytes.
func (q *Query) behindLines(at *spreads, left int) {
	var blocks blocks
	for _, i := range q.active[:left&63] {
		i &= lanes - 1
		l := &at.line[i].below[q.below[i]&belowMask]
		blocks[i] = l.block
		if l.way != 0 {
			q.way[i] = l.way
		}
	}
	q.descend(&blocks, left)
}
