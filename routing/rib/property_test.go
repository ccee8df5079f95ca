package rib

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/routing"
	"routerd/routing/fib"
)

var names = []string{"lan0", "lan1", "wan0", "wan1"}

// A space of few addresses, so that routes nest, next hops lie in them, and
// circles come about.
func drawAddress(t *rapid.T, label string) netip.Addr {
	b := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, 255}), 2, 2).Draw(t, label)
	return netip.AddrFrom4([4]byte{10, 0, b[0], b[1]})
}

func drawPrefix(t *rapid.T) netip.Prefix {
	bits := rapid.SampledFrom([]int{0, 8, 16, 22, 24, 24, 30, 31, 32}).Draw(t, "bits")
	return netip.PrefixFrom(drawAddress(t, "prefix"), bits).Masked()
}

func drawInterface(t *rapid.T) Interface {
	id := rapid.IntRange(0, len(names)-1).Draw(t, "interface")
	in := Interface{ID: routing.InterfaceID(id), Name: names[id], Up: rapid.IntRange(0, 3).Draw(t, "down") > 0}
	for range rapid.IntRange(0, 2).Draw(t, "addresses") {
		bits := rapid.SampledFrom([]int{22, 24, 30, 31, 32}).Draw(t, "length")
		in.Addresses = append(in.Addresses, Address{Prefix: netip.PrefixFrom(drawAddress(t, "address"), bits)})
	}
	return in
}

func drawStatic(t *rapid.T) StaticRoute {
	s := StaticRoute{
		Prefix:   drawPrefix(t),
		Distance: rapid.SampledFrom([]uint8{0, 0, 5, 250, 255}).Draw(t, "distance"),
		Tag:      rapid.Uint32Range(0, 2).Draw(t, "tag"),
	}
	if rapid.IntRange(0, 7).Draw(t, "discard") == 0 {
		s.Action = rapid.SampledFrom([]routing.Action{routing.Blackhole, routing.Unreachable, routing.Prohibit}).Draw(t, "action")
		return s
	}
	for range rapid.IntRange(1, 3).Draw(t, "hops") {
		h := StaticNextHop{Weight: rapid.Uint8Range(0, 4).Draw(t, "weight")}
		kind := rapid.IntRange(0, 5).Draw(t, "kind")
		if kind != 0 {
			h.Address = drawAddress(t, "hop")
		}
		if kind <= 1 {
			h.Interface = rapid.SampledFrom(append(names, "nosuch0")).Draw(t, "out of")
		}
		s.NextHops = append(s.NextHops, h)
	}
	return s
}

func drawDelta(t *rapid.T) routing.Delta {
	d := routing.Delta{Withdraw: rapid.IntRange(0, 2).Draw(t, "withdraw") == 0}
	d.Route.Prefix = drawPrefix(t)
	d.Route.Source = rapid.SampledFrom([]routing.Source{routing.SourceEBGP, routing.SourceOSPF}).Draw(t, "source")
	d.Route.Distance = rapid.SampledFrom([]uint8{0, 0, 0, 1, 115}).Draw(t, "distance")
	d.Route.Tag = rapid.Uint32Range(0, 2).Draw(t, "tag")
	d.Route.Metric = rapid.Uint32Range(0, 2).Draw(t, "metric")
	h := routing.NextHop{Address: drawAddress(t, "hop"), Interface: routing.NoInterface}
	if d.Route.Source == routing.SourceOSPF {
		h.Interface = routing.InterfaceID(rapid.IntRange(0, len(names)-1).Draw(t, "out of"))
	}
	d.Route.NextHops = []routing.NextHop{h}
	return d
}

// world is a RIB under test, the FIB that follows it, and the naive model.
type world struct {
	rib   *RIB
	fib   *fib.FIB
	model naive
	// Of sources that started afresh: what they have not offered again.
	stale map[naiveKey]bool
	// What the RIB said of the slots of routes. Not all is true any more.
	numbers map[naiveKey]Number
}

func newWorld() *world {
	return &world{rib: New(), fib: fib.Empty(), stale: map[naiveKey]bool{}, numbers: map[naiveKey]Number{}, model: naive{
		interfaces: map[routing.InterfaceID]Interface{}, deltas: map[naiveKey]routing.Route{},
	}}
}

