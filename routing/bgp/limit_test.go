package bgp

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/routing/bgp/wire"
	"routerd/routing/policy"
)

// rejecting is a policy that rejects what is in the prefixes, and accepts the rest.
func rejecting(t rapid.TB, prefixes ...netip.Prefix) Policy {
	t.Helper()
	set := policy.PrefixSet{Name: "s"}
	for _, p := range prefixes {
		set.Entries = append(set.Entries, policy.PrefixRange{Prefix: p, Low: uint8(p.Bits()), High: uint8(p.Addr().BitLen())})
	}
	all, problems := policy.Compile(policy.Config{
		PrefixSets: []policy.PrefixSet{set},
		Policies: []policy.Definition{{Name: "p", Statements: []policy.Statement{
			{Match: policy.Match{PrefixSets: []string{"s"}}, Action: policy.Reject}, {Action: policy.Accept},
		}}},
	})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	chain, err := all.Chain("p")
	if err != nil {
		t.Fatal(err)
	}
	return Policy{Given: true, Chain: chain}
}

// originates gives a router so many networks besides its own.
func (w *network) originates(r *router, many int) {
	r.config.Networks = r.config.Networks[:1:1]
	for i := range many {
		r.config.Networks = append(r.config.Networks, Network{Prefix: ownPrefix(100 + i), Always: true})
	}
	w.configure(r)
	w.run(time.Minute)
}

// limitedPair is a router with a limit of four prefixes, and its neighbour.
func limitedPair(t rapid.TB, change func(*FamilyConfig)) (w *network, a, b *router) {
	w = newNetwork(t, 1)
	a, b = w.router(65001), w.router(65002)
	w.peer(a, b, func(of *router, c *NeighborConfig) {
		if of == a {
			c.Families[wire.IPv4Unicast].MaximumPrefixes = 4
			change(&c.Families[wire.IPv4Unicast])
		}
	})
	w.start()
	w.run(time.Minute)
	w.established()
	return w, a, b
}

func (r *router) count(event string) (n int) {
	for _, e := range r.events {
		if e == event {
			n++
		}
	}
	return n
}

// The log warns once on the way up, and again only after it was below.
func TestLimitWarning(t *testing.T) {
	w, a, b := limitedPair(t, func(c *FamilyConfig) { c.LimitWarning, c.LimitAction = 75, LimitWarn })
	near, above := "nearly too many prefixes 3 ipv4-unicast prefixes were accepted, the maximum is 4",
		"too many prefixes 6 ipv4-unicast prefixes were accepted, the maximum is 4"
	for i, step := range []struct {
		others, near, above, accepted int
		isNear, isAbove               bool
	}{
		{1, 0, 0, 2, false, false},
		{2, 1, 0, 3, true, false},
		{3, 1, 0, 4, true, false},
		{5, 1, 1, 6, true, true},
		{1, 1, 1, 2, false, false},
		{2, 2, 1, 3, true, false},
		{5, 2, 2, 6, true, true},
	} {
		w.originates(b, step.others)
		f := a.machine.Neighbors()[0].Families[wire.IPv4Unicast]
		if a.count(near) != step.near || a.count(above) != step.above || f.Accepted != step.accepted ||
			f.NearLimit != step.isNear || f.OverLimit != step.isAbove || f.Counted != step.accepted || f.Maximum != 4 {
			t.Fatalf("step %d: %+v, events %v, want %+v", i, f, a.events, step)
		}
	}
	if a.downs() != 0 {
		t.Errorf("a warning ends the session: %v", a.events)
	}
}

