package sim

import (
	"fmt"
	"net/netip"
	"slices"

	"routerd/routing"
	"routerd/routing/ospf"
	"routerd/routing/ospf/wire"
)

// ospfOracle works out what every router is to know from nothing but the links
// that carry frames, their costs and their areas: by relaxation within an area,
// and by what RFC 2328 §12.4.3 and §16.2 to §16.4 say of border routers.
type ospfOracle struct {
	*ospfSite
	// within are the costs from one router to another inside an area.
	within [ospfAreas]map[[2]int]int
	owners map[netip.Prefix][]owner
	tables []map[netip.Prefix]ospfDue
}

// owner is a router whose interface is on a subnet, with the cost to it.
type owner struct{ router, area, cost int }

// ospfDue is what a router is to know of a prefix.
type ospfDue struct {
	kind   ospf.PathType
	cost   int    // to it; of an external of type 2, to its border router
	metric uint32 // of an external route
	ways   []string
}

// oracle works it out for some routers of the network as it is now.
func (s *ospfSite) oracle(of []*ospfRouter) *ospfOracle {
	o := &ospfOracle{ospfSite: s, owners: map[netip.Prefix][]owner{}, tables: make([]map[netip.Prefix]ospfDue, len(s.routers))}
	for a := range o.within {
		o.within[a] = s.costs(a)
	}
	for _, r := range s.routers {
		o.own(loopbackOf(r.number), owner{r.number, r.areas[0], 0})
		o.own(stubOf(r.number), owner{r.number, r.areas[0], int(r.config.Interfaces["stub"].Cost)})
	}
	for _, l := range s.Links {
		if l.Up() {
			for _, e := range l.ends {
				o.own(e.address().Masked(), owner{s.of[e.Node].number, s.area[l], s.cost(e)})
			}
		}
	}
	for _, r := range of {
		x := r.number
		o.tables[x] = map[netip.Prefix]ospfDue{}
		for p := range o.owners {
			if d, ok := o.internal(x, o.owners[p]); ok {
				o.tables[x][p] = d
			}
		}
		o.external(x)
		o.fallback(x)
	}
	return o
}

func (o *ospfOracle) own(p netip.Prefix, by owner) { o.owners[p] = append(o.owners[p], by) }

// cost is that of the interface at an end.
func (s *ospfSite) cost(e *End) int { return int(s.of[e.Node].config.Interfaces[e.Interface].Cost) }

// costs gives the least cost from each router of an area to each other, by
// relaxing every link until nothing is cheaper.
func (s *ospfSite) costs(area int) map[[2]int]int {
	d := map[[2]int]int{}
	var members []*ospfRouter
	for _, r := range s.routers {
		if slices.Contains(r.areas, area) {
			members = append(members, r)
			d[[2]int{r.number, r.number}] = 0
		}
	}
	for changed := true; changed; {
		changed = false
		for _, l := range s.Links {
			if s.area[l] != area || !l.Carries() {
				continue
			}
			for _, from := range l.ends {
				for _, to := range l.ends {
					changed = from != to && relax(d, members, s.of[from.Node].number, s.of[to.Node].number, s.cost(from)) || changed
				}
			}
		}
	}
	return d
}

// relax takes the step from a to b into all paths to members that begin at a.
func relax(d map[[2]int]int, members []*ospfRouter, a, b, cost int) (changed bool) {
	for _, r := range members {
		rest, ok := d[[2]int{b, r.number}]
		if was, known := d[[2]int{a, r.number}]; ok && (!known || cost+rest < was) {
			d[[2]int{a, r.number}] = cost + rest
			changed = true
		}
	}
	return changed
}

// hops are the ways of a router to another inside an area.
func (o *ospfOracle) hops(area, x, to int) (ways []string) {
	for _, e := range o.routers[x].node.order {
		l := e.Link
		if l == nil || o.area[l] != area || !l.Carries() {
			continue
		}
		for _, other := range l.ends {
			if rest, ok := o.within[area][[2]int{o.of[other.Node].number, to}]; other != e && ok && o.cost(e)+rest == o.within[area][[2]int{x, to}] {
				ways = append(ways, e.Interface+" "+other.address().Addr().String())
			}
		}
	}
	return ways
}

