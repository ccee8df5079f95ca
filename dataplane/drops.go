package dataplane

import (
	"sync"
	"time"

	"routerd/acl"
	"routerd/internal/verdict"
	"routerd/routing"
)

// Limits on what is kept of dropped packets.
const (
	dropHeader   = 96 // bytes of the packet: the longest headers that a line shows
	dropRingSize = 256
	dropsPerSee  = 4 // of one batch at most
)

// Drop is what is kept of one dropped packet.
type Drop struct {
	Time    time.Time
	In      routing.InterfaceID
	Verdict verdict.Verdict
	Excess  acl.Excess // the limit of that rule that it exceeded
	Rule    uint32     // 1 + the number of the filter's rule that dropped it; 0 = none did
	Length  int        // of the whole packet
	Header  []byte     // its first bytes
	Frame   bool       // Header begins with the link header
}

// Sentence says why it was dropped; in is the name of the interface that it
// came in by.
func (d *Drop) Sentence(in string) string {
	if d.Verdict == verdict.VLANTagged {
		return vlanSentence(d.Header, in)
	}
	return d.Verdict.Sentence()
}

// DropRing keeps the latest dropped packets of one worker: a sample of a few of
// each batch, so that a flood costs the packet path next to nothing. The worker
// writes to it at most once per batch and never waits for a reader.
type DropRing struct {
	Logged LogRing // what rules of the filter that log have told

	mu   sync.Mutex
	ring []dropRecord // grows to dropRingSize as it fills
	next uint64
}

type dropRecord struct {
	time    time.Time
	in      routing.InterfaceID
	verdict verdict.Verdict
	excess  acl.Excess
	rule    uint32
	length  uint32
	held    uint8
	frame   bool
	header  [dropHeader]byte
}

// see samples the dropped packets of a batch. If a reader holds the ring at
// that moment, the sample is left out.
func (r *DropRing) see(b *Batch, now time.Time) {
	if !r.mu.TryLock() {
		return
	}
	defer r.mu.Unlock()
	left := dropsPerSee
	for _, list := range [...][]Packet{b.packets[:b.n], b.made} {
		for i := range list {
			p := &list[i]
			if p.Verdict.Class() != verdict.Dropped || left == 0 {
				continue
			}
			left--
			if len(r.ring) < dropRingSize {
				r.ring = append(r.ring, dropRecord{})
			}
			rec := &r.ring[r.next%dropRingSize]
			r.next++
			rec.time, rec.in, rec.verdict, rec.length = now, p.In, p.Verdict, uint32(len(p.ip()))
			switch rec.rule, rec.excess = 0, acl.Within; p.Verdict {
			case verdict.ACLDropped, verdict.ACLRejected, verdict.ACLLimited, verdict.ZoneNoPolicy:
				rec.rule, rec.excess = p.track.rule, p.track.excess
			}
			rec.held, rec.frame = uint8(len(p.appendFrame(rec.header[:0]))), p.linked
		}
	}
}

// Last gives the latest n drops, newest first.
func (r *DropRing) Last(n int) []Drop {
	r.mu.Lock()
	defer r.mu.Unlock()
	n = min(n, int(min(r.next, dropRingSize)))
	list := make([]Drop, 0, max(n, 0))
	for i := range max(n, 0) {
		rec := &r.ring[(r.next-1-uint64(i))%dropRingSize]
		list = append(list, Drop{
			Time: rec.time, In: rec.in, Verdict: rec.verdict, Rule: rec.rule, Excess: rec.excess, Length: int(rec.length),
			Header: append([]byte(nil), rec.header[:rec.held]...), Frame: rec.frame,
		})
	}
	return list
}
