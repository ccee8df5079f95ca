package flowcache

import (
	"encoding/binary"
	"math/bits"
	"net/netip"

	"routerd/dataplane"
	"routerd/dataplane/offload"
	"routerd/routing"
	"routerd/routing/fib"
)

// The causes of the kernel, by number: one for the states of all next hops, then
// the neighbours by a hash, and the sessions of each family by their number. What
// shares a number with something that has changed ends with it, and comes back
// with its next packets.
const (
	causeHops      = offload.Cause(0)
	firstNeighbor  = causeHops + 1
	neighborCauses = 1 << 12
	firstSession   = firstNeighbor + neighborCauses
	sessionCauses  = 1 << 14

	NumCauses = int(firstSession) + families*sessionCauses
)

// The families, as places in arrays.
const (
	four = iota
	six
	families
)

func familyOf(a netip.Addr) int {
	if a.Is4() {
		return four
	}
	return six
}

func neighborCause(link routing.InterfaceID, a netip.Addr) offload.Cause {
	b := a.As16()
	h := binary.BigEndian.Uint64(b[:8]) ^ binary.BigEndian.Uint64(b[8:]) ^ uint64(link)<<32
	hi, lo := bits.Mul64(h^0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
	return firstNeighbor + offload.Cause((hi^lo)%neighborCauses)
}

func sessionCause(family int, session uint32) offload.Cause {
	return firstSession + offload.Cause(family*sessionCauses) + offload.Cause(session%sessionCauses)
}

// maxRefs is how many causes a flow has at most: its next hops, its neighbour and
// its session.
const maxRefs = 3

// ref is one of the causes of a flow, as it was when the flow was decided. The
// zero ref is none.
type ref struct {
	offload.Ref
	cause offload.Cause
	why   End
	taken bool
}

// causes gives what ends a flow that leaves as how says, beside what the router's
// owner publishes. A group with one hop and no backup is left by that hop whatever
// becomes of it.
func causes(how *dataplane.Carriage) (list [maxRefs]ref) {
	list[0] = ref{cause: neighborCause(how.Out.ID, how.Target), why: EndNeighbor, taken: true}
	if how.Sessions != nil {
		list[1] = ref{cause: sessionCause(familyOf(how.Src.Addr()), how.Hit.Session), why: EndSession, taken: true}
	}
	if varies(how.Way) || how.Source != nil && varies(how.Source) {
		list[2] = ref{cause: causeHops, why: EndHop, taken: true}
	}
	return list
}

// varies reports whether the way of a flow depends on which next hops live.
func varies(w *fib.Way) bool { return w.Group != nil && w.Group.Only() == nil }

// refer takes the Refs of causes.
func (c *Cache) refer(list *[maxRefs]ref) (refs []offload.Ref) {
	for i := range list {
		if r := &list[i]; r.taken {
			r.Ref = c.kernel.Ref(r.cause)
			refs = append(refs, r.Ref)
		}
	}
	return refs
}

// blame says which of its causes has ended a flow.
func (c *Cache) blame(f *flow) End {
	for i := range f.refs {
		if r := &f.refs[i]; r.taken && c.kernel.Ref(r.cause) != r.Ref {
			return r.why
		}
	}
	return EndSettings
}

// HopChanged ends the flows whose next hop is one of several, and may be another
// one now. Any goroutine calls it after it has stored that a next hop or link died
// or came back.
func (c *Cache) HopChanged() { c.come(causeHops) }

// NeighborChanged ends the flows by a neighbour, which has another link address or
// none. Whoever publishes neighbours calls it afterwards.
func (c *Cache) NeighborChanged(link routing.InterfaceID, a netip.Addr) {
	c.come(neighborCause(link, a))
}

// SessionEnded ends the flows of a session that has ended, or whose connection has:
// of the table of IPv6 if wide is set, else of that of IPv4. It is for
// flow.Table.OnEnd, which tells of sessions with flows alone. Any goroutine calls it.
func (c *Cache) SessionEnded(wide bool, session uint32) {
	family := four
	if wide {
		family = six
	}
	c.come(sessionCause(family, session))
}

func (c *Cache) come(cause offload.Cause) {
	c.kernel.End(cause)
	c.stale.Store(true)
	c.poke()
}
