package daemon

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"routerd/internal/control"
)

// Two routers that meet on a veth pair, each in a process of its own, with a
// host behind each:
//
//	h1 -- lan0 [ r1 ] core0 ---- core0 [ r2 ] lan0 -- h2
//	          10.0.12.1/24      10.0.12.2/24
func TestTwoRoutersOnAnEthernet(t *testing.T) {
	s := newSite(t)
	for i := range 2 {
		ns := s.core(i)
		s.must("ip", "netns", "add", ns)
		t.Cleanup(func() { s.must("ip", "netns", "del", ns) })
	}
	s.must("ip", "link", "add", "core0", "netns", s.core(0), "type", "veth", "peer", "name", "core0", "netns", s.core(1))
	for i := range 2 {
		r := &site{t: t, dir: t.TempDir(), hosts: s.hosts}
		r.config = filepath.Join(r.dir, "routerd.toml")
		me, other := i+1, 2-i
		text := fmt.Sprintf(`name = "r%d"
[api]
listen = ["unix://%s"]
[interface.lan0]
kind = "tun"
addresses = ["10.0.%d.1/24", "2001:db8:%d::1/64"]
host = { netns = %q, device = "eth0", addresses = ["10.0.%d.2/24", "2001:db8:%d::2/64"], routes = ["0.0.0.0/0", "::/0"] }
[interface.core0]
kind = "packet"
netns = %q
addresses = ["10.0.12.%d/24", "2001:db8:12::%d/64"]
[[static.route]]
prefix = "10.0.%d.0/24"
next-hop = "10.0.12.%d"
[[static.route]]
prefix = "2001:db8:%d::/64"
next-hop = "2001:db8:12::%d"
`, me, r.socket(), me, me, s.hosts[i], me, me, s.core(i), me, me, other, other, other, other)
		if err := os.WriteFile(r.config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r.start()
		if i == 0 {
			s.dir = r.dir // whose socket the test asks
		}
	}
	for _, to := range []string{"10.0.2.2", "2001:db8:2::2"} {
		wait(t, "h1 to reach "+to, func() error { return s.ping(0, to) })
	}
	out, _ := exec.Command("ip", "netns", "exec", s.hosts[0], "ping", "-n", "-c1", "-W5", "10.0.12.99").CombinedOutput()
	if !strings.Contains(string(out), "Destination Host Unreachable") {
		t.Errorf("a neighbour that does not answer: %s, want host unreachable", out)
	}
	// The error is on its way before the batch that made it is counted.
	wait(t, "the failure to be counted once", func() error {
		drops, err := s.client().Drops(t.Context(), control.DropQuery{})
		if err != nil {
			return err
		}
		for _, v := range drops.Verdicts {
			if v.Verdict == "neighbor_failed" && v.Packets != 1 {
				return fmt.Errorf("%d packets counted as neighbor_failed, want 1", v.Packets)
			}
		}
		return nil
	})
	s.showsAndClears()
	// The kernel under the port is silent: it neither answers nor has learnt.
	if neighbours := s.must("ip", "-n", s.core(0), "neigh"); strings.Contains(neighbours, "10.0.12.2") {
		t.Errorf("the kernel has learnt of %s", neighbours)
	}
	x, err := s.client().ExplainPacket(t.Context(), control.PacketQuery{In: "lan0", Src: mustAddr("10.0.1.2"), Dst: mustAddr("10.0.2.2")})
	if err != nil || !strings.Contains(fmt.Sprint(x.Steps), "10.0.12.2 is at ") {
		t.Errorf("explained as %+v (%v), want the neighbour's address in it", x.Steps, err)
	}
	s.explainsRoute()
}

// explainsRoute asks about the way to the host behind the other router.
func (s *site) explainsRoute() {
	s.t.Helper()
	x, err := s.client().ExplainRoute(s.t.Context(), mustAddr("10.0.2.2"))
	if err != nil {
		s.t.Fatal(err)
	}
	if n := len(x.Prefixes); n == 0 || !x.Prefixes[n-1].Used || x.Prefixes[n-1].Decided == "" {
		s.t.Errorf("prefixes %+v, want the last of them used, and why", x.Prefixes)
	}
	if n := len(x.Resolution); n == 0 || x.Resolution[0].Address != mustAddr("10.0.12.2") {
		s.t.Errorf("resolved by %+v, want it begin with 10.0.12.2", x.Resolution)
	}
	if x.Entry == nil || len(x.Neighbors) != 1 || x.Neighbors[0].Address != mustAddr("10.0.12.2") || x.Neighbors[0].MAC == "" {
		s.t.Errorf("entry %+v and neighbours %+v, want 10.0.12.2 with its MAC", x.Entry, x.Neighbors)
	}
	if x, err = s.client().ExplainRoute(s.t.Context(), mustAddr("10.0.1.2")); err != nil || len(x.Neighbors) != 1 || x.Neighbors[0].State != control.NeighborUnneeded {
		s.t.Errorf("neighbours %+v (%v) of a host behind a TUN, want one that needs no link address", x.Neighbors, err)
	}
}

// core is the namespace of a router's end of the link.
func (s *site) core(i int) string { return strings.Replace(s.hosts[i], "-h", "-core", 1) }

// A TAP with the kernel at its other end, and another on a bridge with a host
// behind it: both are neighbours on an Ethernet.
//
//	h1 eth0 == lan0 [ r1 ] lan1 == br0 -- veth -- h2 eth0
func TestTAPs(t *testing.T) {
	s := newSite(t)
	bridge := s.core(0)
	s.must("ip", "netns", "add", bridge)
	t.Cleanup(func() { s.must("ip", "netns", "del", bridge) })
	s.must("ip", "-n", bridge, "link", "add", "br0", "type", "bridge")
	s.must("ip", "-n", bridge, "link", "set", "br0", "up")
	s.must("ip", "link", "add", "p2", "netns", bridge, "type", "veth", "peer", "name", "eth0", "netns", s.hosts[1])
	s.must("ip", "-n", bridge, "link", "set", "p2", "master", "br0", "up")
	s.in(1, "ip", "address", "add", "10.0.2.2/24", "dev", "eth0")
	s.in(1, "ip", "-6", "address", "add", "2001:db8:2::2/64", "dev", "eth0", "nodad")
	s.in(1, "ip", "link", "set", "eth0", "up")
	s.in(1, "ip", "route", "add", "default", "via", "10.0.2.1")
	s.in(1, "ip", "-6", "route", "add", "default", "via", "2001:db8:2::1")
	text := fmt.Sprintf(`name = "r1"
[api]
listen = ["unix://%s"]
[interface.lan0]
kind = "tap"
addresses = ["10.0.1.1/24", "2001:db8:1::1/64"]
host = { netns = %q, device = "eth0", addresses = ["10.0.1.2/24", "2001:db8:1::2/64"], routes = ["0.0.0.0/0", "::/0"] }
[interface.lan1]
kind = "tap"
addresses = ["10.0.2.1/24", "2001:db8:2::1/64"]
host = { netns = %q, device = "tap1", bridge = "br0" }
`, s.socket(), s.hosts[0], bridge)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	for _, to := range []string{"10.0.2.2", "2001:db8:2::2", "10.0.1.1", "2001:db8:1::1"} {
		wait(t, "h1 to reach "+to, func() error { return s.ping(0, to) })
	}
	list, err := s.client().Interfaces(t.Context())
	if err != nil || list[0].Kind != "tap" || list[0].Port == nil || list[0].Port.Kind != "tap" {
		t.Errorf("interfaces %+v (%v), want TAPs", list, err)
	}
}

// showsAndClears looks for r2 among r1's neighbours, forgets it, and finds it
// again after the next packet.
func (s *site) showsAndClears() {
	s.t.Helper()
	c, q := s.client(), control.NeighborQuery{Interface: "core0", Address: mustAddr("10.0.12.2")}
	list, err := c.Neighbors(s.t.Context(), q)
	if err != nil || len(list.Neighbors) != 1 || list.Neighbors[0].MAC == "" || list.Neighbors[0].Interface != "core0" {
		s.t.Fatalf("neighbours %+v (%v), want 10.0.12.2 with its MAC", list, err)
	}
	if r, err := c.ClearNeighbors(s.t.Context(), q); err != nil || r.Cleared != 1 {
		s.t.Errorf("cleared %+v (%v), want 1", r, err)
	}
	if list, err = c.Neighbors(s.t.Context(), control.NeighborQuery{Family: 6}); err != nil || len(list.Neighbors) == 0 {
		s.t.Errorf("IPv6 neighbours %+v (%v), want r2, which was not cleared", list, err)
	}
	if _, err = c.Neighbors(s.t.Context(), control.NeighborQuery{Interface: "core9"}); err == nil {
		s.t.Error("neighbours of an interface that does not exist: no error")
	}
	wait(s.t, "10.0.12.2 to be a neighbour again", func() error {
		if err := s.ping(0, "10.0.2.2"); err != nil {
			return err
		}
		list, err := c.Neighbors(s.t.Context(), q)
		if err == nil && len(list.Neighbors) != 1 {
			err = fmt.Errorf("neighbours %+v", list.Neighbors)
		}
		return err
	})
}
