package router

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"

	"routerd/arp"
	"routerd/dataplane"
	"routerd/internal/siphash"
	"routerd/routing"
)

// intake bounds the packets for unresolved neighbours in the neighbour
// machine's inbox, which workers fill faster than the machine empties it. These
// packets leave room for ARP and neighbour discovery messages, are bounded in
// bytes, and are bounded for each neighbour so that there is room for others.
type intake struct {
	key    siphash.Key
	count  atomic.Int32 // of packets for unresolved neighbours
	bytes  atomic.Int64 // of these packets
	places [intakePlaces]atomic.Int32
}

const (
	// inboxSize is how many inputs may wait for the neighbour machine. Workers
	// never wait for room: a packet that finds none is dropped with a verdict.
	inboxSize = 4096
	// unresolvedShare of them may be packets for unresolved neighbours, and
	// neighborShare such packets for the same neighbour (or for several that
	// share a hash).
	unresolvedShare = inboxSize * 3 / 4
	neighborShare   = inboxSize / 16
	unresolvedBytes = 4 << 20
	intakePlaces    = 1024
)

// unresolved is a packet in the inbox with the room that it takes there.
type unresolved struct {
	arp.Resolve
	place int
}

// admit returns the input for a packet whose neighbour is not resolved, and
// false if too many are waiting. Workers may call it concurrently.
func (q *intake) admit(p *dataplane.Punt) (unresolved, bool) {
	x := unresolved{place: q.placeOf(p.Out, p.Target)}
	place := &q.places[x.place]
	if place.Load() >= neighborShare || q.count.Load() >= unresolvedShare || q.bytes.Load() >= unresolvedBytes {
		return x, false
	}
	place.Add(1)
	q.count.Add(1)
	q.bytes.Add(int64(len(p.Frame)))
	x.Resolve = arp.Resolve{
		Interface: p.Out, Addr: p.Target, Index: p.Index, Own: p.Own,
		Packet: append([]byte(nil), p.Frame...), Tag: waiting{p.Offload, p.In},
	}
	return x, true
}

// leave undoes admit when x is no longer in the inbox.
func (q *intake) leave(x unresolved) {
	q.places[x.place].Add(-1)
	q.count.Add(-1)
	q.bytes.Add(-int64(len(x.Packet)))
}

func (q *intake) placeOf(out routing.InterfaceID, a netip.Addr) int {
	b := a.As16()
	return int(q.key.Sum(binary.BigEndian.Uint64(b[:8])^uint64(out), binary.BigEndian.Uint64(b[8:])) % intakePlaces)
}
