package daemon

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"routerd/dataplane/port/device"
	"routerd/internal/control"
)

// filterSite is a natSite with a filter towards the outside, both families: h1
// is translated over IPv4, h2 is not.
//
//	h1 10.0.1.2, 2001:db8:1::2 -- lan0 [ r1 ] wan0 -- out 203.0.113.2, 2001:db8:113::2 -- far
//	h2 10.0.2.2 ----------------- lan1 [    ]
type filterSite struct{ *natSite }

const filterLists = `
[[nat.source]]
name = "lan-out"
outbound-interface = "wan0"
source = "10.0.1.0/24"
translation = "masquerade"
[acl]
local = "router"
[acl.router]
[[acl.router.rule]]
name = "inside"
inbound-interface = ["lan0", "lan1"]
action = "accept"
[[acl.router.rule]]
name = "ping"
protocol = ["icmp", "icmpv6"]
action = "accept"
[acl.wan-in]
[[acl.wan-in.rule]]
name = "ping"
protocol = ["icmp", "icmpv6"]
destination = ["203.0.113.1", "2001:db8:113::1"]
action = "accept"
[[acl.wan-in.rule]]
name = "web"
protocol = "tcp"
destination-port = [80, 82]
action = "accept"
[[acl.wan-in.rule]]
name = "telnet"
protocol = "tcp"
destination-port = 23
action = "reject"
`

func newFilterSite(t *testing.T) *filterSite {
	t.Helper()
	n := &filterSite{newNATSite(t, "")}
	n.writeLists(filterLists)
	for _, argv := range [][]string{
		{"ip", "-n", n.out, "route", "add", "10.0.2.0/24", "via", "203.0.113.1"},
		{"ip", "-n", n.out, "address", "add", "2001:db8:113::2/64", "dev", "eth0", "nodad"},
		{"ip", "-n", n.out, "route", "add", "2001:db8:1::/64", "via", "2001:db8:113::1"},
	} {
		n.must(argv...)
	}
	return n
}

