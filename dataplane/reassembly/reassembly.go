package reassembly

import (
	"time"

	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
)

// Config bounds what one Table keeps.
type Config struct {
	// Timeout runs from the arrival of a packet's first fragment; a packet that
	// is not complete by then is given up.
	Timeout time.Duration
	Packets int // unfinished packets at most; one source may have a quarter
	Bytes   int // bytes held at most; one source may have a quarter; a packet takes at least two pages of 2 KiB
}

// Default waits as long as RFC 8200 §4.5 says, which is the least that RFC 1122
// §3.3.2 recommends. Its Bytes suffice for the first fragments, of usual size,
// of all Packets.
var Default = Config{Timeout: 60 * time.Second, Packets: 1024, Bytes: 4 << 20}

// Sizes in bytes. maxPayload bounds the end of a fragment's data.
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
	cfg     Config
	order   []slot // unfinished packets, oldest first, which is the order of expiry
	memory  []slot // the backing array of order
	spare   []*datagram
	pages   pool
	whole   []byte // what Add and Expire hand out
	evicted int    // packets, since the last call of Evicted

	problem packet.Problem // of the latest Add
	largest int            // of the latest whole IPv4 packet
	dont    bool
}

// New makes an empty table. It takes no memory to speak of until fragments
// arrive.
func New(cfg Config) *Table {
	return &Table{cfg: cfg, pages: pool{limit: max(cfg.Bytes, 0) / pageSize}}
}

// Held is the number of unfinished packets, including those given up whose
// fragments are still dropped, and of bytes in pages in use.
func (t *Table) Held() (packets, bytes int) { return len(t.order), t.pages.used() * pageSize }

// Deadline is when Expire will next have something to give up, and the zero
// time while nothing is held.
func (t *Table) Deadline() time.Time {
	if len(t.order) == 0 {
		return time.Time{}
	}
	return t.order[0].deadline
}

// Evicted is how many unfinished packets were given up to make room for others
// since the last call.
func (t *Table) Evicted() int {
	n := t.evicted
	t.evicted = 0
	return n
}

// Expired is a packet that was given up because its time ran out.
type Expired struct {
	// First is the first fragment as it arrived, for an ICMP time exceeded,
	// code 1, to quote; nil if it never arrived: then no error is sent (RFC
	// 792, RFC 8200 §4.5). It belongs to the table and is valid until the next
	// Add or Expire.
	First []byte
	// In is the interface that the first fragment came in by, or that of
	// whichever arrived first.
	In routing.InterfaceID
	// Fragments is how many fragments are lost with it.
	Fragments int
}

// Expire gives up one packet that has timed out at now; false if there is none
// left. Call it until then, before a batch is added.
func (t *Table) Expire(now time.Time) (Expired, bool) {
	for len(t.order) > 0 && !now.Before(t.order[0].deadline) {
		d := t.order[0].datagram
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

// giveUp drops what is held of a packet but keeps the reason, so that its other
// fragments are dropped with the same verdict (RFC 5722 §4).
func (t *Table) giveUp(place int, why verdict.Verdict) verdict.Verdict {
	s := &t.order[place]
	t.release(s)
	s.fate, s.headerLen = why, 0
	return why
}

func (t *Table) release(s *slot) {
	t.pages.give(&s.header)
	for i := range s.datagram.pages {
		t.pages.give(&s.datagram.pages[i])
	}
	s.held = 0
}

// add adds one fragment. If the packet is complete now it is returned; it is
// still in the table, at the place returned.
func (t *Table) add(f *fragment, now time.Time) (int, *datagram, verdict.Verdict) {
	if len(f.data) == 0 || len(f.header) > pageSize {
		return 0, nil, verdict.FragmentMalformed
	}
	place, d := t.find(&f.key)
	switch {
	case d == nil:
		if place, d = t.begin(f, now); d == nil {
			return 0, nil, verdict.FragmentTableFull
		}
	case d.fate != verdict.None:
		return 0, nil, d.fate
	case d.overlaps(f):
		if d.duplicates(f) && t.equal(d, f) {
			return 0, nil, verdict.FragmentHeld // RFC 8200 §4.5
		}
		return 0, nil, t.giveUp(place, verdict.FragmentOverlap) // RFC 5722 §4
	case d.contradicts(f):
		return 0, nil, t.giveUp(place, verdict.FragmentMalformed)
	}
	place, stored := t.store(place, f)
	if !stored {
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
