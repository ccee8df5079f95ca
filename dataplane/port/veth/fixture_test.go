package veth

import (
	"net/netip"
	"testing"

	"go.uber.org/goleak"

	"routerd/dataplane/port/device"
	"routerd/dataplane/port/porttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newConfig has a router's end r0 without addresses in one namespace, and in
// another the host's end lan0 at .2 and ::2; the router is, in our imagination, at
// .1 and ::1.
func newConfig(t testing.TB) Config {
	t.Helper()
	return Config{
		Router: "r1", Name: "lan0", MTU: 1500, Netns: porttest.Namespace(t), Device: "r0",
		Host: device.Host{
			Netns: porttest.Namespace(t), Device: "lan0",
			Addresses: porttest.Prefixes("198.18.0.2/24", "2001:db8::2/64"),
			Routes:    porttest.Prefixes("0.0.0.0/0", "::/0"),
		},
		Via: []netip.Addr{netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("2001:db8::1")},
	}
}

func openPort(t testing.TB, cfg Config) *Port { return porttest.Open(t, Open, cfg) }

// hostMAC is the link address of the host's end of newConfig.
func hostMAC() [6]byte { return device.HardwareAddr("host", "r1", "lan0") }
