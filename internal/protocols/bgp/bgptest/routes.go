package bgptest

import (
	"encoding/binary"
	"net/netip"

	"routerd/routing"
	"routerd/routing/bgp"
	"routerd/routing/bgp/wire"
)

var pfx = netip.MustParsePrefix

// attributes are those of a route by a path, as the neighbour has sent them, and what f
// sets besides.
func attributes(hop string, f func(*wire.Attributes), path ...uint32) wire.Attributes {
	var a wire.Attributes
	for _, code := range []wire.Attribute{wire.AttrOrigin, wire.AttrASPath, wire.AttrNextHop} {
		a.Set(code)
	}
	for i := len(path) - 1; i >= 0; i-- {
		a.ASPath = a.ASPath.AppendPrepended(nil, path[i], 1)
	}
	if hop != "" {
		a.NextHop.Address = addr(hop)
	}
	if f != nil {
		f(&a)
	}
	return a
}

// rich has every attribute that there is.
func rich(a *wire.Attributes) {
	for _, code := range []wire.Attribute{
		wire.AttrMED, wire.AttrLocalPref, wire.AttrAtomicAggregate, wire.AttrAggregator, wire.AttrCommunities, wire.AttrLarge,
		wire.AttrExtended, wire.AttrOriginatorID, wire.AttrClusterList, wire.AttrOTC,
	} {
		a.Set(code)
	}
	a.Origin, a.MED, a.LocalPref, a.OTC = wire.OriginEGP, 70, 200, 64500
	a.Aggregator = wire.Aggregator{AS: 64502, ID: 0xc6336402}
	for _, c := range []uint32{64500<<16 | 7, uint32(wire.NoExport)} {
		a.Communities = binary.BigEndian.AppendUint32(a.Communities, c)
	}
	for _, n := range []uint32{64500, 1, 2} {
		a.Large = binary.BigEndian.AppendUint32(a.Large, n)
	}
	a.Extended = binary.BigEndian.AppendUint64(nil, 0x0002fbf400000001) // rt:64500:1
	a.OriginatorID, a.ClusterList = 0x0aff0003, []byte{10, 255, 0, 1, 10, 255, 0, 2}
	a.Unknown = []wire.UnknownAttribute{{Code: 99, Value: []byte{1, 0xff}}}
}

func med(n uint32) func(*wire.Attributes) {
	return func(a *wire.Attributes) {
		a.MED = n
		a.Set(wire.AttrMED)
	}
}

// connected is the state of a next hop on a link.
func connected(hop string, out routing.InterfaceID, via string) bgp.HopStatus {
	return bgp.HopStatus{Usable: true, NextHopState: routing.NextHopState{
		Address: addr(hop), Interface: routing.NoInterface, Reachable: true, Action: routing.Forward, Via: pfx(via),
		Source: routing.SourceConnected, Gateway: addr(hop), Out: out,
	}}
}

// prefixes are one with everything there is to say of routes, one of the router's own, one
// that nothing can be used of, and one by a link-local next hop.
func prefixes() []bgp.PrefixStatus {
	far := bgp.HopStatus{Usable: true, NextHopState: routing.NextHopState{
		Address: addr("10.255.0.3"), Interface: routing.NoInterface, Reachable: true, Action: routing.Forward, Via: pfx("10.255.0.3/32"),
		Source: routing.SourceOSPF, Distance: 110, Metric: 20, Gateway: addr("10.0.12.2"), Out: 2,
	}}
	dead := bgp.HopStatus{NextHopState: routing.NextHopState{Address: addr("10.9.9.9"), Interface: routing.NoInterface}, Why: "its next hop cannot be reached"}
	local := bgp.HopStatus{Usable: true, NextHopState: routing.NextHopState{Address: addr("fe80::9"), Interface: 3, Reachable: true, Out: 3}}
	isp := bgp.RouteStatus{
		From: addr("198.51.100.1"), Link: 1, RouterID: 0xc6336401, External: true, Hop: connected("198.51.100.1", 1, "198.51.100.0/24"),
	}
	longer := func(mark func(*bgp.RouteStatus), from string, path ...uint32) bgp.RouteStatus {
		r := isp
		r.From, r.Step, r.Against, r.Why = addr(from), bgp.StepPathLength, isp.From, "shorter AS path 2 over 3"
		r.Attributes = attributes(from, nil, path...)
		mark(&r)
		return r
	}
	best := isp
	best.Best, best.Step, best.Against, best.Why = true, bgp.StepPathLength, addr("198.51.100.9"), "shorter AS path 2 over 3"
	best.Attributes, best.Weight = attributes("198.51.100.1", med(0), 64500, 64501), 100
	beside := longer(func(r *bgp.RouteStatus) { r.Multipath, r.PathID = true, 7 }, "198.51.100.1", 64500, 64501)
	beside.Step, beside.Why = bgp.StepPathID, "lower path identifier 0 over 7"
	reflected := bgp.RouteStatus{
		From: addr("10.255.0.2"), Link: routing.NoInterface, RouterID: 0x0aff0002, Hop: far, Stale: true, Best: true, Why: "no other route can be used",
		Attributes: attributes("10.255.0.3", rich, 64502),
	}
	return []bgp.PrefixStatus{
		{Prefix: pfx("192.0.2.0/24"), Routes: []bgp.RouteStatus{
			best, beside,
			longer(func(r *bgp.RouteStatus) { r.Backup = true }, "198.51.100.9", 64509, 64500, 64501),
			longer(func(*bgp.RouteStatus) {}, "198.51.100.8", 64508, 64500, 64501),
		}},
		{Prefix: pfx("198.18.0.0/15"), Waiting: true, Routes: []bgp.RouteStatus{
			reflected,
			{
				From: addr("10.255.0.9"), Link: routing.NoInterface, RouterID: 0x0aff0009, Hop: dead, Step: bgp.StepReachable, Why: dead.Why,
				Attributes: attributes("10.9.9.9", nil),
			},
		}},
		{Prefix: pfx("203.0.113.0/24"), Routes: []bgp.RouteStatus{{
			Link: routing.NoInterface, Hop: bgp.HopStatus{Usable: true}, Best: true, Why: "it is the only one", Attributes: attributes("", med(20)),
		}}},
		{Prefix: pfx("2001:db8:9::/48"), Routes: []bgp.RouteStatus{{
			From: addr("fe80::9"), Link: 3, RouterID: 0x0aff0009, External: true, Hop: local, Best: true, Why: "it is the only one",
			Attributes: attributes("", func(a *wire.Attributes) { a.NextHop.LinkLocal = addr("fe80::9") }, 65003),
		}}},
	}
}

