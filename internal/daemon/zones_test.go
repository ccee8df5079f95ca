package daemon

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"routerd/dataplane/port/device"
)

// zoneSite is a gateway with four zones and a host in each, in both families.
// IPv4 is translated towards the outside, IPv6 is not.
//
//	lan    10.1.0.2, 2001:db8:1::2 -- lan0   [    ]
//	guests 10.2.0.2, 2001:db8:2::2 -- guest0 [ gw ] wan0 -- wan 203.0.113.2, 2001:db8:113::2, MTU 1400
//	dmz    10.3.0.2, 2001:db8:3::2 -- dmz0   [    ]         (a TAP, the others are TUNs)
type zoneSite struct {
	*natSite
	netns map[string]string // by zone
}

// zoneHosts are the hosts of the zones, IPv4 and IPv6.
var zoneHosts = map[string][2]string{
	"lan":    {"10.1.0.2", "2001:db8:1::2"},
	"guests": {"10.2.0.2", "2001:db8:2::2"},
	"dmz":    {"10.3.0.2", "2001:db8:3::2"},
	"wan":    {"203.0.113.2", "2001:db8:113::2"},
}

// zonePolicies are the lists by which the zones are filtered.
var zonePolicies = map[[2]string]string{
	{"lan", "wan"}: "all", {"lan", "dmz"}: "all", {"guests", "wan"}: "all",
	{"guests", "dmz"}: "server", {"wan", "dmz"}: "server", {"dmz", "wan"}: "updates",
}

const zoneLists = `
[[nat.source]]
name = "out"
outbound-interface = "wan0"
source = "10.0.0.0/8"
translation = "masquerade"
[[nat.destination]]
name = "web"
inbound-interface = "wan0"
protocol = "tcp"
destination = "203.0.113.1:80"
translation = "10.3.0.2:80"
hairpin = true
[acl.all]
default-action = "accept"
[acl.server]
default-action = "drop"
[[acl.server.rule]]
name = "web"
protocol = "tcp"
destination-port = 80
action = "accept"
[[acl.server.rule]]
name = "echo"
protocol = "udp"
destination-port = 7
action = "accept"
[[acl.server.rule]]
name = "ping"
protocol = "icmp"
icmp-type = "echo-request"
action = "accept"
[[acl.server.rule]]
name = "ping6"
protocol = "icmpv6"
icmp-type = "echo-request"
action = "accept"
[acl.updates]
default-action = "reject"
[[acl.updates.rule]]
name = "web"
protocol = "tcp"
destination-port = [80, 81]
action = "accept"
[[acl.updates.rule]]
name = "udp"
protocol = "udp"
destination-port = 9
action = "accept"
`

func newZoneSite(t *testing.T) *zoneSite {
	t.Helper()
	s := newSite(t)
	z := &zoneSite{natSite: &natSite{site: s, t: t}, netns: map[string]string{"lan": s.hosts[0], "guests": s.hosts[1]}}
	for _, zone := range []string{"dmz", "wan"} {
		ns := strings.Replace(s.hosts[0], "-h1", "-"+zone, 1)
		z.netns[zone] = ns
		s.must("ip", "netns", "add", ns)
		t.Cleanup(func() { s.must("ip", "netns", "del", ns) })
		s.must("ip", "-n", ns, "link", "set", "lo", "up")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "name = \"gw\"\n[api]\nlisten = [\"unix://%s\"]\n", s.socket())
	for i, zone := range []string{"lan", "guests", "dmz", "wan"} {
		kind, mtu, four, six := "tun", 1500, fmt.Sprintf("10.%d.0.", i+1), fmt.Sprintf("2001:db8:%d::", i+1)
		device := [...]string{"lan0", "guest0", "dmz0", "wan0"}[i]
		if zone == "dmz" {
			kind = "tap"
		}
		if zone == "wan" {
			mtu, four, six = outMTU, "203.0.113.", "2001:db8:113::"
		}
		fmt.Fprintf(&b, `
[interface.%s]
kind = %q
mtu = %d
addresses = ["%s1/24", "%s1/64"]
host = { netns = %q, device = "eth0", addresses = ["%s2/24", "%s2/64"], routes = ["0.0.0.0/0", "::/0"] }
[zone.%s]
interfaces = [%q]
`, device, kind, mtu, four, six, z.netns[zone], four, six, zone, device)
	}
	for pair, list := range zonePolicies {
		fmt.Fprintf(&b, "[[zone.policy]]\nfrom = %q\nto = %q\nacl = %q\n", pair[0], pair[1], list)
	}
	if err := os.WriteFile(s.config, []byte(b.String()+zoneLists), 0o600); err != nil {
		t.Fatal(err)
	}
	return z
}

