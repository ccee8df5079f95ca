package router

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"routerd/routing"
	"routerd/routing/policy"
	"routerd/routing/rib"
)

// chain is a policy that gives static routes of 10/8 the metric 4 and the tag
// 70000 and rejects the rest.
func chain(t *testing.T) policy.Chain {
	t.Helper()
	metric, tag := uint32(4), uint32(70000)
	ps, problems := policy.Compile(policy.Config{
		PrefixSets: []policy.PrefixSet{{Name: "ten", Entries: []policy.PrefixRange{{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Low: 8, High: 32}}}},
		Policies: []policy.Definition{{Name: "p", Statements: []policy.Statement{
			{Match: policy.Match{PrefixSets: []string{"ten"}}, Set: policy.Set{Metric: &metric, Tag: &tag}, Action: policy.Accept},
		}}},
	})
	if len(problems) != 0 {
		t.Fatal(problems)
	}
	c, err := ps.Chain("p")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRedistributionAsksPolicies(t *testing.T) {
	d := WithPolicy(rib.Redistribution{Source: routing.SourceStatic}, chain(t))
	rt := routing.Route{Prefix: netip.MustParsePrefix("10.1.0.0/16"), Source: routing.SourceStatic, Metric: 9}
	if got := d.Policy(&rt); got != (rib.Decision{Accept: true, MetricSet: true, TagSet: true}) || rt.Metric != 4 || rt.Tag != 70000 {
		t.Errorf("decided %+v on %+v", got, rt)
	}
	other := routing.Route{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Source: routing.SourceStatic, Metric: 9}
	if got := d.Policy(&other); got.Accept || other.Metric != 9 {
		t.Errorf("decided %+v on %+v", got, other)
	}
	if diff := cmp.Diff([]string{
		"p, statement 1: 192.0.2.0/24 is not in prefix-set ten", "rejected: no statement decided",
	}, d.Trace(&other)); diff != "" {
		t.Errorf("traced (-want +got):\n%s", diff)
	}
	if plain := WithPolicy(rib.Redistribution{}, nil); plain.Policy != nil || plain.Trace != nil {
		t.Error("a policy out of nothing")
	}
}
