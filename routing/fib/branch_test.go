package fib

import (
	"net/netip"
	"testing"
)

// A Writer whose changes are never published leaves nothing behind: who goes on from
// the state before counts what uses each way as if it had not been there.
func TestDroppedChangesCountForNothing(t *testing.T) {
	prefix := func(i int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), 0}), 24)
	}
	var all []Change
	for i := range 40 {
		all = append(all, Change{prefix(i), &Entry{Prefix: prefix(i), Group: someGroups[i%2]}})
	}
	f := Empty().Apply(all)
	dropped := NewWriter(f)
	for i := range 40 {
		dropped.Apply([]Change{{Prefix: prefix(i)}})
	}
	for i := range 40 {
		w := f.Way(prefix(i).Addr())
		if w == nil || w.Group != someGroups[i%2] || f.Get(prefix(i)) == nil {
			t.Fatalf("what was dropped has changed %v: %v", prefix(i), w)
		}
	}
	var gone []Change
	for i := 1; i < 40; i++ {
		gone = append(gone, Change{Prefix: prefix(i)})
	}
	f = f.Apply(gone)
	if w := f.Way(prefix(0).Addr()); w == nil || w.Group != someGroups[0] {
		t.Errorf("the only entry leads %+v", w)
	}
	if n := f.ways.given - f.ways.vacant - 1; n != 1 {
		t.Errorf("%d ways are in use, want 1", n)
	}
}
