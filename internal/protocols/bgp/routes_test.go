package bgp

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"routerd/internal/protocols/bgp/bgptest"
)

// explain route says of each next hop whose path it is, what leads there, and why the
// best one has won.
func TestDerive(t *testing.T) {
	for to, want := range map[string][]string{
		"192.0.2.0/24": {
			"198.51.100.1",
			"  neighbor 198.51.100.1, of another AS, has announced it; AS path 64500 64501",
			"  its next hop is 198.51.100.1 on lan0",
			"  it is the best route: shorter AS path 2 over 3, against that of 198.51.100.9",
			"  the route of 198.51.100.1 is used beside the best one: that of 198.51.100.1 has won by lower path identifier 0 over 7",
			"  the route of 198.51.100.9 is the backup: that of 198.51.100.1 has won by shorter AS path 2 over 3",
			"  the route of 198.51.100.8 is not used: that of 198.51.100.1 has won by shorter AS path 2 over 3",
			"198.51.100.1",
			"  neighbor 198.51.100.1, of another AS, has announced it; AS path 64500 64501",
			"  its next hop is 198.51.100.1 on lan0",
			"  it is used beside the best one: that of 198.51.100.1 has won by lower path identifier 0 over 7",
			"198.51.100.9",
			"  neighbor 198.51.100.9, of another AS, has announced it; AS path 64509 64500 64501",
			"  its next hop is 198.51.100.9 on lan0",
			"  it is the backup: that of 198.51.100.1 has won by shorter AS path 2 over 3",
		},
		"198.18.0.0/15": {
			"10.255.0.3",
			"  neighbor 10.255.0.2, of this AS, has announced it; AS path 64502",
			"  its next hop is 10.255.0.3 by the ospf route to 10.255.0.3/32, metric 20, through 10.0.12.2 on core0",
			"  it is the best route: no other route can be used",
			"  the route of 10.255.0.9 is not usable: its next hop cannot be reached",
			"  neighbors are told of it when the forwarding table has it",
		},
		"203.0.113.0/24": {
			"this router",
			"  this router originates it",
			"  it is the best route: it is the only one",
		},
		"2001:db8:9::/48": {
			"fe80::9",
			"  neighbor fe80::9%core1, of another AS, has announced it; AS path 65003",
			"  its next hop is fe80::9 on core1",
			"  it is the best route: it is the only one",
		},
		"192.0.2.0/25": nil,
	} {
		list, err := Derive(context.Background(), bgptest.New(), netip.MustParsePrefix(to))
		var got []string
		for _, d := range list {
			got = append(got, d.Path)
			for _, s := range d.Steps {
				got = append(got, "  "+s)
			}
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v\n%s", to, err, cmp.Diff(want, got))
		}
	}
}

// Pages of any size lead through both families, each prefix once, and a family or a prefix
// that is asked for is all that there is.
func TestPagesOfBothFamilies(t *testing.T) {
	all := []string{"192.0.2.0/24", "198.18.0.0/15", "203.0.113.0/24", "2001:db8:9::/48"}
	for _, test := range []struct {
		q    RouteQuery
		want []string
	}{
		{RouteQuery{}, all},
		{RouteQuery{Family: 4}, all[:3]},
		{RouteQuery{Family: 6}, all[3:]},
		{RouteQuery{Prefix: netip.MustParsePrefix("192.0.0.0/4"), Longer: true}, all[:3]},
		{RouteQuery{Prefix: netip.MustParsePrefix("2001:db8::/32"), Longer: true}, all[3:]},
		{RouteQuery{Prefix: netip.MustParsePrefix("198.18.0.0/15")}, all[1:2]},
		{RouteQuery{Prefix: netip.MustParsePrefix("198.18.0.0/15"), Neighbor: "198.51.100.1"}, nil},
		{RouteQuery{For: netip.MustParseAddr("198.19.255.255")}, all[1:2]},
		{RouteQuery{For: netip.MustParseAddr("198.20.0.0")}, nil},
		{RouteQuery{For: netip.MustParseAddr("2001:db8:9::1")}, all[3:]},
		{RouteQuery{For: netip.MustParseAddr("192.0.2.7"), ASPath: "^64502$"}, nil},
		{RouteQuery{Neighbor: "fe80::9%core1"}, all[3:]},
		{RouteQuery{Neighbor: "fe80::9%core0"}, nil},
		{RouteQuery{ASPath: "64501$"}, all[:1]},
		{RouteQuery{Community: "no-export,64500:1:*"}, all[1:2]},
	} {
		for limit := 1; limit <= 5; limit++ {
			q, got := test.q, []string(nil)
			q.Limit = limit
			for range 10 {
				page, err := askRoutes(context.Background(), bgptest.New(), q)
				if err != nil || len(page.Routes) > limit {
					t.Fatalf("%+v: %d rows, %v", q, len(page.Routes), err)
				}
				for _, r := range page.Routes {
					got = append(got, r.Prefix.String())
				}
				if q.After = page.Next; !page.Next.IsValid() {
					break
				}
			}
			if q.After.IsValid() || !slices.Equal(got, test.want) {
				t.Errorf("%+v, pages of %d: %v, want %v", test.q, limit, got, test.want)
			}
		}
	}
}

// Attributes that the router does not know, and those that few routes have, are shown too.
func TestAttributesAreWhole(t *testing.T) {
	page, err := askRoutes(context.Background(), bgptest.New(), RouteQuery{Prefix: netip.MustParsePrefix("198.18.0.0/15")})
	if err != nil {
		t.Fatal(err)
	}
	a := page.Routes[0].Paths[0].Attributes
	med, pref := uint32(70), uint32(200)
	want := Attributes{
		Origin: "egp", ASPath: "64502", NextHop: netip.MustParseAddr("10.255.0.3"), MED: &med, LocalPref: &pref,
		AtomicAggregate: true, Aggregator: "64502 198.51.100.2", Communities: []string{"64500:7", "no-export"},
		LargeCommunities: []string{"64500:1:2"}, ExtendedCommunities: []string{"rt:64500:1"}, OriginatorID: netip.MustParseAddr("10.255.0.3"),
		ClusterList: []netip.Addr{netip.MustParseAddr("10.255.0.1"), netip.MustParseAddr("10.255.0.2")}, OTC: 64500,
		Others: []Attribute{{99, "01ff"}},
	}
	if d := cmp.Diff(want, a, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
		t.Error(d)
	}
	if !strings.HasSuffix(a.path(), " e") {
		t.Errorf("path %q, want the mark of EGP", a.path())
	}
}
