package acl

import (
	"fmt"

	"routerd/internal/origin"
	"routerd/routing"
)

// Zone is interfaces that are filtered alike, identified by its Name. An
// interface is in one zone at most.
type Zone struct {
	Name       string
	Interfaces []string
	Origin     origin.ID
}

// Policy has a list decide about what is forwarded from one zone to another. Of
// each pair of zones there is one at most. One from a zone to itself is for what
// is forwarded between interfaces of the zone, which passes without one.
type Policy struct {
	From, To string // names of zones
	List     string
	Origin   origin.ID
}

// mostZones is the most zones that there may be.
const mostZones = 64

// Passage is what applies to packets that are forwarded from one zone to
// another, or between a zone and an interface in none.
type Passage struct {
	From, To string    // names of zones; "" = no zone
	List     *Compiled // nil without a policy: then all are dropped
	Number   uint32    // without a policy: what such packets are counted by
	Origin   origin.ID // of the policy or, without one, of a zone that it would be of
}

// zones is compiled Zones and Policies. The zero zones have none.
type zones struct {
	of       []uint8    // the number of an interface's zone, by InterfaceID; 0 = none
	names    []Zone     // by number; the first one is no zone
	passages []*Passage // by number of From * len(names) + number of To; nil = what passes unasked
	missing  []uint32   // the numbers of passages without a policy
}

// Zoned reports whether there are zones.
func (r *Rules) Zoned() bool { return len(r.zones.names) > 0 }

// Between is what applies to packets that are forwarded from one interface to
// another; nil for those that no policy is asked about.
func (r *Rules) Between(in, out routing.InterfaceID) *Passage {
	return r.zones.passages[r.zones.number(in)*len(r.zones.names)+r.zones.number(out)]
}

// Zone is the zone of an interface, the zero Zone for one in none.
func (r *Rules) Zone(i routing.InterfaceID) Zone {
	if !r.Zoned() {
		return Zone{}
	}
	return r.zones.names[r.zones.number(i)]
}

func (z *zones) number(i routing.InterfaceID) int {
	if int(i) >= len(z.of) {
		return 0
	}
	return int(z.of[i])
}

// zone compiles the zones and the policies between them.
func (c *compiler) zone(lists map[string]*Compiled) error {
	if len(c.cfg.Zones) == 0 && len(c.cfg.Policies) == 0 {
		return nil
	}
	z := &c.rules.zones
	if len(c.cfg.Zones) > mostZones {
		return fmt.Errorf("%d zones; want %d at most", len(c.cfg.Zones), mostZones)
	}
	z.names = []Zone{{}}
	numbers := map[string]int{}
	for _, zone := range c.cfg.Zones {
		if zone.Name == "" || numbers[zone.Name] != 0 {
			return fmt.Errorf("zone %q: want a name that no other zone has", zone.Name)
		}
		numbers[zone.Name] = len(z.names)
		for _, name := range zone.Interfaces {
			if err := c.join(name, numbers[zone.Name]); err != nil {
				return fmt.Errorf("zone %q: %w", zone.Name, err)
			}
		}
		z.names = append(z.names, zone)
	}
	z.passages = make([]*Passage, len(z.names)*len(z.names))
	for _, p := range c.cfg.Policies {
		from, to, list := numbers[p.From], numbers[p.To], lists[p.List]
		switch {
		case from == 0 || to == 0:
			return fmt.Errorf("policy from zone %q to zone %q: want two zones that exist", p.From, p.To)
		case list == nil:
			return fmt.Errorf("policy from zone %q to zone %q: acl %q: there is no such list", p.From, p.To, p.List)
		case z.passages[from*len(z.names)+to] != nil:
			return fmt.Errorf("policy from zone %q to zone %q: want one of each pair", p.From, p.To)
		}
		z.passages[from*len(z.names)+to] = &Passage{From: p.From, To: p.To, List: list, Origin: p.Origin}
	}
	return c.missing()
}

// join puts an interface into a zone.
func (c *compiler) join(name string, zone int) error {
	id, ok := c.ids[name]
	if !ok {
		return fmt.Errorf("interface %q does not exist", name)
	}
	z := &c.rules.zones
	for len(z.of) <= int(id) {
		z.of = append(z.of, 0)
	}
	if z.of[id] != 0 {
		return fmt.Errorf("interface %q is in the zone %q already; want one zone at most", name, z.names[z.of[id]].Name)
	}
	z.of[id] = uint8(zone)
	return nil
}

// missing makes the passages of the pairs of zones that have no policy.
func (c *compiler) missing() error {
	z := &c.rules.zones
	for from := range z.names {
		for to := range z.names {
			if at := from*len(z.names) + to; from != to && z.passages[at] == nil {
				f, t := &z.names[from], &z.names[to]
				p := &Passage{From: f.Name, To: t.Name, Origin: f.Origin}
				if from == 0 {
					p.Origin = t.Origin
				}
				var err error
				p.Number, err = c.enter(entry{from: f.Name, to: t.Name, action: Drop, origin: p.Origin})
				if err != nil {
					return err
				}
				z.passages[at], z.missing = p, append(z.missing, p.Number)
			}
		}
	}
	return nil
}

// Missing calls yield with the numbers of the pairs of zones without a policy.
func (r *Rules) Missing(yield func(number uint32) bool) {
	for _, n := range r.zones.missing {
		if !yield(n) {
			return
		}
	}
}
