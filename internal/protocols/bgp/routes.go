package bgp

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/routing"
	"routerd/routing/bgp"
	"routerd/routing/bgp/wire"
)

// book has the methods of bgp.Machine that say which routes there are.
type book interface {
	PrefixStatus(p netip.Prefix) (bgp.PrefixStatus, bool)
	RoutePage(f wire.Family, of *bgp.RouteFilter, after netip.Prefix, most int) ([]bgp.PrefixStatus, netip.Prefix)
	AttributesPage(from uint32, most int) ([]bgp.AttributesStatus, uint32)
	ReceivedPage(of netip.Addr, link routing.InterfaceID, f wire.Family, filtered bool, within, after netip.Prefix, most int) ([]bgp.ReceivedStatus, bgp.Peering)
	AdvertisedPage(to netip.Addr, link routing.InterfaceID, f wire.Family, within, after netip.Prefix, most int) ([]bgp.AdvertisedStatus, bgp.Peering)
}

// RouteQuery selects routes. The zero query selects all.
type RouteQuery struct {
	Prefix    netip.Prefix `query:"prefix,arg"`
	For       netip.Addr   `query:"for,api"` // only the longest prefix with routes that contains this address
	Longer    bool         `query:"longer" help:"the prefix and all that are in it"`
	Community Communities  `query:"community" help:"only routes with all of these <communities>, with commas between; a part may be *"`
	ASPath    Pattern      `query:"as-path" help:"only routes whose AS path this regular <expression> matches, as policies have it"`
	Neighbor  NeighborName `query:"neighbor,complete=bgp/neighbor" help:"only routes of this <neighbor>"`
	Detail    bool         `query:"detail" help:"all that there is to say of each, in lines and not in a table"`
	Family    show.Family  `query:"family" help:"only IPv<4> or 6"`
	After     netip.Prefix `query:"after,api"`           // the page after this prefix: RoutePage.Next
	Limit     int          `query:"limit,api,max=10000"` // most prefixes of a page; 0 = the router's default
}

// Communities are patterns of communities, with commas between.
type Communities string

// list are the patterns.
func (c *Communities) list() (list []string) {
	for one := range strings.SplitSeq(string(*c), ",") {
		if one = strings.TrimSpace(one); one != "" {
			list = append(list, one)
		}
	}
	return list
}

// Set implements show.Value.
func (c *Communities) Set(text string) error {
	all := Communities(text)
	for _, one := range all.list() {
		if _, err := bgp.CompileCommunity(one); err != nil {
			return fmt.Errorf("wanted communities such as 65000:1, no-export, 65000:1:2 or rt:65000:1; %w", err)
		}
	}
	*c = all
	return nil
}

func (c *Communities) String() string { return string(*c) }

// Pattern is a regular expression about AS paths.
type Pattern string

// Set implements show.Value.
func (p *Pattern) Set(text string) error {
	if _, err := bgp.CompilePath(text); err != nil {
		return fmt.Errorf(`wanted a regular expression such as "^65000_", in which _ is what separates AS numbers: %w`, err)
	}
	*p = Pattern(text)
	return nil
}

func (p *Pattern) String() string { return string(*p) }

// RoutePage is a page of the prefixes that there are routes of, IPv4 before IPv6. It may
// have fewer than asked for, even none: only a page without Next is the last.
type RoutePage struct {
	Routes []Route      `json:"routes" show:",rows"`
	Next   netip.Prefix `json:"next,omitzero"`
}

// Route is a prefix with the routes to it.
type Route struct {
	Prefix netip.Prefix `json:"prefix"`
	// Waiting: neighbours are not told of the best route yet, since the forwarding table
	// may not have it.
	Waiting bool   `json:"waiting"`
	Paths   []Path `json:"paths"` // the best one first, then those used beside it and the backup
}

// Path is a route to a prefix.
type Path struct {
	Neighbor netip.Addr `json:"neighbor,omitzero"` // with its interface if it is link-local; absent: it is the router's own
	RouterID netip.Addr `json:"router_id,omitzero"`
	PathID   uint32     `json:"path_id,omitempty"`
	Type     string     `json:"type"` // external | internal | local
	Attributes
	Weight uint32 `json:"weight"`
	// Usable: packets may go to the next hop, which is Resolved as the routing table has
	// it.
	Usable   bool      `json:"usable"`
	Resolved *Resolved `json:"resolved,omitempty"`
	// Stale: it is from before a restart of the neighbor or a refresh, and has not come
	// again yet.
	Stale     bool `json:"stale"`
	Best      bool `json:"best"`
	Multipath bool `json:"multipath"` // used beside the best one
	Backup    bool `json:"backup"`    // used while none of these is alive
	// DecidedBy is the step of the decision that the best one has won by against the next
	// one, and that each other one has lost by; Against is the neighbor of that other
	// route, absent if that is the router's own or there is none. Why says it in words.
	DecidedBy string     `json:"decided_by,omitempty"`
	Against   netip.Addr `json:"against,omitzero"`
	Why       string     `json:"why"`
}

