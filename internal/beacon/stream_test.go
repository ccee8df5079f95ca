package beacon

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/protocol"
)

// An input about a connection that the core gives up in the same step, because of the
// time, is about nothing any more.
func TestInputOfAConnectionThatIsOver(t *testing.T) {
	own, other := netip.MustParseAddr("fe80::1"), netip.MustParseAddr("fe80::2")
	dialed := protocol.StreamID(2) // the listener is the first one
	for _, c := range []struct {
		what string
		late time.Duration // behind the last that was heard of the neighbour
		in   protocol.Input
	}{
		{"the other side is silent: room", 1500 * time.Millisecond, protocol.Written{ID: dialed, Room: protocol.StreamRoom}},
		{"the other side is silent: octets", 1500 * time.Millisecond, protocol.Read{ID: dialed, Data: []byte("+")}},
		{"the neighbour is lost: room", 2 * time.Second, protocol.Written{ID: dialed, Room: protocol.StreamRoom}},
		{"the neighbour is lost: octets", 2 * time.Second, protocol.Read{ID: dialed, Data: []byte("+")}},
		{"the neighbour is lost: the end", 2 * time.Second, protocol.Closed{ID: dialed, Err: protocol.ErrStreamEnd}},
	} {
		t.Run(c.what, func(t *testing.T) {
			core := New(protocol.Start{Slots: &routing.Slots{}}).(*Core)
			began := time.Unix(1_000_000, 0)
			step := func(at time.Time, in protocol.Input) { core.Step(at, in, nil) }
			step(began, protocol.Configure{Config: Config{
				Family: 6, Interfaces: []string{"core0"}, Interval: time.Hour, Dead: 2 * time.Second, Streams: &Streams{},
			}})
			step(began, protocol.LinkUp{Link: 1, Name: "core0", Addresses: []netip.Prefix{netip.PrefixFrom(own, 64)}})
			heard := began.Add(500 * time.Millisecond)
			hello := protocol.Received{Link: 1, Src: other, Protocol: udp, Payload: binary.BigEndian.AppendUint64(nil, 1)}
			step(began, hello)
			step(began, protocol.Connected{ID: dialed, Remote: netip.AddrPortFrom(other, Port), Link: 1, Room: protocol.StreamRoom})
			step(heard, hello)
			if n := core.Neighbors[other]; n == nil || !n.Stream.Up || n.Stream.id != dialed {
				t.Fatalf("neighbours %v, want one with the connection %d", core.Neighbors, dialed)
			}
			step(heard.Add(c.late), c.in)
			if n := core.Neighbors[other]; n != nil && (n.Stream.Up || len(n.Stream.Heard) > 0) {
				t.Errorf("the connection is %+v, want another one that is not up yet", n.Stream)
			}
		})
	}
}
