package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"routerd/routing"
)

// paint is the attributes of a toy protocol, whose routes have a colour.
type paint struct{ colour string }

var paints = map[string]*paint{} // each once

func painted(colour string) *paint {
	if paints[colour] == nil {
		paints[colour] = &paint{colour}
	}
	return paints[colour]
}

func init() {
	for _, c := range []string{"red", "green", "blue"} {
		painted(c)
	}
	Register(Extension{
		Name: "colour", Want: "red, green or blue",
		Match: func(v any) (Condition, error) {
			var list []string
			switch v := v.(type) {
			case string:
				list = []string{v}
			case []any:
				for _, e := range v {
					list = append(list, fmt.Sprint(e))
				}
			}
			for _, c := range list {
				if paints[c] == nil {
					return nil, fmt.Errorf("%q is no colour", c)
				}
			}
			if list == nil {
				return nil, errors.New("not a colour or a list of them")
			}
			return ofColour(list), nil
		},
		Set: func(v any) (Change, error) {
			c, _ := v.(string)
			if paints[c] == nil {
				return nil, fmt.Errorf("%q is no colour", v)
			}
			return repaint(c), nil
		},
	}, Extension{
		// A change that looks at the metric, too.
		Name: "fade", Want: "a number of steps", Depends: OnMetric,
		Set: func(v any) (Change, error) {
			n, ok := v.(int64)
			if !ok {
				return nil, errors.New("not a number")
			}
			return fade(n), nil
		},
	})
}

type ofColour []string

func (c ofColour) Holds(r *Route) bool {
	p, ok := r.Attributes.(*paint)
	return ok && slices.Contains(c, p.colour)
}

func (c ofColour) Miss(r *Route) string {
	p, ok := r.Attributes.(*paint)
	if !ok {
		return "it has no colour"
	}
	return fmt.Sprintf("its colour is %s, not %s", p.colour, strings.Join(c, " or "))
}

type repaint string

func (c repaint) Apply(r *Route) bool {
	if _, ok := r.Attributes.(*paint); !ok {
		return false
	}
	r.Attributes, r.AttributesSet = painted(string(c)), true
	return true
}

func (c repaint) String() string { return "colour = " + string(c) }

// fade paints a route blue from a metric on.
type fade int64

func (c fade) Apply(r *Route) bool {
	_, ok := r.Attributes.(*paint)
	if ok = ok && int64(r.Metric) >= int64(c); ok {
		r.Attributes, r.AttributesSet = painted("blue"), true
	}
	return ok
}

func (c fade) String() string { return fmt.Sprintf("fade = %d", int64(c)) }

func compiled(t testing.TB, statements ...Statement) (Chain, []Problem) {
	t.Helper()
	ps, problems := Compile(Config{Policies: []Definition{{Name: "p", Statements: statements}}})
	c, err := ps.Chain("p")
	if err != nil {
		t.Fatal(err)
	}
	return c, problems
}

// A condition and a change that a protocol has registered decide and change like
// those of the policies themselves, and are explained like them.
func TestRegistered(t *testing.T) {
	chain, problems := compiled(t,
		Statement{Match: Match{Registered: []Registered{{"colour", []any{"red", "green"}}}, Tags: []Range{{7, 7}}}, Set: Set{Registered: []Registered{{"colour", "blue"}}}, Action: Accept},
		Statement{Match: Match{Registered: []Registered{{"colour", "blue"}}}, Action: Reject},
		Statement{Set: Set{Registered: []Registered{{"colour", "green"}}}, Action: Accept},
	)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	prefix := netip.MustParsePrefix("10.0.0.0/8")
	for _, tt := range []struct {
		attributes any
		tag        uint32
		accepted   bool
		becomes    any
		explained  string
	}{
		{painted("red"), 7, true, painted("blue"), "p, statement 1: matched, colour = blue, accepted"},
		{painted("red"), 8, true, painted("green"), "p, statement 1: its tag is 8, not 7; p, statement 2: its colour is red, not blue; p, statement 3: matched, colour = green, accepted"},
		{painted("blue"), 7, false, painted("blue"), "p, statement 1: its colour is blue, not red or green; p, statement 2: matched, rejected"},
		{nil, 7, true, nil, "p, statement 1: it has no colour; p, statement 2: it has no colour; p, statement 3: matched, colour = green (not for this route), accepted"},
	} {
		r := Route{Prefix: prefix, Tag: tt.tag, Attributes: tt.attributes}
		told := r
		if got := chain.Accepts(&r); got != tt.accepted || r.Attributes != tt.becomes {
			t.Errorf("%v with tag %d: accepted %v with %v, want %v with %v", tt.attributes, tt.tag, got, r.Attributes, tt.accepted, tt.becomes)
		}
		steps, accepted := chain.Explain(&told)
		var lines []string
		for _, s := range steps {
			lines = append(lines, s.String())
		}
		if text := strings.Join(lines, "; "); text != tt.explained || accepted != tt.accepted || told != r {
			t.Errorf("%v with tag %d is explained as %s\nwant %s", tt.attributes, tt.tag, text, tt.explained)
		}
	}
}

