package main

import (
	"net/netip"
	"strings"
	"testing"

	"routerd/internal/control"
)

// Each state of a next hop's neighbour says what becomes of packets.
func TestNeighborText(t *testing.T) {
	for state, want := range map[string]string{
		control.NeighborUnneeded: "the link needs no link addresses",
		control.NeighborUnknown:  "the first packet will ask",
		control.NeighborFailed:   "does not answer; other next hops get its flows",
		"incomplete":             "core0: incomplete",
	} {
		n := control.RouteNeighbor{Address: netip.MustParseAddr("10.0.0.2"), Interface: "core0", State: state}
		if got := neighborText(n); !strings.HasPrefix(got, "10.0.0.2 on core0: ") || !strings.Contains(got, want) {
			t.Errorf("of a neighbour that is %s it says %q, want %q in it", state, got, want)
		}
	}
}
