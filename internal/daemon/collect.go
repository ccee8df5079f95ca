package daemon

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
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

// What a small heap has grown by in a burst is given back to the kernel when it
// has not grown further for calmTime, where that is more than litter, in bytes.
const (
	calmTime = 500 * time.Millisecond
	litter   = 16 << 20
)

// startTime is how long after the start that is done in any case: some of what
// starting took, snapshots for one, is let go of some seconds later.
const startTime = 5 * time.Second

// collector keeps GOGC right, and gives back what bursts have left. The zero
// collector has not looked yet.
type collector struct {
	began   time.Time // when the router had started
	looked  time.Time
	growth  int
	samples []metrics.Sample
	// looking says that giveBack is to come: until then used, the bytes in use
	// at its last look, is its own.
	looking atomic.Bool
	used    uint64
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

// tune looks at the heap, once a second at most, has giveBack look at it later,
// when perhaps nobody calls tune, and does nothing where the environment says how
// often to collect.
func (c *collector) tune(now time.Time) {
	if os.Getenv("GOGC") != "" {
		return
	}
	if c.looking.CompareAndSwap(false, true) {
		_, c.used = heap()
		time.AfterFunc(calmTime, c.giveBack)
	}
	if now.Sub(c.looked) < time.Second {
		return
	}
	c.looked = now
	if c.samples == nil {
		c.samples = []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	}
	metrics.Read(c.samples)
	// Setting it stops every goroutine for a moment.
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

// giveBack gives the kernel what a burst has left, or comes again while one is
// under way.
func (c *collector) giveBack() {
	live, used := heap()
	switch c.left(time.Since(c.began), live, used) {
	case burst:
		c.used = used
		time.AfterFunc(calmTime, c.giveBack)
		return
	case leftovers:
		debug.FreeOSMemory()
	}
	c.looking.Store(false)
}

// What a look at the heap finds.
type found uint8

const (
	tidy found = iota
	burst
	leftovers
)

// left says what so many bytes are: some time after the start, with what the
// last collection left and what is in use.
func (c *collector) left(since time.Duration, live, used uint64) found {
	switch {
	case used > c.used+litter/4:
		return burst
	case since < startTime, live < spare && used > live+litter:
		return leftovers
	}
	return tidy
}
