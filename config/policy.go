package config

import (
	"crypto/sha256"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"routerd/internal/protocols/decode"
	"routerd/internal/tomltext"
	"routerd/routing"
	"routerd/routing/policy"
)

// decodePolicy reads and compiles [policy], before anything that refers to a
// policy is read.
func (r *reader) decodePolicy(top *tomltext.Section, c *Config) {
	before := r.Mistakes()
	s := top.Section("policy")
	sets := s.Section("prefix-set")
	for _, name := range sets.Names() {
		at := sets.At.With(name)
		set := policy.PrefixSet{Name: name, Origin: r.policyOrigin(at)}
		for _, e := range sets.Elements(name) {
			if entry, ok := r.decodePrefixRange(sets, name, e); ok {
				set.Entries = append(set.Entries, entry)
			}
		}
		sets.Record(name, prefixText(set.Entries))
		c.Policy.PrefixSets = append(c.Policy.PrefixSets, set)
	}
	r.decodeRegisteredSets(s)
	definitions := s.Section("definition")
	for _, name := range definitions.Names() {
		d := definitions.Section(name)
		if d.Table == nil {
			continue
		}
		p := policy.Definition{Name: name, Origin: r.policyOrigin(d.At)}
		names := map[string]bool{}
		for _, t := range d.Sections("statement") {
			st := r.decodeStatement(t, sets)
			p.Statements = append(p.Statements, st)
			if !names[st.Name] {
				t.Name(st.Name, "name")
			}
			names[st.Name] = true
		}
		d.Done()
		c.Policy.Policies = append(c.Policy.Policies, p)
	}
	s.Done()
	sound := r.Mistakes() == before // else what could not be read is missing below
	policies, problems := policy.Compile(c.Policy)
	for _, p := range problems {
		switch at := r.paths[p.Origin]; {
		case p.Warning && sound:
			r.Odd(at, p.Message, p.Want)
		case sound:
			r.Wrong(at, p.Message, p.Want)
		}
	}
	c.Policies = policies
}

// prefixText returns the content of a set; for a large one, a hash of it.
func prefixText(entries []policy.PrefixRange) string {
	text := joined(entries)
	if most := 8; len(entries) > most {
		return fmt.Sprintf("%d prefixes (sum %.4x)", len(entries), sha256.Sum256([]byte(text)))
	}
	return text
}

// decodePrefixRange reads a prefix, or a table of a prefix and lengths.
func (r *reader) decodePrefixRange(s *tomltext.Section, set string, v tomltext.Item[any]) (policy.PrefixRange, bool) {
	var e policy.PrefixRange
	t, isTable := s.Inner(set, v)
	if !isTable {
		p, ok := tomltext.Read(s, v, tomltext.Subnet)
		if !ok {
			return e, false
		}
		return policy.PrefixRange{Prefix: p, Low: uint8(p.Bits()), High: uint8(p.Bits()), Origin: r.policyOrigin(v.At)}, true
	}
	e.Prefix = tomltext.Get(t, "ip-prefix", netip.Prefix{}, tomltext.Subnet)
	e.Low, e.High = uint8(max(0, e.Prefix.Bits())), uint8(max(0, e.Prefix.Bits()))
	lengths := tomltext.Get(t, "masklength-range", [2]uint8{e.Low, e.High}, maskLengths)
	e.Low, e.High = lengths[0], lengths[1]
	e.Origin = r.policyOrigin(v.At)
	t.Done()
	if !t.Has("ip-prefix") {
		r.Wrong(v.At, fmt.Sprintf("%s has no ip-prefix", v.At), `{ ip-prefix = "10.0.0.0/8", masklength-range = "8..24" }, say`)
	}
	return e, e.Prefix.IsValid()
}

var maskLengths = tomltext.Reading[[2]uint8]{Read: func(v any) ([2]uint8, error) {
	s, ok := v.(string)
	if !ok {
		return [2]uint8{}, tomltext.ErrUnwanted
	}
	low, high, ok := strings.Cut(s, "..")
	if !ok {
		return [2]uint8{}, tomltext.ErrUnwanted
	}
	a, err1 := strconv.ParseUint(low, 10, 8)
	b, err2 := strconv.ParseUint(high, 10, 8)
	if err1 != nil || err2 != nil || b > 128 {
		return [2]uint8{}, tomltext.ErrUnwanted
	}
	return [2]uint8{uint8(a), uint8(b)}, nil
}, Want: `the shortest and the longest length, "8..24"`}

