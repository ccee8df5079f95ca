package bgp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// b aggregates what a and d originate; c is sent that.
func TestAggregate(t *testing.T) {
	w := newNetwork(t, 1)
	a, b, c, d := w.router(65001), w.router(65002), w.router(65003), w.router(65004)
	w.peer(a, b, nil)
	w.peer(b, c, nil)
	w.peer(b, d, nil)
	whole := netip.MustParsePrefix("100.0.0.0/8")
	b.config.Networks = nil
	b.config.Aggregates = []Aggregate{{Prefix: whole, SummaryOnly: true}}
	d.config.Networks, c.config.Networks = nil, nil
	w.start()
	w.run(time.Minute)
	w.established()
	// Of one path it has that path, and nothing is lost (RFC 4271 §9.2.2.2).
	w.want(c, whole, "65002 65001", "10.1.2.1")
	w.want(c, ownPrefix(0), "none", "")
	w.want(a, whole, "none", "") // who is in the path does not take it
	w.want(d, whole, "65002 65001", "10.1.3.1")
	x := c.best(whole).Attributes
	if x.Aggregator != (wire.Aggregator{AS: 65002, ID: 2}) || x.Has(wire.AttrAtomicAggregate) || x.Origin != wire.OriginIGP {
		t.Errorf("attributes %+v", x)
	}
	if s := b.offered[whole]; s.Action != routing.Blackhole || len(s.NextHops) != 0 || s.Distance != 200 {
		t.Errorf("what has no more specific route: %+v, want it discarded", s)
	}
	// Of two paths it has what they begin with: nothing. Some AS numbers are lost.
	w.step(d, protocolRoute(ownPrefix(9), false))
	w.run(time.Minute)
	w.want(c, whole, "65002", "10.1.2.1")
	w.want(a, whole, "65002", "10.0.1.2")
	if x := c.best(whole).Attributes; !x.Has(wire.AttrAtomicAggregate) || x.Origin != wire.OriginIncomplete {
		t.Errorf("attributes of two: %+v", x)
	}
	// Its policy.
	chain, problems := statement(t, nil, map[string]any{"med": int64(7)})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	b.config.Aggregates[0].Policy = chain
	w.configure(b)
	w.run(time.Minute)
	if x := c.best(whole).Attributes; x.MED != 7 {
		t.Errorf("its policy has no effect: %+v", x)
	}
	// With the last route of which it is made, it goes.
	w.step(d, protocolRoute(ownPrefix(9), true))
	w.cut(a, b)
	w.run(time.Second / 2)
	w.want(c, whole, "none", "")
	if _, ok := b.offered[whole]; ok {
		t.Error("it still discards")
	}
	w.run(time.Minute)
	w.want(c, whole, "65002 65001", "10.1.2.1")
	if err := b.config.Check(); err != nil {
		t.Error(err)
	}
	b.config.Aggregates = append(b.config.Aggregates, Aggregate{Prefix: whole}, Aggregate{Prefix: netip.MustParsePrefix("0.0.0.0/0")}, Aggregate{})
	if err := b.config.Check(); err == nil || !strings.Contains(err.Error(), "aggregate 100.0.0.0/8 is there twice") || !strings.Contains(err.Error(), "aggregate invalid Prefix") {
		t.Errorf("%v", err)
	}
}

// Whatever comes, goes and is configured: an aggregate is there while it has a part, and
// with summary-only nobody is sent these.
func TestAggregates(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newNetwork(rt, rapid.Uint64().Draw(rt, "seed"))
		a, b, c := w.router(65001), w.router(65002), w.router(65003)
		w.peer(a, b, nil)
		w.peer(b, c, nil)
		pool := []netip.Prefix{
			netip.MustParsePrefix("100.0.0.0/8"), netip.MustParsePrefix("100.0.0.0/9"), netip.MustParsePrefix("100.0.0.0/16"), netip.MustParsePrefix("100.0.0.0/24"), netip.MustParsePrefix("100.0.1.0/24"),
			netip.MustParsePrefix("100.128.0.0/16"), netip.MustParsePrefix("100.128.0.0/24"), netip.MustParsePrefix("101.0.0.0/16"),
		}
		networks := func(label string) (list []Network) {
			for _, p := range rapid.SliceOfNDistinct(rapid.SampledFrom(pool), 0, 5, rapid.ID).Draw(rt, label) {
				list = append(list, Network{Prefix: p, Always: true})
			}
			return list
		}
		configured := func() (list []Aggregate) {
			for _, p := range rapid.SliceOfNDistinct(rapid.SampledFrom(pool[:5]), 0, 4, rapid.ID).Draw(rt, "aggregates") {
				list = append(list, Aggregate{Prefix: p, SummaryOnly: rapid.Bool().Draw(rt, "only")})
			}
			return list
		}
		a.config.Networks, b.config.Networks, c.config.Networks = networks("a"), networks("b"), nil
		b.config.Aggregates = configured()
		w.start()
		for range rapid.IntRange(1, 8).Draw(rt, "changes") {
			switch rapid.IntRange(0, 3).Draw(rt, "change") {
			case 0:
				a.config.Networks = networks("a")
				w.configure(a)
			case 1:
				b.config.Networks = networks("b")
				w.configure(b)
			case 2:
				b.config.Aggregates = configured()
				w.configure(b)
			case 3:
				w.cut(a, b)
			}
			for range rapid.IntRange(0, 40).Draw(rt, "deliveries") {
				w.deliver()
			}
		}
		w.run(3 * time.Minute)
		w.established()
		checkAggregates(rt, w, pool, a, b, c)
	})
}

