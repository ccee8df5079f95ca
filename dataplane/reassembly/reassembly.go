package reassembly

import (
	"time"

	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
)

// Config bounds what one Table keeps.
type Config struct {
	// Timeout runs from a packet's first fragment to arrive; what is not
	// whole by then is given up.
	Timeout time.Duration
	Packets int // unfinished packets at most
	Bytes   int // bytes held at most; a packet takes two pages of 2 KiB at least
}

// Default waits as long as RFC 8200 §4.5 says, which is the least that RFC
// 1122 §3.3.2 recommends.
var Default = Config{Timeout: 60 * time.Second, Packets: 64, Bytes: 1 << 20}

// Sizes in bytes. maxPayload bounds the end of a fragment's data, which 13
// bits of offset and 16 of length cannot push beyond.
const (
	pageSize   = 2048
	unit       = 8
	maxPayload = 65535
	numUnits   = (maxPayload + unit - 1) / unit
	numPages   = (maxPayload + pageSize - 1) / pageSize
	maxWhole   = 40 + 65535 // an IPv6 header and its payload
)

// Table holds the unfinished packets of one worker. It is not safe for
// concurrent use.
type Table struct {
	cfg   Config
	order []*datagram // unfinished packets, oldest first, so soonest to expire first
	spare []*datagram
	pages pool
	whole []byte // what Add and Expire hand out

	problem packet.Problem // of the latest Add
	largest int            // of the latest whole IPv4 packet
	dont    bool
}

// New makes an empty table. It takes no memory to speak of until fragments
// arrive.
func New(cfg Config) *Table {
	return &Table{cfg: cfg, pages: pool{limit: max(cfg.Bytes, 0) / pageSize}}
}

// Held is the number of unfinished packets, those given up but not yet
// forgotten included, and of bytes in pages in use.
func (t *Table) Held() (packets, bytes int) { return len(t.order), t.pages.used() * pageSize }

// Deadline is when Expire will next have something to give up, and the zero
// time while nothing is held.
func (t *Table) Deadline() time.Time {
	if len(t.order) == 0 {
		return time.Time{}
	}
	return t.order[0].deadline
}

// Expired is a packet that was given up because its time ran out.
type Expired struct {
	// First is the first fragment as it arrived, whole, to be quoted in an
	// ICMP time exceeded, code 1; nil if it never arrived: then no error is
	// sent (RFC 792, RFC 8200 §4.5). It belongs to the table and is valid
	// until the next Add or Expire.
	First []byte
	// In is the interface that the first fragment came in by, or that of
	// whichever arrived first.
	In routing.InterfaceID
	// Fragments is how many fragments are lost with it.
	Fragments int
}

// Expire gives up one packet whose time has run out at now, and false when
// there is none left. Call it until then, before a batch is added.
func (t *Table) Expire(now time.Time) (Expired, bool) {
	for len(t.order) > 0 && !now.Before(t.order[0].deadline) {
		d := t.order[0]
		x := Expired{In: d.in, Fragments: d.fragments}
		silent := d.fate != verdict.None
		if d.headerLen > 0 {
			x.First = t.first(d)
		}
		t.forget(0)
		if !silent {
			return x, true
		}
	}
	return Expired{}, false
}

func (t *Table) out() []byte {
	if t.whole == nil {
		t.whole = make([]byte, 0, maxWhole)
	}
	return t.whole
}

// first rebuilds the first fragment of d as it arrived.
func (t *Table) first(d *datagram) []byte {
	return t.appendPayload(t.out(), d, d.headerLen, d.firstLen)
}

// join puts together a whole packet: the first n bytes of the first
// fragment's headers, and all the payload.
func (t *Table) join(d *datagram, n int) []byte {
	return t.appendPayload(t.out(), d, n, d.total)
}

func (t *Table) appendPayload(w []byte, d *datagram, header, payload int) []byte {
	w = append(w, t.pages.at(d.header)[:header]...)
	for i := 0; payload > 0; i++ {
		part := t.pages.at(d.pages[i])[:min(payload, pageSize)]
		w = append(w, part...)
		payload -= len(part)
	}
	return w
}

// find gives the unfinished packet that k names, and its place.
func (t *Table) find(k *key) (int, *datagram) {
	for i, d := range t.order {
		if d.key == *k {
			return i, d
		}
	}
	return -1, nil
}

// begin makes room for a new packet, or gives nil.
func (t *Table) begin(f *fragment, now time.Time) *datagram {
	if len(t.order) >= t.cfg.Packets && !t.evict() {
		return nil
	}
	var d *datagram
	if n := len(t.spare); n > 0 {
		d, t.spare = t.spare[n-1], t.spare[:n-1]
	} else {
		d = new(datagram)
	}
	d.key, d.in, d.deadline, d.total = f.key, f.in, now.Add(t.cfg.Timeout), -1
	t.order = append(t.order, d)
	return d
}

// evict forgets the oldest packet that was given up already.
func (t *Table) evict() bool {
	for i, d := range t.order {
		if d.fate != verdict.None {
			t.forget(i)
			return true
		}
	}
	return false
}

// forget drops the packet at place i, and all it holds.
func (t *Table) forget(i int) {
	d := t.order[i]
	t.order = append(t.order[:i], t.order[i+1:]...)
	t.release(d)
	*d = datagram{}
	t.spare = append(t.spare, d)
}

// giveUp drops what is held of d but remembers why, so that the rest of it
// meets the same fate (RFC 5722 §4).
func (t *Table) giveUp(d *datagram, why verdict.Verdict) verdict.Verdict {
	t.release(d)
	d.fate, d.headerLen = why, 0
	return why
}

func (t *Table) release(d *datagram) {
	t.pages.give(&d.header)
	for i := range d.pages {
		t.pages.give(&d.pages[i])
	}
}

// add files one fragment. A packet that is whole now is returned, still in
// the table at the place returned.
func (t *Table) add(f *fragment, now time.Time) (int, *datagram, verdict.Verdict) {
	if len(f.data) == 0 || len(f.header) > pageSize {
		return 0, nil, verdict.FragmentMalformed
	}
	place, d := t.find(&f.key)
	switch {
	case d == nil:
		if d = t.begin(f, now); d == nil {
			return 0, nil, verdict.FragmentTableFull
		}
		place = len(t.order) - 1
	case d.fate != verdict.None:
		return 0, nil, d.fate
	case d.overlaps(f):
		if d.duplicates(f) && t.equal(d, f) {
			return 0, nil, verdict.FragmentHeld // RFC 8200 §4.5
		}
		return 0, nil, t.giveUp(d, verdict.FragmentOverlap) // RFC 5722 §4
	case d.contradicts(f):
		return 0, nil, t.giveUp(d, verdict.FragmentMalformed)
	}
	if !t.store(d, f) {
		if d.fragments == 0 {
			t.forget(place)
		}
		return 0, nil, verdict.FragmentTableFull
	}
	d.note(f)
	if d.received != d.total {
		return 0, nil, verdict.FragmentHeld
	}
	return place, d, verdict.None
}
