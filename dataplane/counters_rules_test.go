package dataplane

import (
	"testing"
	"time"
)

// The counters of a rule that is gone are not those of the one that has its slot
// now, in none of the places where they are kept.
func TestRuleCountersOfASlot(t *testing.T) {
	const old, next = 3, 1<<18 | 3 // two lives of slot 3
	at := time.Unix(1_700_000_000, 0)
	var c Counters
	c.growRules(4)
	c.matched(old, 2, 100, at)
	c.limited(old, 1)
	if h := c.Rule(old); h != (RuleHits{Packets: 2, Bytes: 100, Limited: 1, Last: at}) || c.Rule(next) != (RuleHits{}) {
		t.Fatalf("the first rule has %+v, the next one %+v; want 2 packets, and none", h, c.Rule(next))
	}
	var gone Counters // of a worker that has ended before the change
	gone.Add(&c)
	c.growRules(40)
	c.matched(next, 1, 60, at.Add(time.Second))
	want := RuleHits{Packets: 1, Bytes: 60, Last: at.Add(time.Second)}
	if c.Rule(old) != (RuleHits{}) || c.Rule(next) != want {
		t.Errorf("the first rule has %+v, the next one %+v; want none and 1 packet", c.Rule(old), c.Rule(next))
	}
	if gone.Rule(old).Packets != 2 {
		t.Errorf("the worker that ended has %+v for the first rule, want 2 packets", gone.Rule(old))
	}
	gone.Add(&c)
	if gone.Rule(old) != (RuleHits{}) || gone.Rule(next) != want {
		t.Errorf("together the first rule has %+v, the next one %+v; want none and 1 packet", gone.Rule(old), gone.Rule(next))
	}
	var late Counters
	late.growRules(4)
	late.matched(old, 5, 500, at)
	gone.Add(&late)
	if gone.Rule(next) != want {
		t.Errorf("a count of the first rule that comes late makes the next one's %+v, want %+v", gone.Rule(next), want)
	}
	late.Add(&c)
	if late.Rule(next) != want || late.Rule(old) != (RuleHits{}) {
		t.Errorf("%+v and %+v, want the later rule's count alone", late.Rule(next), late.Rule(old))
	}
}
