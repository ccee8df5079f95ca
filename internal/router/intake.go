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

// intake bounds what waits in the neighbour machine's inbox, in which workers
// put things faster than the machine takes them out: packets for neighbours
// that are not known leave room for what neighbours say, they are bounded in
// bytes, and those for one of them leave room for those for others.
type intake struct {
	key    siphash.Key
	count  atomic.Int32 // of packets for neighbours that are not known
	bytes  atomic.Int64 // theirs
	places [intakePlaces]atomic.Int32
}

const (
	// inboxSize is how many inputs may wait for the neighbour machine. Workers
	// never wait for room: what finds none is dropped with a verdict.
	inboxSize = 4096
	// unresolvedShare of them may be packets for neighbours that are not known,
	// neighborShare such packets for the same one, or for others by chance.
	unresolvedShare = inboxSize * 3 / 4
	neighborShare   = inboxSize / 16
	unresolvedBytes = 4 << 20
	intakePlaces    = 1024
)

// unresolved is a packet in the inbox with what it takes up there.
type unresolved struct {
	arp.Resolve
	place int
}

// admit gives the input for a packet whose neighbour is not known, and false
// where too many wait. Any number of workers may call it.
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

// leave is the opposite of admit: x is no longer in the inbox.
func (q *intake) leave(x unresolved) {
	q.places[x.place].Add(-1)
	q.count.Add(-1)
	q.bytes.Add(-int64(len(x.Packet)))
}

func (q *intake) placeOf(out routing.InterfaceID, a netip.Addr) int {
	b := a.As16()
	return int(q.key.Sum(binary.BigEndian.Uint64(b[:8])^uint64(out), binary.BigEndian.Uint64(b[8:])) % intakePlaces)
}
