package ospftest

import (
	"errors"
	"net/netip"
	"time"

	"routerd/routing"
	"routerd/routing/keys"
	"routerd/routing/ospf"
	"routerd/routing/ospf/wire"
)

func id(text string) wire.ID { return wire.IDOf(addr(text)) }

// counters are those of an interface with a neighbour whose MTU is larger.
func counters() ospf.Counters {
	var c ospf.Counters
	c.Sent[wire.TypeHello], c.Sent[wire.TypeDescription], c.Sent[wire.TypeRequest] = 360, 4, 1
	c.Sent[wire.TypeUpdate], c.Sent[wire.TypeAcknowledgement] = 7, 12345
	c.Received[wire.TypeHello], c.Received[wire.TypeDescription], c.Received[wire.TypeUpdate] = 359, 3, 14
	c.Refused[wire.MTU], c.Refused[wire.LSATooSoon] = 3, 1
	c.Standings[ospf.Newer], c.Standings[ospf.Same] = 20, 2
	c.Retransmitted = 5
	return c
}

// Interfaces are a passive one, one with a DR, and a link between two routers.
func (core) Interfaces() []ospf.InterfaceInfo {
	lan, core0, core1 := ospf.DefaultInterface(ospf.Broadcast), ospf.DefaultInterface(ospf.Broadcast), ospf.DefaultInterface(ospf.PointToPoint)
	lan.Passive, lan.Area = true, 7
	core0.Auth = ospf.Auth{Type: wire.AuthExtended, Algorithm: keys.HMACSHA256, Keys: keys.Chain{{ID: 3, Secret: []byte("s3cret")}}}
	core1.BFD = &ospf.BFD{Profile: "fast", Strict: true}
	virtual := ospf.InterfaceConfig{Timers: ospf.DefaultTimers(ospf.Virtual)}
	return []ospf.InterfaceInfo{
		{
			Interface: 1, Name: "lan0", Area: 7, Config: lan, Network: ospf.Broadcast, State: ospf.InterfaceDROther, Since: began,
			Address: pfx("10.0.1.1/24"), Cost: 100, MTU: 1500,
		},
		{
			Interface: 2, Name: "core0", Config: core0, Network: ospf.Broadcast, State: ospf.InterfaceBackup, Since: began.Add(40 * time.Second),
			Address: pfx("10.0.12.1/24"), Cost: 10, MTU: 1500, DR: id("10.0.12.2"), BDR: id("10.0.12.1"), RouterDR: id("10.255.0.2"), RouterBDR: id("10.255.0.1"),
			Neighbors: 2, Full: 1, NextHello: now.Add(3 * time.Second), LSAs: 1, Counters: counters(),
			Refused: ospf.LastRefusal{Refusal: wire.Refusal{Reason: wire.MTU, Theirs: 9000, Ours: 1500}, From: addr("10.0.12.9"), At: now.Add(-4 * time.Second)},
		},
		{
			Interface: 3, Name: "core1", Config: core1, Network: ospf.PointToPoint, State: ospf.InterfacePointToPoint, Since: began,
			Address: pfx("10.255.0.1/32"), Unnumbered: true, Cost: 10, MTU: 1400, Neighbors: 1, Full: 1, NextHello: now.Add(7 * time.Second),
		},
		{
			Interface: routing.NoInterface, Name: "virtual link to 10.255.0.9 through area 0.0.0.1", Config: virtual, Network: ospf.Virtual,
			State: ospf.InterfaceDown, Since: began, Virtual: true, Peer: id("10.255.0.9"), Transit: 1,
		},
	}
}

