package daemon

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The garbage collector, left to itself, runs whenever the heap has doubled:
// with a few megabytes in use, a dozen times while a neighbour announces its
// table, at half as much CPU time again as the routes take. So a small heap
// may grow by spare, in bytes, before it runs; a large one doubles as ever.
const (
	spare    = 64 << 20
	mostSlow = 800 // GOGC, which multiplies even the runtime's least heap of 4 MiB
)

// heapGrowth is the GOGC for so many bytes in use.
func heapGrowth(live uint64) int {
	return int(min(max(spare*100/max(live, 1), 100), mostSlow))
}

// What a small heap has grown by in a burst is given back to the kernel when
// nothing has happened for calmTime, where that is more than litter, in bytes.
const (
	calmTime = time.Second
	litter   = 16 << 20
)

// startTime is how long after the start that is done in any case: some of what
// starting took, snapshots for one, is let go of some seconds later.
const startTime = 5 * time.Second

// collector keeps GOGC right. The zero collector has not looked yet.
type collector struct {
	began   time.Time // when the router had started
	looked  time.Time
	growth  int
	samples []metrics.Sample
	calm    *time.Timer
}

// started says that the router has started.
func (c *collector) started(now time.Time) { c.began, c.looked = now, time.Time{} }

// rarely has the collector run seldom until restore, where the environment does
// not say how often: for what leaves much garbage and keeps little, as opening
// TUN ports does.
func rarely() (restore func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(mostSlow)
	return func() { debug.SetGCPercent(before) }
}

// tune looks at the heap, once a second at most, and does nothing where the
// environment says how often to collect.
func (c *collector) tune(now time.Time) {
	if now.Sub(c.looked) < time.Second || os.Getenv("GOGC") != "" {
		return
	}
	c.looked = now
	if c.samples == nil {
		c.samples = []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}}
		c.calm = time.AfterFunc(calmTime, debug.FreeOSMemory)
		c.calm.Stop()
	}
	metrics.Read(c.samples)
	c.calm.Stop()
	if live, used := c.samples[0].Value.Uint64(), c.samples[1].Value.Uint64(); now.Sub(c.began) < startTime || live < spare && used > live+litter {
		c.calm.Reset(calmTime)
	}
	// Setting it stops every goroutine for a moment.
	if g := heapGrowth(c.samples[0].Value.Uint64()); g != c.growth {
		c.growth = g
		debug.SetGCPercent(g)
	}
}
