package router

import (
	"routerd/routing"
	"routerd/routing/policy"
	"routerd/routing/rib"
)

// WithPolicy returns a redistribution that applies the chain of policies to
// each route. With an empty chain it returns d unchanged.
func WithPolicy(d rib.Redistribution, chain policy.Chain) rib.Redistribution {
	if len(chain) == 0 {
		return d
	}
	var seen policy.Route // reused: the RIB has one goroutine
	d.Policy = func(rt *routing.Route) rib.Decision {
		seen = viewOf(rt)
		ok := chain.Accepts(&seen)
		rt.Metric, rt.Tag = seen.Metric, seen.Tag
		if seen.NextHopSet {
			rt.NextHops = []routing.NextHop{{Address: seen.NextHop, Interface: routing.NoInterface}}
		}
		return rib.Decision{Accept: ok, MetricSet: seen.MetricSet, TagSet: seen.TagSet}
	}
	d.Trace = func(rt *routing.Route) []string {
		seen := viewOf(rt)
		steps, ok := chain.Explain(&seen)
		return traced(steps, ok)
	}
	return d
}

// viewOf converts a route of the RIB for policies, which see only the first of
// its next hops.
func viewOf(rt *routing.Route) policy.Route {
	v := policy.Route{Prefix: rt.Prefix, Source: rt.Source, Metric: rt.Metric, Tag: rt.Tag}
	if len(rt.NextHops) > 0 {
		v.NextHop = rt.NextHops[0].Address
	}
	return v
}

// traced describes what each statement did, one line each, and which one
// decided.
func traced(steps []policy.Step, accepted bool) []string {
	var lines []string
	decided := false
	for _, s := range steps {
		lines = append(lines, s.String())
		decided = decided || s.Decision != policy.Undecided
	}
	if !decided && !accepted {
		lines = append(lines, "rejected: no statement decided")
	}
	return lines
}
