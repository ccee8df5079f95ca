package dataplane

import (
	"sync/atomic"
	"time"

	"routerd/acl"
	"routerd/internal/bucket"
	"routerd/routing"
)

// Limits on what rules of the filter that log tell of packets. All packets are
// counted, so whoever reads what is told knows how many were not.
const (
	logHeader   = 96 // bytes of the packet: the longest headers that a line shows
	logRingSize = 64
	// Of one rule, so that a flood that it matches leaves room for others.
	LogRate  = 1 // packets a second
	LogBurst = 10
)

// Logged is what a rule that logs tells of one packet.
type Logged struct {
	Time    time.Time
	In, Out routing.InterfaceID // Out is NoInterface while the way out is not known
	Rule    uint32              // its number, or that of the default action
	Packets int                 // more than one for a super-packet
	Length  int                 // of the whole packet, from the IP header on
	Header  []byte              // its first bytes, from the IP header on, as the list saw it but for a source to be translated
}

// LogRing hands what rules that log tell from a worker to the router's owner:
// one goroutine writes and one reads, and neither waits for the other. What finds
// no room is not told. The zero LogRing is empty.
type LogRing struct {
	written, taken atomic.Uint64
	// records is made for the first packet that is told: few workers of many have
	// one.
	records atomic.Pointer[[logRingSize]logRecord]
}

type logRecord struct {
	time    time.Time
	in, out routing.InterfaceID
	rule    uint32
	packets uint16
	length  uint32
	held    uint8
	header  [logHeader]byte
}

// tell writes a packet that a rule has matched, if there is room.
func (r *LogRing) tell(p *Packet, rule uint32, now time.Time) {
	n := r.written.Load()
	if n-r.taken.Load() == logRingSize {
		return
	}
	records := r.records.Load()
	if records == nil {
		records = new([logRingSize]logRecord)
		r.records.Store(records)
	}
	rec, ip := &records[n%logRingSize], p.ip()
	rec.time, rec.in, rec.out, rec.rule, rec.packets, rec.length = now, p.In, p.Out, rule, p.carried, uint32(len(ip))
	rec.held = uint8(copy(rec.header[:], ip))
	r.written.Store(n + 1)
}

// Take gives what was told since the last call, the oldest first. One goroutine
// may call it at a time.
func (r *LogRing) Take() (list []Logged) {
	n, end := r.taken.Load(), r.written.Load()
	records := r.records.Load() // behind written: what is written has its records
	for ; n < end; n++ {
		rec := &records[n%logRingSize]
		list = append(list, Logged{
			Time: rec.time, In: rec.in, Out: rec.out, Rule: rec.rule, Packets: int(rec.packets), Length: int(rec.length),
			Header: append([]byte(nil), rec.header[:rec.held]...),
		})
	}
	r.taken.Store(n)
	return list
}

// logger is what a batch needs to tell of packets that rules have matched.
type logger struct {
	rules  *acl.Rules      // whose buckets these are
	limits []bucket.Bucket // of each rule that logs
}

// follow has the logger tell by the rules, which may be nil. It allocates only
// where they are others than before.
func (l *logger) follow(rules *acl.Rules) {
	if l.rules == rules {
		return
	}
	l.rules, l.limits = rules, nil
	if rules == nil || len(rules.Logged()) == 0 {
		return
	}
	l.limits = make([]bucket.Bucket, len(rules.Logged()))
	for i := range l.limits {
		l.limits[i] = bucket.New(LogRate, LogBurst)
	}
}

// log tells of p, which a rule that logs has matched, if the rule may.
func (b *Batch) log(p *Packet, h acl.Hit, now time.Time) {
	if b.drops != nil && b.logger.limits[h.Log-1].Take(now) {
		b.drops.Logged.tell(p, h.Number, now)
	}
}
