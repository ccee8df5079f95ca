package rib

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/gaissmai/bart"

	"routerd/internal/origin"
	"routerd/routing"
	"routerd/routing/fib"
)

// Input is an input of the RIB: an [Interface] or [InterfaceGone]; [Deltas], a
// [Mark], [Stale] or [Sweep] of a protocol; [Subscribe], [Unsubscribe], [Track]
// and [Untrack] of a subscriber; or a [Tick].
type Input interface{ input() }

// Deltas is what a protocol changes, in order.
type Deltas []routing.Delta

func (Deltas) input() {}

// RIB keeps every route that any source offers and chooses those that the
// FIB forwards by. It is a value without goroutine, lock or clock: inputs and
// time are handed in by [RIB.Step] and [RIB.SetConfig], and [RIB.Flush] hands
// out what the FIB has to change. One goroutine owns it.
type RIB struct {
	config     Config
	interfaces map[routing.InterfaceID]*interfaceState
	byName     map[string]*interfaceState
	deadHops   map[trackedHop]bool // those that are watched and dead
	statics    []number            // the prefixes of the configuration's routes, in its order
	bound      boundList
	configs    struct{ given, taken, settled uint64 } // how many
	slabs
	transits map[number]*transit

	hopSets   map[string]*hopSet // by key
	sets      []*hopSet          // by number; nil = free
	freeSets  []uint32
	known     [256]knownHops
	watches   bart.Table[*watch] // by host prefix
	watchNear [512]uint32        // see watchesIn

	groups     map[string]*sharedGroup // by key
	led        []*sharedGroup          // by number; nil = free
	freeGroups []leads
	neighbours map[neighbour]uint32
	states     *fib.States

	// What Step and SetConfig touched and Flush has to look at.
	dirty         paged[dirtied]
	dirtyTransits []int // places in dirty of the transit prefixes
	dirtyAnew     bool  // others of dirty have become transit prefixes since
	facts         paged[facts]
	staleSets     []*hopSet
	staleWatches  []*watch
	touched       bool

	settling    *settling    // under way, else nil
	following   bool         // see Follow
	given       []fib.Change // by the last slice
	entries     []fib.Entry  // of these
	waiting     queue
	sweeps      []*sweeping
	relistings  []*relisting
	redistances *redistancing // nil = none
	binding     *binding      // nil = none
	bindDue     bool          // see bindLater
	bindAt      time.Time
	epochs      [routing.NumSources][2]epoch // by the source that offers, see stale.go

	stats       Stats
	subscribers []*subscriber // by name
	held        [2]int        // prefixes without a candidate, see outbox.go
	restarts    []Stale

	keyBuf     []byte
	hopBuf     []routing.NextHop
	againstBuf []obstacle
	generation uint64
}

// New makes a RIB without interfaces and routes.
func New() *RIB {
	r := &RIB{
		interfaces: map[routing.InterfaceID]*interfaceState{},
		transits:   map[number]*transit{},
		sets:       make([]*hopSet, 1),
		led:        make([]*sharedGroup, firstGroup),
		byName:     map[string]*interfaceState{},
		deadHops:   map[trackedHop]bool{},
		hopSets:    map[string]*hopSet{},
		groups:     map[string]*sharedGroup{},
		neighbours: map[neighbour]uint32{},
		states:     fib.NewStates(),
	}
	r.slabs.init()
	return r
}

// States holds the states by which the groups of every FIB made so far skip
// dead next hops. Any goroutine may use it.
func (r *RIB) States() *fib.States { return r.states }

// Step takes one input at the time now. It decides nothing: any number of Steps
// may come before the [RIB.Flush] that does. Only an interface that goes down
// is seen at once by the groups of every FIB made so far: they pick another hop
// if they have one. Step keeps the next hops of routes, which must not be
// written to; while the table is being settled in slices, it keeps the whole
// input, which waits for the end. A delta that no source may send is refused;
// the error is the first of several, and all other deltas are taken.
func (r *RIB) Step(now time.Time, in Input) error {
	if r.Settling() {
		r.waiting.add(now, in)
	} else if err := r.take(now, in); err != nil {
		return err
	}
	switch in := in.(type) {
	case Interface:
		r.states.Link(in.ID).Set(routing.CauseInterface, in.Up)
	case InterfaceGone:
		r.states.Link(in.ID).Set(routing.CauseInterface, false)
	}
	return nil
}

