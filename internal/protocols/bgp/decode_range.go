package bgp

import (
	"fmt"
	"net/netip"

	"routerd/internal/tomltext"
	"routerd/routing"
	"routerd/routing/bgp"
	"routerd/routing/bgp/wire"
)

// decodeRanges reads the prefixes that neighbours may connect from, each of which has the
// settings of a group, and reports whether the text has any.
func (d *decoder) decodeRanges(s *tomltext.Section, groups map[string]settings, names []string) bool {
	all := s.Section("listen-range")
	for _, name := range all.Names() {
		t := all.Section(name)
		if t.Table == nil {
			continue
		}
		n := d.memberOf(t, groups, names)
		d.decodePeerAS(t, &n)
		limit := tomltext.Get(t, "limit", bgp.DefaultListenLimit, tomltext.Whole(1, 65535))
		given := t.Has("peer-group")
		t.Done()
		p, err := tomltext.Subnet.Read(name)
		switch {
		case masked(name) != "":
			d.WrongKey(t.At, fmt.Sprintf("%q has bits set behind its length", name), `a network, "192.0.2.0/24"`).
				Suggestion = fmt.Sprintf("did you mean %q?", masked(name))
			continue
		case err != nil || p.Addr().IsMulticast() || p.Addr().IsLinkLocalUnicast() && p.Addr().Is6():
			d.WrongKey(t.At, fmt.Sprintf("%q is no prefix that neighbors can have addresses in", name), `a network, "192.0.2.0/24"`)
			continue
		case !given:
			d.WrongKey(t.At, fmt.Sprintf("%s has no peer-group", t.At), "peer-group = the name of the group whose settings they have")
			continue
		}
		n.Address, n.ofRange = p.Addr(), true // for what depends on the family
		d.finish(t, &n)
		n.Address, n.Link = netip.Addr{}, routing.NoInterface
		if n.password != nil {
			i := len(d.cfg.ListenRanges)
			n.password.Use(func(secret []byte) { d.cfg.ListenRanges[i].Neighbor.Password = string(secret) })
		}
		d.cfg.ListenRanges = append(d.cfg.ListenRanges, bgp.ListenRange{Prefix: p, Neighbor: n.NeighborConfig, Limit: limit})
	}
	return len(all.Names()) > 0
}

// masked returns the network of a prefix that has bits set behind its length, "" for
// everything else.
func masked(text string) string {
	if p, err := netip.ParsePrefix(text); err == nil && p.Masked() != p {
		return p.Masked().String()
	}
	return ""
}

// decodeAggregates reads the prefixes that the router originates while it has something
// more specific.
func (d *decoder) decodeAggregates(s *tomltext.Section) {
	all := s.Section("aggregate")
	for _, name := range all.Names() {
		t := all.Section(name)
		if t.Table == nil {
			continue
		}
		a := bgp.Aggregate{SummaryOnly: tomltext.Get(t, "summary-only", false, tomltext.Bool), Policy: d.Chain(t, "policy")}
		t.Done()
		var err error
		if m := masked(name); m != "" {
			d.WrongKey(t.At, fmt.Sprintf("%q has bits set behind its length", name), `a prefix without host bits, "203.0.112.0/20"`).
				Suggestion = fmt.Sprintf("did you mean %q?", m)
			continue
		}
		if a.Prefix, err = tomltext.Subnet.Read(name); err != nil || !wire.Destination(a.Prefix) {
			d.WrongKey(t.At, fmt.Sprintf("%q is no network of unicast addresses", name), `a prefix without host bits, "203.0.112.0/20"`)
			continue
		}
		d.cfg.Aggregates = append(d.cfg.Aggregates, a)
	}
}

// decodeDefaultOriginate reads whether neighbours are sent a default route of the router's
// own: true, or a table.
func (d *decoder) decodeDefaultOriginate(s *tomltext.Section) (o bgp.DefaultOriginate, given bool) {
	const key = "default-originate"
	v, given := s.Lookup(key)
	inner, isTable := s.Inner(key, tomltext.Item[any]{Value: v, At: s.At.With(key)})
	o = bgp.DefaultOriginate{
		Enabled: true,
		Always:  tomltext.Get(inner, "always", false, tomltext.Bool),
		Policy:  d.Chain(inner, "policy"),
	}
	if isTable {
		inner.Done()
	} else if on := tomltext.Get(s, key, false, originateReading); !on {
		return bgp.DefaultOriginate{}, given
	}
	text := "while there is one"
	if o.Always {
		text = "always"
	}
	for _, p := range o.Policy {
		text += " " + p.Name
	}
	s.Record(key, text)
	return o, given
}

var originateReading = tomltext.Reading[bool]{Read: tomltext.Bool.Read, Want: `true, or a table like { always = true, policy = "marked" }`}

// peerAS is what the text says of a neighbour's AS.
type peerAS struct {
	as       uint32 // 0 = nothing, or external
	external bool
}

// String is the value as the text has it.
func (p peerAS) String() string {
	switch {
	case p.external:
		return asExternal
	case p.as == 0:
		return ""
	}
	return fmt.Sprint(p.as)
}

// asExternal is what peer-as says of a neighbour of any other AS.
const asExternal = "external"

// decodePeerAS reads the AS of a neighbour.
func (d *decoder) decodePeerAS(s *tomltext.Section, n *settings) {
	x := tomltext.Get(s, "peer-as", peerAS{n.AS, n.AnyExternal}, tomltext.Reading[peerAS]{Read: func(v any) (peerAS, error) {
		switch v {
		case asInternal:
			return peerAS{as: d.cfg.AS}, nil
		case asExternal:
			return peerAS{external: true}, nil
		}
		as, err := asReading.Read(v)
		return peerAS{as: as}, err
	}, Want: asReading.Want + fmt.Sprintf(", or %q or %q", asInternal, asExternal)})
	n.AS, n.AnyExternal = x.as, x.external
	s.Default("peer-as", "")
}
