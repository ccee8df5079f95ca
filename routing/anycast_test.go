package routing

import (
	"net/netip"
	"testing"
)

func TestSubnetRouterAnycast(t *testing.T) {
	for subnet, want := range map[string]string{
		"2001:db8:1::1/64":  "2001:db8:1::",
		"2001:db8:1::7/126": "2001:db8:1::4",
		"fe80::1/64":        "fe80::",
		"2001:db8:1::6/127": "", // RFC 6164 §6
		"2001:db8:1::6/128": "",
		"::1/0":             "",
		"192.0.2.1/24":      "",
	} {
		got, ok := SubnetRouterAnycast(netip.MustParsePrefix(subnet))
		if !ok {
			got = netip.Addr{}
		}
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%s has %v, want %q", subnet, got, want)
		}
	}
}
