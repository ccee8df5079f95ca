package bgp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/policy"
)

var register = sync.OnceFunc(func() { policy.Register(Extensions()...) })

// statement compiles a policy of one statement: the value of a key to match by, or to set.
func statement(t rapid.TB, match, set map[string]any) (policy.Chain, []policy.Problem) {
	t.Helper()
	register()
	s := policy.Statement{Action: policy.Accept}
	for name, v := range match {
		s.Match.Registered = append(s.Match.Registered, policy.Registered{Name: name, Value: v})
	}
	for name, v := range set {
		s.Set.Registered = append(s.Set.Registered, policy.Registered{Name: name, Value: v})
	}
	all, problems := policy.Compile(policy.Config{Policies: []policy.Definition{{Name: "p", Statements: []policy.Statement{s}}}})
	if len(problems) > 0 {
		return nil, problems
	}
	chain, err := all.Chain("p")
	if err != nil {
		t.Fatal(err)
	}
	return chain, nil
}

// policed is a route of BGP as policies see it.
func policed(t testing.TB, path string, change func(*wire.Attributes)) *policy.Route {
	t.Helper()
	a := &PolicyAttributes{Attributes: read(t, path, change), Neighbor: netip.MustParseAddr("192.0.2.7")}
	return &policy.Route{Prefix: netip.MustParsePrefix("203.0.113.0/24"), Source: routing.SourceEBGP, Attributes: a}
}

func largeOf(list ...wire.LargeCommunity) func(*wire.Attributes) {
	return func(a *wire.Attributes) {
		for _, c := range list {
			a.Large = append(a.Large, octets4(c.Global, c.Local1, c.Local2)...)
		}
		a.Set(wire.AttrLarge)
	}
}

