package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Two hosts and a router on a switch; the stand-in makes no TAP.
const lan = `name = "NAME"
[node]
sw = { kind = "switch" }
r1 = { kind = "router" }
h1 = { kind = "host" }
h2 = { kind = "host" }
[[link]]
endpoints = ["r1:lan0", "sw:r1"]
mtu = 1400
addresses = { "r1:lan0" = ["10.0.1.1/24", "2001:db8:1::1/64"] }
[[link]]
endpoints = ["sw:h1", "h1:eth0"]
mtu = 1400
addresses = { "h1:eth0" = ["10.0.1.11/24", "2001:db8:1::11/64"] }
[[link]]
endpoints = ["sw:h2", "h2:eth0"]
mtu = 1400
addresses = { "h2:eth0" = ["10.0.1.12/24"] }
`

// reads reads a setting of a node's.
func (b *bench) reads(node, path string) (value string) {
	b.t.Helper()
	err := inNamespace(b.namespace(node), func() error {
		text, err := os.ReadFile(filepath.Join("/proc/sys/net", path))
		value = strings.TrimSpace(string(text))
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return value
}

// ip runs ip(8) in the switch.
func (b *bench) ip(args ...string) string {
	b.t.Helper()
	out, err := exec.Command("ip", append([]string{"-n", b.namespace("sw")}, args...)...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		b.t.Skip("no ip to ask")
	}
	if err != nil {
		b.t.Fatalf("ip %s: %v\n%s", args, err, out)
	}
	return string(out)
}

func TestBridge(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	b := newBench(t, lan)
	if want, said := fmt.Sprintf("     bridge %s-sw:br0\n", b.Topology.Name), b.up(); !strings.Contains(said, want) {
		t.Errorf("up said:\n%s\nwant in it: %s", said, want)
	}
	br, err := b.device("sw", bridgeName)
	if err != nil {
		t.Fatal(err)
	}
	out := b.ip("-d", "link", "show", "br0")
	for _, want := range []string{" stp_state 0 ", " mcast_snooping 1 ", " mcast_querier 1 ", " mcast_startup_query_interval 100 ", " mcast_query_response_interval 100 ", " mcast_igmp_version 3 ", " mcast_mld_version 2 "} {
		if !strings.Contains(out, want) {
			t.Errorf("the bridge is\n%s\nwant in it: %s", out, want)
		}
	}
	err = inNamespace(b.namespace("sw"), func() error {
		for _, name := range []string{bridgeName, "h1", "h2"} {
			link, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			addresses, err := netlink.AddrList(link, netlink.FAMILY_ALL)
			if err != nil {
				return err
			}
			if name == bridgeName {
				if len(addresses) != 1 || !addresses[0].IP.IsLinkLocalUnicast() || addresses[0].Flags&unix.IFA_F_TENTATIVE != 0 {
					t.Errorf("the bridge has the addresses %v, want a link-local one that it may use", addresses)
				}
				continue
			}
			if len(addresses) > 0 {
				t.Errorf("%s has the addresses %v, want none", name, addresses)
			}
			if link.Attrs().MasterIndex != br.Attrs().Index {
				t.Errorf("%s is no port of the bridge", name)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for path, want := range map[string]string{"accept_ra": "0", "forwarding": "0"} {
		if got := b.reads("sw", "ipv6/conf/br0/"+path); got != want {
			t.Errorf("%s of the bridge is %s, want %s", path, got, want)
		}
	}
	for _, node := range []string{"sw", "h1"} {
		if got, want := b.reads(node, "ipv6/conf/all/disable_ipv6"), map[string]string{"sw": "1", "h1": "0"}[node]; got != want {
			t.Errorf("disable_ipv6 of %s is %s, want %s", node, got, want)
		}
	}
	// The host with an IPv6 address has that one alone, the other makes itself one.
	for node, want := range map[string]string{"h1": "0", "h2": "1"} {
		if got := b.reads(node, "ipv6/conf/eth0/accept_ra"); got != want {
			t.Errorf("accept_ra of %s is %s, want %s", node, got, want)
		}
	}
	said := b.up()
	for _, want := range []string{
		fmt.Sprintf("bridge %s-sw:br0 is there\n", b.Topology.Name),
		fmt.Sprintf("veth %[1]s-sw:h1 - %[1]s-h1:eth0 is there\n", b.Topology.Name),
		fmt.Sprintf("r1   routerd runs, pid %d\n", b.pid("r1").PID),
	} {
		if !strings.Contains(said, want) {
			t.Errorf("a second up said:\n%s\nwant in it: %s", said, want)
		}
	}
	if err := b.Down(t.Context(), &b.out); err != nil {
		t.Fatal(err)
	}
	b.gone()
}

// Whatever happens to the switch, a second up has it as it was, and the router
// that had a TAP at a bridge which is a new one starts anew.
func TestBridgeMends(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	for _, c := range []struct {
		name      string
		restarted bool
		damage    func(b *bench)
	}{
		{"removed", true, func(b *bench) { b.change("sw", bridgeName, netlink.LinkDel) }},
		{"down", true, func(b *bench) { b.change("sw", bridgeName, netlink.LinkSetDown) }},
		{"no snooping", true, func(b *bench) {
			b.ip("link", "set", "br0", "type", "bridge", "mcast_snooping", "0")
		}},
		{"no querier", true, func(b *bench) {
			b.ip("link", "set", "br0", "type", "bridge", "mcast_querier", "0")
		}},
		{"a querier that takes its time", true, func(b *bench) {
			b.ip("link", "set", "br0", "type", "bridge", "mcast_startup_query_interval", "3125")
		}},
		{"a querier of before", true, func(b *bench) {
			b.ip("link", "set", "br0", "type", "bridge", "mcast_mld_version", "1")
		}},
		{"no address to ask from", true, func(b *bench) { b.ip("address", "flush", "dev", "br0") }},
		{"a new namespace", true, func(b *bench) {
			if err := removeNamespace(b.namespace("sw")); err != nil {
				b.t.Fatal(err)
			}
		}},
		{"a port that is none any more", false, func(b *bench) { b.change("sw", "h1", netlink.LinkSetNoMaster) }},
		{"a host without its address", false, func(b *bench) {
			b.change("h1", "eth0", func(l netlink.Link) error {
				return netlink.AddrDel(l, &netlink.Addr{IPNet: ipNet(prefixes("10.0.1.11/24")[0])})
			})
		}},
		{"a host without its route", false, func(b *bench) {
			b.change("h1", "eth0", func(l netlink.Link) error {
				return netlink.RouteDel(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: ipNet(prefixes("0.0.0.0/0")[0])})
			})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, lan)
			b.up()
			r1 := b.pid("r1")
			whole := func() bool {
				return b.plan.Bridges[0].there() && !slices.ContainsFunc(b.plan.Veths, func(v Veth) bool { return !v.there() })
			}
			c.damage(b)
			if whole() {
				t.Fatal("all of it counts as there")
			}
			said := b.up()
			if !whole() {
				t.Errorf("the switch is not whole; up said:\n%s", said)
			}
			if now := b.pid("r1"); (now != r1) != c.restarted {
				t.Errorf("r1 was %v and is %v; up said:\n%s", r1, now, said)
			}
		})
	}
}

// A switch that becomes a host, and a host that becomes a switch, keep nothing
// of what they were.
func TestNodeOfAnotherKind(t *testing.T) {
	needsRoot(t)
	const one = "name = \"NAME\"\n[node.a]\nkind = \"switch\"\n[node.b]\nkind = \"host\"\n"
	b := newBench(t, one)
	b.up()
	b.load(strings.NewReplacer("NAME", b.Topology.Name, "switch", "host", "host", "switch").Replace(one))
	b.up()
	if _, err := b.device("a", bridgeName); err == nil {
		t.Error("a still has a bridge")
	}
	if _, err := b.device("b", bridgeName); err != nil {
		t.Errorf("b has no bridge: %v", err)
	}
	if got := b.reads("a", "ipv6/conf/default/disable_ipv6") + b.reads("b", "ipv6/conf/default/disable_ipv6"); got != "01" {
		t.Errorf("disable_ipv6 of a and b is %s, want 0 and 1", got)
	}
}

func TestPlanSwitch(t *testing.T) {
	got, err := plan(decode(t, strings.Replace(lan, "NAME", "lan", 1)), "/run/routerd")
	if err != nil {
		t.Fatal(err)
	}
	want := &Plan{
		Namespaces: []Namespace{{"sw", "lan-sw"}, {"h1", "lan-h1"}, {"h2", "lan-h2"}},
		Bridges:    []Bridge{{"lan-sw"}},
		Veths: []Veth{
			{MTU: 1400, Ends: [2]Device{{Namespace: "lan-sw", Name: "h1", Bridge: "br0"}, {
				Namespace: "lan-h1", Name: "eth0", Kernel: true,
				Addresses: prefixes("10.0.1.11/24", "2001:db8:1::11/64"),
				Routes:    via("0.0.0.0/0", "10.0.1.1", "::/0", "2001:db8:1::1"),
			}}},
			{MTU: 1400, Ends: [2]Device{{Namespace: "lan-sw", Name: "h2", Bridge: "br0"}, {
				Namespace: "lan-h2", Name: "eth0", Kernel: true,
				Addresses: prefixes("10.0.1.12/24"), Routes: via("0.0.0.0/0", "10.0.1.1"),
			}}},
		},
		Routers: []Router{{
			Node: "r1", Name: "lan-r1", Namespaces: []string{"lan-sw"},
			Config: "/run/routerd/lab-lan/r1.toml", Log: "/run/routerd/lab-lan/r1.log", Socket: "/run/routerd/lan-r1.sock",
			Text: []byte(`# Router r1 of lab lan, written by routerd lab. What is changed here is lost.

name = "lan-r1"

[api]
listen = ["unix:///run/routerd/lan-r1.sock"]

[interface]
[interface.lan0]
addresses = ["10.0.1.1/24", "2001:db8:1::1/64"]
kind = "tap"
mtu = 1400
[interface.lan0.host]
bridge = "br0"
device = "r1"
netns = "lan-sw"
`),
		}},
	}
	text := cmp.Transformer("text", func(b []byte) string { return string(b) })
	if diff := cmp.Diff(want, got, text, cmp.Comparer(Device.equal)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got.acceptable(t)
}
