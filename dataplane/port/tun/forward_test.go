package tun

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"routerd/dataplane/port"
	"routerd/dataplane/port/porttest"
)

// pair is two ports in two namespaces, a router without a brain between them:
// whatever is read from one is written to the other.
type pair struct {
	left, right *Port
	supers      atomic.Int64 // TCP super-packets longer than the MTU
}

// newPair gives the left namespace 198.18.0.2 and 2001:db8::2, the right one
// 198.18.1.2 and 2001:db8:1::2.
func newPair(t testing.TB, frames int) *pair {
	t.Helper()
	left, right := lanConfig(newNetns(t)), lanConfig(newNetns(t))
	right.Host.Addresses = porttest.Prefixes("198.18.1.2/24", "2001:db8:1::2/64")
	p := &pair{left: openPort(t, left), right: openPort(t, right)}
	var wg sync.WaitGroup
	wg.Go(func() { p.pump(t, p.left, p.right, frames) })
	wg.Go(func() { p.pump(t, p.right, p.left, frames) })
	t.Cleanup(func() {
		p.left.Close()
		p.right.Close()
		wg.Wait()
	})
	return p
}

func (p *pair) pump(t testing.TB, from, to *Port, frames int) {
	in := porttest.Buffers(frames)
	out := make([]*port.Frame, 0, frames)
	for {
		n, err := from.Queues()[0].Read(in)
		if err != nil {
			if !errors.Is(err, port.ErrClosed) {
				t.Errorf("reading: %v", err)
			}
			return
		}
		out = out[:0]
		for i := range in[:n] {
			f := &in[i]
			if f.Offload.GSO == port.GSOTCPv4 || f.Offload.GSO == port.GSOTCPv6 {
				if f.Len() > 1500 {
					p.supers.Add(1)
				}
			}
			out = append(out, f)
		}
		if _, err := to.Queues()[0].Write(out); err != nil && !errors.Is(err, port.ErrClosed) {
			t.Errorf("writing: %v", err)
		}
	}
}

// A TCP transfer between two kernels, super-packets passed through whole, and
// every byte of it arrives.
func TestTCPSuperPacketsPass(t *testing.T) {
	for _, to := range []string{"198.18.1.2:7000", "[2001:db8:1::2]:7000"} {
		t.Run(to, func(t *testing.T) {
			p := newPair(t, 32)
			c, r := p.connect(t, to)
			c.SetDeadline(time.Now().Add(porttest.Patience))
			r.SetDeadline(time.Now().Add(porttest.Patience))

			data := make([]byte, 4<<20)
			for i := 0; i < len(data); i += 8 {
				binary.BigEndian.PutUint64(data[i:], uint64(i)*0x9e3779b97f4a7c15)
			}
			sent := make(chan error, 1)
			go func() {
				_, err := c.Write(data)
				sent <- errors.Join(err, c.(*net.TCPConn).CloseWrite())
			}()
			h := sha256.New()
			n, err := io.Copy(h, r)
			if err := errors.Join(err, <-sent); err != nil {
				t.Fatal(err)
			}
			if want := sha256.Sum256(data); n != int64(len(data)) || [32]byte(h.Sum(nil)) != want {
				t.Errorf("%d bytes arrived of %d, or other ones", n, len(data))
			}
			if p.supers.Load() == 0 {
				t.Error("no super-packet was among them")
			}
			if m := p.left.Malformed() + p.right.Malformed(); m != 0 {
				t.Errorf("%d malformed frames", m)
			}
		})
	}
}

// connect opens a TCP connection from the left namespace to an address in the
// right one. Sockets belong to the namespace of the thread that makes them,
// and with a literal address that is the caller's.
func (p *pair) connect(t testing.TB, to string) (left, right net.Conn) {
	t.Helper()
	l := porttest.Inside(t, p.right.cfg.Host.Netns, func() (net.Listener, error) { return net.Listen("tcp", to) })
	defer l.Close()
	l.(*net.TCPListener).SetDeadline(time.Now().Add(porttest.Patience))
	left = porttest.Inside(t, p.left.cfg.Host.Netns, func() (net.Conn, error) { return net.DialTimeout("tcp", to, porttest.Patience) })
	t.Cleanup(func() { left.Close() })
	right, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { right.Close() })
	return left, right
}

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
			circulate(b, in, out, f, 32)
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

// circulate writes batches of the frame and reads them back until b.N went
// round. Frames that the kernel drops are sent again.
func circulate(b *testing.B, in, out *Port, f *port.Frame, batch int) {
	fs := make([]*port.Frame, batch)
	for i := range fs {
		fs[i] = f
	}
	bufs := porttest.Buffers(batch)
	q := out.Queues()[0]
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; {
		n, err := in.Queues()[0].Write(fs[:min(batch, b.N-done)])
		if err != nil || n == 0 {
			b.Fatalf("Write: %d, %v", n, err)
		}
		q.SetReadDeadline(time.Now().Add(porttest.Patience))
		for got := 0; got < n; {
			m, err := q.Read(bufs)
			if err != nil {
				b.Fatalf("Read: %v after %d of %d frames", err, got, n)
			}
			got += m
			done += m
		}
	}
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

// BenchmarkTCP is one stream from kernel to kernel over two TUNs.
func BenchmarkTCP(b *testing.B) {
	send, receive := newPair(b, 128).connect(b, "198.18.1.2:7000")
	sink := make(chan error, 1)
	go func() {
		for buf := make([]byte, 1<<20); ; {
			if _, err := receive.Read(buf); err != nil {
				sink <- err
				return
			}
		}
	}()
	chunk := make([]byte, 1<<20)
	b.SetBytes(int64(len(chunk)))
	b.ResetTimer()
	for range b.N {
		if _, err := send.Write(chunk); err != nil {
			b.Fatal(err)
		}
	}
	send.Close()
	if err := <-sink; !errors.Is(err, io.EOF) {
		b.Error(err)
	}
}
