package lab

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A neighbour that announces more than it may loses its session, is told why, and is back
// when it announces less.
func TestBGPPrefixLimit(t *testing.T) {
	t.Parallel()
	p := &bgpPlan{seats: []bgpSeat{{name: "r", make: makeRouterd, as: 65001}}}
	for i, m := range []bgpMake{makeBIRD, makeFRR} {
		name := string(m)[:1]
		p.seats = append(p.seats, bgpSeat{name: name, make: m, as: 65002 + i, routes: []bgpRoute{
			{prefix: fmt.Sprintf("172.%d.1.0/24", 20+i)}, {prefix: fmt.Sprintf("172.%d.2.0/24", 20+i)},
		}})
		p.nets = append(p.nets, bgpNet{seats: [2]string{"r", name}, words: map[string]string{
			"r": "prefix-limit = { max-prefixes = 3, restart-timer = \"3s\" }\n",
		}})
	}
	b := newBGPBench(t, p)
	b.settleBGP(60*time.Second, p.starTables())
	more, less := "protocol static more { ipv4; route 172.20.3.0/24 blackhole; route 172.20.4.0/24 blackhole; }\n", ""
	configure := "vtysh -c 'configure terminal' -c 'router bgp 65003' -c 'address-family ipv4 unicast'"
	for _, c := range []struct {
		name, address, told string
		exceed, obey        func()
	}{
		{
			"b", "10.0.1.2", "birdc show protocols all r_4",
			func() { b.rebird("b", more) }, func() { b.rebird("b", less) },
		},
		{
			"f", "10.0.2.3", "vtysh -c 'show bgp neighbors 10.0.2.1'",
			func() { b.run("f", configure+" -c 'network 172.21.3.0/24' -c 'network 172.21.4.0/24'") },
			func() { b.run("f", configure+" -c 'no network 172.21.3.0/24' -c 'no network 172.21.4.0/24'") },
		},
	} {
		c.exceed()
		within(t, 20*time.Second, c.name+" loses its session", func() bool {
			n := b.neighbors("r")[c.address]
			return n.State != "established" && n.Accepted == 0
		})
		within(t, 20*time.Second, c.name+" is told why", func() bool {
			return strings.Contains(strings.ToLower(b.run(c.name, c.told)), "maximum number of prefixes")
		})
		c.obey()
		within(t, 40*time.Second, c.name+" is back", func() bool {
			n := b.neighbors("r")[c.address]
			return n.State == "established" && n.Accepted == 2
		})
	}
	b.settleBGP(60*time.Second, p.starTables())
}
