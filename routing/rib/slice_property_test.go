package rib

import (
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/routing"
	"routerd/routing/fib"
)

// sliced is a world whose table is settled in slices, with what the inputs up to
// the settling under way come to.
type sliced struct {
	*world
	begun *naive       // the model when it began; nil = none is under way
	given []fib.Change // of the settling so far
}

func (n naive) clone() *naive {
	n.interfaces, n.deltas = maps.Clone(n.interfaces), maps.Clone(n.deltas)
	n.config.Static = slices.Clone(n.config.Static)
	return &n
}

// slice makes one slice. What comes out at the end has to be the whole of what
// there was at the beginning.
func (s *sliced) slice(t *rapid.T, units int) {
	if s.begun == nil || s.rib.settling == nil {
		s.begun = s.model.clone()
	}
	settled, complete, err := s.rib.Settle(units)
	switch {
	case err != nil:
		t.Fatalf("settling: %v", err)
	case len(settled.Changes) > max(units, 0):
		t.Fatalf("a slice of %d gives %d changes", units, len(settled.Changes))
	}
	s.given = append(s.given, settled.Changes...)
	switch {
	case !complete:
		return
	case settled.Generation != s.rib.Generation():
		t.Fatalf("generation %d is settled, and the rib says %d", settled.Generation, s.rib.Generation())
	}
	s.apply(t, s.given)
	s.given = nil
	now := *s.world
	now.model = *s.begun
	now.checkFIB(t)
	s.begun = nil
}

// Inputs, questions and subscribers between the slices change nothing of what
// comes out: each settling gives what its inputs come to, and the last one what
// all do.
func TestSettlingInSlicesAgreesWithFlush(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &sliced{world: newWorld()}
		now := time.Unix(1000, 0)
		l := &listener{
			name: "bgp", speaks: routing.SourceEBGP, routes: map[netip.Prefix]routing.Route{},
			hops: map[trackedHop]routing.NextHopState{}, tracks: map[trackedHop]bool{},
		}
		if err := w.rib.Step(now, l.subscription()); err != nil {
			t.Fatal(err)
		}
		t.Repeat(map[string]func(*rapid.T){
			"input":     func(t *rapid.T) { w.event(t, now) },
			"listener":  func(t *rapid.T) { l.event(t, w.world, now) },
			"slice":     func(t *rapid.T) { w.slice(t, rapid.IntRange(1, 6).Draw(t, "units")) },
			"longer":    func(t *rapid.T) { w.slice(t, rapid.IntRange(1, 60).Draw(t, "units")) },
			"restarted": func(t *rapid.T) { w.restartWhole(t, now) },
			"question": func(t *rapid.T) {
				for _, c := range w.rib.Walk(netip.Prefix{}, 1<<20) {
					if c.Selected == (c.WhyNot != "") {
						t.Fatalf("%+v: either selected or a sentence why not, want exactly one", c)
					}
				}
				w.rib.Explain(drawAddress(t, "about"))
			},
			"": func(*rapid.T) {},
		})
		for n := 0; w.rib.Unsettled(); n++ {
			if n > 100_000 {
				t.Fatal("the table finds no rest")
			}
			w.slice(t, 7)
		}
		w.check(t)
		w.checkTidy(t)
		for slices.Contains(w.rib.Waiting(), l.name) {
			l.hear(t, w.rib, 2)
		}
		l.check(t, w.world, w.model.solve())
	})
}

// restartWhole has a source start afresh and offer nothing again.
func (s *sliced) restartWhole(t *rapid.T, now time.Time) {
	source := rapid.SampledFrom([]routing.Source{routing.SourceEBGP, routing.SourceOSPF}).Draw(t, "source")
	for k := range s.model.deltas {
		if k.source == source {
			delete(s.model.deltas, k)
		}
	}
	for _, in := range []Input{Stale{Source: source}, Sweep{Source: source}} {
		if err := s.rib.Step(now, in); err != nil {
			t.Fatal(err)
		}
	}
}

