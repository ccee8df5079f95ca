package packet

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

// pair is a bridge without a brain between two hosts: whatever is read from
// one port is written to the other.
type pair struct {
	left, right *Port
	wire        [2]wire
	supers      atomic.Int64 // TCP super-packets longer than the MTU
}

// newPair has both hosts in one subnet, at .2 and .3, and ::2 and ::3.
func newPair(t testing.TB, frames int) *pair {
	t.Helper()
	p := &pair{}
	for i := range p.wire {
		w := wire{porttest.Namespace(t), porttest.Namespace(t)}
		w.lay(t, "r0", "h0")
		porttest.IP(t, "-n", w.host, "link", "set", "dev", "h0", "address", fmt.Sprintf("02:00:00:00:01:%02x", i+2))
		porttest.IP(t, "-n", w.host, "address", "add", fmt.Sprintf("198.18.0.%d/24", i+2), "dev", "h0")
		porttest.IP(t, "-n", w.host, "address", "add", fmt.Sprintf("2001:db8::%d/64", i+2), "dev", "h0", "nodad")
		p.wire[i] = w
	}
	p.left, p.right = openPort(t, p.wire[0].config()), openPort(t, p.wire[1].config())
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
				if f.Len() > 1514 {
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
	for _, to := range []string{"198.18.0.3:7000", "[2001:db8::3]:7000"} {
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

// connect opens a TCP connection from the left host to an address of the
// right one.
func (p *pair) connect(t testing.TB, to string) (left, right net.Conn) {
	t.Helper()
	l := porttest.Inside(t, p.wire[1].host, func() (net.Listener, error) { return net.Listen("tcp", to) })
	defer l.Close()
	l.(*net.TCPListener).SetDeadline(time.Now().Add(porttest.Patience))
	left = porttest.Inside(t, p.wire[0].host, func() (net.Conn, error) { return net.DialTimeout("tcp", to, porttest.Patience) })
	t.Cleanup(func() { left.Close() })
	right, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { right.Close() })
	return left, right
}

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
			circulate(b, in, out, f, batch, min(most, batch))
			b.SetBytes(int64(bm.payload))
		})
	}
}

// circulate writes batches of the frame, at most so many per call, and reads
// them back until b.N went round.
func circulate(b *testing.B, in, out *Port, f *port.Frame, batch, most int) {
	fs := make([]*port.Frame, batch)
	for i := range fs {
		fs[i] = f
	}
	bufs := porttest.Buffers(batch)
	q := out.Queues()[0]
	q.SetReadDeadline(time.Now().Add(time.Minute))
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; {
		n := 0
		for want := min(batch, b.N-done); n < want; {
			m, err := in.Queues()[0].Write(fs[:min(most, want-n)])
			if err != nil || m == 0 {
				b.Fatalf("Write: %d, %v", m, err)
			}
			n += m
		}
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

// BenchmarkTCP is one stream from kernel to kernel over two packet ports.
func BenchmarkTCP(b *testing.B) {
	send, receive := newPair(b, 128).connect(b, "198.18.0.3:7000")
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
