package flowcache

import (
	"time"

	"routerd/dataplane"
	"routerd/dataplane/offload"
	"routerd/internal/packet"
	"routerd/routing"
)

// A flow of many small packets is carried at the pace of its sender's processor, which
// does all the work. By the stages sender and router use a processor each, and where
// there is one to spare that can be faster, or slower: it depends on the devices. So
// it is tried: the rate at which the kernel carries such a flow is measured, then it
// goes by the stages for some intervals, and whichever was faster serves all small and
// fast flows of that way for a while.
const (
	smallBytes  = 512             // frames of UDP are small with fewer bytes on average
	fastPackets = 5000            // in a dataplane.OfferInterval: 50,000 a second
	slowPackets = fastPackets / 2 // what is slower is carried whatever was found
	triedFor    = 3               // intervals that each side is measured
	better      = 1.1             // by how much the stages must be faster
	foundFor    = time.Minute
	trialTime   = 2 * time.Second // the longest trial
)

// way is what a finding is for: flows by two interfaces, with sessions or without.
type way struct {
	in, out routing.InterfaceID
	session bool
}

func (f *flow) wayOf() way { return way{f.how.In.ID, f.how.Out.ID, f.how.Sessions != nil} }

// trial is how it is found out what is faster on a way.
type trial struct {
	key    offload.Key // of the flow that is measured
	phase  phase
	n      int // intervals that the kernel was measured
	kernel float64
	stages float64
	until  time.Time // the trial or the finding ends
}

// held is a flow that goes by the stages until some time, unless it becomes slow.
type held struct {
	until  time.Time
	offers int
}

type phase uint8

const (
	byKernel phase = iota // the kernel carries it
	byStages              // the stages forward it
	keptByKernel
	keptByStages
)

// small reports whether a flow has packets for which the stages may be faster.
func small(proto uint8, segment int, packets, bytes uint64) bool {
	return proto == packet.ProtoUDP && segment == 0 && bytes < smallBytes*packets
}

// carriedFast takes in that the kernel carries a small flow at so many packets an
// interval, and reports whether it is to go by the stages. The caller holds the mutex.
func (c *Cache) carriedFast(f *flow, rate float64, now time.Time) (returned bool) {
	w := f.wayOf()
	t := c.trials[w]
	if t == nil || !now.Before(t.until) {
		t = &trial{key: f.key, until: now.Add(trialTime)}
		c.trials[w] = t
	}
	switch t.phase {
	case keptByStages:
		c.held[f.key] = &held{until: t.until}
		return true
	case byKernel:
		if t.key != f.key {
			return false
		}
		t.kernel = max(t.kernel, rate)
		if t.n++; t.n < triedFor {
			return false
		}
		t.phase, t.until = byStages, now.Add(trialTime)
		c.held[f.key] = &held{until: t.until}
		return true
	}
	return false
}

// stays reports whether a flow that is offered is to go on by the stages. The caller
// holds the mutex.
func (c *Cache) stays(key *offload.Key, o *dataplane.Offer, now time.Time) bool {
	h := c.held[*key]
	if h == nil {
		return false
	}
	h.offers++
	for _, t := range c.trials {
		if t.phase == byStages && t.key == *key && now.Before(t.until) {
			return c.measured(t, h, o, now)
		}
	}
	if !now.Before(h.until) || h.offers > partial && o.Before.Frames < slowPackets {
		delete(c.held, *key)
		return false
	}
	return true
}

// partial is how many offers of a flow that was returned say nothing: the interval in
// which it was is the kernel's in part.
const partial = 2

// measured takes in what the stages have forwarded of the flow of a trial in the interval
// before, and reports whether it is to go on by them.
func (c *Cache) measured(t *trial, h *held, o *dataplane.Offer, now time.Time) (stays bool) {
	if h.offers <= partial {
		return true
	}
	t.stages = max(t.stages, float64(o.Before.Frames))
	if h.offers < partial+triedFor {
		return true
	}
	t.phase, t.until = keptByKernel, now.Add(foundFor)
	if t.stages > better*t.kernel {
		t.phase, h.until = keptByStages, t.until
		return true
	}
	delete(c.held, t.key)
	return false
}

// rate is how many packets the kernel has carried of a flow in each interval since it
// was looked at last, and whether they are small.
func (f *flow) rate(n offload.Counters, now time.Time) (rate float64, is bool) {
	packets := n.Packets - f.small.Packets
	if elapsed := now.Sub(f.looked); elapsed > 0 {
		rate = float64(packets) * float64(dataplane.OfferInterval) / float64(elapsed)
	}
	return rate, small(f.key.Proto, int(n.Supers-f.small.Supers), packets, n.Bytes-f.small.Bytes)
}

// watch has look see to a flow of many small packets, if it is one. The caller holds
// the mutex.
func (c *Cache) watch(f *flow, now time.Time) {
	if f.hot || f.always || f.key.Proto != packet.ProtoUDP {
		return
	}
	if rate, is := f.rate(f.taken, now); is && rate >= slowPackets {
		f.hot = true
		c.hot = append(c.hot, f)
	}
	f.small, f.looked = f.taken, now
}

// look sees to the flows of small packets that are fast, or new.
func (c *Cache) look(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := c.hot[:0]
	for _, f := range c.hot {
		if f.state != standing {
			continue
		}
		if now.Sub(f.looked) < lookEvery {
			kept = append(kept, f)
			continue
		}
		n := c.kernel.Counters(f.number)
		rate, is := f.rate(n, now)
		f.small, f.looked = n, now
		if is && rate >= fastPackets && c.carriedFast(f, rate, now) {
			c.end(f, EndReturned)
			continue
		}
		if f.hot = is && rate >= slowPackets; f.hot {
			kept = append(kept, f)
		}
	}
	clear(c.hot[len(kept):])
	c.hot = kept
	c.finish()
}
