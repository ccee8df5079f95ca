package rib

import (
	"fmt"
	"net/netip"

	"routerd/routing"
)

// Explanation is how the table decides about an address, in order.
type Explanation struct {
	// Prefixes are the prefixes with routes that contain the address, the
	// longest first, up to the one that packets are forwarded by; all if there
	// is none.
	Prefixes []PrefixDecision
	// Shorter is how many shorter prefixes contain the address and play no
	// part.
	Shorter       int
	Resolution    []ResolutionStep
	Redistributed []Redistributed
}

// PrefixDecision is the choice among the candidates of one prefix.
type PrefixDecision struct {
	Prefix     netip.Prefix
	Candidates []Candidate // by preference
	Used       bool        // packets are forwarded by it
	Decided    string      // the comparison that decided: a sentence in lower case, no full stop
}

// ResolutionStep is one next hop in the resolution from the route to the
// neighbours. It is followed by the hops that it resolves to, which are one
// deeper.
type ResolutionStep struct {
	Depth   int
	NextHop routing.NextHop
	Via     netip.Prefix   // the route that the hop resolves through; invalid if it needs none
	Source  routing.Source // of Via
	Action  routing.Action // of Via, if it discards
	WhyNot  string         // why the hop is not usable
}

// Redistributed is how a subscriber gets the route.
type Redistributed struct {
	To      string
	Offered bool
	Pending bool // it has not drained the last change from its outbox
	Metric  uint32
	Tag     uint32
	Policy  []string // how the policy decided; nil if it has no Trace
	WhyNot  string
}

// maxResolution bounds how many next hops are shown.
const maxResolution = 64

// Explain explains how the table decides about packets for a.
func (r *RIB) Explain(a netip.Addr) Explanation {
	var x Explanation
	used := number(0)
	for n := range r.above(a) {
		if r.isGone(n) {
			continue
		}
		if used != 0 {
			x.Shorter++
			continue
		}
		p := PrefixDecision{Prefix: r.prefix(n), Candidates: r.appendCandidates(nil, n), Used: r.forwards(n)}
		p.Decided = r.decided(n)
		x.Prefixes = append(x.Prefixes, p)
		if p.Used {
			used = n
		}
	}
	if used == 0 {
		return x
	}
	x.Resolution = r.resolutionOf(x.Resolution, used, 0)
	for _, s := range r.subscribers {
		x.Redistributed = append(x.Redistributed, s.explain(r, used))
	}
	return x
}

// decided says which comparison made the choice for n.
func (r *RIB) decided(n number) string {
	best := r.best(n)
	switch {
	case r.at(n).flags&(isDirty|isPending) != 0:
		return "it has just changed and is not decided yet"
	case best == nil:
		return "no route is usable"
	}
	equals, better := 0, 0
	var next *candidate
	for at := r.first(n); at != 0; at = *r.more(at) {
		c := r.cand(at)
		switch {
		case c.is(isChosen):
			equals++
		case best.order(c) > 0:
			better++
		case next == nil && c.distance != neverUsed && !best.merges(c):
			next = c
		}
	}
	switch {
	case next != nil:
		return r.comparison(best, next)
	case equals > 1:
		return fmt.Sprintf("%d equal routes share the flows", equals)
	case better > 0:
		return "what would be preferred is not usable"
	}
	return "there is no other route to choose from"
}

// comparison says why best comes before c.
func (r *RIB) comparison(best, c *candidate) string {
	switch {
	case best.rank() != c.rank():
		return fmt.Sprintf("the address is the router's own or a broadcast address, on %s", r.interfaceName(best.owner()))
	case best.distance != c.distance:
		return fmt.Sprintf("distance %d of %v is lower than %d of %v", best.distance, best.source, c.distance, c.source)
	case best.metric != c.metric:
		return fmt.Sprintf("metric %d is lower than %d at the same distance", best.metric, c.metric)
	case best.source != c.source:
		return fmt.Sprintf("%v comes before %v at the same distance and metric", best.source, c.source)
	case best.owner() != c.owner():
		return fmt.Sprintf("%s comes before %s", r.interfaceName(best.owner()), r.interfaceName(c.owner()))
	}
	return "it stands before an equal route in the configuration"
}

// resolutionOf appends the resolution of each hop of the chosen routes of the
// prefix user.
func (r *RIB) resolutionOf(to []ResolutionStep, user number, depth int) []ResolutionStep {
	for c := r.first(user); c != 0; c = *r.more(c) {
		if set := *r.hopsOf(c); set != 0 && r.cand(c).is(isChosen) {
			to = r.resolutionOfHops(to, r.sets[set], user, depth)
		}
	}
	return to
}

func (r *RIB) resolutionOfHops(to []ResolutionStep, hs *hopSet, user number, depth int) []ResolutionStep {
	for i := range hs.hops {
		if len(to) == maxResolution {
			break
		}
		h := &hs.hops[i]
		step := ResolutionStep{Depth: depth, NextHop: h.NextHop}
		res := r.resolveHop(h, user)
		if res.why != usable {
			step.WhyNot = r.refusalSentence(h, res)
		}
		if res.why != usable || res.via == 0 {
			to = append(to, step)
			continue
		}
		step.Via, step.Source, step.Action = r.prefix(res.via), r.installed(res.via).source, r.at(res.via).leads.action()
		to = append(to, step)
		to = r.resolutionOf(to, res.via, depth+1)
	}
	return to
}

// explain says what s gets of n, or why it gets nothing.
func (s *subscriber) explain(r *RIB, n number) Redistributed {
	x := Redistributed{To: s.Name}
	p, best := r.prefix(n), r.best(n)
	w := s.wants[sourceOfCandidate(best)]
	x.Pending = s.outbox.queued.has(uint32(n)) && !s.outbox.idle.has(uint32(n))
	switch {
	case best == nil:
		x.WhyNot = "no route is usable"
		return x
	case w == nil:
		x.WhyNot = fmt.Sprintf("%s does not redistribute %v", s.Name, best.source)
		return x
	case !r.at(n).inFamily(s.Family):
		x.WhyNot = fmt.Sprintf("%s is for IPv%d", s.Name, s.Family)
		return x
	case !passable(p, best):
		x.WhyNot = "the prefix means nothing to other routers"
		return x
	}
	rt, ok := s.redistributed(r, n, best)
	x.Offered, x.Metric, x.Tag = ok, rt.Metric, rt.Tag
	if !ok {
		x.WhyNot = "the policy rejects it"
	}
	if w.Trace != nil {
		offered := r.offeredRoute(n, best)
		x.Policy = w.Trace(&offered)
	}
	return x
}
