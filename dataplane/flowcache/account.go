package flowcache

import (
	"time"

	"routerd/arp"
	"routerd/dataplane"
	"routerd/dataplane/offload"
	"routerd/routing"
)

// linkHeader is what offload counts of each frame beside the IP packet.
const linkHeader = 14

// account is how far it is known what the kernel has carried.
type account struct {
	done time.Time // everything that was carried until then has been accounted for
}

// moment converts the kernel's times.
type moment struct {
	now  time.Time
	mono int64
}

func (c *Cache) moment(now time.Time) moment { return moment{now, c.clock()} }

func (m moment) of(mono int64) time.Time { return m.now.Add(time.Duration(mono - m.mono)) }

// Account takes over what the kernel has carried until now: counters of interfaces,
// sessions and flows include it when it returns, and neighbours by which it was sent
// count as used. Call it before any of these is shown.
func (c *Cache) Account(now time.Time) {
	m := c.moment(now)
	for from, more := 0, true; more; from += walkedInTurn {
		more = c.accountSome(from, m)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.After(c.account.done) {
		c.account.done = now
	}
}

func (c *Cache) accountSome(from int, m moment) (more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	to := min(from+walkedInTurn, len(c.flows))
	for i := from; i < to; i++ {
		if f := c.flows[i]; f != nil {
			c.take(f, c.kernel.Counters(f.number), m)
		}
	}
	return to < len(c.flows)
}

// Accounted is until when everything that was carried has been accounted for: now
// if nothing is carried. A session that is idle longer than it may be by that time
// is so by what the kernel has seen too.
func (c *Cache) Accounted(now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.carried == 0 && c.gone == 0 && len(c.stopped) == 0 {
		return now
	}
	return c.account.done
}

// take accounts for what a flow has carried more than when it was last looked at,
// by the counters n. The caller holds the mutex.
func (c *Cache) take(f *flow, n offload.Counters, m moment) {
	if n == f.taken {
		return
	}
	t := dataplane.Traffic{Packets: n.Packets - f.taken.Packets, Bytes: n.Bytes - f.taken.Bytes, Supers: n.Supers - f.taken.Supers}
	f.taken = n
	// A frame that is on its way may be in one counter and not in the other yet.
	ip := max(f.ip, n.Bytes-min(n.Bytes, linkHeader*n.Frames))
	more := ip - f.ip
	f.ip = ip
	if n.Last != 0 {
		f.last = m.of(n.Last)
	}
	c.countersOf(f.how.In.ID).Carry(f.how.Out.ID, t)
	c.totals.Carried.Add(t)
	v := c.live.Load()
	if s := f.how.Sessions; s != nil {
		s.Carried(&f.how.Hit, t.Packets, more, v.Flows.At(f.last))
	}
	c.use(v, f)
}

// use tells the neighbour machine that a neighbour that it does not trust any more
// was sent packets, as the stages do for each of theirs (RFC 4861 §7.3.3).
func (c *Cache) use(v *dataplane.View, f *flow) {
	var e *arp.Entry
	if v.Neighbors != nil {
		e = v.Neighbors.Lookup(f.how.Out.ID, f.how.Target)
	}
	if e == nil || !e.Use() {
		return
	}
	p := [1]dataplane.Punt{{Kind: dataplane.PuntUsed, Out: f.how.Out.ID, Target: f.how.Target, Entry: e}}
	if c.punter.Punt(p[:]); p[0].Refused {
		e.Unuse()
	}
}

// Counters are those of what the kernel has carried that came in by an interface.
// They are written by Account, and may be read at any time.
func (c *Cache) Counters(in routing.InterfaceID) *dataplane.Counters {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.countersOf(in)
}

func (c *Cache) countersOf(in routing.InterfaceID) *dataplane.Counters {
	n := c.counted[in]
	if n == nil {
		n = &dataplane.Counters{}
		c.counted[in] = n
	}
	return n
}

// How long a flow stays without a packet: while there is room, and while there is
// next to none.
const (
	idleTime    = 30 * time.Second
	crowdedTime = 2 * time.Second
)

// forget ends the flows that are idle, once all is accounted for.
func (c *Cache) forget(now time.Time) {
	for from, more := 0, true; more; from += walkedInTurn {
		more = c.forgetSome(from, now)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, h := range c.held {
		if !now.Before(h.until) {
			delete(c.held, key)
		}
	}
	c.finish()
}

func (c *Cache) forgetSome(from int, now time.Time) (more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	most := idleTime
	if c.crowded {
		most = crowdedTime
	}
	to := min(from+walkedInTurn, len(c.flows))
	for i := from; i < to; i++ {
		f := c.flows[i]
		if f == nil || f.state != standing {
			continue
		}
		if now.Sub(f.last) > most {
			c.end(f, EndIdle)
			continue
		}
		c.watch(f, now)
	}
	if more = to < len(c.flows); !more {
		c.crowded = false
	}
	return more
}