// Neighbors are a DR, one whose exchange does not get on, and one that BFD watches.
func (core) Neighbors() []ospf.NeighborInfo {
	return []ospf.NeighborInfo{
		{
			Interface: 2, Name: "core0", Router: id("10.255.0.2"), Address: addr("10.0.12.2"), Priority: 1, Role: ospf.RoleDR, DR: id("10.0.12.2"), BDR: id("10.0.12.1"),
			Options: wire.OptionE | wire.OptionO, State: ospf.NeighborFull, Since: began.Add(45 * time.Second), Heard: now.Add(-2 * time.Second), DeadAt: now.Add(38 * time.Second),
			Master: true, Sequence: 1234567, Unacknowledged: 1, Counters: ospf.NeighborCounters{StateChanges: 6, Retransmitted: 5},
		},
		{
			Interface: 2, Name: "core0", Router: id("10.255.0.9"), Address: addr("10.0.12.9"), Role: ospf.RoleOther, DR: id("10.0.12.2"), BDR: id("10.0.12.1"),
			Options: wire.OptionE, State: ospf.NeighborExStart, Since: now.Add(-time.Minute), Heard: now.Add(-9 * time.Second), DeadAt: now.Add(31 * time.Second),
			Configured: true, Sequence: 99, Requested: 12345, Described: 3, Counters: ospf.NeighborCounters{StateChanges: 33},
		},
		{
			Interface: 3, Name: "core1", Router: id("10.255.0.3"), Address: addr("10.255.0.3"), Priority: 1, Options: wire.OptionE | wire.OptionO,
			State: ospf.NeighborFull, Since: began.Add(5 * time.Second), Heard: now.Add(-6 * time.Second), DeadAt: now.Add(34 * time.Second),
			GraceUntil: now.Add(57 * time.Second), GraceReason: ospf.RestartUpgrade, GraceEnded: errors.New("the topology has changed"), Sequence: 5, BFD: &ospf.BFD{Profile: "fast", Strict: true}, Counters: ospf.NeighborCounters{StateChanges: 6},
		},
	}
}

// Summary is that of a border router.
func (core) Summary(time.Time) ospf.Summary {
	s := ospf.Summary{
		Router: id("10.255.0.1"), Chosen: true, Border: true, Boundary: true, Interfaces: 4, Received: 12346, MaxLSA: 1 << 20, Counters: counters(),
		Areas: []ospf.AreaInfo{
			{Interfaces: 3, Neighbors: 3, Full: 2, Routers: 4, Borders: 2, Boundary: 2, Transit: true},
			{ID: 7, Type: ospf.NSSA, NoSummaries: true, Translator: ospf.TranslatorElected, Interfaces: 1, Routers: 1},
		},
	}
	s.SPF = ospf.SPFInfo{Wait: ospf.ShortWait, Due: now.Add(40 * time.Millisecond), Changes: 2, Runs: [4]uint64{7, 31, 12345, 6}, Last: []ospf.Run{
		{At: now.Add(-9 * time.Second), Kind: ospf.RunAlternates, Wait: ospf.ShortWait, Vertices: 5, Changed: 3},
		{
			At: now.Add(-9 * time.Second), Kind: ospf.RunFull, Waited: 5 * time.Millisecond, Changes: 3, Vertices: 5, Changed: 4,
			Why: []ospf.Trigger{{LSA: wire.Identity{Type: wire.RouterLSA, ID: id("10.255.0.3"), Router: id("10.255.0.3")}, Flushed: true}, {Because: "the router's part among areas"}},
		},
		{
			At: now.Add(-time.Minute), Kind: ospf.RunPartial, Wait: ospf.LongWait, Waited: time.Second, Changes: 12345, Vertices: 5, Changed: 12345,
			Why: []ospf.Trigger{{LSA: wire.Identity{Type: wire.ExternalLSA, ID: id("203.0.113.0"), Router: id("10.255.0.3")}}},
		},
	}}
	s.Areas[0].LSAs = ospf.LSACounts{wire.RouterLSA: 4, wire.NetworkLSA: 1, wire.SummaryLSA: 2}
	s.Areas[1].LSAs = ospf.LSACounts{wire.RouterLSA: 1, wire.SummaryLSA: 1, wire.NSSALSA: 1}
	s.AS[wire.ExternalLSA] = 12345
	s.LSAs = ospf.LSACounts{wire.RouterLSA: 5, wire.NetworkLSA: 1, wire.SummaryLSA: 3, wire.ExternalLSA: 12345, wire.NSSALSA: 1, wire.LinkOpaque: 1}
	s.Neighbors[ospf.NeighborFull], s.Neighbors[ospf.NeighborExStart] = 2, 1
	s.Routes[ospf.IntraArea], s.Routes[ospf.InterArea], s.Routes[ospf.External2] = 6, 1, 12345
	return s
}

