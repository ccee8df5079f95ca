package rib

import (
	"testing"

	"routerd/routing"
)

// Equal static routes share by the weights of all their next hops, also where one of them
// gets a next hop more that leads where it led before, or loses it.
func TestSharesOfEqualRoutesFollowTheirHops(t *testing.T) {
	r := newTable(
		t,
		StaticRoute{Prefix: pfx("10.8.0.0/16"), NextHops: via("10.9.0.1", "10.9.1.1")},
		StaticRoute{Prefix: pfx("10.8.0.0/16"), NextHops: via("10.0.1.9")},
	)
	offer := func(prefix string, withdraw bool) {
		t.Helper()
		d := routing.Delta{Withdraw: withdraw, Route: routing.Route{
			Prefix: pfx(prefix), Source: routing.SourceOSPF, Distance: 110,
			NextHops: []routing.NextHop{{Address: ip("10.0.0.9"), Interface: routing.NoInterface}},
		}}
		if err := r.Step(t0, Deltas{d}); err != nil {
			t.Fatal(err)
		}
		r.flush()
	}
	for _, step := range []struct {
		prefix   string
		withdraw bool
		want     string
	}{
		{"10.9.0.0/24", false, "10.0.0.9@lan0 10.0.1.9@lan1"},
		{"10.9.1.0/24", false, "10.0.0.9@lan0*2 10.0.1.9@lan1"},
		{"10.9.0.0/24", true, "10.0.0.9@lan0 10.0.1.9@lan1"},
		{"10.9.1.0/24", true, "10.0.1.9@lan1"},
	} {
		offer(step.prefix, step.withdraw)
		if got := r.hops("10.8.0.0/16"); got != step.want {
			t.Errorf("after %s, withdrawn %v: 10.8.0.0/16 is %s, want %s", step.prefix, step.withdraw, got, step.want)
		}
	}
}
