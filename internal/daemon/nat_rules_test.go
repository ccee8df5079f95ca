package daemon

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"routerd/dataplane/port/device"
)

// A port forward is reached from outside, and by hairpin from inside, where
// the server sees the router's outside address and not its neighbour's.
func TestNATPortForward(t *testing.T) {
	n := newNATSite(t, masquerade+`
[[nat.destination]]
name = "web"
inbound-interface = "wan0"
protocol = "tcp"
destination = "203.0.113.1:80"
translation = "10.0.1.2:8080"
hairpin = true
[[nat.destination]]
name = "echoes"
inbound-interface = "wan0"
protocol = "udp"
destination = "203.0.113.1:7000-7009"
translation = "10.0.1.2:8000-8009"
`)
	n.start()
	n.web(n.hosts[0], "10.0.1.2:8080")
	echo(t, n.hosts[0], "10.0.1.2:8003")
	n.wantSeen(n.far, "203.0.113.1:80", "198.51.100.2")
	n.wantSeen(n.out, "203.0.113.1:80", "203.0.113.2")
	for _, h := range n.hosts {
		n.wantSeen(h, "203.0.113.1:80", "203.0.113.1")
	}
	from := packetConn(t, n.far, "198.51.100.2:4000")
	if got, err := seen(from, "203.0.113.1:7003"); err != nil || got.String() != "198.51.100.2:4000" {
		t.Errorf("the fourth port of a range reaches one that sees %s (%v), want 198.51.100.2:4000", got, err)
	}
	// Nobody was taken for a stranger on the way.
	if got := n.dropped("nat_filtered"); got != 0 {
		t.Errorf("%d packets were filtered, want none", got)
	}
	n.says(n.far, []string{fmt.Sprint(1 << 20)}, "curl", "-sS", "--max-time", "15", "-o", "/dev/null", "-w", "%{size_download}", "http://203.0.113.1/file")
	n.says(n.hosts[1], []string{fmt.Sprint(1 << 20)}, "curl", "-sS", "--max-time", "15", "-o", "/dev/null", "-w", "%{size_download}", "http://203.0.113.1/file")
}

// A host has an outside address to itself, both ways, which the router
// answers for on its Ethernet; fragments come and go.
func TestNATStatic(t *testing.T) {
	n := newNATSite(t, masquerade+`
[[nat.static]]
name = "dmz"
outside = "203.0.113.10"
inside = "10.0.1.2"
hairpin = true
`)
	n.web(n.far, "198.51.100.2:80")
	n.start()
	n.web(n.hosts[0], "10.0.1.2:80")
	n.wantSeen(n.hosts[0], "198.51.100.2:80", "203.0.113.10")
	n.wantSeen(n.hosts[1], "198.51.100.2:80", "203.0.113.1")
	n.wantSeen(n.far, "203.0.113.10:80", "198.51.100.2")
	n.wantSeen(n.hosts[1], "203.0.113.10:80", "203.0.113.1")
	n.says(n.far, []string{"2 received", "from 203.0.113.10"}, "ping", "-n", "-c2", "-i0.2", "-W5", "203.0.113.10")
	n.says(n.far, []string{"2 received"}, "ping", "-n", "-M", "dont", "-s", "5000", "-c2", "-i0.2", "-W5", "203.0.113.10")
	n.says(n.far, []string{" 1  198.51.100.1 ", " 2  203.0.113.1 ", " 3  203.0.113.10 "}, "traceroute", "-n", "-q1", "-w5", "-N1", "-m5", "203.0.113.10")
	n.says(n.hosts[0], []string{fmt.Sprintf("Resume: pmtu %d hops 3 back 3", farMTU)}, "tracepath", "-n", "198.51.100.2")
	if out := n.must("ip", "-n", n.out, "neigh", "show", "203.0.113.10"); !strings.Contains(out, "lladdr") {
		t.Errorf("the neighbour knows of 203.0.113.10: %q, want the router's address", out)
	}
}

