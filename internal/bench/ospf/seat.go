package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"routerd/internal/lab"
)

// seat is a router that is measured, and what it is asked.
type seat struct {
	name, node string
	config     func(speaking) string
	// metric asks for the cost of a prefix, routes for how many there are.
	metric  string
	cost    *regexp.Regexp
	routes  string
	pattern *regexp.Regexp
}

// speaking is how a seat speaks on its one interface, eth0.
type speaking struct {
	network     string // type, in routerd's words
	hello, dead int    // seconds
	kernel      bool   // BIRD gives its routes to the kernel
}

// seats are routerd and what it is compared with.
var seats = [3]seat{
	{
		name: "routerd", node: "m", config: configRouterd,
		metric: "routerd show ospf route %s -o json", cost: regexp.MustCompile(`"cost": ?(\d+)`),
		routes: "routerd show ospf -o json", pattern: regexp.MustCompile(`"intra-area",\s*"count": ?(\d+)`),
	},
	{
		name: "BIRD", node: "b", config: configBIRD,
		metric: "birdc show route %s", cost: regexp.MustCompile(`\(150/(\d+)\)`),
		routes: "birdc show route count protocol o", pattern: regexp.MustCompile(`(?m)^(\d+) of `),
	},
	{
		name: "FRR", node: "f", config: configFRR,
		metric: "vtysh -c 'show ip route %s json'", cost: regexp.MustCompile(`"metric": ?(\d+)`),
		routes: "vtysh -c 'show ip route summary'", pattern: regexp.MustCompile(`(?m)^ospf +(\d+)`),
	},
}

func configRouterd(x speaking) string {
	return fmt.Sprintf(`kind = "router"
[node.m.config.ospf]
router-id = "10.255.0.1"
[node.m.config.ospf.interface.eth0]
area = 0
network = %q
cost = 10
hello-interval = "%ds"
dead-interval = "%ds"
`, x.network, x.hello, x.dead)
}

func configBIRD(x speaking) string {
	kind := map[string]string{"point-to-point": "ptp", "broadcast": "broadcast"}[x.network]
	kernel := ""
	if x.kernel {
		kernel = "protocol kernel { ipv4 { export where source = RTS_OSPF; }; }\n"
	}
	return fmt.Sprintf(`kind = "bird"
config = """
log stderr all;
router id 10.255.0.2;
protocol device { }
%sprotocol ospf v2 o {
  ipv4 { import all; export none; };
  area 0 { interface "eth0" { type %s; cost 10; priority 1; hello %d; dead %d; }; };
}
"""
`, kernel, kind, x.hello, x.dead)
}

func configFRR(x speaking) string {
	return fmt.Sprintf(`kind = "frr"
config = """
router ospf
 ospf router-id 10.255.0.3
exit
interface eth0
 ip ospf network %s
 ip ospf cost 10
 ip ospf hello-interval %d
 ip ospf dead-interval %d
 ip ospf area 0
exit
"""
`, x.network, x.hello, x.dead)
}

// ask gives the number that a seat answers a question with.
func ask(ctx context.Context, l *lab.Lab, node, line string, pattern *regexp.Regexp) (int, error) {
	text, err := l.Run(ctx, node, line)
	if err != nil {
		return 0, fmt.Errorf("%s: %s: %w: %s", node, line, err, text)
	}
	m := pattern.FindSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%s: %s: nothing like %v in %s", node, line, pattern, strings.TrimSpace(string(text)))
	}
	return strconv.Atoi(string(m[1]))
}
