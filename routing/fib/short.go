package fib

import (
	"math/bits"
	"slices"
)

// short is a short cut of IPv6: it leads from the first four bytes of an address,
// where most sites have their routes, to the node of the stem at depth 4, past
// those of two stems above. It is a hash of buckets of a line of memory each. A
// stem that finds its bucket full is left out, and found the long way.
//
// Like words, a state never changes, and the next copies the pages it writes to.
type short struct {
	pages []*bucketPage // a power of two; none for a small table
	stems int           // at depth 4, those left out included
}

const (
	bucketPages = 32 // buckets to a page
	fewStems    = 64 // for fewer the way is not worth cutting
)

type (
	bucketPage [bucketPages]bucket
	bucket     struct {
		key     [3]uint32 // the first four bytes; 0 = none
		quarter [3][4]uint32
		_       uint32
	}
)

// spotOf gives the bucket of a key. pages must not be empty.
func spotOf(pages []*bucketPage, key uint32) (page, at uint32) {
	h := key * 0x9e3779b1 // the product's upper bits depend on all bits of the key
	h ^= h >> 15
	return h / bucketPages & uint32(len(pages)-1), h % bucketPages
}

// shortDraft is the next state of short while it is written.
type shortDraft struct {
	short
	base  *short
	owned bool // the list of pages
}

// set notes where the quarters of the stem with a key are; nil = there is none.
func (d *shortDraft) set(key uint32, quarter *[4]uint32) {
	if len(d.pages) == 0 || key == 0 {
		return
	}
	page, at := spotOf(d.pages, key)
	b := &d.pages[page][at]
	i := slices.Index(b.key[:], key)
	if i < 0 && quarter != nil {
		i = slices.Index(b.key[:], 0)
	}
	if i < 0 {
		return
	}
	if !d.owned {
		d.pages, d.owned = slices.Clone(d.pages), true
	}
	if int(page) < len(d.base.pages) && d.pages[page] == d.base.pages[page] {
		c := *d.pages[page]
		d.pages[page] = &c
	}
	b = &d.pages[page][at]
	if quarter == nil {
		b.key[i], b.quarter[i] = 0, [4]uint32{}
	} else {
		b.key[i], b.quarter[i] = key, *quarter
	}
}

// fit gives d the size for its stems, or none in a small table, and then takes
// the stems of f anew.
func (d *shortDraft) fit(f family, small bool) {
	have := len(d.pages) * bucketPages
	switch {
	case small || d.stems < fewStems:
		d.pages = nil
		return
	case have > 0 && d.stems <= 2*have && d.stems >= have/8:
		return
	}
	n := max(1, 1<<bits.Len(uint(d.stems/bucketPages)))
	d.pages, d.owned, d.base = make([]*bucketPage, n), true, &short{}
	for i := range d.pages {
		d.pages[i] = new(bucketPage)
	}
	for _, g := range f.top {
		for _, c := range g.chunk {
			for _, stems := range c.stems {
				for _, s := range stems {
					d.gather(s)
				}
			}
		}
	}
}

func (d *shortDraft) gather(s *stem) {
	switch {
	case s == nil || s.depth > 4:
	case s.depth == 4:
		d.set(uint32(s.hi>>32), &s.quarter)
	case s.fork != nil:
		for _, below := range s.fork.stems {
			d.gather(below)
		}
	}
}
