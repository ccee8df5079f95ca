package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"routerd/routing"
	"routerd/routing/protocol"
)

// Sessions of neighbours of the configuration that end at the same moment are logged one
// by one; warnings about addresses that anybody can make up are one line.
func TestEventsOfNeighbors(t *testing.T) {
	var out bytes.Buffer
	d := &Daemon{log: slog.New(slog.NewTextHandler(&out, nil)), teller: newTeller("r1")}
	o := newProtocolOwner(d, "bgp")
	say := func(what string, n int, configured bool) {
		o.carryOut(protocol.Event{
			Level: slog.LevelWarn, What: what, Link: routing.NoInterface, Configured: configured,
			Neighbor: netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), Err: errors.New("hold timer expired"),
		})
	}
	for n := range 300 {
		say("session down", n, true)
		say("somebody else", n, false)
	}
	for n := range 300 {
		if want := fmt.Sprintf(`msg="session down" protocol=bgp neighbor=10.0.%d.%d err="hold timer expired"`, n>>8, n&255); strings.Count(out.String(), want+"\n") != 1 {
			t.Errorf("want one line with %s in\n%.500s", want, out.String())
			break
		}
	}
	if n := strings.Count(out.String(), "somebody else"); n != 1 {
		t.Errorf("%d lines about others, want 1", n)
	}
	out.Reset()
	for range 100 { // and one of them that flaps is not all that the log has
		say("session down", 7, true)
	}
	if n := strings.Count(out.String(), "session down"); n < 10 || n > 30 {
		t.Errorf("%d lines of a hundred about one neighbour, want some 20", n)
	}
}
