package rib

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"routerd/internal/origin"
	"routerd/routing"
)

// Address is one address of an interface with the length of its subnet's
// prefix: 192.0.2.1/24 keeps its host bits.
type Address struct {
	Prefix netip.Prefix
	Origin origin.ID
}

// Interface is the whole state of an interface: it replaces the earlier one
// with the same ID.
type Interface struct {
	ID        routing.InterfaceID
	Name      string
	Up        bool
	Addresses []Address
}

func (Interface) input() {}

// InterfaceGone says that an interface was removed.
type InterfaceGone struct{ ID routing.InterfaceID }

func (InterfaceGone) input() {}

// interfaceState is an interface and the candidates that it offers.
type interfaceState struct {
	Interface
	offers []offered
}

// offered is a candidate of an interface.
type offered struct {
	n      number
	action routing.Action
}

// offer is one route that follows from an address.
type offer struct {
	prefix netip.Prefix
	action routing.Action
	whole  bool // of an own address: it is its whole subnet, and the link is up
	origin origin.ID
}

// offersOf gives what an interface offers, each (prefix, action) once.
//
// The router's own addresses are offered also while the link is down (RFC 1122
// §3.3.4.2, the weak model); the subnet and its broadcast addresses only while
// it is up.
func offersOf(in Interface) []offer {
	var all []offer
	put := func(p netip.Prefix, a routing.Action, whole bool, id origin.ID) {
		for i := range all {
			if o := &all[i]; o.prefix == p && o.action == a {
				o.whole = o.whole || whole
				return
			}
		}
		all = append(all, offer{p, a, whole, id})
	}
	for _, address := range in.Addresses {
		a, p, id := address.Prefix.Addr(), address.Prefix.Masked(), address.Origin
		put(hostPrefix(a), routing.Local, in.Up && p.IsSingleIP(), id)
		if !in.Up || p.IsSingleIP() {
			continue
		}
		put(p, routing.Forward, false, id)
		// RFC 1812 §4.2.2.11 and §5.3.5: the all-ones host part is the
		// subnet's broadcast address, and the all-zeros one its obsolete
		// form. RFC 3021 §2.1: with 31 bits there is neither, and both
		// addresses are hosts. IPv6 has no broadcast.
		if a.Is4() && p.Bits() >= 1 && p.Bits() <= 30 {
			put(hostPrefix(p.Addr()), routing.Broadcast, false, id)
			put(hostPrefix(lastAddress(p)), routing.Broadcast, false, id)
		}
	}
	return all
}

// lastAddress is the address of an IPv4 prefix whose host part is all ones.
func lastAddress(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(b)
}

func (r *RIB) setInterface(now time.Time, in Interface) error {
	for _, a := range in.Addresses {
		if !a.Prefix.IsValid() || a.Prefix.Addr().Is4In6() || a.Prefix.Addr().Zone() != "" {
			return fmt.Errorf("setting up interface %s in the rib: address %v is not valid, want an IPv4 or IPv6 address with a prefix length and no zone", in.Name, a.Prefix)
		}
	}
	if other := r.byName[in.Name]; other != nil && other.ID != in.ID {
		return fmt.Errorf("setting up interface %s in the rib: number %d is wanted for it, which has number %d already", in.Name, in.ID, other.ID)
	}
	s := r.interfaces[in.ID]
	named := s == nil || s.Name != in.Name
	if s == nil {
		s = &interfaceState{}
		r.interfaces[in.ID] = s
	}
	if named {
		delete(r.byName, s.Name)
		r.byName[in.Name] = s
	}
	flapped := s.Up != in.Up
	in.Addresses = slices.Clone(in.Addresses)
	s.Interface = in
	claimed := r.reoffer(now, s, offersOf(in))
	if named {
		r.bindLater(now)
	}
	r.staleInterface(in.ID, flapped || named, claimed)
	return nil
}

func (r *RIB) dropInterface(now time.Time, id routing.InterfaceID) {
	s := r.interfaces[id]
	if s == nil {
		return
	}
	claimed := r.reoffer(now, s, nil)
	delete(r.interfaces, id)
	delete(r.byName, s.Name)
	r.bindLater(now)
	r.staleInterface(id, true, claimed)
}

// reoffer changes the candidates of s to those in want. It returns the own and
// broadcast addresses that came or went, which no next hop may have, or may
// have again.
func (r *RIB) reoffer(now time.Time, s *interfaceState, want []offer) (claimed []netip.Prefix) {
	var kept []offered
	for _, o := range s.offers {
		at, p := r.connected(o, s.ID), r.prefix(o.n)
		i := slices.IndexFunc(want, func(w offer) bool { return w.prefix == p && w.action == o.action })
		if i < 0 {
			if o.action != routing.Forward {
				claimed = append(claimed, p)
			}
			r.remove(o.n, at)
			continue
		}
		if c := r.cand(at); c.origin != want[i].origin || c.is(isWhole) != want[i].whole {
			r.touch(o.n)
			c.origin = want[i].origin
			c.setWhole(want[i].whole)
		}
		want = slices.Delete(slices.Clone(want), i, i+1)
		kept = append(kept, o)
	}
	for _, o := range want {
		c := candidate{
			source: routing.SourceConnected, action: o.action, origin: o.origin,
			place: uint32(s.ID), since: seconds(now),
		}
		c.setWhole(o.whole)
		r.setDistance(&c, 0)
		n := r.number(o.prefix)
		r.offer(n, c, 0)
		kept = append(kept, offered{n, o.action})
		if o.action != routing.Forward {
			claimed = append(claimed, o.prefix)
		}
	}
	s.offers = kept
	return claimed
}

// connected finds what an interface offers.
func (r *RIB) connected(o offered, id routing.InterfaceID) ref {
	c := r.first(o.n)
	for x := r.cand(c); x.source != routing.SourceConnected || x.place != uint32(id) || x.action != o.action; x = r.cand(c) {
		c = *r.more(c)
	}
	return c
}

func (c *candidate) setWhole(whole bool) {
	c.flags &^= isWhole
	if whole {
		c.flags |= isWhole
	}
}

// staleInterface has Flush resolve again all hops by an interface, if it
// changed, and those whose address is claimed. There are few sets of hops,
// however many routes use them.
func (r *RIB) staleInterface(id routing.InterfaceID, changed bool, claimed []netip.Prefix) {
	if !changed && len(claimed) == 0 {
		return
	}
	for _, hs := range r.sets {
		if hs == nil {
			continue
		}
		for i := range hs.hops {
			h := &hs.hops[i]
			if h.Interface == routing.NoInterface {
				continue // its watch covers that
			}
			if changed && h.Interface == id ||
				h.Address.IsValid() && slices.Contains(claimed, hostPrefix(h.Address)) {
				r.markStale(hs)
				break
			}
		}
	}
}
