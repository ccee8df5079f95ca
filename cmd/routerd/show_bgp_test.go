package main

import (
	"strings"
	"testing"
)

// Routes of BGP are selected by words as well as by flags, and what a neighbour has sent
// and was sent is asked for by a word before its address or behind it.
func TestBGPRoutes(t *testing.T) {
	socket := serve(t, &fake{})
	for line, want := range map[string]string{
		"show bgp route":                                              "*  192.0.2.0/24",
		"show bgp route -o wide":                                      "64500:7 no-export 64500:1:2 rt:64500:1",
		"show bgp route 192.0.2.1":                                    "192.0.2.0/24",
		"show bgp route 192.0.2.0/24":                                 "shorter AS path 2 over 3",
		"show bgp route 192.0.2.0/24 detail":                          "it is            the best route: shorter AS path 2 over 3, against that of 198.51.100.9\n",
		"show bgp route 198.18.0.0/15 detail":                         "next hop         10.255.0.3 by the ospf route to 10.255.0.3/32, metric 20, through 10.0.12.2 on core0\n",
		"show bgp route 192.0.0.0/8 longer":                           "192.0.2.0/24",
		"show bgp route community 64500:*":                            "198.18.0.0/15",
		"show bgp route --community 64500:7,64500:1:2":                "198.18.0.0/15",
		"show bgp route as-path ^64509_":                              "b  192.0.2.0/24",
		"show bgp route neighbor fe80::9%core1":                       "2001:db8:9::/48",
		"show bgp route as-path _64501$ neighbor 198.51.100.8":        "64508 64500 64501 i",
		"show ipv6 route":                                             "2001:db8",
		"show bgp neighbor received 198.51.100.1":                     "statement bogons of policy transit-in rejects it",
		"show bgp neighbor 198.51.100.1 received":                     "the router's own AS is in its path",
		"show bgp neighbor 198.51.100.1 filtered --family 4":          "10.0.0.0/8",
		"show bgp neighbor 198.51.100.1 advertised -o wide":           "about to be withdrawn",
		"show bgp neighbor 198.51.100.1 filtered --prefix 10.0.0.0/8": "10.0.0.0/8",
		"show bgp attributes":                                         "173021 sets of attributes, 9.88 MB",
		"show bgp attributes --limit 1":                               "there are more, of 173021; --limit 0 shows all",
	} {
		code, stdout, stderr := routerd(append([]string{"--socket", socket}, strings.Fields(line)...)...)
		if code != exitOK || stderr != "" || !strings.Contains(stdout, want) {
			t.Errorf("%s: exit %d, %s%s; want %s", line, code, stdout, stderr, want)
		}
	}
	for line, want := range map[string]string{
		"show bgp route community":                "community which?",
		"show bgp route community 1:2:3:4":        `community "1:2:3:4": wanted communities such as 65000:1`,
		"show bgp route as-path (":                `as-path "(": wanted a regular expression`,
		"show bgp route longer":                   "longer than which prefix?",
		"show bgp route 192.0.2.1/33":             `"192.0.2.1/33": wanted a prefix`,
		"show bgp route 172.16.0.1":               "bgp has no such route to any prefix with 172.16.0.1 in it",
		"show bgp route 192.0.2.1 192.0.2.0/24":   "wanted a prefix or an address, not both",
		"show bgp route 192.0.2.0/25":             "bgp has no such route to exactly 192.0.2.0/25",
		"show bgp route 192.0.2.0/24 --family 6":  "192.0.2.0/24 is not IPv6",
		"show bgp neighbor received":              "of which neighbor?",
		"show bgp neighbor 192.0.2.99 received":   "bgp has no neighbor 192.0.2.99",
		"show bgp neighbor 192.0.2.7 advertised":  "the session with 192.0.2.7 is not up",
		"show bgp neighbor 10.0.12.2 filtered":    "what 10.0.12.2 sends is not kept before policies: soft-reconfiguration = true keeps it",
		"show bgp neighbor 198.51.100.1 recieved": `"recieved"`,
		"show bgp neighbor fe80::9%none received": "there is no interface none",
	} {
		code, stdout, stderr := routerd(append([]string{"--socket", socket}, strings.Fields(line)...)...)
		if code == exitOK || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit %d, %s%s; want %s", line, code, stdout, stderr, want)
		}
	}
	_, stdout, _ := routerd("show", "ipv6", "--help")
	if strings.Count(stdout, "  route ") != 1 || strings.Contains(stdout, "received") {
		t.Errorf("show ipv6 has more than the router's own nouns: %s", stdout)
	}
	_, stdout, _ = routerd("--socket", socket, "__complete", "show", "bgp", "neighbor", "198.51.100.1", "")
	for _, want := range []string{"received", "filtered", "advertised"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("behind an address %s is not offered: %s", want, stdout)
		}
	}
	_, stdout, _ = routerd("--socket", socket, "__complete", "show", "bgp", "neighbor", "received", "")
	if !strings.Contains(stdout, "198.51.100.1") {
		t.Errorf("no neighbor is offered: %s", stdout)
	}
}
