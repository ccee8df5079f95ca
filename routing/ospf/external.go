package ospf

import (
	"cmp"
	"net/netip"

	"routerd/routing/ospf/wire"
)

// outside is an external path: what one LSA says, and the way there.
type outside struct {
	prefix int32
	metric uint32
	route  Route
	reach  reach // to the AS boundary router, or to the forwarding address
}

// externals takes the external paths, of the AS and of each NSSA (RFC 2328 §16.4,
// RFC 3101 §2.5).
func (t *Table) externals() {
	for p := range t.outsides {
		t.offer(&t.routes[p.prefix], p.route)
	}
}

// take takes the path of one LSA, of an NSSA or, where that is nil, of the AS; LSAs
// of other types are passed over.
func (t *Table) take(e *Entry, nssa *AreaState) {
	want := wire.ExternalLSA
	if nssa != nil {
		want = wire.NSSALSA
	}
	if e.lsa.Type() != want {
		return
	}
	if p, ok := t.outside(e, nssa); ok {
		t.offer(&t.routes[p.prefix], p.route)
	}
}

// outsides gives all external paths.
func (t *Table) outsides(yield func(outside) bool) {
	for e := range t.state.AS.All(wire.ExternalLSA) {
		if p, ok := t.outside(e, nil); ok && !yield(p) {
			return
		}
	}
	for _, a := range t.state.Areas {
		if a.Type != NSSA {
			continue
		}
		for e := range a.Graph.db.All(wire.NSSALSA) {
			if p, ok := t.outside(e, a); ok && !yield(p) {
				return
			}
		}
	}
}

// outside reads the path of one LSA, of an NSSA or, where that is nil, of the AS.
func (t *Table) outside(e *Entry, nssa *AreaState) (p outside, ok bool) {
	l := e.LSA()
	body := wire.ExternalBody(l.Body())
	if !e.Usable() || body.Metric() == wire.Infinity || l.Router() == t.state.Router || e.prefix < 0 {
		return p, false
	}
	prefix := t.state.Prefixes.key(e.prefix)
	if nssa != nil && prefix.bits() == 0 && t.state.Border && (l.Options()&wire.OptionNP == 0 || nssa.NoSummaries) {
		return p, false // RFC 3101 §2.5 (3)
	}
	r, ok := t.exit(l.Router(), nssa)
	if f := body.Forwarding(); ok && f != 0 {
		r, ok = t.forward(f, nssa)
	}
	if !ok {
		return p, false
	}
	n := Route{
		prefix: prefix, Type: External1, Cost: add(r.cost, body.Metric()), Tag: body.Tag(), Ways: r.ways,
		Origin: l.Identity(), otherwise: !t.state.RFC1583 && r.otherwise(),
	}
	if body.Type2() {
		n.Type, n.Cost, n.Metric = External2, r.cost, body.Metric()
	}
	return outside{e.prefix, body.Metric(), n, r}, true
}

// exit is the way to an AS boundary router, of several the preferred one (RFC 2328
// §16.4 (3), §16.4.1).
func (t *Table) exit(id wire.ID, nssa *AreaState) (reach, bool) {
	if nssa != nil {
		return nssa.border(id, wire.RouterE)
	}
	x, known := t.exits[id]
	if !known {
		x.reach, x.found = t.preferredExit(id)
		t.exits[id] = x
	}
	return x.reach, x.found
}

func (t *Table) preferredExit(id wire.ID) (best reach, found bool) {
	for _, a := range t.state.Areas {
		r, ok := reach{}, false
		if a.Type == Normal {
			r, ok = t.boundary(a, id)
		}
		if !ok {
			continue
		}
		c := -1
		if found {
			if !t.state.RFC1583 {
				c = compareBool(r.otherwise(), best.otherwise())
			} else {
				c = 0
			}
			c = cmp.Or(c, cmp.Compare(r.cost, best.cost), cmp.Compare(best.area, r.area))
		}
		if c < 0 {
			best, found = r, true
		}
	}
	return best, found
}

// forward is the way to a forwarding address: that of the longest prefix, which has
// to be an internal route, in an area that may have such an LSA.
func (t *Table) forward(address wire.ID, nssa *AreaState) (reach, bool) {
	r, known := t.reached[address]
	if !known {
		r = t.lookup(address)
		t.reached[address] = r
	}
	if r.ways == 0 {
		return r, false
	}
	if nssa != nil {
		return r, r.kind == IntraArea && r.area == nssa.ID
	}
	a := t.area(r.area)
	return r, a != nil && a.Type == Normal
}

// lookup finds the internal route of an address. One on a network that the router
// is attached to is sent to itself.
func (t *Table) lookup(address wire.ID) (r reach) {
	to := address.Addr()
	for bits := 32; bits >= 0; bits-- {
		if !t.lengths[bits] {
			continue
		}
		n := t.Find(netip.PrefixFrom((address & wire.MaskOf(bits)).Addr(), bits))
		if n == nil || n.Type > InterArea {
			continue
		}
		number, _ := t.state.Prefixes.numbers.find(uint64(n.prefix))
		r = reach{n.Type, n.Area, n.Cost, t.Hops.onward(n.Ways, []netip.Addr{to}), number}
		if a := t.area(n.Area); n.Ways == 0 && a != nil {
			for i := range a.Attachments {
				// The network of an interface without neighbours is a stub.
				if at := &a.Attachments[i]; at.Network.IsValid() && at.Network.Contains(to) && at.Data != address {
					r.ways = t.Hops.join(r.ways, t.Hops.one(Hop{at.Interface, to}))
				}
			}
		}
		return r
	}
	return r
}
