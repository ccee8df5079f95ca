package policy

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"routerd/internal/origin"
	"routerd/routing"
)

func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// entry reads "10.0.0.0/8" or "10.0.0.0/8 8..24".
func entry(s string) PrefixRange {
	p, lengths, ranged := strings.Cut(s, " ")
	e := PrefixRange{Prefix: pfx(p)}
	e.Low, e.High = uint8(e.Prefix.Bits()), uint8(e.Prefix.Bits())
	if ranged {
		if _, err := fmt.Sscanf(lengths, "%d..%d", &e.Low, &e.High); err != nil {
			panic(err)
		}
	}
	return e
}

func set(name string, entries ...string) PrefixSet {
	s := PrefixSet{Name: name}
	for _, e := range entries {
		s.Entries = append(s.Entries, entry(e))
	}
	return s
}

func compile(t testing.TB, c Config) *Policies {
	t.Helper()
	p, problems := Compile(c)
	for _, x := range problems {
		if !x.Warning {
			t.Fatal(x)
		}
	}
	return p
}

func number(n uint32) *uint32 { return &n }

func TestPrefixSets(t *testing.T) {
	for _, tt := range []struct {
		entries []string
		in, out []string
	}{
		{[]string{"203.0.113.0/24"}, []string{"203.0.113.0/24"}, []string{"203.0.113.0/25", "203.0.112.0/23", "203.0.114.0/24"}},
		{[]string{"10.0.0.0/8 8..32"}, []string{"10.0.0.0/8", "10.1.2.3/32"}, []string{"10.0.0.0/7", "11.0.0.0/8"}},
		{[]string{"10.0.0.0/8 16..24"}, []string{"10.1.0.0/16", "10.1.2.0/24"}, []string{"10.0.0.0/8", "10.0.0.0/15", "10.1.2.0/25"}},
		{[]string{"0.0.0.0/0"}, []string{"0.0.0.0/0"}, []string{"10.0.0.0/8", "::/0"}},
		{[]string{"0.0.0.0/0 0..32"}, []string{"0.0.0.0/0", "10.0.0.1/32"}, []string{"::/0", "2001:db8::/32"}},
		// What a wider entry accepts holds inside a narrower one too.
		{
			[]string{"10.0.0.0/8 24..24", "10.1.0.0/16 30..32", "10.1.2.0/24 32..32"},
			[]string{"10.9.9.0/24", "10.1.9.0/24", "10.1.2.0/24", "10.1.2.4/30", "10.1.2.3/32"},
			[]string{"10.9.9.8/30", "10.1.0.0/16", "10.1.2.0/25"},
		},
		{[]string{"10.0.0.0/8 8..9", "10.0.0.0/8 31..32"}, []string{"10.0.0.0/8", "10.128.0.0/9", "10.0.0.0/31"}, []string{"10.0.0.0/10"}},
		{[]string{"2001:db8::/32 48..128", "198.51.100.0/24"}, []string{"2001:db8:1::/48", "2001:db8::1/128", "198.51.100.0/24"}, []string{"2001:db8::/32", "2001:db9::/48"}},
		{nil, nil, []string{"10.0.0.0/8", "::/0"}},
	} {
		c := set("s", tt.entries...)
		s := newPrefixSet(&c)
		for _, p := range tt.in {
			if !s.holds(pfx(p)) {
				t.Errorf("%v does not hold %s", tt.entries, p)
			}
		}
		for _, p := range tt.out {
			if s.holds(pfx(p)) {
				t.Errorf("%v holds %s", tt.entries, p)
			}
		}
	}
}

