package porttest

import (
	"errors"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"routerd/dataplane"
	"routerd/dataplane/port"
	"routerd/dataplane/reassembly"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
	"routerd/routing/fib"
)

// countedQueue counts how often its reader came back with nothing.
type countedQueue struct {
	port.Queue
	empty atomic.Int64
}

func (q *countedQueue) Read(fs []port.Frame) (int, error) {
	n, err := q.Queue.Read(fs)
	if errors.Is(err, port.ErrTimeout) {
		q.empty.Add(1)
	}
	return n, err
}

// Worker checks that the router's worker on the port goes on, and sleeps, after
// the reassembly of a packet to the router has timed out.
func Worker(t *testing.T, s Station) {
	i := &dataplane.Interface{
		Name: "lan0", Kind: dataplane.Kind(s.Port.Kind()), Up: true, PointToPoint: s.Port.LinkHeader() == 0, MTU: s.Port.MTU(),
		Addresses: []netip.Prefix{netip.MustParsePrefix("198.18.0.1/24")},
		Output:    s.Port.Queues()[0], Offloads: s.Port.Offloads(), LinkHeader: s.Port.LinkHeader(),
	}
	if e, is := s.Port.(port.Ethernet); is {
		i.MAC = e.HardwareAddr()
	}
	table := fib.Empty().Apply([]fib.Change{{
		Prefix: netip.MustParsePrefix("198.18.0.1/32"),
		Entry:  &fib.Entry{Prefix: netip.MustParsePrefix("198.18.0.1/32"), Action: routing.Local},
	}})
	v := &dataplane.View{
		Generation: 1, Interfaces: []*dataplane.Interface{i},
		Tables: []*dataplane.Table{{Name: "main", FIB: table}},
		Limits: dataplane.Limits{Reassembly: reassembly.Config{Timeout: 20 * time.Millisecond, Packets: 4, Bytes: 1 << 16}},
	}
	v.Own = dataplane.NewOwnAddresses(v.Interfaces)
	var live dataplane.Live
	live.Publish(v)
	q := &countedQueue{Queue: s.Port.Queues()[0]}
	w := dataplane.NewWorker(&live, 0, 0, dataplane.BatchSize, q, nil)
	done := make(chan error, 1)
	go func() { done <- w.Run(time.Now) }()
	defer func() {
		s.Port.Close()
		if err := <-done; err != nil {
			t.Errorf("worker: %v", err)
		}
	}()
	reach := func(what string, is func() bool) {
		t.Helper()
		for limit := time.Now().Add(Patience); !is(); time.Sleep(time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatalf("%s: not seen in %v; %d packets were received, %d waits ended with nothing", what, Patience, w.Counters.Received().Packets, q.empty.Load())
			}
		}
	}
	for n := range uint64(3) {
		f := packet.IPv4(UDP4("198.18.0.2:9", "198.18.0.1:9", "the first of two fragments, that is", false))
		f.SetID(uint16(n))
		f.SetFragment(false, true, 0)
		f.SetTotalLen(packet.IPv4MinHeader + 32)
		f = f[:f.TotalLen()]
		f.FillChecksum()
		s.Send(f)
		reach("a fragment's time is up", func() bool { return w.Counters.Verdict(verdict.FragmentTimeout) == n+1 })
		before := w.Counters.Verdict(verdict.PortUnreachable)
		s.Send(marked("after the timeout"))
		reach("a packet after the timeout is read", func() bool { return w.Counters.Verdict(verdict.PortUnreachable) > before })
	}
	if n := q.empty.Load(); n != 3 {
		t.Errorf("%d waits ended with nothing, want one for each of three fragments", n)
	}
}
