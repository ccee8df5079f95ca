package bgp

import (
	"net/netip"
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// The segment that answers a neighbour's first one is the listener's: a neighbour with TTL
// security takes it with 255 alone (RFC 5082 §3).
func TestListenersAnswerWithTheHighestTTL(t *testing.T) {
	m := New(protocol.Start{Seed: 1, Slots: new(routing.Slots)})
	c := Config{AS: 65001, RouterID: 1, Neighbors: []NeighborConfig{{
		Address: netip.MustParseAddr("192.0.2.2"), Link: routing.NoInterface, AS: 65002, TTLSecurity: true, HoldTime: 9,
	}}}
	c.Neighbors[0].Families[wire.IPv4Unicast].Enabled = true
	c.Listen[wire.IPv4Unicast] = netip.MustParseAddrPort("0.0.0.0:179")
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	for _, e := range m.Step(time.Unix(0, 0), protocol.Configure{Config: c}, nil) {
		if l, ok := e.(protocol.Listen); ok {
			if l.TTL != 255 || len(l.Peers) != 1 || l.Peers[0].MinTTL != 255 {
				t.Errorf("it listens with TTL %d, for %+v: want 255, and a peer that is heard from 255 on", l.TTL, l.Peers)
			}
			return
		}
	}
	t.Error("it does not listen")
}
