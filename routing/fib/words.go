package fib

import "slices"

// words is the memory of the nodes that lookups read: pages of 64-bit words, of
// which a place is named by its number. A state of it never changes; the next
// one, a [draft], begins with the same pages and copies each that it writes to,
// once. There is no pointer in a page, so the garbage collector does not look
// into any.
//
// A page is cut into places of one size. Pages of a size with a place free are
// chained, and the chain lies in the pages themselves, so that it belongs to
// the state as well.
type words struct {
	shelves []*shelf
	pages   uint32          // numbers given; 0 is a page of zeros, which stands for "no node"
	holes   uint32          // of them without a page now
	roomy   [classes]uint32 // the first page of each size with a place free; 0 = none
}

const (
	pageWords  = 512
	shelfPages = 64
	pageEnd    = pageWords - 2 // of the places
)

type (
	page  [pageWords]uint64
	shelf [shelfPages]*page
)

// at gives the page of a place.
func (w *words) at(place uint32) *page {
	return pageAt(w.shelves, place)
}

// near is at for whoever has the first shelf at hand, which is all of a small
// table: the processor need not wait for it at each node.
func (w *words) near(first *shelf, place uint32) *page {
	if place < shelfPages*pageWords {
		return first[place/pageWords]
	}
	return w.at(place)
}

func pageAt(shelves []*shelf, place uint32) *page {
	return shelves[place/(shelfPages*pageWords)][place/pageWords%shelfPages]
}

func emptyWords() words {
	return words{shelves: []*shelf{{new(page)}}, pages: 1}
}

// bytes is what the pages take.
func (w *words) bytes() int {
	return int(w.pages-w.holes)*pageWords*8 + len(w.shelves)*shelfPages*8
}

// The sizes of places, in words: fine steps where most nodes are, and so that a
// small node lies in few lines of memory; then as many to a page as fit.
var sizes = [classes]uint16{4, 8, 12, 16, 18, 20, 22, 24, 28, 32, 36, 40, 46, 51, 56, 63, 72, 85, 102, 127, 170, 255, 510}

const classes = 23

// classOf gives the number of the smallest size that holds so many words.
func classOf(n int) uint64 {
	i, _ := slices.BinarySearch(sizes[:], uint16(n))
	return uint64(i)
}

// The last word but one of a page: its class, how many places are taken, and the
// first free place, from 1, 0 for none; a free place begins with the next. The
// last word: the pages before and behind it in the chain of its class.
const (
	state = pageEnd
	links = pageEnd + 1

	takenShift = 8
	freeShift  = 20
	fieldMask  = 0xfff
	chainShift = 32
	chainMask  = 1<<chainShift - 1
)

// draft is the next state of words while it is written.
type draft struct {
	words
	base  *words
	short shortDraft
	made  quarters
}

func (d *draft) begin(base *words) {
	d.words, d.base = *base, base
	d.shelves = slices.Clone(base.shelves)
}

// own gives page number p to be written to.
func (d *draft) own(p uint32) *page {
	s, i := p/shelfPages, p%shelfPages
	if int(s) >= len(d.base.shelves) {
		return d.shelves[s][i]
	}
	was := d.base.shelves[s]
	if d.shelves[s] == was {
		c := *was
		d.shelves[s] = &c
	}
	if d.shelves[s][i] == was[i] {
		c := *was[i]
		d.shelves[s][i] = &c
	}
	return d.shelves[s][i]
}

// take gives a place for n words, which may hold anything.
func (d *draft) take(n int) uint32 {
	c := classOf(n)
	p := d.roomy[c]
	if p == 0 {
		p = d.addPage(c)
		d.roomy[c] = p
	}
	g := d.own(p)
	place := uint32(g[state]>>freeShift&fieldMask) - 1
	g[state] = g[state]&^(fieldMask<<freeShift) | g[place]<<freeShift
	g[state] += 1 << takenShift
	if g[place] == 0 { // full
		d.unchain(g, c)
	}
	return p*pageWords + place
}

// fits reports whether n words are best kept where place is.
func (d *draft) fits(place uint32, n int) bool {
	return d.at(place)[state]&(1<<takenShift-1) == classOf(n)
}

// give takes a place back.
func (d *draft) give(place uint32) {
	p := place / pageWords
	g := d.own(p)
	c := g[state] & (1<<takenShift - 1)
	free := g[state] >> freeShift & fieldMask
	g[state] -= 1 << takenShift
	if g[state]>>takenShift&fieldMask == 0 {
		if free != 0 {
			d.unchain(g, c)
		}
		d.dropPage(p)
		return
	}
	if free == 0 {
		d.chain(p, g, c)
	}
	place %= pageWords
	g[place] = free
	g[state] = g[state]&^(fieldMask<<freeShift) | uint64(place+1)<<freeShift
}

// chain puts a page in front of those of its class that have room.
func (d *draft) chain(p uint32, g *page, class uint64) {
	next := d.roomy[class]
	g[links] = uint64(next) << chainShift
	if next != 0 {
		n := d.own(next)
		n[links] = n[links]&^chainMask | uint64(p)
	}
	d.roomy[class] = p
}

func (d *draft) unchain(g *page, class uint64) {
	prev, next := uint32(g[links]&chainMask), uint32(g[links]>>chainShift)
	if prev == 0 {
		d.roomy[class] = next
	} else {
		n := d.own(prev)
		n[links] = n[links]&chainMask | uint64(next)<<chainShift
	}
	if next != 0 {
		n := d.own(next)
		n[links] = n[links]&^chainMask | uint64(prev)
	}
}

// addPage makes a page of the class, whose places are all free.
func (d *draft) addPage(class uint64) uint32 {
	size := uint32(sizes[class])
	g := new(page)
	var first uint32
	for n := pageEnd / size; n > 0; n-- {
		place := (n - 1) * size
		g[place] = uint64(first)
		first = place + 1
	}
	g[state] = class | uint64(first)<<freeShift
	p := d.pages
	if d.holes > 0 {
		p = d.hole()
		d.holes--
	} else {
		d.pages++
	}
	s := p / shelfPages
	if int(s) == len(d.shelves) {
		d.shelves = append(d.shelves, new(shelf))
	} else if int(s) < len(d.base.shelves) && d.shelves[s] == d.base.shelves[s] {
		c := *d.shelves[s]
		d.shelves[s] = &c
	}
	d.shelves[s][p%shelfPages] = g
	return p
}

// hole finds a number whose page was dropped.
func (d *draft) hole() uint32 {
	for s, pages := range d.shelves {
		for i, g := range pages {
			if g == nil {
				return uint32(s*shelfPages + i)
			}
		}
	}
	panic("fib: no page is missing, though one is said to be")
}

// dropPage forgets a page that the draft owns.
func (d *draft) dropPage(p uint32) {
	d.shelves[p/shelfPages][p%shelfPages] = nil
	d.holes++
}
