package bgp

import (
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"routerd/routing/bgp/wire"
)

// attributesOf makes a set of attributes of a path and what change sets.
func attributesOf(t fatal, table *AttributeTable, path string, change func(*wire.Attributes)) *AttributeSet {
	var a wire.Attributes
	a.ASPath, a.NextHop = pathOf(t, path), wire.NextHop{Address: netip.AddrFrom4([4]byte{192, 0, 2, 1})}
	for _, code := range []wire.Attribute{wire.AttrOrigin, wire.AttrASPath, wire.AttrNextHop} {
		a.Set(code)
	}
	if change != nil {
		change(&a)
	}
	return table.Take(a.AppendSet(nil))
}

func med(n uint32) func(*wire.Attributes) {
	return func(a *wire.Attributes) { a.MED = n; a.Set(wire.AttrMED) }
}

func localPref(n uint32) func(*wire.Attributes) {
	return func(a *wire.Attributes) { a.LocalPref = n; a.Set(wire.AttrLocalPref) }
}

// Each step decides, and says so in words.
func TestSteps(t *testing.T) {
	var table AttributeTable
	plain := attributesOf(t, &table, "65001 65002", nil)
	route := func(change func(*Route)) Route {
		r := Route{Attributes: plain, From: netip.MustParseAddr("192.0.2.2"), RouterID: 0x0a000002, External: true, Metric: 10, Arrival: 5}
		if change != nil {
			change(&r)
		}
		return r
	}
	with := func(path string, change func(*wire.Attributes)) func(*Route) {
		return func(r *Route) { r.Attributes = attributesOf(t, &table, path, change) }
	}
	const two = "65001 65002"
	for _, test := range []struct {
		name         string
		rules        Rules
		better, than func(*Route)
		step         Step
		words        string
	}{
		{"reachable", Rules{}, nil, func(r *Route) { r.Unreachable, r.Weight = true, 9 }, StepReachable, "its next hop is reachable, the other's is not"},
		{"stale", Rules{}, nil, func(r *Route) {
			with(two, func(a *wire.Attributes) {
				a.Communities = binary.BigEndian.AppendUint32(nil, uint32(wire.LLGRStale))
				a.Set(wire.AttrCommunities)
			})(r)
			r.Weight = 9
		}, StepStale, "it is current, the other is stale"},
		{"weight", Rules{}, func(r *Route) { r.Weight = 5 }, with(two, localPref(900)), StepWeight, "higher weight 5 over 0"},
		{"local preference", Rules{}, with(two, localPref(200)), with("65001", nil), StepLocalPref, "higher local preference 200 over 100"},
		{"own", Rules{}, func(r *Route) { r.From, r.External = netip.Addr{}, false }, with("", nil), StepOwn, "it is the router's own"},
		{"path length", Rules{}, with("65001", func(a *wire.Attributes) { a.Origin = wire.OriginIncomplete }), nil, StepPathLength, "shorter AS path 1 over 2"},
		{"path length, a set", Rules{}, with("65001 {1,2,3}", nil), with("65001 1 2", nil), StepPathLength, "shorter AS path 2 over 3"},
		{"path length ignored", Rules{IgnorePathLength: true}, with("65001 1 2 3", nil), with("65001", func(a *wire.Attributes) { a.Origin = wire.OriginEGP }), StepOrigin, "lower origin igp over egp"},
		{"MED", Rules{}, with(two, med(10)), func(r *Route) { with(two, med(20))(r); r.Metric = 1 }, StepMED, "lower MED 10 over 20"},
		{"no MED is 0", Rules{}, nil, with(two, med(1)), StepMED, "lower MED 0 over 1"},
		{"no MED is the worst", Rules{MissingMEDWorst: true}, with(two, med(1)), nil, StepMED, "lower MED 1 over 4294967295"},
		{"MEDs of two ASes", Rules{}, func(r *Route) { with("65009 1", med(20))(r); r.Metric = 1 }, with(two, med(10)), StepMetric, "lower metric to the next hop 1 over 10"},
		{"MEDs of two ASes, compared", Rules{AlwaysCompareMED: true}, with(two, med(10)), func(r *Route) { with("65009 1", med(20))(r); r.Metric = 1 }, StepMED, "lower MED 10 over 20"},
		{"external", Rules{}, nil, func(r *Route) { r.External, r.Metric = false, 1 }, StepExternal, "it is from another AS, the other from this one"},
		{"metric", Rules{}, func(r *Route) { r.Metric = 5 }, func(r *Route) { r.RouterID = 1 }, StepMetric, "lower metric to the next hop 5 over 10"},
		{"metric ignored", Rules{IgnoreMetric: true}, func(r *Route) { r.RouterID = 1 }, func(r *Route) { r.Metric = 5 }, StepRouterID, "lower router ID 0.0.0.1 over 10.0.0.2"},
		{"oldest", Rules{PreferOldest: true}, func(r *Route) { r.Arrival = 1 }, func(r *Route) { r.RouterID = 1 }, StepOldest, "it is older"},
		{"oldest, internal", Rules{PreferOldest: true}, func(r *Route) { r.RouterID, r.External = 1, false }, func(r *Route) { r.Arrival, r.External = 1, false }, StepRouterID, "lower router ID 0.0.0.1 over 10.0.0.2"},
		{"originator", Rules{}, func(r *Route) { r.RouterID = 7 }, func(r *Route) {
			with(two, func(a *wire.Attributes) { a.OriginatorID = 9; a.Set(wire.AttrOriginatorID) })(r)
			r.RouterID = 1
		}, StepRouterID, "lower router ID 0.0.0.7 over 0.0.0.9"},
		{"clusters", Rules{}, func(r *Route) { r.From = netip.MustParseAddr("192.0.2.9") }, with(two, func(a *wire.Attributes) {
			a.ClusterList = []byte{0, 0, 0, 1}
			a.Set(wire.AttrClusterList)
		}), StepClusters, "shorter cluster list 0 over 1"},
		{"address", Rules{}, func(r *Route) { r.From = netip.MustParseAddr("192.0.2.1") }, nil, StepAddress, "lower neighbour address 192.0.2.1 over 192.0.2.2"},
		{"path identifier", Rules{}, nil, func(r *Route) { r.PathID = 3 }, StepPathID, "lower path identifier 0 over 3"},
		{"equal", Rules{}, nil, nil, Undecided, "nothing tells them apart"},
	} {
		routes := []Route{route(test.better), route(test.than)}
		for range 2 {
			better := 0
			if test.step != Undecided {
				better = slices.IndexFunc(routes, func(r Route) bool { return r == route(test.better) })
			}
			why := make([]Verdict, 2)
			best := test.rules.Best(routes, why)
			if best != better || why[1-better] != (Verdict{test.step, better}) || why[better] != (Verdict{Undecided, -1}) {
				t.Errorf("%s: best is %d, want %d; %+v, want %v", test.name, best, better, why, test.step)
			}
			if got := test.rules.Words(why[1-better].Step, &routes[better], &routes[1-better]); got != test.words {
				t.Errorf("%s: %q, want %q", test.name, got, test.words)
			}
			slices.Reverse(routes)
		}
	}
	if n := (&Rules{}).Best([]Route{{Attributes: plain, Unreachable: true}}, nil); n != -1 {
		t.Errorf("route %d is the best, though its next hop is not reachable", n)
	}
	if n := (&Rules{}).Best(nil, nil); n != -1 {
		t.Errorf("route %d of none is the best", n)
	}
}