// Each condition by itself, with what is said where it does not hold.
func TestConditions(t *testing.T) {
	r := Route{Prefix: pfx("10.1.0.0/16"), Source: routing.SourceRIP, NextHop: netip.MustParseAddr("192.0.2.7"), Metric: 5, Tag: 70}
	for _, tt := range []struct {
		match Match
		miss  string
	}{
		{Match{}, ""},
		{Match{PrefixSets: []string{"ten"}}, ""},
		{Match{PrefixSets: []string{"docs", "ten"}}, ""},
		{Match{PrefixSets: []string{"docs"}}, "10.1.0.0/16 is not in prefix-set docs"},
		{Match{Protocols: []routing.Source{routing.SourceRIP, routing.SourceOSPF}}, ""},
		{Match{Protocols: []routing.Source{routing.SourceStatic, routing.SourceOSPF}}, "its protocol is rip, not static or ospf"},
		{Match{Tags: []Range{{1, 2}, {70, 70}}}, ""},
		{Match{Tags: []Range{{1, 69}, {71, 71}}}, "its tag is 70, not 1..69 or 71"},
		{Match{Metrics: []Range{{5, 9}}}, ""},
		{Match{Metrics: []Range{{6, 9}}}, "its metric is 5, not 6..9"},
		{Match{NextHops: []netip.Prefix{pfx("192.0.2.0/24")}}, ""},
		{Match{NextHops: []netip.Prefix{pfx("192.0.2.1/32")}}, "its next hop is 192.0.2.7, not in 192.0.2.1/32"},
		{Match{Families: []uint8{4}}, ""},
		{Match{Families: []uint8{6}}, "10.1.0.0/16 is not IPv6"},
		{Match{Families: []uint8{4, 6}}, ""},
		{Match{PrefixSets: []string{"ten"}, Tags: []Range{{1, 1}}}, "its tag is 70, not 1"},
	} {
		ps := compile(t, Config{
			PrefixSets: []PrefixSet{set("ten", "10.0.0.0/8 8..32"), set("docs", "198.51.100.0/24", "2001:db8::/32")},
			Policies:   []Definition{{Name: "p", Statements: []Statement{{Match: tt.match, Action: Accept}}}},
		})
		chain, err := ps.Chain("p")
		if err != nil {
			t.Fatal(err)
		}
		at := r
		if got := chain.Accepts(&at); got != (tt.miss == "") {
			t.Errorf("%+v: accepted %v", tt.match, got)
		}
		at = r
		if steps, _ := chain.Explain(&at); len(steps) != 1 || steps[0].Why != tt.miss {
			t.Errorf("%+v: explained as %+v, want %q", tt.match, steps, tt.miss)
		}
	}
	if why := (byNextHop{pfx("192.0.2.0/24")}).miss(&Route{}); why != "it has no next hop" {
		t.Errorf("without a next hop: %q", why)
	}
}

// What a statement sets, later ones see; the one that decides ends it.
func TestStatementsInOrder(t *testing.T) {
	ps := compile(t, Config{Policies: []Definition{
		{Name: "first", Statements: []Statement{
			{Name: "mark", Match: Match{Protocols: []routing.Source{routing.SourceStatic}}, Set: Set{Tag: number(9), MetricAdd: 3}},
			{Match: Match{Metrics: []Range{{100, 1000}}}, Action: Reject},
			{Match: Match{Tags: []Range{{9, 9}}}, Set: Set{NextHop: netip.MustParseAddr("192.0.2.1")}, Action: Accept},
		}},
		{Name: "second", Statements: []Statement{{Set: Set{Metric: number(1)}, Action: Accept}}},
	}})
	chain, err := ps.Chain("first", "second")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		route Route
		ok    bool
		want  Route
		steps []string
	}{
		{
			"set, seen and accepted",
			Route{Source: routing.SourceStatic, Metric: 4},
			true,
			Route{Source: routing.SourceStatic, Metric: 7, MetricSet: true, Tag: 9, TagSet: true, NextHop: netip.MustParseAddr("192.0.2.1"), NextHopSet: true},
			[]string{
				"first, statement mark: matched, metric +3, tag = 9", "first, statement 2: its metric is 7, not 100..1000",
				"first, statement 3: matched, next-hop = 192.0.2.1, accepted",
			},
		},
		{
			"rejected by what was set",
			Route{Source: routing.SourceStatic, Metric: 97},
			false,
			Route{Source: routing.SourceStatic, Metric: 100, MetricSet: true, Tag: 9, TagSet: true},
			[]string{"first, statement mark: matched, metric +3, tag = 9", "first, statement 2: matched, rejected"},
		},
		{
			"left to the next policy",
			Route{Source: routing.SourceRIP, Metric: 4},
			true,
			Route{Source: routing.SourceRIP, Metric: 1, MetricSet: true},
			[]string{
				"first, statement mark: its protocol is rip, not static", "first, statement 2: its metric is 4, not 100..1000",
				"first, statement 3: its tag is 0, not 9", "second, statement 1: matched, metric = 1, accepted",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.route.Prefix, tt.want.Prefix = pfx("10.1.0.0/16"), pfx("10.1.0.0/16")
			r := tt.route
			if ok := chain.Accepts(&r); ok != tt.ok || r != tt.want {
				t.Errorf("accepted %v as %+v, want %v and %+v", ok, r, tt.ok, tt.want)
			}
			r = tt.route
			steps, ok := chain.Explain(&r)
			if ok != tt.ok || r != tt.want {
				t.Errorf("explained as %v and %+v, want %v and %+v", ok, r, tt.ok, tt.want)
			}
			var lines []string
			for _, s := range steps {
				lines = append(lines, s.String())
			}
			if d := cmp.Diff(tt.steps, lines); d != "" {
				t.Errorf("steps (-want +got):\n%s", d)
			}
		})
	}
}

