package config

import (
	"fmt"
	"math"
	"net/netip"
	"slices"

	"routerd/routing"
	"routerd/routing/rib"
)

// staticPlaces remembers where a static route's values stand, for the checks
// across the configuration.
type staticPlaces struct {
	*rib.StaticRoute
	at   path
	hops []item[rib.StaticNextHop] // as in NextHops
}

// decodeStatic reads one [[static.route]]; one that leads nowhere is reported
// and nil.
func (r *reader) decodeStatic(s *section) *staticPlaces {
	route := rib.StaticRoute{
		Prefix:   get(s, "prefix", netip.Prefix{}, subnet),
		Action:   get(s, "action", routing.Forward, actionReading),
		Distance: uint8(get(s, "distance", 0, whole(1, 255))),
		Tag:      uint32(get(s, "tag", 0, whole(0, math.MaxUint32))),
		Origin:   r.origin(s.at.with("prefix")),
	}
	hops := r.decodeNextHops(s)
	for _, h := range hops {
		route.NextHops = append(route.NextHops, h.value)
	}
	s.done()
	if !s.has("prefix") {
		p := r.problem(r.where(s.at).key, "a static route without a prefix")
		p.Want = `prefix = "192.0.2.0/24", say`
		r.problems = append(r.problems, p)
	}
	if !route.Prefix.IsValid() {
		return nil
	}
	switch {
	case route.Action != routing.Forward && s.has("next-hop"):
		r.wrong(s.at.with("action"), fmt.Sprintf("a %s route with a next hop", route.Action), "either an action or a next-hop")
		return nil
	case route.Action == routing.Forward && s.has("action"):
		return nil // a word that there is not, and reported
	case route.Action == routing.Forward && !s.has("next-hop"):
		r.wrong(s.at.with("prefix"), fmt.Sprintf("the route to %s leads nowhere", route.Prefix), "a next-hop, or action = \"blackhole\", \"unreachable\" or \"prohibit\"")
		return nil
	case route.Action == routing.Forward && len(hops) == 0:
		if given, isList := s.table["next-hop"].([]any); isList && len(given) == 0 {
			r.wrong(s.at.with("next-hop"), "an empty list of next hops", nextHop.want)
		}
		return nil
	}
	r.checkHops(route.Prefix, hops)
	return &staticPlaces{&route, s.at, hops}
}

// checkHops looks at the next hops of one route by themselves.
func (r *reader) checkHops(to netip.Prefix, hops []item[rib.StaticNextHop]) {
	for n, h := range hops {
		if slices.ContainsFunc(hops[:n], func(b item[rib.StaticNextHop]) bool {
			return b.value.Address == h.value.Address && b.value.Interface == h.value.Interface
		}) {
			r.wrong(h.at, fmt.Sprintf("%s is a next hop that the route to %s has already", h.at, to), "each next hop once; its share is its weight")
		}
		if a := h.value.Address; a.IsValid() && a.Is4() != to.Addr().Is4() {
			r.wrong(h.at, fmt.Sprintf("next hop %s of %s is of the other family", a, to), "an address of the prefix's family")
		}
	}
}

var actionReading = oneOf([]string{"blackhole", "unreachable", "prohibit"},
	[]routing.Action{routing.Blackhole, routing.Unreachable, routing.Prohibit})

// nextHop reads the short form of a next hop: its address.
var nextHop = reading[netip.Addr]{func(v any) (netip.Addr, error) {
	a, err := address.read(v)
	if err != nil {
		return a, err
	}
	if a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() {
		return a, hint{message: "which is nobody's"}
	}
	if a.IsLinkLocalUnicast() && a.Is6() {
		return a, hint{"which is link-local and means nothing without its interface", fmt.Sprintf("did you mean { address = %q, interface = … }?", a)}
	}
	return a, nil
}, `an address, or a table like { address = "192.0.2.1", interface = "lan0", weight = 2 }`}

// decodeNextHops reads next-hop: an address, a table, or a list of those.
func (r *reader) decodeNextHops(s *section) []item[rib.StaticNextHop] {
	var out []item[rib.StaticNextHop]
	for _, v := range list(s, "next-hop", reading[any]{func(v any) (any, error) { return v, nil }, ""}) {
		t, isTable := v.value.(map[string]any)
		if !isTable {
			a, err := nextHop.read(v.value)
			if err != nil {
				s.complain(v.at, v.value, err, nextHop.want)
				continue
			}
			out = append(out, item[rib.StaticNextHop]{rib.StaticNextHop{Address: a}, v.at})
			continue
		}
		sub := &section{r: r, at: v.at, table: t}
		h := rib.StaticNextHop{
			Interface: get(sub, "interface", "", text("the name of an interface")),
			Weight:    uint8(get(sub, "weight", 0, whole(1, 255))),
		}
		how := nextHop
		if h.Interface != "" { // which says what a link-local address means
			how = address
		}
		h.Address = get(sub, "address", netip.Addr{}, how)
		sub.done()
		if !sub.has("address") && !sub.has("interface") {
			r.wrong(v.at, fmt.Sprintf("%s has neither address nor interface", v.at), nextHop.want)
			continue
		}
		out = append(out, item[rib.StaticNextHop]{h, v.at})
	}
	return out
}