// zoneDecision is what the filter is meant to do with a first packet.
func zoneDecision(from, to, protocol string, port int) string {
	switch list := zonePolicies[[2]string{from, to}]; {
	case list == "all":
		return "accept"
	case list == "server" && (protocol == "tcp" && port == 80 || protocol == "udp" && port == 7 || protocol == "icmp"):
		return "accept"
	case list == "updates" && (protocol == "tcp" && (port == 80 || port == 81) || protocol == "udp" && port == 9):
		return "accept"
	case list == "updates":
		return "reject"
	}
	return "drop"
}

// meets is what a host meets that sends to a port of an accepted, dropped or rejected
// packet; if it is accepted, that depends on who listens.
func meets(decision, protocol string, listening bool) string {
	switch {
	case decision == "drop":
		return "nothing"
	case decision == "reject" && protocol != "tcp":
		return "prohibited"
	case decision == "reject" || !listening:
		return "refused"
	}
	return "open"
}

// met names what an attempt ended with.
func met(err error) string {
	var timeout net.Error
	switch {
	case err == nil:
		return "open"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EACCES):
		return "prohibited"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "nothing"
	}
	return err.Error()
}

// try makes an attempt until it meets what is meant, but no longer than a loaded machine
// needs, and reports what it met at last. To meet nothing is tried once.
func (z *zoneSite) try(what, want string, attempt func() error) {
	z.t.Helper()
	var got string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got = met(attempt()); got == want || want == "nothing" {
			break
		}
	}
	if got != want {
		z.t.Errorf("%s meets %s, want %s", what, got, want)
	}
}

// dialFrom connects from a zone, and has what was sent answered where it is a datagram.
func (z *zoneSite) dialFrom(from, network, address string, size int, seenAs string) error {
	var c net.Conn
	err := device.InNamespace(z.netns[from], func() (err error) {
		c, err = (&net.Dialer{Timeout: time.Second}).Dial(network, address)
		return err
	})
	if err != nil {
		return err
	}
	defer c.Close()
	if network == "tcp" {
		return nil
	}
	if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	text := strings.Repeat("x", size)
	if _, err := c.Write([]byte(text)); err != nil {
		return err
	}
	buf := make([]byte, 8192)
	n, err := c.Read(buf)
	if err != nil {
		return err
	}
	peer, rest, _ := strings.Cut(string(buf[:n]), " ")
	if host, _, _ := net.SplitHostPort(peer); host != seenAs || rest != text {
		return fmt.Errorf("%d octets from %s, want %d from %s", len(rest), peer, size, seenAs)
	}
	return nil
}

// serve opens what every host of a zone serves: TCP on 80 and 22, an echo on UDP 7.
func (z *zoneSite) serve() {
	for zone, ns := range z.netns {
		for _, host := range zoneHosts[zone] {
			listen(z.t, ns, net.JoinHostPort(host, "80"))
			listen(z.t, ns, net.JoinHostPort(host, "22"))
			inNetns(z.t, ns, func() error {
				c, err := net.ListenPacket("udp", net.JoinHostPort(host, "7"))
				if err != nil {
					return err
				}
				z.t.Cleanup(func() { c.Close() })
				go func() {
					buf := make([]byte, 8192)
					for {
						n, from, err := c.ReadFrom(buf)
						if err != nil {
							return
						}
						_, _ = c.WriteTo(fmt.Appendf(nil, "%s %s", from, buf[:n]), from)
					}
				}()
				return nil
			})
		}
	}
}

