package config

import (
	"cmp"
	"fmt"
	"slices"

	"routerd/flow"
	"routerd/internal/tomltext"
	"routerd/nat"
)

// matcher is the match of a rule, or of one direction of a static rule.
type matcher struct {
	name    string
	match   *nat.Match
	hairpin bool
	at      tomltext.Path // place of the warning

	ranges [4][]interval // sources, destinations and their ports, sorted and disjoint
}

func newMatcher(name string, m *nat.Match, hairpin bool, at tomltext.Path) matcher {
	return matcher{name, m, hairpin, at, [4][]interval{
		ofAddresses(m.Sources), ofAddresses(m.Destinations), ofPorts(m.SourcePorts), ofPorts(m.DestinationPorts),
	}}
}

// mostCompared is how many rules of a list are each compared with those before.
// With ten thousand rules the comparisons would take longer than the rest of a
// reload.
const mostCompared = 1000

// shadows warns of rules that never apply because one earlier rule matches
// everything that they match. It does not find rules that are covered only by
// several together, nor those after the first mostCompared rules.
func (k *natCheck) shadows() {
	var source, destination []matcher
	for i := range k.nat.Static {
		s, at := &k.nat.Static[i], natRulePath(nat.KindStatic, i)
		out := nat.Match{Outbound: s.Interfaces, Sources: []flow.AddressRange{flow.RangeOf(s.Inside)}}
		in := nat.Match{Inbound: s.Interfaces, Destinations: []flow.AddressRange{flow.RangeOf(s.Outside)}}
		source = append(source, newMatcher(s.Name, &out, false, at.With("inside")))
		destination = append(destination, newMatcher(s.Name, &in, s.Hairpin, at.With("outside")))
	}
	for i := range k.nat.Source {
		s := &k.nat.Source[i]
		source = append(source, newMatcher(s.Name, &s.Match, false, natRulePath(nat.KindSource, i).With("name")))
	}
	for i := range k.nat.Destination {
		d := &k.nat.Destination[i]
		destination = append(destination, newMatcher(d.Name, &d.Match, d.Hairpin, natRulePath(nat.KindDestination, i).With("name")))
	}
	for _, list := range [][]matcher{source, destination} {
		for i := range list[:min(len(list), mostCompared)] {
			k.shadowed(list[:i], &list[i], i < len(k.nat.Static))
		}
	}
}

// shadowed warns if a rule is covered by one of the rules before it.
func (k *natCheck) shadowed(before []matcher, m *matcher, static bool) {
	n := slices.IndexFunc(before, func(b matcher) bool { return b.covers(m) })
	if n < 0 {
		return
	}
	message, want := fmt.Sprintf("the rule %q never applies", m.name), "the narrower rule first"
	if static {
		message, want = fmt.Sprintf("the rule %q applies to nothing that leaves", m.name), "one outside address for each host"
	}
	first := &before[n]
	k.Odd(m.at, fmt.Sprintf("%s: %q matches all that it does, and comes first (%s)", message, first.name, k.ValuePlace(first.at)), want)
}

// covers reports whether a matches everything that b matches. An empty list
// matches all.
func (a *matcher) covers(b *matcher) bool {
	x, y := a.match, b.match
	// A hairpin rule also matches packets from the other interfaces, but
	// without destinations this depends on the interface that has the address.
	anywhere := len(x.Inbound) == 0 || a.hairpin && len(x.Destinations) > 0
	if b.hairpin && !anywhere {
		return false
	}
	for n := range a.ranges {
		if !within(b.ranges[n], a.ranges[n]) {
			return false
		}
	}
	return among(y.Inbound, x.Inbound) && among(y.Outbound, x.Outbound) && among(y.Protocols, x.Protocols)
}

// among reports whether each of list is one of all.
func among[T comparable](list, all []T) bool {
	if len(all) == 0 {
		return true
	}
	return len(list) > 0 && !slices.ContainsFunc(list, func(v T) bool { return !slices.Contains(all, v) })
}

// within reports whether all, which is sorted and disjoint, contains all of
// list.
func within(list, all []interval) bool {
	if len(all) == 0 {
		return true
	}
	return len(list) > 0 && !slices.ContainsFunc(list, func(i interval) bool {
		return !slices.ContainsFunc(all, func(w interval) bool { return w.first <= i.first && i.last <= w.last })
	})
}

// interval is a range of addresses or ports, both ends included.
type interval struct{ first, last uint32 }

func ofAddresses(list []flow.AddressRange) []interval {
	var out []interval
	for _, a := range list {
		out = append(out, interval{numberOf(a.First), numberOf(a.Last)})
	}
	return disjoint(out)
}

func ofPorts(list []flow.PortRange) []interval {
	var out []interval
	for _, p := range list {
		out = append(out, interval{uint32(p.First), uint32(p.Last)})
	}
	return disjoint(out)
}

// disjoint sorts intervals and joins those that overlap or touch.
func disjoint(list []interval) []interval {
	slices.SortFunc(list, func(a, b interval) int { return cmp.Compare(a.first, b.first) })
	var out []interval
	for _, i := range list {
		if n := len(out); n > 0 && uint64(i.first) <= uint64(out[n-1].last)+1 {
			out[n-1].last = max(out[n-1].last, i.last)
		} else {
			out = append(out, i)
		}
	}
	return out
}
