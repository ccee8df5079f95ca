package daemon

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// By default the garbage collector runs whenever the heap has doubled: with a
// few megabytes in use, a dozen times while a neighbour announces its table,
// which adds half to the CPU time of the routes. So a small heap may grow by
// spare, in bytes, before it runs; a large one doubles as usual.
const (
	spare    = 64 << 20
	mostSlow = 800 // the largest GOGC, which also multiplies the runtime's minimum heap of 4 MiB
)

// heapGrowth is the GOGC for so many bytes in use.
func heapGrowth(live uint64) int {
	return int(min(max(spare*100/max(live, 1), 100), mostSlow))
}

// After a burst, memory that a small heap has grown by is given back to the
// kernel when the heap has not grown for quietTime, if that is more than
// leastWaste, in bytes.
const (
	quietTime  = 500 * time.Millisecond
	leastWaste = 16 << 20
)

// startTime is how long after the start that is done in any case: some memory
// of the start, such as snapshots, becomes free some seconds later.
const startTime = 5 * time.Second

// collector adjusts GOGC, and gives back memory after bursts. The zero
// collector is ready for use.
type collector struct {
	began   time.Time // when the router started
	looked  time.Time
	growth  int
	samples []metrics.Sample
	// looking is set while giveBack is scheduled: until it has run, it alone
	// uses the field used, the bytes in use at its last look.
	looking atomic.Bool
	used    uint64
}

// started records that the router has started.
func (c *collector) started(now time.Time) { c.began, c.looked = now, time.Time{} }

// collectRarely makes garbage collections rare until restore, unless the
// environment sets GOGC: for work that leaves much garbage and keeps little,
// such as opening TUN ports.
func collectRarely() (restore func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(mostSlow)
	return func() { debug.SetGCPercent(before) }
}

// tune adjusts GOGC to the heap, at most once a second, and schedules giveBack,
// since tune may not be called again. It does nothing if the environment sets
// GOGC.
func (c *collector) tune(now time.Time) {
	if os.Getenv("GOGC") != "" {
		return
	}
	if c.looking.CompareAndSwap(false, true) {
		_, c.used = heap()
		time.AfterFunc(quietTime, c.giveBack)
	}
	if now.Sub(c.looked) < time.Second {
		return
	}
	c.looked = now
	if c.samples == nil {
		c.samples = []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	}
	metrics.Read(c.samples)
	// Setting GOGC stops every goroutine for a moment.
	if g := heapGrowth(c.samples[0].Value.Uint64()); g != c.growth {
		c.growth = g
		debug.SetGCPercent(g)
	}
}

// heap is how many bytes the last collection left, and how many are in use now.
func heap() (live, used uint64) {
	samples := [...]metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(samples[:])
	return samples[0].Value.Uint64(), samples[1].Value.Uint64()
}

// giveBack gives memory back to the kernel after a burst; while the burst lasts
// it schedules itself again.
func (c *collector) giveBack() {
	live, used := heap()
	switch c.left(time.Since(c.began), live, used) {
	case burst:
		c.used = used
		time.AfterFunc(quietTime, c.giveBack)
		return
	case leftovers:
		debug.FreeOSMemory()
	}
	c.looking.Store(false)
}

// The result of a look at the heap.
type found uint8

const (
	tidy found = iota
	burst
	leftovers
)

// left judges the heap: since is the time since the start, live the bytes that
// the last collection left, used those in use.
func (c *collector) left(since time.Duration, live, used uint64) found {
	switch {
	case used > c.used+leastWaste/4:
		return burst
	case since < startTime, live < spare && used > live+leastWaste:
		return leftovers
	}
	return tidy
}
