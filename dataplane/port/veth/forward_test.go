package veth

import (
	"testing"

	"routerd/dataplane/port/porttest"
)

// newPair has both hosts in one subnet, where they find one another by ARP and
// neighbour discovery.
func newPair(t testing.TB, frames int) *porttest.Pair {
	t.Helper()
	left, right := newConfig(t), newConfig(t)
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
