package config

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"routerd/internal/protocols/decode"
	"routerd/internal/tomltext"
	"routerd/routing"
	"routerd/routing/rib"
)

// staticPlaces has the places of a static route's values, for the checks across
// the configuration.
type staticPlaces struct {
	*rib.StaticRoute
	at   tomltext.Path
	hops []tomltext.Item[rib.StaticNextHop] // as in NextHops
}

// decodeStatic reads one [[static.route]]. It returns nil for a route without
// next hops, which it reports.
func (r *reader) decodeStatic(s *tomltext.Section, c *Config) *staticPlaces {
	route := rib.StaticRoute{
		Prefix:   tomltext.Get(s, "prefix", netip.Prefix{}, tomltext.Subnet),
		Action:   tomltext.Get(s, "action", routing.Forward, actionReading),
		Distance: uint8(tomltext.Get(s, "distance", 0, tomltext.Whole(1, 255))),
		Tag:      uint32(tomltext.Get(s, "tag", 0, tomltext.Whole(0, math.MaxUint32))),
		Origin:   r.origin(s.At.With("prefix")),
	}
	s.Default("tag", "")
	s.Record("distance", "") // part of its name, see staticName
	hops := r.decodeNextHops(s)
	var words []string
	for _, h := range hops {
		route.NextHops = append(route.NextHops, h.Value)
		words = append(words, hopText(h.Value))
	}
	s.Record("next-hop", strings.Join(words, ", "))
	if route.Prefix.IsValid() {
		s.Name(c.staticName(&route), "prefix")
	}
	s.Done()
	if !s.Has("prefix") {
		r.WrongKey(s.At, "a static route without a prefix", `prefix = "192.0.2.0/24", say`)
	}
	if !route.Prefix.IsValid() {
		return nil
	}
	switch {
	case route.Action != routing.Forward && s.Has("next-hop"):
		r.Wrong(s.At.With("action"), fmt.Sprintf("a %s route with a next hop", route.Action), "either an action or a next-hop")
		return nil
	case route.Action == routing.Forward && s.Has("action"):
		return nil // an unknown word, reported already
	case route.Action == routing.Forward && !s.Has("next-hop"):
		r.Wrong(s.At.With("prefix"), fmt.Sprintf("the route to %s leads nowhere", route.Prefix), "a next-hop, or action = \"blackhole\", \"unreachable\" or \"prohibit\"")
		return nil
	case route.Action == routing.Forward && len(hops) == 0:
		if given, isList := s.Table["next-hop"].([]any); isList && len(given) == 0 {
			r.Wrong(s.At.With("next-hop"), "an empty list of next hops", nextHop.Want)
		}
		return nil
	}
	r.checkHops(route.Prefix, hops)
	return &staticPlaces{&route, s.At, hops}
}

// staticName returns the name by which reloads identify a static route: its
// prefix, and its distance if it is not the default.
func (c *Config) staticName(s *rib.StaticRoute) string {
	if s.Distance == 0 || s.Distance == c.staticDistance(&rib.StaticRoute{}) {
		return s.Prefix.String()
	}
	return fmt.Sprintf("%s distance %d", s.Prefix, s.Distance)
}

// hopText describes a next hop: "192.0.2.1 on lan0 weight 2".
func hopText(h rib.StaticNextHop) string {
	var words []string
	if h.Address.IsValid() {
		words = append(words, h.Address.String())
	}
	if h.Interface != "" {
		words = append(words, "on "+h.Interface)
	}
	if h.Weight > 1 {
		words = append(words, fmt.Sprintf("weight %d", h.Weight))
	}
	if h.Watch != nil {
		words = append(words, decode.WatchText(h.Watch))
	}
	return strings.Join(words, " ")
}

// checkHops checks the next hops of one route by themselves.
func (r *reader) checkHops(to netip.Prefix, hops []tomltext.Item[rib.StaticNextHop]) {
	for n, h := range hops {
		if slices.ContainsFunc(hops[:n], func(b tomltext.Item[rib.StaticNextHop]) bool {
			return b.Value.Address == h.Value.Address && b.Value.Interface == h.Value.Interface
		}) {
			r.Wrong(h.At, fmt.Sprintf("%s is a next hop that the route to %s has already", h.At, to), "each next hop once; its share is its weight")
		}
		if a := h.Value.Address; a.IsValid() && a.Is4() != to.Addr().Is4() {
			r.Wrong(h.At, fmt.Sprintf("next hop %s of %s is of the other family", a, to), "an address of the prefix's family")
		}
	}
}

