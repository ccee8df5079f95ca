package fib

// The index is the first part of what lookups read: it leads from the first two
// bytes of an IPv4 address, and the first three of an IPv6 address, to the quarter
// with the values of the next byte. It is cut so that a change copies little of it.

// index4 is by the first 4 bits of an address, then the next 4, then the next 5, and
// then the next 5.
type (
	index4 [16]*half4
	half4  [16]*part4
	part4  struct { // of one first byte
		to     [32]*doors
		routes *list // lengths 9 to 16
	}
)

// doors is 8 stems, and the quarters of them, four each.
type doors struct {
	to [32]*quarter
	// links are what values in the quarters lead to; nil for none of the 8.
	links *[8][]link
	// way is of the longest prefix above each of the stems; the quarters have it
	// too.
	way   [8]uint16
	stems [8]*stem
}

// index6 is by four times 4 bits (which are 16 bits, and most values of them have no
// prefix longer than that), then 5 and 5.
type (
	index6 [16]*half6
	half6  [16]*part6
	part6  struct {
		to     [16]*area
		routes *list // lengths 9 to 16
	}
	area  [16]*sites
	sites struct {
		has    [32]uint32 // a bit for each quarter that is not noQuarter6
		to     [32]*doors6
		routes *list // lengths 17 to 24
	}
)

// pairs has what the first byte of an IPv6 address and the second say: the way of the
// longest prefix of 9 to 16 bits, and hasSites.
type pairs [256]*[256]uint16

// doors6 is doors of IPv6, whose quarters have their links.
type doors6 struct {
	to    [32]*quarter6
	way   [8]uint16
	stems [8]*stem
}

// hasSites is set of two bytes with longer prefixes.
const hasSites = 1 << 15

var (
	noQuarter  = &quarter{}
	noQuarter6 = &quarter6{}
	noDoors    = func() *doors {
		d := &doors{}
		for i := range d.to {
			d.to[i] = noQuarter
		}
		return d
	}()
	noDoors6 = func() *doors6 {
		d := &doors6{}
		for i := range d.to {
			d.to[i] = noQuarter6
		}
		return d
	}()
	noList  = new(list)
	noPart4 = &part4{filled32(noDoors), noList}
	noHalf4 = func() *half4 { h := half4(filled(noPart4)); return &h }()
	noSites = &sites{to: filled32(noDoors6), routes: noList}
	noArea  = func() *area { a := area(filled(noSites)); return &a }()
	noPart6 = &part6{filled(noArea), noList}
	noHalf6 = func() *half6 { h := half6(filled(noPart6)); return &h }()
)

func filled[T any](with *T) (a [16]*T) {
	for i := range a {
		a[i] = with
	}
	return a
}

func filled32[T any](with *T) (a [32]*T) {
	for i := range a {
		a[i] = with
	}
	return a
}

// indexes is all prefixes, and what lookups read of them.
type indexes struct {
	four   index4 // here, so that a change writes one piece less
	six    index6
	routes [2]*list // lengths 0 to 8, of IPv4 and IPv6
	// short has the ways of the longest prefixes of up to 8 bits.
	short [2]*[256]uint16
	pairs *pairs
}

var (
	noShort [256]uint16
	noPairs = func() *pairs {
		p := &pairs{}
		for i := range p {
			p[i] = &noShort
		}
		return p
	}()
)

func emptyIndexes() indexes {
	return indexes{filled(noHalf4), filled(noHalf6), [2]*list{noList, noList}, [2]*[256]uint16{&noShort, &noShort}, noPairs}
}

// indexDraft is the next state of indexes while it is written.
type indexDraft struct {
	*indexes
	base  *indexes
	build builder
	known *known
}

// own gives what is at p to be written to: a copy, if it is that of the base or
// stands for nothing.
func own[T any](p **T, base, none *T) *T {
	if *p == base || *p == none {
		c := **p
		*p = &c
	}
	return *p
}

// set has door number k lead to s, nil = to nothing longer than way. What changed of
// s is touched; nil is all of it.
func (d *indexDraft) set(to *doors, k uint64, s *stem, way uint16, touched *touched) {
	to.stems[k] = s
	q := (*[4]*quarter)(to.to[4*k:])
	var links []link
	if to.links != nil {
		links = to.links[k]
	}
	if s != nil && touched != nil && to.way[k] == way {
		if changed, ok := repaint(s, way, q, links, touched, d.known); ok {
			if changed != nil {
				to.link(k, changed)
			}
			return
		}
	}
	to.way[k] = way
	if links = nil; s != nil {
		var made [4]*quarter
		made, links = d.build.quarters(s, way, q, d.known)
		*q = made
	} else {
		same := int(way)
		if way >= firstLink {
			same, links = firstLink, []link{{noBlock, way}}
		}
		for i := range q {
			q[i] = d.known.quarter(same)
		}
	}
	to.link(k, links)
}

// link sets the links of door number k.
func (d *doors) link(k uint64, links []link) {
	switch {
	case links == nil && (d.links == nil || d.links[k] == nil):
	case d.links == nil:
		d.links = new([8][]link)
		d.links[k] = links
	default:
		c := *d.links
		c[k] = links
		d.links = &c
	}
}

// empty reports whether d leads nowhere.
func (d *doors) empty() bool { return d.to == noDoors.to }

func (d *doors6) empty() bool { return d.to == noDoors6.to }

