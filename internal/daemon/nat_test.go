package daemon

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"routerd/internal/stun"
)

// What people use every day works through masquerade, and is seen as the
// router's outside address.
func TestNATMasquerade(t *testing.T) {
	n := newNATSite(t, masquerade)
	n.web(n.far, "198.51.100.2:80")
	n.web(n.out, "203.0.113.2:80")
	dns(t, n.far, "198.51.100.2:53")
	n.start()
	h1, h2 := n.hosts[0], n.hosts[1]

	n.sub("ping", func(n *natSite) {
		n.says(h1, []string{"3 received", "ttl=62"}, "ping", "-n", "-c3", "-i0.2", "-W5", "198.51.100.2")
	})
	n.sub("ping from two hosts at once with one identifier", func(n *natSite) {
		for _, h := range []string{h1, h2} {
			n.says(h, []string{"1 received"}, "ping", "-n", "-c1", "-W5", "-e", "77", "198.51.100.2")
		}
	})
	// 5000 bytes come to the router in fragments, are put together, leave in
	// fragments, and the answer likewise.
	n.sub("fragments", func(n *natSite) {
		for _, size := range []string{"1400", "5000", "60000"} {
			n.says(h1, []string{"2 received"}, "ping", "-n", "-M", "dont", "-s", size, "-c2", "-i0.2", "-W5", "198.51.100.2")
		}
	})
	n.sub("web", func(n *natSite) {
		n.wantSeen(h1, "198.51.100.2:80", "203.0.113.1")
		n.wantSeen(h2, "203.0.113.2:80", "203.0.113.1")
	})
	// RFC 4787 REQ-3: the port is kept while nobody else has it.
	n.sub("ports", func(n *natSite) {
		first := n.seenBy(h1, "198.51.100.2:80", "--local-port", "40123")
		second := n.seenBy(h2, "198.51.100.2:80", "--local-port", "40123")
		if first.Port() != 40123 || second.Port() == 40123 {
			n.t.Errorf("40123 of two hosts is seen as %d and %d, want it kept for the first alone", first.Port(), second.Port())
		}
	})
	n.sub("DNS", func(n *natSite) {
		for _, h := range []string{h1, h2} {
			got, err := resolve(n.t.Context(), h, "198.51.100.2:53", "www.example.net.")
			if err != nil || !slices.Equal(got, []string{"192.0.2.80"}) {
				n.t.Errorf("%s: %v (%v), want 192.0.2.80", h, got, err)
			}
		}
	})
	for how, method := range map[string]string{"UDP": "default", "ICMP": "icmp", "TCP": "tcp"} {
		n.sub("traceroute by "+how, func(n *natSite) {
			n.says(h1, []string{" 1  10.0.1.1 ", " 2  203.0.113.2 ", " 3  198.51.100.2 "}, "traceroute", "-n", "-M", method, "-q1", "-w5", "-N1", "-m5", "198.51.100.2")
		})
	}
	// The router itself refuses first, then who is beyond it; its errors are
	// translated back.
	n.sub("tracepath", func(n *natSite) {
		n.says(h1, []string{fmt.Sprintf("pmtu %d", outMTU), fmt.Sprintf("Resume: pmtu %d hops 3 back 3", farMTU)}, "tracepath", "-n", "198.51.100.2")
	})
	n.sub("path MTU of TCP", func(n *natSite) {
		n.run(h2, "ip", "route", "flush", "cache")
		n.says(h2, []string{"4194304"}, "curl", "-sS", "--max-time", "15", "-o", "/dev/null", "-w", "%{size_upload}",
			"--data-binary", "@"+n.file(4<<20), "http://198.51.100.2/take")
		n.says(h2, []string{fmt.Sprintf("mtu %d", farMTU)}, "ip", "route", "get", "198.51.100.2")
		n.says(h2, []string{"1048576"}, "curl", "-sS", "--max-time", "15", "-o", "/dev/null", "-w", "%{size_download}", "http://198.51.100.2/file")
	})
	n.sub("iperf3", func(n *natSite) {
		if testing.Short() {
			n.t.Skip("it takes seconds, and -short was asked for")
		}
		n.iperf(h1)
	})
}