// The example that made the switch: with MEDs of two ASes each route is better than
// another one, and the order of arrival must not matter.
func TestMEDCircle(t *testing.T) {
	var table AttributeTable
	a := Route{Attributes: attributesOf(t, &table, "1 9", med(10)), From: netip.MustParseAddr("192.0.2.1"), Metric: 30}
	b := Route{Attributes: attributesOf(t, &table, "2 9", med(5)), From: netip.MustParseAddr("192.0.2.2"), Metric: 20}
	c := Route{Attributes: attributesOf(t, &table, "1 9", med(20)), From: netip.MustParseAddr("192.0.2.3"), Metric: 10}
	results := map[bool]map[netip.Addr]bool{false: {}, true: {}}
	for _, order := range [][]Route{{a, b, c}, {a, c, b}, {b, a, c}, {b, c, a}, {c, a, b}, {c, b, a}} {
		for _, sequential := range []bool{false, true} {
			r := Rules{SequentialMED: sequential}
			why := make([]Verdict, 3)
			best := r.Best(order, why)
			results[sequential][order[best].From] = true
			for i := range order {
				if i == best {
					continue
				}
				if n, s := r.Compare(&order[why[i].By], &order[i]); n >= 0 || s != why[i].Step {
					t.Errorf("%v lost to %v at %v, which is not so", order[i].From, order[why[i].By].From, why[i].Step)
				}
			}
		}
	}
	// c falls to a by MED, and a to b by the metric.
	if !results[false][b.From] || len(results[false]) != 1 || len(results[true]) < 2 {
		t.Errorf("best by MEDs compared in groups: %v, in turn: %v", results[false], results[true])
	}
}

