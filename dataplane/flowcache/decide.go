package flowcache

import (
	"errors"
	"time"

	"routerd/dataplane"
	"routerd/dataplane/offload"
	"routerd/internal/packet"
)

// consider has the kernel carry a flow that was offered, or says why not. The
// caller holds the mutex.
func (c *Cache) consider(o *dataplane.Offer, now time.Time) Refusal {
	v := c.live.Load()
	in := v.Interface(o.In)
	if in == nil || in.Carried == nil {
		return Refusal(dataplane.UncarriedIn)
	}
	key := offload.Key{Ingress: in.Carried.Device, Proto: o.Proto, Src: o.Src, Dst: o.Dst}
	if f := c.byKey[key]; f != nil && !c.vacate(f) {
		return Refusal(dataplane.Carriable) // its packets were on their way when it was made
	}
	switch {
	case !always(in.Carried) && c.stays(&key, o, now):
		return RefusedSlower
	case c.full:
		c.crowded = true
		return RefusedFull
	case !c.budget.allows(now):
		return RefusedBusy
	}
	for range attempts {
		how, refs, until, why := c.settle(v, o, now)
		if why == RefusedMoving {
			continue
		}
		if why == Refusal(dataplane.Carriable) {
			why = c.put(&key, o, &how, refs, until, now)
		}
		return why
	}
	return RefusedMoving
}

// attempts is how often a flow is decided anew because something that it depends
// on changed meanwhile.
const attempts = 3

// vacate has the kernel forget a flow that has ended, since its key is wanted
// again, and reports whether it had ended.
func (c *Cache) vacate(f *flow) bool {
	if f.state == standing {
		if c.kernel.Stands(f.number) {
			return false
		}
		c.end(f, c.blame(f))
	}
	c.takeOut(f)
	return true
}

// settle decides about a flow twice: once to learn what it depends on, and again
// after the Refs of that have been taken, so that no change is missed.
func (c *Cache) settle(v *dataplane.View, o *dataplane.Offer, now time.Time) (how dataplane.Carriage, refs [maxRefs]ref, until []offload.Ref, why Refusal) {
	first, no := c.decider.Decide(v, o, now)
	if no != dataplane.Carriable {
		return first, refs, nil, Refusal(no)
	}
	refs = causes(&first)
	until = c.refer(&refs)
	how, no = c.decider.Decide(v, o, now)
	if no != dataplane.Carriable || !alike(&first, &how) {
		why = RefusedMoving
	}
	if why == Refusal(dataplane.Carriable) && how.Sessions != nil && !how.Sessions.Carry(&how.Hit) {
		why = RefusedMoving // it is at its end
	}
	return how, refs, until, why
}

// uncarry has the stages alone speak for the session of a flow again, unless another
// entry of the same flow carries by now. The caller holds the mutex.
func (c *Cache) uncarry(f *flow) {
	now := c.byKey[f.key]
	if s := f.how.Sessions; s != nil && (now == nil || now.how.Sessions != s || now.how.Hit != f.how.Hit) {
		s.Uncarry(&f.how.Hit)
	}
}

// alike reports whether the packets of a flow leave alike, and depend on the same.
func alike(a, b *dataplane.Carriage) bool {
	return a.NewSrc == b.NewSrc && a.NewDst == b.NewDst && a.MAC == b.MAC && a.Target == b.Target &&
		a.Sessions == b.Sessions && a.Hit.Session == b.Hit.Session && a.Hit.Generation == b.Hit.Generation &&
		(a.Source == nil) == (b.Source == nil) && (a.Source == nil || varies(a.Source) == varies(b.Source)) && varies(a.Way) == varies(b.Way) &&
		sameIngress(a.In, b.In) && sameEgress(a.Out, b.Out)
}

// sameIngress reports whether what an entry says of the interface that packets
// come in by is the same.
func sameIngress(a, b *dataplane.Interface) bool {
	return a.ID == b.ID && a.MAC == b.MAC && a.Carried != nil && b.Carried != nil && a.Carried.Device == b.Carried.Device
}

// sameEgress is sameIngress for the interface that they leave by.
func sameEgress(a, b *dataplane.Interface) bool {
	return a.ID == b.ID && a.MAC == b.MAC && a.MTU == b.MTU && a.Carried != nil && b.Carried != nil &&
		a.Carried.Device == b.Carried.Device && a.Carried.Peer == b.Carried.Peer && a.Carried.PeerMAC == b.Carried.PeerMAC
}

// put makes the entry.
func (c *Cache) put(key *offload.Key, o *dataplane.Offer, how *dataplane.Carriage, refs [maxRefs]ref, until []offload.Ref, now time.Time) Refusal {
	d := decision(how)
	number, err := c.kernel.Put(*key, d, until...)
	if err != nil {
		c.uncarry(&flow{key: *key, how: *how})
		if errors.Is(err, offload.ErrFull) {
			c.full, c.crowded = true, true
			return RefusedFull
		}
		return RefusedKernel
	}
	for int(number) >= len(c.flows) {
		c.flows = append(c.flows, nil)
	}
	f := &flow{
		number: number, key: *key, how: *how, way: *how.Way, peer: d.Peer, refs: refs,
		length: o.Length, segment: o.Segment, since: now, last: now, looked: now, always: always(how.In.Carried),
	}
	if how.Source != nil {
		f.source = *how.Source
	}
	f.how.Way, f.how.Source, f.how.Hop, f.how.Neighbor = &f.way, nil, nil, nil // do not keep what they are of
	if how.Source != nil {
		f.how.Source = &f.source
	}
	if c.carried == 0 && c.gone == 0 && len(c.stopped) == 0 {
		c.account.done = now // there was nothing to account for until now
	}
	c.flows[number] = f
	c.byKey[*key] = f
	c.index[byDestination].add(how.NewDst.Addr(), f)
	c.index[bySource].add(key.Src.Addr(), f)
	c.carried++
	if !f.always && f.key.Proto == packet.ProtoUDP {
		f.hot = true
		c.hot = append(c.hot, f)
	}
	c.totals.Made++
	return Refusal(dataplane.Carriable)
}

// decision is what the kernel is told of a flow.
func decision(how *dataplane.Carriage) offload.Decision {
	out := how.Out.Carried
	return offload.Decision{
		Src: how.NewSrc, Dst: how.NewDst,
		Station: how.In.MAC, From: how.Out.MAC, To: how.MAC,
		Egress: out.Device, Peer: out.Peer && out.PeerMAC == how.MAC, MTU: how.Out.MTU,
	}
}
