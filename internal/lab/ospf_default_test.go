package lab

import "testing"

// defaultOSPF is an FRR between a routerd that always has a default route for it
// and one that has one while it has one itself. The first is in three areas, its
// loopback in area 2.
const defaultOSPF = `name = "NAME"
[node.a]
kind = "router"
[node.a.config.interface.lo]
kind = "loopback"
addresses = ["10.255.0.1/32"]
[node.a.config.ospf]
default-information = { always = true, metric = 40, metric-type = 2 }
interface.lo = { area = 2 }
interface.eth1 = { area = 0, network = "point-to-point", cost = 10, hello-interval = "1s" }
interface.eth3 = { area = 2, cost = 10, passive = true }
interface.eth4 = { area = 3, cost = 10, passive = true }
[node.c]
kind = "router"
[node.c.config.ospf]
router-id = "10.255.0.2"
default-information = { metric = 20, metric-type = 1 }
interface.eth2 = { area = 0, network = "point-to-point", cost = 10, hello-interval = "1s" }
[[node.c.config.static.route]]
prefix = "0.0.0.0/0"
next-hop = "10.9.0.2"
[node.p]
kind = "frr"
config = """
hostname p
interface eth1
 ip ospf network point-to-point
 ip ospf hello-interval 1
 ip ospf dead-interval 4
 ip ospf cost 10
interface eth2
 ip ospf network point-to-point
 ip ospf hello-interval 1
 ip ospf dead-interval 4
 ip ospf cost 10
router ospf
 ospf router-id 10.255.0.3
 network 10.0.0.0/8 area 0
"""
[node.h3]
kind = "host"
[node.h4]
kind = "host"
[node.h9]
kind = "host"
[[link]]
endpoints = ["a:eth1", "p:eth1"]
addresses = { "a:eth1" = ["10.1.0.1/24"], "p:eth1" = ["10.1.0.2/24"] }
[[link]]
endpoints = ["c:eth2", "p:eth2"]
addresses = { "c:eth2" = ["10.2.0.1/24"], "p:eth2" = ["10.2.0.2/24"] }
[[link]]
endpoints = ["a:eth3", "h3:eth0"]
addresses = { "a:eth3" = ["10.3.0.1/24"], "h3:eth0" = ["10.3.0.2/24"] }
[[link]]
endpoints = ["a:eth4", "h4:eth0"]
addresses = { "a:eth4" = ["10.4.0.1/24"], "h4:eth0" = ["10.4.0.2/24"] }
[[link]]
endpoints = ["c:eth9", "h9:eth0"]
addresses = { "c:eth9" = ["10.9.0.1/24"], "h9:eth0" = ["10.9.0.2/24"] }
`

// FRR learns a default route of type 2 that is always there, then one of type 1 as
// long as the router that says it has a default route. What is in other areas it
// learns as routes between areas, a loopback too.
func TestOSPFDefaultRoutes(t *testing.T) {
	t.Parallel()
	b := newRIPBench(t, defaultOSPF)
	b.needsPeers("p")
	b.up()
	const ask = "vtysh -c 'show ip ospf route'"
	b.setLink("c:eth9", true)
	b.shows("p", ask, `N E2 0\.0\.0\.0/0 +\[10/40\]`)
	b.shows("p", ask, `N IA 10\.255\.0\.1/32 +\[10\]`)
	b.shows("p", ask, `N IA 10\.3\.0\.0/24 +\[20\]`)
	b.shows("p", ask, `N IA 10\.4\.0\.0/24 +\[20\]`)
	b.setLink("a:eth1", true)
	b.lacks("p", ask, "0.0.0.0/0")
	b.setLink("c:eth9", false)
	b.shows("p", ask, `N E1 0\.0\.0\.0/0 +\[30\]`)
	b.setLink("a:eth1", false)
	b.shows("p", ask, `N IA 10\.255\.0\.1/32 +\[10\]`)
	b.shows("p", ask, `N E1 0\.0\.0\.0/0 +\[30\]`) // type 1 comes first
}
