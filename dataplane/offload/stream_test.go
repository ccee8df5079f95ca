package offload

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"routerd/dataplane"
	"routerd/dataplane/port"
	"routerd/dataplane/port/porttest"
	pkt "routerd/internal/packet"
	"routerd/routing"
)

// address gives both hosts addresses, a way to each other, and the router as
// their neighbour.
func (s *site) address(t testing.TB) {
	t.Helper()
	for _, h := range []struct{ netns, dev, net4, net6, mac string }{
		{s.near, "h0", "198.18.0", "2001:db8:0:", mac(macR0)}, {s.far, "h1", "198.18.1", "2001:db8:1:", mac(macR1)},
	} {
		ip := func(args ...string) { porttest.IP(t, append([]string{"-n", h.netns}, args...)...) }
		ip("link", "set", "dev", "lo", "up")
		ip("address", "add", h.net4+".2/24", "dev", h.dev)
		ip("address", "add", h.net6+":2/64", "dev", h.dev, "nodad")
		ip("neigh", "replace", h.net4+".1", "lladdr", h.mac, "dev", h.dev)
		ip("neigh", "replace", h.net6+":1", "lladdr", h.mac, "dev", h.dev)
		ip("route", "add", "default", "via", h.net4+".1")
		ip("-6", "route", "add", "default", "via", h.net6+":1", "dev", h.dev)
	}
}

// route runs the router's workers, which are the way of all that is not carried.
func (s *site) route(t testing.TB, v *dataplane.View) {
	t.Helper()
	var live dataplane.Live
	live.Publish(v)
	var wg sync.WaitGroup
	for i, p := range []port.Port{s.r0, s.r1} {
		w := dataplane.NewWorker(&live, routing.InterfaceID(i), 0, dataplane.BatchSize, p.Queues()[0], nil)
		wg.Go(func() {
			if err := w.Run(time.Now); err != nil {
				t.Errorf("the router's worker: %v", err)
			}
		})
	}
	t.Cleanup(func() {
		s.r0.Close()
		s.r1.Close()
		wg.Wait()
	})
}

// connect opens a TCP connection from h0 to h1.
func (s *site) connect(t testing.TB, to string) (near, far net.Conn) {
	t.Helper()
	l := porttest.Inside(t, s.far, func() (net.Listener, error) { return net.Listen("tcp", to) })
	defer l.Close()
	l.(*net.TCPListener).SetDeadline(time.Now().Add(porttest.Patience))
	near = porttest.Inside(t, s.near, func() (net.Conn, error) { return net.DialTimeout("tcp", to, porttest.Patience) })
	t.Cleanup(func() { near.Close() })
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	near.SetDeadline(time.Now().Add(porttest.Patience))
	far.SetDeadline(time.Now().Add(porttest.Patience))
	return near, far
}

func addrPort(t testing.TB, a net.Addr) netip.AddrPort {
	t.Helper()
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// carryConnection puts both directions of a connection. What h1 sees as the other end
// is what the router made of it.
func (s *site) carryConnection(t testing.TB, near, far net.Conn, peer bool) (there, back Flow) {
	t.Helper()
	from, to, seen := addrPort(t, near.LocalAddr()), addrPort(t, near.RemoteAddr()), addrPort(t, far.RemoteAddr())
	there, err := s.cache.Put(Key{s.index0, pkt.ProtoTCP, from, to},
		Decision{Src: seen, Dst: to, Station: macR0, From: macR1, To: macH1, Egress: s.index1, Peer: peer, MTU: s.mtu}, s.cache.Ref(0), s.cache.Ref(1))
	if err != nil {
		t.Fatal(err)
	}
	back, err = s.cache.Put(Key{s.index1, pkt.ProtoTCP, to, seen},
		Decision{Src: to, Dst: from, Station: macR1, From: macR0, To: macH0, Egress: s.index0, Peer: peer, MTU: s.mtu}, s.cache.Ref(0), s.cache.Ref(2))
	if err != nil {
		t.Fatal(err)
	}
	return there, back
}

// A connection is opened and closed by the stages, and its data carried by the
// kernel, in super-packets.
func TestStream(t *testing.T) {
	for _, to := range []string{"198.18.1.2:7000", "[2001:db8:1::2]:7000"} {
		for _, translated := range []bool{false, true} {
			for _, peer := range []bool{false, true} {
				t.Run(fmt.Sprintf("to %s translated %v peer %v", to, translated, peer), func(t *testing.T) {
					s := newSite(t)
					s.address(t)
					s.route(t, s.view(t, translated))
					near, far := s.connect(t, to)
					there, back := s.carryConnection(t, near, far, peer)
					if from := addrPort(t, far.RemoteAddr()).Addr(); from.Is4() && (from == netip.MustParseAddr("198.18.1.1")) != translated {
						t.Errorf("h1 sees %v", from)
					}
					const size = 8 << 20
					transfer(t, near, far, size)
					n, m := s.cache.Counters(there), s.cache.Counters(back)
					if n.Bytes < size*9/10 || n.Supers == 0 || n.Packets < size/1500*9/10 || m.Packets == 0 {
						t.Errorf("carried %+v there and %+v back: want nearly all of %d bytes, with super-packets", n, m, size)
					}
				})
			}
		}
	}
}

// transfer sends so many bytes, all of which have to arrive, and closes.
func transfer(t testing.TB, from, to net.Conn, size int) {
	t.Helper()
	data := make([]byte, size)
	for i := 0; i < len(data); i += 8 {
		binary.BigEndian.PutUint64(data[i:], uint64(i)*0x9e3779b97f4a7c15)
	}
	sent := make(chan error, 1)
	go func() {
		_, err := from.Write(data)
		sent <- errors.Join(err, from.(*net.TCPConn).CloseWrite())
	}()
	h := sha256.New()
	n, err := io.Copy(h, to)
	if err := errors.Join(err, <-sent); err != nil {
		t.Fatalf("%v after %d bytes of %d", err, n, size)
	}
	if n != int64(size) || [32]byte(h.Sum(nil)) != sha256.Sum256(data) {
		t.Errorf("%d bytes arrived of %d, or other ones", n, size)
	}
}