// TestZonesLive: what a host of every zone meets at the ports of the host of every other one.
func TestZonesLive(t *testing.T) {
	z := newZoneSite(t)
	z.site.start()
	z.serve()
	var all sync.WaitGroup
	for from := range zoneHosts {
		for to := range zoneHosts {
			for family := range 2 {
				if from != to {
					all.Go(func() { z.pair(from, to, family) })
				}
			}
		}
		// By the outside address inside hosts reach the server too.
		all.Go(func() {
			z.try(from+" to the outside address, port 80", "open", func() error { return z.dialFrom(from, "tcp", "203.0.113.1:80", 0, "") })
		})
	}
	all.Wait()
}

// pair tries all protocols from one zone to another.
func (z *zoneSite) pair(from, to string, family int) {
	host, seenAs := zoneHosts[to][family], zoneHosts[from][family]
	if to == "wan" && family == 0 {
		seenAs = "203.0.113.1" // translated
	}
	var all sync.WaitGroup
	try := func(protocol string, port, size int, listening bool) {
		what := fmt.Sprintf("%s to %s, %s %s, port %d, %d octets", from, to, protocol, host, port, size)
		all.Go(func() {
			z.try(what, meets(zoneDecision(from, to, protocol, port), protocol, listening), func() error {
				return z.dialFrom(from, protocol, net.JoinHostPort(host, fmt.Sprint(port)), size, seenAs)
			})
		})
	}
	try("tcp", 80, 0, true)
	try("tcp", 22, 0, true)
	try("tcp", 81, 0, false)
	try("udp", 7, 10, true)
	try("udp", 7, 3000, true) // in fragments
	try("udp", 9, 10, false)  // the answer is an ICMP error, of the host
	all.Go(func() {
		z.try(fmt.Sprintf("%s to %s, ping %s", from, to, host), meets(zoneDecision(from, to, "icmp", 0), "icmp", true), func() error {
			return z.pings(from, host)
		})
	})
	if zonePolicies[[2]string{from, to}] == "all" {
		all.Go(func() { z.hops(from, host, family) })
		if to == "wan" {
			all.Go(func() { z.pathMTU(from, host) })
		}
	}
	all.Wait()
}

// pings sends one echo request.
func (z *zoneSite) pings(from, host string) error {
	switch out := z.run(z.netns[from], "ping", "-n", "-c1", "-W1", host); {
	case strings.Contains(out, "1 received"):
		return nil
	case strings.Contains(out, "Packet filtered"), strings.Contains(out, "prohibited"):
		return syscall.EHOSTUNREACH
	case strings.Contains(out, "0 received"):
		return os.ErrDeadlineExceeded
	default:
		return errors.New(out)
	}
}

// hops wants traceroute to name the gateway and the host behind it.
func (z *zoneSite) hops(from, host string, family int) {
	gateway := strings.TrimSuffix(zoneHosts[from][family], "2") + "1"
	z.try(fmt.Sprintf("traceroute from %s to %s", from, host), "open", func() error {
		out := z.run(z.netns[from], "traceroute", "-n", "-q1", "-w2", "-N1", "-m3", host)
		if !strings.Contains(out, " 1  "+gateway) || !strings.Contains(out, " 2  "+host) {
			return errors.New(out)
		}
		return nil
	})
}

// pathMTU wants the sender of a packet that is too long to learn of the link's MTU.
func (z *zoneSite) pathMTU(from, host string) {
	z.try(fmt.Sprintf("a packet of 1,500 octets from %s to %s", from, host), "open", func() error {
		out := z.run(z.netns[from], "tracepath", "-n", "-m3", host)
		if !strings.Contains(out, fmt.Sprintf("pmtu %d", outMTU)) || !strings.Contains(out, "reached") {
			return errors.New(out)
		}
		return nil
	})
}