func (w *world) event(t *rapid.T, now time.Time) {
	var err error
	switch rapid.IntRange(0, 10).Draw(t, "event") {
	case 0, 1:
		in := drawInterface(t)
		w.model.interfaces[in.ID] = in
		err = w.rib.Step(now, in)
	case 2, 3: // a flap
		id := routing.InterfaceID(rapid.IntRange(0, len(names)-1).Draw(t, "flap"))
		if in, ok := w.model.interfaces[id]; ok {
			in.Up = !in.Up
			w.model.interfaces[id] = in
			err = w.rib.Step(now, in)
		}
	case 4:
		id := routing.InterfaceID(rapid.IntRange(0, len(names)-1).Draw(t, "gone"))
		delete(w.model.interfaces, id)
		err = w.rib.Step(now, InterfaceGone{id})
	case 5, 6, 7: // a reload that adds a static route, takes one away, or shuffles
		s := slices.Clone(w.model.config.Static)
		switch n := len(s); {
		case n > 6 || n > 0 && rapid.IntRange(0, 3).Draw(t, "less") == 0:
			i := rapid.IntRange(0, n-1).Draw(t, "which")
			s = slices.Delete(s, i, i+1)
		case n > 1 && rapid.IntRange(0, 4).Draw(t, "turn") == 0:
			slices.Reverse(s)
		default:
			s = append(s, drawStatic(t))
		}
		w.model.config.Static = s
		w.configure(t, now)
	case 8: // a reload that changes distances
		source := rapid.SampledFrom([]routing.Source{routing.SourceStatic, routing.SourceEBGP, routing.SourceOSPF}).Draw(t, "distance of")
		w.model.config.Distance[source] = rapid.SampledFrom([]uint8{0, 5, 115, 255}).Draw(t, "to")
		w.configure(t, now)
	default:
		d := drawDelta(t)
		k := naiveKey{d.Route.Source, d.Route.Prefix}
		delete(w.stale, k)
		w.model.deltas[k] = d.Route
		if d.Withdraw {
			delete(w.model.deltas, k)
		}
		if w.rib.Settling() || rapid.Bool().Draw(t, "by delta") {
			err = w.rib.Step(now, Deltas{d})
			break
		}
		slot := routing.Slot{
			Prefix: d.Route.Prefix, NextHops: d.Route.NextHops, Metric: d.Route.Metric,
			Tag: d.Route.Tag, Action: d.Route.Action, Distance: d.Route.Distance,
		}
		w.numbers[k], err = w.rib.TakeSlot(now, k.source, w.numbers[k], routing.Change{Slot: &slot, Offered: !d.Withdraw})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// configure gives the RIB the model's configuration, a part of its static routes
// as a list.
func (w *world) configure(t *rapid.T, now time.Time) {
	cfg := w.model.config
	cfg.Static = slices.Clone(cfg.Static)
	var b ListBuilder
	seen := map[netip.Prefix]bool{}
	for range rapid.IntRange(0, 4).Draw(t, "listed") {
		n := len(cfg.Static) - 1
		if n < 0 || seen[cfg.Static[n].Prefix] {
			break
		}
		s := cfg.Static[n]
		seen[s.Prefix] = true
		cfg.Static = cfg.Static[:n]
		b.Add(s.Prefix, b.Way(s), rapid.IntRange(0, 3).Draw(t, "line"))
	}
	if b.Len() > 0 {
		cfg.List, _ = b.List(file)
	}
	w.rib.SetConfig(now, cfg)
}

// flush brings the FIB up to date; no prefix may change twice, and none for
// nothing.
func (w *world) flush(t *rapid.T) {
	changes, _ := w.rib.Flush()
	w.apply(t, changes)
}

func (w *world) apply(t *rapid.T, changes []fib.Change) {
	seen := map[netip.Prefix]bool{}
	for _, c := range changes {
		was := w.fib.Get(c.Prefix)
		switch {
		case seen[c.Prefix]:
			t.Fatalf("%v changes twice in one flush", c.Prefix)
		case c.Entry == nil && was == nil:
			t.Fatalf("%v is taken from the fib, which does not have it", c.Prefix)
		case c.Entry != nil && was != nil && *was == *c.Entry:
			t.Fatalf("%v changes to what it was: %+v", c.Prefix, was)
		}
		seen[c.Prefix] = true
	}
	w.fib = w.fib.Apply(changes)
}

func (w *world) check(t *rapid.T) {
	w.checkFIB(t)
	for _, c := range w.rib.Walk(netip.Prefix{}, 1<<20) {
		if c.Selected == (c.WhyNot != "") {
			t.Fatalf("%+v: either selected or a sentence why not, want exactly one", c)
		}
		if c.Selected && w.fib.Get(c.Prefix) == nil {
			t.Fatalf("%+v is selected and not in the fib", c)
		}
	}
}

// checkFIB compares the FIB with the model.
func (w *world) checkFIB(t *rapid.T) {
	want := w.model.solve()
	for _, e := range w.fib.Walk(netip.Prefix{}, 1<<20) {
		r := want[e.Prefix]
		if r == nil {
			t.Fatalf("the fib has %+v, want no entry\n%s", *e, w)
		}
		if how := r.differs(e); how != "" {
			t.Fatalf("the fib has %v, but %s\n%s", e.Prefix, how, w)
		}
		delete(want, e.Prefix)
	}
	for p, r := range want {
		t.Fatalf("the fib has no %v, want %+v\n%s", p, *r, w)
	}
}

func (w *world) String() string {
	s := fmt.Sprintf("interfaces %+v\n", w.model.interfaces)
	for _, r := range w.model.config.Static {
		s += fmt.Sprintf("static %+v\n", r)
	}
	return s + fmt.Sprintf("deltas %+v", w.model.deltas)
}

// checkTidy fails if anything is kept that nobody refers to.
func (w *world) checkTidy(t *rapid.T) {
	r := w.rib
	refs := map[leads]int{}
	hopRefs := map[uint32]int{}
	watched := map[netip.Prefix]bool{}
	var routes [routing.NumSources][2]int
	inUse, spares := 0, 0
	for i := uint32(1); i < r.dests.used; i++ {
		n := number(i)
		d := r.at(n)
		if slices.Contains(r.dests.free, i) {
			if *d != (dest{}) || *r.hops.at(i) != 0 {
				t.Fatalf("number %d is free and not empty: %+v", n, *d)
			}
			continue
		}
		inUse++
		p := r.prefix(n)
		if held := d.is(isHeld); held != (r.first(n) == 0) || r.find(p) != n || held && !slices.ContainsFunc(r.subscribers, func(s *subscriber) bool { return s.outbox.told.get(n) != 0 }) {
			t.Fatalf("%v is kept as number %d, has candidate %d and is found as %d", p, n, r.first(n), r.find(p))
		}
		for c := r.first(n); c != 0; c = *r.more(c) {
			routes[r.cand(c).source][d.family()]++
		}
		if d.leads >= firstGroup {
			refs[d.leads]++
		}
		inside := 0
		for range r.watches.Subnets(p) {
			inside++
		}
		counted := 0
		if x := r.transits[n]; x != nil {
			counted = x.watches
		}
		if counted != inside || (inside > 0) != d.is(isTransit) || d.flags&(isDirty|isPending) != 0 {
			t.Fatalf("%v counts %d next hops inside, there are %d; its flags are %b", p, counted, inside, d.flags)
		}
		for c := r.first(n); c != 0; c = *r.more(c) {
			if next := *r.more(c); next != 0 && r.cand(c).order(r.cand(next)) >= 0 {
				t.Fatalf("candidates of %v are out of order", p)
			}
			if c&spareRef != 0 {
				spares++
				if x := r.spares.at(uint32(c &^ spareRef)); x.dest != n {
					t.Fatalf("a candidate of %v is one of number %d, want %d", p, x.dest, n)
				}
			}
			if set := *r.hopsOf(c); set != 0 {
				hopRefs[set]++
			}
		}
	}
	v4, v6 := r.Len()
	if inUse != v4+v6+r.held[0]+r.held[1] || spares != int(r.spares.used)-1-len(r.spares.free) || len(r.transits) > inUse {
		t.Fatalf("%d prefixes, %d other candidates and %d transit prefixes; counted are %d and %d", inUse, spares, len(r.transits), v4+v6, int(r.spares.used)-1-len(r.spares.free))
	}
	if routes != r.Stats().Routes {
		t.Fatalf("%v routes are counted, there are %v", r.Stats().Routes, routes)
	}
	for _, s := range r.subscribers {
		for _, t := range s.hops {
			hopRefs[t.hops.number]++
		}
	}
	for _, way := range r.bound.ways {
		hopRefs[way.hops]++
	}
	for _, hs := range r.hopSets {
		if hs.refs != hopRefs[hs.number] || r.sets[hs.number] != hs {
			t.Fatalf("hops %v count %d users, there are %d", hs.hops, hs.refs, hopRefs[hs.number])
		}
		if hs.leads >= firstGroup {
			refs[hs.leads]++
		}
		for _, h := range hs.hops {
			if h.watch != nil {
				watched[h.watch.prefix] = true
			}
		}
	}
	for _, g := range r.groups {
		if g.refs != refs[g.number] || r.led[g.number] != g {
			t.Fatalf("group %v counts %d users, there are %d", g.Hops(), g.refs, refs[g.number])
		}
	}
	for n := range r.neighbours {
		led := slices.ContainsFunc(slices.Collect(maps.Values(r.groups)), func(g *sharedGroup) bool {
			return slices.ContainsFunc(g.Hops(), func(h fib.NextHop) bool { return h.Address == n.address && h.Interface == n.iface })
		})
		if got := r.states.Routed(n.address, n.iface); got != led {
			t.Fatalf("groups lead by %v: %v, and its state says %v", n, led, got)
		}
	}
	if r.watches.Size() != len(watched) {
		t.Fatalf("%d next hops are watched, want %d", r.watches.Size(), len(watched))
	}
}

// Whatever happened on the way, the FIB is what the present state alone gives.
func TestAgreesWithRecomputationFromScratch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		now := time.Unix(1000, 0)
		for range rapid.IntRange(1, 25).Draw(t, "flushes") {
			for range rapid.IntRange(1, 4).Draw(t, "events") {
				w.event(t, now)
			}
			w.flush(t)
			w.check(t)
			w.checkTidy(t)
		}
	})
}