// eliminate is RFC 4271 §9.1.2.2 as it is written: step by step with all that is left.
func eliminate(r *Rules, routes []Route) int {
	left := make([]int, len(routes))
	for i := range left {
		left[i] = i
	}
	keep := func(better func(a, b *Route) bool) {
		left = slices.DeleteFunc(slices.Clone(left), func(i int) bool {
			return slices.ContainsFunc(left, func(j int) bool { return better(&routes[j], &routes[i]) })
		})
	}
	med := func(x *Route) uint32 {
		if x.Attributes.HasMED {
			return x.Attributes.MED
		}
		if r.MissingMEDWorst {
			return math.MaxUint32
		}
		return 0
	}
	id := func(x *Route) wire.RouterID {
		if x.Attributes.Originator != 0 {
			return x.Attributes.Originator
		}
		return x.RouterID
	}
	keep(func(a, b *Route) bool { return b.Unreachable && !a.Unreachable })
	keep(func(a, b *Route) bool { return b.Attributes.Stale && !a.Attributes.Stale })
	keep(func(a, b *Route) bool { return a.Weight > b.Weight })
	keep(func(a, b *Route) bool { return a.Attributes.LocalPref > b.Attributes.LocalPref })
	keep(func(a, b *Route) bool { return !a.From.IsValid() && b.From.IsValid() })
	keep(func(a, b *Route) bool {
		return !r.IgnorePathLength && a.Attributes.PathLength < b.Attributes.PathLength
	})
	keep(func(a, b *Route) bool { return a.Attributes.Origin < b.Attributes.Origin })
	keep(func(a, b *Route) bool {
		return (r.AlwaysCompareMED || a.Attributes.FirstAS == b.Attributes.FirstAS) && med(a) < med(b)
	})
	keep(func(a, b *Route) bool { return a.External && !b.External })
	keep(func(a, b *Route) bool { return !r.IgnoreMetric && a.Metric < b.Metric })
	keep(func(a, b *Route) bool { return r.PreferOldest && a.External && a.Arrival < b.Arrival })
	keep(func(a, b *Route) bool { return id(a) < id(b) })
	keep(func(a, b *Route) bool { return a.Attributes.Clusters < b.Attributes.Clusters })
	keep(func(a, b *Route) bool { return a.From.Compare(b.From) < 0 })
	keep(func(a, b *Route) bool { return a.PathID < b.PathID })
	if len(left) == 0 || routes[left[0]].Unreachable {
		return -1
	}
	return left[0]
}

func drawRoutes(t *rapid.T, table *AttributeTable) []Route {
	few := func(what string) uint32 { return rapid.Uint32Range(0, 2).Draw(t, what) }
	routes := make([]Route, rapid.IntRange(0, 7).Draw(t, "routes"))
	for i := range routes {
		r := &routes[i]
		r.Attributes = attributesOf(t, table, rapid.SampledFrom([]string{"", "1", "2", "1 2", "2 1", "1 {2,3}", "3 1"}).Draw(t, "path"), func(a *wire.Attributes) {
			if n := few("MED"); n > 0 {
				med(n - 1)(a)
			}
			if rapid.IntRange(0, 5).Draw(t, "local preference") == 0 {
				localPref(100 + few("preference"))(a)
			}
			a.Origin = wire.Origin(few("origin") / 2)
			if n := few("originator"); n == 2 {
				a.OriginatorID = wire.RouterID(n)
				a.Set(wire.AttrOriginatorID)
			}
			a.NextHop.Address = netip.AddrFrom4([4]byte{192, 0, 2, byte(few("next hop"))})
		})
		r.External, r.Weight, r.Metric = rapid.Bool().Draw(t, "external"), few("weight")/2, few("metric")
		r.Unreachable = rapid.IntRange(0, 5).Draw(t, "unreachable") == 0
		r.RouterID = wire.RouterID(few("router ID"))
		r.From = netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + few("from"))})
		if rapid.IntRange(0, 9).Draw(t, "own") == 0 {
			r.From, r.External = netip.Addr{}, false
		}
		r.Arrival, r.PathID = uint64(i), uint32(i) // no two are equal
	}
	return routes
}

