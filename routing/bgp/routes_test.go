package bgp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/protocol"
)

// diamond is a router with two ways to the networks of another AS: one by 65002, one by
// 65003, which is longer by one AS number.
func diamond(t testing.TB) (w *network, a, b, c, d *router) {
	w = newNetwork(t, 1)
	a, b, c, d = w.router(65001), w.router(65002), w.router(65003), w.router(65004)
	longer, problems := statement(t, nil, map[string]any{"as-path-prepend": "65003", "community": []any{"65003:7", "no-peer"}, "large-community": "65003:1:2"})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	w.peer(a, b, nil)
	w.peer(a, c, func(of *router, n *NeighborConfig) {
		if of == c {
			n.Families[ipv4].Export.Chain = longer
		}
	})
	w.peer(b, d, nil)
	w.peer(c, d, nil)
	return w, a, b, c, d
}

func said(list []RouteStatus) (text []string) {
	for _, s := range list {
		marks := ""
		for mark, is := range map[string]bool{"best": s.Best, "multipath": s.Multipath, "backup": s.Backup, "stale": s.Stale} {
			if is {
				marks += mark
			}
		}
		from := "here"
		if s.From.IsValid() {
			from = s.From.String()
		}
		text = append(text, strings.TrimSpace(fmt.Sprintf("%s %s: %s", from, marks, s.Why)))
	}
	return text
}