// writeLists writes the configuration with these lists.
func (n *filterSite) writeLists(lists string) {
	n.t.Helper()
	n.write(lists)
	text, err := os.ReadFile(n.config)
	if err != nil {
		n.t.Fatal(err)
	}
	edited := strings.NewReplacer(
		`addresses = ["203.0.113.1/24"]`, `addresses = ["203.0.113.1/24", "2001:db8:113::1/64"]`+"\nacl-in = \"wan-in\"",
		`addresses = ["10.0.1.1/24"]`, `addresses = ["10.0.1.1/24", "2001:db8:1::1/64"]`,
		`addresses = ["10.0.1.2/24"], routes = ["0.0.0.0/0"]`, `addresses = ["10.0.1.2/24", "2001:db8:1::2/64"], routes = ["0.0.0.0/0", "::/0"]`,
	).Replace(string(text))
	if err := os.WriteFile(n.config, []byte(edited), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// probe says what a TCP connection from a namespace meets: open, refused,
// unreachable or nothing.
func (n *filterSite) probe(from, address string) string {
	n.t.Helper()
	var met string
	if err := device.InNamespace(from, func() error {
		c, err := (&net.Dialer{Timeout: time.Second}).Dial("tcp", address)
		var timeout net.Error
		switch {
		case err == nil:
			c.Close()
			met = "open"
		case errors.Is(err, syscall.ECONNREFUSED):
			met = "refused"
		case errors.As(err, &timeout) && timeout.Timeout():
			met = "nothing"
		default:
			met = err.Error()
		}
		return nil
	}); err != nil {
		n.t.Fatal(err)
	}
	return met
}

// TestFilterLive: real hosts on both sides of a filter, in both families, with
// translation and without.
func TestFilterLive(t *testing.T) {
	n := newFilterSite(t)
	n.start()
	h1, h2 := n.hosts[0], n.hosts[1]
	listening := func(ns, host string, ports ...int) {
		for _, p := range ports {
			listen(t, ns, net.JoinHostPort(host, fmt.Sprint(p)))
		}
	}
	listening(h2, "10.0.2.2", 23, 80, 81)
	listening(h1, "2001:db8:1::2", 23, 80, 81)
	listening(n.out, "203.0.113.2", 443)
	listening(n.out, "2001:db8:113::2", 443)
	wait(t, "IPv6 to the outside", func() error {
		if out := n.run(h1, "ping", "-6", "-n", "-c1", "-W1", "2001:db8:113::2"); !strings.Contains(out, "1 received") {
			return errors.New(out)
		}
		return nil
	})

	n.sub("scan of every state of a port", func(*natSite) {
		for _, host := range []string{"10.0.2.2", "2001:db8:1::2"} {
			for port, want := range map[int]string{80: "open", 82: "refused", 81: "nothing", 23: "refused", 4000: "nothing"} {
				address := net.JoinHostPort(host, fmt.Sprint(port))
				got := n.probe(n.out, address)
				if got == "nothing" && want != "nothing" {
					got = n.probe(n.out, address) // a loaded machine may need more than a second
				}
				if got != want {
					t.Errorf("%s from outside: %s, want %s", address, got, want)
				}
			}
		}
		for _, address := range []string{"203.0.113.1:80", "[2001:db8:113::1]:80"} {
			if got := n.probe(n.out, address); got != "nothing" {
				t.Errorf("%s, the router itself, from outside: %s, want nothing", address, got)
			}
		}
	})
	n.sub("from inside", func(s *natSite) {
		for from, list := range map[string][]string{h1: {"203.0.113.2", "2001:db8:113::2"}, h2: {"203.0.113.2"}} {
			for _, host := range list {
				if got := n.probe(from, net.JoinHostPort(host, "443")); got != "open" {
					t.Errorf("%s from %s: %s, want it open", host, from, got)
				}
				s.says(from, []string{"2 received"}, "ping", "-n", "-c2", "-i0.2", "-W5", host)
				// They come in pieces, and leave in pieces. Over IPv6 the sender
				// learns from the first that they have to be smaller.
				wait(s.t, "a packet in pieces to pass", func() error {
					if out := s.run(from, "ping", "-n", "-c1", "-s", "4000", "-W5", host); !strings.Contains(out, "1 received") {
						return errors.New(out)
					}
					return nil
				})
				s.says(from, []string{" 2  " + host}, "traceroute", "-n", "-q1", "-w5", "-N1", "-m4", host)
			}
		}
		s.says(h1, []string{fmt.Sprintf("pmtu %d", outMTU), fmt.Sprintf("Resume: pmtu %d hops 3 back 3", farMTU)}, "tracepath", "-n", "198.51.100.2")
	})
	n.sub("from outside nothing but what is meant", func(s *natSite) {
		s.says(n.out, []string{"1 received"}, "ping", "-n", "-c1", "-W5", "203.0.113.1")
		s.says(n.out, []string{"0 received"}, "ping", "-n", "-c1", "-W1", "10.0.2.2")
		s.says(n.out, []string{"0 received"}, "ping", "-6", "-n", "-c1", "-W1", "2001:db8:1::2")
	})
	n.sub("what the router says of it", func(*natSite) { n.tells() })
}

// tells checks show acl, clear acl counters, show drops and explain packet.
func (n *filterSite) tells() {
	n.t.Helper()
	c, ctx := n.client(), n.t.Context()
	hits := func() map[string]uint64 {
		a, err := c.ACL(ctx)
		if err != nil {
			n.t.Fatal(err)
		}
		m := map[string]uint64{}
		for _, r := range a.Rules {
			m[r.List+"/"+r.Rule] = r.Packets
		}
		return m
	}
	for rule, count := range hits() {
		if count == 0 && rule != "router/inside" {
			n.t.Errorf("rule %s has matched nothing", rule)
		}
	}
	drops, err := c.Drops(ctx, control.DropQuery{Last: 100})
	if err != nil {
		n.t.Fatal(err)
	}
	said := map[string]bool{}
	for _, d := range drops.Last {
		said[d.Sentence] = true
	}
	for _, want := range []string{"dropped by the default action of acl wan-in", "rejected by rule telnet of acl wan-in", "dropped by the default action of acl router"} {
		if !said[want] {
			n.t.Errorf("no drop says %q: %v", want, said)
		}
	}
	byRule, byVerdict := map[string]uint64{}, map[string]uint64{}
	for _, r := range drops.Rules {
		byRule[r.Verdict] += r.Packets
		said[r.List+"/"+r.Rule] = r.Packets > 0 && strings.Contains(r.Origin, n.config+":")
	}
	for _, v := range drops.Verdicts {
		byVerdict[v.Verdict] = v.Packets
	}
	if byRule["acl_dropped"] != byVerdict["acl_dropped"] || byRule["acl_rejected"] != byVerdict["acl_rejected"] || !said["wan-in/telnet"] || !said["router/"] {
		n.t.Errorf("by rule %+v, and by verdict %v dropped and %v rejected", drops.Rules, byVerdict["acl_dropped"], byVerdict["acl_rejected"])
	}
	if err := c.ClearACL(ctx); err != nil {
		n.t.Fatal(err)
	}
	x, err := c.ExplainPacket(ctx, control.PacketQuery{In: "wan0", Src: mustAddr("2001:db8:113::2"), Dst: mustAddr("2001:db8:1::2"), Protocol: "tcp", SrcPort: 4000, DstPort: 23})
	if err != nil {
		n.t.Fatal(err)
	}
	text, _ := os.ReadFile(n.config)
	line := 1 + strings.Count(string(text[:strings.Index(string(text), `name = "telnet"`)]), "\n")
	found := false
	for _, s := range x.Steps {
		found = found || s.Stage == "acl-in" && strings.Contains(fmt.Sprint(s), "rejected by rule telnet of acl wan-in") && strings.Contains(s.Origin, fmt.Sprintf(":%d", line))
	}
	if !found || x.Verdict != "acl_rejected" {
		n.t.Errorf("explain packet says %+v; want the rule telnet in line %d", x, line)
	}
	if got := hits(); got["wan-in/telnet"] != 0 || got["wan-in/web"] != 0 {
		n.t.Errorf("after the counters were cleared, and with explain packet alone: %v", got)
	}
}

// TestFilterReload: a reload ends the sessions that are no longer allowed, as
// many as diff has promised, and no others.
func TestFilterReload(t *testing.T) {
	n := newFilterSite(t)
	n.start()
	echoTCP(t, n.hosts[1], "10.0.2.2:80")
	echoTCP(t, n.hosts[0], "[2001:db8:1::2]:80")
	echoTCP(t, n.hosts[0], "[2001:db8:1::2]:82")
	echoTCP(t, n.out, "203.0.113.2:443")
	wait(t, "IPv6 from the outside", func() error {
		if got := n.probe(n.out, "[2001:db8:1::2]:80"); got != "open" {
			return errors.New(got)
		}
		return nil
	})
	four, six := dial(t, n.out, "tcp", "10.0.2.2:80"), dial(t, n.out, "tcp", "[2001:db8:1::2]:80")
	other, inside := dial(t, n.out, "tcp", "[2001:db8:1::2]:82"), dial(t, n.hosts[0], "tcp", "203.0.113.2:443")
	for _, c := range []net.Conn{four, six, other, inside} {
		if err := echoed(c, "before", 5*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	sessions := func() int {
		a, err := n.client().ACL(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return a.Sessions4 + a.Sessions6
	}
	n.writeLists(strings.Replace(filterLists, "destination-port = [80, 82]", "destination-port = 82", 1))
	before := sessions()
	diff, err := n.client().Diff(t.Context())
	if err != nil || len(diff.Changes) != 1 {
		t.Fatalf("diff says %+v, %v; want one change", diff, err)
	}
	if _, err := n.client().Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("sessions that the filter ends in all: %d", before-sessions()); diff.Changes[0].Impact != want || before-sessions() < 2 {
		t.Errorf("diff promised %q; %d sessions of %d are left", diff.Changes[0].Impact, sessions(), before)
	}
	for name, c := range map[string]net.Conn{"to port 82": other, "from inside": inside} {
		if err := echoed(c, "after", 10*time.Second); err != nil {
			t.Errorf("the connection %s: %v, want it to go on", name, err)
		}
	}
	for name, c := range map[string]net.Conn{"IPv4": four, "IPv6": six} {
		if err := echoed(c, "after", time.Second); err == nil {
			t.Errorf("the connection to port 80 over %s goes on", name)
		}
	}
}
