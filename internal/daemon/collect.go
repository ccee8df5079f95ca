package daemon

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// By default the garbage collector runs whenever the heap has doubled: with a
// few megabytes in use, a dozen times while a neighbour announces its table,
// which adds half to the CPU time of the routes. So a small heap may grow by
// spare, in bytes, before it runs, and a large one by half of what is in use.
//
// With 1,062,046 routes of a file, six reloads of which each changes almost all of
// them took, by GOGC, this much resident memory at the peak and processor time:
//
//	GOGC=25 875 MiB, 12.4 s; 50 852 MiB, 8.5 s; 100 1012 MiB, 7.7 s; 200 1463 MiB, 6.4 s
//
// The tables hold next to no pointers, so that a collection of a large one is
// cheap. GOMEMLIMIT is left to the environment: with 200 MiB two of those reloads
// took 2.8 times as long, and how much may be in use only the operator knows.
const (
	spare     = 64 << 20
	leastSlow = 50
	mostSlow  = 800 // the largest GOGC, which also multiplies the runtime's minimum heap of 4 MiB
)

// heapGrowth is the GOGC for so many bytes in use.
func heapGrowth(live uint64) int {
	return int(min(max(spare*100/max(live, 1), leastSlow), mostSlow))
}

// After a burst, memory that the heap has grown by is given back to the
// kernel when the heap has not grown for quietTime, if that is more than
// leastWaste, in bytes, and than a quarter of
// what is in use. What the last collection found in use may be garbage since: so
// that is done too when as much has been allocated as a small or large heap may
// grow by.
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
	began time.Time // when the router started
	// growth is the GOGC that was set last; only adjust uses it.
	growth int
	ended  atomic.Bool
	// looking is set while giveBack is scheduled: until it has run, it alone
	// uses the fields below. used is the bytes in use at its last look.
	looking atomic.Bool
	used    uint64
	// allocated is the bytes ever allocated when memory was last given back.
	allocated uint64
}

// started records that the router has started. From now on until end GOGC is
// adjusted after each collection, unless the environment sets it: a table that
// is being loaded grows a small heap to a large one within two or three.
func (c *collector) started(now time.Time) {
	c.began = now
	if os.Getenv("GOGC") == "" {
		c.adjust()
	}
}

func (c *collector) end() { c.ended.Store(true) }

// adjust sets GOGC, and has the next collection call it again.
func (c *collector) adjust() {
	if c.ended.Load() {
		return
	}
	// Setting GOGC stops every goroutine for a moment.
	if g := heapGrowth(heap().live); 8*max(g-c.growth, c.growth-g) > c.growth {
		c.growth = g
		debug.SetGCPercent(g)
	}
	runtime.AddCleanup(new(collected), (*collector).adjust, c)
}

// collected is an object to which nothing points: a collection finds it. It is not
// so small that it would share its place with others.
type collected [32]byte

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

// look schedules giveBack, since look may not be called again. It does nothing if
// the environment sets GOGC.
func (c *collector) look() {
	if os.Getenv("GOGC") != "" {
		return
	}
	if c.looking.CompareAndSwap(false, true) {
		c.used = heap().used
		time.AfterFunc(quietTime, c.giveBack)
	}
}

// heapBytes is how many bytes the last collection left, how many are in use now,
// and how many have ever been allocated.
type heapBytes struct{ live, used, allocated uint64 }

func heap() heapBytes {
	samples := [...]metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(samples[:])
	return heapBytes{samples[0].Value.Uint64(), samples[1].Value.Uint64(), samples[2].Value.Uint64()}
}

// giveBack gives memory back to the kernel after a burst; while the burst lasts
// it schedules itself again.
func (c *collector) giveBack() {
	h := heap()
	switch c.left(time.Since(c.began), h) {
	case burst:
		c.used = h.used
		time.AfterFunc(quietTime, c.giveBack)
		return
	case leftovers:
		debug.FreeOSMemory()
		c.allocated = h.allocated
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

// left judges the heap; since is the time since the start.
func (c *collector) left(since time.Duration, h heapBytes) found {
	switch {
	case h.used > c.used+leastWaste/4:
		return burst
	case since < startTime, h.used > h.live+max(leastWaste, h.live/4), h.allocated > c.allocated+max(spare, h.live/2):
		return leftovers
	}
	return tidy
}
