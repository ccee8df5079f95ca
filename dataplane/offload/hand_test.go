package offload

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port"
	"routerd/dataplane/port/packet"
	"routerd/dataplane/port/porttest"
	pkt "routerd/internal/packet"
	"routerd/internal/verdict"
)

// flight is numbered packets of some flows of h0's, forwarded by the router's
// workers and by the cache.
type flight struct {
	first      []frame // of each flow
	sent, came []uint64
	all, got   atomic.Uint64
	overtaken  []string
	stop       atomic.Bool
	sender, wg sync.WaitGroup
}

const (
	streamFlows = 24
	batch       = 16 // packets that are sent at once
)

// begin sends until stop is set. No more than window packets are on their way, if
// none is lost; of those that may be, dropped tells.
func (f *flight) begin(t *testing.T, h0, h1 *packet.Port, window uint64, dropped func() uint64) {
	f.sent, f.came = make([]uint64, len(f.first)), make([]uint64, len(f.first))
	f.sender.Go(func() {
		var frames []*port.Frame
		for range batch {
			frames = append(frames, porttest.Frame(f.first[0].data))
		}
		r := rand.New(rand.NewPCG(1, 1))
		for !f.stop.Load() {
			for limit := time.Now().Add(porttest.Patience); f.all.Load()+batch > f.got.Load()+dropped()+window; runtime.Gosched() {
				if time.Now().After(limit) {
					t.Errorf("%d packets were sent, %d came and %d were dropped", f.all.Load(), f.got.Load(), dropped())
					return
				}
			}
			for _, b := range frames {
				i := r.IntN(len(f.first))
				f.sent[i]++
				b.Start, b.End = port.Headroom, port.Headroom+copy(b.Buf[port.Headroom:], f.first[i].data)
				binary.BigEndian.PutUint64(b.Bytes()[14+28:], uint64(i)<<48|f.sent[i])
			}
			if n, err := h0.Queues()[0].Write(frames); n != batch || err != nil {
				t.Errorf("sending: %d of %d, %v", n, batch, err)
				return
			}
			f.all.Add(batch)
		}
	})
	f.wg.Go(func() {
		bufs := porttest.Buffers(64)
		for {
			n, err := h1.Queues()[0].Read(bufs)
			if err != nil {
				if !errors.Is(err, port.ErrClosed) {
					t.Error(err)
				}
				return
			}
			for i := range bufs[:n] {
				number := binary.BigEndian.Uint64(bufs[i].Bytes()[14+28:])
				of, n := number>>48, number&(1<<48-1)
				if n <= f.came[of] && len(f.overtaken) < 5 {
					f.overtaken = append(f.overtaken, fmt.Sprintf("flow %d: %d after %d", of, n, f.came[of]))
				}
				f.came[of] = n
			}
			f.got.Add(uint64(n))
		}
	})
}

// While flows are handed over to the kernel, and back, again and again, no packet
// overtakes another of its flow, none comes twice, and none is lost but what a
// full socket has dropped.
func TestHandOver(t *testing.T) {
	wanted := 2000
	if testing.Short() {
		wanted = 200
	}
	for _, c := range []struct {
		name   string
		peer   bool
		window uint64
		buffer int // of the router's socket, in bytes; 0 for what it has
	}{
		{"by the device", false, 200, 0},
		{"to the peer", true, 200, 0},
		{"to the peer, with a full socket", true, 2000, 1 << 16},
	} {
		t.Run(c.name, func(t *testing.T) { handOver(t, wanted, c.peer, c.window, c.buffer) })
	}
}

func handOver(t *testing.T, wanted int, peer bool, window uint64, buffer int) {
	s := newSite(t)
	h0, h1 := s.hosts(t)
	v := s.view(t, false)
	s.route(t, v)
	if buffer > 0 {
		if err := s.r0.Sockets(func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buffer) }); err != nil {
			t.Fatal(err)
		}
	}
	f, keys, decisions := &flight{}, make([]Key, streamFlows), make([]Decision, streamFlows)
	for i := range streamFlows {
		first := probe(t, "198.18.1.2", pkt.ProtoUDP, 100)
		first.data[14+20], first.data[14+21] = 0x40, byte(i)
		first.data[14+26], first.data[14+27] = 0, 0 // no checksum
		out, fate := stages(t, v, lan0, first)
		k, d, ok := s.decided(first, out)
		if fate != verdict.Forwarded || !ok {
			t.Fatalf("the stages: %v", fate)
		}
		d.Peer = peer
		f.first, keys[i], decisions[i] = append(f.first, first), k, d
	}
	dropped := s.drops(t, buffer > 0)
	f.begin(t, h0, h1, window, dropped)
	defer func() { f.stop.Store(true); f.sender.Wait(); h1.Close(); f.wg.Wait() }()
	done := s.handAround(t, wanted, keys, decisions)
	f.stop.Store(true)
	f.sender.Wait()
	wait(t, "all packets have come", func() bool { return f.got.Load()+dropped() >= f.all.Load() })
	h1.Close()
	f.wg.Wait()
	for _, o := range f.overtaken {
		t.Errorf("overtaken, or twice: %s", o)
	}
	lost := f.all.Load() - f.got.Load()
	if n := dropped(); n != lost || lost > 0 != (buffer > 0) {
		t.Errorf("%d packets of %d are lost, and %d were dropped by full sockets", lost, f.all.Load(), n)
	}
	t.Logf("%d packets, %d dropped, %d times handed over", f.all.Load(), lost, done)
}

// handAround hands flows over to the kernel and, once it has carried some packets
// of one, back. The last third of the flows stays in user space.
func (s *site) handAround(t *testing.T, wanted int, keys []Key, decisions []Decision) (done int) {
	t.Helper()
	r := rand.New(rand.NewPCG(2, 2))
	entries := make([]*Flow, len(keys)*2/3)
	for limit := time.Now().Add(2 * porttest.Patience); done < wanted; {
		if time.Now().After(limit) {
			if done < wanted/20 {
				t.Errorf("handed over %d times in %v: too few to see anything", done, 2*porttest.Patience)
			}
			break // a loaded machine
		}
		for i, e := range entries {
			cause := Cause(r.IntN(4))
			if e == nil {
				f, err := s.cache.Put(keys[i], decisions[i], s.cache.Ref(cause))
				if err != nil {
					t.Fatal(err)
				}
				entries[i] = &f
				continue
			}
			stands := s.cache.Stands(*e)
			if stands && s.cache.Counters(*e).Packets < uint64(1+r.IntN(20)) {
				continue
			}
			if stands {
				done++
				if r.IntN(2) == 0 {
					s.cache.End(cause) // of other flows too
				}
			}
			if err := s.cache.Remove(*e); err != nil {
				t.Fatal(err)
			}
			entries[i] = nil
		}
		if len(s.cache.ended) > 500 {
			s.reap(t)
		}
		time.Sleep(50 * time.Microsecond)
	}
	return done
}

// drops gives a function that tells how many packets the router's and h1's
// sockets have dropped for want of room.
func (s *site) drops(t *testing.T, any bool) func() uint64 {
	var total atomic.Uint64
	var mu sync.Mutex
	return func() uint64 {
		if !any {
			return 0
		}
		mu.Lock()
		defer mu.Unlock()
		if err := s.r0.Sockets(func(fd int) error {
			n, err := unix.GetsockoptTpacketStats(fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
			if err == nil {
				total.Add(uint64(n.Drops))
			}
			return err
		}); err != nil {
			t.Error(err)
		}
		return total.Load()
	}
}
