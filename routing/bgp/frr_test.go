package bgp

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"routerd/routing/bgp/wire"
)

const frrConfig = `
hostname frr
route-map rich permit 10
 match ip address prefix-list rich
 set as-path prepend 65010 4200000001
 set metric 77
 set origin egp
 set community 65003:1 no-export
 set large-community 65003:1:2
 set extcommunity rt 65003:7
route-map rich permit 20
ip prefix-list rich permit 203.0.113.0/24
router bgp 65003
 bgp router-id 198.18.0.3
 no bgp default ipv4-unicast
 no bgp ebgp-requires-policy
 no bgp network import-check
 %[1]s
 neighbor 198.18.0.1 remote-as 65001
 neighbor 198.18.0.1 ebgp-multihop
 neighbor 198.18.0.1 disable-connected-check
 neighbor 198.18.0.1 update-source 198.18.0.3
 neighbor 198.18.0.1 timers connect 1
 neighbor 198.18.0.1 advertisement-interval 0
 %[2]s
 address-family ipv4 unicast
  network 203.0.113.0/24
  network 198.51.100.128/25
  network 0.0.0.0/0
  neighbor 198.18.0.1 activate
  neighbor 198.18.0.1 route-map rich out
  %[3]s
 exit-address-family
 address-family ipv6 unicast
  network 2001:db8:b::/48
  neighbor 198.18.0.1 activate
  %[3]s
 exit-address-family
`

// frr runs FRR's bgpd without zebra, and gives what asks it.
func (l *live) frr(text string) func(words ...string) string {
	l.t.Helper()
	bgpd := ""
	for _, dir := range []string{"/usr/lib/frr", "/usr/libexec/frr", "/usr/lib64/frr"} {
		if _, err := os.Stat(filepath.Join(dir, "bgpd")); err == nil {
			bgpd = filepath.Join(dir, "bgpd")
		}
	}
	if bgpd == "" {
		l.t.Skip("needs FRR's bgpd")
	}
	dir := l.t.TempDir()
	conf := filepath.Join(dir, "bgpd.conf")
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	l.daemon(bgpd, "-Z", "-S", "-f", conf, "-i", filepath.Join(dir, "pid"), "-z", filepath.Join(dir, "zserv.api"),
		"--vty_socket", dir, "-P", "0", "--log", "stdout", "-l", "198.18.0.3")
	ask := func(words ...string) string {
		args := []string{"--vty_socket", dir, "--config_dir", dir}
		for _, w := range words {
			args = append(args, "-c", w)
		}
		out, err := exec.Command("vtysh", args...).CombinedOutput()
		if err != nil {
			return fmt.Sprintf("vtysh: %v: %s", err, out)
		}
		return string(out)
	}
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(dir, "bgpd.vty")); err == nil {
			return ask
		}
		if time.Now().After(end) {
			l.t.Fatal("bgpd does not start")
		}
	}
}

func frrSession() SessionConfig {
	c := birdSession()
	c.Expected.AS = 65003
	c.Remote = netip.MustParseAddrPort("198.18.0.3:179")
	return c
}