// PrefixStatus is what prefixes has.
func (core) PrefixStatus(p netip.Prefix) (bgp.PrefixStatus, bool) {
	for _, s := range prefixes() {
		if s.Prefix == p {
			return s, true
		}
	}
	return bgp.PrefixStatus{}, false
}

// RoutePage are pages of prefixes.
func (core) RoutePage(f wire.Family, of *bgp.RouteFilter, after netip.Prefix, most int) (list []bgp.PrefixStatus, next netip.Prefix) {
	for _, s := range prefixes() {
		within := !of.Within.IsValid() || of.Within.Contains(s.Prefix.Addr()) && of.Within.Bits() <= s.Prefix.Bits()
		if wire.FamilyFor(s.Prefix) != f || !within || after.IsValid() && s.Prefix.Compare(after) <= 0 {
			continue
		}
		if len(list) == most {
			return list, list[most-1].Prefix
		}
		list = append(list, of.Select(s)...)
	}
	return list, netip.Prefix{}
}

// AttributesPage are two sets.
func (core) AttributesPage(from uint32, most int) (list []bgp.AttributesStatus, next uint32) {
	all := []bgp.AttributesStatus{
		{Number: 0, Attributes: attributes("198.51.100.1", med(0), 64500, 64501), Uses: 123456, Octets: 31},
		{Number: 7, Attributes: attributes("10.255.0.3", rich, 64502), Uses: 2, Octets: 140},
	}
	for i := range all {
		if all[i].Number < from {
			continue
		}
		if len(list) == most {
			return list, all[i].Number
		}
		list = append(list, all[i])
	}
	return list, 0
}

// peering is what holds for a neighbour: the transit's routes are kept, those of others not.
func peering(a netip.Addr, f wire.Family) bgp.Peering {
	transit := a == addr("198.51.100.1") && f == wire.IPv4Unicast
	return bgp.Peering{Known: a != addr("192.0.2.99"), Up: transit || a == addr("10.0.12.2"), Kept: transit, Whole: transit}
}

// ReceivedPage are those of the transit.
func (core) ReceivedPage(of netip.Addr, _ routing.InterfaceID, f wire.Family, filtered bool, within, after netip.Prefix, most int) (list []bgp.ReceivedStatus, p bgp.Peering) {
	if p = peering(of, f); !p.Kept || !p.Up {
		return nil, p
	}
	for _, r := range []bgp.ReceivedStatus{
		{Prefix: pfx("10.0.0.0/8"), Attributes: attributes("198.51.100.1", nil, 64500), Why: "statement bogons of policy transit-in rejects it", Policy: "transit-in", Statement: "bogons"},
		{Prefix: pfx("192.0.2.0/24"), Attributes: attributes("198.51.100.1", med(0), 64500, 64501), Accepted: true},
		{Prefix: pfx("192.0.2.0/24"), PathID: 7, Attributes: attributes("198.51.100.1", nil, 64500, 64501), Accepted: true},
		{Prefix: pfx("198.51.100.0/24"), Attributes: attributes("198.51.100.1", nil, 64500, 65001), Why: bgp.OwnASInPath.Words()},
	} {
		if filtered && r.Accepted || after.IsValid() && r.Prefix.Compare(after) <= 0 || within.IsValid() && !within.Contains(r.Prefix.Addr()) {
			continue
		}
		if list = append(list, r); len(list) == most {
			p.Next = r.Prefix
			break
		}
	}
	return list, p
}

// AdvertisedPage are those that the transit was sent.
func (core) AdvertisedPage(to netip.Addr, _ routing.InterfaceID, f wire.Family, within, after netip.Prefix, most int) (list []bgp.AdvertisedStatus, p bgp.Peering) {
	if p = peering(to, f); !p.Up || to != addr("198.51.100.1") {
		return nil, p
	}
	for _, r := range []bgp.AdvertisedStatus{
		{Prefix: pfx("0.0.0.0/0"), Attributes: attributes("198.51.100.2", nil, 65001), Originated: true},
		{Prefix: pfx("198.18.0.0/15"), Attributes: attributes("198.51.100.2", nil, 65001, 64502), From: addr("10.255.0.2"), Pending: true},
		{Prefix: pfx("203.0.113.0/24"), Attributes: attributes("198.51.100.2", med(20), 65001)},
		{Prefix: pfx("203.0.113.128/25"), Pending: true, Withdrawn: true},
	} {
		if after.IsValid() && r.Prefix.Compare(after) <= 0 || within.IsValid() && !within.Contains(r.Prefix.Addr()) {
			continue
		}
		if list = append(list, r); len(list) == most {
			p.Next = r.Prefix
			break
		}
	}
	return list, p
}
