package rib

import "testing"

// However many numbers are free, each is given again once, and giving one back
// copies no more than a bounded list.
func TestSlabGivesNumbersAgain(t *testing.T) {
	var s slab[uint32]
	const n = 2*freeAtOnce + 7
	for i := range uint32(n) {
		if id := s.take(); id != i {
			t.Fatalf("number %d is given as number %d", id, i)
		}
	}
	for i := range uint32(n) {
		if s.give(i); len(s.free) > freeAtOnce {
			t.Fatalf("a list of %d free numbers, want %d at most", len(s.free), freeAtOnce)
		}
	}
	again := map[uint32]bool{}
	for range n {
		again[s.take()] = true
	}
	if len(again) != n || s.used != n || len(s.free)+len(s.more) != 0 {
		t.Errorf("%d of %d free numbers were given again, %d are used", len(again), n, s.used)
	}
}
