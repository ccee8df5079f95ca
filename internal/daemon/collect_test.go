package daemon

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestHeapGrowth(t *testing.T) {
	for live, want := range map[uint64]int{0: 800, 1 << 20: 800, 8 << 20: 800, 16 << 20: 400, 32 << 20: 200, 64 << 20: 100, 1 << 30: 100} {
		if got := heapGrowth(live); got != want {
			t.Errorf("with %d MiB in use GOGC is %d, want %d", live>>20, got, want)
		}
	}
}

// A heap that has grown is collected as ever, and looked at once a second.
func TestTune(t *testing.T) {
	t.Setenv("GOGC", "")
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	var c collector
	now := time.Now()
	c.tune(now)
	if c.growth <= 100 {
		t.Errorf("GOGC is %d with next to nothing in use, want more than 100", c.growth)
	}
	large := make([]byte, 2*spare)
	runtime.GC()
	c.tune(now.Add(time.Second - 1))
	if c.growth <= 100 {
		t.Errorf("looked again within the second")
	}
	c.tune(now.Add(time.Second))
	if got := debug.SetGCPercent(before); c.growth != 100 || got != 100 {
		t.Errorf("GOGC is %d, thought to be %d, with %d MiB in use, want 100", got, c.growth, len(large)>>20)
	}
	// Soon after the start what it took is given back, whatever is in use.
	for after, want := range map[time.Duration]bool{0: true, startTime - 1: true, startTime: false} {
		c.started(now)
		c.tune(now.Add(after))
		if armed := c.calm.Stop(); armed != want {
			t.Errorf("%v after the start memory will be given back: %v, want %v", after, armed, want)
		}
	}
	runtime.KeepAlive(large)
	t.Setenv("GOGC", "50")
	c = collector{}
	c.tune(now)
	if c.growth != 0 {
		t.Errorf("GOGC set to %d against the environment", c.growth)
	}
}

// What is collected seldom is collected as before afterwards.
func TestRarely(t *testing.T) {
	t.Setenv("GOGC", "")
	before := debug.SetGCPercent(123)
	defer debug.SetGCPercent(before)
	restore := rarely()
	if now := debug.SetGCPercent(mostSlow); now != mostSlow {
		t.Errorf("GOGC is %d meanwhile, want %d", now, mostSlow)
	}
	restore()
	if now := debug.SetGCPercent(before); now != 123 {
		t.Errorf("GOGC is %d afterwards, want 123", now)
	}
	t.Setenv("GOGC", "50")
	debug.SetGCPercent(50)
	rarely()
	if now := debug.SetGCPercent(before); now != 50 {
		t.Errorf("GOGC is %d, want the 50 of the environment", now)
	}
}
