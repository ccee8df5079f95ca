package rib

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/gaissmai/bart"

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
	dests      bart.Table[*dest]
	statics    []*candidate // in the order of the configuration

	hopSets map[string]*hopSet
	watches bart.Table[*watch] // by host prefix

	groups     map[string]*sharedGroup
	neighbours map[neighbour]uint32
	states     *fib.States

	// What Step and SetConfig touched and Flush has to look at.
	dirty        []*dest
	staleSets    []*hopSet
	staleWatches []*watch
	touched      bool

	settling *settling // under way, else nil
	waiting  queue
	sweeps   []*sweeping

	stats       Stats
	subscribers []*subscriber // by name
	restarts    []Stale

	keyBuf     []byte
	generation uint64
}

// New makes a RIB without interfaces and routes.
func New() *RIB {
	return &RIB{
		interfaces: map[routing.InterfaceID]*interfaceState{},
		byName:     map[string]*interfaceState{},
		hopSets:    map[string]*hopSet{},
		groups:     map[string]*sharedGroup{},
		neighbours: map[neighbour]uint32{},
		states:     fib.NewStates(),
	}
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
	if err := checkDelta(d); err != nil {
		return fmt.Errorf("taking a route of %v for %v into the rib: %w", d.Route.Source, d.Route.Prefix, err)
	}
	old := r.find(d.Route.Prefix, func(c *candidate) bool { return c.source == d.Route.Source })
	if d.Withdraw {
		if old != nil {
			r.remove(old)
		}
		return nil
	}
	in := &d.Route
	c := candidate{
		source: in.Source, action: in.Action, offered: in.Distance, metric: in.Metric,
		tag: in.Tag, origin: in.Origin, owner: routing.NoInterface, since: now.UnixNano(),
	}
	c.distance = r.config.distanceOf(c.source, c.offered)
	if c.action == routing.Forward {
		c.hops = r.acquireHops(in.NextHops, nil)
	}
	if old == nil {
		r.add(in.Prefix, &c)
		return nil
	}
	if old.same(&c) {
		old.stale = false
		r.releaseHops(c.hops)
		if old.origin != c.origin {
			old.origin = c.origin
			r.markDirty(old.dest)
		}
		return nil
	}
	r.remove(old)
	r.add(in.Prefix, &c)
	return nil
}

func checkDelta(d *routing.Delta) error {
	rt := &d.Route
	switch {
	case rt.Source == routing.SourceNone, int(rt.Source) >= routing.NumSources,
		rt.Source == routing.SourceConnected, rt.Source == routing.SourceStatic:
		return fmt.Errorf("no protocol speaks for source %v", rt.Source)
	case !rt.Prefix.IsValid() || rt.Prefix != rt.Prefix.Masked():
		return fmt.Errorf("the prefix is not valid and masked")
	case rt.Prefix.Addr().Is4In6():
		return fmt.Errorf("the prefix is an IPv4 one in IPv6's clothes, want it unmapped")
	case d.Withdraw:
		return nil
	case rt.Action > routing.Prohibit:
		return fmt.Errorf("action %v is not for a route, want forward, blackhole, unreachable or prohibit", rt.Action)
	}
	return nil
}

// SetConfig takes a configuration at the time now. A route that is unchanged
// keeps its age; if only its line has moved, only the Origin of its FIB entry
// changes.
func (r *RIB) SetConfig(now time.Time, cfg Config) {
	_ = r.Step(now, configured{cfg}) // never fails
}

// configured is SetConfig as an input.
type configured struct{ config Config }

func (configured) input() {}

func (r *RIB) setConfig(now time.Time, cfg Config) {
	distances := cfg.Distance != r.config.Distance
	r.config = cfg
	if distances {
		r.redistance()
	}
	r.bindStatics(now)
}

// redistance sets the distance of every candidate to that of its source in the
// new configuration.
func (r *RIB) redistance() {
	for _, d := range r.dests.All() {
		var moved []*candidate
		for c := d.first; c != nil; c = c.next {
			if n := r.config.distanceOf(c.source, c.offered); n != c.distance {
				moved = append(moved, c)
			}
		}
		for _, c := range moved {
			d.unlink(c)
			c.distance = r.config.distanceOf(c.source, c.offered)
			d.link(c)
			r.markDirty(d)
		}
	}
}

// Len is the number of prefixes with a candidate, IPv4 and IPv6.
func (r *RIB) Len() (v4, v6 int) { return r.dests.Size4(), r.dests.Size6() }

// Stats is how much a RIB holds and has done.
type Stats struct {
	Routes  [routing.NumSources][2]int // offered now, by source; IPv4 and IPv6
	Flushes uint64                     // that followed an input
	Changes uint64                     // of the FIB, by all flushes
}

// Stats counts.
func (r *RIB) Stats() Stats { return r.stats }

// markDirty has Flush choose again for d.
func (r *RIB) markDirty(d *dest) {
	if !d.dirty {
		d.dirty = true
		r.dirty = append(r.dirty, d)
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