// take takes an input while nothing is being settled.
func (r *RIB) take(now time.Time, in Input) error {
	r.touched = true
	switch in := in.(type) {
	case Interface:
		return r.setInterface(now, in)
	case InterfaceGone:
		r.dropInterface(now, in.ID)
	case Deltas:
		return r.takeDeltas(now, in)
	case Stale:
		return r.markSource(in)
	case Sweep:
		r.sweepSource(in)
	case Watched:
		r.setWatched(now, in)
	case Tick:
		r.sweepDue(now)
	case configured:
		r.setConfig(now, in.config)
	default:
		return r.takeSubscriber(in)
	}
	return nil
}

// takeDeltas takes the changes of a protocol; the error is the first of
// several.
func (r *RIB) takeDeltas(now time.Time, in Deltas) (first error) {
	for i := range in {
		if err := r.delta(now, &in[i]); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// takeSubscriber takes an input of a subscriber.
func (r *RIB) takeSubscriber(in Input) error {
	switch in := in.(type) {
	case Subscribe:
		return r.subscribe(in)
	case Unsubscribe:
		r.unsubscribe(in.Name)
	case Track:
		return r.track(in)
	case Untrack:
		s, err := r.subscriber(in.Name)
		if err != nil {
			return err
		}
		r.untrack(s, trackedHop{in.Address, in.Interface})
	case Mark:
		s, err := r.subscriber(in.Name)
		if err != nil {
			return err
		}
		s.marked = in.Number
	default:
		return fmt.Errorf("stepping the rib: it has no use for an input of type %T", in)
	}
	return nil
}

// delta replaces or withdraws the one route of a source for a prefix.
func (r *RIB) delta(now time.Time, d *routing.Delta) error {
	in := &d.Route
	action := in.Action
	if d.Withdraw {
		action = routing.Forward // it says nothing
	}
	err := checkRoute(in.Source, action)
	if err == nil {
		err = checkPrefix(in.Prefix)
	}
	if err != nil {
		return refusedRoute(in.Source, in.Prefix, err)
	}
	if d.Withdraw {
		if n := r.find(in.Prefix); n != 0 {
			r.withdraw(n, in.Source)
		}
		return nil
	}
	r.offerRoute(r.number(in.Prefix), candidate{
		since: seconds(now), origin: in.Origin, metric: in.Metric, tag: in.Tag, source: in.Source, action: in.Action,
	}, in.Distance, in.NextHops)
	return nil
}

// offerRoute makes c what its protocol offers for n, with the distance that it
// gave, 0 for the configured one.
func (r *RIB) offerRoute(n number, c candidate, distance uint8, hops []routing.NextHop) {
	r.setDistance(&c, distance)
	c.setEpoch(r.epoch(c.source, r.at(n).family()).now)
	set := uint32(0)
	if c.action == routing.Forward {
		set = r.knownHops(hops)
	}
	r.replace(n, c, set)
}

// withdraw takes back what a protocol offers for n.
func (r *RIB) withdraw(n number, s routing.Source) {
	if c := r.by(n, s, 0); c != 0 {
		r.remove(n, c)
	}
}

// replace makes c what its protocol offers for n; c holds a reference to its hops.
func (r *RIB) replace(n number, c candidate, hops uint32) {
	at := r.by(n, c.source, 0)
	if at == 0 {
		r.offer(n, c, hops)
		return
	}
	if old := r.cand(at); old.same(&c) && *r.hopsOf(at) == hops {
		old.setEpoch(c.epoch())
		r.releaseHops(hops)
		if old.origin != c.origin {
			r.touch(n)
			old.origin = c.origin
		}
		return
	}
	r.remove(n, at)
	r.offer(n, c, hops)
}

// checkRoute checks what a protocol says of a route but for its prefix.
func checkRoute(s routing.Source, a routing.Action) error {
	switch {
	case s <= routing.SourceStatic, int(s) >= routing.NumSources: // none, connected and static
		return fmt.Errorf("no protocol speaks for source %v", s)
	case a > routing.Prohibit:
		return fmt.Errorf("action %v is not for a route, want forward, blackhole, unreachable or prohibit", a)
	}
	return nil
}

func checkPrefix(p netip.Prefix) error {
	switch {
	case !p.IsValid() || p != p.Masked():
		return errors.New("the prefix is not valid and masked")
	case p.Addr().Is4In6():
		return errors.New("the prefix is an IPv4 one in IPv6's clothes, want it unmapped")
	}
	return nil
}

// SetConfig takes a configuration at the time now. A route that is unchanged
// keeps its age; if only its line has moved, only the Origin of its FIB entry
// changes.
func (r *RIB) SetConfig(now time.Time, cfg Config) {
	r.configs.given++
	_ = r.Step(now, configured{cfg}) // never fails
}

// Configured reports whether the last completed settling decided about the
// configuration that was set last.
func (r *RIB) Configured() bool { return r.configs.settled == r.configs.given }

// configured is SetConfig as an input.
type configured struct{ config Config }

func (configured) input() {}

func (r *RIB) setConfig(now time.Time, cfg Config) {
	r.configs.taken++
	distances := cfg.Distance != r.config.Distance
	// An interface may have come or gone with the configuration: the routes are gone
	// through for that anyway, and need not be compared first.
	same := !r.bindDue && slices.EqualFunc(cfg.Static, r.config.Static, sameStatic)
	r.config = cfg
	if distances {
		r.redistances = &redistancing{at: 1}
	}
	if same {
		r.bindList(now)
	} else {
		r.bindLater(now)
	}
}

// Len is the number of prefixes with a candidate, IPv4 and IPv6.
func (r *RIB) Len() (v4, v6 int) {
	v4, v6 = r.index.sizes()
	return v4 - r.held[0], v6 - r.held[1]
}

// Stats is how much a RIB holds and has done.
type Stats struct {
	Routes  [routing.NumSources][2]int // offered now, by source; IPv4 and IPv6
	Flushes uint64                     // that followed an input
	Changes uint64                     // of the FIB, by all flushes
}

// Stats counts.
func (r *RIB) Stats() Stats { return r.stats }

// facts are what the FIB says of a prefix besides where it leads.
type facts struct {
	metric   uint32
	origin   origin.ID
	owner    routing.InterfaceID
	source   routing.Source
	distance uint8
}

func (c *candidate) facts() facts {
	return facts{metric: c.metric, origin: c.origin.File(), owner: c.owner(), source: c.source, distance: c.distance}
}

// dirtied is a prefix that inputs have touched.
type dirtied struct {
	n   number
	was uint32 // what the FIB says of it: its place in RIB.facts, from 1; 0 = the FIB has none
}

// was is what the FIB says of a prefix that inputs have touched.
func (r *RIB) was(x *dirtied) facts {
	if x.was == 0 {
		return facts{}
	}
	return *r.facts.at(int(x.was) - 1)
}

// touch has the next settling choose again for n. It must be called before any
// change of the candidates, which say what the FIB has.
func (r *RIB) touch(n number) {
	if d := r.at(n); !d.is(isDirty) {
		d.flags |= isDirty
		was := 0
		if c := r.chosen(n); c != 0 {
			r.facts.add(r.cand(c).facts())
			was = r.facts.n
		}
		if d.is(isTransit) {
			r.dirtyTransits = append(r.dirtyTransits, r.dirty.n)
		}
		r.dirty.add(dirtied{n, uint32(was)})
	}
}

// installed is what the FIB says of n, while the candidates are as they were when
// it was chosen.
func (r *RIB) installed(n number) (f facts) {
	if c := r.chosen(n); c != 0 {
		f = r.cand(c).facts()
	}
	return f
}

// setDistance gives c the distance that its source gave, 0 for the configured.
func (r *RIB) setDistance(c *candidate, offered uint8) {
	c.distance = r.config.distanceOf(c.source, offered)
	c.flags &^= ownDistance
	if offered != 0 {
		c.flags |= ownDistance
	}
}

// distanceOf is the distance of a route: its own, else the configured one of
// its source, else the source's default.
func (c *Config) distanceOf(s routing.Source, offered uint8) uint8 {
	switch {
	case offered != 0:
		return offered
	case c.Distance[s] != 0:
		return c.Distance[s]
	}
	return s.DefaultDistance()
}

// hostPrefix is the prefix of a alone.
func hostPrefix(a netip.Addr) netip.Prefix {
	return netip.PrefixFrom(a, a.BitLen())
}
