package nat

import (
	"routerd/flow"
	"routerd/routing"
)

// Hairpin (RFC 4787 REQ-9): an inside host reaches another one by its outside
// endpoint. Both addresses of such a packet are translated, so that the replies
// come by the router too.

// hairpins reports whether the source is to be an outside endpoint although
// the packet stays inside (RFC 4787 REQ-9a).
func (pl *plan) hairpins(r *Rules, in routing.InterfaceID) bool {
	switch c := pl.destination; {
	case r.leads[in]:
		return false
	case c != nil:
		return c.hairpin && (len(c.match.in) == 0 || !c.match.in.has(in))
	default:
		return pl.remote != 0
	}
}

// hairpin gives the rule that translates the source of k, which is from an
// inside host to the outside endpoint of another: the rule that would apply if
// the outside address were reached by its own interface, or, if no interface
// has it, by any.
func (r *Rules) hairpin(k *flow.Key, in routing.InterfaceID) (*rule, routing.InterfaceID) {
	owner, owned := r.own[k.Dst]
	for _, c := range r.source.candidates(k) {
		if c.method == Exempt || !c.match.has(k) || !c.match.in.has(in) {
			continue
		}
		switch {
		case owned && c.match.out.has(owner):
			return c, owner
		case !owned && len(c.match.out) > 0:
			return c, c.match.out[0]
		case !owned && c.method != Masquerade:
			return c, routing.NoInterface
		}
	}
	return nil, routing.NoInterface
}

// reachable reports whether inside hosts may use c for the address: the one
// that it names, or else an address of an interface that it names.
func (r *Rules) reachable(c *rule, address uint32) bool {
	if len(c.match.ranges[byDestination]) > 0 {
		return true
	}
	owner, ok := r.own[address]
	return ok && c.match.in.has(owner)
}

// alias gives a pool for an inside host that uses the outside address of rule
// c and that no source rule covers: of the interface with the address, or one
// that the rule or anything masquerades by.
func (r *Rules) alias(c *rule, address uint32) *pool {
	if owner, ok := r.own[address]; ok && r.masks[owner] != nil {
		return r.masks[owner]
	}
	for _, id := range c.match.in {
		if r.masks[id] != nil {
			return r.masks[id]
		}
	}
	return nil
}
