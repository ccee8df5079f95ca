package packet

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
	"routerd/internal/packet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

var netnsCount atomic.Int32

// newNetns makes a network namespace for one test.
func newNetns(t testing.TB) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes network namespaces and packet sockets")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("needs ip(8) of iproute2")
	}
	name := fmt.Sprintf("rdpkt%dx%d", os.Getpid(), netnsCount.Add(1))
	ip(t, "netns", "add", name)
	t.Cleanup(func() { ip(t, "netns", "del", name) })
	return name
}

func ip(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Link addresses of the two ends of a wire.
var (
	routerMAC = [6]byte{0x02, 0, 0, 0, 0, 1}
	hostMAC   = [6]byte{0x02, 0, 0, 0, 0, 2}
)

// wire is a veth pair between a router's namespace, where its end is called
// r0 and has no addresses, and a host's, where it is h0 with 198.18.0.2/24 and
// 2001:db8::2/64. The host knows 198.18.0.1 and 2001:db8::1 as neighbours.
type wire struct{ router, host string }

func newWire(t testing.TB) wire {
	t.Helper()
	w := wire{newNetns(t), newNetns(t)}
	w.lay(t, "r0", "h0")
	w.address(t, "h0", "198.18.0", "2001:db8:")
	return w
}

// lay connects the namespaces.
func (w wire) lay(t testing.TB, r, h string) {
	t.Helper()
	ip(t, "-n", w.router, "link", "add", "name", r, "address", mac(routerMAC), "type", "veth",
		"peer", "name", h, "netns", w.host, "address", mac(hostMAC))
	ip(t, "-n", w.router, "link", "set", "dev", r, "up")
	ip(t, "-n", w.host, "link", "set", "dev", h, "up")
}

// address gives the host .2 and the router, in the host's mind, .1.
func (w wire) address(t testing.TB, h, net4, net6 string) {
	t.Helper()
	ip(t, "-n", w.host, "address", "add", net4+".2/24", "dev", h)
	ip(t, "-n", w.host, "address", "add", net6+":2/64", "dev", h, "nodad")
	ip(t, "-n", w.host, "neigh", "replace", net4+".1", "lladdr", mac(routerMAC), "dev", h)
	ip(t, "-n", w.host, "neigh", "replace", net6+":1", "lladdr", mac(routerMAC), "dev", h)
}

func mac(a [6]byte) string { return net.HardwareAddr(a[:]).String() }

func (w wire) config() Config { return Config{Name: "lan0", Netns: w.router, Device: "r0"} }

func openPort(t testing.TB, cfg Config) *Port {
	t.Helper()
	p, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func buffers(n int) []port.Frame {
	fs := make([]port.Frame, n)
	for i := range fs {
		fs[i].Buf = make([]byte, port.BufferSize)
	}
	return fs
}

// readUntil reads until want accepts a frame.
func readUntil(t testing.TB, q port.Queue, what string, want func(*port.Frame) bool) {
	t.Helper()
	if err := q.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	defer q.SetReadDeadline(time.Time{})
	fs := buffers(4)
	for seen := 0; ; {
		n, err := q.Read(fs)
		if err != nil {
			t.Fatalf("waiting for %s: %v after %d other frames", what, err, seen)
		}
		for i := range fs[:n] {
			if want(&fs[i]) {
				return
			}
			seen++
		}
	}
}

// inside opens something in a namespace.
func inside[T any](t testing.TB, netns string, open func() (T, error)) (v T) {
	t.Helper()
	err := device.InNamespace(netns, func() (err error) {
		v, err = open()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func listenUDP(t testing.TB, netns, address string) *net.UDPConn {
	t.Helper()
	c := inside(t, netns, func() (*net.UDPConn, error) {
		return net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(address)))
	})
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}

// ethernet puts a link header from the router to the host before a payload.
func ethernet(ethertype uint16, payload []byte) []byte {
	b := append(append([]byte{}, hostMAC[:]...), routerMAC[:]...)
	return append(binary.BigEndian.AppendUint16(b, ethertype), payload...)
}

const etherIPv4 = 0x0800

// udp4 is a frame of an IPv4 UDP packet from the router's side. With partial
// set its checksum is what NEEDS_CSUM wants: the pseudo-header's sum,
// uncomplemented.
func udp4(from, to, payload string, partial bool) []byte {
	src, dst := netip.MustParseAddrPort(from), netip.MustParseAddrPort(to)
	b := make([]byte, 28+len(payload))
	h := packet.IPv4(b)
	b[0] = 0x45
	h.SetTotalLen(len(b))
	h.SetTTL(64)
	h.SetProtocol(packet.ProtoUDP)
	h.SetSrc(src.Addr())
	h.SetDst(dst.Addr())
	h.FillChecksum()
	u := packet.UDP(b[20:])
	binary.BigEndian.PutUint16(u, src.Port())
	binary.BigEndian.PutUint16(u[2:], dst.Port())
	u.SetLength(len(u))
	copy(u[8:], payload)
	sum := packet.PseudoHeaderSum4(h.SrcBytes(), h.DstBytes(), packet.ProtoUDP, len(u))
	if !partial {
		sum = ^packet.Sum(u, sum)
	}
	u.SetChecksum(sum)
	return ethernet(etherIPv4, b)
}

// frameOf puts bytes into a frame with just the headroom that Write wants.
func frameOf(b []byte) *port.Frame {
	f := &port.Frame{Buf: make([]byte, port.Headroom+len(b))}
	f.Reset()
	f.End += copy(f.Buf[f.Start:], b)
	return f
}

var partialUDP4 = port.Offload{NeedsChecksum: true, ChecksumStart: 34, ChecksumOffset: 6}

func write(t testing.TB, p *Port, fs ...*port.Frame) {
	t.Helper()
	if n, err := p.Queues()[0].Write(fs); n != len(fs) || err != nil {
		t.Fatalf("Write: %d of %d, %v", n, len(fs), err)
	}
}

func wantDatagrams(t *testing.T, c *net.UDPConn, want ...string) {
	t.Helper()
	b := make([]byte, 65536)
	for i, w := range want {
		n, _, err := c.ReadFromUDPAddrPort(b)
		if err != nil {
			t.Fatalf("datagram %d of %d: %v", i+1, len(want), err)
		}
		if string(b[:n]) != w {
			t.Fatalf("datagram %d of %d is %q, want %q", i+1, len(want), b[:n], w)
		}
	}
}
