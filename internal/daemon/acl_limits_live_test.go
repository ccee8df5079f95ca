package daemon

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"routerd/internal/control"
	"routerd/internal/packet"
)

// TestLimitsLive: a rule lets a host have two connections, not a third, and others theirs
// meanwhile. A flood of SYNs from made-up sources makes no more half-open connections than
// the rule may have, and what is open goes on.
func TestLimitsLive(t *testing.T) {
	z := newZoneSite(t)
	text, err := os.ReadFile(z.config)
	if err != nil {
		t.Fatal(err)
	}
	const web, halfOpen = "name = \"web\"\nprotocol = \"tcp\"\n", 50
	limits := fmt.Sprintf("limit = { half-open = %d }\nhost-limit = { connections = 2 }\n", halfOpen)
	if err := os.WriteFile(z.config, []byte(strings.Replace(string(text), web, web+limits, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	z.site.start()
	server := net.JoinHostPort(zoneHosts["dmz"][0], "80")
	echoTCP(t, z.netns["dmz"], server)
	wait(t, "the server to be reached", func() error { return z.dialFrom("guests", "tcp", server, 0, "") })
	wait(t, "that connection to be closed", func() error { return z.usage(func(r control.ACLRule) bool { return r.Limits.Connections == 0 }) })

	first, second := dial(t, z.netns["guests"], "tcp", server), dial(t, z.netns["guests"], "tcp", server)
	z.try("a third connection of a host", "nothing", func() error { return z.dialFrom("guests", "tcp", server, 0, "") })
	z.try("the first one of another host", "open", func() error { return z.dialFrom("wan", "tcp", server, 0, "") })
	second.Close()
	z.try("a third connection once the second is closed", "open", func() error { return z.dialFrom("guests", "tcp", server, 0, "") })

	z.synFlood(zoneHosts["dmz"][0], 20*halfOpen)
	wait(t, "the flood to be seen", func() error {
		return z.usage(func(r control.ACLRule) bool { return r.Limited >= 2*halfOpen })
	})
	if err := z.usage(func(r control.ACLRule) bool { return r.Limits.HalfOpen <= halfOpen }); err != nil {
		t.Error(err)
	}
	wait(t, "the log to tell of it", func() error {
		if log, err := os.ReadFile(filepath.Join(z.dir, "log")); err != nil || !strings.Contains(string(log), "beyond a limit of a rule of the packet filter") {
			return fmt.Errorf("%v, and the log says %s", err, log)
		}
		return nil
	})
	if err := echoed(first, "through the flood", 10*time.Second); err != nil {
		t.Errorf("a connection that is open: %v", err)
	}
}

// usage complains if the rule web of the list server is not as wanted.
func (z *zoneSite) usage(wanted func(control.ACLRule) bool) error {
	a, err := z.client().ACL(z.t.Context())
	if err != nil {
		return err
	}
	for _, r := range a.Rules {
		if r.List == "server" && r.Rule == "web" && r.Limits != nil && wanted(r) {
			return nil
		}
	}
	return fmt.Errorf("the rules are at %+v", a.Rules)
}

// synFlood sends SYNs to port 80 of a host from so many addresses of the outside. The queue of
// the device has room for about 500.
func (z *zoneSite) synFlood(to string, sources int) {
	z.t.Helper()
	inNetns(z.t, z.netns["wan"], func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		dst := mustAddr(to).As4()
		for n := range sources {
			b := make([]byte, packet.IPv4MinHeader+packet.TCPMinHeader)
			b[0], b[8], b[9] = 0x45, 64, packet.ProtoTCP
			copy(b[12:], []byte{198, 18, byte(n >> 8), byte(n)})
			copy(b[16:], dst[:])
			t := packet.TCP(b[packet.IPv4MinHeader:])
			binary.BigEndian.PutUint16(t[0:], 40000)
			binary.BigEndian.PutUint16(t[2:], 80)
			t[12] = packet.TCPMinHeader / 4 << 4
			t.SetFlags(packet.TCPSyn)
			t.SetChecksum(^packet.Sum(t, packet.PseudoHeaderSum(b, packet.ProtoTCP, len(t))))
			if err := unix.Sendto(fd, b, 0, &unix.SockaddrInet4{Addr: dst}); err != nil && !errors.Is(err, unix.ENOBUFS) {
				return err
			}
		}
		return nil
	})
}
