package arp

import (
	"container/list"
	"math/bits"
	"net/netip"
	"time"

	"routerd/internal/bucket"
	"routerd/internal/packet"
)

// The defence of RFC 6583: neighbours that never answered have a limit of their
// own and are evicted first; a neighbour in use is never evicted; neighbours
// that the router itself and its routes need do not compete with those of
// forwarded packets; a flooded link takes nothing from other links, nor a
// flooding sender from other senders.

// rank is the priority of a neighbour that has not answered (RFC 6583 §7.1).
type rank uint8

const (
	rankPassing rank = iota // a forwarded packet needs it
	rankOwn                 // a packet of the router's own needs it
	rankNextHop             // it is the next hop of routes
	numRanks
)

func (x *Resolve) rank() rank {
	switch {
	case x.Index > 0:
		return rankNextHop
	case x.Own:
		return rankOwn
	}
	return rankPassing
}

func (m *Machine) incomplete() (n int) {
	for _, q := range m.waiting {
		n += q.Len()
	}
	return n
}

// admit makes room for one neighbour of i that a packet needs, or says why
// there is none.
func (m *Machine) admit(i *iface, r rank, packet []byte) (Reason, bool) {
	if r == rankPassing && !m.takeToken(i, packet) {
		m.counters.Throttled++
		return Throttled, false
	}
	if m.incomplete() >= m.cfg.MaxIncomplete && !m.evictUpTo(r) {
		m.counters.Full++
		return TableFull, false
	}
	if !m.makeRoom() {
		return TableFull, false
	}
	return 0, true
}

// makeRoom evicts a neighbour if the table is full: first one that never
// answered, then the one that has been unused for longest.
func (m *Machine) makeRoom() bool {
	if len(m.neighbors) < m.cfg.MaxNeighbors || m.evict(m.waiting[rankPassing]) || m.evict(m.stale) {
		return true
	}
	m.counters.Full++
	return false
}

// evictUpTo evicts a neighbour of the lowest rank there is, up to r: a request
// for a forged address never costs a route its next hop.
func (m *Machine) evictUpTo(r rank) bool {
	for _, q := range m.waiting[:r+1] {
		if m.evict(q) {
			return true
		}
	}
	return false
}

func (m *Machine) evict(q *list.List) bool {
	first := q.Front()
	if first == nil {
		return false
	}
	m.counters.Evicted++
	m.forget(first.Value.(*neighbor), Evicted)
	return true
}

// budget limits the requests for unknown neighbours on one link (RFC 6583
// §7.2): each takes a token, of which there are RequestRate a second. The lower
// half of the bucket is left to senders that caused few requests recently, so
// that a scan does not block others.
type budget struct {
	tokens bucket.Bucket
	askers []asker // by hash; nil before the first
}

// asker is the requests caused by packets of one source and protocol.
type asker struct {
	asked float64 // decreases by lightAsker a second
	at    time.Time
}

const (
	numAskers = 256
	// lightAsker is how many requests a second one asker may cause and still
	// use the lower half.
	lightAsker = 64
)

// takeToken reports whether one more unknown neighbour of i may be requested
// for a packet.
func (m *Machine) takeToken(i *iface, packet []byte) bool {
	b := &i.budget
	if b.askers == nil {
		b.askers = make([]asker, numAskers)
		b.tokens = bucket.New(m.cfg.RequestRate, m.cfg.MaxIncomplete)
	}
	a := &b.askers[m.askerOf(packet)]
	a.asked = max(0, a.asked-m.now.Sub(a.at).Seconds()*lightAsker)
	a.at = m.now
	leave := 0.0
	if a.asked >= lightAsker {
		leave = 0.5
	}
	if !b.tokens.TakeAbove(m.now, leave) {
		return false
	}
	a.asked++
	return true
}

// askerOf gives the number of the asker that a packet counts for, by its
// source, for IPv6 its /64, and its protocol.
func (m *Machine) askerOf(b []byte) int {
	var src netip.Addr
	var protocol uint8
	if ip := packet.IPv4(b); ip.Valid() {
		src, protocol = ip.Src(), ip.Protocol()
	} else if ip := packet.IPv6(b); ip.Valid() {
		src, protocol = ip.Src(), ip.NextHeader()
	}
	x := src.As16()
	h := m.secret ^ uint64(protocol)
	for j, c := range x {
		if j >= 8 && src.Is6() {
			break
		}
		h = h<<8 ^ h>>56 ^ uint64(c)
		hi, lo := bits.Mul64(h^0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
		h = hi ^ lo
	}
	return int(h % numAskers)
}
