package ospf

import (
	"net/netip"
	"testing"

	"routerd/routing/ospf/wire"
)

// A question between a change of the databases and the next calculation is answered
// by the calculation before: nothing of prefixes and routers that it did not know,
// though they may have the numbers of others.
func TestAskedBeforeTheCalculation(t *testing.T) {
	s := newSite(0)
	s.attach(0, 100, 1, 2, 3)
	s.areas[0].star(map[wire.ID]wire.RouterFlags{2: bitB}, map[wire.ID]uint16{2: 10})
	s.areas[0].summary(2, "10.0.0.0/24", 10)
	s.table.Calculate(&s.state)
	old, new := netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("10.0.1.0/24")
	if s.table.Find(old) == nil {
		t.Fatal("no route")
	}
	s.areas[0].star(map[wire.ID]wire.RouterFlags{2: bitB, 3: bitB}, map[wire.ID]uint16{2: 10, 3: 10})
	s.areas[0].summary(3, "10.0.1.0/24", 10)
	if r := s.table.Find(new); r != nil {
		t.Errorf("a route to %v before it is calculated: %+v", new, r)
	}
	if _, ok := s.state.Areas[0].border(3, bitB); ok {
		t.Error("a way to a router before it is calculated")
	}
	// The number of 10.0.0.0/24 becomes that of another prefix.
	e := s.areas[0].db.Find(wire.Identity{Type: wire.SummaryLSA, ID: ip("10.0.0.0"), Router: 2})
	s.areas[0].db.remove(e)
	s.areas[0].summary(2, "10.0.2.0/24", 10)
	if r := s.table.Find(netip.MustParsePrefix("10.0.2.0/24")); r != nil {
		t.Errorf("the route of another prefix: %+v", r)
	}
}
