package reassembly

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"time"

	"routerd/internal/verdict"
	"routerd/routing"
)

// key is what fragments of one packet have in common: addresses and
// identification, for IPv4 the protocol too (RFC 791 §2.3; RFC 8200 §4.5).
type key struct {
	src, dst [16]byte
	id       uint32
	protocol uint8
	six      bool
}

// source is the sender that k's packet counts against: an IPv4 address, or an
// IPv6 /64, since a host may use any address of that. An IPv4 source is told
// from an IPv6 one by the high bits of a multicast group, which no IPv6 source
// has.
func (k *key) source() uint64 {
	if k.six {
		return binary.BigEndian.Uint64(k.src[:])
	}
	return 0xffffffff<<32 | uint64(binary.BigEndian.Uint32(k.src[:]))
}

// tag is a number that is the same for equal keys, and mostly differs for
// others.
func (k *key) tag() uint64 {
	h := uint64(k.id)<<8 | uint64(k.protocol)
	for _, b := range [][]byte{k.src[:8], k.src[8:], k.dst[:8], k.dst[8:]} {
		hi, lo := bits.Mul64(h^binary.BigEndian.Uint64(b), 0xd6e8feb86659fd93)
		h = hi ^ lo
	}
	return h
}

// fragment is one fragment, of either family.
type fragment struct {
	key    key
	header []byte // all in front of the data, the IPv6 fragment header included
	data   []byte
	offset int // bytes, a multiple of unit
	more   bool
	dont   bool // DF is set
	in     routing.InterfaceID
}

func (f *fragment) end() int { return f.offset + len(f.data) }

// units is the range of units that f covers.
func (f *fragment) units() (from, to int) { return f.offset / unit, (f.end() + unit - 1) / unit }

// datagram is the part of one packet that has arrived. The zero datagram is
// empty.
type datagram struct {
	key       key
	deadline  time.Time
	in        routing.InterfaceID
	fate      verdict.Verdict // why it was given up; None while it is not
	fragments int
	total     int // bytes of payload, -1 until the last fragment has arrived
	received  int // bytes of payload
	highest   int // end of the fragment that reaches farthest
	largest   int // length of the longest fragment, headers included
	dont      bool

	headerLen int // of the first fragment; 0 until it is there
	firstLen  int // bytes of payload in the first fragment
	header    page
	pages     [numPages]page

	have   bitmap // units that are there
	starts bitmap // of them, the first one of each fragment
}

// overlaps reports whether f overlaps a fragment that has arrived.
func (d *datagram) overlaps(f *fragment) bool {
	from, to := f.units()
	return d.have.any(from, to)
}

// duplicates reports whether f, which overlaps, has exactly the bounds of a
// fragment that has arrived.
func (d *datagram) duplicates(f *fragment) bool {
	from, to := f.units()
	switch {
	case !d.starts.any(from, from+1) || d.starts.any(from+1, to):
		return false // another fragment, or several, in these bounds
	case !d.have.all(from, to):
		return false
	case !f.more:
		return f.end() == d.total // both end the packet, in the same place
	case d.total >= 0 && f.end() >= d.total:
		return false // the other one ends the packet
	}
	return to == numUnits || !d.have.any(to, to+1) || d.starts.any(to, to+1)
}

// contradicts reports whether f, which overlaps nothing, cannot belong to the
// same packet as the others.
func (d *datagram) contradicts(f *fragment) bool {
	if d.total < 0 {
		return !f.more && d.highest > f.end() // the packet goes on after the end that f gives it
	}
	return !f.more || f.end() >= d.total // a second end, or data beyond the end
}

// note records f as stored.
func (d *datagram) note(f *fragment) {
	from, to := f.units()
	d.have.set(from, to)
	d.starts.set(from, from+1)
	d.received += len(f.data)
	d.highest = max(d.highest, f.end())
	d.fragments++
	if n := len(f.header) + len(f.data); n > d.largest {
		d.largest, d.dont = n, f.dont
	}
	if !f.more {
		d.total = f.end()
	}
	if f.offset == 0 {
		d.headerLen, d.firstLen, d.in = len(f.header), len(f.data), f.in
	}
}

// store copies f's bytes into pages of the packet at place, and reports whether
// there was room; if not, the packet is unchanged. Other packets may have been
// given up: the place returned is where the packet is now.
func (t *Table) store(place int, f *fragment) (int, bool) {
	d := t.order[place].datagram
	from, to := f.offset/pageSize, (f.end()-1)/pageSize
	need := 0
	for _, p := range d.pages[from : to+1] {
		if p == noPage {
			need++
		}
	}
	if f.offset == 0 {
		need++
	}
	place, room := t.makeRoom(place, need)
	if !room {
		return place, false
	}
	if f.offset == 0 {
		copy(t.pages.take(&d.header), f.header)
	}
	for at, rest := f.offset, f.data; len(rest) > 0; {
		n := copy(t.pages.take(&d.pages[at/pageSize])[at%pageSize:], rest)
		at, rest = at+n, rest[n:]
	}
	t.order[place].held += need
	return place, true
}

// equal reports whether f's bytes are those that d holds in the same place.
func (t *Table) equal(d *datagram, f *fragment) bool {
	for at, rest := f.offset, f.data; len(rest) > 0; {
		held := t.pages.at(d.pages[at/pageSize])[at%pageSize:]
		n := min(len(held), len(rest))
		if !bytes.Equal(held[:n], rest[:n]) {
			return false
		}
		at, rest = at+n, rest[n:]
	}
	return true
}

// bitmap has one bit for each unit of a packet.
type bitmap [(numUnits + 63) / 64]uint64

// word gives the bits of word w that lie in [from, to).
func word(w, from, to int) uint64 {
	m := ^uint64(0)
	if lo := from - w*64; lo > 0 {
		m <<= lo
	}
	if hi := (w+1)*64 - to; hi > 0 {
		m &= ^uint64(0) >> hi
	}
	return m
}

func (b *bitmap) any(from, to int) bool {
	for w := from / 64; w*64 < to; w++ {
		if b[w]&word(w, from, to) != 0 {
			return true
		}
	}
	return false
}

func (b *bitmap) all(from, to int) bool {
	for w := from / 64; w*64 < to; w++ {
		if m := word(w, from, to); b[w]&m != m {
			return false
		}
	}
	return true
}

func (b *bitmap) set(from, to int) {
	for w := from / 64; w*64 < to; w++ {
		b[w] |= word(w, from, to)
	}
}

// page is the number of a page in its pool, from 1.
type page uint32

const noPage page = 0

// pool hands out pages, allocates new ones up to limit, and reuses them for
// ever.
type pool struct {
	limit int
	all   []*[pageSize]byte
	free  []page
}

func (p *pool) used() int { return len(p.all) - len(p.free) }
func (p *pool) left() int { return p.limit - p.used() }

func (p *pool) at(n page) []byte { return p.all[n-1][:] }

// take gives the page *n, after getting one if there is none yet. The caller
// has checked left.
func (p *pool) take(n *page) []byte {
	if *n == noPage {
		if k := len(p.free); k > 0 {
			*n, p.free = p.free[k-1], p.free[:k-1]
		} else {
			p.all = append(p.all, new([pageSize]byte))
			*n = page(len(p.all))
		}
	}
	return p.at(*n)
}

func (p *pool) give(n *page) {
	if *n != noPage {
		p.free = append(p.free, *n)
		*n = noPage
	}
}