// take takes in a way of a kind at a cost; a better one takes the place of others.
func (d *ospfDue) take(known *bool, kind ospf.PathType, cost int, ways []string) {
	switch {
	case !*known || kind < d.kind || kind == d.kind && cost < d.cost:
		*d, *known = ospfDue{kind: kind, cost: cost, ways: ways}, true
	case kind == d.kind && cost == d.cost:
		d.ways = append(d.ways, ways...)
	}
}

// inside is the route to what the owners have inside one area.
func (o *ospfOracle) inside(x, area int, owners []owner) (d ospfDue, known bool) {
	for _, by := range owners {
		if c, ok := o.within[area][[2]int{x, by.router}]; ok && by.area == area {
			d.take(&known, ospf.IntraArea, c+by.cost, o.hops(area, x, by.router))
		}
	}
	return d, known
}

// border reports whether a router stands between the backbone and another area.
func (o *ospfOracle) border(x int) bool {
	return len(o.routers[x].areas) > 1 && o.routers[x].areas[0] == 0
}

// connected reports whether a border router is adjacent to anybody in the backbone:
// one that is not examines what is said into its other areas too, and passes nothing
// of it on (RFC 3509 §2.2).
func (o *ospfOracle) connected(x int) bool {
	return slices.ContainsFunc(o.routers[x].node.order, func(e *End) bool {
		return e.Link != nil && e.Link.Carries() && o.area[e.Link] == 0
	})
}

// internal is the route of a router to what the owners have in any area: inside an
// area of its own (§16.1), or else by a border router (§16.2), of which border
// routers take those of the backbone alone. Equal ways are of one area (§16.8), which
// is the highest.
func (o *ospfOracle) internal(x int, owners []owner) (d ospfDue, known bool) {
	for _, a := range o.routers[x].areas {
		if in, ok := o.inside(x, a, owners); ok {
			d.take(&known, ospf.IntraArea, in.cost, in.ways)
		}
	}
	if known {
		return d, true
	}
	for _, a := range o.routers[x].areas {
		if by, ok := o.between(x, a, owners); ok && (!known || by.cost <= d.cost) {
			d, known = by, true
		}
	}
	return d, known
}

// between is the route by the border routers of one area.
func (o *ospfOracle) between(x, area int, owners []owner) (d ospfDue, known bool) {
	if area != 0 && o.border(x) && o.connected(x) {
		return d, false
	}
	for b := range o.routers {
		if b == x || !o.border(b) {
			continue
		}
		c, reached := o.within[area][[2]int{x, b}]
		if !reached {
			continue
		}
		if said, ok := o.summary(b, area, owners); ok {
			d.take(&known, ospf.InterArea, c+said, o.hops(area, x, b))
		}
	}
	return d, known
}

// boundary is the route of a router to one that redistributes. Each area has one,
// and as RFC 1583 has it the cost alone decides between those, and if need be the
// number of the area (RFC 2328 §16.4 (3)).
func (o *ospfOracle) boundary(x, y int) (d ospfDue, known bool) {
	owners := []owner{{y, o.routers[y].areas[0], 0}}
	for _, a := range o.routers[x].areas {
		by, ok := o.inside(x, a, owners)
		if !ok && a < ospfStub { // others hear of no such routers
			by, ok = o.between(x, a, owners)
		}
		if ok && (!known || by.cost <= d.cost) {
			d, known = by, true
		}
	}
	return d, known
}

