package flowcache

import (
	"net/netip"
	"time"

	"routerd/dataplane"
	"routerd/dataplane/offload"
)

// Flow is one flow that the kernel carries.
type Flow struct {
	In, Out        string // names of interfaces
	Proto          uint8
	Src, Dst       netip.AddrPort // as it arrives
	NewSrc, NewDst netip.AddrPort // as it leaves
	NextHop        netip.Addr     // the destination itself if that is on the link
	Peer           bool           // handed to the other end of a veth, past the queue of the device
	Session        uint32         // of address translation or the filter; flow.NoSession without one
	Since          time.Time
	Last           time.Time // of the latest packet; Since before the first
	// What has been carried, as of the latest Account: packets and bytes as
	// dataplane.Traffic counts them.
	dataplane.Traffic
}

func (f *flow) show() Flow {
	return Flow{
		In: f.how.In.Name, Out: f.how.Out.Name, Proto: f.key.Proto,
		Src: f.key.Src, Dst: f.key.Dst, NewSrc: f.how.NewSrc, NewDst: f.how.NewDst,
		NextHop: f.how.Target, Peer: f.peer, Session: f.how.Hit.Session, Since: f.since, Last: f.last,
		Traffic: dataplane.Traffic{Packets: f.taken.Packets, Bytes: f.taken.Bytes, Supers: f.taken.Supers},
	}
}

// Filter says which flows are meant. The zero Filter is all.
type Filter struct {
	In       string       // name of the interface that they come in by; "" = any
	Proto    uint8        // 0 = any
	Src, Dst netip.Prefix // of their addresses as they arrive; invalid = any
}

func (x *Filter) has(f *flow) bool {
	return (x.In == "" || x.In == f.how.In.Name) && (x.Proto == 0 || x.Proto == f.key.Proto) &&
		(!x.Src.IsValid() || x.Src.Contains(f.key.Src.Addr())) && (!x.Dst.IsValid() || x.Dst.Contains(f.key.Dst.Addr()))
}

// Flows copies flows into a slice, from the one after cursor on, and gives how many
// and the cursor to go on with; that is 0 at the end. A call looks at a bounded part
// of the flows, so it may give none and yet not be the last. Counters are those of
// the latest Account.
func (c *Cache) Flows(x Filter, cursor uint32, into []Flow) (n int, next uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range walkedInTurn {
		if int(cursor) >= len(c.flows) {
			return n, 0
		}
		if n == len(into) {
			return n, cursor
		}
		if f := c.flows[cursor]; f != nil && f.state == standing && x.has(f) {
			into[n] = f.show()
			n++
		}
		cursor++
	}
	if int(cursor) >= len(c.flows) {
		return n, 0
	}
	return n, cursor
}

// Find gives the flow of packets that come in by an interface, and whether there is
// one. Its counters are those of the latest Account.
func (c *Cache) Find(in *dataplane.Interface, proto uint8, src, dst netip.AddrPort) (Flow, bool) {
	if in.Carried == nil {
		return Flow{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.byKey[offload.Key{Ingress: in.Carried.Device, Proto: proto, Src: src, Dst: dst}]
	if f == nil || f.state != standing || !c.kernel.Stands(f.number) {
		return Flow{}, false
	}
	return f.show(), true
}

// Why says why a flow that is offered as o would not be carried, and what was found
// out about it before: Refusal(dataplane.Carriable) if it would.
func (c *Cache) Why(o *dataplane.Offer, now time.Time) (dataplane.Carriage, Refusal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	how, no := c.decider.Decide(c.live.Load(), o, now)
	return how, Refusal(no)
}

// Clear ends flows, and gives how many. When it returns nothing is carried by what
// was decided for them; their next packets may have them carried again.
func (c *Cache) Clear(x Filter) (n int) {
	for from, more := 0, true; more; from += walkedInTurn {
		some := 0
		some, more = c.clearSome(&x, from)
		n += some
	}
	c.poke()
	return n
}

func (c *Cache) clearSome(x *Filter, from int) (n int, more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	to := min(from+walkedInTurn, len(c.flows))
	for i := from; i < to; i++ {
		if f := c.flows[i]; f != nil && f.state == standing && x.has(f) {
			c.end(f, EndCleared)
			n++
		}
	}
	return n, to < len(c.flows)
}

// Totals are the counters of a Cache since it was made.
type Totals struct {
	Flows   int // now
	Made    uint64
	Ended   [NumEnds]uint64
	Refused [NumRefusals]uint64 // offers, of which one flow may make many
	Carried dataplane.Traffic   // as of the latest Account
	Lost    uint64              // packets for which the kernel had no memory
}

// Totals gives them.
func (c *Cache) Totals() Totals {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.totals
	t.Flows, t.Lost = c.carried, c.kernel.Lost()
	t.Refused[RefusedBusy] += c.busy.Load()
	return t
}
