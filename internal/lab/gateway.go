package lab

import (
	"net/netip"
	"slices"
)

// Route is what a host reaches through one of its ends.
type Route struct {
	To  netip.Prefix `json:"to"`
	Via netip.Addr   `json:"via,omitzero"` // none on a TUN, where the router is the only other end
}

// routes is what a host reaches through one of its ends: what the file says,
// or, for a host without any routes in the file, a default route of each family
// through the first end with an address of it and, if it needs one, a gateway.
func routes(t *Topology, e End) (routes []Route) {
	all := t.ends(e.Node)
	if slices.ContainsFunc(all, func(a attachment) bool { return a.near.Given }) {
		for _, to := range e.Routes {
			via, _ := t.gateway(e, to.Addr().Is4())
			routes = append(routes, Route{to, via})
		}
		return routes
	}
	for _, everything := range []netip.Prefix{
		netip.PrefixFrom(netip.IPv4Unspecified(), 0),
		netip.PrefixFrom(netip.IPv6Unspecified(), 0),
	} {
		four := everything.Addr().Is4()
		for _, a := range all {
			via, there := t.gateway(a.near, four)
			if !there || !slices.ContainsFunc(a.near.Addresses, func(p netip.Prefix) bool { return p.Addr().Is4() == four }) {
				continue
			}
			if a.near.String() == e.String() {
				routes = append(routes, Route{everything, via})
			}
			break
		}
	}
	return routes
}

// gateway finds the router to which a host sends through an end: on an Ethernet
// the first one in the file with an address in a subnet of the end, on a TUN
// the one at the other end, which needs no address.
func (t *Topology) gateway(e End, four bool) (via netip.Addr, ok bool) {
	for _, near := range t.beside(e) {
		switch {
		case near.tun:
			return netip.Addr{}, true
		case !t.kind(near.Node).routes():
			continue
		}
		for _, p := range near.Addresses {
			a := p.Addr()
			if a.Is4() == four && slices.ContainsFunc(e.Addresses, func(own netip.Prefix) bool { return own.Contains(a) && own.Addr() != a }) {
				return a, true
			}
		}
	}
	return netip.Addr{}, false
}

type neighbor struct {
	End
	tun bool // the end is a TUN
}

// beside gives the ends on the same link as an end, or on the same switch.
func (t *Topology) beside(e End) (ends []neighbor) {
	for _, l := range t.Links {
		for i := range l.Ends {
			near, far := l.Ends[i], l.Ends[1-i]
			if near.String() != e.String() {
				continue
			}
			if t.kind(far.Node) != KindSwitch {
				return append(ends, neighbor{far, !l.ethernet()})
			}
			for _, a := range t.ends(far.Node) {
				if a.far.String() != e.String() {
					ends = append(ends, neighbor{End: a.far})
				}
			}
			return ends
		}
	}
	return nil
}