// lsa makes an LSA of the body.
func lsa(key ospf.LSAKey, age uint16, body wire.Body) ospf.LSAInfo {
	h := wire.Header{Identity: key.Identity, Age: age, Options: wire.OptionE, Sequence: wire.InitialSequence + 4}
	l := wire.LSA(wire.AppendLSA(nil, &h, body))
	x := ospf.LSAInfo{LSAKey: key, Header: l.Header(), Body: l.Body(), Installed: now.Add(-time.Duration(age) * time.Second), Flooded: true}
	if key.Router == id("10.255.0.1") {
		x.Self, x.Flooded = true, false
	}
	switch key.Type {
	case wire.NetworkLSA, wire.SummaryLSA, wire.ExternalLSA, wire.NSSALSA:
		x.Prefix = l.Prefix()
	}
	return x
}

func lsas() []ospf.LSAInfo {
	key := func(s ospf.Scope, area wire.ID, link routing.InterfaceID, t wire.LSType, of, router string) ospf.LSAKey {
		return ospf.LSAKey{Scope: s, Area: area, Link: link, Identity: wire.Identity{Type: t, ID: id(of), Router: id(router)}}
	}
	const one, two, three = "10.255.0.1", "10.255.0.2", "10.255.0.3"
	mask := wire.MaskOf(24)
	list := []ospf.LSAInfo{
		lsa(key(ospf.ScopeAS, 0, 0, wire.ExternalLSA, "203.0.113.0", three), 17, &wire.External{Mask: mask, Type2: true, Metric: 20, Tag: 7}),
		lsa(key(ospf.ScopeArea, 0, 0, wire.RouterLSA, one, one), 5, &wire.Router{Flags: wire.RouterB | wire.RouterE, Links: []wire.Link{
			{ID: id("10.0.12.2"), Data: id("10.0.12.1"), Type: wire.LinkTransit, Cost: 10},
			{ID: id(three), Data: 4, Type: wire.LinkPointToPoint, Cost: 10},
			{ID: id(one), Data: wire.MaskOf(32), Type: wire.LinkStub},
		}}),
		lsa(key(ospf.ScopeArea, 0, 0, wire.NetworkLSA, "10.0.12.2", two), 1801, &wire.Network{Mask: mask, Routers: []wire.ID{id(two), id(one)}}),
		lsa(key(ospf.ScopeArea, 0, 0, wire.SummaryLSA, "10.2.0.0", two), 60, &wire.Summary{Mask: mask, Metric: 30}),
		lsa(key(ospf.ScopeArea, 0, 0, wire.ASBRSummary, "10.255.0.8", two), 60, &wire.Summary{Metric: wire.Infinity}),
		lsa(key(ospf.ScopeArea, 7, 0, wire.NSSALSA, "198.51.100.0", one), 3600, &wire.External{Mask: mask, Metric: 1, Forwarding: id("10.0.1.1")}),
		lsa(key(ospf.ScopeLink, 0, 2, wire.LinkOpaque, "3.0.0.0", two), 9, wire.Opaque{0, 1, 0, 4, 0, 0, 0, 60}),
	}
	list[1].Lists, list[1].Pending = 1, true
	return list
}

