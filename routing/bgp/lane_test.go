package bgp

import (
	"testing"

	"routerd/routing/bgp/wire"
)

// A neighbour without an export policy is asked about no route, nor is one about its own; and
// numbers of prefixes that have a route are not looked at as those that have none.
func TestWhatIsSentToNobodyCostsNothing(t *testing.T) {
	s := newStand(t, 3, func(i int, c *NeighborConfig) { c.Families[wire.IPv4Unicast].Export.Given = i == 0 })
	for _, p := range s.peers {
		s.connect(p)
	}
	list := manyPrefixes(100)
	own := s.peers[0]
	s.say(own, own.route(64500, own.address, list...))
	m := s.machine
	if m.evaluated != 0 || m.ribs[wire.IPv4Unicast].vacated != 0 {
		t.Errorf("export policies were asked %d times, and %d numbers are vacant; want neither", m.evaluated, m.ribs[wire.IPv4Unicast].vacated)
	}
	other := s.peers[1]
	s.say(other, other.route(64500, other.address, manyPrefixes(200)[100:]...))
	if len(own.holds) != 100 || len(other.holds) != 0 {
		t.Errorf("%d and %d routes were sent, want the 100 of the other one, and none", len(own.holds), len(other.holds))
	}
	s.say(own, own.withdrawal(0, list...))
	s.say(other, other.withdrawal(0, manyPrefixes(200)[100:]...))
	if len(own.holds) != 0 || m.ribs[wire.IPv4Unicast].vacated != 200 {
		t.Errorf("%d routes are left with a neighbour, and %d numbers are vacant; want none, and 200", len(own.holds), m.ribs[wire.IPv4Unicast].vacated)
	}
}