// Of any routes the best is what the steps leave, whatever their order; and each of the
// others has lost to whom it is said to have lost to.
func TestBestAgainstSteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table AttributeTable
		r := Rules{
			AlwaysCompareMED: rapid.Bool().Draw(t, "always compare MED"), MissingMEDWorst: rapid.Bool().Draw(t, "missing is worst"),
			IgnorePathLength: rapid.Bool().Draw(t, "ignore path length"), PreferOldest: rapid.Bool().Draw(t, "oldest"),
			IgnoreMetric: rapid.Bool().Draw(t, "ignore metric"),
		}
		routes := drawRoutes(t, &table)
		for range 3 {
			why := make([]Verdict, len(routes))
			best, want := r.Best(routes, why), eliminate(&r, routes)
			if best != want {
				t.Fatalf("route %d, want %d of\n%+v", best, want, routes)
			}
			for i := range routes {
				switch {
				case best < 0:
					if why[i] != (Verdict{StepReachable, -1}) {
						t.Fatalf("route %d: %+v though none is reachable", i, why[i])
					}
				case i == best:
					if why[i] != (Verdict{Undecided, -1}) {
						t.Fatalf("the best: %+v", why[i])
					}
				default:
					if c, s := r.Compare(&routes[why[i].By], &routes[i]); c >= 0 || s != why[i].Step {
						t.Fatalf("route %d lost to %d at %v, which is not so", i, why[i].By, why[i].Step)
					}
				}
			}
			if n := testing.AllocsPerRun(1, func() { r.Best(routes, why) }); n != 0 {
				t.Fatalf("%v allocations, want none", n)
			}
			routes = rapid.Permutation(routes).Draw(t, "order")
		}
		// In turn: each against the best before it.
		r.SequentialMED = true
		want := -1
		for i := range routes {
			if want < 0 {
				want = i
			} else if c, _ := r.Compare(&routes[i], &routes[want]); c < 0 {
				want = i
			}
		}
		if want >= 0 && routes[want].Unreachable {
			want = -1
		}
		if best := r.Best(routes, make([]Verdict, len(routes))); best != want {
			t.Fatalf("in turn: route %d, want %d", best, want)
		}
	})
}

// Where MEDs do not differ, the best two are found in one pass: the best, and what is the
// best without it.
func TestFirstTwoAgainstBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table AttributeTable
		r := Rules{
			AlwaysCompareMED: rapid.Bool().Draw(t, "always compare MED"), MissingMEDWorst: rapid.Bool().Draw(t, "missing is worst"),
			IgnorePathLength: rapid.Bool().Draw(t, "ignore path length"), PreferOldest: rapid.Bool().Draw(t, "oldest"),
			IgnoreMetric: rapid.Bool().Draw(t, "ignore metric"), SequentialMED: rapid.Bool().Draw(t, "in turn"),
		}
		routes := drawRoutes(t, &table)
		for i := range routes {
			x := &routes[i]
			x.PathID /= 3 // some are equal
			if rapid.IntRange(0, 3).Draw(t, "large") == 0 {
				a := x.Attributes
				x.Weight = rapid.Uint32().Draw(t, "weight")
				a.LocalPref, a.PathLength = rapid.Uint32().Draw(t, "local preference"), rapid.Uint16().Draw(t, "path length")
				a.Stale = rapid.Bool().Draw(t, "stale")
			}
		}
		differ := slices.ContainsFunc(routes, func(x Route) bool { return r.med(&x) != r.med(&routes[0]) })
		best, second, ok := r.firstTwo(routes)
		if ok == differ {
			t.Fatalf("ok is %v, MEDs differ: %v", ok, differ)
		}
		if differ {
			return
		}
		if want := r.Best(routes, nil); best != want {
			t.Fatalf("route %d is the best, want %d of\n%+v", best, want, routes)
		}
		if best < 0 {
			return
		}
		rest := slices.Clone(routes)
		rest[best].Unreachable = true
		if want := r.Best(rest, nil); second != want {
			t.Fatalf("route %d is the second best, want %d of\n%+v", second, want, routes)
		}
	})
}

