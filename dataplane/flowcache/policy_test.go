package flowcache

import (
	"testing"
	"time"
)

// No more flows are made in a second than makings, and a tenth of that at once.
func TestBudget(t *testing.T) {
	b, now, made := budget{}, start, 0
	for range 1000 {
		for range 100 {
			if b.allows(now) {
				made++
			}
		}
		now = now.Add(time.Millisecond)
	}
	if made < makings || made > makings+makings/10+100 {
		t.Errorf("%d were made in a second, want about %d", made, makings)
	}
	now = now.Add(time.Minute)
	for made = 0; b.allows(now); made++ {
	}
	if made != makings/10 {
		t.Errorf("%d were made at once, want %d", made, makings/10)
	}
}