func TestChains(t *testing.T) {
	ps := compile(t, Config{Policies: []Definition{{Name: "nobody", Statements: []Statement{
		{Match: Match{Tags: []Range{{1, 1}}}, Action: Accept},
	}}}})
	if r := (Route{}); !(Chain{}).Accepts(&r) {
		t.Error("no policy at all rejects")
	}
	chain, _ := ps.Chain("nobody")
	if r := (Route{}); chain.Accepts(&r) {
		t.Error("a route that no statement decides about is accepted")
	}
	if _, err := ps.Chain("nobody", "somebody"); err == nil || !strings.Contains(err.Error(), `no policy "somebody"`) {
		t.Errorf("a chain with a policy that there is not: %v", err)
	}
	var none *Policies
	if none.Named("x") != nil || len(none.Names()) != 0 {
		t.Error("policies that nobody compiled have names")
	}
	all := compile(t, Config{Policies: []Definition{{Name: "all", Statements: []Statement{
		{Match: Match{Tags: []Range{{1, 1}}}, Action: Accept}, {Set: Set{Tag: number(3)}}, {Action: Reject},
	}}}})
	hop := compile(t, Config{Policies: []Definition{{Name: "hop", Statements: []Statement{
		{Set: Set{Tag: number(3)}}, {Set: Set{Metric: number(3), NextHop: netip.MustParseAddr("192.0.2.1")}},
	}}}})
	if all.Named("all").SetsNextHop() || !hop.Named("hop").SetsNextHop() {
		t.Error("which policy sets a next hop is not known")
	}
	if ps.Named("nobody").DecidesAll() || !all.Named("all").DecidesAll() {
		t.Error("which policy decides about every route is not known")
	}
	if d := cmp.Diff([]string{"nobody"}, ps.Names()); d != "" {
		t.Error(d)
	}
}

// The metric stays within its range whatever is added.
func TestMetricsDoNotWrap(t *testing.T) {
	for _, tt := range []struct {
		metric uint32
		add    int64
		want   uint32
	}{{5, 3, 8}, {5, -3, 2}, {5, -9, 0}, {1<<32 - 2, 5, 1<<32 - 1}} {
		r := Route{Metric: tt.metric}
		addMetric(tt.add).apply(&r)
		if r.Metric != tt.want {
			t.Errorf("%d %+d = %d, want %d", tt.metric, tt.add, r.Metric, tt.want)
		}
	}
}