func TestRegisteredMistakes(t *testing.T) {
	for _, tt := range []struct {
		statement     Statement
		message, want string
	}{
		{
			Statement{Match: Match{Registered: []Registered{{"smell", "sweet"}}}, Action: Accept},
			`statement 1 matches by "smell", which no protocol knows`, "a key that there is",
		},
		{
			Statement{Match: Match{Registered: []Registered{{"fade", int64(1)}}}, Action: Accept},
			`statement 1 matches by "fade", which no protocol knows`, "a key that there is",
		},
		{
			Statement{Match: Match{Registered: []Registered{{"colour", []any{"red", "sweet"}}}}, Action: Accept},
			`statement 1 matches by colour red sweet: "sweet" is no colour`, "red, green or blue",
		},
		{
			Statement{Set: Set{Registered: []Registered{{"smell", "sweet"}}}, Action: Accept},
			`statement 1 sets "smell", which no protocol knows`, "a key that there is",
		},
		{
			Statement{Set: Set{Registered: []Registered{{"fade", "sweet"}}}, Action: Accept},
			`statement 1 sets fade sweet: not a number`, "a number of steps",
		},
	} {
		_, problems := compiled(t, tt.statement)
		if len(problems) != 1 || problems[0].Message != tt.message || problems[0].Want != tt.want || problems[0].Warning {
			t.Errorf("%+v, want %s (%s)", problems, tt.message, tt.want)
		}
	}
}

// What is said by registered keys counts when policies are compared.
func TestRegisteredSame(t *testing.T) {
	chain := func(match, set any) Chain {
		c, _ := compiled(t, Statement{Match: Match{Registered: []Registered{{"colour", match}}}, Set: Set{Registered: []Registered{{"colour", set}}}, Action: Accept})
		return c
	}
	a := chain([]any{"red", "green"}, "blue")
	if !a.Same(chain([]any{"red", "green"}, "blue")) {
		t.Error("two chains that say the same are not the same")
	}
	for _, o := range []Chain{chain("red green", "blue"), chain([]any{"red"}, "blue"), chain([]any{"red", "green"}, "red")} {
		if a.Same(o) {
			t.Error("a chain that says something else is the same")
		}
	}
}

func TestRegisterRefuses(t *testing.T) {
	match := func(any) (Condition, error) { return ofColour{}, nil }
	set := func(any) (Change, error) { return repaint(""), nil }
	for want, e := range map[string]Extension{
		`"colour": it is registered already`:                       {Name: "colour", Want: "x", Set: set},
		`"tag": policies have one of that name themselves`:         {Name: "tag", Want: "x", Match: match},
		`"metric-add": policies have one of that name themselves`:  {Name: "metric-add", Want: "x", Set: set},
		`"taste": it stands neither in match nor in set`:           {Name: "taste", Want: "x"},
		`"taste": it has no name, or does not say what a value is`: {Name: "taste", Match: match},
		`"": it has no name, or does not say what a value is`:      {Want: "x", Match: match},
		`"prefix-set": policies have one of that name themselves`:  {Name: "prefix-set", Want: "x", Match: match, Set: set},
		"": {Name: "texture", Want: "x", Match: match},
	} {
		t.Run(e.Name, func(t *testing.T) {
			defer func() {
				p := recover()
				if want == "" {
					delete(extensions, e.Name)
				}
				if (p == nil) != (want == "") || p != nil && p != "registering the policy key "+want {
					t.Errorf("panics with %v, want %s", p, want)
				}
			}()
			Register(e)
		})
	}
	if list := Extensions(); len(list) != 2 || list[0].Name != "colour" || list[1].Name != "fade" {
		t.Errorf("registered are %v, want colour and fade", list)
	}
}

