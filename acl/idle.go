package acl

import (
	"slices"

	"routerd/flow"
)

// Idle is a rule of a list that no packet can reach.
type Idle struct {
	Rule   int    // its place in the list
	Before int    // the place of the rule that decides about all its packets; -1 = none
	Why    string // why it matches nothing, where there is no such rule
}

// Idle finds rules that can never match: those whose conditions exclude each
// other, and those of which one earlier rule decides about every packet. It does
// not find rules that are covered only by several together, and looks at the
// first most rules alone, since it compares each with all before it.
func (l *List) Idle(most int) []Idle {
	var out []Idle
	for i := range l.Rules[:min(len(l.Rules), most)] {
		r := &l.Rules[i]
		if why := r.contradicts(); why != "" {
			out = append(out, Idle{i, -1, why})
			continue
		}
		for j := range l.Rules[:i] {
			if b := &l.Rules[j]; b.Action.decides() && b.contradicts() == "" && b.covers(r) {
				out = append(out, Idle{i, j, ""})
				break
			}
		}
	}
	return out
}

// contradicts says why the rule matches nothing, "" if it may match.
func (r *Rule) contradicts() string {
	if !r.speaks(4) && !r.speaks(6) {
		return "its family and its protocol do not go together"
	}
	if len(r.States) > 0 && !slices.ContainsFunc(r.States, func(s State) bool { return s != Established }) {
		return "packets of an established session pass before all rules"
	}
	possible := false
	for _, six := range []bool{false, true} {
		of := func(list []flow.AddressRange) bool {
			return len(list) == 0 || slices.ContainsFunc(list, func(a flow.AddressRange) bool { return a.First.Is6() == six })
		}
		family := uint8(4)
		if six {
			family = 6
		}
		possible = possible || r.speaks(family) && (len(r.SourceSets) > 0 || of(r.Sources)) && (len(r.DestinationSets) > 0 || of(r.Destinations))
	}
	if !possible {
		return "its addresses are of another family than its other conditions"
	}
	return ""
}

// covers reports whether every packet that o matches is matched by r.
func (r *Rule) covers(o *Rule) bool {
	mine, its := r.matches(), o.matches()
	for s := range its {
		if State(s) != Established && its[s] && !mine[s] {
			return false
		}
	}
	return (r.Family == 0 || r.Family == o.Family) &&
		within(r.Protocols, o.Protocols, func(a, b uint8) bool { return a == b }) &&
		coversAddresses(r.Sources, r.SourceSets, o.Sources, o.SourceSets) &&
		coversAddresses(r.Destinations, r.DestinationSets, o.Destinations, o.DestinationSets) &&
		within(r.SourcePorts, o.SourcePorts, flow.PortRange.Holds) && within(r.DestinationPorts, o.DestinationPorts, flow.PortRange.Holds) &&
		within(r.ICMP, o.ICMP, func(a, b ICMPType) bool { return a.Type == b.Type && (a.All || a == b) }) &&
		r.TCPFlags.Of&^o.TCPFlags.Of == 0 && r.TCPFlags.Set == o.TCPFlags.Set&r.TCPFlags.Of &&
		(!r.Fragments || o.Fragments) &&
		within(r.Inbound, o.Inbound, func(a, b string) bool { return a == b }) && within(r.Outbound, o.Outbound, func(a, b string) bool { return a == b }) &&
		within(r.DSCPs, o.DSCPs, func(a, b uint8) bool { return a == b }) &&
		within(r.Lengths, o.Lengths, func(a, b LengthRange) bool { return a.First <= b.First && b.Last <= a.Last })
}

// within reports whether each of its values lies in one of mine, where an empty
// list is all values.
func within[T any](mine, its []T, holds func(a, b T) bool) bool {
	if len(mine) == 0 {
		return true
	}
	for _, b := range its {
		if !slices.ContainsFunc(mine, func(a T) bool { return holds(a, b) }) {
			return false
		}
	}
	return len(its) > 0
}

// coversAddresses is within for addresses and sets, of which a set is within
// itself alone.
func coversAddresses(mine []flow.AddressRange, mineSets []string, its []flow.AddressRange, itsSets []string) bool {
	if len(mine)+len(mineSets) == 0 {
		return true
	}
	for _, b := range its {
		if !slices.ContainsFunc(mine, func(a flow.AddressRange) bool {
			return a.First.BitLen() == b.First.BitLen() && !b.First.Less(a.First) && !a.Last.Less(b.Last)
		}) {
			return false
		}
	}
	for _, s := range itsSets {
		if !slices.Contains(mineSets, s) {
			return false
		}
	}
	return len(its)+len(itsSets) > 0
}
