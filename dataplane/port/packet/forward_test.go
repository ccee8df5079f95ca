package packet

import (
	"fmt"
	"strings"
	"testing"

	"routerd/dataplane/port"
	"routerd/dataplane/port/porttest"
)

// newPair has both hosts in one subnet, at .2 and .3, and ::2 and ::3.
func newPair(t testing.TB, frames int) *porttest.Pair {
	t.Helper()
	var ends [2]porttest.End
	for i := range ends {
		w := wire{porttest.Namespace(t), porttest.Namespace(t)}
		w.lay(t, "r0", "h0")
		porttest.IP(t, "-n", w.host, "link", "set", "dev", "h0", "address", fmt.Sprintf("02:00:00:00:01:%02x", i+2))
		porttest.IP(t, "-n", w.host, "address", "add", fmt.Sprintf("198.18.0.%d/24", i+2), "dev", "h0")
		porttest.IP(t, "-n", w.host, "address", "add", fmt.Sprintf("2001:db8::%d/64", i+2), "dev", "h0", "nodad")
		ends[i] = porttest.End{Port: openPort(t, w.config()), Host: w.host}
	}
	return porttest.NewPair(t, ends[0], ends[1], frames)
}

func TestTCPSuperPacketsPass(t *testing.T) {
	for _, to := range []string{"198.18.0.3:7000", "[2001:db8::3]:7000"} {
		t.Run(to, func(t *testing.T) { newPair(t, 32).TCPPasses(t, to) })
	}
}

func BenchmarkTCP(b *testing.B) { newPair(b, 128).BenchTCP(b, "198.18.0.3:7000") }

// BenchmarkQueue is a frame written into one end of a veth pair and read
// from the other: a write and a read of ours, and no kernel between. With
// single, each system call carries one frame.
func BenchmarkQueue(b *testing.B) {
	for _, bm := range []struct {
		name    string
		payload int
		segment uint16
		single  bool
	}{
		{"small", 64, 0, false},
		{"small/single", 64, 0, true},
		{"mtu", 1472, 0, false},
		{"super", 61824, 1472, false},
		{"super/single", 61824, 1472, true},
	} {
		b.Run(bm.name, func(b *testing.B) {
			w := newWire(b)
			in := openPort(b, w.config())
			out := openPort(b, Config{Name: "far", Netns: w.host, Device: "h0", TakeOver: true})
			batch, most := 32, batchFrames
			if bm.single {
				most = 1
			}
			out.queues[0].most = most
			f := porttest.Frame(udp4("198.18.0.1:5000", "198.18.0.2:7000", strings.Repeat("x", bm.payload), true))
			f.Offload = partialUDP4
			if bm.segment > 0 {
				f.Offload.GSO, f.Offload.SegmentSize = port.GSOUDPL4, bm.segment
			}
			porttest.Circulate(b, in.Queues()[0], out.Queues()[0], f, batch, min(most, batch))
			b.SetBytes(int64(bm.payload))
		})
	}
}
