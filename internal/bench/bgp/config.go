package main

import (
	"fmt"
	"strings"
)

// The policies of a crowd: what is longer than a /24 or has passed AS 64512 is rejected,
// what has a community of AS 64500 is preferred, and all get a community; with another one
// nothing is sent, and what is gets a MED.
const (
	policiesRouterd = `[node.r.config.policy.prefix-set]
long = [{ ip-prefix = "0.0.0.0/0", masklength-range = "25..32" }]
[[node.r.config.policy.definition.in.statement]]
match = { prefix-set = "long" }
action = "reject"
[[node.r.config.policy.definition.in.statement]]
match = { as-path = "_64512_" }
action = "reject"
[[node.r.config.policy.definition.in.statement]]
match = { community = "64500:*" }
set = { local-pref = 200 }
[[node.r.config.policy.definition.in.statement]]
set = { community-add = ["65000:1"] }
action = "accept"
[[node.r.config.policy.definition.out.statement]]
match = { community = "65000:666" }
action = "reject"
[[node.r.config.policy.definition.out.statement]]
set = { med = 50 }
action = "accept"
`
	policiesBIRD = `filter taken {
  if net.len > 24 then reject;
  if bgp_path ~ [= * 64512 * =] then reject;
  if bgp_community ~ [(64500,*)] then bgp_local_pref = 200;
  bgp_community.add((65000,1));
  accept;
}
filter given {
  if bgp_community ~ [(65000,666)] then reject;
  if source != RTS_BGP then reject;
  bgp_med = 50;
  accept;
}
`
	policiesFRR = `ip prefix-list long seq 5 permit 0.0.0.0/0 ge 25
bgp as-path access-list passed seq 5 permit _64512_
bgp community-list expanded preferred seq 5 permit 64500:.*
bgp community-list standard held seq 5 permit 65000:666
route-map taken deny 10
 match ip address prefix-list long
exit
route-map taken deny 20
 match as-path passed
exit
route-map taken permit 30
 match community preferred
 on-match next
 set local-preference 200
exit
route-map taken permit 40
 set community 65000:1 additive
exit
route-map given deny 10
 match community held
exit
route-map given permit 20
 set metric 50
exit
`
)

func configRouterd(s setting) string {
	var b strings.Builder
	fmt.Fprintf(&b, "kind = \"router\"\n[node.r.config.bgp]\nas = %d\nrouter-id = \"10.0.1.1\"\n", routerAS)
	s.neighbors(func(address string, as int, sink bool) {
		fmt.Fprintf(&b, "[node.r.config.bgp.neighbor.%q]\npeer-as = %d\npassive = true\nhold-time = \"%ds\"\n", address, as, holdTime)
		if s.crowd {
			b.WriteString("import-policy = \"in\"\nexport-policy = \"out\"\n")
			return
		}
		b.WriteString("import-policy = []\n")
		if sink {
			b.WriteString("export-policy = []\n")
		}
	})
	if s.crowd {
		b.WriteString(policiesRouterd)
	}
	return b.String()
}

func configBIRD(s setting, kernel bool) string {
	var b strings.Builder
	b.WriteString("kind = \"bird\"\nconfig = \"\"\"\nlog stderr { warning, error, fatal, bug };\nrouter id 10.0.1.1;\nprotocol device { }\nprotocol direct { ipv4; }\n")
	if kernel {
		b.WriteString("protocol kernel { ipv4 { export where source = RTS_BGP; }; }\n")
	}
	if s.crowd {
		b.WriteString(policiesBIRD)
	}
	n, med := 0, "no"
	if s.sameMEDs {
		med = "yes"
	}
	s.neighbors(func(address string, as int, sink bool) {
		take, export := "all", "none"
		if s.crowd {
			take, export = "filter taken", "filter given"
		} else if sink {
			export = "where source = RTS_BGP"
		}
		n++
		fmt.Fprintf(&b, "protocol bgp p%d { local as %d; neighbor %s as %d; passive yes; hold time %d; error wait time 1, 1; connect delay time 1; deterministic med %s; ipv4 { import %s; export %s; }; }\n", n, routerAS, address, as, holdTime, med, take, export)
	})
	b.WriteString("\"\"\"\n")
	return b.String()
}

// configFRR has what a neighbour names before the neighbour: FRR looks for a route-map that
// it does not know yet 5 s later (bgp route-map delay-timer), denies everything meanwhile,
// and then asks for all of it once more.
func configFRR(s setting) string {
	var b strings.Builder
	b.WriteString("kind = \"frr\"\nconfig = \"\"\"\nbgp route-map delay-timer 0\nroute-map none deny 10\nexit\n")
	if s.crowd {
		b.WriteString(policiesFRR)
	}
	fmt.Fprintf(&b, "router bgp %d\n bgp router-id 10.0.1.1\n no bgp ebgp-requires-policy\n no bgp suppress-duplicates\n", routerAS)
	s.neighbors(func(address string, as int, sink bool) {
		fmt.Fprintf(&b, " neighbor %s remote-as %d\n neighbor %s passive\n neighbor %s timers 80 %d\n neighbor %s advertisement-interval 0\n", address, as, address, address, holdTime, address)
	})
	b.WriteString(" address-family ipv4 unicast\n")
	s.neighbors(func(address string, as int, sink bool) {
		switch {
		case s.crowd:
			fmt.Fprintf(&b, "  neighbor %s route-map taken in\n  neighbor %s route-map given out\n", address, address)
		case !sink:
			fmt.Fprintf(&b, "  neighbor %s route-map none out\n", address)
		}
	})
	b.WriteString(" exit-address-family\nexit\n\"\"\"\n")
	return b.String()
}

// configHost is of a rival that a lab does not know.
func configHost(setting) string { return "kind = \"host\"\n" }
