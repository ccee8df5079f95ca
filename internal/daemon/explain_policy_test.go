package daemon

import (
	"errors"
	"net/http"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"routerd/config"
	"routerd/internal/control"
	"routerd/internal/show"
)

// What each statement did and which one decided, with its line.
func TestExplainPolicy(t *testing.T) {
	cfg, problems := config.Parse("r.toml", []byte(`name = "r1"
[policy.prefix-set]
bogons = [{ ip-prefix = "10.0.0.0/8", masklength-range = "8..32" }]
[[policy.definition.in.statement]]
name = "no-bogons"
match = { prefix-set = "bogons" }
action = "reject"
[[policy.definition.in.statement]]
match = { protocol = "rip", next-hop = "192.0.2.0/24" }
set = { metric-add = 5, tag = 9 }
[[policy.definition.rest.statement]]
match.tag = 9
action = "accept"
`))
	if config.Failed(problems) {
		t.Fatal(problems)
	}
	d := &Daemon{cfg: cfg}
	prefix, hop := netip.MustParsePrefix("198.51.100.0/24"), mustAddr("192.0.2.1")
	bogons := control.PolicyStep{
		Policy: "in", Statement: "no-bogons", WhyNot: "198.51.100.0/24 is not in prefix-set bogons", Decision: "undecided", Origin: "r.toml:4",
	}
	both := []string{"in", "rest"}
	route := func(source string, metric, tag uint32) control.PolicyRoute {
		return control.PolicyRoute{Prefix: prefix, Source: source, Metric: metric, Tag: tag, NextHop: hop}
	}
	for _, tt := range []struct {
		name string
		ask  control.PolicyQuery
		want control.PolicyExplanation
	}{
		{
			"accepted as something else",
			control.PolicyQuery{Policies: both, Prefix: prefix, Source: "rip", Metric: 2, NextHop: hop},
			control.PolicyExplanation{
				Policies: both, Route: route("rip", 2, 0), Accepted: true, Decided: "statement 1 of rest decides",
				Steps: []control.PolicyStep{
					bogons,
					{Policy: "in", Statement: "2", Matched: true, Set: []string{"metric +5", "tag = 9"}, Decision: "undecided", Origin: "r.toml:8"},
					{Policy: "rest", Statement: "1", Matched: true, Decision: "accepted", Origin: "r.toml:11"},
				},
				Result: &control.PolicyRoute{Prefix: prefix, Source: "rip", Metric: 7, Tag: 9, NextHop: hop},
			},
		},
		{
			"nobody decides",
			control.PolicyQuery{Policies: both, Prefix: prefix, Tag: 3, NextHop: hop},
			control.PolicyExplanation{
				Policies: both, Route: route("", 0, 3), Decided: "no statement decides",
				Steps: []control.PolicyStep{
					bogons,
					{Policy: "in", Statement: "2", WhyNot: "its protocol is none, not rip", Decision: "undecided", Origin: "r.toml:8"},
					{Policy: "rest", Statement: "1", WhyNot: "its tag is 3, not 9", Decision: "undecided", Origin: "r.toml:11"},
				},
			},
		},
		{
			"rejected",
			control.PolicyQuery{Policies: both, Prefix: netip.MustParsePrefix("10.1.0.0/16")},
			control.PolicyExplanation{
				Policies: both, Route: control.PolicyRoute{Prefix: netip.MustParsePrefix("10.1.0.0/16")}, Decided: "statement no-bogons of in decides",
				Steps: []control.PolicyStep{{Policy: "in", Statement: "no-bogons", Matched: true, Decision: "rejected", Origin: "r.toml:4"}},
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := d.explainPolicy(tt.ask)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
				cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
				t.Errorf("explained (-want +got):\n%s", diff)
			}
		})
	}
	_, err := d.explainPolicy(control.PolicyQuery{Policies: []string{"in", "out"}, Prefix: prefix})
	var e *show.Error
	if want := `explaining policies: there is no policy "out"; there are in, rest`; !errors.As(err, &e) || e.Status != http.StatusNotFound || e.Message != want {
		t.Errorf("a policy that there is not: %v, want %s", err, want)
	}
	bare := &Daemon{cfg: &config.Config{}}
	if _, err := bare.explainPolicy(control.PolicyQuery{Policies: []string{"in"}, Prefix: prefix}); err == nil ||
		err.Error() != `explaining policies: there is no policy "in"; there are none` {
		t.Errorf("without policies: %v", err)
	}
}
