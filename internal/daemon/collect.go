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
// A protocol that offers prefixes of the public table over 64 next hops to a router
// that starts took, in MB of resident memory and in processor time, the most of two
// runs (BenchmarkTableMemory):
//
//	              10 routes        10,000 routes               1,062,046 routes
//	          peak  settled   peak   settled   time     peak   settled   time
//	GOGC=25   31    as peak   34     as peak   0.06 s   180    as peak   1.28 s
//	50        31              33               0.06 s   188              1.10 s
//	100       30              34               0.04 s   194              0.99 s
//	200       30              33               0.04 s   201              0.95 s
//	as here   30    29        34     31        0.04 s   220    180       0.85 s
//
// With a spare of 64 MiB the last line's large table took 194 MB and 0.93 s. A full
// table that a neighbour announces by BGP, which takes more memory, is learned with
// two collections, with 64 MiB four.
//
// Where the environment sets GOGC nothing is given back, hence "as peak". The tables
// hold next to no pointers, so that a collection of a large one is cheap.
//
// A file of so many routes that was loaded and taken away again and again, on two
// processors that half a dozen others wanted too, had a datagram late by so many ms
// (the worst of a thousand) and all goroutines stopped after as many at most. In
// brackets is what a process was late by that only relays, and a program waited for
// that does nothing (BenchmarkGapsWhileLoading):
//
//	              10 routes    10,000 routes   1,048,576 routes   the last, nobody else
//	late          4.3 (4.2)    4.3 (4.2)       7.6 (5.1)          3.1
//	all stopped   1.8 (2.1)    0.2 (1.8)       3.7 (2.1)          0.3
//
// The runtime's own count of a pause is longer, up to 1.8 ms where nobody else wants
// the processors: it goes on until the thread that has let the others go on has a
// processor again. In a trace of 23 pauses, 12 were longer than 1.5 ms by that
// count, and 19 shorter than 0.3 ms until others ran.
//
// GOMEMLIMIT is left to the environment: with 200 MiB two reloads of a file of
// 1,062,046 routes took 2.8 times as long, and how much may be in use only the
// operator knows.
const (
	spare     = 128 << 20
	leastSlow = 50
	mostSlow  = 800 // the largest GOGC, which also multiplies the runtime's minimum heap of 4 MiB
)

// heapGrowth is the GOGC for so many bytes in use.
func heapGrowth(live uint64) int {
	return int(min(max(spare*100/max(live, 1), leastSlow), mostSlow))
}

// While clients ask for long lists, which become garbage at once, the heap may grow by
// no more than longSpare or, if that is more, by longLeast percent. Each such request
// is longTime, and so is the time from the last one until it is over.
const (
	longSpare = 16 << 20
	longLeast = 12
	longTime  = time.Second
)

// longGrowth is the GOGC for so many bytes in use meanwhile.
func longGrowth(live uint64) int {
	return int(min(max(longSpare*100/max(live, 1), longLeast), mostSlow))
}

// After a burst, memory that the heap has grown by is given back to the
// kernel when the heap has not grown for quietTime, if that is more than
// leastWaste, in bytes, and than a quarter of
// what is in use. What the last collection found in use may be garbage since: so
// that is done too when leastChurn has been allocated, or as much as a large heap
// may grow by.
const (
	quietTime  = 500 * time.Millisecond
	leastWaste = 16 << 20
	leastChurn = 64 << 20
)

// startTime is how long after the start that is done in any case: some memory
// of the start, such as snapshots, becomes free some seconds later.
const startTime = 5 * time.Second

// collector adjusts GOGC, and gives back memory after bursts. The zero
// collector is ready for use.
type collector struct {
	began time.Time // when the router started
	ended atomic.Bool
	// long is until when clients count as asking for long lists, in nanoseconds since
	// dawn; watching is set while a timer looks whether that is over.
	long     atomic.Int64
	watching atomic.Bool
	// looking is set while giveBack is scheduled: until it has run, it alone
	// uses the fields below. used is the bytes in use at its last look.
	looking atomic.Bool
	used    uint64
	// allocated is the bytes ever allocated when memory was last given back.
	allocated uint64
	again     bool // something was given back at its last look
	// steps is how long the owner's steps took since it last called look.
	steps time.Duration
}

