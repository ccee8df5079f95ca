package offload

import (
	"encoding/binary"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"routerd/dataplane/port"
	"routerd/dataplane/port/packet"
	"routerd/dataplane/port/porttest"
	pkt "routerd/internal/packet"
	"routerd/internal/verdict"
)

// traffic is numbered packets of one flow of h0's, and where each of them came.
type traffic struct {
	sending          atomic.Uint64 // the number of the packet that is being sent
	carried, missed  []uint64      // by number: how often h1, and the router's socket, got it
	arrived, flushed atomic.Uint64 // packets that came; the latest that the socket got
	stop             atomic.Bool
	sender, wg       sync.WaitGroup
}

const mostPackets = 200000

// begin sends until stop is set, never far ahead of what has arrived: a veth
// drops what its queue has no room for.
func (f *traffic) begin(t *testing.T, s *site, h0, h1 *packet.Port, first frame) {
	f.carried, f.missed = make([]uint64, mostPackets+1), make([]uint64, mostPackets+1)
	f.sender.Go(func() {
		for n := uint64(1); !f.stop.Load() && n <= mostPackets; n++ {
			for limit := time.Now().Add(porttest.Patience); n > f.arrived.Load()+100; runtime.Gosched() {
				if time.Now().After(limit) {
					t.Errorf("%d packets were sent and %d came", n-1, f.arrived.Load())
					return
				}
			}
			number := frame{data: append([]byte(nil), first.data...)}
			binary.BigEndian.PutUint64(number.data[14+28:], n)
			number.data[14+26], number.data[14+27] = 0, 0 // no checksum
			f.sending.Store(n)
			if !sends(h0, number) {
				t.Errorf("packet %d was not sent", n)
				return
			}
		}
	})
	count := func(p *packet.Port, at []uint64, latest *atomic.Uint64) {
		bufs := porttest.Buffers(16)
		for {
			got, err := p.Queues()[0].Read(bufs)
			if err != nil {
				if !errors.Is(err, port.ErrClosed) {
					t.Error(err)
				}
				return
			}
			for i := range bufs[:got] {
				n := binary.BigEndian.Uint64(bufs[i].Bytes()[14+28:])
				at[n]++
				latest.Store(n)
				f.arrived.Add(1)
			}
		}
	}
	var ignored atomic.Uint64
	f.wg.Go(func() { count(s.r0, f.missed, &f.flushed) })
	f.wg.Go(func() { count(h1, f.carried, &ignored) })
}

// finish ends sending and waits until all that was sent has come.
func (f *traffic) finish(t *testing.T, s *site, h1 *packet.Port) {
	t.Helper()
	f.stop.Store(true)
	f.sender.Wait()
	wait(t, "all packets have come", func() bool { return f.arrived.Load() >= f.sending.Load() })
	h1.Close()
	s.r0.Close()
	f.wg.Wait()
}

// wait waits until is.
func wait(t *testing.T, what string, is func() bool) {
	t.Helper()
	for limit := time.Now().Add(porttest.Patience); !is(); time.Sleep(10 * time.Microsecond) {
		if time.Now().After(limit) {
			t.Fatalf("%s: not seen in %v", what, porttest.Patience)
		}
	}
}

// No packet that is sent after End has returned is carried by what has ended;
// none is lost and none comes twice, and the counters say how many were carried.
func TestEndHolds(t *testing.T) {
	s := newSite(t)
	h0, h1 := s.hosts(t)
	first := probe(t, "198.18.1.2", pkt.ProtoUDP, 100)
	out, fate := stages(t, s.view(t, false), lan0, first)
	k, d, ok := s.decided(first, out)
	if fate != verdict.Forwarded || !ok {
		t.Fatalf("the stages: %v", fate)
	}
	var f traffic
	f.begin(t, s, h0, h1, first)
	defer func() { f.stop.Store(true); f.sender.Wait(); h1.Close(); s.r0.Close(); f.wg.Wait() }()
	ends := []struct {
		name string
		end  func(Flow)
	}{
		{"a cause", func(Flow) { s.cache.End(2) }},
		{"another cause", func(Flow) { s.cache.End(1) }},
		{"a stop", func(f Flow) { s.cache.Stop(f) }},
		{"its removal", func(f Flow) {
			if err := s.cache.Remove(f); err != nil {
				t.Error(err)
			}
		}},
	}
	type gap struct{ after, until uint64 }
	var gaps []gap
	var counted uint64
	for round := range 30 {
		how := ends[round%len(ends)]
		entry, err := s.cache.Put(k, d, s.cache.Ref(2), s.cache.Ref(1))
		if err != nil {
			t.Fatal(err)
		}
		wait(t, "packets are carried", func() bool { return s.cache.Counters(entry).Packets >= 20 })
		how.end(entry)
		after := f.sending.Load()
		wait(t, "packets pass by the socket after "+how.name, func() bool { return f.flushed.Load() > after+20 })
		gaps = append(gaps, gap{after, f.flushed.Load()})
		if s.cache.live[entry] {
			if s.cache.Stands(entry) && how.name != "a stop" {
				t.Errorf("a flow stands after %s", how.name)
			}
			if _, err := s.cache.Put(k, d, s.cache.Ref(0)); !errors.Is(err, ErrExists) {
				t.Errorf("putting it again: %v, want ErrExists", err)
			}
			if err := s.cache.Remove(entry); err != nil {
				t.Error(err)
			}
		}
		if err := s.cache.Reap(func(f Flow, of Key, n Counters) {
			if f != entry || of != k {
				t.Errorf("told of flow %d, %v", f, of)
			}
			counted += n.Packets
		}); err != nil {
			t.Fatal(err)
		}
	}
	f.finish(t, s, h1)
	sent := f.sending.Load()
	var carried uint64
	for n := uint64(1); n <= sent; n++ {
		carried += f.carried[n]
		if f.carried[n]+f.missed[n] != 1 {
			t.Errorf("packet %d: h1 got it %d times, the socket %d", n, f.carried[n], f.missed[n])
		}
	}
	for _, g := range gaps {
		for n := g.after + 1; n <= g.until; n++ {
			if f.carried[n] != 0 {
				t.Errorf("packet %d was carried by what had ended: it was sent after %d", n, g.after)
			}
		}
	}
	if carried != counted {
		t.Errorf("%d packets were carried, the counters say %d", carried, counted)
	}
	t.Logf("%d packets, %d carried", sent, carried)
}
