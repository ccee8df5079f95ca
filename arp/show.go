package arp

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"

	"routerd/routing"
)

// Neighbor is what `show arp` shows of one neighbour.
type Neighbor struct {
	Interface routing.InterfaceID
	Addr      netip.Addr
	State     State
	MAC       MAC // zero while Incomplete or Failed
	Router    bool
	Age       time.Duration // since the MAC was learned or last confirmed; while Incomplete since the first packet, while Failed since it first failed
	Held      int           // packets
	Index     uint32        // dense number, 0 without one
}

// Counters are the machine's counters for metrics. They only grow.
type Counters struct {
	Malformed uint64 // frames that have to be discarded by RFC 826 or RFC 4861
	Ignored   uint64 // unsolicited packets from which nothing was learned
	Redirects uint64 // received, not followed
	Conflicts uint64 // claims to an address that the router is using
	Evicted   uint64 // neighbours evicted for others
	Throttled uint64 // packets for unknown neighbours beyond the rate
	Full      uint64 // neighbours for which no other could be evicted
	// Unanswered counts addresses for which nobody answered, Lost neighbours
	// that no longer answered.
	Unanswered, Lost uint64
}

// Counters gives the counts so far.
func (m *Machine) Counters() Counters { return m.counters }

// Len is the number of neighbours, and how many of them have never answered.
func (m *Machine) Len() (all, incomplete int) {
	return len(m.neighbors), m.incomplete()
}

// HeldBytes is the length of all packets held.
func (m *Machine) HeldBytes() int { return m.heldBytes }

// Walk calls yield with each neighbour as it is at the time now, in order of
// interface and address. It may be called between Steps only.
func (m *Machine) Walk(now time.Time, yield func(Neighbor) bool) {
	for _, n := range m.sorted() {
		if !yield(n.shown(now)) {
			return
		}
	}
}

func (n *neighbor) shown(now time.Time) Neighbor {
	return Neighbor{
		Interface: n.iface.id, Addr: n.addr, State: n.state, MAC: n.mac, Router: n.router,
		Age: now.Sub(n.learned), Held: len(n.held), Index: n.index,
	}
}

// Find returns one neighbour as it is at the time now; ok is false if it is not
// known. It may be called between Steps only.
func (m *Machine) Find(link routing.InterfaceID, a netip.Addr, now time.Time) (found Neighbor, ok bool) {
	n := m.neighbors[key{link, a}]
	if n == nil {
		return Neighbor{}, false
	}
	return n.shown(now), true
}

// Own is what `show` shows of one of the router's own addresses. If IPv6 is off
// on an interface it has no IPv6 ones.
type Own struct {
	Interface routing.InterfaceID
	Prefix    netip.Prefix
	State     OwnState
	Formed    bool // from the MAC, not configured
}

// WalkOwn calls yield with each of the router's own addresses, in order of
// interface and address. It may be called between Steps only.
func (m *Machine) WalkOwn(yield func(Own) bool) {
	for _, id := range slices.Sorted(maps.Keys(m.ifaces)) {
		own := slices.SortedFunc(slices.Values(m.ifaces[id].own), func(a, b *ownAddress) int {
			return cmp.Or(a.prefix.Addr().Compare(b.prefix.Addr()), cmp.Compare(a.prefix.Bits(), b.prefix.Bits()))
		})
		for _, o := range own {
			if !yield(Own{id, o.prefix, o.state, o.formed}) {
				return
			}
		}
	}
}

// Census counts the neighbours by interface and state.
func (m *Machine) Census() map[routing.InterfaceID][NumStates]int {
	c := map[routing.InterfaceID][NumStates]int{}
	for id := range m.ifaces {
		c[id] = [NumStates]int{}
	}
	for k, n := range m.neighbors {
		counts := c[k.iface]
		counts[n.state]++
		c[k.iface] = counts
	}
	return c
}
