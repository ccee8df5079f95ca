package ospf

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"routerd/routing/ospf/wire"
)

// known is a route as it follows from the campus, without any LSA.
type known struct {
	kind         PathType
	cost, metric uint32
	area         wire.ID // of internal ones
	otherwise    bool
}

func (k known) String() string {
	return fmt.Sprintf("%v cost %d metric %d", k.kind, k.cost, k.metric)
}

// better is RFC 2328 §16.2 to §16.4, with the area as the last word.
func (k known) better(o known) bool {
	c := cmp.Or(cmp.Compare(k.kind, o.kind), cmp.Compare(k.metric, o.metric), compareBool(k.otherwise, o.otherwise), cmp.Compare(k.cost, o.cost), cmp.Compare(o.area, k.area))
	return c < 0
}

type table map[netip.Prefix]known

func (t table) offer(p netip.Prefix, k known) {
	if old, there := t[p]; !there || k.better(old) {
		t[p] = k
	}
}

func (b *building) in(area wire.ID) bool { return slices.Contains(b.areas, area) }
func (b *building) border() bool         { return len(b.areas) > 1 }

// between are the distances of all routers of an area from one.
func (c *campus) between(area wire.ID, from *building) map[*building]uint32 {
	d := map[*building]uint32{from: 0}
	for range c.routers {
		for _, l := range c.links {
			if l.area != area {
				continue
			}
			for i, x := range l.ends {
				for _, y := range l.ends {
					far, reached := d[x]
					if !reached || x == y {
						continue
					}
					if old, known := d[y]; !known || far+uint32(l.costs[i]) < old {
						d[y] = far + uint32(l.costs[i])
					}
				}
			}
		}
	}
	return d
}

// within are the routes within areas.
func (c *campus) within(x *building) table {
	t := table{}
	for _, area := range x.areas {
		for b, d := range c.between(area, x) {
			for _, p := range b.places {
				if p.area == area {
					t.offer(p.prefix, known{kind: IntraArea, cost: d + p.cost, area: area})
				}
			}
		}
	}
	return t
}

// ranged gives the active ranges of a router's areas.
func (c *campus) ranged(x *building) map[netip.Prefix]bool {
	active := map[netip.Prefix]bool{}
	for _, area := range x.areas {
		for _, r := range c.areas[area].Ranges {
			for b := range c.between(area, x) {
				for _, p := range b.places {
					if p.area == area && r.Prefix.Contains(p.prefix.Addr()) {
						active[r.Prefix] = true
					}
				}
			}
		}
	}
	return active
}

// advertised is what a border router says into an area.
func (c *campus) advertised(b *building, area wire.ID) table {
	t, cfg := table{}, c.areas[area]
	if cfg.Type == Stub || cfg.Type == NSSA && cfg.NoSummaries {
		t[anywhere] = known{kind: InterArea, cost: cfg.DefaultCost}
	}
	if cfg.NoSummaries {
		return t
	}
	for p, k := range c.within(b) {
		if k.area == area {
			continue
		}
		i := slices.IndexFunc(c.areas[k.area].Ranges, func(r Range) bool { return r.Prefix.Contains(p.Addr()) })
		if i < 0 {
			t[p] = known{kind: InterArea, cost: k.cost}
			continue
		}
		r := c.areas[k.area].Ranges[i]
		if old := t[r.Prefix]; !r.Hide {
			cost := max(old.cost, k.cost)
			if r.Cost != 0 {
				cost = r.Cost
			}
			t[r.Prefix] = known{kind: InterArea, cost: cost}
		}
	}
	if area != backbone {
		for p, k := range c.beyond(b) {
			t.offer(p, known{kind: InterArea, cost: k.cost})
		}
	}
	return t
}

// examined are the areas whose summaries a router uses.
func (b *building) examined() []wire.ID {
	if b.border() {
		return []wire.ID{backbone}
	}
	return b.areas
}

// beyond are the routes to other areas.
func (c *campus) beyond(x *building) table {
	t, here := table{}, c.within(x)
	ranged := map[netip.Prefix]bool{}
	if x.border() {
		ranged = c.ranged(x)
	}
	for _, area := range x.examined() {
		for b, d := range c.between(area, x) {
			if b == x || !b.border() {
				continue
			}
			for p, k := range c.advertised(b, area) {
				if _, inside := here[p]; !inside && !ranged[p] {
					t.offer(p, known{kind: InterArea, cost: d + k.cost, area: area})
				}
			}
		}
	}
	return t
}

// exit is how a router reaches an AS boundary router. What border routers say of it
// in the backbone depends on what others say there, so it is found by repeating.
func (c *campus) exit(x, to *building) (best known, found bool) {
	said := map[*building]known{}
	for range 2 * len(c.routers) {
		next := map[*building]known{}
		for _, b := range c.routers {
			if k, ok := c.preferred(b, to, said); ok && b.border() && k.kind == IntraArea && k.area != backbone {
				next[b] = k
			}
		}
		said = next
	}
	return c.preferred(x, to, said)
}

func (c *campus) preferred(x, to *building, said map[*building]known) (best known, found bool) {
	for _, area := range x.areas {
		if c.areas[area].Type != Normal {
			continue
		}
		k, ok := c.exitIn(x, to, area, said)
		if ok {
			k.otherwise = !c.rfc1583 && (k.kind != IntraArea || area == backbone)
			compared := k
			compared.kind = 0 // RFC 2328 §16.4 (3)
			if !found || compared.better(known{cost: best.cost, area: best.area, otherwise: best.otherwise}) {
				best, found = k, true
			}
		}
	}
	return best, found
}

