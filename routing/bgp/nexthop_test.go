package bgp

import (
	"net/netip"
	"testing"

	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

func TestNextHop(t *testing.T) {
	addr := func(text string) netip.Addr {
		if text == "" {
			return netip.Addr{}
		}
		return netip.MustParseAddr(text)
	}
	onLink := HopTerms{
		Own:       [wire.NumFamilies]netip.Addr{addr("192.0.2.1"), addr("2001:db8::1")},
		LinkLocal: addr("fe80::1"), Peer: addr("192.0.2.2"),
		Subnets: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/64")},
	}
	far := HopTerms{Own: onLink.Own, Peer: addr("198.51.100.2")}
	with := func(r HopTerms, change func(*HopTerms)) *HopTerms { change(&r); return &r }
	external, internal := Terms{External: true}, Terms{}
	server := Terms{External: true, ServerClient: true}
	for _, test := range []struct {
		name   string
		terms  *Terms
		reach  *HopTerms
		family wire.Family
		was    [2]string // its addresses
		self   bool      // by a policy
		want   [2]string
		ok     bool
	}{
		{"one's own", &external, &onLink, wire.IPv4Unicast, [2]string{}, false, [2]string{"192.0.2.1"}, true},
		{"one's own inside the AS", &internal, &far, wire.IPv4Unicast, [2]string{}, false, [2]string{"192.0.2.1"}, true},
		{"to another AS", &external, &onLink, wire.IPv4Unicast, [2]string{"203.0.113.9"}, false, [2]string{"192.0.2.1"}, true},
		{"to another AS, third party", &external, &onLink, wire.IPv4Unicast, [2]string{"192.0.2.9"}, false, [2]string{"192.0.2.9"}, true},
		{"third party not wanted", &external, with(onLink, func(r *HopTerms) { r.FirstParty = true }), wire.IPv4Unicast, [2]string{"192.0.2.9"}, false, [2]string{"192.0.2.1"}, true},
		{"the neighbour itself", &external, &onLink, wire.IPv4Unicast, [2]string{"192.0.2.2"}, false, [2]string{"192.0.2.1"}, true},
		{"to another AS, far", &external, &far, wire.IPv4Unicast, [2]string{"192.0.2.9"}, false, [2]string{"192.0.2.1"}, true},
		{"to another AS, far and unchanged", &external, with(far, func(r *HopTerms) { r.Unchanged = true }), wire.IPv4Unicast, [2]string{"192.0.2.9"}, false, [2]string{"192.0.2.9"}, true},
		{"inside the AS", &internal, &far, wire.IPv4Unicast, [2]string{"203.0.113.9"}, false, [2]string{"203.0.113.9"}, true},
		{"inside the AS, self", &internal, with(far, func(r *HopTerms) { r.Self = true }), wire.IPv4Unicast, [2]string{"203.0.113.9"}, false, [2]string{"192.0.2.1"}, true},
		{"inside the AS, self by policy", &internal, &far, wire.IPv4Unicast, [2]string{"203.0.113.9"}, true, [2]string{"192.0.2.1"}, true},
		{"route server", &server, &far, wire.IPv4Unicast, [2]string{"203.0.113.9"}, false, [2]string{"203.0.113.9"}, true},
		{"no address", &external, &HopTerms{Peer: addr("192.0.2.2")}, wire.IPv4Unicast, [2]string{}, false, [2]string{}, false},
		{"IPv4 by IPv6", &external, with(HopTerms{Own: [wire.NumFamilies]netip.Addr{{}, addr("2001:db8::1")}}, func(r *HopTerms) { r.Extended = true }), wire.IPv4Unicast, [2]string{}, false, [2]string{"2001:db8::1"}, true},
		{"IPv4 over a session of IPv6", &external, with(onLink, func(r *HopTerms) { r.Extended, r.OverIPv6 = true, true }), wire.IPv4Unicast, [2]string{}, false, [2]string{"2001:db8::1", "fe80::1"}, true},
		{"IPv4 over a session of IPv4, IPv6 agreed on", &external, with(onLink, func(r *HopTerms) { r.Extended = true }), wire.IPv4Unicast, [2]string{}, false, [2]string{"192.0.2.1"}, true},
		{"IPv4 over a session of IPv6, IPv6 not agreed on", &external, with(onLink, func(r *HopTerms) { r.OverIPv6 = true }), wire.IPv4Unicast, [2]string{}, false, [2]string{"192.0.2.1"}, true},
		{"IPv4 by a link-local address", &external, &HopTerms{LinkLocal: addr("fe80::1"), Extended: true}, wire.IPv4Unicast, [2]string{}, false, [2]string{"", "fe80::1"}, true},
		{"IPv4 by IPv6 inside the AS", &internal, with(far, func(r *HopTerms) { r.Extended = true }), wire.IPv4Unicast, [2]string{"2001:db8:9::9"}, false, [2]string{"2001:db8:9::9"}, true},
		{"IPv4 by IPv6 to who does not take it", &internal, &far, wire.IPv4Unicast, [2]string{"2001:db8:9::9"}, false, [2]string{"192.0.2.1"}, true},
		{"IPv6 on the link", &external, &onLink, wire.IPv6Unicast, [2]string{}, false, [2]string{"2001:db8::1", "fe80::1"}, true},
		{"IPv6 far", &external, &far, wire.IPv6Unicast, [2]string{}, false, [2]string{"2001:db8::1"}, true},
		{"IPv6, third party", &external, &onLink, wire.IPv6Unicast, [2]string{"2001:db8::9", "fe80::9"}, false, [2]string{"2001:db8::9", "fe80::9"}, true},
		{"IPv6 inside the AS", &internal, &far, wire.IPv6Unicast, [2]string{"2001:db8:9::9", "fe80::9"}, false, [2]string{"2001:db8:9::9"}, true},
		{"IPv6 of a link-local address alone", &internal, &far, wire.IPv6Unicast, [2]string{"", "fe80::9"}, false, [2]string{"2001:db8::1"}, true},
		{"IPv6 between link-local addresses", &external, &HopTerms{LinkLocal: addr("fe80::1"), Peer: addr("fe80::2")}, wire.IPv6Unicast, [2]string{"2001:db8:9::9"}, false, [2]string{"", "fe80::1"}, true},
		{"IPv6, no address", &external, &HopTerms{}, wire.IPv6Unicast, [2]string{}, false, [2]string{}, false},
	} {
		was := wire.NextHop{Address: addr(test.was[0]), LinkLocal: addr(test.was[1])}
		want := wire.NextHop{Address: addr(test.want[0]), LinkLocal: addr(test.want[1])}
		got, ok := test.terms.NextHop(test.family, was, test.reach, false, test.self)
		if ok != test.ok || ok && got != want {
			t.Errorf("%s: %+v, %v; want %+v, %v", test.name, got, ok, want, test.ok)
		}
	}
	// A reflector leaves the next hop alone, unless it is told to be it here too.
	was := wire.NextHop{Address: addr("203.0.113.9")}
	for all, want := range map[bool]netip.Addr{false: was.Address, true: addr("192.0.2.1")} {
		self := with(far, func(r *HopTerms) { r.Self, r.SelfReflected = true, all })
		if got, ok := internal.NextHop(wire.IPv4Unicast, was, self, true, false); !ok || got.Address != want {
			t.Errorf("reflected, self %v: %+v, %v; want %v", all, got, ok, want)
		}
	}
}

// A route by one of the router's own addresses is refused (RFC 4271 §6.3), and only as long as
// it is one.
func TestOwnNextHop(t *testing.T) {
	s := newStand(t, 1, nil)
	p := s.peers[0]
	s.connect(p)
	list := manyPrefixes(4)
	hop := netip.MustParseAddr("192.0.2.77")
	for i, own := range []bool{false, true, true, false} {
		in := protocol.LinkUp{Link: 1, Addresses: []netip.Prefix{netip.PrefixFrom(standAddress, 24)}}
		if own {
			in.Addresses = append(in.Addresses, netip.PrefixFrom(hop, 24))
		}
		s.step(in)
		s.say(p, p.route(64500, hop, list[i]))
		s.say(p, p.route(64500, p.address, list[i]))
		s.say(p, p.route(64500, hop, list[i]))
		if has := s.has(list[i : i+1])[0]; has == own {
			t.Errorf("by %s, which is the router's own: %v, the route is there: %v", hop, own, has)
		}
	}
}
