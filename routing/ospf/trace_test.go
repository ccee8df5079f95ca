package ospf

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"routerd/routing/ospf/wire"
)

// checkTrace checks that each way of a route is a chain: from the router's own LSA
// by the ones that each leads to, at their costs, to the prefix at the route's.
func checkTrace(t interface {
	Helper()
	Fatalf(string, ...any)
}, table *Table, r *Route,
) {
	t.Helper()
	ways := table.Trace(r.Prefix())
	if want := max(1, len(table.Hops.sets[r.Ways])); len(ways) != want {
		t.Fatalf("%+v: %d ways, want %d", r, len(ways), want)
	}
	for _, w := range ways {
		if len(w.Steps) == 0 || w.Steps[0].LSA != (wire.Identity{Type: wire.RouterLSA, ID: self, Router: self}) {
			t.Fatalf("%+v by %+v: %+v, want the router's own LSA first", r, w.Hop, w.Steps)
		}
		total := uint32(0)
		for i, s := range w.Steps {
			if total += s.Cost; total != s.Total {
				t.Fatalf("%+v by %+v: step %d comes to %d, want %d: %+v", r, w.Hop, i, s.Total, total, w.Steps)
			}
			if i == 0 {
				continue
			}
			switch before := w.Steps[i-1]; before.Kind {
			case ToRouter:
				if s.LSA.Router != before.ID {
					t.Fatalf("%+v by %+v: step %d is not of the router before: %+v", r, w.Hop, i, w.Steps)
				}
			case ToNetwork:
				if network := s.LSA.Type == wire.NetworkLSA && s.LSA.ID == before.ID; !network && s.LSA.Type < wire.ExternalLSA {
					t.Fatalf("%+v by %+v: step %d is not of the network before: %+v", r, w.Hop, i, w.Steps)
				}
			default:
				if s.LSA.Type < wire.ExternalLSA {
					t.Fatalf("%+v by %+v: step %d is behind a prefix: %+v", r, w.Hop, i, w.Steps)
				}
			}
		}
		if last := w.Steps[len(w.Steps)-1]; last.Total != r.Cost || last.Kind == ToRouter || last.Prefix != r.Prefix() {
			t.Fatalf("%+v by %+v: %+v, want it to end at the prefix", r, w.Hop, w.Steps)
		}
	}
}

// traces writes the ways to a prefix.
func traces(t *Table, prefix string) (lines []string) {
	for _, w := range t.Trace(netip.MustParsePrefix(prefix)) {
		line := fmt.Sprintf("by %d %v:", w.Hop.Interface, w.Hop.Address)
		if w.Own {
			line = "own:"
		}
		for _, s := range w.Steps {
			to := fmt.Sprint(s.Kind, " ", s.ID)
			if s.Prefix.IsValid() {
				to = fmt.Sprint(s.Kind, " ", s.Prefix)
			}
			line += fmt.Sprintf(" %v of %v to %s +%d=%d;", s.LSA.Type, s.LSA.Router, to, s.Cost, s.Total)
		}
		lines = append(lines, line)
	}
	return lines
}

// Two equal ways over a network and over a link between two routers, to what is in
// the area, in another one, and beyond the AS.
func TestTrace(t *testing.T) {
	s := newSite(0)
	dr := ip("10.0.0.2")
	s.attach(0, ip("10.0.0.1"), 1)
	s.attach(0, 7, 2, 4)
	a := s.areas[0]
	a.router(self, 0, lan(dr, ip("10.0.0.1"), 10), p2p(4, 7, 15), stubNet(ip("192.0.2.1"), 0xffffffff, 0))
	a.router(3, 0, lan(dr, ip("10.0.0.3"), 10), p2p(4, 9, 5))
	a.router(4, bitBE, p2p(self, 9, 15), p2p(3, 9, 5), stubNet(ip("10.0.1.0"), 0xffffff00, 5))
	a.network(dr, 3, self, 3)
	a.summary(4, "10.1.0.0/16", 30)
	a.boundary(4, 9, 2)
	s.as.external(wire.ExternalLSA, 4, "203.0.113.0/24", wire.External{Metric: 100, Type2: true})
	s.as.external(wire.ExternalLSA, 9, "203.0.114.0/24", wire.External{Metric: 100})
	s.as.external(wire.ExternalLSA, 4, "203.0.115.0/24", wire.External{Metric: 1, Forwarding: ip("10.0.0.77")})
	s.table.Calculate(&s.state)
	const (
		over    = "by 1 10.0.0.3: router of 0.0.0.1 to network 10.0.0.0/24 +10=10; network of 0.0.0.3 to router 0.0.0.3 +0=10; router of 0.0.0.3 to router 0.0.0.4 +5=15;"
		between = "by 2 0.0.3.236: router of 0.0.0.1 to router 0.0.0.4 +15=15;"
	)
	for prefix, want := range map[string][]string{
		"192.0.2.1/32":   {"own: router of 0.0.0.1 to prefix 192.0.2.1/32 +0=0;"},
		"10.0.0.0/24":    {"by 1 invalid IP: router of 0.0.0.1 to network 10.0.0.0/24 +10=10;"},
		"10.0.1.0/24":    {over + " router of 0.0.0.4 to prefix 10.0.1.0/24 +5=20;", between + " router of 0.0.0.4 to prefix 10.0.1.0/24 +5=20;"},
		"10.1.0.0/16":    {over + " summary of 0.0.0.4 to prefix 10.1.0.0/16 +30=45;", between + " summary of 0.0.0.4 to prefix 10.1.0.0/16 +30=45;"},
		"203.0.113.0/24": {over + " external of 0.0.0.4 to prefix 203.0.113.0/24 +0=15;", between + " external of 0.0.0.4 to prefix 203.0.113.0/24 +0=15;"},
		"203.0.114.0/24": {
			over + " asbr-summary of 0.0.0.4 to router 0.0.0.9 +2=17; external of 0.0.0.9 to prefix 203.0.114.0/24 +100=117;",
			between + " asbr-summary of 0.0.0.4 to router 0.0.0.9 +2=17; external of 0.0.0.9 to prefix 203.0.114.0/24 +100=117;",
		},
		"203.0.115.0/24": {"by 1 10.0.0.77: router of 0.0.0.1 to network 10.0.0.0/24 +10=10; external of 0.0.0.4 to prefix 203.0.115.0/24 +1=11;"},
		"10.9.0.0/16":    nil,
	} {
		if got := traces(&s.table, prefix); !slices.Equal(got, want) {
			t.Errorf("%s:\n%q, want\n%q", prefix, got, want)
		}
	}
}
