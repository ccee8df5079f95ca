package tap

import (
	"strings"
	"testing"

	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
	"routerd/dataplane/port/porttest"
)

// newPair has both hosts in one subnet, where they find one another by ARP and
// neighbour discovery.
func newPair(t testing.TB, frames int) *porttest.Pair {
	t.Helper()
	left, right := lanConfig(newNetns(t)), lanConfig(newNetns(t))
	left.Host.Routes, right.Host.Routes = nil, nil
	right.Router, right.Host.Addresses = "r2", porttest.Prefixes("198.18.0.3/24", "2001:db8::3/64")
	return porttest.NewPair(t, porttest.End{Port: openPort(t, left), Host: left.Host.Netns}, porttest.End{Port: openPort(t, right), Host: right.Host.Netns}, frames)
}

func TestTCPSuperPacketsPass(t *testing.T) {
	for _, to := range []string{"198.18.0.3:7000", "[2001:db8::3]:7000"} {
		t.Run(to, func(t *testing.T) { newPair(t, 32).TCPPasses(t, to) })
	}
}

func BenchmarkTCP(b *testing.B) { newPair(b, 128).BenchTCP(b, "198.18.0.3:7000") }

func TestNothingIsAllocated(t *testing.T) {
	ns := newNetns(t)
	cfg := Config{Router: "r1", Name: "lan0", MTU: 1500, Host: device.Host{Netns: ns, Device: "lan0"}}
	other := Config{Router: "r1", Name: "lan1", MTU: 1500, Host: device.Host{Netns: ns, Device: "lan1"}}
	porttest.IP(t, "-n", ns, "link", "add", "name", "br0", "type", "bridge", "mcast_snooping", "0")
	porttest.IP(t, "-n", ns, "link", "set", "dev", "br0", "up")
	cfg.Bridge, other.Bridge = "br0", "br0"
	a, b := openPort(t, cfg), openPort(t, other)
	out, in := []*port.Frame{frameOf(b.HardwareAddr(), a.HardwareAddr(), "x")}, porttest.Buffers(4)
	var err error
	turn := func() {
		if _, err = a.Queues()[0].Write(out); err == nil {
			_, err = b.Queues()[0].Read(in)
		}
	}
	if n := testing.AllocsPerRun(100, turn); n != 0 || err != nil {
		t.Errorf("writing and reading allocates %v times, %v", n, err)
	}
}

// BenchmarkQueue is a frame written into one TAP, bridged by the kernel into
// another, and read there.
func BenchmarkQueue(b *testing.B) {
	for _, bm := range []struct {
		name    string
		payload int
	}{{"small", 64}, {"mtu", 1500}, {"60KiB", 60 << 10}} {
		b.Run(bm.name, func(b *testing.B) {
			ns := newNetns(b)
			porttest.IP(b, "-n", ns, "link", "add", "name", "br0", "mtu", "65000", "type", "bridge", "mcast_snooping", "0")
			porttest.IP(b, "-n", ns, "link", "set", "dev", "br0", "up")
			var ports [2]*Port
			for i, name := range []string{"lan0", "lan1"} {
				ports[i] = openPort(b, Config{Router: "r1", Name: name, MTU: 65000, Bridge: "br0", Host: device.Host{Netns: ns, Device: name}})
			}
			f := frameOf(ports[1].HardwareAddr(), ports[0].HardwareAddr(), strings.Repeat("x", bm.payload))
			b.SetBytes(int64(bm.payload))
			porttest.Circulate(b, ports[0].Queues()[0], ports[1].Queues()[0], f, 32, 32)
		})
	}
}
