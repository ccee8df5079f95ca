package router

import (
	"routerd/routing"
	"routerd/routing/policy"
	"routerd/routing/rib"
	"routerd/routing/rip"
)

// WithPolicy has a redistribution ask the policies, in order, about each route.
// With none it is as it was.
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

// viewOf is a route of the RIB as policies see it: with the first of its next
// hops.
func viewOf(rt *routing.Route) policy.Route {
	v := policy.Route{Prefix: rt.Prefix, Source: rt.Source, Metric: rt.Metric, Tag: rt.Tag}
	if len(rt.NextHops) > 0 {
		v.NextHop = rt.NextHops[0].Address
	}
	return v
}

// traced is what the statements did, a line each, and who decided in the end.
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

// RIPPolicy asks the policies about what RIP hears or says; nil without any.
// One machine may have it.
func RIPPolicy(chain policy.Chain) rip.Policy {
	if len(chain) == 0 {
		return nil
	}
	return &ripPolicy{chain: chain}
}

type ripPolicy struct {
	chain policy.Chain
	seen  policy.Route // reused
}

// Apply implements rip.Policy.
func (p *ripPolicy) Apply(o *rip.Offer) bool {
	p.seen = policy.Route{Prefix: o.Prefix, Source: o.Source, NextHop: o.NextHop, Metric: uint32(o.Metric), Tag: uint32(o.Tag)}
	if !p.chain.Accepts(&p.seen) {
		return false
	}
	const infinity = 16 // RFC 2453 §3.6
	o.Metric = uint8(min(p.seen.Metric, infinity))
	if o.Tag = uint16(p.seen.Tag); p.seen.Tag > 0xffff {
		o.Tag = 0 // which RIP cannot say
	}
	return true
}

// keepPolicies gives the interfaces of next with the policies of last where
// those say the same: for another policy RIP asks and tells everything anew.
func keepPolicies(last, next map[string]rip.InterfaceConfig) map[string]rip.InterfaceConfig {
	kept := make(map[string]rip.InterfaceConfig, len(next))
	for name, i := range next {
		was := last[name]
		i.Import, i.Export = keepPolicy(was.Import, i.Import), keepPolicy(was.Export, i.Export)
		kept[name] = i
	}
	return kept
}

func keepPolicy(last, next rip.Policy) rip.Policy {
	a, ok := last.(*ripPolicy)
	b, also := next.(*ripPolicy)
	if ok && also && a.chain.Same(b.chain) {
		return a
	}
	return next
}