// Routes are used together if they are as good up to the metric.
func TestMultipath(t *testing.T) {
	var table AttributeTable
	hop := func(n byte) func(*wire.Attributes) {
		return func(a *wire.Attributes) { a.NextHop.Address = netip.AddrFrom4([4]byte{192, 0, 2, n}) }
	}
	route := func(path string, n byte, change func(*wire.Attributes)) Route {
		return Route{
			Attributes: attributesOf(t, &table, path, func(a *wire.Attributes) {
				hop(n)(a)
				if change != nil {
					change(a)
				}
			}),
			From: netip.AddrFrom4([4]byte{192, 0, 2, n}), External: true, RouterID: wire.RouterID(n), Metric: 10,
		}
	}
	internal := func(r Route) Route { r.External = false; return r }
	for _, test := range []struct {
		name   string
		rules  Rules
		routes []Route
		want   []int
	}{
		{"one by default", Rules{}, []Route{route("1 9", 1, nil), route("1 9", 2, nil)}, []int{0}},
		{"two of one AS", Rules{MultipathExternal: 4}, []Route{route("1 9", 1, nil), route("1 8", 2, nil)}, []int{0, 1}},
		{"two ASes", Rules{MultipathExternal: 4}, []Route{route("1 9", 1, nil), route("2 9", 2, nil)}, []int{0}},
		{"two ASes, relaxed", Rules{MultipathExternal: 4, MultipathRelax: true}, []Route{route("1 9", 1, nil), route("2 9", 2, nil)}, []int{0, 1}},
		{"no more than the rules have", Rules{MultipathExternal: 2, MultipathInternal: 9}, []Route{route("1 9", 1, nil), route("1 9", 2, nil), route("1 9", 3, nil)}, []int{0, 1}},
		{"the same next hop", Rules{MultipathExternal: 4}, []Route{route("1 9", 1, nil), route("1 9", 2, hop(1))}, []int{0}},
		{"another length", Rules{MultipathExternal: 4, MultipathRelax: true}, []Route{route("1 9", 1, nil), route("1 9 9", 2, nil)}, []int{0}},
		{"internal", Rules{MultipathInternal: 4}, []Route{internal(route("1 9", 1, nil)), internal(route("1 9", 2, nil)), internal(route("1 8", 3, nil))}, []int{0, 1}},
		{"another metric", Rules{MultipathExternal: 4}, []Route{route("1 9", 1, nil), func() Route { r := route("1 9", 2, nil); r.Metric = 11; return r }()}, []int{0}},
		{"internal and external", Rules{MultipathInternal: 4, MultipathExternal: 4}, []Route{route("1 9", 1, nil), internal(route("1 9", 2, nil))}, []int{0}},
		{"one whose MED lost", Rules{MultipathExternal: 4, MultipathRelax: true}, []Route{route("1 9", 1, nil), route("2 9", 2, med(20)), route("2 9", 3, med(10))}, []int{0, 2}},
	} {
		best := test.rules.Best(test.routes, nil)
		if got := test.rules.Multipath(test.routes, best, nil); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestStepWords(t *testing.T) {
	var seen []string
	for s := range numSteps {
		seen = append(seen, s.String())
	}
	slices.Sort(seen)
	if len(slices.Compact(slices.Clone(seen))) != NumSteps || slices.Contains(seen, "") || numSteps.String() != "unknown" {
		t.Errorf("words %q", seen)
	}
}

func BenchmarkBest(b *testing.B) {
	var table AttributeTable
	routes := make([]Route, 10)
	for i := range routes {
		routes[i] = Route{
			Attributes: attributesOf(b, &table, "65001 65002", nil), External: true, Metric: 1,
			From: netip.AddrFrom4([4]byte{192, 0, 2, byte(20 - i)}), RouterID: wire.RouterID(20 - i),
		}
	}
	var r Rules
	for _, n := range []int{2, 10} {
		b.Run(map[int]string{2: "two", 10: "ten"}[n], func(b *testing.B) {
			for b.Loop() {
				r.Best(routes[:n], nil)
			}
		})
	}
}
