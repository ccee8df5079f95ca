package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"routerd/arp"
	"routerd/internal/control"
)

// lan is a site whose second host is a Linux host on an Ethernet with the
// router: its eth0 is the other end of the veth under the packet port core0.
// The first host is on a TUN as ever. more goes into core0's configuration.
func newLAN(t *testing.T, hostAddresses []string, more string) *site {
	t.Helper()
	s := newSite(t)
	ns := s.core(0)
	s.must("ip", "netns", "add", ns)
	t.Cleanup(func() { s.must("ip", "netns", "del", ns) })
	s.must("ip", "link", "add", "core0", "netns", ns, "type", "veth", "peer", "name", "eth0", "netns", s.hosts[1])
	for _, a := range hostAddresses {
		args := []string{"ip", "address", "add", a, "dev", "eth0"}
		if strings.Contains(a, "::") {
			args = append(args, "nodad")
		}
		s.in(1, args...)
	}
	s.in(1, "ip", "link", "set", "eth0", "up")
	text := fmt.Sprintf(`name = "r1"
[api]
listen = ["unix://%s"]
[interface.lan0]
kind = "tun"
addresses = ["10.0.1.1/24", "2001:db8:1::1/64"]
host = { netns = %q, device = "eth0", addresses = ["10.0.1.2/24", "2001:db8:1::2/64"], routes = ["0.0.0.0/0", "::/0"] }
[interface.core0]
kind = "packet"
netns = %q
%s
`, s.socket(), s.hosts[0], ns, more)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// neighbour gives what the router knows of an address, and false for nothing.
func (s *site) neighbour(a string) (control.Neighbor, bool) {
	s.t.Helper()
	list, err := s.client().Neighbors(s.t.Context(), control.NeighborQuery{})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, n := range list.Neighbors {
		if n.Address == mustAddr(a) {
			return n, true
		}
	}
	return control.Neighbor{}, false
}

func (s *site) needs(tools ...string) {
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			s.t.Skipf("%s is not installed", tool)
		}
	}
}

// A Linux host asks for the router's address, in both families.
func TestKernelResolvesTheRouter(t *testing.T) {
	s := newLAN(t, []string{"10.0.2.2/24", "2001:db8:2::2/64"}, `addresses = ["10.0.2.1/24", "2001:db8:2::1/64"]`)
	s.needs("arping")
	s.start()
	for _, a := range []string{"10.0.2.1", "2001:db8:2::1"} {
		wait(t, "the host to reach the router", func() error { return s.ping(1, a) })
		mac := strings.Fields(s.must("ip", "-n", s.core(0), "-o", "link", "show", "core0"))
		known := s.in(1, "ip", "neigh", "show", a)
		found := false
		for i, word := range mac {
			found = found || word == "link/ether" && strings.Contains(known, mac[i+1])
		}
		if !found {
			t.Errorf("the host knows %q, want the port's address of %q", known, mac)
		}
	}
	if out := s.in(1, "arping", "-c", "2", "-w", "5", "-I", "eth0", "10.0.2.1"); !strings.Contains(out, "Received 2 response") {
		t.Errorf("arping: %s, want 2 responses", out)
	}
	if _, err := exec.LookPath("ndisc6"); err == nil {
		if out := s.in(1, "ndisc6", "-1", "2001:db8:2::1", "eth0"); !strings.Contains(out, "Target link-layer address") {
			t.Errorf("ndisc6: %s", out)
		}
	}
}

// A plain Linux host finds its address and default route in the router's
// advertisements, and can be reached by them.
func TestLinuxHostAutoconfigures(t *testing.T) {
	s := newLAN(t, nil, `addresses = ["10.0.2.1/24", "2001:db8:2::1/64"]
ra = { prefix = ["2001:db8:2::/64"], rdnss = ["2001:db8:2::53"], other-config = true, preference = "high", lifetime = "15m", valid-lifetime = "2h", preferred-lifetime = "1h" }`)
	s.start()
	wait(t, "the host's address", func() error {
		if out := s.in(1, "ip", "-6", "address", "show", "dev", "eth0", "scope", "global"); !strings.Contains(out, "2001:db8:2:") || strings.Contains(out, "tentative") {
			return fmt.Errorf("its addresses are %q", out)
		}
		if out := s.in(1, "ip", "-6", "route", "show", "default"); !strings.Contains(out, "via fe80::") {
			return fmt.Errorf("its default route is %q", out)
		}
		return nil
	})
	wait(t, "the host to reach the router", func() error { return s.ping(1, "2001:db8:2::1") })
	if _, err := exec.LookPath("rdisc6"); err == nil {
		if out := s.in(1, "rdisc6", "-1", "eth0"); !strings.Contains(out, "2001:db8:2::/64") || !strings.Contains(out, "2001:db8:2::53") {
			t.Errorf("rdisc6: %s, want the prefix and the DNS server", out)
		} else {
			words := strings.Join(strings.Fields(out), " ")
			for _, want := range []string{
				"Stateful address conf. : No", "Stateful other conf. : Yes", "Router preference : high", "Router lifetime : 900 ",
				"Valid time : 7200 ", "Pref. time : 3600 ",
			} {
				if !strings.Contains(words, want) {
					t.Errorf("rdisc6: %s, want %q in it", out, want)
				}
			}
		}
	}
}