// part4 and part6 give that of the first byte to be written to.
func (d *indexDraft) part4(hi uint64) *part4 {
	i, k := hi>>60, hi>>56&15
	half := own(&d.four[i], d.base.four[i], noHalf4)
	return own(&half[k], d.base.four[i][k], noPart4)
}

func (d *indexDraft) part6(hi uint64) *part6 {
	i, k := hi>>60, hi>>56&15
	half := own(&d.six[i], d.base.six[i], noHalf6)
	return own(&half[k], d.base.six[i][k], noPart6)
}

// tidy4 and tidy6 take away what leads to nothing, after a change behind the first byte.
func (d *indexDraft) tidy4(hi uint64) {
	half, k := &d.four[hi>>60], hi>>56&15
	if *(*half)[k] == *noPart4 {
		if (*half)[k] = noPart4; **half == *noHalf4 {
			*half = noHalf4
		}
	}
}

func (d *indexDraft) tidy6(hi uint64) {
	half, k := &d.six[hi>>60], hi>>56&15
	if *(*half)[k] == *noPart6 {
		if (*half)[k] = noPart6; **half == *noHalf6 {
			*half = noHalf6
		}
	}
}

// setSecond sets the prefixes of 9 to 16 bits behind the first byte.
func (d *indexDraft) setSecond(which int, hi uint64, l *list) {
	if which == four {
		d.part4(hi).routes = l
		d.tidy4(hi)
	} else {
		d.part6(hi).routes = l
		d.tidy6(hi)
	}
}

// enter4 sets where two bytes lead.
func (d *indexDraft) enter4(hi uint64, s *stem, way uint16, touched *touched) {
	k, part := hi>>51&31, d.part4(hi)
	to := own(&part.to[k], d.base.four[hi>>60][hi>>56&15].to[k], noDoors)
	d.set(to, hi>>48&7, s, way, touched)
	if s == nil && way == 0 && to.empty() {
		part.to[k] = noDoors
		d.tidy4(hi)
	}
}

// above4 gives the way of the longest prefix of 9 to 16 bits of two bytes.
func (d *indexDraft) above4(hi uint64) uint16 {
	return d.four[hi>>60][hi>>56&15].to[hi>>51&31].way[hi>>48&7]
}

// area gives that of two bytes to be written to.
func (d *indexDraft) area(hi uint64) *area {
	k := hi >> 52 & 15
	return own(&d.part6(hi).to[k], d.base.six[hi>>60][hi>>56&15].to[k], noArea)
}

// owned6 gives what is behind two bytes to be written to.
func (d *indexDraft) owned6(hi uint64) *sites {
	a, at := d.area(hi), hi>>48&15
	d.pair(hi, d.pairs[hi>>56][hi>>48&255]|hasSites)
	return own(&a[at], d.base.six[hi>>60][hi>>56&15].to[hi>>52&15][at], noSites)
}

// tidy takes away what leads to nothing, after a change behind two bytes.
func (d *indexDraft) tidy(hi uint64) {
	at, to := hi>>48&15, &d.six[hi>>60][hi>>56&15].to[hi>>52&15]
	if a := *to; a[at] != noSites && *a[at] == *noSites {
		a[at] = noSites
		d.pair(hi, d.pairs[hi>>56][hi>>48&255]&^hasSites)
	}
	if *to != noArea && **to == *noArea {
		*to = noArea
		d.tidy6(hi)
	}
}

// pair sets what two bytes say.
func (d *indexDraft) pair(hi uint64, says uint16) {
	b, c := hi>>56, hi>>48&255
	if d.pairs[b][c] == says {
		return
	}
	p := own(&d.pairs, d.base.pairs, noPairs)
	own(&p[b], d.base.pairs[b], &noShort)[c] = says
	if *p[b] == noShort {
		if p[b] = &noShort; *p == *noPairs {
			d.pairs = noPairs
		}
	}
}

// way6 sets the way of the longest prefix of 9 to 16 bits of two bytes.
func (d *indexDraft) way6(hi uint64, way uint16) {
	d.pair(hi, d.pairs[hi>>56][hi>>48&255]&hasSites|way)
}

// setThird sets the prefixes of 17 to 24 bits behind two bytes.
func (d *indexDraft) setThird(hi uint64, l *list) {
	d.owned6(hi).routes = l
	d.tidy(hi)
}

// enter6 sets where three bytes lead.
func (d *indexDraft) enter6(hi uint64, s *stem, way uint16, touched *touched) {
	some, i, k := d.owned6(hi), hi>>43&31, hi>>40&7
	was := d.base.six[hi>>60][hi>>56&15].to[hi>>52&15][hi>>48&15].to[i]
	to := own(&some.to[i], was, noDoors6)
	d.set6(to, k, s, way, touched)
	some.has[i] &^= 15 << (4 * k)
	for j, q := range to.to[4*k : 4*k+4] {
		if q != noQuarter6 {
			some.has[i] |= 1 << (4*int(k) + j)
		}
	}
	if s == nil && way == 0 && to.empty() {
		some.to[i] = noDoors6
		d.tidy(hi)
	}
}

// above6 gives the way of the longest prefix of 17 to 24 bits of three bytes.
func (d *indexDraft) above6(hi uint64) uint16 {
	return d.six[hi>>60][hi>>56&15].to[hi>>52&15][hi>>48&15].to[hi>>43&31].way[hi>>40&7]
}
