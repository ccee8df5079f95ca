package dataplane

import (
	"time"

	"routerd/dataplane/port"
	"routerd/internal/verdict"
)

// egress is what one batch sends by one interface.
type egress struct {
	out    *Interface
	frames []*port.Frame
	// owners says which packet each frame, or link of a chain, belongs to;
	// it is read only when the device refuses some.
	owners []owner
	bytes  int
	// packets counts those that super-packets carry.
	packets int
	supers  int
	flows   [flowSlots]burst
}

type owner struct {
	packet *Packet
	head   int32 // index in frames
}

func (e *egress) reset() {
	e.out = nil
	e.frames = e.frames[:0]
	e.owners = e.owners[:0]
	e.bytes, e.packets, e.supers = 0, 0, 0
	for i := range e.flows {
		e.flows[i].head = nil
	}
}

// towards gives the list of what leaves by out. A batch leaves by few
// interfaces, so a linear scan is fastest.
func (b *Batch) towards(out *Interface) *egress {
	for i := range b.egress {
		if b.egress[i].out == out {
			return &b.egress[i]
		}
	}
	if len(b.egress) == cap(b.egress) {
		b.egress = append(b.egress, egress{})
	} else {
		b.egress = b.egress[:len(b.egress)+1] // keeps the lists that the slot has grown
	}
	e := &b.egress[len(b.egress)-1]
	e.out = out
	return e
}

func (e *egress) add(p *Packet, f *port.Frame) {
	e.frames = append(e.frames, f)
	e.owners = append(e.owners, owner{p, int32(len(e.frames) - 1)})
	e.bytes += f.Len()
	e.packets += p.within(f)
	if f.Offload.GSO != port.GSONone {
		e.supers++
	}
}

// within is how many packets the frame f, which is p or a piece of it, counts
// as.
func (p *Packet) within(f *port.Frame) int {
	if f == p.Frame {
		return int(p.carried)
	}
	return 1
}

// leaveBy gathers what goes out by egress interface: coalesced if possible,
// segmented or fragmented if the port or its MTU requires it.
func leaveBy(v *View, b *Batch, _ time.Time) {
	b.secret = v.Secrets.Fragments
	for _, p := range b.work {
		if p.Verdict != verdict.None {
			continue
		}
		out := v.Interface(p.Out)
		e := b.towards(out)
		p.Verdict = verdict.Forwarded
		if p.ownHops {
			p.Verdict = verdict.Originated
			if p.stack == toOwnStack {
				p.Verdict = verdict.DeliveredToStack
			}
		}
		p.Frame.Start = p.l3
		switch {
		case p.cut != 0:
			used, taken := b.mark()
			frames, owners, bytes, packets := len(e.frames), len(e.owners), e.bytes, e.packets
			if !b.cutUp(p, e) {
				b.release(used, taken)
				e.frames, e.owners, e.bytes, e.packets = e.frames[:frames], e.owners[:owners], bytes, packets
				p.Verdict = verdict.NoBuffer
			}
			p.pieces = len(e.frames) - frames
		case p.Made || !e.coalesce(p, &v.Secrets.Flows):
			e.add(p, p.Frame)
			p.pieces = 1
		}
	}
	for i := range b.egress {
		b.egress[i].seal()
		b.egress[i].putOnLink()
	}
}

// putOnLink writes the link header in front of every frame, after the last
// stage has looked at it.
func (e *egress) putOnLink() {
	if e.out.LinkHeader == 0 {
		return
	}
	next := int32(0) // frames come in the order of their first owners
	for _, o := range e.owners {
		if o.head != next {
			continue // coalesced into an earlier frame
		}
		next++
		o.packet.putOnLink(e.out, e.frames[o.head])
		e.bytes += e.out.LinkHeader
	}
}

// Transmit writes what Process gathered, makes the verdicts final and counts
// the batch.
func (b *Batch) Transmit(now time.Time) {
	c := b.counters
	for i := range b.egress {
		e := &b.egress[i]
		packets, bytes := e.packets, e.bytes
		if n, _ := e.out.Output.Write(e.frames); n < len(e.frames) {
			lost, lostBytes := e.refused()
			packets, bytes = packets-lost, bytes-lostBytes
		}
		c.transmitted(e.out.ID, packets, bytes, e.supers)
	}
	b.handOver()
	b.count(now)
}

// refused gives the packets of failed frames their verdict and returns how
// many packets and bytes were lost with them.
func (e *egress) refused() (packets, bytes int) {
	for _, o := range e.owners {
		if f := e.frames[o.head]; f.Failed {
			o.packet.Verdict = verdict.EgressRefused
			packets += o.packet.within(f)
		}
	}
	for _, f := range e.frames {
		if f.Failed {
			for ; f != nil; f = f.Next {
				bytes += f.Len()
			}
		}
	}
	return packets, bytes
}

// Each calls yield with every frame that is to leave and its interface. It is
// for callers that have no port to write to.
func (b *Batch) Each(yield func(*Interface, *port.Frame) bool) {
	for i := range b.egress {
		for _, f := range b.egress[i].frames {
			if !yield(b.egress[i].out, f) {
				return
			}
		}
	}
}