// A pool has addresses that no interface has: ARP answers for them. A host
// keeps to one; nobody else is answered for.
func TestNATPool(t *testing.T) {
	n := newNATSite(t, `
[nat.pool.cgn]
addresses = ["203.0.113.32-203.0.113.33"]
[[nat.source]]
name = "lan-out"
outbound-interface = "wan0"
translation = "pool:cgn"
`)
	n.web(n.far, "198.51.100.2:80")
	n.web(n.out, "203.0.113.2:80")
	n.start()
	first := n.seenBy(n.hosts[0], "198.51.100.2:80").Addr()
	if s := first.String(); s != "203.0.113.32" && s != "203.0.113.33" {
		t.Errorf("seen as %s, want an address of the pool", s)
	}
	n.wantSeen(n.hosts[0], "203.0.113.2:80", first.String())
	n.says(n.hosts[1], []string{"2 received"}, "ping", "-n", "-c2", "-i0.2", "-W5", "198.51.100.2")
	// Nobody has the endpoint: the packet is nobody's, and goes in no circle.
	from := packetConn(t, n.out, "203.0.113.2:4000")
	for _, a := range []string{"203.0.113.32", "203.0.113.33"} {
		to := packetAddr(t, a+":4321")
		n.wantDropped("nat_no_mapping", func() error {
			_, err := from.WriteToUDPAddrPort([]byte("anybody?"), to)
			return err
		})
	}
	for _, a := range []string{"203.0.113.32", "203.0.113.33"} {
		if out := n.must("ip", "-n", n.out, "neigh", "show", a); !strings.Contains(out, "lladdr") {
			t.Errorf("the neighbour knows of %s: %q, want the router's address", a, out)
		}
	}
	n.says(n.out, []string{"0 received"}, "ping", "-n", "-c1", "-W1", "203.0.113.34")
}

// The router's own flows and listeners are at home on the address that others
// are masqueraded as, and neither gets what is the other's.
func TestNATBesideOwnFlows(t *testing.T) {
	s := newNATSite(t, masquerade)
	stack := strings.Replace(s.hosts[0], "-h1", "-stack", 1)
	s.write(masquerade + fmt.Sprintf("[local-stack]\nnetns = %q\n", stack))
	s.web(s.far, "198.51.100.2:80")
	echo(t, s.far, "198.51.100.2:7")
	s.start()
	s.web(stack, "203.0.113.1:8080")
	s.wantSeen(stack, "198.51.100.2:80", "203.0.113.1")
	s.wantSeen(s.far, "203.0.113.1:8080", "198.51.100.2")
	s.wantSeen(s.hosts[0], "203.0.113.1:8080", "10.0.1.2")
	// The same port of the router and of a host behind it, the router first
	// and the host first.
	for i, order := range [][2]string{{stack, s.hosts[0]}, {s.hosts[0], stack}} {
		port := uint16(41000 + i)
		for _, ns := range order {
			address := "10.0.1.2"
			if ns == stack {
				address = "203.0.113.1"
			}
			c := packetConn(t, ns, fmt.Sprintf("%s:%d", address, port))
			got, err := seen(c, "198.51.100.2:7")
			if err != nil || got.Addr() != mustAddr("203.0.113.1") || (got.Port() == port) != (ns == order[0]) {
				t.Errorf("%s:%d is seen as %s (%v), want the router's address, and the port kept for %s alone", address, port, got, err, order[0])
			}
		}
	}
	s.says(stack, []string{"1 received"}, "ping", "-n", "-c1", "-W5", "198.51.100.2")
	s.says(s.far, []string{"1 received"}, "ping", "-n", "-c1", "-W5", "203.0.113.1")
}

