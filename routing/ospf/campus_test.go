package ospf

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"routerd/routing"
	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// campus is a network of several areas as one who builds it sees it, and the
// machines that run it.
type campus struct {
	w       *network
	rand    *rand.Rand
	areas   map[wire.ID]AreaConfig
	routers []*building
	links   []*cable
	outside []outsideRoute
	rfc1583 bool
}

// building is a router with the prefixes that it has in its areas.
type building struct {
	*station
	id     wire.ID
	areas  []wire.ID
	places []place
}

// place is a prefix that a router has in an area.
type place struct {
	area   wire.ID
	prefix netip.Prefix
	cost   uint32
}

// cable is a segment with the routers on it.
type cable struct {
	*segment
	area  wire.ID
	kind  NetworkType
	net   netip.Prefix
	ends  []*building
	costs []uint16
}

// outsideRoute is a route of another source that a router has.
type outsideRoute struct {
	at     *building
	prefix netip.Prefix
	type1  bool
	metric uint32
}

// newCampus builds one by chance: a backbone, and two areas of any type, each of them
// connected.
func newCampus(t complainer, seed uint64) *campus {
	c := &campus{w: newNetwork(t, seed), rand: rand.New(rand.NewPCG(seed, 2)), areas: map[wire.ID]AreaConfig{}}
	c.rfc1583 = c.rand.IntN(2) == 0
	c.w.loss = 0.02 * float64(seed%3)
	members := map[wire.ID][]*building{}
	for range 2 + c.rand.IntN(3) {
		members[0] = append(members[0], c.router(0))
	}
	for id := wire.ID(0); id <= 2; id++ {
		a := DefaultArea()
		if id > 0 {
			a.Type = AreaType(c.rand.IntN(3))
			a.NoSummaries = a.Type != Normal && c.rand.IntN(2) == 0
			a.DefaultCost = uint32(1 + c.rand.IntN(9))
			for _, i := range c.rand.Perm(len(members[0]))[:1+c.rand.IntN(2)] {
				b := members[0][i]
				b.areas = append(b.areas, id)
				members[id] = append(members[id], b)
			}
			for range 1 + c.rand.IntN(3) {
				members[id] = append(members[id], c.router(id))
			}
		}
		if c.rand.IntN(2) == 0 {
			a.Ranges = []Range{{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(id)}), 16), Hide: c.rand.IntN(3) == 0, Cost: uint32(c.rand.IntN(2) * 77)}}
		}
		c.areas[id] = a
	}
	for id := wire.ID(0); id <= 2; id++ {
		c.wire(id, members[id])
	}
	c.furnish()
	c.w.begin()
	for _, o := range c.outside {
		c.tell(&o)
	}
	return c
}

func (c *campus) router(area wire.ID) *building {
	id := wire.ID(len(c.routers) + 1)
	b := &building{station: c.w.router(fmt.Sprintf("0.0.0.%d", id)), id: id, areas: []wire.ID{area}}
	c.routers = append(c.routers, b)
	return b
}

// wire connects the routers of an area.
func (c *campus) wire(id wire.ID, members []*building) {
	c.rand.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	for i := 1; i < len(members); i++ {
		c.cable(id, members[i], members[c.rand.IntN(i)])
	}
	for range c.rand.IntN(3) {
		ends := c.rand.Perm(len(members))[:min(len(members), 2+c.rand.IntN(3))]
		var list []*building
		for _, i := range ends {
			list = append(list, members[i])
		}
		if len(list) > 1 {
			c.cable(id, list...)
		}
	}
}

func (c *campus) cable(id wire.ID, ends ...*building) {
	l := &cable{segment: c.w.segment(), area: id, kind: Broadcast, ends: ends}
	if len(ends) == 2 && c.rand.IntN(2) == 0 {
		l.kind = PointToPoint
	}
	n := byte(len(c.links) + 1)
	l.net = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(id), n, 0}), 24)
	for _, b := range ends {
		cost := uint16(1 + c.rand.IntN(5))
		l.costs = append(l.costs, cost)
		b.port(l.segment, l.kind, fmt.Sprintf("10.%d.%d.%d/24", id, n, b.id), func(i *InterfaceConfig) {
			i.Area, i.Cost = id, cost
			i.HelloInterval, i.DeadInterval = time.Second, 4*time.Second
		})
	}
	c.links = append(c.links, l)
}