// checkAggregates holds b's table, its offers and what c has against a naive model.
func checkAggregates(rt *rapid.T, w *network, pool []netip.Prefix, a, b, c *router) {
	has := func(list []Network, p netip.Prefix) bool {
		return slices.ContainsFunc(list, func(n Network) bool { return n.Prefix == p })
	}
	aggregated := func(p netip.Prefix) *Aggregate {
		i := slices.IndexFunc(b.config.Aggregates, func(a Aggregate) bool { return a.Prefix == p })
		if i < 0 {
			return nil
		}
		return &b.config.Aggregates[i]
	}
	active := map[netip.Prefix]bool{}
	// The more specific first: what is an aggregate itself is no part, unless a network of
	// b's own is there besides, which was there before.
	order := slices.Clone(pool)
	slices.SortFunc(order, func(x, y netip.Prefix) int { return y.Bits() - x.Bits() })
	part := func(p netip.Prefix) bool {
		if x := b.best(p); x != nil && active[p] {
			return !x.Attributes.Has(wire.AttrAggregator)
		}
		return has(a.config.Networks, p) || has(b.config.Networks, p)
	}
	for _, p := range order {
		if aggregated(p) != nil {
			for _, q := range pool {
				active[p] = active[p] || q.Bits() > p.Bits() && p.Contains(q.Addr()) && part(q)
			}
		}
	}
	state := fmt.Sprintf("networks %v and %v, aggregates %+v, active %v", a.config.Networks, b.config.Networks, b.config.Aggregates, active)
	for _, p := range pool {
		got, x := b.best(p), c.best(p)
		if want := active[p] || has(a.config.Networks, p) || has(b.config.Networks, p); (got != nil) != want {
			rt.Fatalf("%v is there: %v, want %v; %s", p, got != nil, want, state)
		}
		s, offered := b.offered[p]
		aggregate := got != nil && got.Attributes.Has(wire.AttrAggregator)
		if discards := offered && s.Action == routing.Blackhole; discards != aggregate {
			rt.Fatalf("%v discards: %v, want %v; %s", p, discards, aggregate, state)
		}
		hidden := false
		for _, q := range pool {
			if o := aggregated(q); o != nil && o.SummaryOnly && active[q] && p.Bits() > q.Bits() && q.Contains(p.Addr()) && part(p) && !aggregate {
				hidden = true
			}
		}
		if want := got != nil && !hidden; (x != nil) != want {
			rt.Fatalf("the neighbour has %v: %v, want %v; %s", p, x != nil, want, state)
		}
		if x != nil && aggregate != x.Attributes.Has(wire.AttrAggregator) {
			rt.Fatalf("the neighbour has %+v of %v; %s", x.Attributes, p, state)
		}
	}
}

// An aggregate that is new to a table of which a step looks at a part hides all it is made
// of, and shows it again when it goes.
func TestAggregateOfMany(t *testing.T) {
	w := newNetwork(t, 1)
	a, b, c := w.router(65001), w.router(65002), w.router(65003)
	w.peer(a, b, nil)
	w.peer(b, c, nil)
	w.start()
	const many = sweepAtOnce + 5000
	var in protocol.Notices
	for i := range many {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 0}), 24)
		in.Routes = append(in.Routes, routing.Delta{Route: routing.Route{Prefix: p, Source: routing.SourceStatic}})
	}
	w.step(a, in)
	w.run(time.Minute)
	for _, only := range []bool{true, false} {
		b.config.Aggregates = []Aggregate{{Prefix: netip.MustParsePrefix("20.0.0.0/8"), SummaryOnly: only}}
		w.configure(b)
		w.run(time.Minute)
		want := 3 // a's and b's own, and the aggregate
		if !only {
			want += many
		}
		if len(c.offered) != want {
			t.Errorf("summary-only %v: the neighbour has %d prefixes, want %d", only, len(c.offered), want)
		}
	}
}
