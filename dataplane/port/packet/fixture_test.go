package packet

import (
	"net"
	"testing"

	"go.uber.org/goleak"

	"routerd/dataplane/port"
	"routerd/dataplane/port/porttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
	w := wire{porttest.Namespace(t), porttest.Namespace(t)}
	w.lay(t, "r0", "h0")
	w.address(t, "h0", "198.18.0", "2001:db8:")
	return w
}

// lay connects the namespaces.
func (w wire) lay(t testing.TB, r, h string) {
	t.Helper()
	porttest.IP(t, "-n", w.router, "link", "add", "name", r, "address", mac(routerMAC), "type", "veth",
		"peer", "name", h, "netns", w.host, "address", mac(hostMAC))
	porttest.IP(t, "-n", w.router, "link", "set", "dev", r, "up")
	porttest.IP(t, "-n", w.host, "link", "set", "dev", h, "up")
}

// address gives the host .2 and the router, in the host's mind, .1.
func (w wire) address(t testing.TB, h, net4, net6 string) {
	t.Helper()
	porttest.IP(t, "-n", w.host, "address", "add", net4+".2/24", "dev", h)
	porttest.IP(t, "-n", w.host, "address", "add", net6+":2/64", "dev", h, "nodad")
	porttest.IP(t, "-n", w.host, "neigh", "replace", net4+".1", "lladdr", mac(routerMAC), "dev", h)
	porttest.IP(t, "-n", w.host, "neigh", "replace", net6+":1", "lladdr", mac(routerMAC), "dev", h)
}

func mac(a [6]byte) string { return net.HardwareAddr(a[:]).String() }

func openPort(t testing.TB, cfg Config) *Port { return porttest.Open(t, Open, cfg) }

func (w wire) config() Config { return Config{Name: "lan0", Netns: w.router, Device: "r0"} }

// ethernet puts a link header from the router to the host before a payload.
func ethernet(ethertype uint16, payload []byte) []byte {
	return append(porttest.Ethernet(hostMAC, routerMAC, ethertype), payload...)
}

// udp4 is a frame of an IPv4 UDP packet from the router's side, see
// porttest.UDP4.
func udp4(from, to, payload string, partial bool) []byte {
	return ethernet(porttest.EtherIPv4, porttest.UDP4(from, to, payload, partial))
}

var partialUDP4 = port.Offload{NeedsChecksum: true, ChecksumStart: 34, ChecksumOffset: 6}

func write(t testing.TB, p *Port, fs ...*port.Frame) {
	t.Helper()
	if n, err := p.Queues()[0].Write(fs); n != len(fs) || err != nil {
		t.Fatalf("Write: %d of %d, %v", n, len(fs), err)
	}
}