// summary is the cost that a border router says into an area (§12.4.3): of what is
// inside another area of its own, and into areas but the backbone also of what it
// reaches over the backbone.
func (o *ospfOracle) summary(b, into int, owners []owner) (cost int, ok bool) {
	if !slices.Contains(o.routers[b].areas, into) {
		return 0, false
	}
	for _, a := range o.routers[b].areas {
		if in, inside := o.inside(b, a, owners); inside {
			if a == into {
				return 0, false // its own route stays inside
			}
			if !ok || in.cost < cost {
				cost, ok = in.cost, true
			}
		}
	}
	if ok || into == 0 || !o.connected(b) {
		return cost, ok
	}
	d, ok := o.internal(b, owners)
	return d.cost, ok
}

// external adds the routes that other routers redistribute, for those with an area
// that has such.
func (o *ospfOracle) external(x int) {
	if !slices.ContainsFunc(o.routers[x].areas, func(a int) bool { return a < ospfStub }) {
		return
	}
	for y, r := range o.routers {
		if x == y || len(r.externals) == 0 {
			continue
		}
		at, reached := o.boundary(x, y)
		if !reached {
			continue
		}
		for _, e := range r.externals {
			d := ospfDue{kind: ospf.External2, cost: at.cost, metric: e.metric, ways: at.ways}
			if e.type1 {
				d.kind, d.cost, d.metric = ospf.External1, at.cost+int(e.metric), 0
			}
			was, known := o.tables[x][e.prefix]
			order := slices.Compare([]int{int(d.kind), int(d.metric), d.cost}, []int{int(was.kind), int(was.metric), was.cost})
			switch {
			case !known || order < 0:
				o.tables[x][e.prefix] = d
			case order == 0:
				was.ways = append(was.ways, d.ways...)
				o.tables[x][e.prefix] = was
			}
		}
	}
}

// fallback adds the default route that border routers say into the stub area, which
// none of them takes of another.
func (o *ospfOracle) fallback(x int) {
	if o.border(x) || !slices.Contains(o.routers[x].areas, ospfStub) {
		return
	}
	var d ospfDue
	known := false
	for b := range o.routers {
		if c, ok := o.within[ospfStub][[2]int{x, b}]; ok && b != x && o.border(b) {
			d.take(&known, ospf.InterArea, c+1, o.hops(ospfStub, x, b))
		}
	}
	if known {
		o.tables[x][netip.MustParsePrefix("0.0.0.0/0")] = d
	}
}

// by reports whether the ways, sorted, are those that are due, or as many of them
// as are used at all.
func (d *ospfDue) by(ways []string) bool {
	due := slices.Clone(d.ways)
	slices.Sort(due)
	due = slices.Compact(due)
	most := ospf.DefaultConfig().MaximumPaths
	if len(due) <= most {
		return slices.Equal(ways, due)
	}
	return len(ways) == most && !slices.ContainsFunc(ways, func(w string) bool { return !slices.Contains(due, w) })
}

// metricDue is what the RIB is told as the metric.
func (d *ospfDue) metricDue() uint32 {
	if d.kind == ospf.External2 {
		return d.metric
	}
	return uint32(d.cost)
}

// check holds the quiet network to its promises: no loop, no blackhole where there
// is a way, every table what it is to be and nothing beyond, and databases equal.
func (s *ospfSite) check() []string { return s.checkSome(s.routers) }

// checkSome does so with the tables of some routers, and the ways from them to the
// stubs of each other.
func (s *ospfSite) checkSome(of []*ospfRouter) (wrong []string) {
	o := s.oracle(of)
	for _, r := range of {
		wrong = append(wrong, o.compare(r)...)
	}
	return append(append(wrong, o.astray(of)...), s.databases()...)
}

