package tun

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"routerd/dataplane/port"
	"routerd/dataplane/port/porttest"
)

// newPair gives the left host 198.18.0.2 and 2001:db8::2, the right one
// 198.18.1.2 and 2001:db8:1::2.
func newPair(t testing.TB, frames int) *porttest.Pair {
	t.Helper()
	left, right := lanConfig(newNetns(t)), lanConfig(newNetns(t))
	right.Host.Addresses = porttest.Prefixes("198.18.1.2/24", "2001:db8:1::2/64")
	return porttest.NewPair(t, porttest.End{Port: openPort(t, left), Host: left.Host.Netns}, porttest.End{Port: openPort(t, right), Host: right.Host.Netns}, frames)
}

func TestTCPSuperPacketsPass(t *testing.T) {
	for _, to := range []string{"198.18.1.2:7000", "[2001:db8:1::2]:7000"} {
		t.Run(to, func(t *testing.T) { newPair(t, 32).TCPPasses(t, to) })
	}
}

func BenchmarkTCP(b *testing.B) { newPair(b, 128).BenchTCP(b, "198.18.1.2:7000") }

// BenchmarkQueue is one frame written into one TUN, routed by the kernel into
// another, and read there: a write and a read of ours, and the kernel between.
func BenchmarkQueue(b *testing.B) {
	for _, bm := range []struct {
		name    string
		payload int
		segment uint16
		chained bool
	}{
		{"small", 64, 0, false},
		{"mtu", 1472, 0, false},
		{"super", 61824, 1472, false},
		{"chained", 61824, 1472, true},
	} {
		b.Run(bm.name, func(b *testing.B) {
			in, out := throughKernel(b)
			f := porttest.Frame(porttest.UDP4("198.18.0.1:5000", "198.18.1.1:7000", strings.Repeat("x", bm.payload), true))
			f.Offload = porttest.Partial
			if bm.segment > 0 {
				f.Offload.GSO, f.Offload.SegmentSize = port.GSOUDPL4, bm.segment
			}
			if bm.chained {
				cut(f, int(bm.segment))
			}
			porttest.Circulate(b, in.Queues()[0], out.Queues()[0], f, 32, 32)
			b.SetBytes(int64(bm.payload))
		})
	}
}

// cut makes a chain of a super-packet, of one part per segment.
func cut(f *port.Frame, segment int) {
	rest, end := f, f.End
	for start := f.Start + 28 + segment; start < end; start += segment {
		rest.End = start
		rest.Next = &port.Frame{Buf: f.Buf, Start: start, End: end}
		rest = rest.Next
	}
}

// throughKernel opens two ports in one namespace whose kernel forwards from
// the first to the second.
func throughKernel(b *testing.B) (in, out *Port) {
	ns := newNetns(b)
	porttest.IP(b, "netns", "exec", ns, "sysctl", "-qw", "net.ipv4.ip_forward=1")
	one, two := lanConfig(ns), lanConfig(ns)
	one.Host.Routes, two.Host.Routes = nil, nil
	two.Host.Device, two.Host.Addresses = "lan1", porttest.Prefixes("198.18.1.2/24")
	return openPort(b, one), openPort(b, two)
}

// BenchmarkReadBudget turns super-packets round: each is read into its own
// buffer and written from there again, a batch at a time. The longer the
// batch the less of it is still in the cache when its turn to be written
// comes; the shorter, the more calls there are. batchBytes comes from here
// (a frame is 60 KiB; raise batchBytes before trying more than its share).
func BenchmarkReadBudget(b *testing.B) {
	for _, batch := range []int{1, 2, 4, 8, 16, 32, 64} {
		b.Run(fmt.Sprintf("%dframes", batch), func(b *testing.B) {
			in, out := throughKernel(b)
			f := porttest.Frame(porttest.UDP4("198.18.0.1:5000", "198.18.1.1:7000", strings.Repeat("x", 61824), true))
			f.Offload = porttest.Partial
			f.Offload.GSO, f.Offload.SegmentSize = port.GSOUDPL4, 1472
			fs, again := porttest.Buffers(batch), make([]*port.Frame, batch)
			for i := range fs {
				fs[i].Reset()
				fs[i].End += copy(fs[i].Buf[fs[i].Start:], f.Bytes())
				again[i] = &fs[i]
			}
			read, write := out.Queues()[0], in.Queues()[0]
			read.SetReadDeadline(time.Now().Add(time.Minute))
			b.SetBytes(int64(f.Len()))
			b.ResetTimer()
			for done := 0; done < b.N; done += batch {
				for i := range fs {
					copy(fs[i].Bytes(), f.Bytes()[:28]) // its TTL again
					fs[i].Offload = f.Offload
				}
				if n, err := write.Write(again); n != batch || err != nil {
					b.Fatalf("Write: %d, %v", n, err)
				}
				for got := 0; got < batch; {
					n, err := read.Read(fs[got:])
					if err != nil {
						b.Fatalf("Read: %v", err)
					}
					got += n
				}
			}
		})
	}
}