func (r *reader) decodeStatement(s, sets *tomltext.Section) policy.Statement {
	st := policy.Statement{
		Name:   tomltext.Get(s, "name", "", tomltext.Text("a name")),
		Action: tomltext.Get(s, "action", policy.Next, tomltext.OneOf([]string{"accept", "reject"}, []policy.Action{policy.Accept, policy.Reject})),
		Origin: r.policyOrigin(s.At),
	}
	m := s.Section("match")
	for _, v := range tomltext.Distinct(m, "prefix-set", tomltext.Text("the name of a prefix-set")) {
		if !sets.Has(v.Value) {
			r.Wrong(v.At, fmt.Sprintf("%s is %q, and there is no such prefix-set", v.At, v.Value), "a name of [policy.prefix-set]").
				Suggestion = tomltext.Suggest(v.Value, sortedKeys(sets.Table))
		}
		st.Match.PrefixSets = append(st.Match.PrefixSets, v.Value)
	}
	for _, v := range tomltext.List(m, "protocol", protocolWord) {
		st.Match.Protocols = append(st.Match.Protocols, v.Value...)
	}
	st.Match.Tags = values(tomltext.List(m, "tag", numbers))
	st.Match.Metrics = values(tomltext.List(m, "metric", numbers))
	st.Match.NextHops = values(tomltext.Distinct(m, "next-hop", tomltext.HostOrSubnet))
	st.Match.Families = values(tomltext.Distinct(m, "family", tomltext.OneOf([]string{"ipv4", "ipv6"}, []uint8{4, 6})))
	st.Match.Registered = append(registered(m, compileMatch), r.registeredBySet(m)...)
	r.emptyLists(m)
	m.Done()
	set := s.Section("set")
	if n := uint32(tomltext.Get(set, "metric", 0, tomltext.Whole(0, math.MaxUint32))); set.Has("metric") {
		st.Set.Metric = &n
	}
	set.Default("metric", "")
	st.Set.MetricAdd = int64(tomltext.Get(set, "metric-add", 0, tomltext.Whole(-math.MaxUint32, math.MaxUint32)))
	if n := uint32(tomltext.Get(set, "tag", 0, tomltext.Whole(0, math.MaxUint32))); set.Has("tag") {
		st.Set.Tag = &n
	}
	set.Default("tag", "")
	set.Default("metric-add", "")
	st.Set.NextHop = tomltext.Get(set, "next-hop", netip.Addr{}, tomltext.Address)
	st.Set.Registered = registered(set, compileSet)
	set.Done()
	s.Done()
	return st
}

// emptyLists refuses a condition with an empty list, which would match
// everything although nothing was meant.
func (r *reader) emptyLists(s *tomltext.Section) {
	for key, v := range s.Table {
		if list, isList := v.([]any); isList && len(list) == 0 {
			r.Wrong(s.At.With(key), fmt.Sprintf("%s is an empty list", s.At.With(key)), "a value, or no such key")
		}
	}
}

func values[T any](items []tomltext.Item[T]) []T {
	var list []T
	for _, i := range items {
		list = append(list, i.Value)
	}
	return list
}

// protocolWords are the words for sources in the configuration: bgp means both
// kinds.
var protocolWords = map[string][]routing.Source{
	"bgp": {routing.SourceEBGP, routing.SourceIBGP},
}

func init() {
	for _, s := range decode.Redistributable {
		protocolWords[s.String()] = []routing.Source{s}
	}
}

var protocolWord = tomltext.Reading[[]routing.Source]{Read: func(v any) ([]routing.Source, error) {
	s, ok := v.(string)
	if !ok {
		return nil, tomltext.ErrUnwanted
	}
	if list := protocolWords[s]; list != nil {
		return list, nil
	}
	return nil, tomltext.Hint{Suggestion: tomltext.Suggest(s, sortedKeys(protocolWords))}
}, Want: `one of "connected", "static", "ospf", "rip", "bgp", "ebgp", "ibgp"`}

var numbers = tomltext.Reading[policy.Range]{Read: func(v any) (policy.Range, error) {
	switch v := v.(type) {
	case int64:
		if v >= 0 && v <= math.MaxUint32 {
			return policy.Range{Low: uint32(v), High: uint32(v)}, nil
		}
	case string:
		low, high, ok := strings.Cut(v, "..")
		a, err1 := strconv.ParseUint(low, 10, 32)
		b, err2 := strconv.ParseUint(high, 10, 32)
		if ok && err1 == nil && err2 == nil && a <= b {
			return policy.Range{Low: uint32(a), High: uint32(b)}, nil
		}
	}
	return policy.Range{}, tomltext.ErrUnwanted
}, Want: `a number, or a range like "10..20"`}