func TestRoutesSayWhy(t *testing.T) {
	w, a, b, c, d := diamond(t)
	w.start()
	w.run(time.Minute)
	w.established()
	x := ownPrefix(d.number)
	want := func(what string, want ...string) {
		t.Helper()
		s, _ := a.machine.PrefixStatus(x)
		if got := said(s.Routes); !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	want("two ways", "10.0.1.2 best: shorter AS path 2 over 3", "10.0.2.2 backup: shorter AS path 2 over 3")
	s, _ := a.machine.PrefixStatus(x)
	if r := s.Routes[0]; r.Step != StepPathLength || r.Against.String() != "10.0.2.2" || r.RouterID != 2 || !r.External || s.Waiting {
		t.Errorf("%+v, want the step and the loser", r)
	}
	if h := s.Routes[0].Hop; !h.Usable || h.Source != routing.SourceConnected || h.Address.String() != "10.0.1.2" {
		t.Errorf("next hop %+v, want one that is connected", h)
	}
	if s, _ := a.machine.PrefixStatus(ownPrefix(0)); !slices.Equal(said(s.Routes), []string{"here best: it is the only one"}) {
		t.Errorf("the own network: %v", said(s.Routes))
	}
	if _, ok := a.machine.PrefixStatus(ownPrefix(77)); ok {
		t.Error("there are routes of a prefix that there is not")
	}
	a.config.Rules.IgnorePathLength, a.config.Rules.MultipathExternal, a.config.Rules.MultipathRelax = true, 2, true
	w.configure(a)
	w.run(time.Second)
	want("both at once", "10.0.1.2 best: lower router ID 0.0.0.2 over 0.0.0.3", "10.0.2.2 multipath: lower router ID 0.0.0.2 over 0.0.0.3")
	a.config.Rules = Rules{}
	w.configure(a)
	hop := func(state routing.NextHopState) {
		state.Address, state.Interface = netip.MustParseAddr("10.0.1.2"), routing.NoInterface
		w.step(a, protocol.Notices{Notices: routing.Notices{NextHops: []routing.NextHopState{state}}})
		for range 10 {
			w.step(a, protocol.Tick{})
		}
	}
	hop(routing.NextHopState{})
	want("a dead next hop", "10.0.2.2 best: no other route can be used", "10.0.1.2 : its next hop cannot be reached")
	hop(routing.NextHopState{Reachable: true, Source: routing.SourceOSPF, Metric: 20, Via: netip.MustParsePrefix("10.0.0.0/8")})
	want("a next hop that is far", "10.0.2.2 best: no other route can be used",
		"10.0.1.2 : its next hop is not on a link, as that of a neighbour on a link has to be")
	w.vanish(b)
	w.vanish(c)
	w.run(time.Minute)
	if _, ok := a.machine.PrefixStatus(x); ok {
		t.Error("there are routes after all neighbours have gone")
	}
}

// pages are all pages of a filter, of so many prefixes each.
func (r *router) pages(t *testing.T, of RouteFilter, most int) (list []PrefixStatus) {
	t.Helper()
	var after netip.Prefix
	for range 1000 {
		page, next := r.machine.RoutePage(ipv4, &of, after, most)
		if len(page) > most {
			t.Fatalf("a page of %d, want at most %d", len(page), most)
		}
		if list = append(list, page...); !next.IsValid() {
			return list
		}
		after = next
	}
	t.Fatal("the pages have no end")
	return nil
}

func TestRouteFilter(t *testing.T) {
	w, a, _, _, d := diamond(t)
	w.originates(d, 5)
	w.start()
	w.run(time.Minute)
	w.established()
	path := func(text string) *PathPattern {
		p, err := CompilePath(text)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	communities := func(list ...string) (patterns []*CommunityPattern) {
		for _, text := range list {
			p, err := CompileCommunity(text)
			if err != nil {
				t.Fatal(err)
			}
			patterns = append(patterns, p)
		}
		return patterns
	}
	for _, test := range []struct {
		name             string
		of               RouteFilter
		prefixes, routes int
	}{
		// The own network, that of b, which c has by this router, that of c, which b has by d,
		// and six of d, which have two ways each.
		{"all", RouteFilter{}, 9, 1 + 1 + 2 + 2*6},
		{"longer", RouteFilter{Within: netip.MustParsePrefix("100.100.0.0/14")}, 4, 8},
		{"exactly", RouteFilter{Within: ownPrefix(102)}, 1, 2},
		{"of a neighbor", RouteFilter{Neighbor: netip.MustParseAddr("10.0.2.2")}, 7, 7},
		{"by a path", RouteFilter{Path: path("^65002_65004$")}, 6, 6},
		{"by a path and of a neighbor", RouteFilter{Path: path("65004$"), Neighbor: netip.MustParseAddr("10.0.1.2")}, 6, 6},
		{"by a community", RouteFilter{Communities: communities("65003:*")}, 7, 7},
		{"by two", RouteFilter{Communities: communities("65003:7", "no-peer", "65003:1:*")}, 7, 7},
		{"by one that there is not", RouteFilter{Communities: communities("65003:7", "65003:8")}, 0, 0},
		{"by an extended one", RouteFilter{Communities: communities("rt:65003:7")}, 0, 0},
	} {
		for _, most := range []int{1, 3, 100} {
			list := a.pages(t, test.of, most)
			routes := 0
			for i, p := range list {
				routes += len(p.Routes)
				if i > 0 && list[i-1].Prefix.Compare(p.Prefix) >= 0 {
					t.Errorf("%s: %v is behind %v", test.name, p.Prefix, list[i-1].Prefix)
				}
			}
			if len(list) != test.prefixes || routes != test.routes {
				t.Errorf("%s, pages of %d: %d prefixes, %d routes; want %d, %d", test.name, most, len(list), routes, test.prefixes, test.routes)
			}
		}
	}
	if a.machine.ribs[ipv4].table.order == nil {
		t.Error("prefixes are not in order after a walk")
	}
	w.now = w.now.Add(2 * orderKept)
	w.step(a, protocol.Tick{})
	if a.machine.ribs[ipv4].table.order != nil {
		t.Error("prefixes are still in order long after a walk")
	}
	for _, text := range []string{"", "65003", "x:1", "65003:70000", "rt:1", "1:2:3:4"} {
		if p, err := CompileCommunity(text); err == nil {
			t.Errorf("%q is a community: %+v", text, p)
		}
	}
}

// The sets of attributes, page by page, are used as often as routes and choices have them.
func TestAttributesPage(t *testing.T) {
	w, a, _, _, d := diamond(t)
	w.originates(d, 5)
	w.start()
	w.run(time.Minute)
	w.established()
	var list []AttributesStatus
	for from, pages := uint32(0), 0; ; pages++ {
		page, next := a.machine.AttributesPage(from, 2)
		if list = append(list, page...); next == 0 || pages > 100 {
			break
		}
		from = next
	}
	octets, uses := 0, 0
	for i, s := range list {
		octets, uses = octets+s.Octets, uses+s.Uses
		if i > 0 && list[i-1].Number >= s.Number || s.Attributes.AppendSet(nil) == nil {
			t.Errorf("%+v is behind %+v", s, list[i-1])
		}
	}
	if len(list) != a.machine.attributes.Len() || octets != a.machine.attributes.Octets() {
		t.Errorf("%d sets of %d octets, want %d of %d", len(list), octets, a.machine.attributes.Len(), a.machine.attributes.Octets())
	}
	w.vanish(d)
	w.run(time.Minute)
	left, _ := a.machine.AttributesPage(0, 100)
	for _, s := range left {
		if s.Octets == 0 || s.Uses <= 0 {
			t.Errorf("a set that nobody uses is shown: %+v", s)
		}
	}
	if len(left) != a.machine.attributes.Len() {
		t.Errorf("%d sets are shown, of %d", len(left), a.machine.attributes.Len())
	}
	if want := 16 + 9; uses != want { // routes, and what was chosen of nine prefixes
		t.Errorf("%d uses, want %d", uses, want)
	}
}

// What was asked for stays as it was, whatever becomes of the sets of attributes: it is put
// into words while the machine goes on.
func TestStatusesOutliveSets(t *testing.T) {
	w, a, _, _, d := diamond(t)
	w.originates(d, 5)
	w.start()
	w.run(time.Minute)
	w.established()
	page, _ := a.machine.RoutePage(ipv4, &RouteFilter{}, netip.Prefix{}, 100)
	sets, _ := a.machine.AttributesPage(0, 100)
	words := func() (text []string) {
		for _, p := range page {
			for _, r := range p.Routes {
				text = append(text, string(octets(r.Attributes)))
			}
		}
		for _, s := range sets {
			text = append(text, string(octets(s.Attributes)))
		}
		return text
	}
	before := words()
	w.vanish(d)
	w.run(time.Minute)
	table := &a.machine.attributes
	for i := range 60_000 { // more octets than are lost before sets are moved
		set := attributesOf(t, table, fmt.Sprint("65002 ", 1+i), nil)
		if i%2 == 0 {
			table.Release(set)
		}
	}
	if !slices.Equal(words(), before) {
		t.Error("attributes that were given away have changed")
	}
}
