package dataplane

import (
	"math"
	"sync/atomic"
	"time"

	"routerd/dataplane/port"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
)

// Counters is what one worker has counted. It is written by that worker, once
// per batch, and may be read by anyone at any time.
type Counters struct {
	verdicts [verdict.Count]atomic.Uint64
	answers  [NumAnswers]atomic.Uint64
	received traffic
	// sent is indexed by InterfaceID and grows with the interfaces. An element
	// is nil until something is sent there: of a thousand interfaces a worker
	// uses few.
	sent    atomic.Pointer[[]atomic.Pointer[traffic]]
	rules   atomic.Pointer[[]ruleCount] // of the filter, by acl.Slot
	batches atomic.Uint64

	pending tally // of the batch under way
}

type traffic struct {
	packets, bytes, supers atomic.Uint64
}

type tally struct {
	verdicts [verdict.Count]uint32
	answers  [NumAnswers]uint32
}

// Traffic is a reading of one direction of an interface. A super-packet counts
// as the packets that it carries in Packets, as one in Supers, and with its
// headers once in Bytes.
type Traffic struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
	Supers  uint64 `json:"super_packets"`
}

// Add adds o to t.
func (t *Traffic) Add(o Traffic) {
	t.Packets += o.Packets
	t.Bytes += o.Bytes
	t.Supers += o.Supers
}

func (t *traffic) read() Traffic {
	return Traffic{t.packets.Load(), t.bytes.Load(), t.supers.Load()}
}

// Verdict reads how many packets ended in v.
func (c *Counters) Verdict(v verdict.Verdict) uint64 { return c.verdicts[v].Load() }

// Answer reads how many ICMP errors had the outcome a.
func (c *Counters) Answer(a Answer) uint64 { return c.answers[a].Load() }

// Received reads what the worker's own port brought in.
func (c *Counters) Received() Traffic { return c.received.read() }

// Batches reads how many batches the worker has processed.
func (c *Counters) Batches() uint64 { return c.batches.Load() }

// Sent reads what the worker sent by the interface id.
func (c *Counters) Sent(id routing.InterfaceID) Traffic {
	s := c.sent.Load()
	if s == nil || int(id) >= len(*s) {
		return Traffic{}
	}
	if t := (*s)[id].Load(); t != nil {
		return t.read()
	}
	return Traffic{}
}

// Add adds what o has counted to c. Nobody may be counting with either.
func (c *Counters) Add(o *Counters) {
	for v := range c.verdicts {
		c.verdicts[v].Add(o.verdicts[v].Load())
	}
	for a := range c.answers {
		c.answers[a].Add(o.answers[a].Load())
	}
	c.received.add(&o.received)
	c.batches.Add(o.batches.Load())
	if sent := o.sent.Load(); sent != nil {
		c.grow(len(*sent))
		for i := range *sent {
			if t := (*sent)[i].Load(); t != nil {
				c.by(routing.InterfaceID(i)).add(t)
			}
		}
	}
	if rules := o.rules.Load(); rules != nil {
		c.growRules(len(*rules))
		for i := range *rules {
			(*c.rules.Load())[i].add(&(*rules)[i])
		}
	}
}

func (t *traffic) add(o *traffic) { t.count(o.read()) }

func (t *traffic) count(r Traffic) {
	t.packets.Add(r.Packets)
	t.bytes.Add(r.Bytes)
	t.supers.Add(r.Supers)
}

// grow makes room for n interfaces and some more. It allocates only if there
// are new ones.
func (c *Counters) grow(n int) {
	old := c.sent.Load()
	if old != nil && len(*old) >= n {
		return
	}
	s := make([]atomic.Pointer[traffic], n+n/4)
	if old != nil {
		for i := range *old {
			s[i].Store((*old)[i].Load())
		}
	}
	c.sent.Store(&s)
}

// by gives the counters of what is sent by an interface. It allocates for the
// first packet that goes there.
func (c *Counters) by(id routing.InterfaceID) *traffic {
	p := &(*c.sent.Load())[id]
	t := p.Load()
	if t == nil {
		t = &traffic{}
		p.Store(t)
	}
	return t
}

func (c *Counters) transmitted(id routing.InterfaceID, packets, bytes, supers int) {
	t := c.by(id)
	t.packets.Add(uint64(packets))
	t.bytes.Add(uint64(bytes))
	if supers > 0 {
		t.supers.Add(uint64(supers))
	}
}

// Carry counts what the kernel has carried: packets that came in by the counters'
// own port and left by the interface out. One goroutine at a time may count so, and
// no worker with the same counters.
func (c *Counters) Carry(out routing.InterfaceID, t Traffic) {
	c.received.count(t)
	c.grow(int(out) + 1)
	c.by(out).count(t)
	c.verdicts[verdict.Forwarded].Add(t.Packets)
}

// carried is how many packets a frame carries: one, or the segments of a
// super-packet. The end of the headers follows from where the checksum starts;
// hdr_len of the virtio-net header is only a hint, and often too large.
func carried(f *port.Frame) uint16 {
	off := &f.Offload
	if off.GSO == port.GSONone || off.SegmentSize == 0 {
		return 1
	}
	raw, headers := f.Bytes(), int(off.HeaderLength)
	switch start := int(off.ChecksumStart); {
	case !off.NeedsChecksum:
	case off.GSO == port.GSOUDPL4:
		headers = start + packet.UDPHeader
	case start+packet.TCPMinHeader <= len(raw):
		headers = start + packet.TCP(raw[start:]).HeaderLen()
	}
	size := int(off.SegmentSize)
	return uint16(min(max((len(raw)-headers+size-1)/size, 1), math.MaxUint16))
}

// count adds the finished batch to the counters, one addition per verdict that
// occurred, and records drops in the ring.
func (b *Batch) count(now time.Time) {
	c := b.counters
	c.pending.verdicts[verdict.FragmentEvicted] += uint32(b.held.Evicted())
	dropped := false
	for i := range b.packets[:b.n] {
		v := b.packets[i].Verdict
		if v == verdict.Resolving {
			continue // counted when it is released or given up
		}
		c.pending.verdicts[v] += uint32(b.packets[i].carried)
		dropped = dropped || v.Class() == verdict.Dropped
	}
	for i := range b.made {
		v := b.made[i].Verdict
		if v == verdict.Resolving {
			continue
		}
		c.pending.verdicts[v]++
		dropped = dropped || v.Class() == verdict.Dropped
	}
	for v, n := range c.pending.verdicts {
		if n != 0 {
			c.verdicts[v].Add(uint64(n))
		}
	}
	for a, n := range c.pending.answers {
		if n != 0 {
			c.answers[a].Add(uint64(n))
		}
	}
	c.pending = tally{}
	if dropped && b.drops != nil {
		b.drops.see(b, now)
	}
}
