package lab

import (
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// routerd, BIRD and FRR on a switch, each with a network of its own, and a host
// that is no router.
const ripSwitch = `name = "NAME"
[node]
sw = { kind = "switch" }
h1 = { kind = "host" }
h2 = { kind = "host" }
[node.r1]
kind = "router"
[node.r1.config]
rip = { update-interval = "5s", invalid-interval = "180s", interface = { lan0 = {}, own0 = { passive = true } } }
ripng = { update-interval = "5s", invalid-interval = "180s", interface = { lan0 = {}, own0 = { passive = true } } }
[node.b1]
kind = "bird"
config = """
log stderr all;
router id 10.0.9.2;
protocol device { }
protocol direct { ipv4; ipv6; }
protocol kernel { ipv4 { export where source = RTS_RIP; }; }
protocol kernel { ipv6 { export where source = RTS_RIP; }; }
protocol rip r4 { ipv4 { import all; export all; }; interface "eth0" { update time 5; }; }
protocol rip ng r6 { ipv6 { import all; export all; }; interface "eth0" { update time 5; }; }
"""
[node.f1]
kind = "frr"
config = """
hostname f1
router rip
 timers basic 5 180 120
 network eth0
 network eth1
 passive-interface eth1
router ripng
 timers basic 5 180 120
 network eth0
 network eth1
 passive-interface eth1
"""
[[link]]
endpoints = ["r1:lan0", "sw:r1"]
addresses = { "r1:lan0" = ["10.0.9.1/24", "2001:db8:9::1/64"] }
[[link]]
endpoints = ["b1:eth0", "sw:b1"]
addresses = { "b1:eth0" = ["10.0.9.2/24", "2001:db8:9::2/64"] }
[[link]]
endpoints = ["f1:eth0", "sw:f1"]
addresses = { "f1:eth0" = ["10.0.9.3/24", "2001:db8:9::3/64"] }
[[link]]
endpoints = ["h1:eth0", "sw:h1"]
addresses = { "h1:eth0" = ["10.0.9.9/24", "2001:db8:9::9/64"] }
[[link]]
endpoints = ["h2:eth0", "sw:h2"]
addresses = { "h2:eth0" = ["10.0.9.8/24", "2001:db8:9::8/64"] }
[[link]]
endpoints = ["r1:own0", "r1n:eth0"]
addresses = { "r1:own0" = ["10.1.0.1/24", "2001:db8:1::1/64"], "r1n:eth0" = ["10.1.0.2/24", "2001:db8:1::2/64"] }
[[link]]
endpoints = ["b1:eth1", "b1n:eth0"]
addresses = { "b1:eth1" = ["10.2.0.1/24", "2001:db8:2::1/64"], "b1n:eth0" = ["10.2.0.2/24", "2001:db8:2::2/64"] }
[[link]]
endpoints = ["f1:eth1", "f1n:eth0"]
addresses = { "f1:eth1" = ["10.3.0.1/24", "2001:db8:3::1/64"], "f1n:eth0" = ["10.3.0.2/24", "2001:db8:3::2/64"] }
[node.r1n]
kind = "host"
[node.b1n]
kind = "host"
[node.f1n]
kind = "host"
`

// A switch that passes a group's packets on to its listeners alone knows those of
// routerd, BIRD and FRR, before and after it relies on that, and again when a
// link that was cut is mended.
func TestRIPOverASwitch(t *testing.T) {
	t.Parallel()
	b := newRIPBench(t, ripSwitch)
	b.needsPeers("b1", "f1")
	for _, tool := range []string{"bridge", "ping", "ip", "tcpdump"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no %s", tool)
		}
	}
	b.up()
	seen, ready := b.capture("h1", "eth0", "icmp6 and dst host ff05::1234 or icmp6 and dst host ff02::1")
	eventually(t, "tcpdump listens", ready)
	// What is behind a router on the switch, and who tells.
	own := map[string]struct{ four, six, address, device string }{
		"r1": {"10.1.0.0/24", "2001:db8:1::/64", "10.0.9.1", "lan0"},
		"b1": {"10.2.0.0/24", "2001:db8:2::/64", "10.0.9.2", "eth0"},
		"f1": {"10.3.0.0/24", "2001:db8:3::/64", "10.0.9.3", "eth0"},
	}
	// settled waits until everybody has the networks of all others but those.
	settled := func(without ...string) {
		t.Helper()
		want := map[string]learned{}
		for node, at := range own {
			want[node] = learned{}
			for other, it := range own {
				if other != node && !slices.Contains(without, other) {
					want[node][it.four] = known{2, 0, it.address + " " + at.device}
					want[node][it.six] = known{2, 0, "fe80:: " + at.device}
				}
			}
		}
		b.settle(30*time.Second, want)
	}
	settled()
	groups := func(when string) {
		t.Helper()
		listed := map[string]map[string]bool{
			"r1": {"ff02::2": true, "ff02::9": true, "ff02::1:ff00:1": true},
			"b1": {"ff02::2": true, "ff02::9": true, "ff02::1:ff00:2": true},
			"f1": {"ff02::2": true, "ff02::9": true, "ff02::1:ff00:3": true},
			"h1": {"ff02::9": false, "ff02::1:ff00:9": true, "ff02::1:ff00:1": false},
		}
		deadline := time.Now().Add(15 * time.Second)
		for _, port := range slices.Sorted(maps.Keys(listed)) {
			for group, want := range listed[port] {
				for {
					out := b.run("sw", "bridge mdb show")
					if strings.Contains(out, "port "+port+" grp "+group+" ") == want {
						break
					}
					if time.Now().After(deadline) {
						t.Fatalf("%s: port %s is listed for %s: %v, want %v; there is\n%s", when, port, group, !want, want, out)
					}
					time.Sleep(20 * time.Millisecond)
				}
			}
		}
	}
	groups("at first")

	// What nobody listens to is flooded until the switch relies on its list, and
	// what is for all nodes for ever.
	eventually(t, "the switch keeps what nobody listens to from h1", func() bool {
		nobody, all := strings.Count(seen(), toNobody), strings.Count(seen(), toAll)
		b.run("h2", "ping -n -6 -c 1 -W 1 -I eth0 ff05::1234; ping -n -6 -c 1 -W 1 -I eth0 ff02::1; true")
		eventually(t, "h1 gets what is for all", func() bool { return strings.Count(seen(), toAll) > all })
		return strings.Count(seen(), toNobody) == nobody
	})
	groups("when the switch relies on them")
	for n := range 3 {
		b.reaches("h1", fmt.Sprintf("ip neigh flush dev eth0; ping -n -6 -c 1 -W 1 2001:db8:9::%d", n+1), true, "by multicast alone")
	}
	b.setLink("r1:own0", true)
	settled("r1")
	b.setLink("b1:eth1", true)
	settled("r1", "b1")
	b.setLink("f1:eth1", true)
	settled("r1", "b1", "f1")

	for _, node := range []string{"r1:own0", "b1:eth1", "f1:eth1"} {
		b.setLink(node, false)
	}
	for _, port := range []string{"sw:b1", "sw:r1", "sw:f1"} {
		b.setLink(port, true)
		b.setLink(port, false)
	}
	groups("with links that were cut and mended")
	settled()
}

// What tcpdump prints of a ping to a group.
const (
	toNobody = "> ff05::1234: [icmp6 sum ok] ICMP6, echo request"
	toAll    = "> ff02::1: [icmp6 sum ok] ICMP6, echo request"
)
