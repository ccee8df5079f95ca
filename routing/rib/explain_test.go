package rib

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"routerd/routing"
)

// What decides, in the words of people, by the candidates there are.
func TestDecided(t *testing.T) {
	p := netip.MustParsePrefix("203.0.113.0/24")
	static := func(distance uint8, hops ...StaticNextHop) StaticRoute {
		return StaticRoute{Prefix: p, Distance: distance, NextHops: hops}
	}
	on := StaticNextHop{Interface: "lan0"}
	lan := Interface{ID: 1, Name: "lan0", Up: true, Addresses: []Address{{Prefix: netip.MustParsePrefix("10.0.1.1/24")}}}
	for _, tt := range []struct {
		name   string
		static []StaticRoute
		deltas Deltas
		want   string
	}{
		{"alone", []StaticRoute{static(0, on)}, nil, "there is no other route to choose from"},
		{"unusable", []StaticRoute{static(0, StaticNextHop{Interface: "wan0"})}, nil, "no route is usable"},
		{"never used", []StaticRoute{static(255, on), static(0, on)}, nil, "there is no other route to choose from"},
		{"distance", []StaticRoute{static(0, on)}, ospfRoute("203.0.113.0/24", "10.0.1.2", 1), "distance 1 of static is lower than 110 of ospf"},
		{"source", []StaticRoute{static(110, on)}, ospfRoute("203.0.113.0/24", "10.0.1.2", 1), "metric 0 is lower than 30 at the same distance"},
		{"equals", []StaticRoute{static(0, on), static(0, StaticNextHop{Address: netip.MustParseAddr("10.0.1.9")})}, nil, "2 equal routes share the flows"},
		{"second best", []StaticRoute{static(0, StaticNextHop{Interface: "wan0"}), static(9, on)}, nil, "what would be preferred is not usable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := New()
			mustStep(t, r, lan, tt.deltas)
			r.SetConfig(t0, Config{Static: tt.static})
			r.Flush()
			x := r.Explain(netip.MustParseAddr("203.0.113.9"))
			if len(x.Prefixes) != 1 || x.Prefixes[0].Decided != tt.want {
				t.Errorf("%+v, want it decided because %s", x.Prefixes, tt.want)
			}
		})
	}
}

// The whole way: a longer prefix that has no usable route, the chain of next
// hops, and who is told.
func TestExplain(t *testing.T) {
	r := New()
	static := func(p string, via string) StaticRoute {
		return StaticRoute{Prefix: netip.MustParsePrefix(p), NextHops: []StaticNextHop{{Address: netip.MustParseAddr(via)}}}
	}
	mustStep(
		t, r,
		Interface{ID: 1, Name: "lan0", Up: true, Addresses: []Address{{Prefix: netip.MustParsePrefix("10.0.1.1/24")}}},
		Subscribe{Name: "bgp"},
		Subscribe{Name: "rip", Redistribute: []Redistribution{{
			Source: routing.SourceStatic, Metric: 4, Policy: policies[1],
			Trace: func(rt *routing.Route) []string { return []string{"statement 1 saw " + rt.Prefix.String()} },
		}}},
		Subscribe{Name: "ripng", Family: 6, Redistribute: []Redistribution{{Source: routing.SourceStatic}}},
	)
	blocked := StaticRoute{Prefix: netip.MustParsePrefix("203.0.113.8/29"), NextHops: []StaticNextHop{{Interface: "wan0"}}}
	r.SetConfig(t0, Config{Static: []StaticRoute{
		blocked, static("203.0.113.0/24", "192.0.2.1"), static("192.0.2.0/24", "10.0.1.2"), static("0.0.0.0/0", "10.0.1.3"),
	}})
	r.Flush()
	x := r.Explain(netip.MustParseAddr("203.0.113.9"))
	if len(x.Prefixes) != 2 || x.Prefixes[0].Used || !x.Prefixes[1].Used || x.Shorter != 1 {
		t.Errorf("prefixes %+v and %d shorter, want the /29 unused, the /24 used and one shorter", x.Prefixes, x.Shorter)
	}
	compare := cmp.Options{
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	}
	through := func(depth int, address, via string, s routing.Source) ResolutionStep {
		h := routing.NextHop{Address: netip.MustParseAddr(address), Interface: routing.NoInterface}
		return ResolutionStep{Depth: depth, NextHop: h, Via: netip.MustParsePrefix(via), Source: s}
	}
	want := []ResolutionStep{
		through(0, "192.0.2.1", "192.0.2.0/24", routing.SourceStatic),
		through(1, "10.0.1.2", "10.0.1.0/24", routing.SourceConnected),
	}
	if diff := cmp.Diff(want, x.Resolution, compare); diff != "" {
		t.Errorf("resolution (-want +got):\n%s", diff)
	}
	told := []Redistributed{
		{To: "bgp", WhyNot: "bgp does not redistribute static"},
		{To: "rip", Offered: true, Pending: true, Metric: 4, Policy: []string{"statement 1 saw 203.0.113.0/24"}},
		{To: "ripng", WhyNot: "ripng is for IPv6"},
	}
	if diff := cmp.Diff(told, x.Redistributed); diff != "" {
		t.Errorf("redistributed (-want +got):\n%s", diff)
	}
	if x := r.Explain(netip.MustParseAddr("2001:db8::1")); len(x.Prefixes) != 0 {
		t.Errorf("%+v for an address that no prefix covers", x)
	}
}