// An address that a Linux host has already is not used.
func TestDuplicateAddressIsNotUsed(t *testing.T) {
	s := newLAN(t, []string{"2001:db8:2::1/64"}, `addresses = ["10.0.2.1/24", "2001:db8:2::1/64"]`)
	s.start()
	c := s.client()
	wait(t, "the router to give the address up", func() error {
		list, err := c.Interfaces(t.Context())
		if err != nil {
			return err
		}
		for _, a := range list[0].Addresses {
			if a.Addr() == mustAddr("2001:db8:2::1") {
				return errors.New("core0 still has 2001:db8:2::1")
			}
		}
		return nil
	})
	f, err := c.FIB(t.Context(), control.FIBQuery{Prefix: netip.MustParsePrefix("2001:db8:2::1/128")})
	if err != nil || len(f.Entries) != 0 {
		t.Errorf("the FIB has %+v (%v), want no entry for an address that is another's", f.Entries, err)
	}
	wait(t, "the shows to tell the addresses apart", func() error {
		list, err := c.Interfaces(t.Context())
		if err != nil {
			return err
		}
		state := map[netip.Addr]string{}
		for _, o := range list[0].Own {
			state[o.Address.Addr()] = o.State
		}
		if state[mustAddr("10.0.2.1")] != "usable" || state[mustAddr("2001:db8:2::1")] != "duplicate" {
			return fmt.Errorf("the addresses of %s are %+v", list[0].Name, list[0].Own)
		}
		arp, err := c.Neighbors(t.Context(), control.NeighborQuery{Interface: "core0", Family: 6})
		if err != nil || len(arp.Own) != 2 || arp.Own[0].State != "duplicate" || arp.Own[0].Interface != "core0" || arp.Own[1].State != "usable" {
			return fmt.Errorf("show arp says %+v (%v)", arp.Own, err)
		}
		return nil
	})
	log, err := os.ReadFile(s.dir + "/log")
	if err != nil || !strings.Contains(string(log), "2001:db8:2::1") {
		t.Errorf("the log does not name the address: %s (%v)", log, err)
	}
}

