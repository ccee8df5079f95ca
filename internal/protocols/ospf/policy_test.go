package ospf

import (
	"net/netip"
	"testing"

	"routerd/routing"
	"routerd/routing/ospf"
	"routerd/routing/policy"
)

// chain is a policy that gives routes of 10/8 by 192.0.2.1 the metric 4 and the
// tag 7, and rejects the rest.
func chain(t *testing.T) policy.Chain {
	t.Helper()
	metric, tag := uint32(4), uint32(7)
	ps, problems := policy.Compile(policy.Config{
		PrefixSets: []policy.PrefixSet{{Name: "ten", Entries: []policy.PrefixRange{{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Low: 8, High: 32}}}},
		Policies: []policy.Definition{{Name: "p", Statements: []policy.Statement{{
			Match: policy.Match{PrefixSets: []string{"ten"}, NextHops: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}, Protocols: []routing.Source{routing.SourceOSPF}},
			Set:   policy.Set{Metric: &metric, Tag: &tag}, Action: policy.Accept,
		}}}},
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

// A policy has its say on what goes to the RIB.
func TestPolicy(t *testing.T) {
	if Policy(nil) != nil {
		t.Error("a policy out of nothing")
	}
	p := Policy(chain(t))
	hops := []routing.NextHop{{Address: netip.MustParseAddr("192.0.2.1"), Interface: 1}, {Address: netip.MustParseAddr("192.0.2.5"), Interface: 2}}
	o := ospf.Offer{Prefix: netip.MustParsePrefix("10.1.0.0/16"), Type: ospf.InterArea, Metric: 30, Tag: 5, NextHops: hops}
	if !p.Apply(&o) || o.Metric != 4 || o.Tag != 7 {
		t.Errorf("became %+v, want metric 4 and tag 7", o)
	}
	for _, o := range []ospf.Offer{
		{Prefix: netip.MustParsePrefix("192.0.2.0/24"), NextHops: hops},
		{Prefix: netip.MustParsePrefix("10.1.0.0/16")},
	} {
		if p.Apply(&o) {
			t.Errorf("accepted %v, which no statement accepts", o)
		}
	}
	if n := testing.AllocsPerRun(10, func() { p.Apply(&o) }); n != 0 {
		t.Errorf("%v allocations for each route, want none", n)
	}
}

// A reload that says the same of policies is no news.
func TestPolicyIsTheSame(t *testing.T) {
	a, b := Policy(chain(t)), Policy(chain(t))
	if !a.Same(b) || a.Same(Policy(chain(t)[:0])) || a.Same(nil) {
		t.Error("two policies of the same statements are the same, and no others")
	}
}