// arrived is iperf3's last line, with some rate in it.
var arrived = regexp.MustCompile(`[MG]Bytes .* [MG]bits/sec .*receiver`)

// iperf sends by TCP both ways and by UDP to a server on the far side.
func (n *natSite) iperf(from string) {
	n.t.Helper()
	for _, more := range [][]string{{}, {"-R", "-P4"}, {"-u", "-b20M", "-l1200"}} {
		stop := n.background(n.far, "iperf3", "-s", "-1", "-B", "198.51.100.2")
		var out string
		wait(n.t, "iperf3 to be served", func() error {
			out = n.run(from, append([]string{"iperf3", "-c", "198.51.100.2", "-t1"}, more...)...)
			if !strings.Contains(out, "receiver") {
				return fmt.Errorf("iperf3 %v says\n%s", more, out)
			}
			return nil
		})
		stop()
		if !arrived.MatchString(out) {
			n.t.Errorf("iperf3 %v carried next to nothing:\n%s", more, out)
		}
	}
}

// dns answers every question for an IPv4 address with 192.0.2.80, and every
// other one with nothing.
func dns(t *testing.T, ns, address string) {
	t.Helper()
	c := packetConn(t, ns, address)
	go func() {
		buf := make([]byte, 2048)
		for {
			size, from, err := c.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if a := dnsAnswer(buf[:size]); a != nil {
				_, _ = c.WriteToUDPAddrPort(a, from)
			}
		}
	}()
}

// dnsAnswer makes the answer to a question, nil for what is none (RFC 1035
// §4.1).
func dnsAnswer(question []byte) []byte {
	const header, typeA = 12, 1
	if len(question) < header {
		return nil
	}
	end := header
	for end < len(question) && question[end] != 0 {
		end += 1 + int(question[end])
	}
	end += 5 // the root, the type and the class
	if end > len(question) {
		return nil
	}
	a := append([]byte{}, question[:end]...)
	copy(a[2:header], []byte{0x85, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}) // an authoritative answer without an error
	if binary.BigEndian.Uint16(a[end-4:]) == typeA {
		a[7] = 1                                                                      // answer
		a = append(a, 0xc0, header, 0, typeA, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 80) // the name above, for 60 seconds
	}
	return a
}

// Three mappings times three filterings, as RFC 5780's tests see them from
// outside.
func TestNATIsClassifiedBySTUN(t *testing.T) {
	n := newNATSite(t, masquerade)
	inNetns(t, n.far, func() error {
		server, err := stun.Serve(netip.MustParseAddrPort("198.51.100.2:3478"), netip.MustParseAddrPort("198.51.100.3:3479"))
		if err == nil {
			t.Cleanup(server.Close)
		}
		return err
	})
	n.start()
	at := netip.MustParseAddrPort("198.51.100.2:3478")
	for mapping := stun.EndpointIndependent; mapping <= stun.AddressAndPortDependent; mapping++ {
		for filtering := stun.EndpointIndependent; filtering <= stun.AddressAndPortDependent; filtering++ {
			n.sub(fmt.Sprintf("mapping %s, filtering %s", mapping, filtering), func(n *natSite) {
				n.write(fmt.Sprintf("[nat]\nmapping = %q\nfiltering = %q\n%s", mapping, filtering, masquerade))
				if _, err := n.client().Reload(n.t.Context()); err != nil {
					n.t.Fatal(err)
				}
				before := n.dropped("nat_filtered")
				// Whatever the sessions of the choice before are, the
				// sockets are new.
				for range 2 {
					if got, err := stun.Mapping(packetConn(n.t, n.hosts[0], "10.0.1.2:0"), at); err != nil || got != mapping {
						n.t.Errorf("mapping is classified as %s (%v), want %s", got, err, mapping)
					}
					if got, err := stun.Filtering(packetConn(n.t, n.hosts[0], "10.0.1.2:0"), at); err != nil || got != filtering {
						n.t.Errorf("filtering is classified as %s (%v), want %s", got, err, filtering)
					}
				}
				n.waitDropped("nat_filtered", before+2*uint64(filtering))
			})
		}
	}
}