// LSAs gives those of a filter, in order.
func (core) LSAs(_ time.Time, f ospf.LSAFilter, limit int) (list []ospf.LSAInfo) {
	for _, x := range lsas() {
		switch {
		case len(f.Types) > 0 && f.Types[0] != x.Type, f.Area != nil && (x.Scope == ospf.ScopeAS || *f.Area != x.Area):
		case f.Link != nil && (x.Scope != ospf.ScopeLink || *f.Link != x.Link):
		case f.ID != nil && *f.ID != x.ID, f.Router != nil && *f.Router != x.Router:
		case f.After != nil && x.Compare(*f.After) <= 0:
		case len(list) < limit:
			list = append(list, x)
		}
	}
	return list
}

func hops() (both, direct []ospf.Hop) {
	direct = []ospf.Hop{{Interface: 3, Address: addr("10.255.0.3")}}
	return append([]ospf.Hop{{Interface: 2, Address: addr("10.0.12.2")}}, direct...), direct
}

func allRoutes() []ospf.RouteInfo {
	both, direct := hops()
	list := []ospf.RouteInfo{
		{Prefix: pfx("10.0.2.0/24"), Type: ospf.IntraArea, Cost: 20, Hops: both, Origin: wire.Identity{Type: wire.RouterLSA, ID: id("10.255.0.3"), Router: id("10.255.0.3")}},
		{Prefix: pfx("10.0.12.0/24"), Type: ospf.IntraArea, Cost: 10, Hops: []ospf.Hop{{Interface: 2}}, Origin: wire.Identity{Type: wire.NetworkLSA, ID: id("10.0.12.2"), Router: id("10.255.0.2")}},
		{Prefix: pfx("10.2.0.0/24"), Type: ospf.InterArea, Cost: 40, Hops: both[:1], Origin: wire.Identity{Type: wire.SummaryLSA, ID: id("10.2.0.0"), Router: id("10.255.0.2")}},
		{Prefix: pfx("10.255.0.1/32"), Type: ospf.IntraArea, Origin: wire.Identity{Type: wire.RouterLSA, ID: id("10.255.0.1"), Router: id("10.255.0.1")}},
		{Prefix: pfx("203.0.113.0/24"), Type: ospf.External2, Cost: 10, Metric: 20, Tag: 7, Hops: direct, Origin: wire.Identity{Type: wire.ExternalLSA, ID: id("203.0.113.0"), Router: id("10.255.0.3")}},
	}
	list[0].Alternate.Why = ospf.SeveralWays
	list[1].Alternate.Why, list[3].Alternate.Why = ospf.Attached, ospf.Attached
	list[2].Alternate = ospf.Alternate{Hop: direct[0], Protection: ospf.ProtectsNode | ospf.ProtectsLink}
	list[4].Alternate.Why, list[4].Refused = ospf.WouldCircle, true
	return list
}

// Routes gives up to limit routes behind a prefix.
func (core) Routes(after netip.Prefix, limit int) (list []ospf.RouteInfo) {
	for _, r := range allRoutes() {
		if (!after.IsValid() || r.Prefix.Compare(after) > 0) && len(list) < limit {
			list = append(list, r)
		}
	}
	return list
}

// Route gives the route to a prefix.
func (core) Route(p netip.Prefix) (ospf.RouteInfo, bool) {
	for _, r := range allRoutes() {
		if r.Prefix == p {
			return r, true
		}
	}
	return ospf.RouteInfo{}, false
}

