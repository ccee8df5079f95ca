package router

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"routerd/routing"
	"routerd/routing/rip"
)

// What the RIB tells because of the first configuration may reach the machine
// before that configuration does. It is not lost.
func TestNoticeBeforeTheFirstConfiguration(t *testing.T) {
	m := New(rand.NewPCG(1, 1)).RIP(rip.RIP)
	prefix := netip.MustParsePrefix("198.51.100.0/24")
	static := routing.Route{Prefix: prefix, Source: routing.SourceStatic, Distance: 1, Metric: 4}
	m.Step(now, rip.Notices{Notices: routing.Notices{Routes: []routing.Delta{{Route: static}}}})
	if m.Machine() != nil {
		t.Fatal("a machine without a configuration")
	}
	m.Step(now, rip.Reconfigure{Config: rip.DefaultConfig(rip.RIP)})
	if r, ok := m.Machine().Route(prefix); !ok || r.State != "redistributed" || r.Metric != 4 {
		t.Errorf("it knows %+v (%v), want %v redistributed with metric 4", r, ok, prefix)
	}
}
