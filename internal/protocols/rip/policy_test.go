package rip

import (
	"net/netip"
	"testing"

	"routerd/routing/policy"
	"routerd/routing/rip"
)

// chain is a policy that gives routes of 10/8 the metric 4 and the tag 70000 and
// rejects the rest.
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

func TestPolicy(t *testing.T) {
	if Policy(nil) != nil {
		t.Error("a policy out of nothing")
	}
	p := Policy(chain(t))
	o := rip.Offer{Prefix: netip.MustParsePrefix("10.1.0.0/16"), Metric: 2, Tag: 5}
	if !p.Apply(&o) || o.Metric != 4 || o.Tag != 0 {
		t.Errorf("became %+v, want metric 4 and no tag: RIP has 16 bits for it", o)
	}
	o = rip.Offer{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Metric: 2}
	if p.Apply(&o) {
		t.Error("accepted what no statement accepts")
	}
	if n := testing.AllocsPerRun(10, func() { p.Apply(&o) }); n != 0 {
		t.Errorf("%v allocations for each route, want none", n)
	}
}

// A reload that says the same of policies is no news to RIP.
func TestPolicyIsTheSame(t *testing.T) {
	a, b := Policy(chain(t)), Policy(chain(t))
	if !a.Same(b) || a.Same(Policy(chain(t)[:0])) || a.Same(nil) {
		t.Error("two policies of the same statements are the same, and no others")
	}
}
