package dataplane

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sync/atomic"

	"routerd/acl"
	"routerd/arp"
	"routerd/dataplane/port"
	"routerd/dataplane/reassembly"
	"routerd/flow"
	"routerd/icmp"
	"routerd/internal/origin"
	"routerd/internal/siphash"
	"routerd/internal/verdict"
	"routerd/nat"
	"routerd/routing"
	"routerd/routing/fib"
)

// View is everything that a packet's fate depends on, frozen at one moment.
// A worker loads one pointer per batch; whoever changes the router builds a
// new View and swaps the pointer. Nothing in a View is written after it has
// been published, so any number of workers may read it.
type View struct {
	Generation uint64
	Interfaces []*Interface // by InterfaceID; nil where a number is out of use
	Tables     []*Table     // by TableID
	Stack      *Interface   // the one of Interfaces that leads to the router's own TCP/IP stack; nil without one
	Martians   Martians
	Own        OwnAddresses
	Limits     Limits
	Neighbors  *arp.Table  // nil where no interface has a link header
	NAT        *nat.NAT    // nil where nothing is translated or filtered
	Flows      flow.Clock  // the clock of all sessions
	ACL        *acl.Rules  // nil where nothing is filtered; else NAT tracks all flows
	Sessions6  *flow.Table // of IPv6, where something is filtered
	Listeners  *Listeners  // what the router's own protocols hear on all interfaces
	ClampsMSS  bool        // some interface has an MSS
	Membership Sink        // takes IGMP and MLD on Ethernet links; may be nil
	Offers     Offerer     // takes flows that the kernel might carry; nil where no interface has Carried
	Probes     *Probes     // what the router has sent to see what becomes of it; nil: nothing
	Secrets    Secrets
}

// Secrets are the keys of the dataplane's own hashes, each drawn by itself.
type Secrets struct {
	// Flows is the key of the hash that chooses among equal next hops. With
	// different keys, routers in a row choose differently, and no sender can
	// choose the hop of its packets.
	Flows siphash.Key
	// Fragments is the key of the identifications of packets that the router
	// fragments, so that they cannot be predicted (RFC 7739 §5.2).
	Fragments siphash.Key
}

// Limits bounds the router's work for packets that it does not simply forward.
// A change applies from a worker's next batch on.
type Limits struct {
	ICMP       icmp.Config
	Reassembly reassembly.Config
	Stack      StackConfig
}

// Interface is what the dataplane knows of one interface.
type Interface struct {
	ID           routing.InterfaceID
	Name         string
	Kind         Kind
	Table        TableID
	Addresses    []netip.Prefix // host bits kept
	MTU          int
	Up           bool
	PointToPoint bool
	URPF         URPF
	MSS          MSS
	Origin       origin.ID

	// Output is where frames for this interface are written; nil on a loopback.
	Output     port.Queue
	Offloads   port.Offloads
	LinkHeader int
	MAC        arp.MAC // of the router's end; with a link header only

	Carried *Carried // nil: the kernel carries nothing that comes in or leaves here

	// Listeners is what the router's own protocols hear on the interface; it
	// changes while the View is in use.
	Listeners *Listeners
}

// TableID is the number of a routing table. An interface names its table by
// number, so that a change of routes does not rebuild interfaces.
type TableID uint8

// Table is a routing table that interfaces forward by.
type Table struct {
	Name string
	FIB  *fib.FIB
}

// FIB is the forwarding table of an interface.
func (v *View) FIB(i *Interface) *fib.FIB { return v.Tables[i.Table].FIB }

// Interface gives the interface with the number id, or nil.
func (v *View) Interface(id routing.InterfaceID) *Interface {
	if int(id) >= len(v.Interfaces) {
		return nil
	}
	return v.Interfaces[id]
}

// anyInterface is an interface whose table the router's own packets are looked
// up in.
func (v *View) anyInterface() routing.InterfaceID {
	for _, i := range v.Interfaces {
		if i != nil {
			return i.ID
		}
	}
	return routing.NoInterface
}

// Named gives the interface called name, or nil. It is a linear scan: not for
// the packet path.
func (v *View) Named(name string) *Interface {
	for _, i := range v.Interfaces {
		if i != nil && i.Name == name {
			return i
		}
	}
	return nil
}

// Live is where the current View is found. The zero Live holds none.
type Live struct{ p atomic.Pointer[View] }

// Load gives the current View.
func (l *Live) Load() *View { return l.p.Load() }

// Publish makes v the View that the next batch of every worker sees.
func (l *Live) Publish(v *View) { l.p.Store(v) }

// Holds reports whether a is one of the interface's own addresses.
func (i *Interface) Holds(a netip.Addr) bool {
	for _, p := range i.Addresses {
		if p.Addr() == a {
			return true
		}
	}
	return false
}

// anycast reports whether a is the address of all routers of one of the
// interface's subnets (RFC 4291 §2.6.1).
func (i *Interface) anycast(a netip.Addr) bool {
	return slices.ContainsFunc(i.Addresses, func(p netip.Prefix) bool {
		all, ok := routing.SubnetRouterAnycast(p)
		return ok && all == a
	})
}

// SourceFor chooses the source address of the interface for packets to dst: one
// in dst's subnet, else the first of the family with a wider scope than the
// link, else any of the family (RFC 1812 §4.3.2.4, RFC 6724 rules 2 and 8 for
// the few addresses at hand).
func (i *Interface) SourceFor(dst netip.Addr) (netip.Addr, bool) {
	var best netip.Addr
	rank := 0
	for _, p := range i.Addresses {
		a := p.Addr()
		if a.Is4() != dst.Is4() {
			continue
		}
		r := 1
		switch {
		case a.IsLinkLocalUnicast() != dst.IsLinkLocalUnicast():
		case p.Contains(dst):
			r = 3
		default:
			r = 2
		}
		if r > rank {
			best, rank = a, r
		}
	}
	return best, rank > 0
}