// furnish gives routers loopbacks, and routes of other sources.
func (c *campus) furnish() {
	for _, b := range c.routers {
		area := b.areas[0]
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(area), 255, byte(b.id)}), 32)
		b.port(nil, Broadcast, p.String(), func(i *InterfaceConfig) { i.Area = area })
		b.places = append(b.places, place{area, p, 0})
		b.cfg.Areas, b.cfg.RFC1583 = c.areas, c.rfc1583
		if stub := c.areas[area].Type == Stub; c.rand.IntN(3) > 0 || stub {
			continue
		}
		o := outsideRoute{at: b, prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16, byte(b.id), 0}), 24), type1: c.rand.IntN(2) == 0, metric: uint32(1 + c.rand.IntN(9))}
		b.cfg.Type1[routing.SourceStatic] = o.type1
		c.outside = append(c.outside, o)
		if c.areas[area].Type == Normal { // one more, that others have too
			o.prefix = netip.MustParsePrefix("172.31.0.0/16")
			c.outside = append(c.outside, o)
		}
	}
	for _, l := range c.links {
		for i, b := range l.ends {
			b.places = append(b.places, place{l.area, l.net, uint32(l.costs[i])})
		}
	}
}

// tell has a router know a route of another source.
func (c *campus) tell(o *outsideRoute) {
	c.w.step(o.at.station, protocol.Notices{Notices: routing.Notices{Routes: []routing.Delta{{
		Route: routing.Route{Prefix: o.prefix, Source: routing.SourceStatic, Metric: o.metric, NextHops: []routing.NextHop{{Interface: routing.NoInterface}}},
	}}}})
}

// change changes costs, or what is outside.
func (c *campus) change() {
	switch c.rand.IntN(3) {
	case 0:
		if len(c.outside) > 0 {
			o := &c.outside[c.rand.IntN(len(c.outside))]
			o.metric = uint32(1 + c.rand.IntN(9))
			c.tell(o)
			return
		}
		fallthrough
	case 1:
		l := c.links[c.rand.IntN(len(c.links))]
		at := c.rand.IntN(len(l.ends))
		b, cost := l.ends[at], uint16(1+c.rand.IntN(5))
		l.costs[at] = cost
		i := slices.IndexFunc(b.ports, func(p *port) bool { return p.link == l.segment })
		b.reload(func(cfg *Config) {
			x := cfg.Interfaces[b.ports[i].name]
			x.Cost = cost
			cfg.Interfaces[b.ports[i].name] = x
		})
		for n := range b.places {
			if b.places[n].prefix == l.net {
				b.places[n].cost = uint32(cost)
			}
		}
	case 2: // one flaps
		l := c.links[c.rand.IntN(len(c.links))]
		for _, p := range l.ports {
			p.fall()
		}
		c.w.run(time.Duration(c.rand.IntN(9000))*time.Millisecond, nil)
		for _, p := range l.ports {
			p.raise()
		}
	}
}

// settled reports whether all adjacencies are there and nothing is under way.
func (c *campus) settled() bool {
	if !c.w.adjacent() {
		return false
	}
	for _, b := range c.routers {
		if b.m.calc.changes.any() || b.m.outward.dirty.len() > 0 {
			return false
		}
		for d := range b.m.databases {
			for t := range d.lists {
				for _, e := range d.lists[t] {
					if e.pending != nil {
						return false
					}
				}
			}
		}
	}
	return true
}

func (c *campus) String() string {
	text := fmt.Sprintf("RFC 1583 %v\n", c.rfc1583)
	for id := wire.ID(0); id <= 2; id++ {
		a := c.areas[id]
		text += fmt.Sprintf("area %d %v no-summaries %v default %d ranges %v\n", id, a.Type, a.NoSummaries, a.DefaultCost, a.Ranges)
	}
	for _, l := range c.links {
		text += fmt.Sprintf("%v %v area %d:", l.net, l.kind, l.area)
		for i, b := range l.ends {
			text += fmt.Sprintf(" %d/%d", b.id, l.costs[i])
		}
		text += "\n"
	}
	for _, o := range c.outside {
		text += fmt.Sprintf("outside %v at %d type 1 %v metric %d\n", o.prefix, o.at.id, o.type1, o.metric)
	}
	for _, b := range c.routers {
		text += fmt.Sprintf("router %d areas %v %+v\n", b.id, b.areas, b.m.ours.role)
	}
	return text
}