func TestProblems(t *testing.T) {
	accept := []Statement{{Action: Accept}}
	with := func(m Match) Config {
		return Config{
			PrefixSets: []PrefixSet{set("four", "10.0.0.0/8")},
			Policies:   []Definition{{Name: "p", Statements: []Statement{{Match: m, Action: Accept, Origin: 7}}}},
		}
	}
	for _, tt := range []struct {
		name    string
		config  Config
		origin  origin.ID
		message string
		warning bool
	}{
		{"a missing set", with(Match{PrefixSets: []string{"five"}}), 7, `statement 1 matches by prefix-set "five", and there is none of that name`, false},
		{"a set of the other family", with(Match{PrefixSets: []string{"four"}, Families: []uint8{6}}), 7, "statement 1 matches nothing: what it asks for is IPv4, and also IPv6", false},
		{"a next hop of the other family", with(Match{PrefixSets: []string{"four"}, NextHops: []netip.Prefix{pfx("fe80::/10")}}), 7, "statement 1 matches nothing: what it asks for is IPv4, and also IPv6", false},
		{
			"a next hop of the other family to be set",
			Config{Policies: []Definition{{Name: "p", Statements: []Statement{{Match: Match{Families: []uint8{6}}, Set: Set{NextHop: netip.MustParseAddr("192.0.2.1")}, Origin: 6}}}}},
			6, "statement 1 gives routes of IPv6 the next hop 192.0.2.1", false,
		},
		{
			"a metric set and added to",
			Config{Policies: []Definition{{Name: "p", Statements: []Statement{{Set: Set{Metric: number(1), MetricAdd: 1}, Origin: 6}}}}},
			6, "statement 1 sets the metric and adds to it", false,
		},
		{
			"two statements of a name",
			Config{Policies: []Definition{{Name: "p", Statements: []Statement{
				{Name: "2", Set: Set{Tag: number(1)}}, {Set: Set{Tag: number(2)}, Origin: 6},
			}}}},
			6, `a second statement of policy p called "2"`, false,
		},
		{"two sets of a name", Config{PrefixSets: []PrefixSet{set("a", "10.0.0.0/8"), {Name: "a", Origin: 3}}}, 3, `a second prefix-set called "a"`, false},
		{"two policies of a name", Config{Policies: []Definition{{Name: "p", Statements: accept}, {Name: "p", Statements: accept, Origin: 4}}}, 4, `a second policy called "p"`, false},
		{"a range that begins too soon", Config{PrefixSets: []PrefixSet{{Name: "a", Entries: []PrefixRange{{pfx("10.0.0.0/8"), 7, 9, 5}}}}}, 5, "no prefix in 10.0.0.0/8 is shorter than 8 bits, and the range begins at 7", false},
		{"a range that ends too late", Config{PrefixSets: []PrefixSet{{Name: "a", Entries: []PrefixRange{{pfx("10.0.0.0/8"), 8, 33, 5}}}}}, 5, "the range ends at 33, and the prefixes in 10.0.0.0/8 have 32 bits at most", false},
		{"a range the wrong way round", Config{PrefixSets: []PrefixSet{{Name: "a", Entries: []PrefixRange{{pfx("10.0.0.0/8"), 24, 16, 5}}}}}, 5, "the range 24..16 has no length in it", false},
		{"a statement that does nothing", Config{Policies: []Definition{{Name: "p", Statements: []Statement{{Origin: 6}}}}}, 6, "statement 1 does nothing with what it matches", false},
		{"an empty set", Config{PrefixSets: []PrefixSet{{Name: "a", Origin: 3}}}, 3, "prefix-set a is empty: nothing is in it", true},
		{"an empty policy", Config{Policies: []Definition{{Name: "p", Origin: 3}}}, 3, "policy p has no statement: it decides about no route", true},
		{
			"a statement never reached",
			Config{Policies: []Definition{{Name: "p", Statements: []Statement{{Name: "all", Action: Accept}, {Action: Reject, Origin: 8}}}}},
			8, "statement 2 of policy p is never reached: statement all decides about every route", true,
		},
		{
			"changes for nothing",
			Config{Policies: []Definition{{Name: "p", Statements: []Statement{{Match: Match{Tags: []Range{{1, 1}}}, Set: Set{Tag: number(2)}, Action: Reject, Origin: 8}}}}},
			8, "statement 1 changes routes that it rejects", true,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := Compile(tt.config)
			if len(problems) != 1 || problems[0].Message != tt.message || problems[0].Origin != tt.origin || problems[0].Warning != tt.warning {
				t.Errorf("problems %+v, want %q at %d", problems, tt.message, tt.origin)
			}
		})
	}
}