// The router's own stack neither holds such an address nor gets it back by a
// reload, but does when the address is free and the link comes up again.
func TestDuplicateAddressIsNotTheStacks(t *testing.T) {
	s := newLAN(t, []string{"2001:db8:2::1/64"}, `addresses = ["10.0.2.1/24", "2001:db8:2::1/64"]`)
	ns := strings.Replace(s.hosts[0], "-h1", "-stack", 1)
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	// The stack is up before the address is known to be somebody else's.
	if err := os.WriteFile(s.config, fmt.Appendf(text, "[local-stack]\nnetns = %q\n", ns), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	holds := func(want bool) func() error {
		return func() error {
			addresses, routes := s.must("ip", "-n", ns, "-6", "address"), s.must("ip", "-n", ns, "-6", "route")
			if strings.Contains(addresses, "2001:db8:2::1/") != want || strings.Contains(routes, "2001:db8:2::/64") != want {
				return fmt.Errorf("the stack has\n%s%s", addresses, routes)
			}
			if !strings.Contains(addresses, "2001:db8:1::1/") {
				t.Errorf("the stack has lost another address:\n%s", addresses)
			}
			return nil
		}
	}
	wait(t, "the stack to give the address up", holds(false))
	text = bytes.Replace(text, []byte("10.0.2.1/24"), []byte("10.0.2.9/24"), 1)
	if err := os.WriteFile(s.config, fmt.Appendf(text, "[local-stack]\nnetns = %q\n", ns), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.client().Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out := s.must("ip", "-n", ns, "address"); !strings.Contains(out, "10.0.2.9/") {
		t.Errorf("the stack has no 10.0.2.9 after a reload that says so:\n%s", out)
	}
	if err := holds(false)(); err != nil {
		t.Errorf("after a reload: %v", err)
	}
	s.in(1, "ip", "link", "set", "eth0", "down")
	s.in(1, "ip", "address", "flush", "dev", "eth0")
	wait(t, "the router to see the link go down", func() error {
		if list, err := s.client().Interfaces(t.Context()); err != nil || list[0].Up {
			return fmt.Errorf("interfaces %+v (%v)", list, err)
		}
		return nil
	})
	s.in(1, "ip", "link", "set", "eth0", "up")
	wait(t, "the stack to get the address back", holds(true))
}

// A neighbour moves with a broadcast announcement; a reply that nobody asked
// for neither creates an entry nor changes one.
func TestAnnouncements(t *testing.T) {
	s := newLAN(t, []string{"10.0.2.2/24"}, `addresses = ["10.0.2.1/24"]`)
	s.needs("arping")
	s.start()
	wait(t, "the router to know its neighbour", func() error { return s.ping(1, "10.0.2.1") })
	before, known := s.neighbour("10.0.2.2")
	if !known {
		t.Fatal("10.0.2.2 is not known after a ping")
	}
	// Nobody asked for 10.0.2.55.
	s.in(1, "ip", "address", "add", "10.0.2.55/24", "dev", "eth0")
	s.in(1, "arping", "-A", "-c", "1", "-I", "eth0", "10.0.2.55")
	// A new address for the known one, announced: arping ends when the frame
	// is sent, and the one before it was handled first.
	moved := "02:00:00:00:77:77"
	s.in(1, "ip", "link", "set", "eth0", "address", moved)
	s.in(1, "arping", "-U", "-c", "1", "-I", "eth0", "10.0.2.2")
	wait(t, "the neighbour to move", func() error {
		if n, _ := s.neighbour("10.0.2.2"); n.MAC != moved {
			return fmt.Errorf("10.0.2.2 is at %s, was at %s, want %s", n.MAC, before.MAC, moved)
		}
		return nil
	})
	if n, known := s.neighbour("10.0.2.55"); known {
		t.Errorf("an unsolicited reply created %+v", n)
	}
}

// A flood of destinations that do not exist neither fills the table beyond its
// bound nor costs a live neighbour its packets.
func TestFloodOfUnresolvable(t *testing.T) {
	s := newLAN(t, []string{"10.128.0.2/15"}, `addresses = ["10.128.0.1/15"]`)
	s.in(1, "ip", "route", "add", "default", "via", "10.128.0.1")
	s.start()
	wait(t, "h1 to reach the live neighbour", func() error { return s.ping(0, "10.128.0.2") })
	var out net.PacketConn
	s.within(0, func() (err error) {
		out, err = net.ListenPacket("udp4", "10.0.1.2:0")
		return err
	})
	defer out.Close()
	const flood = 20000
	for i := range flood {
		to := netip.AddrFrom4([4]byte{10, 129, byte(i >> 8), byte(i)})
		// Its own errors come back as refusals of later writes: not of interest.
		_, _ = out.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, 9)))
		if i%4000 == 0 {
			// One may be lost in the queue of the flood's own device, not more.
			wait(t, "the live neighbour to answer during the flood", func() error { return s.ping(0, "10.128.0.2") })
		}
	}
	list, err := s.client().Neighbors(t.Context(), control.NeighborQuery{})
	if err != nil {
		t.Fatal(err)
	}
	// Two are alive, the others have never answered.
	if n, most := len(list.Neighbors), arp.DefaultConfig().MaxIncomplete; n > most+2 {
		t.Errorf("%d neighbours after a flood of %d, want at most %d that never answered", n, flood, most)
	}
	if _, known := s.neighbour("10.128.0.2"); !known {
		t.Error("the live neighbour was forgotten")
	}
}

// A host that has its default route from the router loses it as soon as the
// router stops or gives the interface up, and not half an hour later
// (RFC 4861 §6.2.5).
func TestHostsLoseTheirDefaultRoute(t *testing.T) {
	s := newLAN(t, nil, `addresses = ["10.0.2.1/24", "2001:db8:2::1/64"]
ra = { prefix = ["2001:db8:2::/64"] }`)
	last := s.dump("icmp6 and ip6[40] == 134 and ip6[46:2] == 0") // router lifetime 0
	route := func(want bool) func() error {
		return func() error {
			if out := s.in(1, "ip", "-6", "route", "show", "default"); strings.Contains(out, "via fe80::") != want {
				return fmt.Errorf("its default routes are %q", out)
			}
			return nil
		}
	}
	config, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	without, _, _ := strings.Cut(string(config), "[interface.core0]")
	for i, stop := range []func(p *exec.Cmd){
		func(p *exec.Cmd) {
			if err := p.Process.Signal(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
			if err := p.Wait(); err != nil {
				t.Errorf("after SIGTERM: %v", err)
			}
		},
		func(*exec.Cmd) {
			if err := os.WriteFile(s.config, []byte(without), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := s.client().Reload(t.Context()); err != nil {
				t.Error(err)
			}
		},
	} {
		p := s.startProcess(nil)
		wait(t, "the host's default route", route(true))
		if n := last.has("router advertisement"); n != i {
			t.Errorf("%d advertisements took the default route back before the router left, want %d", n, i)
		}
		stop(p)
		wait(t, "the host to lose its default route", route(false))
		wait(t, "the last advertisement", func() error {
			if n := last.has("router advertisement"); n != i+1 {
				return fmt.Errorf("%d with router lifetime 0 in %q, want %d", n, last.lines(), i+1)
			}
			return nil
		})
	}
}
