package daemon

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"routerd/internal/control"
)

// newSnooper makes a site whose second host is on a bridge that listens in to who
// wants which group and asks, with the router's TAP at another of its ports.
func newSnooper(t *testing.T, igmp, mld int) *site {
	t.Helper()
	s := newSite(t)
	ns := s.core(0)
	s.must("ip", "netns", "add", ns)
	t.Cleanup(func() { s.must("ip", "netns", "del", ns) })
	// The bridge relies on the groups that it has heard of half a second after it
	// was made, and asks every second at first.
	s.must("ip", "-n", ns, "link", "add", "br0", "type", "bridge", "mcast_snooping", "1", "mcast_querier", "1",
		"mcast_query_interval", "200", "mcast_startup_query_interval", "100", "mcast_query_response_interval", "50",
		"mcast_igmp_version", fmt.Sprint(igmp), "mcast_mld_version", fmt.Sprint(mld))
	s.must("ip", "-n", ns, "link", "set", "br0", "up")
	s.must("ip", "link", "add", "port1", "netns", ns, "type", "veth", "peer", "name", "eth0", "netns", s.hosts[1])
	s.must("ip", "-n", ns, "link", "set", "port1", "master", "br0", "up")
	s.in(1, "ip", "address", "add", "10.0.2.2/24", "dev", "eth0")
	s.in(1, "ip", "address", "add", "2001:db8:2::2/64", "dev", "eth0", "nodad")
	s.in(1, "ip", "link", "set", "eth0", "up")
	text := fmt.Sprintf(`name = "r1"
[api]
listen = ["unix://%s"]
[interface.lan0]
kind = "tun"
addresses = ["10.0.1.1/24", "2001:db8:1::1/64"]
host = { netns = %q, device = "eth0", addresses = ["10.0.1.2/24", "2001:db8:1::2/64"], routes = ["0.0.0.0/0", "::/0"] }
[interface.lan1]
kind = "tap"
addresses = ["10.0.2.1/24", "2001:db8:2::1/64"]
host = { netns = %q, device = "tap0", bridge = "br0" }
[rip]
[rip.interface.lan1]
[ripng]
[ripng.interface.lan1]
`, s.socket(), s.hosts[0], ns)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// Behind a switch that passes a group's packets on to those alone who have
// reported it the router is found by IPv6 and heard by RIP, whichever versions
// the switch asks in, and what it reports follows a reload.
func TestReachableBehindASnoopingSwitch(t *testing.T) {
	for _, c := range []struct{ igmp, mld int }{{3, 2}, {2, 1}} {
		t.Run(fmt.Sprintf("IGMPv%d and MLDv%d", c.igmp, c.mld), func(t *testing.T) {
			s := newSnooper(t, c.igmp, c.mld)
			s.needs("bridge")
			s.start()
			solicited := "ff02::1:ff00:1"
			knows := func(want bool, groups ...string) func() error {
				return func() error {
					out := s.must("ip", "netns", "exec", s.core(0), "bridge", "mdb", "show")
					for _, g := range groups {
						if strings.Contains(out, "port tap0 grp "+g+" ") != want {
							return fmt.Errorf("at the router's port: %s to be there: %v; there is\n%s", g, want, out)
						}
					}
					return nil
				}
			}
			wait(t, "the switch to know the router's groups", knows(true, "ff02::2", "ff02::9", solicited))
			var lan1 *control.Multicast
			wait(t, "the switch to rely on what it has heard, a while after its first query", func() error {
				list, err := s.client().Interfaces(t.Context())
				if err != nil {
					return err
				}
				for _, i := range list {
					if (i.Multicast != nil) != (i.Name == "lan1") {
						t.Errorf("%s shows the groups %+v", i.Name, i.Multicast)
					}
					if i.Name == "lan1" {
						lan1 = i.Multicast
					}
				}
				if lan1 == nil || lan1.Queries < 8 { // four in each family
					return fmt.Errorf("the router has heard %+v", lan1)
				}
				return nil
			})
			s.in(1, "ip", "neigh", "flush", "dev", "eth0")
			wait(t, "the host to find the router", func() error { return s.ping(1, "2001:db8:2::1") })
			if lan1.IGMP != c.igmp || lan1.MLD != c.mld || lan1.Refused != 0 ||
				!slices.Contains(lan1.Groups, netip.MustParseAddr("224.0.0.9")) || !slices.Contains(lan1.Groups, netip.MustParseAddr(solicited)) ||
				slices.Contains(lan1.Groups, netip.MustParseAddr("ff02::1")) {
				t.Errorf("lan1 shows %+v, want RIP's and the addresses' groups, and the querier's versions", lan1)
			}
			text, err := os.ReadFile(s.config)
			if err != nil {
				t.Fatal(err)
			}
			text = bytes.Replace(text, []byte("2001:db8:2::1/64"), []byte("2001:db8:2::abcd/64"), 1)
			if err := os.WriteFile(s.config, text, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := s.client().Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			wait(t, "the switch to know the new address's group", knows(true, "ff02::1:ff00:abcd"))
			wait(t, "the switch to forget the old one's", knows(false, solicited))
			wait(t, "the host to find the new address", func() error { return s.ping(1, "2001:db8:2::abcd") })
		})
	}
}
