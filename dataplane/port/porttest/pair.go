package porttest

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"routerd/dataplane/port"
)

// End is a port and the namespace of the host behind it.
type End struct {
	Port interface {
		port.Port
		Malformed() uint64
	}
	Host string
}

// Pair is two ports, each with a host behind it, between which frames are
// carried unchanged: what is read from one is written to the other.
type Pair struct {
	left, right End
	supers      atomic.Int64 // TCP super-packets longer than the MTU
}

// NewPair carries frames between the ports, reading so many at once, until the
// test ends. Then it closes them.
func NewPair(t testing.TB, left, right End, frames int) *Pair {
	t.Helper()
	p := &Pair{left: left, right: right}
	var wg sync.WaitGroup
	wg.Go(func() { p.carry(t, left.Port, right.Port, frames) })
	wg.Go(func() { p.carry(t, right.Port, left.Port, frames) })
	t.Cleanup(func() {
		left.Port.Close()
		right.Port.Close()
		wg.Wait()
	})
	return p
}

func (p *Pair) carry(t testing.TB, from, to port.Port, frames int) {
	in := Buffers(frames)
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
			if (f.Offload.GSO == port.GSOTCPv4 || f.Offload.GSO == port.GSOTCPv6) && f.Len() > from.LinkHeader()+from.MTU() {
				p.supers.Add(1)
			}
			out = append(out, f)
		}
		if _, err := to.Queues()[0].Write(out); err != nil && !errors.Is(err, port.ErrClosed) {
			t.Errorf("writing: %v", err)
		}
	}
}

// connect opens a TCP connection from the left host to an address of the right
// one. A socket belongs to the namespace of the thread that makes it, which
// with a literal address is the caller's.
func (p *Pair) connect(t testing.TB, to string) (left, right net.Conn) {
	t.Helper()
	l := Inside(t, p.right.Host, func() (net.Listener, error) { return net.Listen("tcp", to) })
	defer l.Close()
	l.(*net.TCPListener).SetDeadline(time.Now().Add(Patience))
	left = Inside(t, p.left.Host, func() (net.Conn, error) { return net.DialTimeout("tcp", to, Patience) })
	t.Cleanup(func() { left.Close() })
	right, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { right.Close() })
	return left, right
}

// TCPPasses transfers data from one host to an address of the other by TCP.
// Super-packets have to pass whole, and every byte has to arrive.
func (p *Pair) TCPPasses(t testing.TB, to string) {
	c, r := p.connect(t, to)
	c.SetDeadline(time.Now().Add(Patience))
	r.SetDeadline(time.Now().Add(Patience))
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
	if m := p.left.Port.Malformed() + p.right.Port.Malformed(); m != 0 {
		t.Errorf("%d malformed frames", m)
	}
}

// BenchTCP measures one stream from one host to an address of the other.
func (p *Pair) BenchTCP(b *testing.B, to string) {
	send, receive := p.connect(b, to)
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

// Circulate measures writing f to one queue and reading it from another that
// the kernel brings it to: batch frames of it before they are read, at most so
// many in one Write.
func Circulate(b *testing.B, in, out port.Queue, f *port.Frame, batch, most int) {
	fs := make([]*port.Frame, batch)
	for i := range fs {
		fs[i] = f
	}
	bufs := Buffers(batch)
	out.SetReadDeadline(time.Now().Add(time.Minute))
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; {
		n := 0
		for want := min(batch, b.N-done); n < want; {
			m, err := in.Write(fs[:min(most, want-n)])
			if err != nil || m == 0 {
				b.Fatalf("Write: %d, %v", m, err)
			}
			n += m
		}
		for got := 0; got < n; {
			m, err := out.Read(bufs)
			if err != nil {
				b.Fatalf("Read: %v after %d of %d frames", err, got, n)
			}
			got += m
			done += m
		}
	}
}
