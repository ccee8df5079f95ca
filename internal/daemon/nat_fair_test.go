package daemon

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port/device"
)

// spoofed sends UDP datagrams in the name of hosts that there are not, from a
// namespace: the flow number i is one of spoofedHosts hosts of 10.0.1.0/24.
type spoofed struct {
	t  *testing.T
	fd int
}

const spoofedHosts = 50

func newSpoofed(t *testing.T, ns string) spoofed {
	t.Helper()
	s := spoofed{t, -1}
	err := device.InNamespace(ns, func() (err error) {
		s.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW) // with the IP header, which is ours to write
		return err
	})
	if err != nil {
		t.Fatalf("making a raw socket: %v", err)
	}
	t.Cleanup(func() { unix.Close(s.fd) })
	return s
}

// send sends the first packets of n flows from number first on.
func (s spoofed) send(first, n int) {
	s.t.Helper()
	to := unix.SockaddrInet4{Addr: netip.MustParseAddr("198.51.100.3").As4()}
	for i := first; i < first+n; i++ {
		port := 1024 + i/spoofedHosts
		p := []byte{
			0x45, 0, 0, 28, 0, 0, 0, 0, 64, unix.IPPROTO_UDP, 0, 0, // the kernel fills in the length, the identification and the checksum
			10, 0, 1, byte(4 + i%spoofedHosts), 198, 51, 100, 3,
			byte(port >> 8), byte(port), 0, 9, 0, 8, 0, 0, // to port 9, without a checksum
		}
		if err := unix.Sendto(s.fd, p, 0, &to); err != nil {
			s.t.Fatalf("sending in the name of 10.0.1.%d: %v", 4+i%spoofedHosts, err)
		}
	}
}

// A flood of hosts that there are not fills the table, many times over. A host
// that is there, and that has fewer sessions than each of them, opens more while
// the flood goes on, and afterwards; what has been answered is not ended for it.
func TestNATFairShareLive(t *testing.T) {
	const most = 2500 // 50 for each of the flood's hosts
	n := newNATSite(t, fmt.Sprintf("[nat]\nmax-sessions = %d\nmax-sessions-per-host = 100\n", most)+masquerade)
	n.start()
	echo(t, n.far, "198.51.100.2:7")
	kept := packetConn(t, n.hosts[1], "10.0.2.2:5000")
	before, err := seen(kept, "198.51.100.2:7")
	if err != nil {
		t.Fatalf("before the flood: %v", err)
	}

	s := newSpoofed(t, n.hosts[0])
	sent := 0
	flood := func(flows int) { s.send(sent, flows); sent += flows }
	wait(t, "the flood to fill the table", func() error {
		flood(most)
		pools, err := n.client().NATPools(t.Context())
		if err == nil && pools.Refused.TableFull == 0 {
			err = fmt.Errorf("%d sessions of %d, refused %+v", pools.Sessions, pools.MaxSessions, pools.Refused)
		}
		return err
	})

	// A new session of the host's, between two parts of the flood each time. A
	// flow that finds nothing to end is refused, and asks again as programs do.
	open := func(when string, port int, flows int) {
		t.Helper()
		c := packetConn(t, n.hosts[1], fmt.Sprintf("10.0.2.2:%d", port))
		until := time.Now().Add(15 * time.Second)
		for tries := 1; ; tries++ {
			flood(flows)
			if err := c.SetReadDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			_, _ = c.WriteToUDPAddrPort([]byte("who am I?"), netip.MustParseAddrPort("198.51.100.2:7"))
			if _, _, err := c.ReadFromUDPAddrPort(make([]byte, 64)); err == nil {
				return
			} else if time.Now().After(until) {
				pools, _ := n.client().NATPools(t.Context())
				t.Fatalf("%s the flow from port %d got no answer in %d tries: %v; the table: %+v", when, port, tries, err, pools)
			}
		}
	}
	for i := range 15 {
		open("in the flood", 6000+i, 100)
	}
	for i := range 15 {
		open("after the flood", 7000+i, 0)
	}
	if after, err := seen(kept, "198.51.100.2:7"); err != nil || after != before {
		t.Errorf("the session from before the flood: seen as %s, %v; want %s as before", after, err, before)
	}
	pools, err := n.client().NATPools(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if pools.Evicted.TableFull == 0 || pools.Sessions > most {
		t.Errorf("evicted %+v, %d sessions; want some evicted and %d sessions at most", pools.Evicted, pools.Sessions, most)
	}
	t.Logf("%d flows flooded, refused %+v, evicted %+v", sent, pools.Refused, pools.Evicted)
}
