package router

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"routerd/internal/bucket"
	"routerd/internal/siphash"
	"routerd/internal/verdict"
	"routerd/routing"
	"routerd/routing/protocol"
)

// admission decides which packets may wait in the inbox of a core, which workers
// fill faster than the core empties it. Anybody on a link can send such packets,
// so they leave room for the router's own inputs, and what one sender may have
// there is no more than what is free, so that each finds room beside any other.
// The senders that the core expects are told apart by their addresses, all others
// by a hash of them. Once the core expects anybody, the others also have a share
// in all and a rate: what a flood of forgeries can cost.
type admission struct {
	key    siphash.Key
	known  atomic.Pointer[map[source]*share] // never changed once it is published
	places int32                             // that packets may have in all
	taken  atomic.Int32
	octets atomic.Int64

	strangers atomic.Int32 // packets of senders that the core does not expect
	shares    [strangerShares]share
	mu        sync.Mutex
	rate      bucket.Bucket // of the same packets

	// For the core's goroutine alone: what the core expects, and whether that is
	// published.
	expected map[protocol.Expect]bool
	changed  bool
}

// source is who a packet is from. A core expects one on one link or, with
// NoInterface, on any; an invalid address is everybody on the link.
type source struct {
	link    routing.InterfaceID
	address netip.Addr
}

// share is what one sender has in the inbox.
type share struct {
	taken atomic.Int32
	hops  uint8 // the least that packets of a sender that is expected arrive with
	// stranger: it is of senders that are not expected.
	stranger bool
}

const (
	// strangerPlaces is how many packets of senders that are not expected may
	// wait where others are, strangerRate how many are taken in a second.
	strangerPlaces = 512
	strangerRate   = 1000
	strangerShares = 256
	// packetOctets bounds the memory of all packets that wait.
	packetOctets = 16 << 20
)

// newAdmission leaves an eighth of an inbox of that size to other inputs.
func newAdmission(inbox int, key siphash.Key) *admission {
	a := &admission{
		key: key, places: int32(inbox - inbox/8), rate: bucket.New(strangerRate, strangerPlaces), expected: map[protocol.Expect]bool{},
	}
	for i := range a.shares {
		a.shares[i].stranger = true
	}
	return a
}

// admit takes places for a packet of so many octets, and returns the share that
// they are of. Without room the share is nil, and the verdict says why. Several
// workers may call it at once.
func (a *admission) admit(from source, hops uint8, octets int, now time.Time) (*share, verdict.Verdict) {
	known := a.known.Load()
	s := find(known, from, hops)
	if s == nil {
		s = &a.shares[a.shareOf(from)]
	}
	// All of them may be a few over their bounds, by the workers that are here.
	taken := a.taken.Load()
	switch {
	case s.taken.Load() >= a.places-taken, a.octets.Load()+int64(octets) > packetOctets:
		return nil, verdict.ProtocolQueueFull
	case s.stranger && known != nil && (a.strangers.Load() >= strangerPlaces || !a.token(now)):
		return nil, verdict.ProtocolThrottled
	}
	s.taken.Add(1)
	a.taken.Add(1)
	a.octets.Add(int64(octets))
	if s.stranger {
		a.strangers.Add(1)
	}
	return s, verdict.None
}

// find gives the share of a sender that is expected, nil if it is not.
func find(known *map[source]*share, from source, hops uint8) *share {
	if known == nil {
		return nil
	}
	for _, k := range [...]source{from, {link: from.link}, {routing.NoInterface, from.address}} {
		if s := (*known)[k]; s != nil && hops >= s.hops {
			return s
		}
	}
	return nil
}

// token takes one of the tokens for packets of those who are not expected.
func (a *admission) token(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rate.Take(now)
}

func (a *admission) shareOf(from source) int {
	b := from.address.As16()
	return int(a.key.Sum(binary.BigEndian.Uint64(b[:8])^uint64(from.link), binary.BigEndian.Uint64(b[8:])) % strangerShares)
}

// leave undoes admit when the packet is no longer in the inbox.
func (a *admission) leave(s *share, octets int) {
	s.taken.Add(-1)
	a.taken.Add(-1)
	a.octets.Add(-int64(octets))
	if s.stranger {
		a.strangers.Add(-1)
	}
}

// expect and unexpect take in whom the core expects, on its goroutine.
func (a *admission) expect(e protocol.Expect) {
	a.changed = a.changed || !a.expected[e]
	a.expected[e] = true
}

func (a *admission) unexpect(e protocol.Expect) {
	a.changed = a.changed || a.expected[e]
	delete(a.expected, e)
}

// publish has workers go by what the core expects now. Who was expected before
// keeps the share with what waits in it.
func (a *admission) publish() {
	if !a.changed {
		return
	}
	a.changed = false
	next := make(map[source]*share, len(a.expected))
	var before map[source]*share
	if was := a.known.Load(); was != nil {
		before = *was
	}
	for e := range a.expected {
		k := source{e.Link, e.Source}
		switch s := before[k]; {
		case next[k] != nil && next[k].hops <= e.HopLimit:
		case s != nil && s.hops == e.HopLimit:
			next[k] = s
		default:
			next[k] = &share{hops: e.HopLimit}
		}
	}
	a.known.Store(&next)
}
