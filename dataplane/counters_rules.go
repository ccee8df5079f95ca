package dataplane

import (
	"sync/atomic"
	"time"

	"routerd/acl"
)

// ruleCount counts what one worker has had decided by one rule of the filter: the
// latest one in its slot that it has met.
type ruleCount struct {
	number         atomic.Uint32 // 1 + that of the rule; 0 = none, or being changed
	packets, bytes atomic.Uint64
	limited        atomic.Uint64
	last           atomic.Int64 // Unix time in nanoseconds; 0 = never
}

// RuleHits is a reading of what a rule, or the default action of a list, has
// matched: packets of flows that had no session yet.
type RuleHits struct {
	Packets, Bytes uint64
	Limited        uint64    // packets of these that exceeded a limit of the rule
	Last           time.Time // the zero Time = never
}

// Add adds o to h.
func (h *RuleHits) Add(o RuleHits) {
	h.Packets += o.Packets
	h.Bytes += o.Bytes
	h.Limited += o.Limited
	if o.Last.After(h.Last) {
		h.Last = o.Last
	}
}

// read gives nothing if it counts another rule.
func (c *ruleCount) read(number uint32) RuleHits {
	h := RuleHits{Packets: c.packets.Load(), Bytes: c.bytes.Load(), Limited: c.limited.Load()}
	if last := c.last.Load(); last != 0 {
		h.Last = time.Unix(0, last)
	}
	// A rule that has left its slot meanwhile has no count that could be given.
	if c.number.Load() != number+1 {
		return RuleHits{}
	}
	return h
}

// begin has it count the rule with the number, from 0 if it has counted another
// one. Its writer alone may call it.
func (c *ruleCount) begin(number uint32) {
	if c.number.Load() == number+1 {
		return
	}
	c.number.Store(0)
	c.packets.Store(0)
	c.bytes.Store(0)
	c.limited.Store(0)
	c.last.Store(0)
	c.number.Store(number + 1)
}

// add adds what o has counted, unless c counts a later rule of the slot.
func (c *ruleCount) add(o *ruleCount) {
	number := o.number.Load()
	if number == 0 || number < c.number.Load() { // the later one of a slot has the higher number
		return
	}
	h := o.read(number - 1)
	c.begin(number - 1)
	c.packets.Add(h.Packets)
	c.bytes.Add(h.Bytes)
	c.limited.Add(h.Limited)
	if !h.Last.IsZero() {
		c.last.Store(max(c.last.Load(), h.Last.UnixNano()))
	}
}

// Rule reads what the rule with the number has matched.
func (c *Counters) Rule(number uint32) RuleHits {
	rules := c.rules.Load()
	slot := acl.Slot(number)
	if rules == nil || int(slot) >= len(*rules) || (*rules)[slot].number.Load() != number+1 {
		return RuleHits{}
	}
	return (*rules)[slot].read(number)
}

// growRules makes room for the counters of n slots and some more. It allocates
// only if there are new ones.
func (c *Counters) growRules(n int) {
	old := c.rules.Load()
	if old != nil && len(*old) >= n {
		return
	}
	list := make([]ruleCount, n+n/4)
	if old != nil {
		for i := range *old {
			list[i].add(&(*old)[i])
		}
	}
	c.rules.Store(&list)
}

// matched counts a packet that a rule has matched.
func (c *Counters) matched(number uint32, packets, bytes int, now time.Time) {
	r := &(*c.rules.Load())[acl.Slot(number)]
	r.begin(number)
	r.packets.Add(uint64(packets))
	r.bytes.Add(uint64(bytes))
	r.last.Store(now.UnixNano())
}

// limited counts a packet that exceeded a limit of a rule, behind matched.
func (c *Counters) limited(number uint32, packets int) {
	(*c.rules.Load())[acl.Slot(number)].limited.Add(uint64(packets))
}
