package bgp

import (
	"fmt"
	"net/netip"
	"strings"

	"routerd/routing"
	"routerd/routing/bgp/wire"
)

// RouteFilter selects routes. The zero filter selects all.
type RouteFilter struct {
	Within   netip.Prefix // prefixes that it contains, itself among them; invalid = all
	Neighbor netip.Addr   // invalid = of any, and the router's own
	// Link is the one that a link-local Neighbor is on, NoInterface = any; of others it does
	// not matter.
	Link        routing.InterfaceID
	Path        *PathPattern // nil = any
	Communities []*CommunityPattern
}

// CommunityPattern is one community, or several that are alike, of any kind.
type CommunityPattern struct {
	item itemPattern
	size int // octets of a community of the kind
}

// CompileCommunity reads a community as policies have it: "65000:1", "no-export",
// "65000:1:2" or "rt:65000:1", where a part may be "*" for any.
func CompileCommunity(text string) (*CommunityPattern, error) {
	read, size := readCommunity, 4
	switch {
	case strings.HasPrefix(text, "rt:") || strings.HasPrefix(text, "ro:"):
		read, size = readExtended, 8
	case strings.Count(text, ":") == 2:
		read, size = readLarge, 12
	}
	item, err := read(text)
	if err != nil {
		return nil, fmt.Errorf("%q is no community: %w", text, err)
	}
	return &CommunityPattern{item, size}, nil
}

// Match reports whether a route has such a community.
func (p *CommunityPattern) Match(a *wire.Attributes) bool {
	list := []byte(a.Communities)
	switch p.size {
	case 8:
		list = a.Extended
	case 12:
		list = a.Large
	}
	for ; len(list) >= p.size; list = list[p.size:] {
		if p.item.match(list[:p.size]) {
			return true
		}
	}
	return false
}

// selects reports whether a prefix has a route that is selected.
func (m *Machine) selects(of *RouteFilter, r *rib, n uint32, verdicts map[uint32]bool) bool {
	for c := range r.table.Routes(n) {
		if s := m.sources[c.Source]; !of.isFrom(s.address, s.link) {
			continue
		}
		if of.Path == nil && len(of.Communities) == 0 {
			return true
		}
		yes, known := verdicts[c.Attributes.number]
		if !known {
			c.Attributes.octets.Read(&m.given)
			yes = of.has(&m.given)
			verdicts[c.Attributes.number] = yes
		}
		if yes {
			return true
		}
	}
	return false
}

// isFrom reports whether routes of a neighbour on a link are selected.
func (of *RouteFilter) isFrom(a netip.Addr, link routing.InterfaceID) bool {
	return !of.Neighbor.IsValid() ||
		of.Neighbor == a && (!a.IsLinkLocalUnicast() || of.Link == routing.NoInterface || of.Link == link)
}

// has reports whether a route with the attributes is selected.
func (of *RouteFilter) has(a *wire.Attributes) bool {
	if of.Path != nil && !of.Path.Match(a.ASPath) {
		return false
	}
	for _, p := range of.Communities {
		if !p.Match(a) {
			return false
		}
	}
	return true
}

// Select gives a prefix with those of its routes that are selected, none if there are
// none.
func (of *RouteFilter) Select(s PrefixStatus) []PrefixStatus {
	kept := s.Routes[:0]
	for i := range s.Routes {
		if r := &s.Routes[i]; of.isFrom(r.From, r.Link) && of.has(&r.Attributes) {
			kept = append(kept, *r)
		}
	}
	if s.Routes = kept; len(kept) == 0 {
		return nil
	}
	return []PrefixStatus{s}
}
