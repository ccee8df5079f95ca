package daemon

import (
	"context"
	"fmt"
	"strings"

	"routerd/internal/control"
	"routerd/internal/show"
	"routerd/routing"
	"routerd/routing/policy"
)

// ExplainPolicy asks the policies of the running configuration.
func (a api) ExplainPolicy(ctx context.Context, q control.PolicyQuery) (x control.PolicyExplanation, err error) {
	var refused error
	err = a.on(ctx, func() { x, refused = a.d.explainPolicy(q) })
	if err == nil {
		err = refused
	}
	return x, err
}

func (d *Daemon) explainPolicy(q control.PolicyQuery) (control.PolicyExplanation, error) {
	chain, err := d.cfg.Policies.Chain(q.Policies...)
	if err != nil {
		there := "there are none"
		if names := d.cfg.Policies.Names(); len(names) > 0 {
			there = "there are " + strings.Join(names, ", ")
		}
		return control.PolicyExplanation{}, show.NotFound("explaining policies: %v; %s", err, there)
	}
	route := policy.Route{Prefix: q.Prefix, Source: sourceNamed(string(q.Source)), Metric: q.Metric, Tag: q.Tag, NextHop: q.NextHop}
	x := control.PolicyExplanation{Policies: q.Policies, Route: policyRoute(&route), Steps: []control.PolicyStep{}}
	steps, accepted := chain.Explain(&route)
	x.Accepted, x.Decided = accepted, "no statement decides"
	for _, s := range steps {
		x.Steps = append(x.Steps, control.PolicyStep{
			Policy: s.Policy, Statement: s.Statement, Matched: s.Matched, WhyNot: s.Why, Set: s.Set,
			Decision: s.Decision.String(), Origin: d.place(s.Origin),
		})
		if s.Decision != policy.Undecided {
			x.Decided = fmt.Sprintf("statement %s of %s decides", s.Statement, s.Policy)
		}
	}
	if accepted {
		result := policyRoute(&route)
		x.Result = &result
	}
	return x, nil
}

// sourceNamed is the source with that name in the API, which has checked it.
func sourceNamed(name string) routing.Source {
	for s := routing.SourceNone; int(s) < routing.NumSources; s++ {
		if s.String() == name {
			return s
		}
	}
	return routing.SourceNone
}

func policyRoute(r *policy.Route) control.PolicyRoute {
	out := control.PolicyRoute{Prefix: r.Prefix, Metric: r.Metric, Tag: r.Tag, NextHop: r.NextHop}
	if r.Source != routing.SourceNone {
		out.Source = r.Source.String()
	}
	return out
}