// Sessions with FRR, as with BIRD.
func TestFRR(t *testing.T) {
	const n = "neighbor 198.18.0.1 "
	for _, test := range []struct {
		name, global, options, channel string
		change                         func(*SessionConfig)
		agreed                         func(s *wire.Session, theirs *wire.Capabilities) bool
	}{
		{"they dial", "", "", "", func(c *SessionConfig) { c.Passive = true }, func(s *wire.Session, _ *wire.Capabilities) bool {
			return s.FourOctetAS && s.RouteRefresh && s.EnhancedRefresh && s.Families == wire.Of(wire.IPv4Unicast, wire.IPv6Unicast)
		}},
		{"we dial", "", n + "passive", "", nil, nil},
		{"both dial", "", "", "", nil, nil},
		{"several paths", "", n + "passive", n + "addpath-tx-all-paths", func(c *SessionConfig) {
			c.Open.Capabilities.AddPath = [wire.NumFamilies]wire.AddPath{3, 3}
		}, func(s *wire.Session, _ *wire.Capabilities) bool {
			return s.SendPaths == s.Families && s.ReceivePaths == s.Families
		}},
		{"roles", "", n + "passive\n " + n + "local-role provider", "", func(c *SessionConfig) {
			c.Open.Capabilities.HasRole, c.Open.Capabilities.Role = true, wire.RoleCustomer
		}, nil},
		{"graceful restart", "bgp graceful-restart\n bgp long-lived-graceful-restart stale-time 3600", n + "passive", "", nil, func(_ *wire.Session, c *wire.Capabilities) bool {
			return c.Restart.Present && c.Restart.Families == wire.Of(wire.IPv4Unicast, wire.IPv6Unicast) && c.LongLived.Present && c.LongLived.Stale[wire.IPv4Unicast] == 3600
		}},
		{"a delay before our OPEN", "", n + "passive", "", func(c *SessionConfig) { c.DelayOpen = time.Second }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLive(t, "vtysh")
			ask := l.frr(fmt.Sprintf(frrConfig, test.global, test.options, test.channel))
			c := frrSession()
			if test.change != nil {
				test.change(&c)
			}
			l.start(c)
			show := func() string { return ask("show bgp neighbors 198.18.0.1") }
			l.until("session", func() bool { return l.session.State() == Established }, show)
			if s, o := l.session.Agreed(), l.session.Theirs(); test.agreed != nil && !test.agreed(s, &o.Capabilities) {
				t.Errorf("agreed on %+v; theirs %+v", s, o)
			}
			l.until("routes of FRR's", func() bool { return len(l.table) == 4 && len(l.ended) == 2 }, func() string {
				return fmt.Sprint(l.table, l.ended, ask("show bgp ipv4 unicast", "show bgp ipv6 unicast"))
			})
			want := "egp via 198.18.0.3 65003 65010 4200000001, med 77, [65003:1 no-export], [rt:65003:7], [65003:1:2]"
			if test.name == "roles" {
				want += ", otc 65003"
			}
			for key, got := range l.table {
				if strings.HasPrefix(key, "203.0.113.0/24#") && got != want {
					t.Errorf("%s: %s, want %s", key, got, want)
				}
			}
			const many = 2000
			announce(l, many)
			l.until("routes at FRR", func() bool {
				return strings.Contains(ask("show bgp ipv4 unicast 20.0.7.0/24"), "65001 4200000009 7") &&
					strings.Contains(ask("show bgp ipv4 unicast summary"), fmt.Sprint(" ", many, " ")) && strings.Contains(ask("show bgp ipv6 unicast summary"), fmt.Sprint(" ", many, " "))
			}, func() string { return ask("show bgp ipv4 unicast summary", "show bgp ipv6 unicast summary") })
			got := ask("show bgp ipv4 unicast 20.0.7.0/24")
			for _, words := range []string{"Origin incomplete, metric 55", "Community: 65001:9", "Large Community: 65001:3:4"} {
				if !strings.Contains(got, words) {
					t.Errorf("FRR has not %q:\n%s", words, got)
				}
			}
			if l.ups != 1 || l.downs != 0 || len(l.faults) > 0 {
				t.Errorf("up %d times, down %d times; faults %v", l.ups, l.downs, l.faults)
			}
		})
	}
}

// What FRR does to a session, and what it hears of its end.
func TestFRREvents(t *testing.T) {
	l := newLive(t, "vtysh")
	ask := l.frr(fmt.Sprintf(frrConfig, "", "", ""))
	show := func() string { return ask("show bgp neighbors 198.18.0.1") }
	c := frrSession()
	c.ConnectDelay = time.Second
	l.start(c)
	up := func() bool { return l.session.State() == Established && len(l.table) == 4 }
	l.until("session", up, show)

	l.do(l.session.Send(time.Now(), wire.Refresh{Family: wire.IPv6Unicast}.Append(nil), nil))
	l.until("enhanced refresh", func() bool { return len(l.refreshes) == 2 }, show)

	ask("configure terminal", "router bgp 65003", "neighbor 198.18.0.1 shutdown message back at nine")
	l.until("shutdown", func() bool { return l.session.State() != Established }, show)
	if last := l.session.Last(); !last.Received || last.Notification.Message() != "back at nine" {
		t.Errorf("FRR's shutdown: %v, received %v", last.Notification, last.Received)
	}
	ask("configure terminal", "router bgp 65003", "no neighbor 198.18.0.1 shutdown")
	l.until("session again", up, show)

	l.do(l.session.Stop(time.Now(), wire.Shutdown(wire.CeaseAdminShutdown, "at lunch"), nil))
	l.until("FRR's words about it", func() bool { return strings.Contains(show(), "Cease/Administrative Shutdown") }, show)
	l.do(l.session.Start(time.Now(), nil))
	l.until("session a third time", up, show)
	l.do(l.session.Restart(time.Now(), wire.Notification{Code: wire.CodeCease, Subcode: wire.CeaseMaxPrefixes}, nil))
	l.until("session a fourth time", up, show)
}
