package rib

import (
	"net/netip"
	"testing"

	"routerd/routing"
)

// Static routes are taken up in slices, also where an interface that they name
// comes or goes: no slice looks at more of them than it has units. Carriers wait for
// no slice.
func TestStaticRoutesAreTakenUpInSlices(t *testing.T) {
	const routes, units = 3000, 50
	config := func(tag uint32) (cfg Config) {
		for i := range routes {
			cfg.Static = append(cfg.Static, StaticRoute{
				Prefix:   netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 8 + byte(i>>8), byte(i), 0}), 24),
				NextHops: []StaticNextHop{{Interface: "late0"}, {Address: ip("10.0.1.9")}}, Tag: tag,
			})
		}
		return cfg
	}
	r := newTable(t)
	// changed counts the routes that say something else than before.
	changed := func(is func(c *Candidate) bool) (n int) {
		for _, c := range r.Walk(netip.Prefix{}, 1<<20) {
			if c.Source == routing.SourceStatic && is(&c) {
				n++
			}
		}
		return n
	}
	for _, tt := range []struct {
		name string
		do   func()
		is   func(c *Candidate) bool
	}{
		{"new", func() { r.SetConfig(t0, config(1)) }, func(c *Candidate) bool { return c.Tag == 1 }},
		{"changed", func() { r.SetConfig(t0, config(2)) }, func(c *Candidate) bool { return c.Tag == 2 }},
		{"an interface more", func() { r.link(9, "late0", true, "10.0.9.1/24") }, func(c *Candidate) bool { return c.NextHops[0].Interface == 9 }},
		{"an interface less", func() { mustStep(t, r.RIB, InterfaceGone{9}) }, func(c *Candidate) bool { return c.NextHops[0].Interface != 9 }},
	} {
		tt.do()
		before := changed(tt.is)
		if before > 0 {
			t.Errorf("%s: %d of %d routes are taken up at once, want none", tt.name, before, routes)
		}
		for n := 0; r.Unsettled(); n++ {
			if n == 3 {
				r.link(lan1, "lan1", n%2 == 0, "10.0.1.1/24")
				if r.States().Link(lan1).Alive() {
					t.Errorf("%s: the loss of a carrier waits", tt.name)
				}
			}
			settled, _, err := r.Settle(units)
			if err != nil || n > 100*routes {
				t.Fatalf("%s: after %d slices: %v", tt.name, n, err)
			}
			r.fib = r.fib.Apply(settled.Changes)
			if n < 20 {
				now := changed(tt.is)
				if now > before+units {
					t.Errorf("%s: a slice of %d units takes up %d routes", tt.name, units, now-before)
				}
				before = now
			}
		}
		if got := changed(tt.is); got != routes {
			t.Errorf("%s: %d of %d routes are taken up", tt.name, got, routes)
		}
		r.link(lan1, "lan1", true, "10.0.1.1/24")
		r.flush()
	}
	r.SetConfig(t0, Config{})
	r.flush()
	if n := changed(func(*Candidate) bool { return true }); n > 0 {
		t.Errorf("%d static routes are left of none", n)
	}
}
