package rib

import (
	"net/netip"
	"slices"

	"routerd/routing"
	"routerd/routing/fib"
)

// refusal is why a next hop is not usable.
type refusal uint8

const (
	usable refusal = iota
	waiting
	noRoute
	throughItself
	ownAddress
	broadcastAddress
	notNeighbour
	linkLocalAlone
	interfaceDown
	interfaceMissing
	leadsNowhere
)

// resolution is what one next hop resolves to.
type resolution struct {
	why   refusal
	via   *dest               // the route that it resolves through; with waiting, the one to decide first
	iface routing.InterfaceID // if the hop names its interface
}

// resolveHop resolves h for a route of the prefix user; nil for a route that is
// no part of the resolution.
func (r *RIB) resolveHop(h *hop, user *dest) resolution {
	switch {
	case h.missing != "":
		return resolution{why: interfaceMissing}
	case h.Address.IsValid():
		if why := r.refusedAddress(h.Address); why != usable {
			return resolution{why: why}
		}
	case h.Interface == routing.NoInterface:
		return resolution{why: leadsNowhere}
	}
	if h.watch != nil {
		if user != nil && slices.Contains(user.looped, h.watch) {
			return resolution{why: throughItself}
		}
		return r.resolveAddress(h.Address, user)
	}
	s := r.interfaces[h.Interface]
	switch {
	case s == nil:
		return resolution{why: interfaceMissing}
	case !s.Up:
		return resolution{why: interfaceDown, iface: h.Interface}
	}
	return resolution{iface: h.Interface}
}

// refusedAddress says why an address can never be a next hop.
func (r *RIB) refusedAddress(a netip.Addr) refusal {
	if a.IsMulticast() || a.IsUnspecified() || a.IsLoopback() {
		return notNeighbour
	}
	if d, ok := r.dests.Get(hostPrefix(a)); ok && d.first != nil {
		switch d.first.action {
		case routing.Local:
			return ownAddress
		case routing.Broadcast:
			return broadcastAddress
		}
	}
	return usable
}

// resolveAddress finds the route to a: the longest prefix that has a usable
// one. If that is the prefix of user, a would resolve through its own route,
// and is refused: a shorter prefix does not count, since packets would never
// reach it. Only a host route to a itself is skipped. The default route counts
// like any other.
func (r *RIB) resolveAddress(a netip.Addr, user *dest) resolution {
	if a.IsLinkLocalUnicast() {
		return resolution{why: linkLocalAlone}
	}
	for _, d := range r.dests.Supernets(hostPrefix(a)) {
		switch {
		case d == user && d.prefix.IsSingleIP():
			continue
		case d == user:
			return resolution{why: throughItself}
		case d.pending:
			return resolution{why: waiting, via: d}
		case d.entry != nil:
			return resolution{via: d}
		}
	}
	return resolution{why: noRoute}
}

// appendShares appends the shares of a resolved hop. If it resolves through a
// route that discards there are none, and the route's action is returned.
func appendShares(to []share, h *hop, res resolution) ([]share, routing.Action) {
	weight := uint64(max(h.Weight, 1))
	if res.via == nil {
		return append(to, share{neighbour{h.Address, res.iface}, weight, 1, 1}), routing.Forward
	}
	e := res.via.entry
	if e.Action != routing.Forward {
		return to, e.Action
	}
	var whole uint64
	for _, g := range e.Group.Hops() {
		whole += uint64(g.Weight)
	}
	for _, g := range e.Group.Hops() {
		to = append(to, share{gateway(g, h.Address), weight, uint64(g.Weight), whole})
	}
	return to, routing.Forward
}

// gateway is the neighbour that a packet for a goes to by the hop g: a itself
// if the hop has no address, since a then is on the link.
func gateway(g fib.NextHop, a netip.Addr) neighbour {
	if g.Address.IsValid() {
		a = g.Address
	}
	return neighbour{a, g.Interface}
}

// wait is a next hop that cannot be resolved before on is decided.
type wait struct {
	watch *watch
	on    *dest
}

// gathering collects what one or several sets of hops resolve to.
type gathering struct {
	shares  []share
	discard routing.Action // of a hop through a route that discards; Forward = none
	waits   []wait
}

// gather adds the usable hops of hs for a route of the prefix user, and
// reports whether there is any.
func (g *gathering) gather(r *RIB, hs *hopSet, user *dest) bool {
	any := false
	for i := range hs.hops {
		h := &hs.hops[i]
		res := r.resolveHop(h, user)
		switch res.why {
		case waiting:
			g.waits = append(g.waits, wait{h.watch, res.via})
		case usable:
			var discard routing.Action
			g.shares, discard = appendShares(g.shares, h, res)
			if discard != routing.Forward && g.discard == routing.Forward {
				g.discard = discard
			}
			any = true
		}
	}
	return any
}

// outcome gives the result: packets go by the hops that forward, and are
// discarded only if every usable hop resolves through a route that discards.
func (g *gathering) outcome(r *RIB) outcome {
	switch {
	case len(g.shares) > 0:
		return outcome{true, routing.Forward, r.acquireGroup(g.shares)}
	case g.discard != routing.Forward:
		return outcome{true, g.discard, nil}
	}
	return outcome{}
}