// What a policy rejects counts, if what is received is limited.
func TestLimitReceived(t *testing.T) {
	policed := func(c *FamilyConfig) { c.Import = rejecting(t, netip.MustParsePrefix("100.0.0.0/8")) }
	w, a, b := limitedPair(t, func(c *FamilyConfig) { policed(c) })
	w.originates(b, 9)
	if a.downs() != 0 {
		t.Fatalf("rejected routes count as accepted: %v", a.events)
	}
	w, a, b = limitedPair(t, func(c *FamilyConfig) { policed(c); c.LimitReceived = true })
	w.originates(b, 3)
	if f := a.machine.Neighbors()[0].Families[wire.IPv4Unicast]; a.downs() != 0 || f.Counted != 4 || f.Accepted != 0 {
		t.Fatalf("%+v, events %v: want 4 that came, and the session up", f, a.events)
	}
	w.originates(b, 1) // withdrawn ones no longer count
	w.originates(b, 3)
	if a.downs() != 0 {
		t.Fatalf("the session ended with 4 of 4: %v", a.events)
	}
	w.originates(b, 4)
	if a.downs() != 1 || !slices.Contains(a.events, "too many prefixes 5 ipv4-unicast prefixes were received, the maximum is 4") {
		t.Fatalf("5 of 4 came: %v", a.events)
	}
	// RFC 4486 §4: AFI 1, SAFI 1, 4 prefixes.
	if n := a.machine.Neighbors()[0].Last.Notification; n.Subcode != wire.CeaseMaxPrefixes || !slices.Equal(n.Data, []byte{0, 1, 1, 0, 0, 0, 4}) {
		t.Errorf("the neighbour was told %+v", n)
	}
	// The limit comes to count what is received while the session is up: it asks for all.
	w, a, b = limitedPair(t, func(c *FamilyConfig) { policed(c); c.LimitAction = LimitWarn })
	w.originates(b, 5)
	a.config.Neighbors[0].Families[wire.IPv4Unicast].LimitReceived = true
	w.configure(a)
	w.run(time.Minute)
	if f := a.machine.Neighbors()[0].Families[wire.IPv4Unicast]; a.downs() != 0 || f.Counted != 6 || !f.OverLimit {
		t.Errorf("%+v, events %v: want 6 that came", f, a.events)
	}
	a.config.Neighbors[0].Families[wire.IPv4Unicast].LimitAction = LimitRestart
	w.configure(a)
	if a.downs() != 1 {
		t.Errorf("with another action, 6 of 4 do not end the session: %v", a.events)
	}
}

// Whatever comes and goes: no more is taken than may be, what was taken before may change,
// and what is counted is what is there.
func TestLimitBlock(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		received := rapid.Bool().Draw(rt, "received")
		hidden := netip.MustParsePrefix("100.104.0.0/13") // 104 to 111
		w, a, b := limitedPair(rt, func(c *FamilyConfig) {
			c.LimitAction, c.LimitReceived, c.Import = LimitBlock, received, rejecting(rt, hidden)
		})
		for range rapid.IntRange(1, 12).Draw(rt, "changes") {
			b.config.Networks = nil
			for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(100, 111), 0, 10, rapid.ID).Draw(rt, "networks") {
				b.config.Networks = append(b.config.Networks, Network{Prefix: ownPrefix(i), Always: true})
			}
			w.configure(b)
			w.run(time.Minute)
			f := a.machine.Neighbors()[0].Families[wire.IPv4Unicast]
			if f.Accepted > 4 || f.Counted > 4 || a.downs() != 0 {
				rt.Fatalf("%+v, events %v", f, a.events)
			}
			for p := range a.offered {
				if !slices.ContainsFunc(b.config.Networks, func(n Network) bool { return n.Prefix == p }) {
					rt.Fatalf("%v is kept, and was withdrawn", p)
				}
			}
			if len(a.offered) != f.Accepted {
				rt.Fatalf("%d are offered, %d accepted", len(a.offered), f.Accepted)
			}
		}
		// Asked for again, as many are there as may be.
		w.step(a, Clear{Address: b.config.Neighbors[0].Local, Link: a.config.Neighbors[0].Link, Soft: true, In: true})
		w.run(time.Minute)
		want, all := 0, len(b.config.Networks)
		for _, n := range b.config.Networks {
			if !hidden.Contains(n.Prefix.Addr()) {
				want++
			}
		}
		f := a.machine.Neighbors()[0].Families[wire.IPv4Unicast]
		if !received && f.Accepted != min(want, 4) || received && f.Counted != min(all, 4) {
			rt.Fatalf("%+v after a refresh, want 4 of %d, or of %d that came", f, want, all)
		}
	})
}
