package tap

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
	"routerd/dataplane/port/porttest"
)

// pair is a wire between two hosts, each behind a port: whatever is read from
// one is written to the other, and the kernels find one another.
type pair struct {
	left, right *Port
	supers      atomic.Int64 // TCP super-packets longer than the MTU
}

func newPair(t testing.TB, frames int) *pair {
	t.Helper()
	left, right := lanConfig(newNetns(t)), lanConfig(newNetns(t))
	left.Host.Routes, right.Host.Routes = nil, nil
	right.Router, right.Host.Addresses = "r2", porttest.Prefixes("198.18.0.3/24", "2001:db8::3/64")
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
			if (f.Offload.GSO == port.GSOTCPv4 || f.Offload.GSO == port.GSOTCPv6) && f.Len() > 1514 {
				p.supers.Add(1)
			}
			out = append(out, f)
		}
		if _, err := to.Queues()[0].Write(out); err != nil && !errors.Is(err, port.ErrClosed) {
			t.Errorf("writing: %v", err)
		}
	}
}

// connect opens a TCP connection from the left host to an address of the
// right one.
func (p *pair) connect(t testing.TB, to string) (left, right net.Conn) {
	t.Helper()
	var l net.Listener
	in := func(q *Port, f func() error) {
		if err := device.InNamespace(q.cfg.Host.Netns, f); err != nil {
			t.Fatal(err)
		}
	}
	in(p.right, func() (err error) { l, err = net.Listen("tcp", to); return err })
	defer l.Close()
	l.(*net.TCPListener).SetDeadline(time.Now().Add(porttest.Patience))
	in(p.left, func() (err error) { left, err = net.DialTimeout("tcp", to, porttest.Patience); return err })
	t.Cleanup(func() { left.Close() })
	right, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { right.Close() })
	return left, right
}

// A TCP transfer between two kernels that find one another by ARP and
// neighbour discovery, super-packets passed through whole.
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
			fs, in := make([]*port.Frame, 32), porttest.Buffers(32)
			for i := range fs {
				fs[i] = f
			}
			read := ports[1].Queues()[0]
			read.SetReadDeadline(time.Now().Add(time.Minute))
			b.SetBytes(int64(bm.payload))
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; {
				n, err := ports[0].Queues()[0].Write(fs[:min(len(fs), b.N-done)])
				if err != nil || n == 0 {
					b.Fatalf("Write: %d, %v", n, err)
				}
				for got := 0; got < n; {
					m, err := read.Read(in)
					if err != nil {
						b.Fatalf("Read: %v after %d of %d frames", err, got, n)
					}
					got += m
					done += m
				}
			}
		})
	}
}

// BenchmarkTCP is one stream from kernel to kernel over two TAPs.
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
