package nat

import (
	"fmt"
	"slices"

	"routerd/flow"
	"routerd/routing"
)

// mostAddresses is the largest size of a pool, a /16.
const mostAddresses = 1 << 16

func (c *compiler) pool(p *PoolConfig) error {
	if p.Name == "" {
		return fmt.Errorf("it has no name; want one, which rules call it by")
	}
	if c.pools[p.Name] != nil {
		return fmt.Errorf("the name is used twice; want one for each pool")
	}
	if len(p.Addresses) == 0 {
		return fmt.Errorf("it has no addresses; want one at least")
	}
	if p.Ports.First > p.Ports.Last {
		return fmt.Errorf("ports %s: want the lower one first", p.Ports)
	}
	taken, err := c.take(PoolNamed, p.Name, p.Addresses, p.Ports)
	if err != nil {
		return err
	}
	c.pools[p.Name] = taken
	return nil
}

// take gives the pool of that definition: the one in use, or a new one.
func (c *compiler) take(kind PoolKind, name string, ranges []flow.AddressRange, ports flow.PortRange) (*pool, error) {
	if ports == (flow.PortRange{}) {
		ports = flow.PortRange{First: 1, Last: 65535}
	}
	text := fmt.Sprint(kind, " ", name, " ", ranges, " ", ports)
	for _, p := range c.rules.pools {
		if p.text == text {
			return p, nil
		}
	}
	var list intervals
	size := 0
	for _, r := range ranges {
		i, err := addresses(r)
		if err != nil {
			return nil, err
		}
		if size += int(i.hi-i.lo) + 1; size > mostAddresses {
			return nil, fmt.Errorf("addresses %s: a pool can have %d at most", r, mostAddresses)
		}
		if kind != PoolInterface {
			c.rules.outside.add(i)
		}
		list = append(list, i)
	}
	p := c.n.pools[text]
	if p == nil {
		p = &pool{name: name, kind: kind, text: text, ranges: list, first: ports.First, last: ports.Last}
		for _, i := range list {
			for a := uint64(i.lo); a <= uint64(i.hi); a++ {
				p.spaces = append(p.spaces, c.space(uint32(a)))
			}
		}
	}
	for _, s := range p.spaces {
		c.rules.spaces[s.addr] = s
	}
	c.rules.pools = append(c.rules.pools, p)
	return p, nil
}

// space gives the ports of an outside address. They survive a reload.
func (c *compiler) space(a uint32) *space {
	s := c.rules.spaces[a]
	if s == nil {
		if s = c.n.spaces[a]; s == nil {
			s = &space{addr: a}
		}
		c.rules.spaces[a] = s
	}
	return s
}

// has reports whether the pool has an address of i.
func (p *pool) has(i interval) bool {
	return slices.ContainsFunc(p.ranges, i.overlaps)
}

// masquerade makes the pool of every interface that a rule may masquerade by.
func (c *compiler) masquerade(ifs []Interface) {
	for _, i := range ifs {
		a, ok := first4(i.Addresses)
		if !ok || !slices.ContainsFunc(c.rules.all, func(r *rule) bool { return r.masquerades(i.ID) }) {
			continue
		}
		// take cannot fail for one IPv4 address.
		p, err := c.take(PoolInterface, i.Name, []flow.AddressRange{{First: a, Last: a}}, flow.PortRange{})
		if err != nil {
			panic(err)
		}
		c.rules.masks[i.ID] = p
	}
}

// masquerades reports whether r may need a port of the address of the
// interface: to masquerade, or for inside hosts that use its outside address.
func (r *rule) masquerades(id routing.InterfaceID) bool {
	if r.kind == KindSource {
		return r.method == Masquerade && r.match.out.has(id)
	}
	return r.hairpin && len(r.match.in) > 0 && r.match.in.has(id)
}

// finish builds the lookup structures of the Rules.
func (c *compiler) finish() {
	r := c.rules
	r.destination, r.source = newIndex(c.destination), newIndex(c.source)
	for _, s := range c.source {
		if len(s.match.out) == 0 {
			r.anywhere = true
		}
		for _, id := range s.match.out {
			r.by[id], r.leads[id] = true, true
		}
	}
	r.outside.sort()
}

// sort puts the ranges in order and joins those that overlap or touch.
func (o *outside) sort() {
	slices.SortFunc(o.ranges, func(a, b interval) int {
		switch {
		case a.lo < b.lo:
			return -1
		case a.lo > b.lo:
			return 1
		}
		return 0
	})
	joined := o.ranges[:0]
	for _, i := range o.ranges {
		if n := len(joined); n > 0 && uint64(i.lo) <= uint64(joined[n-1].hi)+1 {
			joined[n-1].hi = max(joined[n-1].hi, i.hi)
			continue
		}
		joined = append(joined, i)
	}
	o.ranges = joined
}

// kept lists the ports of s that mappings must not get: those of destination
// rules, and those that the router listens at.
func (n *NAT) kept(r *Rules, s *space) map[port]holder {
	held := map[port]holder{}
	for _, c := range r.all {
		if c.kind == KindDestination && len(c.match.ranges[byDestinationPort]) > 0 && c.covers(r, s.addr) {
			c.keep(held)
		}
	}
	for _, l := range n.listeners {
		if i, ok := slot(l.Protocol); ok && l.at(s.addr) {
			held[port{i, l.Port}] = forListener
		}
	}
	return held
}

// covers reports whether c translates packets to the address a.
func (c *rule) covers(r *Rules, a uint32) bool {
	if len(c.match.ranges[byDestination]) > 0 {
		return c.match.ranges[byDestination].has(a)
	}
	id, ok := r.own[a]
	return ok && c.match.in.has(id)
}

// keep adds the ports that c names to held. A rule for all ports reserves none:
// it gets the packets that no mapping is for.
func (c *rule) keep(held map[port]holder) {
	for _, i := range c.match.ranges[byDestinationPort] {
		if i.lo <= 1 && i.hi == 65535 {
			continue
		}
		for _, proto := range []uint8{protoTCP, protoUDP} {
			if !c.match.protocols.has(proto) {
				continue
			}
			at, _ := slot(proto)
			for p := i.lo; p <= i.hi; p++ {
				held[port{at, uint16(p)}] = forForward
			}
		}
	}
}