func TestApplyAllocatesNothing(t *testing.T) {
	chain, err := compile(t, large(1000)).Chain("p")
	if err != nil {
		t.Fatal(err)
	}
	r := Route{Prefix: pfx("10.3.0.0/16"), Source: routing.SourceStatic, NextHop: netip.MustParseAddr("192.0.2.1")}
	var at Route
	if n := testing.AllocsPerRun(100, func() { at = r; chain.Accepts(&at) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// large is a policy that asks a set of size prefixes, and everything else.
func large(size int) Config {
	s := PrefixSet{Name: "many"}
	for i := range size {
		a := netip.AddrFrom4([4]byte{10 + byte(i>>16), byte(i >> 8), byte(i), 0})
		s.Entries = append(s.Entries, PrefixRange{Prefix: netip.PrefixFrom(a, 24), Low: 24, High: 32})
	}
	return Config{PrefixSets: []PrefixSet{s}, Policies: []Definition{{Name: "p", Statements: []Statement{
		{Match: Match{PrefixSets: []string{"many"}}, Action: Reject},
		{Match: Match{Protocols: []routing.Source{routing.SourceRIP}}, Action: Reject},
		{Match: Match{NextHops: []netip.Prefix{pfx("192.0.2.0/24")}, Families: []uint8{4}}, Set: Set{Metric: number(3), Tag: number(4)}, Action: Accept},
	}}}}
}

// The set has 100,000 prefixes; "deep" lies between them, and passes all
// statements, "apart" far from them.
func BenchmarkAccepts(b *testing.B) {
	chain, err := compile(b, large(100_000)).Chain("p")
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name, prefix string
		ok           bool
	}{{"in the set", "10.200.7.128/25", false}, {"deep", "10.200.6.0/23", true}, {"apart", "172.16.0.0/16", true}} {
		b.Run(c.name, func(b *testing.B) {
			r := Route{Prefix: pfx(c.prefix), Source: routing.SourceStatic, NextHop: netip.MustParseAddr("192.0.2.1")}
			b.ReportAllocs()
			var at Route
			for b.Loop() {
				at = r
				if chain.Accepts(&at) != c.ok {
					b.Fatalf("%s accepted is not %v", c.prefix, c.ok)
				}
			}
		})
	}
}

// A next hop is given to routes of its family alone, and it is said so.
func TestNextHopOfTheOtherFamily(t *testing.T) {
	ps := compile(t, Config{Policies: []Definition{{Name: "p", Statements: []Statement{
		{Set: Set{NextHop: netip.MustParseAddr("192.0.2.1")}, Action: Accept},
	}}}})
	chain, err := ps.Chain("p")
	if err != nil {
		t.Fatal(err)
	}
	six := Route{Prefix: pfx("2001:db8::/32"), NextHop: netip.MustParseAddr("fe80::1")}
	r := six
	if !chain.Accepts(&r) || r != six {
		t.Errorf("became %+v, want it as it was", r)
	}
	steps, _ := chain.Explain(&r)
	if want := "p, statement 1: matched, next-hop = 192.0.2.1 (not for IPv6), accepted"; len(steps) != 1 || steps[0].String() != want {
		t.Errorf("explained as %v, want %s", steps, want)
	}
}

// Two chains are the same by what they say, not by where it stands.
func TestSame(t *testing.T) {
	base := func() Config {
		return Config{
			PrefixSets: []PrefixSet{set("s", "10.0.0.0/8 8..24", "2001:db8::/32")},
			Policies: []Definition{
				{Name: "a", Statements: []Statement{{Name: "x", Match: Match{PrefixSets: []string{"s"}}, Set: Set{Metric: number(3)}, Action: Accept}}},
				{Name: "b", Statements: []Statement{{Action: Reject}}},
			},
		}
	}
	first, err := compile(t, base()).Chain("a", "b")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		edit func(*Config)
		ask  []string
		same bool
	}{
		{"nothing", func(*Config) {}, []string{"a", "b"}, true},
		{"lines", func(c *Config) {
			c.Policies[0].Origin, c.Policies[0].Statements[0].Origin, c.PrefixSets[0].Origin = 7, 8, 9
		}, []string{"a", "b"}, true},
		{"a policy more", func(c *Config) { c.Policies = append(c.Policies, Definition{Name: "c"}) }, []string{"a", "b"}, true},
		{"the order", func(*Config) {}, []string{"b", "a"}, false},
		{"one fewer", func(*Config) {}, []string{"a"}, false},
		{"a length of a set", func(c *Config) { c.PrefixSets[0].Entries[0].High = 25 }, []string{"a", "b"}, false},
		{"a prefix of a set", func(c *Config) { c.PrefixSets[0].Entries[1] = entry("2001:db9::/32") }, []string{"a", "b"}, false},
		{"a metric", func(c *Config) { c.Policies[0].Statements[0].Set.Metric = number(4) }, []string{"a", "b"}, false},
		{"a metric that is a tag", func(c *Config) { c.Policies[0].Statements[0].Set = Set{Tag: number(3)} }, []string{"a", "b"}, false},
		{"an action", func(c *Config) { c.Policies[1].Statements[0].Action = Accept }, []string{"a", "b"}, false},
		{"a condition", func(c *Config) { c.Policies[0].Statements[0].Match.Tags = []Range{{1, 1}} }, []string{"a", "b"}, false},
		{"a condition on something else", func(c *Config) { c.Policies[0].Statements[0].Match.Metrics = []Range{{1, 1}} }, []string{"a", "b"}, false},
	} {
		c := base()
		tt.edit(&c)
		other, err := compile(t, c).Chain(tt.ask...)
		if err != nil {
			t.Fatal(err)
		}
		if first.Same(other) != tt.same || other.Same(first) != tt.same {
			t.Errorf("%s: the same is %v, want %v", tt.name, !tt.same, tt.same)
		}
	}
}

// What is handed over is only read, also where it is wrong.
func TestCompileLeavesTheConfigAlone(t *testing.T) {
	c := Config{PrefixSets: []PrefixSet{{Name: "a", Entries: []PrefixRange{{pfx("10.0.0.0/8"), 7, 9, 5}, entry("192.0.2.0/24")}}}}
	for range 2 {
		if _, problems := Compile(c); len(problems) != 1 || len(c.PrefixSets[0].Entries) != 2 {
			t.Errorf("problems %+v, and %d entries are left", problems, len(c.PrefixSets[0].Entries))
		}
	}
}
