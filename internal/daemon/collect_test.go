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
	runtime.KeepAlive(large)
	t.Setenv("GOGC", "50")
	c = collector{}
	c.tune(now)
	if c.growth != 0 {
		t.Errorf("GOGC set to %d against the environment", c.growth)
	}
}