// A pool that has run out refuses who is new and nobody else, and says so
// wherever somebody looks.
func TestNATPoolExhaustion(t *testing.T) {
	const ports = 4
	n := newNATSite(t, `
[nat.pool.small]
addresses = ["203.0.113.32"]
ports = "40000-40003"
[[nat.source]]
name = "lan-out"
outbound-interface = "wan0"
protocol = "udp"
translation = "pool:small"
[[nat.source]]
name = "others-out"
outbound-interface = "wan0"
translation = "masquerade"
`)
	echo(t, n.far, "198.51.100.2:7")
	n.start()
	used := map[string]bool{}
	for i := range ports {
		got, err := seen(packetConn(t, n.hosts[i%2], fmt.Sprintf("10.0.%d.2:%d", i%2+1, 5000+i)), "198.51.100.2:7")
		if err != nil || got.Addr() != mustAddr("203.0.113.32") || used[got.String()] {
			t.Errorf("flow %d is seen as %s (%v), want a port of the pool of its own, beside %v", i, got, err, used)
		}
		used[got.String()] = true
	}
	for i := range 3 {
		c := packetConn(t, n.hosts[i%2], fmt.Sprintf("10.0.%d.2:%d", i%2+1, 6000+i))
		n.wantDropped("nat_pool_exhausted", func() error {
			_, err := c.WriteToUDPAddrPort([]byte("who am I?"), packetAddr(t, "198.51.100.2:7"))
			return err
		})
	}
	// By another rule there is room.
	n.says(n.hosts[0], []string{"1 received"}, "ping", "-n", "-c1", "-W5", "198.51.100.2")
}

// ICMP errors find their sockets through translation in either direction: the
// kernel takes one only if the packet it quotes is the socket's own.
func TestNATErrorsFindTheirSockets(t *testing.T) {
	n := newNATSite(t, masquerade+`
[[nat.destination]]
name = "games"
inbound-interface = "wan0"
protocol = ["tcp", "udp"]
destination = "203.0.113.1:7000"
translation = "10.0.1.2:8000"
hairpin = true
[[nat.static]]
name = "dmz"
outside = "203.0.113.10"
inside = "10.0.2.2"
`)
	n.start()
	for _, c := range []struct{ from, to string }{
		{n.hosts[0], "198.51.100.2:9"}, // masqueraded
		{n.far, "203.0.113.1:7000"},    // forwarded
		{n.hosts[1], "203.0.113.1:7000"},
		{n.far, "203.0.113.10:9"}, // static, from outside and from inside
		{n.hosts[1], "198.51.100.2:9"},
	} {
		for range 2 {
			conn := dial(t, c.from, "udp", c.to)
			if err := refused(conn); err != nil {
				t.Errorf("from %s to the closed port %s: %v", c.from, c.to, err)
			}
			conn.Close()
		}
		var conn net.Conn
		err := device.InNamespace(c.from, func() (err error) {
			conn, err = (&net.Dialer{Timeout: 5 * time.Second}).Dial("tcp", c.to)
			return err
		})
		if err == nil {
			conn.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("TCP from %s to the closed port %s: %v, want it refused", c.from, c.to, err)
		}
	}
	if got := n.dropped("nat_icmp_unmatched"); got != 0 {
		t.Errorf("%d errors belonged to nothing, want none", got)
	}
}

// Two inside hosts that know of each other what a server outside sees speak by
// those endpoints, and see nothing else of each other (RFC 4787 REQ-9a).
func TestNATHairpinByMapping(t *testing.T) {
	n := newNATSite(t, masquerade)
	echo(t, n.far, "198.51.100.2:7")
	n.start()
	var conns [2]*net.UDPConn
	var known [2]netip.AddrPort
	for i, address := range []string{"10.0.1.2:5000", "10.0.2.2:5000"} {
		var err error
		conns[i] = packetConn(t, n.hosts[i], address)
		if known[i], err = seen(conns[i], "198.51.100.2:7"); err != nil {
			t.Fatal(err)
		}
	}
	if known[0] == known[1] {
		t.Fatalf("both are seen as %s", known[0])
	}
	for i := range 4 {
		from, to := i%2, 1-i%2
		text := fmt.Sprintf("%d says hello", i)
		heard, by, err := exchange(conns[from], conns[to], known[to], text, func(heard string) bool { return heard == text })
		if err != nil || by != known[from] {
			t.Errorf("%q arrives as %q from %s (%v), want it from %s", text, heard, by, err, known[from])
		}
	}
}
