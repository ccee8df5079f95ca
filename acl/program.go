package acl

import (
	"fmt"

	"routerd/flow"
	"routerd/internal/packet"
)

// program compiles the rules of a list that may match packets of the family.
func (c *compiler) program(l *List, rules []*rule, family uint8) (program, error) {
	var p program
	var protocols, sources, destinations, from, to [][]interval
	var kinds [][states]bool
	for i := range l.Rules {
		r := &l.Rules[i]
		if !r.speaks(family) {
			continue
		}
		s, anySource, err := c.addresses(r.Sources, r.SourceSets, family)
		if err != nil {
			return p, fmt.Errorf("rule %q: source %w", r.Name, err)
		}
		d, anyDestination, err := c.addresses(r.Destinations, r.DestinationSets, family)
		if err != nil {
			return p, fmt.Errorf("rule %q: destination %w", r.Name, err)
		}
		if !anySource && len(s) == 0 || !anyDestination && len(d) == 0 {
			continue // it names addresses of the other family alone, or an empty set
		}
		p.rules = append(p.rules, rules[i])
		protocols = append(protocols, protocolIntervals(r))
		sources, destinations = append(sources, s), append(destinations, d)
		from, to = append(from, ports(r.SourcePorts)), append(to, r.targets())
		kinds = append(kinds, r.matches())
	}
	p.words = (len(p.rules) + 63) / 64
	p.protocols, p.sources, p.destinations = newRanges(protocols), newRanges(sources), newRanges(destinations)
	p.fromPorts, p.toPorts = newRanges(from), newRanges(to)
	for s := range states {
		p.states[s] = make([]uint64, p.words)
		for n, k := range kinds {
			if k[s] {
				p.states[s][n>>6] |= 1 << (n & 63)
			}
		}
	}
	return p, nil
}

// speaks reports whether the rule can match packets of the family at all, its
// addresses aside.
func (r *Rule) speaks(family uint8) bool {
	if r.Family != 0 && r.Family != family {
		return false
	}
	return len(r.Protocols) != 1 || r.Protocols[0] != packet.ProtoICMP && r.Protocols[0] != packet.ProtoICMPv6 ||
		(r.Protocols[0] == packet.ProtoICMP) == (family == 4)
}

// matches says which states the rule matches, see doc.go.
func (r *Rule) matches() (m [states]bool) {
	if len(r.States) == 0 {
		return [states]bool{New: true, Related: true, Established: true, Invalid: r.Action != Accept}
	}
	for _, s := range r.States {
		m[s] = true
	}
	return m
}

// addresses gives the intervals of the family; all says that the rule names no
// addresses, and so matches every one.
func (c *compiler) addresses(list []flow.AddressRange, sets []string, family uint8) (out []interval, all bool, err error) {
	if len(list)+len(sets) == 0 {
		return nil, true, nil
	}
	add := func(r flow.AddressRange) error {
		if !r.First.IsValid() || r.First.Is4() != r.Last.Is4() || r.Last.Less(r.First) || r.First.Is4In6() || r.Last.Is4In6() {
			return fmt.Errorf("%s: want two addresses of one family, the lower one first", r)
		}
		if r.First.Is4() == (family == 4) {
			out = append(out, interval{numberOf(r.First), numberOf(r.Last)})
		}
		return nil
	}
	for _, r := range list {
		if err := add(r); err != nil {
			return nil, false, err
		}
	}
	for _, name := range sets {
		s := c.sets[name]
		if s == nil {
			return nil, false, fmt.Errorf("set %q: there is no such prefix-set", name)
		}
		for _, p := range s.Prefixes {
			if err := add(flow.RangeOf(p)); err != nil {
				return nil, false, fmt.Errorf("set %q: %w", name, err)
			}
		}
	}
	return out, false, nil
}

func number(v uint64) address { return address{lo: v} }

func protocolIntervals(r *Rule) []interval {
	var list []interval
	for _, p := range r.Protocols {
		list = append(list, interval{number(uint64(p)), number(uint64(p))})
	}
	return list
}

func ports(ranges []flow.PortRange) []interval {
	var list []interval
	for _, r := range ranges {
		list = append(list, interval{number(uint64(r.First)), number(uint64(r.Last))})
	}
	return list
}

// targets are the destination ports or, of ICMP, types and codes: no rule has
// both, and no protocol either.
func (r *Rule) targets() []interval {
	list := ports(r.DestinationPorts)
	for _, t := range r.ICMP {
		first, last := t.Code, t.Code
		if t.All {
			first, last = 0, 255
		}
		list = append(list, interval{number(uint64(t.Type)<<8 | uint64(first)), number(uint64(t.Type)<<8 | uint64(last))})
	}
	return list
}