// Trace gives the ways to 10.0.2.0/24, to 203.0.113.0/24 and to what the router
// itself has.
func (core) Trace(p netip.Prefix) []ospf.TracedWay {
	both, direct := hops()
	router := func(text string) wire.Identity {
		return wire.Identity{Type: wire.RouterLSA, ID: id(text), Router: id(text)}
	}
	link := ospf.Step{LSA: router("10.255.0.1"), Kind: ospf.ToRouter, ID: id("10.255.0.3"), Cost: 10, Total: 10}
	switch p {
	case pfx("10.0.2.0/24"):
		stub := ospf.Step{LSA: router("10.255.0.3"), Kind: ospf.ToPrefix, Prefix: p, Cost: 10, Total: 20}
		return []ospf.TracedWay{
			{Hop: both[0], Steps: []ospf.Step{
				{LSA: router("10.255.0.1"), Kind: ospf.ToNetwork, ID: id("10.0.12.2"), Prefix: pfx("10.0.12.0/24"), Cost: 10, Total: 10},
				{LSA: wire.Identity{Type: wire.NetworkLSA, ID: id("10.0.12.2"), Router: id("10.255.0.2")}, Kind: ospf.ToRouter, ID: id("10.255.0.3"), Total: 10},
				stub,
			}},
			{Hop: both[1], Steps: []ospf.Step{link, stub}},
		}
	case pfx("203.0.113.0/24"):
		external := ospf.Step{LSA: wire.Identity{Type: wire.ExternalLSA, ID: id("203.0.113.0"), Router: id("10.255.0.3")}, AS: true, Kind: ospf.ToPrefix, Prefix: p, Total: 10}
		return []ospf.TracedWay{{Hop: direct[0], Steps: []ospf.Step{link, external}}}
	case pfx("10.255.0.1/32"):
		return []ospf.TracedWay{{Own: true, Steps: []ospf.Step{{LSA: router("10.255.0.1"), Kind: ospf.ToPrefix, Prefix: p}}}}
	}
	return nil
}

// Discards says that 10.7.0.0/16 is a range of area 7.
func (core) Discards(p netip.Prefix) (wire.ID, bool) { return 7, p == pfx("10.7.0.0/16") }

// BorderRouters gives one of areas, and one of the AS in another area.
func (core) BorderRouters() []ospf.BorderInfo {
	both, _ := hops()
	return []ospf.BorderInfo{
		{Router: id("10.255.0.2"), Type: ospf.IntraArea, Border: true, Boundary: true, Cost: 10, Hops: both[:1]},
		{Router: id("10.255.0.8"), Type: ospf.InterArea, Boundary: true, Cost: 30, Hops: both},
	}
}

// Tree gives that of the backbone, and of area 7 the router alone.
func (core) Tree(area wire.ID) []ospf.TreeNode {
	both, direct := hops()
	root := ospf.TreeNode{Area: area, ID: id("10.255.0.1"), Border: true, Boundary: true}
	if area == 7 {
		return []ospf.TreeNode{root}
	}
	root.Links = []ospf.TreeLink{{Network: true, ID: id("10.0.12.2"), Cost: 10}, {ID: id("10.255.0.3"), Cost: 10}}
	return []ospf.TreeNode{
		root,
		{
			Network: true, ID: id("10.0.12.2"), Prefix: pfx("10.0.12.0/24"), Distance: 10, Hops: []ospf.Hop{{Interface: 2}},
			Parents: []ospf.TreeParent{{ID: root.ID, Cost: 10}}, Links: []ospf.TreeLink{{ID: id("10.255.0.2")}, {ID: root.ID}},
		},
		{
			ID: id("10.255.0.2"), Border: true, Boundary: true, Distance: 10, Hops: both[:1],
			Parents: []ospf.TreeParent{{Network: true, ID: id("10.0.12.2")}}, Links: []ospf.TreeLink{{Network: true, ID: id("10.0.12.2"), Cost: 10}, {ID: id("10.255.0.4"), Cost: 5}},
		},
		{
			ID: id("10.255.0.3"), Distance: 10, Hops: direct,
			Parents: []ospf.TreeParent{{ID: root.ID, Cost: 10}}, Links: []ospf.TreeLink{{ID: root.ID, Cost: 10}, {ID: id("10.255.0.4"), Cost: 5}},
		},
		{
			ID: id("10.255.0.4"), Distance: 15, Hops: both,
			Parents: []ospf.TreeParent{{ID: id("10.255.0.2"), Cost: 5}, {ID: id("10.255.0.3"), Cost: 5}}, Links: []ospf.TreeLink{{ID: id("10.255.0.2"), Cost: 5}, {ID: id("10.255.0.3"), Cost: 5}},
		},
	}
}