// drawChain makes policies of all that there is to match by and to set.
func drawChain(t *rapid.T) Chain {
	prefixes := []PrefixSet{{Name: "s", Entries: []PrefixRange{{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Low: 8, High: 24}}}}
	colours := rapid.SampledFrom([]any{"red", "green", []any{"red", "blue"}})
	maybe := func(what string) bool { return rapid.IntRange(0, 4).Draw(t, what) == 0 }
	c := Config{PrefixSets: prefixes}
	for _, name := range []string{"p0", "p1"} {
		d := Definition{Name: name}
		for range rapid.IntRange(1, 4).Draw(t, "statements") {
			s := Statement{Action: rapid.SampledFrom([]Action{Next, Accept, Reject}).Draw(t, "action")}
			if maybe("by prefix") && maybe("by prefix, too") {
				s.Match.PrefixSets = []string{"s"}
			}
			if maybe("by source") {
				s.Match.Protocols = []routing.Source{anySource.Draw(t, "source")}
			}
			if maybe("by tag") {
				s.Match.Tags = []Range{anyRange.Draw(t, "tags")}
			}
			if maybe("by metric") {
				s.Match.Metrics = []Range{anyRange.Draw(t, "metrics")}
			}
			if maybe("by hop") {
				s.Match.NextHops = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/31")}
			}
			if maybe("by family") {
				s.Match.Families = []uint8{rapid.SampledFrom([]uint8{4, 6}).Draw(t, "family")}
			}
			if maybe("by colour") {
				s.Match.Registered = []Registered{{"colour", colours.Draw(t, "colours")}}
			}
			if maybe("sets metric") {
				s.Set.Metric = number(rapid.Uint32Range(0, 6).Draw(t, "metric"))
			} else if maybe("adds") {
				s.Set.MetricAdd = rapid.Int64Range(-3, 3).Draw(t, "add")
			}
			if s.Action == Next || maybe("sets tag") {
				s.Set.Tag = number(rapid.Uint32Range(0, 6).Draw(t, "tag"))
			}
			if maybe("sets hop") {
				s.Set.NextHop = netip.MustParseAddr(rapid.SampledFrom([]string{"192.0.2.1", "2001:db8::1"}).Draw(t, "hop"))
			}
			if maybe("paints") {
				s.Set.Registered = append(s.Set.Registered, Registered{"colour", "green"})
			}
			if maybe("fades") {
				s.Set.Registered = append(s.Set.Registered, Registered{"fade", rapid.Int64Range(0, 8).Draw(t, "from")})
			}
			d.Statements = append(d.Statements, s)
		}
		c.Policies = append(c.Policies, d)
	}
	ps, problems := Compile(c)
	for _, p := range problems {
		if !p.Warning {
			t.Skip("families that do not go together")
		}
	}
	chain, err := ps.Chain(rapid.SliceOfN(rapid.SampledFrom([]string{"p0", "p1"}), 0, 2).Draw(t, "chain")...)
	if err != nil {
		t.Fatal(err)
	}
	return chain
}

// attributeKey is what a verdict depends on of a route, and nothing else.
type attributeKey struct {
	source      routing.Source
	hop         netip.Addr
	metric, tag uint32
	attributes  any
}

func keyOf(d Depends, r *Route) (k attributeKey) {
	if d&OnSource != 0 {
		k.source = r.Source
	}
	if d&OnNextHop != 0 {
		k.hop = r.NextHop
	}
	if d&OnMetric != 0 {
		k.metric = r.Metric
	}
	if d&OnTag != 0 {
		k.tag = r.Tag
	}
	if d&OnAttributes != 0 {
		k.attributes = r.Attributes
	}
	return k
}