// A SYN flood of one inside host comes up against its own limit. What it had
// before goes on, and others notice nothing.
func TestNATSurvivesASYNFlood(t *testing.T) {
	const limit, flood = 50, 2000
	n := newNATSite(t, fmt.Sprintf("[nat]\nmax-sessions-per-host = %d\n%s", limit, masquerade))
	n.web(n.far, "198.51.100.2:80")
	echo(t, n.far, "198.51.100.2:7")
	n.start()
	old := packetConn(t, n.hosts[0], "10.0.1.2:5000")
	was, err := seen(old, "198.51.100.2:7")
	if err != nil {
		t.Fatal(err)
	}
	// The host's own queue may drop some of what it sends.
	refused := n.dropped("nat_host_limit")
	wait(t, "SYNs to be refused", func() error {
		if err := synFlood(t, n.hosts[0], mustAddr("10.0.1.2"), mustAddr("198.51.100.2"), flood); err != nil {
			return err
		}
		if got := n.dropped("nat_host_limit") - refused; got < flood {
			return fmt.Errorf("%d of them, want %d", got, flood)
		}
		return nil
	})
	if now, err := seen(old, "198.51.100.2:7"); err != nil || now != was {
		t.Errorf("what the host had before is seen as %s (%v), was %s", now, err, was)
	}
	n.wantSeen(n.hosts[1], "198.51.100.2:80", "203.0.113.1")
	if out := n.run(n.hosts[0], "curl", "-sS", "--max-time", "5", "http://198.51.100.2/"); strings.Contains(out, "you are") {
		t.Errorf("the flooding host makes one more connection: %s", out)
	}
	n.says(n.hosts[1], []string{"3 received"}, "ping", "-n", "-c3", "-i0.2", "-W5", "198.51.100.2")
	// However many were refused, the log says so once, and within seconds.
	var said []string
	wait(t, "the log to tell of the limit", func() error {
		if said = n.logged("max-sessions-per-host"); len(said) == 0 {
			return fmt.Errorf("not a line of it in %q", n.logged(""))
		}
		return nil
	})
	if len(said) != 1 || !strings.Contains(said[0], fmt.Sprintf(`"limit":%d,`, limit)) || !strings.Contains(said[0], `"rules":["source lan-out"]`) {
		t.Errorf("logged %q, want one line with the limit and the rule", said)
	}
}

// logged gives the lines of the router's log that have text in them.
func (n *natSite) logged(text string) []string {
	n.t.Helper()
	log, err := os.ReadFile(filepath.Join(n.dir, "log"))
	if err != nil {
		n.t.Fatal(err)
	}
	lines := strings.Split(string(log), "\n")
	return slices.DeleteFunc(lines, func(l string) bool { return !strings.Contains(l, text) })
}

// synFlood sends so many SYNs, each from another port.
func synFlood(t *testing.T, ns string, from, to netip.Addr, count int) error {
	t.Helper()
	var fd int
	inNetns(t, ns, func() (err error) {
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
		return err
	})
	defer unix.Close(fd)
	src, dst := from.As4(), to.As4()
	for i := range count {
		syn := make([]byte, 20)
		binary.BigEndian.PutUint16(syn, uint16(10000+i))
		binary.BigEndian.PutUint16(syn[2:], 81)
		binary.BigEndian.PutUint32(syn[4:], uint32(i)<<16)
		syn[12], syn[13] = 5<<4, 2 // 20 bytes of header, SYN
		binary.BigEndian.PutUint16(syn[14:], 65535)
		binary.BigEndian.PutUint16(syn[16:], tcpSum(src, dst, syn))
		if err := unix.Sendto(fd, syn, 0, &unix.SockaddrInet4{Addr: dst}); err != nil {
			return fmt.Errorf("sending SYN %d of %d: %w", i, count, err)
		}
	}
	return nil
}

// tcpSum is the checksum of a segment whose length is even (RFC 9293 §3.1).
func tcpSum(src, dst [4]byte, segment []byte) uint16 {
	sum := uint32(unix.IPPROTO_TCP + len(segment))
	for _, b := range [][]byte{src[:], dst[:], segment} {
		for i := 0; i < len(b); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(b[i:]))
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
