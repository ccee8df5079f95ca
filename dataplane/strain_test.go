package dataplane

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// A worker is under strain once it has read strainBatches full batches in a row, and until
// it has kept up for strainTime, or reads no more.
func TestStrain(t *testing.T) {
	const batch = 4
	n := newNetwork(t)
	var live Live
	live.Publish(n.view)
	p := n.ports[lan0]
	w := NewWorker(&live, lan0, 0, batch, p.Queues()[0], nil)
	var heard []string
	now := time.Unix(1000, 0)
	at := now
	w.Strained = func(under bool) { heard = append(heard, fmt.Sprintf("%v at %v", under, at.Sub(now))) }
	w.crowd.large = w.batch.grow(batch) // busy
	handle := func(frames int, after time.Duration) {
		at = at.Add(after)
		w.Handle(frames, at)
	}
	for range strainBatches - 1 {
		handle(batch, time.Millisecond)
	}
	handle(batch-1, time.Millisecond) // it has kept up
	for range strainBatches {
		handle(batch, time.Millisecond)
	}
	handle(1, time.Millisecond)
	handle(batch, strainTime-2*time.Millisecond) // a short while
	handle(1, strainTime-time.Millisecond)
	handle(1, time.Millisecond)
	for range strainBatches {
		handle(batch, time.Millisecond)
	}
	p.Close()
	if err := w.Run(func() time.Time { return at }); err != nil {
		t.Fatal(err)
	}
	if want := []string{"true at 8ms", "false at 207ms", "true at 211ms", "false at 211ms"}; !slices.Equal(heard, want) {
		t.Errorf("the owner has heard %q, want %q", heard, want)
	}
}