func (c *campus) exitIn(x, to *building, area wire.ID, said map[*building]known) (best known, found bool) {
	d := c.between(area, x)
	if far, ok := d[to]; ok {
		return known{kind: IntraArea, cost: far, area: area}, true
	}
	if !slices.Contains(x.examined(), area) {
		return best, false
	}
	for b, far := range d {
		if b == x || !b.border() {
			continue
		}
		k, ok := said[b]
		if area != backbone {
			k, ok = c.preferred(b, to, said)
		}
		if !ok || k.area == area {
			continue
		}
		if cost := far + k.cost; !found || cost < best.cost {
			best, found = known{kind: InterArea, cost: cost, area: area}, true
		}
	}
	return best, found
}

// routes are all routes of a router.
func (c *campus) routes(x *building) table {
	t := c.within(x)
	for p, k := range c.beyond(x) {
		t[p] = k
	}
	internal := table{}
	for p, k := range t {
		internal[p] = k
	}
	for _, o := range c.outside {
		for _, k := range c.paths(x, &o, internal) {
			k.kind, k.metric = External1, 0
			if !o.type1 {
				k.kind, k.metric = External2, o.metric
			} else {
				k.cost += o.metric
			}
			k.area = 0
			t.offer(o.prefix, k)
		}
	}
	return t
}

// paths are the ways of a router to where a route leaves the AS.
func (c *campus) paths(x *building, o *outsideRoute, internal table) (list []known) {
	home := c.areas[o.at.areas[0]].Type
	if x == o.at {
		return nil
	}
	for _, area := range x.areas {
		if c.areas[area].Type != NSSA || !o.at.in(area) {
			continue
		}
		far, ok := c.between(area, x)[o.at]
		if home == NSSA { // to an address of the router, which is in the NSSA
			k, found := lookup(internal, o.at.places[0].prefix.Addr())
			ok, far = found && k.kind == IntraArea && k.area == area, k.cost
		}
		if ok {
			list = append(list, known{cost: far, otherwise: false})
		}
	}
	if home == Normal {
		if k, ok := c.exit(x, o.at); ok {
			list = append(list, known{cost: k.cost, otherwise: k.otherwise})
		}
		return list
	}
	// Of an NSSA: the border router with the highest ID translates.
	translator := (*building)(nil)
	for _, b := range c.routers {
		if b.border() && b.in(o.at.areas[0]) {
			translator = b
		}
	}
	if translator == nil || translator == x {
		return list
	}
	if _, ok := c.exit(x, translator); ok {
		k, found := lookup(internal, o.at.places[0].prefix.Addr())
		if found && c.areas[k.area].Type == Normal {
			list = append(list, known{cost: k.cost, otherwise: !c.rfc1583 && (k.kind != IntraArea || k.area == backbone)})
		}
	}
	return list
}

// lookup finds the longest prefix.
func lookup(t table, a netip.Addr) (best known, found bool) {
	bits := -1
	for p, k := range t {
		if p.Contains(a) && p.Bits() > bits {
			best, found, bits = k, true, p.Bits()
		}
	}
	return best, found
}

// compare says where the table of a router is another one than follows from the
// campus.
func (c *campus) compare(x *building) string {
	want, got := c.routes(x), table{}
	for r := range x.m.table.All {
		got[r.Prefix()] = known{kind: r.Type, cost: r.Cost, metric: r.Metric}
	}
	text := ""
	for p, k := range want {
		if g, there := got[p]; !there {
			text += fmt.Sprintf("%v of router %d is missing, want %v\n", p, x.id, k)
		} else if g.kind != k.kind || g.cost != k.cost || g.metric != k.metric {
			text += fmt.Sprintf("%v of router %d is %v, want %v\n", p, x.id, g, k)
		}
	}
	for p, k := range got {
		if _, there := want[p]; !there {
			text += fmt.Sprintf("%v of router %d is %v, want none\n", p, x.id, k)
		}
	}
	return text
}

// follow sends a packet to a prefix by all the ways that it may go, and says where it
// goes round in a circle or ends nowhere.
func (c *campus) follow(x *building, p netip.Prefix, visited map[*building]bool) string {
	if visited[x] {
		return fmt.Sprintf("comes back to router %d", x.id)
	}
	for _, pl := range x.places {
		if pl.prefix == p {
			return ""
		}
	}
	for _, o := range c.outside {
		if o.at == x && o.prefix == p {
			return ""
		}
	}
	r := x.m.table.Find(p)
	if r == nil {
		if p.Bits() > 0 { // within a range, or by a default route
			k, found := lookup(c.routes(x), p.Addr())
			if found {
				for q := range c.routes(x) {
					if q.Contains(p.Addr()) && c.routes(x)[q] == k {
						r = x.m.table.Find(q)
					}
				}
			}
		}
		if r == nil {
			return fmt.Sprintf("router %d has no route", x.id)
		}
	}
	visited[x] = true
	defer delete(visited, x)
	hops := x.m.table.Hops.Append(nil, r.Ways, 0)
	if len(hops) == 0 && r.Prefix().Bits() > 0 {
		return fmt.Sprintf("ends at router %d", x.id)
	}
	for _, h := range hops {
		next := c.at(h.Address)
		if next == nil {
			return fmt.Sprintf("router %d sends it to %v, which is nobody", x.id, h.Address)
		}
		if text := c.follow(next, p, visited); text != "" {
			return fmt.Sprintf("from router %d to %d: %s", x.id, next.id, text)
		}
	}
	return ""
}

// at is the router with an address.
func (c *campus) at(a netip.Addr) *building {
	for _, b := range c.routers {
		for _, p := range b.ports {
			if p.has(a) {
				return b
			}
		}
	}
	return nil
}
