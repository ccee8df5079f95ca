package arp

import (
	"container/list"
	"math/bits"
	"net/netip"
	"time"

	"routerd/internal/bucket"
	"routerd/internal/packet"
)

// The defence of RFC 6583: neighbours that never answered are bounded apart
// from the rest and go first; a neighbour in use is never given up; what the
// router itself and its routes need does not compete with what anybody's
// packets ask for; and a link that is flooded takes nothing from another, nor
// who floods it from others.

// rank is how much a neighbour that has not answered matters (RFC 6583 §7.1).
type rank uint8

const (
	rankPassing rank = iota // a packet that the router forwards wants it
	rankOwn                 // a packet of the router's own does
	rankNextHop             // routes lead by it
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

// admit makes room for one neighbour of i that is to be asked for because of a
// packet, or says why it cannot be.
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

// makeRoom keeps the table within its bound before a neighbour is added:
// first one that never answered goes, then the one that nobody has used for
// longest.
func (m *Machine) makeRoom() bool {
	if len(m.neighbors) < m.cfg.MaxNeighbors || m.evict(m.waiting[rankPassing]) || m.evict(m.stale) {
		return true
	}
	m.counters.Full++
	return false
}

// evictUpTo gives up a neighbour of the lowest rank there is, up to r: an
// answer to a forged sender never costs a route its next hop.
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

// budget bounds how many neighbours never heard of are asked for on one link
// (RFC 6583 §7.2): a token for each, RequestRate of them a second. The lower
// half is left to those who have asked for few of late, so that a scan does not
// keep others from being delivered.
type budget struct {
	tokens bucket.Bucket
	askers []asker // by hash; nil before the first
}

// asker is who asked for neighbours: packets of one source and protocol.
type asker struct {
	asked float64 // falls by lightAsker a second
	at    time.Time
}

const (
	numAskers = 256
	// lightAsker is how many neighbours one may ask for a second and still be
	// served from the lower half.
	lightAsker = 64
)

// takeToken reports whether one more unknown neighbour of i may be asked for
// because of a packet.
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

// askerOf gives the number of the asker that a packet counts for: of its
// source, of which IPv6 hosts have a /64 to choose from, and its protocol.
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
