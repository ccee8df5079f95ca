package lab

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// termsPlan is r, in AS 65000, with a neighbour for each of the things that may be said of
// one. x1 and x2 are two sites of AS 65100.
func termsPlan() *bgpPlan {
	p := &bgpPlan{seats: []bgpSeat{{name: "r", make: makeRouterd, as: 65000, more: `
[[AT.policy.definition.preferred.statement]]
match = { community = "65100:1" }
set = { local-pref = 150, community-add = ["65000:9"] }
action = "accept"
[[AT.policy.definition.preferred.statement]]
action = "accept"
[[AT.policy.definition.priced.statement]]
set = { med = 33, as-path-prepend = "65000" }
action = "accept"
`}}}
	add := func(name string, as int, net bgpNet, routes ...string) *bgpSeat {
		s := bgpSeat{name: name, make: makeBIRD, as: as}
		for _, r := range routes {
			s.routes = append(s.routes, bgpRoute{prefix: r})
		}
		p.seats = append(p.seats, s)
		net.seats = [2]string{"r", name}
		p.nets = append(p.nets, net)
		return &p.seats[len(p.seats)-1]
	}
	says := func(words string) map[string]string { return map[string]string{"r": words + "\n"} }
	// A route of x1 has been in AS 65000 already, which is allowed on its way in. Another
	// one of x2 has, too, and is not.
	const again = "protocol static again { ipv4; route %s blackhole { bgp_path.prepend(65000); }; }\n"
	add("x1", 65100, bgpNet{words: says("allow-own-as = 1\nimport-policy = [\"preferred\"]")}).more = fmt.Sprintf(again, "172.21.0.0/16") +
		"protocol static liked { ipv4; route 172.22.0.0/16 blackhole { bgp_community.add((65100,1)); }; }\n"
	add("x2", 65100, bgpNet{words: says("as-override = true")}, "172.23.0.0/16").more = fmt.Sprintf(again, "172.24.0.0/16")
	add("x3", 300, bgpNet{words: says("remove-private-as = \"all\"")})
	add("x4", 400, bgpNet{words: says("local-as = 64999\nhold-time = \"30s\""), shown: map[string]int{"r": 64999}})
	add("x5", 65000, bgpNet{words: says("next-hop-self = true")})
	add("x6", 600, bgpNet{words: map[string]string{
		"r":  "enforce-first-as = false\nexport-policy = [\"priced\"]\n",
		"x6": "rs client;\n", // a route server: its AS is not in the paths of what it sends
	}}).more = "protocol static served { ipv4; route 172.26.0.0/16 blackhole { bgp_path.prepend(601); }; }\n"
	return p
}

// What a neighbour is told by what the configuration says of it: AS numbers that are
// replaced, removed and allowed again, the router's own AS under another number, local
// preferences and MEDs of policies, next hops inside the AS, and timers.
func TestBGPTerms(t *testing.T) {
	t.Parallel()
	p := termsPlan()
	b := newBGPBench(t, p)
	const (
		liked = "65000:9 65100:1"
		hop   = "10.0.%d.1"
	)
	at := func(net int, path string, med int, communities string) bgpKnown {
		return bgpKnown{Path: path, Hop: fmt.Sprintf(hop, net), Origin: "igp", MED: med, Communities: communities}
	}
	b.settleBGP(60*time.Second, map[string]bgpTable{
		"r": {
			"172.21.0.0/16": {Path: "65100 65000", Hop: "10.0.1.2", Origin: "igp", MED: bgpMED},
			"172.22.0.0/16": {Path: "65100", Hop: "10.0.1.2", Origin: "igp", Communities: liked},
			"172.23.0.0/16": {Path: "65100", Hop: "10.0.2.3", Origin: "igp"},
			"172.26.0.0/16": {Path: "601", Hop: "10.0.6.7", Origin: "igp", MED: bgpMED},
		},
		"x1": {"172.26.0.0/16": at(1, "65000 601", 0, "")},
		// Its own AS is the router's to it.
		"x2": {
			"172.21.0.0/16": at(2, "65000 65000 65000", 0, ""), "172.22.0.0/16": at(2, "65000 65000", 0, liked),
			"172.26.0.0/16": at(2, "65000 601", 0, ""),
		},
		"x3": {
			"172.21.0.0/16": at(3, "65000", 0, ""), "172.22.0.0/16": at(3, "65000", 0, liked),
			"172.23.0.0/16": at(3, "65000", 0, ""), "172.26.0.0/16": at(3, "65000 601", 0, ""),
		},
		"x4": {
			"172.21.0.0/16": at(4, "64999 65000 65100 65000", 0, ""), "172.22.0.0/16": at(4, "64999 65000 65100", 0, liked),
			"172.23.0.0/16": at(4, "64999 65000 65100", 0, ""), "172.26.0.0/16": at(4, "64999 65000 601", 0, ""),
		},
		"x5": {
			"172.22.0.0/16": at(5, "65100", 0, liked), "172.23.0.0/16": at(5, "65100", 0, ""), "172.26.0.0/16": at(5, "601", bgpMED, ""),
		},
		"x6": {
			"172.21.0.0/16": at(6, "65000 65000 65100 65000", 33, ""), "172.22.0.0/16": at(6, "65000 65000 65100", 33, liked),
			"172.23.0.0/16": at(6, "65000 65000 65100", 33, ""),
		},
	})
	for node, asks := range map[string][][2]string{
		"x5": {{"birdc show route 172.22.0.0/16 all", "local_pref: 150"}, {"birdc show route 172.23.0.0/16 all", "local_pref: 100"}},
		"x4": {{"birdc show protocols all r_4", "/9"}}, // the lower of both hold times
	} {
		for _, ask := range asks {
			if said := b.run(node, ask[0]); !strings.Contains(said, ask[1]) {
				t.Errorf("%s: %s prints no %q:\n%s", node, ask[0], ask[1], said)
			}
		}
	}
}