// checkWatch checks how a next hop is watched over several hops: from one source,
// since routes by the same next hop share what is found out about it.
func (r *reader) checkWatch(at tomltext.Path, h *rib.StaticNextHop) {
	source := h.Watch.Source
	switch was, twice := r.sources[h.Address]; {
	case source.IsValid() && h.Interface != "":
		r.Wrong(at, fmt.Sprintf("%s is several hops away, and on interface %s", h.Address, h.Interface), "multihop, or an interface")
	case source.IsValid() && source.Is4() != h.Address.Is4():
		r.Wrong(at, fmt.Sprintf("source %s of %s is of the other family", source, h.Address), "an address of the next hop's family")
	case twice && was != source && h.Interface == "":
		r.Wrong(at, fmt.Sprintf("next hop %s is watched in another way by another route", h.Address), "the same multihop and source wherever it is a next hop")
	case h.Interface == "":
		if r.sources == nil {
			r.sources = map[netip.Addr]netip.Addr{}
		}
		r.sources[h.Address] = source
	}
}

var actionReading = tomltext.OneOf([]string{"blackhole", "unreachable", "prohibit"},
	[]routing.Action{routing.Blackhole, routing.Unreachable, routing.Prohibit})

// nextHop reads the short form of a next hop: its address.
var nextHop = tomltext.Reading[netip.Addr]{Read: func(v any) (netip.Addr, error) {
	a, err := tomltext.Address.Read(v)
	if err != nil {
		return a, err
	}
	if a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() {
		return a, tomltext.Hint{Message: "which is nobody's"}
	}
	if a.IsLinkLocalUnicast() && a.Is6() {
		return a, tomltext.Hint{
			Message:    "which is link-local and means nothing without its interface",
			Suggestion: fmt.Sprintf("did you mean { address = %q, interface = … }?", a),
		}
	}
	return a, nil
}, Want: `an address, or a table like { address = "192.0.2.1", interface = "lan0", weight = 2 }`}

// decodeNextHops reads next-hop: an address, a table, or a list of those.
func (r *reader) decodeNextHops(s *tomltext.Section) []tomltext.Item[rib.StaticNextHop] {
	var out []tomltext.Item[rib.StaticNextHop]
	for _, v := range s.Elements("next-hop") {
		sub, isTable := s.Inner("next-hop", v)
		if !isTable {
			if a, ok := tomltext.Read(s, v, nextHop); ok {
				out = append(out, tomltext.Item[rib.StaticNextHop]{Value: rib.StaticNextHop{Address: a}, At: v.At})
			}
			continue
		}
		h := rib.StaticNextHop{
			Interface: tomltext.Get(sub, "interface", "", tomltext.Text("the name of an interface")),
			Weight:    uint8(tomltext.Get(sub, "weight", 0, tomltext.Whole(1, 255))),
			Watch:     r.watches.ReadFar(sub),
		}
		how := nextHop
		if h.Interface != "" { // needed for a link-local address
			how = tomltext.Address
		}
		h.Address = tomltext.Get(sub, "address", netip.Addr{}, how)
		sub.Done()
		if !sub.Has("address") && !sub.Has("interface") {
			r.Wrong(v.At, fmt.Sprintf("%s has neither address nor interface", v.At), nextHop.Want)
			continue
		}
		if h.Watch != nil && !sub.Has("address") {
			r.Wrong(v.At, fmt.Sprintf("%s has bfd and no address, so there is nobody to speak it with", v.At), `{ address = "192.0.2.1", bfd = true }, say`)
			continue
		}
		if h.Watch != nil {
			r.checkWatch(v.At, &h)
		}
		out = append(out, tomltext.Item[rib.StaticNextHop]{Value: h, At: v.At})
	}
	return out
}
