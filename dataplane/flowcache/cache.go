package flowcache

import (
	"sync"
	"sync/atomic"
	"time"

	"routerd/dataplane"
	"routerd/dataplane/offload"
	"routerd/routing"
	"routerd/routing/fib"
)

// Kernel is what carries the packets: offload.Cache, or something like it for
// tests. Only Ref, End and Lost are called by any goroutine, and Reap beside the
// other methods; of all others one is called at a time.
type Kernel interface {
	Put(offload.Key, offload.Decision, ...offload.Ref) (offload.Flow, error)
	Stop(offload.Flow)
	Remove(offload.Flow) error
	End(offload.Cause)
	Ref(offload.Cause) offload.Ref
	Stands(offload.Flow) bool
	Counters(offload.Flow) offload.Counters
	Reap(func(offload.Flow, offload.Key, offload.Counters)) error
	Lost() uint64
}

// Config is what a Cache works with. All of it is wanted.
type Config struct {
	Kernel Kernel // with NumCauses causes
	Live   *dataplane.Live
	Punter dataplane.Punter // hears of stale neighbours that were used
	// Monotonic reads the clock of offload.Counters.Last, CLOCK_MONOTONIC in ns.
	Monotonic func() int64
}

// offersAtOnce is how many offers wait at most.
const offersAtOnce = 1024

// Cache is the flows that the kernel carries. Any goroutine may call its
// methods, but only one at a time Step.
type Cache struct {
	kernel Kernel
	live   *dataplane.Live
	punter dataplane.Punter
	clock  func() int64

	offers chan dataplane.Offer
	wake   chan struct{}
	stale  atomic.Bool   // a cause has come about that flows may have
	busy   atomic.Uint64 // offers that were not taken in

	swept time.Time // when Step looked for flows of which a cause had come about

	mu      sync.Mutex // guards what follows
	now     time.Time  // of the latest Step
	decider dataplane.Decider
	flows   []*flow // by number; nil of numbers that are not in use
	byKey   map[offload.Key]*flow
	index   [numIndexes]index
	carried int                                         // flows that have not ended
	stopped []*flow                                     // that have ended and are in the kernel's tables yet
	gone    int                                         // flows that are not, and whose counters are not final
	reaped  time.Time                                   // when counters were made final last
	counted map[routing.InterfaceID]*dataplane.Counters // by ingress
	held    map[offload.Key]*held                       // flows that were returned
	touched []*flow                                     // memory
	hot     []*flow                                     // flows of small packets that look sees to
	trials  map[way]*trial
	full    bool // the kernel has no room until counters are final
	crowded bool // there was no room for a flow since forget looked
	budget  budget
	review  review
	account account
	totals  Totals
}

// flow is one flow.
type flow struct {
	number offload.Flow
	key    offload.Key
	links  [numIndexes]link
	state  state
	why    End // with state ended

	how     dataplane.Carriage // Sessions and Hit of it are the session
	way     fib.Way            // a copy, since ways are given anew
	source  fib.Way
	peer    bool
	length  int // of the packet that it was decided for
	segment int

	refs  [maxRefs]ref
	since time.Time
	last  time.Time // of the latest packet that was accounted for
	// taken is what has been accounted for, and ip the bytes of it that sessions
	// count. small is what it was when the policy looked last.
	taken, small offload.Counters
	ip           uint64
	looked       time.Time
	hot          bool
	always       bool // the policy has nothing to say
}

type state uint8

const (
	standing state = iota // unless a cause has come about
	ended                 // by us; the kernel's tables have its key still
	removed               // its key is free, its counters are not final
)

// New makes a Cache without a flow.
func New(c Config) *Cache {
	x := &Cache{
		kernel: c.Kernel, live: c.Live, punter: c.Punter, clock: c.Monotonic,
		offers:  make(chan dataplane.Offer, offersAtOnce),
		wake:    make(chan struct{}, 1),
		byKey:   map[offload.Key]*flow{},
		counted: map[routing.InterfaceID]*dataplane.Counters{},
		held:    map[offload.Key]*held{},
		trials:  map[way]*trial{},
	}
	for i := range x.index {
		x.index[i].side = i
	}
	return x
}

// Waiting signals that Step has something to do before the time that it gave.
func (c *Cache) Waiting() <-chan struct{} { return c.wake }

func (c *Cache) poke() {
	select {
	case c.wake <- struct{}{}:
	default: // it is about to look anyway
	}
}