// sourceFor chooses the router's own address for a packet to dst that leaves
// by out; an interface without an address of the family borrows one from
// another, loopbacks first, as an unnumbered link does (RFC 1812 §2.2.7). So
// does one that has a link-local IPv6 address alone, towards another link
// (RFC 4291 §2.5.6).
func (v *View) sourceFor(out *Interface, dst netip.Addr) (netip.Addr, bool) {
	near, ok := out.SourceFor(dst)
	if ok && reaches(near, dst) {
		return near, true
	}
	for _, loopback := range [...]bool{true, false} {
		for _, i := range v.Interfaces {
			if i == nil || (i.Kind == KindLoopback) != loopback || i.Table != out.Table {
				continue
			}
			if a, ok := i.SourceFor(dst); ok && !a.IsLinkLocalUnicast() {
				return a, true
			}
		}
	}
	return near, ok
}

// reaches reports whether dst can answer a packet from src, as far as their
// scopes say.
func reaches(src, dst netip.Addr) bool {
	return src.Is4() || !src.IsLinkLocalUnicast() || dst.IsLinkLocalUnicast()
}

// OwnAddresses answers whether a packet's source is one of the router's
// addresses or the broadcast address of a connected subnet. A filter over the
// last byte answers most packets, with no, by one load.
type OwnAddresses struct {
	filter     [256]bool
	addrs      []netip.Addr
	broadcasts []netip.Addr
}

// NewOwnAddresses collects the addresses of interfaces.
func NewOwnAddresses(interfaces []*Interface) OwnAddresses {
	var o OwnAddresses
	for _, i := range interfaces {
		if i == nil {
			continue
		}
		for _, p := range i.Addresses {
			o.addrs = append(o.addrs, o.filtered(p.Addr()))
			if first, last, ok := broadcastsOf(p); ok && i.Up {
				o.broadcasts = append(o.broadcasts, o.filtered(first), o.filtered(last))
			}
		}
	}
	return o
}

func (o *OwnAddresses) filtered(a netip.Addr) netip.Addr {
	b := a.AsSlice()
	o.filter[b[len(b)-1]] = true
	return a
}

// broadcastsOf gives the broadcast addresses of a subnet: host bits all zero,
// the old form, and all one (RFC 1812 §4.2.2.11). Subnets of 31 and 32 bits
// have none (RFC 3021 §2.1), nor has IPv6.
func broadcastsOf(subnet netip.Prefix) (first, last netip.Addr, ok bool) {
	if !subnet.Addr().Is4() || subnet.Bits() < 1 || subnet.Bits() > 30 {
		return first, last, false
	}
	first = subnet.Masked().Addr()
	b := first.As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])|(1<<(32-subnet.Bits())-1))
	return first, netip.AddrFrom4(b), true
}

// stranger gives the verdict on a packet from outside with the source a, whose
// last byte is last: None if it may have it.
func (o *OwnAddresses) stranger(a netip.Addr, last byte) verdict.Verdict {
	if !o.filter[last] {
		return verdict.None
	}
	switch {
	case slices.Contains(o.addrs, a):
		return verdict.SpoofedSource
	case slices.Contains(o.broadcasts, a):
		return verdict.BroadcastSource // RFC 1812 §5.3.7
	}
	return verdict.None
}

// Has reports whether a, whose last byte is last, is the router's own.
func (o *OwnAddresses) Has(a netip.Addr, last byte) bool {
	return o.filter[last] && slices.Contains(o.addrs, a)
}

// Martians is a compiled pair of lists of prefixes that no packet may come from
// or go to (RFC 1812 §5.3.7). A filter over the first byte answers most packets
// by one load.
type Martians struct {
	source, destination prefixFilter
}

// NewMartians compiles the lists.
func NewMartians(source, destination []netip.Prefix) Martians {
	return Martians{newPrefixFilter(source), newPrefixFilter(destination)}
}

type prefixFilter struct {
	first4, first6 [256]bool
	list           []netip.Prefix
}

func newPrefixFilter(list []netip.Prefix) prefixFilter {
	f := prefixFilter{list: list}
	for _, p := range list {
		first := &f.first6
		if p.Addr().Is4() {
			first = &f.first4
		}
		lo := int(p.Masked().Addr().AsSlice()[0])
		hi := lo
		if p.Bits() < 8 {
			hi = lo | 0xff>>p.Bits()
		}
		for b := lo; b <= hi; b++ {
			first[b] = true
		}
	}
	return f
}

func (f *prefixFilter) has4(a netip.Addr, first byte) bool {
	return f.first4[first] && f.scan(a)
}

func (f *prefixFilter) has6(a netip.Addr, first byte) bool {
	return f.first6[first] && f.scan(a)
}

func (f *prefixFilter) scan(a netip.Addr) bool {
	for _, p := range f.list {
		// Contains would refuse an IPv4-mapped prefix its own addresses.
		if p.Addr().Is4() == a.Is4() && covers(p, a) {
			return true
		}
	}
	return false
}

func covers(p netip.Prefix, a netip.Addr) bool {
	q, err := a.Prefix(p.Bits())
	return err == nil && q.Addr() == p.Masked().Addr()
}
