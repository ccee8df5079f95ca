package main

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"routerd/internal/control"
)

// What the flags say reaches the router.
func TestPolicyQueries(t *testing.T) {
	f := &fake{}
	t.Setenv(control.SocketVariable, serve(t, f))
	four, six := netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")
	for line, want := range map[string]control.PolicyQuery{
		"a --prefix 10.0.0.0/8":                           {Policies: []string{"a"}, Prefix: four},
		"a b --prefix 10.0.0.0/8 --next-hop 192.0.2.1":    {Policies: []string{"a", "b"}, Prefix: four, NextHop: netip.MustParseAddr("192.0.2.1")},
		"--prefix 2001:db8::/32 a --next-hop fe80::1":     {Policies: []string{"a"}, Prefix: six, NextHop: netip.MustParseAddr("fe80::1")},
		"a --prefix 10.0.0.0/8 --protocol rip --tag 5":    {Policies: []string{"a"}, Prefix: four, Source: "rip", Tag: 5},
		"a --prefix 10.0.0.0/8 --metric 4294967295":       {Policies: []string{"a"}, Prefix: four, Metric: 4294967295},
		"a --prefix 10.0.0.0/8 --next-hop ::ffff:9.9.9.9": {Policies: []string{"a"}, Prefix: four, NextHop: netip.MustParseAddr("9.9.9.9")},
	} {
		if code, _, stderr := routerd(strings.Fields("explain policy " + line)...); code != exitOK {
			t.Errorf("%s: exit %d, %s", line, code, stderr)
		}
		if d := cmp.Diff(want, f.policy, equal); d != "" {
			t.Errorf("%s (-want +got):\n%s", line, d)
		}
	}
}