// Offer implements dataplane.Offerer.
func (c *Cache) Offer(list []dataplane.Offer) {
	for i := range list {
		select {
		case c.offers <- list[i]:
		default:
			c.busy.Add(1)
		}
	}
	c.poke()
}

// The bounds of one hold of the mutex, so that a change never waits for more than
// about a millisecond.
const (
	offersInTurn  = 64
	removedInTurn = 256
	walkedInTurn  = 4096
)

// The rhythm of Step.
const (
	sweepEvery   = 5 * time.Millisecond
	reapEvery    = 20 * time.Millisecond
	accountEvery = time.Second
	lookEvery    = dataplane.OfferInterval // at small packets
)

// Step does what there is to do: it decides the flows that were offered, takes
// those that have ended out of the kernel, and accounts for all. It gives the time
// to call it again at the latest, the zero Time if there is nothing to wait for.
func (c *Cache) Step(now time.Time) (next time.Time, err error) {
	c.mu.Lock()
	c.now = now
	c.mu.Unlock()
	c.sweep(now)
	for c.decide(now) {
	}
	for c.remove() {
	}
	if err := c.reap(now); err != nil {
		return now.Add(accountEvery), err
	}
	c.look(now)
	if now.Sub(c.Accounted(now)) >= accountEvery {
		c.Account(now)
		c.forget(now)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.stale.Load():
		return c.swept.Add(sweepEvery), nil
	case c.gone > 0 || len(c.stopped) > 0:
		return now.Add(reapEvery), nil
	case len(c.hot) > 0:
		return now.Add(lookEvery), nil
	case c.carried > 0:
		return c.account.done.Add(accountEvery), nil
	}
	return time.Time{}, nil
}

// decide takes up some of the offers, and reports whether there are more.
func (c *Cache) decide(now time.Time) bool {
	if len(c.offers) == 0 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for range offersInTurn {
		select {
		case o := <-c.offers:
			if why := c.consider(&o, now); why != Refusal(dataplane.Carriable) {
				c.totals.Refused[why]++
			}
		default:
			return false
		}
	}
	return true
}

// end has the kernel carry nothing more of a flow. The caller holds the mutex.
func (c *Cache) end(f *flow, why End) {
	if f.state != standing {
		return
	}
	c.kernel.Stop(f.number)
	f.state, f.why = ended, why
	c.totals.Ended[why]++
	c.carried--
	c.index[byDestination].remove(f.how.NewDst.Addr(), f)
	c.index[bySource].remove(f.key.Src.Addr(), f)
	c.stopped = append(c.stopped, f)
}

// sweep ends the flows of which a cause has come about: the kernel carries nothing
// by them any more, and their packets are offered again.
func (c *Cache) sweep(now time.Time) {
	if now.Sub(c.swept) < sweepEvery || !c.stale.Swap(false) {
		return
	}
	c.swept = now
	for from, more := 0, true; more; from += walkedInTurn {
		more = c.sweepSome(from)
	}
}

func (c *Cache) sweepSome(from int) (more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	to := min(from+walkedInTurn, len(c.flows))
	for i := from; i < to; i++ {
		if f := c.flows[i]; f != nil && f.state == standing && !c.kernel.Stands(f.number) {
			c.end(f, c.blame(f))
		}
	}
	return to < len(c.flows)
}

// remove takes some of the flows that have ended out of the kernel's tables, and
// reports whether there are more.
func (c *Cache) remove() (more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(c.stopped), removedInTurn)
	for _, f := range c.stopped[:n] {
		c.takeOut(f)
	}
	c.stopped = append(c.stopped[:0], c.stopped[n:]...)
	return len(c.stopped) > 0
}

// takeOut takes a flow that has ended out of the kernel's tables, if it is there.
func (c *Cache) takeOut(f *flow) {
	if f.state != ended {
		return // its key was wanted before
	}
	// The kernel refuses nothing but what is not there.
	_ = c.kernel.Remove(f.number)
	f.state = removed
	delete(c.byKey, f.key)
	c.gone++
}

// reap makes the counters of flows that are removed final.
func (c *Cache) reap(now time.Time) error {
	c.mu.Lock()
	due := c.gone > 0 && now.Sub(c.reaped) >= reapEvery
	if due {
		c.reaped = now
	}
	c.mu.Unlock()
	if !due {
		return nil
	}
	return c.kernel.Reap(func(number offload.Flow, _ offload.Key, n offload.Counters) {
		c.mu.Lock()
		defer c.mu.Unlock()
		f := c.flows[number]
		c.take(f, n, c.moment(now))
		c.uncarry(f)
		c.flows[number] = nil
		c.gone--
		c.full = false
	})
}