// A verdict that is remembered by no more than it depends on is what the chain
// decides about each route itself.
func TestCacheAgreesWithChain(t *testing.T) {
	cached := 0
	rapid.Check(t, func(t *rapid.T) {
		chain := drawChain(t)
		c := NewCache[attributeKey](chain, rapid.IntRange(1, 20).Draw(t, "most"))
		attributes := []any{nil, painted("red"), painted("green"), painted("blue")}
		for range 40 {
			r := Route{
				Prefix: anyPrefix.Draw(t, "prefix"), Source: anySource.Draw(t, "source"),
				NextHop: netip.AddrFrom4([4]byte{192, 0, 2, byte(rapid.IntRange(0, 3).Draw(t, "hop"))}),
				Metric:  rapid.Uint32Range(0, 4).Draw(t, "metric"), Tag: rapid.Uint32Range(0, 4).Draw(t, "tag"),
				Attributes: rapid.SampledFrom(attributes).Draw(t, "attributes"),
			}
			if rapid.Bool().Draw(t, "of IPv6") {
				r.Prefix = netip.MustParsePrefix("2001:db8::/32")
			}
			plain, remembered := r, r
			want, got := chain.Accepts(&plain), c.Accepts(keyOf(chain.Depends(), &r), &remembered)
			if got != want || want && remembered != plain {
				t.Fatalf("%+v: remembered %v %+v, decided %v %+v; depends on %b", r, got, remembered, want, plain, chain.Depends())
			}
			if len(c.verdicts) > c.most {
				t.Fatalf("%d verdicts are remembered, at most %d", len(c.verdicts), c.most)
			}
		}
		cached += len(c.verdicts)
	})
	if cached == 0 {
		t.Error("nothing was ever remembered")
	}
}

func TestDepends(t *testing.T) {
	for _, tt := range []struct {
		s    Statement
		want Depends
	}{
		{Statement{Action: Accept}, 0},
		{Statement{Match: Match{Registered: []Registered{{"colour", "red"}}}, Action: Accept}, OnAttributes},
		{Statement{Set: Set{Metric: number(1), Registered: []Registered{{"fade", int64(2)}}}, Action: Accept}, OnAttributes | OnMetric},
		{Statement{Match: Match{Families: []uint8{4}}, Action: Accept}, OnFamily},
		{Statement{Set: Set{MetricAdd: 1, Tag: number(1), NextHop: netip.MustParseAddr("192.0.2.1")}}, OnMetric | OnFamily},
		{Statement{Match: Match{NextHops: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Tags: []Range{{1, 1}}, Protocols: []routing.Source{routing.SourceRIP}}, Action: Reject}, OnNextHop | OnTag | OnSource},
	} {
		// What comes after a statement that decides about all routes counts for nothing.
		chain, _ := compiled(t, tt.s, Statement{Action: Accept}, Statement{Match: Match{Metrics: []Range{{1, 1}}}, Action: Reject})
		if got := chain.Depends(); got != tt.want {
			t.Errorf("%+v depends on %b, want %b", tt.s, got, tt.want)
		}
	}
}

func TestCacheHitAllocatesNothing(t *testing.T) {
	chain, _ := compiled(t, Statement{Match: Match{Registered: []Registered{{"colour", "red"}}}, Set: Set{Tag: number(4)}, Action: Accept})
	c := NewCache[*paint](chain, 10)
	r := Route{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Attributes: painted("red")}
	var route Route
	if n := testing.AllocsPerRun(100, func() {
		route = r
		if !c.Accepts(painted("red"), &route) || route.Tag != 4 {
			t.Fatal("not accepted with the tag")
		}
	}); n != 0 {
		t.Errorf("%v allocations for a verdict that is remembered, want none", n)
	}
}

func BenchmarkVerdict(b *testing.B) {
	var statements []Statement
	for i := range 20 { // none of which matches
		statements = append(statements, Statement{
			Match: Match{Registered: []Registered{{"colour", "green"}}, Tags: []Range{{uint32(i), uint32(i)}}}, Action: Reject,
		})
	}
	chain, _ := compiled(b, append(statements, Statement{Set: Set{Tag: number(4)}, Action: Accept})...)
	r := Route{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Tag: 99, Attributes: painted("red")}
	b.Run("decided", func(b *testing.B) {
		var route Route
		for b.Loop() {
			route = r
			chain.Accepts(&route)
		}
	})
	b.Run("remembered", func(b *testing.B) {
		c := NewCache[*paint](chain, 10)
		key := painted("red")
		var route Route
		for b.Loop() {
			route = r
			c.Accepts(key, &route)
		}
	})
}