func octets4(list ...uint32) (b []byte) {
	for _, n := range list {
		b = append(b, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return b
}

func TestPolicyMatch(t *testing.T) {
	all := func(a *wire.Attributes) {
		communities(0xfde80001, 0xfde80002, wire.NoExport)(a)
		largeOf(wire.LargeCommunity{Global: 65000, Local1: 1, Local2: 2})(a)
		a.Extended = octets8(0x0002fde800000007, 0x0102c0000201000a, 0x0203000100010005)
		a.Set(wire.AttrExtended)
		med(50)(a)
		localPref(200)(a)
	}
	route := func(t testing.TB) *policy.Route { return policed(t, "65001 3356 {7,8} 4200000000", all) }
	for _, test := range []struct {
		key     string
		yes, no []any
		why     string // of the first no
	}{
		{"as-path", []any{"^65001_", "_4200000000$", []any{"^1$", "_3356_"}, ""}, []any{"^3356_", []any{"^$", "_9_"}}, "its AS path is 65001 3356 {7,8} 4200000000, not ^3356_"},
		{"as-path-length", []any{int64(4), "1..4", []any{"1", "4..9"}}, []any{"5..9", int64(3)}, "the length of its AS path is 4, not 5..9"},
		{"origin-as", []any{int64(4200000000), []any{"1", "4200000000"}}, []any{int64(65001)}, "the AS that it comes from is 4200000000, not 65001"},
		{"neighbor", []any{"192.0.2.7", "192.0.2.0/24", []any{"::/0", "192.0.2.7"}}, []any{"192.0.2.8", "2001:db8::/32"}, "its neighbour is 192.0.2.7, not 192.0.2.8"},
		{"origin", []any{"igp", []any{"egp", "igp"}}, []any{"incomplete"}, "its origin is igp, not incomplete"},
		{"med", []any{int64(50), "1..50"}, []any{int64(0), "51..60"}, "its MED is 50, not 0"},
		{"local-pref", []any{"200", "150..4294967295"}, []any{int64(100)}, "its local preference is 200, not 100"},
		{"community", []any{"65000:1", "65000:*", "*:2", "no-export", "*:*", []any{"1:1", "65000:2"}}, []any{"65000:3", "65001:*", "blackhole"}, "its community is 65000:1 65000:2 no-export, not 65000:3"},
		{"large-community", []any{"65000:1:2", "65000:*:2", "*:*:*"}, []any{"65000:2:1", "65001:*:*"}, "its large community is 65000:1:2, not 65000:2:1"},
		{"extended-community", []any{"rt:65000:7", "rt:65000:*", "rt:192.0.2.1:10", "ro:65537:5", "ro:65537:*"}, []any{"ro:65000:7", "rt:65000:8"}, "its extended community is rt:65000:7 rt:192.0.2.1:10 ro:65537:5, not ro:65000:7"},
	} {
		for i, list := range [][]any{test.yes, test.no} {
			for j, v := range list {
				chain, problems := statement(t, map[string]any{test.key: v}, nil)
				if len(problems) > 0 {
					t.Errorf("%s = %v: %v", test.key, v, problems)
					continue
				}
				r := route(t)
				steps, accepted := chain.Explain(r)
				if accepted != (i == 0) || chain.Accepts(route(t)) != accepted {
					t.Errorf("%s = %v: %v, %+v", test.key, v, accepted, steps)
				}
				if i == 1 && j == 0 && steps[0].Why != test.why {
					t.Errorf("%s = %v: %q, want %q", test.key, v, steps[0].Why, test.why)
				}
				if chain.Accepts(&policy.Route{Prefix: r.Prefix, Source: routing.SourceRIP}) {
					t.Errorf("%s = %v accepts a route of RIP", test.key, v)
				}
				if chain.Depends()&policy.OnPrefix != 0 {
					t.Errorf("%s depends on the prefix: no verdict could be cached", test.key)
				}
			}
		}
	}
	// What a route does not have matches nothing, but the preference that all have.
	for key, want := range map[string]bool{"community": false, "med": false, "origin-as": false, "local-pref": true} {
		value := map[string]any{"community": "*:*", "med": "0..4294967295", "origin-as": "0..4294967295", "local-pref": int64(100)}[key]
		chain, _ := statement(t, map[string]any{key: value}, nil)
		if got := chain.Accepts(policed(t, "", nil)); got != want {
			t.Errorf("%s of a route without: %v", key, got)
		}
	}
}

func TestPolicySet(t *testing.T) {
	all := func(a *wire.Attributes) {
		communities(0xfde80001, 0xfde80002)(a)
		largeOf(wire.LargeCommunity{Global: 65000, Local1: 1, Local2: 2})(a)
		a.Extended = octets8(0x0002fde800000007)
		a.Set(wire.AttrExtended)
		med(50)(a)
	}
	say := func(a *PolicyAttributes) string {
		return fmt.Sprintf("%v; origin %v; med %d %v; local-pref %d %v; weight %d; [%s] [%s] [%s]; self %v", a.ASPath, a.Origin, a.MED, a.MEDSet,
			a.LocalPref, a.Has(wire.AttrLocalPref), a.Weight, words(a.Communities.Len(), a.Communities.At),
			words(a.Large.Len(), a.Large.At), words(a.Extended.Len(), a.Extended.At), a.NextHopSelf)
	}
	const plain = "65001; origin igp; med 50 false; local-pref 0 false; weight 0; [65000:1 65000:2] [65000:1:2] [rt:65000:7]; self false"
	for _, test := range []struct {
		key   string
		value any
		from  string // what is replaced of plain
		to    string
	}{
		{"origin", "incomplete", "origin igp", "origin incomplete"},
		{"med", int64(7), "med 50 false", "med 7 true"},
		{"med", "+10", "med 50 false", "med 60 true"},
		{"med", "-60", "med 50 false", "med 0 true"},
		{"local-pref", int64(300), "local-pref 0 false", "local-pref 300 true"},
		{"local-pref", "+20", "local-pref 0 false", "local-pref 120 true"},
		{"local-pref", "-20", "local-pref 0 false", "local-pref 80 true"},
		{"weight", int64(5), "weight 0", "weight 5"},
		{"as-path-prepend", "65000 65009", "65001;", "65000 65009 65001;"},
		{"as-path-prepend", []any{int64(65000), int64(65000)}, "65001;", "65000 65000 65001;"},
		{"next-hop-self", true, "self false", "self true"},
		{"community", []any{"1:2", "no-export"}, "[65000:1 65000:2]", "[1:2 no-export]"},
		{"community-add", []any{"1:2", "65000:1"}, "[65000:1 65000:2]", "[65000:1 65000:2 1:2]"},
		{"community-remove", "65000:1", "[65000:1 65000:2]", "[65000:2]"},
		{"community-remove", "65000:*", "[65000:1 65000:2]", "[]"},
		{"large-community", "1:2:3", "[65000:1:2]", "[1:2:3]"},
		{"large-community-add", "1:2:3", "[65000:1:2]", "[65000:1:2 1:2:3]"},
		{"large-community-remove", "*:*:2", "[65000:1:2]", "[]"},
		{"extended-community", "ro:192.0.2.1:1", "[rt:65000:7]", "[ro:192.0.2.1:1]"},
		{"extended-community-add", "rt:70000:1", "[rt:65000:7]", "[rt:65000:7 rt:70000:1]"},
		{"extended-community-remove", "rt:65000:*", "[rt:65000:7]", "[]"},
	} {
		chain, problems := statement(t, nil, map[string]any{test.key: test.value})
		if len(problems) > 0 {
			t.Errorf("%s = %v: %v", test.key, test.value, problems)
			continue
		}
		r := policed(t, "65001", all)
		before := r.Attributes.(*PolicyAttributes)
		if !chain.Accepts(r) || !r.AttributesSet {
			t.Errorf("%s = %v changes nothing", test.key, test.value)
			continue
		}
		want := strings.Replace(plain, test.from, test.to, 1)
		if got := say(r.Attributes.(*PolicyAttributes)); got != want || want == plain {
			t.Errorf("%s = %v:\n%s, want\n%s", test.key, test.value, got, want)
		}
		if got := say(before); got != plain {
			t.Errorf("%s = %v has changed what others share: %s", test.key, test.value, got)
		}
		// What is left is a set of attributes that can be sent.
		var again wire.Attributes
		r.Attributes.(*PolicyAttributes).AppendSet(nil).Read(&again)
		if again.Has(wire.AttrCommunities) != (again.Communities.Len() > 0) {
			t.Errorf("%s = %v leaves an empty attribute", test.key, test.value)
		}
		steps, _ := chain.Explain(policed(t, "65001", all))
		if text := strings.Join(steps[0].Set, ", "); !strings.HasPrefix(text, strings.SplitN(test.key, "-add", 2)[0][:3]) {
			t.Errorf("%s = %v is said to be %q", test.key, test.value, text)
		}
		other := &policy.Route{Prefix: r.Prefix, Source: routing.SourceRIP}
		if chain.Accepts(other); other.AttributesSet {
			t.Errorf("%s = %v changes a route of RIP", test.key, test.value)
		}
	}
}

func TestPolicyErrors(t *testing.T) {
	for _, test := range []struct {
		set   bool
		key   string
		value any
		want  string
	}{
		{false, "as-path", "(", "missing closing"},
		{false, "as-path", true, "true"},
		{false, "as-path-length", "5..1", "ends before it begins"},
		{false, "as-path-length", "x", "x is no number"},
		{false, "origin-as", "4294967296", "is no number"},
		{false, "neighbor", "x", `"x" is neither an address nor a prefix`},
		{false, "origin", "bgp", `origin "bgp"`},
		{false, "community", "65000", "has 1 parts, want 2"},
		{false, "community", "65536:1", `"65536" is no number of 2 octets`},
		{false, "community", []any{}, "an empty list"},
		{false, "large-community", "1:2", "has 2 parts, want 3"},
		{false, "extended-community", "65000:1", "begins with neither rt nor ro"},
		{false, "extended-community", "rt:65000", "has 1 parts, want 2"},
		{true, "community-add", "65000:*", "which is not one but many"},
		{true, "large-community", "1:*:1", "which is not one but many"},
		{true, "origin", []any{"igp", "egp"}, "2 origins, want one"},
		{true, "med", "+x", "x is no number"},
		{true, "weight", "-1", "is no number"},
		{true, "next-hop-self", "yes", "yes"},
		{true, "as-path-prepend", "0", "AS 0"},
		{true, "as-path-prepend", strings.Repeat("1 ", 65), "65 AS numbers, want 1 to 64"},
	} {
		m := map[string]any{test.key: test.value}
		var problems []policy.Problem
		if test.set {
			_, problems = statement(t, nil, m)
		} else {
			_, problems = statement(t, m, nil)
		}
		if len(problems) != 1 || !strings.Contains(fmt.Sprint(problems[0]), test.want) {
			t.Errorf("%s = %v: %v, want %q", test.key, test.value, problems, test.want)
		}
	}
	var names []string
	for _, e := range Extensions() {
		names = append(names, e.Name)
	}
	slices.Sort(names)
	if len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("names %v", names)
	}
}

// Conditions allocate nothing, and one verdict holds for all routes of a set.
func TestPolicyAllocates(t *testing.T) {
	chain, problems := statement(t, map[string]any{
		"as-path": "^65001_", "community": []any{"65000:*"}, "med": "0..100", "neighbor": "192.0.2.0/24", "origin": "igp",
	}, nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	r := policed(t, "65001 3356", func(a *wire.Attributes) { communities(0xfde80001)(a); med(5)(a) })
	if n := testing.AllocsPerRun(100, func() {
		if !chain.Accepts(r) {
			t.Fatal("rejected")
		}
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
