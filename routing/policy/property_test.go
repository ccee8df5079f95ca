package policy

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"routerd/routing"
)

// naive decides by reading the configuration, statement by statement.
func naive(c *Config, names []string, r *Route) bool {
	for _, name := range names {
		for _, d := range c.Policies {
			if d.Name != name {
				continue
			}
			for _, s := range d.Statements {
				if !naiveMatch(c, &s.Match, r) {
					continue
				}
				if s.Set.Metric != nil {
					r.Metric, r.MetricSet = *s.Set.Metric, true
				}
				if s.Set.MetricAdd != 0 {
					r.Metric, r.MetricSet = uint32(max(0, int64(r.Metric)+s.Set.MetricAdd)), true
				}
				if s.Set.Tag != nil {
					r.Tag, r.TagSet = *s.Set.Tag, true
				}
				if s.Action != Next {
					return s.Action == Accept
				}
			}
		}
	}
	return len(names) == 0
}

func naiveMatch(c *Config, m *Match, r *Route) bool {
	in := len(m.PrefixSets) == 0
	for _, name := range m.PrefixSets {
		for _, s := range c.PrefixSets {
			for _, e := range s.Entries {
				covered := e.Prefix.Bits() <= r.Prefix.Bits() && e.Prefix.Contains(r.Prefix.Addr())
				in = in || s.Name == name && covered && int(e.Low) <= r.Prefix.Bits() && r.Prefix.Bits() <= int(e.High)
			}
		}
	}
	from := len(m.Protocols) == 0
	for _, p := range m.Protocols {
		from = from || p == r.Source
	}
	within := func(list []Range, n uint32) bool {
		ok := len(list) == 0
		for _, x := range list {
			ok = ok || x.Low <= n && n <= x.High
		}
		return ok
	}
	return in && from && within(m.Tags, r.Tag) && within(m.Metrics, r.Metric)
}

var (
	anyBits   = rapid.IntRange(0, 32)
	anyPrefix = rapid.Custom(func(t *rapid.T) netip.Prefix {
		a := netip.AddrFrom4([4]byte{10, byte(rapid.IntRange(0, 3).Draw(t, "b")), byte(rapid.IntRange(0, 3).Draw(t, "c")) << 6, byte(rapid.IntRange(0, 255).Draw(t, "d"))})
		return netip.PrefixFrom(a, anyBits.Draw(t, "bits")).Masked()
	})
	anyRange = rapid.Custom(func(t *rapid.T) Range {
		low := rapid.Uint32Range(0, 6).Draw(t, "low")
		return Range{low, low + rapid.Uint32Range(0, 3).Draw(t, "more")}
	})
	anySource = rapid.SampledFrom([]routing.Source{routing.SourceConnected, routing.SourceStatic, routing.SourceRIP})
)

var anyStatement = rapid.Custom(func(t *rapid.T) Statement {
	s := Statement{
		Match: Match{
			PrefixSets: rapid.SliceOfN(rapid.SampledFrom([]string{"s0", "s1", "s2"}), 0, 2).Draw(t, "sets"),
			Protocols:  rapid.SliceOfN(anySource, 0, 2).Draw(t, "protocols"),
			Tags:       rapid.SliceOfN(anyRange, 0, 2).Draw(t, "tags"),
			Metrics:    rapid.SliceOfN(anyRange, 0, 2).Draw(t, "metrics"),
		},
		Action: rapid.SampledFrom([]Action{Next, Accept, Reject}).Draw(t, "action"),
	}
	if len(s.Match.PrefixSets) == 0 {
		s.Match.PrefixSets = nil
	}
	if len(s.Match.Protocols) == 0 {
		s.Match.Protocols = nil
	}
	if len(s.Match.Tags) == 0 {
		s.Match.Tags = nil
	}
	if len(s.Match.Metrics) == 0 {
		s.Match.Metrics = nil
	}
	if s.Action == Next || rapid.Bool().Draw(t, "sets something") {
		s.Set.Tag = number(rapid.Uint32Range(0, 6).Draw(t, "tag"))
		s.Set.MetricAdd = rapid.Int64Range(-3, 3).Draw(t, "add")
	}
	return s
})

// Compiled policies decide as a reading of the configuration does, and what is
// explained is what is done.
func TestAgreesWithTheConfiguration(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c Config
		for _, name := range []string{"s0", "s1", "s2"} {
			s := PrefixSet{Name: name}
			for range rapid.IntRange(1, 5).Draw(t, "entries") {
				p := anyPrefix.Draw(t, "entry")
				low := rapid.IntRange(p.Bits(), 32).Draw(t, "low")
				s.Entries = append(s.Entries, PrefixRange{Prefix: p, Low: uint8(low), High: uint8(rapid.IntRange(low, 32).Draw(t, "high"))})
			}
			c.PrefixSets = append(c.PrefixSets, s)
		}
		for _, name := range []string{"p0", "p1"} {
			c.Policies = append(c.Policies, Definition{Name: name, Statements: rapid.SliceOfN(anyStatement, 1, 4).Draw(t, name)})
		}
		ps, problems := Compile(c)
		for _, p := range problems {
			if !p.Warning {
				t.Fatal(p)
			}
		}
		names := rapid.SliceOfN(rapid.SampledFrom([]string{"p0", "p1"}), 0, 2).Draw(t, "chain")
		chain, err := ps.Chain(names...)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			r := Route{
				Prefix: anyPrefix.Draw(t, "prefix"), Source: anySource.Draw(t, "source"),
				Metric: rapid.Uint32Range(0, 8).Draw(t, "metric"), Tag: rapid.Uint32Range(0, 8).Draw(t, "tag"),
			}
			want, got, told := r, r, r
			ok := naive(&c, names, &want)
			if chain.Accepts(&got) != ok || got != want {
				t.Fatalf("%+v became %+v (accepted %v), want %+v (%v)", r, got, !ok, want, ok)
			}
			if _, accepted := chain.Explain(&told); accepted != ok || told != want {
				t.Fatalf("%+v was explained as %+v (accepted %v), want %+v (%v)", r, told, accepted, want, ok)
			}
		}
	})
}