// Resolved is where packets to a next hop go.
type Resolved struct {
	Via       netip.Prefix `json:"via,omitzero"` // the route that it is resolved through; absent: it is on a link
	Source    string       `json:"source,omitempty"`
	Metric    uint32       `json:"metric"` // of that route
	Gateway   netip.Addr   `json:"gateway,omitzero"`
	Interface string       `json:"interface,omitempty"`
}

func routeNoun() running.Noun {
	return show.Spec[running.Protocol, RouteQuery, RoutePage]{
		Path: name + "/route",
		Help: show.Help{
			Aliases: []string{"routes"}, Args: "[PREFIX|ADDRESS] [longer] [community COMMUNITY] [as-path REGEX] [neighbor ADDRESS] [detail]",
			Short: "All routes of all neighbors, and why each has won or lost",
			Long: `All routes of all neighbors, after their import policies, and why each has won or
lost: * marks the best route of a prefix, + one that is used beside it, b the backup
that is used while none of these is alive.

With a prefix, only the routes of exactly this prefix; with longer, also those of
all prefixes in it. With an address, those of the longest prefix that contains it.
NOTE says why a route is not the best one.`,
			Example: `  routerd show bgp route 192.0.2.0/24 detail
  routerd show bgp route 192.0.2.7
  routerd show bgp route 10.0.0.0/8 longer
  routerd show bgp route community 65000:*
  routerd show bgp route as-path _65010$ neighbor 192.0.2.1`,
		},
		Ask:       askRoutes,
		Arguments: routeArguments,
		Check:     checkRoutes,
		Nothing: func(q *RouteQuery) error {
			switch {
			case q.For.IsValid():
				return fmt.Errorf("bgp has no such route to any prefix with %s in it", q.For)
			case q.Prefix.IsValid() && !q.Longer:
				return fmt.Errorf("bgp has no such route to exactly %s", q.Prefix)
			}
			return nil
		},
		Drawn: func(q *RouteQuery) bool { return q.Detail },
		Draw: func(s *show.Screen, q *RouteQuery, p *RoutePage) {
			if q.After.IsValid() && len(p.Routes) > 0 {
				fmt.Fprintln(s)
			}
			blocks(s, p.Routes, func(r *Route) { r.draw(s) })
		},
	}.Noun()
}

// routeArguments reads a prefix, and words before what they select by.
func routeArguments(q *RouteQuery, args []string) error {
	values := map[string]show.Value{"community": &q.Community, "as-path": &q.ASPath, "neighbor": &q.Neighbor}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if v := values[arg]; v != nil {
			if len(args) == 0 {
				return fmt.Errorf("%s which?", arg)
			}
			if err := v.Set(args[0]); err != nil {
				return fmt.Errorf("%s %q: %w", arg, args[0], err)
			}
			args = args[1:]
			continue
		}
		switch {
		case arg == "detail":
			q.Detail = true
			continue
		case arg == "longer":
			q.Longer = true
			continue
		}
		if a, err := netip.ParseAddr(arg); err == nil && a.Zone() == "" && !q.For.IsValid() {
			q.For = a.Unmap()
			continue
		}
		p, err := netip.ParsePrefix(arg)
		if err != nil || q.Prefix.IsValid() {
			return fmt.Errorf("%q: wanted a prefix such as 10.0.0.0/8, an address, longer, detail, or community, as-path or neighbor with a value", arg)
		}
		q.Prefix = p.Masked()
	}
	return nil
}

func checkRoutes(q *RouteQuery) error {
	switch {
	case q.Longer && !q.Prefix.IsValid():
		return show.BadRequest("longer than which prefix?")
	case q.For.IsValid() && q.Prefix.IsValid():
		return show.BadRequest("wanted a prefix or an address, not both")
	case q.For.IsValid() && !q.Family.Has(q.For):
		return show.BadRequest("%s is not IPv%d", q.For, q.Family)
	}
	return checkFamily(q.Prefix, q.Family)
}