// compare holds what a router forwards by to what it is to know.
func (o *ospfOracle) compare(r *ospfRouter) (wrong []string) {
	fault := func(format string, args ...any) {
		wrong = append(wrong, r.node.Name+" "+fmt.Sprintf(format, args...))
	}
	n := r.node
	own := map[netip.Prefix]bool{}
	for _, e := range r.externals {
		own[e.prefix] = true
	}
	for p, by := range o.owners {
		own[p] = own[p] || slices.ContainsFunc(by, func(w owner) bool { return w.router == r.number })
	}
	due := o.tables[r.number]
	for p, w := range due {
		e := n.Router.FIB().Get(p)
		switch {
		case e == nil:
			fault("does not forward %v, want %+v", p, w)
		case own[p]:
			if e.Source == routing.SourceOSPF {
				fault("forwards %v by %v, which is its own", p, e.Source)
			}
		default:
			var ways []string
			for _, h := range e.Group.Hops() {
				ways = append(ways, n.Router.View().Interface(h.Interface).Name+" "+h.Address.String())
			}
			if slices.Sort(ways); e.Source != routing.SourceOSPF || e.Metric != w.metricDue() || !w.by(ways) {
				fault("forwards %v by %v with metric %d by %v, want %+v", p, e.Source, e.Metric, ways, w)
			}
		}
	}
	for _, e := range n.Router.FIB().Walk(netip.Prefix{}, 1<<20) {
		if _, ok := due[e.Prefix]; !ok && e.Source == routing.SourceOSPF {
			fault("forwards %v, which is nowhere", e.Prefix)
		}
	}
	slices.Sort(wrong)
	return wrong
}

// whole reports whether all routers of the backbone reach each other in it. Where
// they do not, packets may be sent, as the protocol has it, to a border router that
// does not know the way that another one spoke of.
func (o *ospfOracle) whole() bool {
	for _, a := range o.routers {
		for _, b := range o.routers {
			if _, ok := o.within[0][[2]int{a.number, b.number}]; !ok && a.areas[0] == 0 && b.areas[0] == 0 {
				return false
			}
		}
	}
	return true
}

// astray is where packets to the stubs loop, or end though there is a way.
func (o *ospfOracle) astray(of []*ospfRouter) (wrong []string) {
	whole := o.whole()
	for _, from := range of {
		for _, to := range of {
			w := walk{net: o.Network, from: from.node, to: Target{hostOf(to.number), to.node}, on: map[*Node]bool{}}
			_, known := o.tables[from.number][stubOf(to.number)]
			w.must = known && whole
			w.follow(from.node)
			for _, f := range w.faults {
				wrong = append(wrong, f.String())
			}
		}
	}
	return wrong
}

// databases compares what routers that reach each other inside an area have of it,
// and of the AS.
func (s *ospfSite) databases() (wrong []string) {
	for area := range ospfAreas {
		within := s.costs(area)
		for _, a := range s.routers {
			for _, b := range s.routers[a.number+1:] {
				if _, ok := within[[2]int{a.number, b.number}]; !ok {
					continue
				}
				if d := differ(s.lsas(a, area), s.lsas(b, area)); d != "" {
					wrong = append(wrong, fmt.Sprintf("%s and %s differ in area %d: %s", a.node.Name, b.node.Name, area, d))
				}
				break // the next one is compared with its own
			}
		}
	}
	return wrong
}

// lsas are those of an area, and those of the AS's scope where it has such.
func (s *ospfSite) lsas(r *ospfRouter, area int) (list []string) {
	id := wire.ID(area)
	for _, l := range machine(r.node).LSAs(s.Now(), ospf.LSAFilter{}, 1<<20) {
		if l.Scope == ospf.ScopeArea && l.Area == id || l.Scope == ospf.ScopeAS && area < ospfStub {
			list = append(list, fmt.Sprintf("%v %v of %v: sequence %x, checksum %x", l.Type, l.ID, l.Router, l.Header.Sequence, l.Header.Checksum))
		}
	}
	return list
}

func machine(n *Node) *ospf.Machine { return n.Router.Protocol("ospf").Core().(*ospf.Machine) }

// differ gives the first line that only one of two lists has, "" for none.
func differ(a, b []string) string {
	if slices.Equal(a, b) {
		return ""
	}
	for _, two := range [][2][]string{{a, b}, {b, a}} {
		for _, line := range two[0] {
			if !slices.Contains(two[1], line) {
				return line
			}
		}
	}
	return ""
}
