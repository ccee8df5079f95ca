package fib

import "math/bits"

// quarter6 is a quarter of IPv6, as long as two lines of memory. A value from firstLink
// on is the number of a link of the quarter.
type quarter6 struct {
	values quarter
	links  []link6
	one    [1]link6 // in most quarters that have links there is one
	_      uint64
}

// link6 leads to what is behind four bytes. way is that of the longest prefix up to
// there, or 0 if the quarter does not know it.
type link6 struct {
	spread
	way uint16
}

// set6 is set for IPv6.
func (d *indexDraft) set6(to *doors6, k uint64, s *stem, way uint16, touched *touched) {
	all := touched == nil || to.way[k] != way || s == nil
	to.stems[k], to.way[k] = s, way
	quarters := (*[4]*quarter6)(to.to[4*k:])
	var anew [4]bool
	for i := range anew {
		anew[i] = all || touched.bytes[i] != 0
	}
	if !all {
		d.build.behind(quarters, s, touched, &anew)
	}
	for i, q := range quarters {
		if anew[i] {
			quarters[i] = d.quarter6(q, s, way, i, touched)
		}
	}
}

// behind makes the changes behind bytes of s, but those of quarters that are written anew
// for other reasons: it adds those where stems come or go.
func (b *builder) behind(quarters *[4]*quarter6, s *stem, touched *touched, anew *[4]bool) {
	var owned [4]bool
	for rest := touched.behind; len(rest) > 0; {
		x := rest[0]
		rest = rest[1:]
		i := x.at >> 6
		if anew[i] {
			continue
		}
		c, v := s.child(x.at), quarters[i].values[x.at&63]
		if c.stem == nil || v < firstLink || quarters[i].links[v-firstLink].line == noLine {
			anew[i] = true
			continue
		}
		if !owned[i] {
			q := newQuarter6(&quarters[i].values, quarters[i].links)
			quarters[i], owned[i] = q, true
		}
		l := &quarters[i].links[v-firstLink]
		for x.many && l.fan == nil && len(rest) > 0 && rest[0].at == x.at {
			x.to, rest = rest[0].to, rest[1:]
		}
		l.spread = b.spread(&l.spread, c, int(x.from), int(x.to))
	}
}

// quarter6 gives quarter number i of the stem s, nil = without one, after changes: was is
// what there was.
func (d *indexDraft) quarter6(was *quarter6, s *stem, way uint16, i int, touched *touched) *quarter6 {
	var ways [64]uint16
	var has uint64
	switch {
	case s == nil:
		for j := range ways {
			ways[j] = way
		}
	default:
		s.routes.part(&d.known.facts, 64*i, ways[:], way)
		if s.fork != nil {
			has = s.fork.has[i]
		}
	}
	values, links := quarter{}, d.build.spreads[:0]
	for j, w := range ways {
		switch {
		case has>>j&1 != 0:
			old := spread{}
			if v := was.values[j]; v >= firstLink && was.links[v-firstLink].line != noLine {
				old = was.links[v-firstLink].spread
			}
			c := s.fork.stems[i][bits.OnesCount64(has<<(63-j))-1]
			values[j] = uint8(firstLink + len(links))
			links = append(links, link6{d.build.changes(old, c, byte(64*i+j), touched), w})
		case w < firstLink:
			values[j] = uint8(w)
		case j > 0 && w == ways[j-1] && has>>(j-1)&1 == 0:
			values[j] = values[j-1]
		default:
			values[j] = uint8(firstLink + len(links))
			links = append(links, link6{spread{line: noLine}, w})
		}
	}
	d.build.spreads = links
	return d.known.keep6(was, &values, links)
}

// changes gives what is behind four bytes, the last of which is b, after the changes
// there.
func (b *builder) changes(old spread, c child, last byte, t *touched) spread {
	if old == (spread{}) {
		return b.spread(&old, c, 0, 0xffff)
	}
	if t != nil {
		for _, x := range t.behind {
			if x.at == last {
				old = b.spread(&old, c, int(x.from), int(x.to))
			}
		}
	}
	return old
}

// keep6 gives a quarter with these values and links: was, if it has the same, or the one
// with the same value throughout, or a new one.
func (k *known) keep6(was *quarter6, values *quarter, links []link6) *quarter6 {
	if was.values == *values && len(was.links) == len(links) {
		same := true
		for i := range links {
			same = same && links[i] == was.links[i]
		}
		if same {
			return was
		}
	}
	if len(links) == 0 && *values == *k.quarter(int(values[0])) {
		if values[0] == 0 {
			return noQuarter6
		}
		q := &k.quarters6[values[0]]
		if *q == nil {
			*q = &quarter6{values: *values}
		}
		return *q
	}
	return newQuarter6(values, links)
}

func newQuarter6(values *quarter, links []link6) *quarter6 {
	q := &quarter6{values: *values}
	switch len(links) {
	case 0:
	case 1:
		q.one[0] = links[0]
		q.links = q.one[:]
	default:
		q.links = append(make([]link6, 0, len(links)), links...)
	}
	return q
}