// follow has GOGC adjusted, now and after each collection until end, unless the
// environment sets it: a table that is being loaded grows a small heap to a large
// one within two or three. A configuration of 16 MiB takes 0.9 GB while it is read,
// with the 100 of the runtime 1.2.
func (c *collector) follow() {
	if os.Getenv("GOGC") == "" {
		c.adjust()
	}
}

func (c *collector) end() { c.ended.Store(true) }

// started records that the router has started.
func (c *collector) started(now time.Time) { c.began = now }

// adjust sets GOGC, and has the next collection call it again.
func (c *collector) adjust() {
	if c.ended.Load() {
		return
	}
	c.set()
	runtime.AddCleanup(new(collected), (*collector).adjust, c)
}

// set sets GOGC for what is in use.
func (c *collector) set() {
	h := heap()
	g := heapGrowth(h.live)
	if c.isLong() {
		g = longGrowth(h.live)
	}
	// Setting GOGC stops every goroutine for a moment.
	if 8*max(g-h.growth, h.growth-g) > h.growth {
		debug.SetGCPercent(g)
	}
}

func (c *collector) isLong() bool { return time.Since(dawn) < time.Duration(c.long.Load()) }

// longList says that a client asks for a long list. Any goroutine may call it.
func (c *collector) longList() {
	if c.ended.Load() || os.Getenv("GOGC") != "" {
		return
	}
	c.long.Store(int64(time.Since(dawn) + longTime))
	if c.watching.CompareAndSwap(false, true) {
		c.set()
		time.AfterFunc(longTime, c.endLong)
	}
}

// endLong lets the heap grow as before when nobody asks for long lists any more.
func (c *collector) endLong() {
	if c.isLong() {
		time.AfterFunc(longTime, c.endLong)
		return
	}
	c.watching.Store(false)
	if !c.ended.Load() {
		c.set()
	}
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

// worthLooking is how long the owner works before it looks at the heap: what takes
// less leaves little, and a look wakes the process up once more.
const worthLooking = time.Millisecond

// worked takes in how long a step of the owner's took.
func (c *collector) worked(took time.Duration) {
	if c.steps += took; c.steps >= worthLooking || time.Since(c.began) < startTime {
		c.steps = 0
		c.look()
	}
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
// and how many have ever been allocated; growth is GOGC.
type heapBytes struct {
	live, used, allocated uint64
	growth                int
}

func heap() heapBytes {
	samples := [...]metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/gogc:percent"},
	}
	metrics.Read(samples[:])
	return heapBytes{
		live: samples[0].Value.Uint64(), used: samples[1].Value.Uint64(), allocated: samples[2].Value.Uint64(),
		growth: int(samples[3].Value.Uint64()),
	}
}

// giveBack gives memory back to the kernel after a burst; while the burst lasts
// it schedules itself again, and once more when it has given back something: what
// was still in use then, as the configuration before is until a reload ends, may be
// garbage by now.
func (c *collector) giveBack() {
	h := heap()
	switch now := c.left(time.Since(c.began), h); {
	case now == burst:
		c.used = h.used
		time.AfterFunc(quietTime, c.giveBack)
		return
	case now == leftovers || c.again:
		debug.FreeOSMemory()
		c.allocated = h.allocated
		if c.again = !c.again; c.again {
			c.used = heap().used
			time.AfterFunc(quietTime, c.giveBack)
			return
		}
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
	case since < startTime, h.used > h.live+max(leastWaste, h.live/4), h.allocated > c.allocated+max(leastChurn, h.live/2):
		return leftovers
	}
	return tidy
}