// A settling that is under way holds no link up that has died: what is known to
// every group at once does not wait, and what follows from it comes next.
func TestCarrierBetweenSlices(t *testing.T) {
	r := newTable(t)
	hop := []routing.NextHop{{Address: ip("10.0.1.9"), Interface: lan1}, {Address: ip("10.0.0.9"), Interface: lan0}}
	var many Deltas
	for i := range 100 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 8, byte(i), 0}), 24)
		many = append(many, routing.Delta{Route: routing.Route{Prefix: p, Source: routing.SourceOSPF, NextHops: hop}})
	}
	mustStep(t, r.RIB, many)
	if _, complete, err := r.Settle(10); complete || err != nil || !r.Settling() {
		t.Fatalf("100 routes are settled in a slice of 10: %v, %v", complete, err)
	}
	r.link(lan1, "lan1", false, "10.0.1.1/24")
	if r.States().Link(lan1).Alive() {
		t.Error("the groups in use do not know that lan1 is down")
	}
	var changes []fib.Change
	for n := 0; ; n++ {
		settled, complete, _ := r.Settle(10)
		if changes = append(changes, settled.Changes...); complete {
			break
		}
		if n > 1000 {
			t.Fatal("the settling does not end")
		}
	}
	r.fib = fib.Empty().Apply(changes)
	if len(changes) != 100 || len(r.fib.Get(many[0].Route.Prefix).Group.Hops()) != 2 {
		t.Errorf("%d changes, the first route leads by %s; want all 100 as they were offered", len(changes), r.hops("10.8.0.0/24"))
	}
	if !r.Unsettled() {
		t.Fatal("nothing is left to settle, want what the dead link comes to")
	}
	r.flush()
	if got := r.hops("10.8.0.0/24"); got != "10.0.0.9@lan0" {
		t.Errorf("then the first route leads by %s, want 10.0.0.9@lan0", got)
	}
}

// A refused input that had to wait is told of when it is taken in.
func TestRefusedAfterTheSettling(t *testing.T) {
	r := newTable(t)
	mustStep(t, r.RIB, ospfRoute("10.8.0.0/16", "10.0.0.9", lan0), ospfRoute("10.9.0.0/16", "10.0.0.9", lan0))
	if _, complete, _ := r.Settle(1); complete {
		t.Fatal("two routes are settled in a slice of one")
	}
	mustStep(t, r.RIB, Mark{Name: "nobody", Number: 1})
	for n := 0; n < 1000; n++ {
		if _, _, err := r.Settle(1); err != nil {
			return
		}
	}
	t.Error("nobody said that an unknown subscriber has sent a mark")
}

// However routes came, those that are close to each other are handed out
// together, and each once.
func TestChangesAreHandedOutInOrder(t *testing.T) {
	r := newTable(t)
	hop := []routing.NextHop{{Address: ip("10.0.1.9"), Interface: lan1}}
	var many Deltas
	want := map[netip.Prefix]bool{}
	for i := range 4000 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(20 + i*7919%100), byte(i * 31), byte(i), 0}), 24)
		if i%5 == 0 {
			p = netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, byte(i * 7), byte(i * 3), 7: byte(i)}), 64)
		}
		want[p] = true
		many = append(many, routing.Delta{Route: routing.Route{Prefix: p, Source: routing.SourceOSPF, NextHops: hop}})
	}
	mustStep(t, r.RIB, many)
	last := uint32(0)
	for r.Unsettled() {
		settled, _, err := r.Settle(900)
		if err != nil || len(settled.Changes) > 900/changeUnits+1 {
			t.Fatalf("a slice of 900 gives %d changes (%v), want at most %d", len(settled.Changes), err, 900/changeUnits+1)
		}
		for _, c := range settled.Changes {
			d := r.district(r.find(c.Prefix))
			if d < last || !want[c.Prefix] {
				t.Fatalf("%v of district %d comes after district %d; waited for: %v", c.Prefix, d, last, want[c.Prefix])
			}
			last = d
			delete(want, c.Prefix)
		}
	}
	if len(want) > 0 {
		t.Errorf("%d changes are missing", len(want))
	}
}

// A reload that changes nothing looks at no route again: neither at the static
// ones nor, for a subscriber that wants what it wanted, at all.
func TestReloadOfTheSameWalksNothing(t *testing.T) {
	r := newTable(t)
	subscription := func(metric uint32) Subscribe {
		return Subscribe{Name: "ospf", Redistribute: []Redistribution{{Source: routing.SourceStatic, Metric: metric}}}
	}
	config := func(routes int) (cfg Config) {
		for i := range routes {
			cfg.Static = append(cfg.Static, StaticRoute{
				Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 8, byte(i), 0}), 24), NextHops: via("10.0.1.9"),
			})
		}
		return cfg
	}
	mustStep(t, r.RIB, subscription(1))
	r.SetConfig(t0, config(200))
	r.flush()
	same, other := config(200), config(200)
	other.Static[150].Tag = 7
	if n := testing.AllocsPerRun(10, func() { r.SetConfig(t0, same) }); n > 10 {
		t.Errorf("the same 200 static routes again take %v allocations, want none for each", n)
	}
	mustStep(t, r.RIB, subscription(1))
	if r.subscribers[0].renewed {
		t.Error("the same subscription again has the whole table looked at")
	}
	mustStep(t, r.RIB, subscription(2))
	r.SetConfig(t0, other)
	if !r.subscribers[0].renewed || len(r.flush()) != 0 || r.Get(pfx("10.8.150.0/24"))[0].Tag != 7 {
		t.Error("another metric and another tag make no difference, want them taken")
	}
}
