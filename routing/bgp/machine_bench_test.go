package bgp

import (
	"context"
	"net/netip"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"routerd/internal/corpus"
	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// benchBed is a machine with neighbours whose connections take whatever they are sent, and
// a RIB that resolves every next hop and has every route in the FIB at once.
type benchBed struct {
	b       *testing.B
	machine *Machine
	slots   routing.Slots
	config  Config
	streams []protocol.StreamID // of the neighbours, the last of each
	last    protocol.StreamID
	now     time.Time
	out     []protocol.Effect
	longest time.Duration // processor time of a step
}

func newBenchBed(b *testing.B, neighbors int) *benchBed {
	k := &benchBed{b: b, now: epoch, last: protocol.AcceptedStream, streams: make([]protocol.StreamID, neighbors)}
	k.machine = New(protocol.Start{Seed: 1, Slots: &k.slots})
	k.config = Config{AS: 4200000000, RouterID: 99} // in none of the paths
	for i := range neighbors {
		n := NeighborConfig{Address: netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + i)}), Link: routing.NoInterface, AS: 65001 + uint32(i), HoldTime: 0xffff, Passive: true}
		n.Families[wire.IPv4Unicast] = FamilyConfig{Enabled: true, Import: Policy{Given: true}, Export: Policy{Given: true}}
		k.config.Neighbors = append(k.config.Neighbors, n)
	}
	k.config.Listen[wire.IPv4Unicast] = netip.MustParseAddrPort("0.0.0.0:179")
	k.step(protocol.LinkUp{Link: 1, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.99/24")}})
	k.step(protocol.Configure{Config: k.config})
	return k
}

// step gives the machine inputs that wait together, and what follows from its effects, until
// nothing does.
func (k *benchBed) step(queue ...protocol.Input) {
	for len(queue) > 0 {
		in := queue[0]
		queue = queue[1:]
		began := processorTime(unix.RUSAGE_THREAD)
		k.out = k.machine.Step(k.now, in, k.out[:0])
		k.longest = max(k.longest, processorTime(unix.RUSAGE_THREAD)-began)
		for _, e := range k.out {
			switch e := e.(type) {
			case protocol.Write:
				queue = append(queue, protocol.Written{ID: e.ID, Room: protocol.StreamRoom})
			case protocol.Track:
				queue = append(queue, protocol.Notices{Notices: routing.Notices{NextHops: []routing.NextHopState{
					{Address: e.Address, Interface: e.Link, Reachable: true, Source: routing.SourceConnected},
				}}})
			case protocol.Mark:
				queue = append(queue, protocol.Notices{Notices: routing.Notices{Installed: e.Number}})
			}
		}
		k.slots.Publish()
		if at := k.machine.Deadline(); len(queue) == 0 && !at.IsZero() && !at.After(k.now) {
			queue = append(queue, protocol.Tick{})
		}
	}
}

// connect has a session come up, once the IdleHoldTimer lets it.
func (k *benchBed) connect(i int) {
	for s := k.machine.order[i].session; s.State() == Idle; {
		k.now = k.now.Add(time.Second)
		k.step(protocol.Tick{})
	}
	k.last++
	k.streams[i] = k.last
	n := k.config.Neighbors[i]
	k.step(protocol.Connected{ID: k.last, Listener: 1, Local: netip.MustParseAddrPort("192.0.2.99:179"), Remote: netip.AddrPortFrom(n.Address, 1000), Link: routing.NoInterface, Room: protocol.StreamRoom})
	open := wire.Open{AS: n.AS, ID: wire.RouterID(1 + i), HoldTime: 0xffff, Capabilities: wire.Capabilities{Families: wire.Of(wire.IPv4Unicast), FourOctetAS: true, RouteRefresh: true}}
	k.bring(i, wire.AppendKeepalive(open.Append(nil)))
	if s := k.machine.order[i].session.State(); s != Established {
		k.b.Fatalf("the session with neighbour %d is %v", i, s)
	}
}

// bring has octets come from a neighbour, as many at once as streams give.
func (k *benchBed) bring(i int, stream []byte) {
	for len(stream) > 0 {
		n := min(64<<10, len(stream))
		k.step(protocol.Read{ID: k.streams[i], Data: stream[:n]})
		stream = stream[n:]
	}
}

func (k *benchBed) lose(i int) {
	k.step(protocol.Closed{ID: k.streams[i], Err: protocol.ErrStreamReset})
}

// want has so many routes be there, and so many prefixes have been sent to a neighbour.
func (k *benchBed) want(what string, routes, to, sent int) {
	k.b.Helper()
	if got := k.machine.ribs[wire.IPv4Unicast].table.Len(); got != routes {
		k.b.Fatalf("%s: %d routes, want %d", what, got, routes)
	}
	if got := k.machine.order[to].out[wire.IPv4Unicast].count(); got != sent {
		k.b.Fatalf("%s: neighbour %d has %d prefixes, want %d", what, to, got, sent)
	}
}

// phases are the processor time of parts of a benchmark, the collector's included. In a profile
// each has the label "phase".
type phases struct {
	names []string
	total map[string]time.Duration
}

func (p *phases) measure(name string, f func()) {
	runtime.GC() // what was before is not its
	began := processorTime(unix.RUSAGE_SELF)
	pprof.Do(context.Background(), pprof.Labels("phase", name), func(context.Context) { f() })
	if p.total == nil {
		p.total = map[string]time.Duration{}
	}
	if _, known := p.total[name]; !known {
		p.names = append(p.names, name)
	}
	p.total[name] += processorTime(unix.RUSAGE_SELF) - began
}

// processorTime is what the process or the thread has used.
func processorTime(who int) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(who, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (p *phases) report(b *testing.B, routes int) {
	for _, name := range p.names {
		b.ReportMetric(float64(p.total[name].Nanoseconds())/float64(b.N)/float64(routes), name+"-ns/route")
	}
}

// withdrawals withdraws prefixes.
func withdrawals(list []netip.Prefix) []byte {
	var p wire.Packer
	p.Begin(nil, &session)
	p.Withdraw(wire.IPv4Unicast)
	for _, prefix := range list {
		p.Add(0, prefix)
	}
	return p.Bytes()
}

// BenchmarkMachine has a machine learn a full table from a neighbour, send it to another
// one, and lose it in several ways. Memory is that of the machine and its slots.
func BenchmarkMachine(b *testing.B) {
	list := corpus.Prefixes(b)
	stream, gone := feedOf(list, 1), withdrawals(list)
	refresh := wire.Refresh{Family: wire.IPv4Unicast}.Append(nil)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var p phases
	longest := map[string]time.Duration{}
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		k := newBenchBed(b, 2)
		k.connect(0)
		measure := func(name string, f func()) {
			k.longest = 0
			p.measure(name, f)
			longest[name] = max(longest[name], k.longest)
		}
		measure("learn", func() { k.bring(0, stream) })
		k.want("learned", len(list), 1, 0)
		runtime.GC()
		runtime.ReadMemStats(&after)
		measure("send", func() { k.connect(1) })
		k.want("sent", len(list), 1, len(list))
		sent := k.machine.order[1].messages.Sent
		measure("refresh", func() { k.bring(1, refresh) })
		if again := k.machine.order[1].messages.Sent - sent; again != uint64(len(list)) {
			b.Fatalf("refreshed: %d prefixes were sent, want %d", again, len(list))
		}
		measure("withdraw", func() { k.bring(0, gone) })
		k.want("withdrawn", 0, 1, 0)
		measure("learn+send", func() { k.bring(0, stream) })
		k.want("learned and sent", len(list), 1, len(list))
		measure("lost", func() { k.lose(0) })
		k.want("lost", 0, 1, 0)
		measure("back", func() { k.connect(0); k.bring(0, stream) })
		k.want("back", len(list), 1, len(list))
	}
	for name, d := range longest {
		b.ReportMetric(d.Seconds()*1000, name+"-longest-ms")
	}
	p.report(b, len(list))
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(list)), "B/route")
}

// BenchmarkTenNeighbors has ten neighbours of a machine have the same prefixes, and loses
// the one whose routes are the best.
func BenchmarkTenNeighbors(b *testing.B) {
	const neighbors = 10
	list := corpus.Prefixes(b)[:100_000]
	var streams [neighbors][]byte
	for i := range streams {
		streams[i] = feedOf(list, 1+i)
	}
	var p phases
	for b.Loop() {
		k := newBenchBed(b, neighbors+1)
		for i := range neighbors + 1 {
			k.connect(i)
		}
		p.measure("learn+send", func() {
			var blocks [neighbors]protocol.Input
			for at := 0; at < len(streams[0]); at += 64 << 10 { // side by side
				for i, s := range streams {
					blocks[i] = protocol.Read{ID: k.streams[i], Data: s[min(at, len(s)):min(at+64<<10, len(s))]}
				}
				k.step(blocks[:]...)
			}
		})
		k.want("learned and sent", neighbors*len(list), neighbors, len(list))
		p.measure("best-lost", func() { k.lose(0) })
		k.want("best lost", (neighbors-1)*len(list), neighbors, len(list))
	}
	p.report(b, neighbors*len(list))
}
