package rib

import (
	"encoding/binary"
	"hash/fnv"
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
	watchedDead
	leadsNowhere
)

// resolution is what one next hop resolves to.
type resolution struct {
	why   refusal
	via   number              // the route that it resolves through; with waiting, the one to decide first
	iface routing.InterfaceID // if the hop names its interface
}

// resolveHop resolves h for a route of the prefix user; 0 for a route that is
// no part of the resolution.
func (r *RIB) resolveHop(h *hop, user number) resolution {
	switch {
	case h.missing != "":
		return resolution{why: interfaceMissing}
	case h.dead:
		return resolution{why: watchedDead}
	case h.Address.IsValid():
		if why := r.refusedAddress(h.Address); why != usable {
			return resolution{why: why}
		}
	case h.Interface == routing.NoInterface:
		return resolution{why: leadsNowhere}
	}
	if h.watch != nil {
		if t := r.transits[user]; t != nil && slices.Contains(t.looped, h.watch) {
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
	if n := r.find(hostPrefix(a)); n != 0 && r.first(n) != 0 {
		switch r.at(n).action {
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
func (r *RIB) resolveAddress(a netip.Addr, user number) resolution {
	if a.IsLinkLocalUnicast() {
		return resolution{why: linkLocalAlone}
	}
	for n := range r.above(a) {
		d := r.at(n)
		switch {
		case n == user && int(d.bits) == a.BitLen():
			continue
		case n == user:
			return resolution{why: throughItself}
		case d.is(isPending):
			return resolution{why: waiting, via: n}
		case d.leads != 0:
			return resolution{via: n}
		}
	}
	return resolution{why: noRoute}
}

// sharesOf gives the shares of a resolved hop, and those of the backups of the
// route that it resolves through. If that discards there are none, and its action
// is returned.
func (r *RIB) sharesOf(h *hop, res resolution) (shares, backups []share, discard routing.Action) {
	if res.via == 0 {
		return []share{{neighbour{h.Address, res.iface}, uint64(max(h.Weight, 1)), 1, 1}}, nil, routing.Forward
	}
	l := r.at(res.via).leads
	if l < firstGroup {
		return nil, nil, l.action()
	}
	g := r.led[l]
	return h.through(g.Hops()), h.through(g.Backups()), routing.Forward
}

// through gives the shares of h by the hops that it resolves to.
func (h *hop) through(hops []fib.NextHop) (shares []share) {
	var whole uint64
	for _, g := range hops {
		whole += uint64(g.Weight)
	}
	for _, g := range hops {
		shares = append(shares, share{gateway(g, h.Address), uint64(max(h.Weight, 1)), uint64(g.Weight), whole})
	}
	return shares
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
	on    number
}

// gathering collects what one or several sets of hops resolve to.
type gathering struct {
	gathered          // of the hops that are no backups
	backup   gathered // of those that are, and of the backups of routes that the others resolve through
	waits    []wait
}

// gathered is what hops resolve to.
type gathered struct {
	shares  []share
	discard routing.Action // of a hop through a route that discards; Forward = none
	any     bool           // any is usable
}

// add adds what a usable hop resolves to.
func (g *gathered) add(shares []share, discard routing.Action) {
	g.any = true
	g.shares = append(g.shares, shares...)
	if g.discard == routing.Forward {
		g.discard = discard
	}
}

// gather adds the usable hops of hs for a route of the prefix user, and
// reports whether there is any. The backups of what a backup resolves to do not
// serve.
func (g *gathering) gather(r *RIB, hs *hopSet, user number) bool {
	any := false
	for i := range hs.hops {
		h := &hs.hops[i]
		res := r.resolveHop(h, user)
		switch res.why {
		case waiting:
			g.waits = append(g.waits, wait{h.watch, res.via})
		case usable:
			any = true
			shares, backups, discard := r.sharesOf(h, res)
			if h.Backup {
				g.backup.add(shares, discard)
				break
			}
			g.add(shares, discard)
			g.backup.shares = append(g.backup.shares, backups...)
		}
	}
	return any
}

// sum is a number that is another one, but for an unlikely chance, where anything was gathered
// that another set's hops would be put together with differently: one more hop to the same
// neighbour leads where it did before, and has a greater share beside the hops of an equal route.
func (g *gathering) sum() uint64 {
	sum := fnv.New64a()
	var b [16 + 1 + 2 + 3*8]byte
	for _, part := range [...]*gathered{&g.gathered, &g.backup} {
		b[0], b[1] = byte(part.discard), byte(btoi(part.any))
		binary.BigEndian.PutUint32(b[2:], uint32(len(part.shares)))
		sum.Write(b[:6])
		for _, s := range part.shares {
			a := s.address.As16()
			copy(b[:], a[:])
			b[16] = byte(s.address.BitLen())
			binary.BigEndian.PutUint16(b[17:], uint16(s.iface))
			for i, x := range [...]uint64{s.weight, s.part, s.whole} {
				binary.BigEndian.PutUint64(b[19+8*i:], x)
			}
			sum.Write(b[:])
		}
	}
	return sum.Sum64()
}

// outcome gives the result: packets go by the hops that forward, and are
// discarded only if every usable hop resolves through a route that discards.
// Backups alone serve as if they were none. The caller gets a reference to it.
func (g *gathering) outcome(r *RIB) leads {
	serve, backups := g.gathered, g.backup.shares
	if !serve.any {
		serve, backups = g.backup, nil
	}
	if len(serve.shares) > 0 {
		return r.acquireGroup(serve.shares, backups)
	}
	return leads(serve.discard) // Forward is 0, nothing
}
