package dataplane

import (
	"sync/atomic"
	"time"
)

// ruleCount counts what one worker has had decided by one rule of the filter.
type ruleCount struct {
	packets, bytes atomic.Uint64
	last           atomic.Int64 // Unix time in nanoseconds; 0 = never
}

// RuleHits is a reading of what a rule, or the default action of a list, has
// matched: packets of flows that had no session yet.
type RuleHits struct {
	Packets, Bytes uint64
	Last           time.Time // the zero Time = never
}

// Add adds o to h.
func (h *RuleHits) Add(o RuleHits) {
	h.Packets += o.Packets
	h.Bytes += o.Bytes
	if o.Last.After(h.Last) {
		h.Last = o.Last
	}
}

func (c *ruleCount) read() RuleHits {
	h := RuleHits{Packets: c.packets.Load(), Bytes: c.bytes.Load()}
	if last := c.last.Load(); last != 0 {
		h.Last = time.Unix(0, last)
	}
	return h
}

func (c *ruleCount) add(h RuleHits) {
	c.packets.Add(h.Packets)
	c.bytes.Add(h.Bytes)
	if !h.Last.IsZero() {
		c.last.Store(max(c.last.Load(), h.Last.UnixNano()))
	}
}

// Rule reads what the rule with the number has matched.
func (c *Counters) Rule(number uint32) RuleHits {
	rules := c.rules.Load()
	if rules == nil || int(number) >= len(*rules) {
		return RuleHits{}
	}
	return (*rules)[number].read()
}

// growRules makes room for the counters of n rules and some more. It allocates
// only if there are new ones.
func (c *Counters) growRules(n int) {
	old := c.rules.Load()
	if old != nil && len(*old) >= n {
		return
	}
	list := make([]ruleCount, n+n/4)
	if old != nil {
		for i := range *old {
			list[i].add((*old)[i].read())
		}
	}
	c.rules.Store(&list)
}

// matched counts a packet that a rule has matched.
func (c *Counters) matched(number uint32, packets, bytes int, now time.Time) {
	r := &(*c.rules.Load())[number]
	r.packets.Add(uint64(packets))
	r.bytes.Add(uint64(bytes))
	r.last.Store(now.UnixNano())
}