// checkFamily says that a prefix is not of a family that is wanted.
func checkFamily(p netip.Prefix, f show.Family) error {
	if p.IsValid() && !f.Has(p.Addr()) {
		return show.BadRequest("%s is not IPv%d", p, f)
	}
	return nil
}

// filter makes what the core selects by.
func (q *RouteQuery) filter(p running.Protocol) (*bgp.RouteFilter, error) {
	of := &bgp.RouteFilter{Within: q.Prefix}
	if q.Neighbor != "" {
		a, link, err := q.Neighbor.at(p)
		if err != nil {
			return nil, err
		}
		of.Neighbor, of.Link = a, link
	}
	if q.ASPath != "" {
		pattern, err := bgp.CompilePath(string(q.ASPath))
		if err != nil {
			return nil, show.BadRequest("%v", err)
		}
		of.Path = pattern
	}
	for _, text := range q.Community.list() {
		c, err := bgp.CompileCommunity(text)
		if err != nil {
			return nil, show.BadRequest("%v", err)
		}
		of.Communities = append(of.Communities, c)
	}
	return of, nil
}

// askRoutes asks for a page. What the core has is put into words behind its back, so that
// it goes on meanwhile.
func askRoutes(ctx context.Context, p running.Protocol, q RouteQuery) (page RoutePage, err error) {
	of, err := q.filter(p)
	if err != nil {
		return page, err
	}
	part := pageOf(q.Prefix, q.Family, q.After, q.Limit)
	exactly := q.For.IsValid() || q.Prefix.IsValid() && !q.Longer
	var list []bgp.PrefixStatus
	if !exactly {
		list, err = inPieces(ctx, p, part, func(c book, f wire.Family, after netip.Prefix, most int) ([]bgp.PrefixStatus, netip.Prefix) {
			return c.RoutePage(f, of, after, most)
		})
		page.Next = part.next
	} else {
		list, err = askExactly(ctx, p, q, of)
	}
	for i := range list {
		page.Routes = append(page.Routes, routeOf(&list[i], p))
	}
	return page, err
}

// askExactly asks for the one prefix that a query names, or that an address is in.
func askExactly(ctx context.Context, p running.Protocol, q RouteQuery, of *bgp.RouteFilter) ([]bgp.PrefixStatus, error) {
	return running.Ask(ctx, p, name, func(c book, _ time.Time) (list []bgp.PrefixStatus) {
		if q.For.IsValid() {
			for bits := q.For.BitLen(); bits >= 0 && len(list) == 0; bits-- {
				p, _ := q.For.Prefix(bits)
				list = selected(c, of, p)
			}
			return list
		}
		return selected(c, of, q.Prefix)
	})
}

// selected is a prefix with the routes that are selected, none if there are none.
func selected(c book, of *bgp.RouteFilter, p netip.Prefix) []bgp.PrefixStatus {
	s, ok := c.PrefixStatus(p)
	if !ok {
		return nil
	}
	return of.Select(s)
}

func routeOf(s *bgp.PrefixStatus, p running.Protocol) Route {
	r := Route{Prefix: s.Prefix, Waiting: s.Waiting, Paths: []Path{}}
	for i := range s.Routes {
		r.Paths = append(r.Paths, pathOf(&s.Routes[i], p))
	}
	return r
}

func pathOf(s *bgp.RouteStatus, p running.Protocol) Path {
	x := Path{
		Neighbor: neighborAddress(s.From, s.Link, p), RouterID: addressOf(s.RouterID), PathID: s.PathID, Type: "internal",
		Attributes: attributesOf(&s.Attributes), Weight: s.Weight, Usable: s.Hop.Usable,
		Stale: s.Stale, Best: s.Best, Multipath: s.Multipath, Backup: s.Backup, Against: s.Against, Why: s.Why,
	}
	if s.Step != bgp.Undecided {
		x.DecidedBy = s.Step.String()
	}
	switch {
	case !s.From.IsValid():
		x.Type = "local"
		return x
	case s.External:
		x.Type = "external"
	}
	if h := &s.Hop; h.Reachable {
		x.Resolved = &Resolved{Via: h.Via, Metric: h.Metric, Gateway: h.Gateway, Interface: p.InterfaceName(h.Out)}
		if h.Source != routing.SourceNone {
			x.Resolved.Source = h.Source.String()
		}
	}
	return x
}
