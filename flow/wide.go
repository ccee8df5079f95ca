package flow

import "sync/atomic"

// Wide is the addresses of an IPv6 packet: source and destination, two words
// each, most significant first.
//
// A table of IPv6 sessions is made by NewWide. Its keys have digests of the
// addresses, by the table's secret key, in place of IPv4 addresses; the
// addresses themselves lie beside the records and are compared after a record
// has been found. So an IPv6 packet reads one line of memory more, and nothing
// else differs. Two addresses with one digest count as one host for the limits.
type Wide [4]uint64

// Reverse is the addresses of a packet in the other direction.
func (w Wide) Reverse() Wide { return Wide{w[2], w[3], w[0], w[1]} }

type wideBlock [blockRecords][4]uint64

// NewWide makes an empty table of IPv6 sessions.
func NewWide(cfg Config) *Table {
	t := New(cfg)
	t.wide = true
	return t
}

// Fold sets k's addresses to the digests of w.
func (t *Table) Fold(k *Key, w *Wide) {
	k.Src, k.Dst = uint32(t.key.Sum(w[0], w[1])), uint32(t.key.Sum(w[2], w[3]))
}

// FoldAfter is Fold for a caller that has folded the addresses of another packet
// into before: digests of addresses that both packets have are taken over.
func (t *Table) FoldAfter(k *Key, w *Wide, before *Key, its *Wide) {
	if k.Src = before.Src; w[1] != its[1] || w[0] != its[0] {
		k.Src = uint32(t.key.Sum(w[0], w[1]))
	}
	if k.Dst = before.Dst; w[3] != its[3] || w[2] != its[2] {
		k.Dst = uint32(t.key.Sum(w[2], w[3]))
	}
}

// FindWide is FindHashed for a packet with the addresses w, which k is folded
// from. Hit.Other has digests.
func (t *Table) FindWide(k *Key, w *Wide, hash uint64, hit *Hit) bool {
	if !t.FindHashed(k, hash, hit) {
		return false
	}
	if !t.holds(hit, w) || uint32(atomic.LoadUint64(&t.record(hit.Session)[wordHead])>>32) != hit.Generation {
		*hit = Hit{}
		return false
	}
	return true
}

// holds reports whether w are the addresses of the session that was hit, in the
// direction in which it was hit.
func (t *Table) holds(hit *Hit, w *Wide) bool {
	its := &t.wides[hit.Session/blockRecords].Load()[hit.Session%blockRecords]
	turn := 2 * int(hit.Direction)
	for i := range w {
		if atomic.LoadUint64(&its[i^turn]) != w[i] {
			return false
		}
	}
	return true
}

// InsertWide makes an IPv6 session of a packet with the key k, folded from w,
// and its hash. The replies have the reverse of it, and the session counts for
// the packet's source.
func (t *Table) InsertWide(k *Key, w *Wide, hash uint64, s *Segment, now Time) (uint32, Refusal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var reply Key
	reply.SetReverse(k)
	// The number that the session gets is known only behind the checks, and
	// its addresses have to be there before its record is in use. The next free
	// number is no session's, so nobody compares what is written there.
	number := t.coming()
	its := &t.wides[number/blockRecords].Load()[number%blockRecords]
	for i := range w {
		atomic.StoreUint64(&its[i], w[i])
	}
	return t.insert(k, &reply, Hashes{hash, t.Hash(&reply)}, 0, 0, k.Src, s, now)
}

// coming is the number that the next session gets.
func (t *Table) coming() uint32 {
	if t.free.head != 0 {
		return t.free.head
	}
	t.reserve(t.used)
	return t.used
}

// wideOf gives the addresses of an IPv6 session. The caller holds the mutex.
func (t *Table) wideOf(number uint32) (w Wide) {
	if !t.wide {
		return w
	}
	its := &t.wides[number/blockRecords].Load()[number%blockRecords]
	for i := range w {
		w[i] = atomic.LoadUint64(&its[i])
	}
	return w
}

// Note is what a session's user wants to know of it that its packets do not
// need.
type Note struct {
	In, Out uint16 // interfaces, as the user numbers them
	Rule    uint32
}

// Annotate sets the note of a session, if there is one with the number.
func (t *Table) Annotate(session uint32, n Note) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if session != NoSession && session < t.used && t.record(session)[wordHead]>>32&1 != 0 {
		t.aside(session).note = n
	}
}
