package dataplane

import (
	"testing"
	"time"

	"routerd/dataplane/port"
	"routerd/dataplane/port/memory"
	"routerd/internal/corpus"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/nat"
	"routerd/routing"
)

// sink is a queue that takes everything and keeps nothing, so that the
// benchmarks count the dataplane alone.
type sink struct{ port.Queue }

func (sink) Write(frames []*port.Frame) (int, error) {
	for _, f := range frames {
		f.Failed = false
	}
	return len(frames), nil
}

// load is a batch that can be processed again and again: what the stages
// changed is put back in front of each run.
type load struct {
	packets []memory.Packet
	batch   *Batch
	view    *View
}

func newLoad(tb testing.TB, packets ...memory.Packet) *load {
	n := newNetwork(tb)
	for _, i := range n.view.Interfaces {
		if i.Output != nil {
			i.Output = sink{}
		}
	}
	return &load{packets, NewBatch(BatchSize, &Counters{}, &DropRing{}), n.view}
}

func (l *load) run() {
	fill(l.batch, lan0, l.packets...)
	Process(l.view, l.batch, testNow)
	l.batch.Transmit(testNow)
}

// loads are the kinds of traffic that the benchmarks and the allocation test
// go through.
func loads(tb testing.TB) map[string]*load {
	one := func(p Probe, f func(i int, p *Probe)) []memory.Packet {
		var list []memory.Packet
		for i := range BatchSize {
			q := p
			if f != nil {
				f(i, &q)
			}
			list = append(list, raw(build(tb, q)))
		}
		return list
	}
	apart := func(i int, p *Probe) { p.SrcPort = uint16(i * 7) }
	tcp, _ := super(tb, packet.ProtoTCP, false, 45, 1300, 1300)
	bare, _ := super(tb, packet.ProtoTCP, false, 45, 1300, 1300)
	bare, _ = readdress(bare, nil)
	stack := newLoad(tb, append(one(udp4("10.0.1.1"), apart)[:BatchSize-2], tcp, tcp)...)
	stack.view.Stack = stack.view.Interfaces[bare0] // any will do for a sink
	stack.view.Limits.Stack = StackConfig{Rate: 1000, Burst: 100}
	translated := newLoad(tb, append(one(udp4("10.0.2.2"), apart)[:BatchSize-2], tcp, tcp)...)
	(&network{view: translated.view}).translate(tb, natConfig())
	big := probe(tb, "udp 10.0.1.2:4000 > 10.0.2.2:53", 2000)
	pieces := newLoad(tb, raw(cut4(big, 0, 800, true)), raw(cut4(big, 800, 1600, true)), raw(cut4(big, 1600, 2008, false)))
	(&network{view: pieces.view}).translate(tb, natConfig())
	filtered := newLoad(tb, append(one(udp4("10.0.2.2"), apart)[:BatchSize/2], one(udp6("2001:db8:2::2"), apart)[:BatchSize/2]...)...)
	(&network{view: filtered.view}).filter(tb, guard(), nat.Config{})
	refused := newLoad(tb, append(one(udp4("10.0.2.2"), apart)[:BatchSize/2], one(udp6("2001:db8:2::2"), apart)[:BatchSize/2]...)...)
	closed := guard()
	closed.Interfaces[0].Interface = "lan0"
	(&network{view: refused.view}).filter(tb, closed, nat.Config{})
	return map[string]*load{
		"filter/sessions":      filtered,
		"filter/refused":       refused,
		"stack, policed":       stack,
		"NAT/many-flows":       translated,
		"NAT/fragments":        pieces,
		"UDP4/one-flow":        newLoad(tb, raws(stream(tb, packet.ProtoUDP, false, BatchSize, 64, 64))...),
		"UDP4/many-flows":      newLoad(tb, one(udp4("10.0.2.2"), apart)...),
		"UDP6/many-flows":      newLoad(tb, one(udp6("2001:db8:2::2"), apart)...),
		"UDP4/ecmp":            newLoad(tb, one(udp4("10.20.0.1"), apart)...),
		"TCP4/super":           newLoad(tb, tcp, tcp, tcp, tcp),
		"TCP4/super-segmented": newLoad(tb, bare),
		"echo":                 newLoad(tb, one(ping4("10.0.1.1"), nil)...),
		"no-route":             newLoad(tb, one(udp4("203.0.113.1"), nil)...),
		"blackhole":            newLoad(tb, one(udp4("10.9.0.1"), nil)...),
		"fragmented":           newLoad(tb, one(udp4("10.0.2.2"), func(_ int, p *Probe) { p.Size = 1450 })...),
	}
}

func TestPacketsAllocateNothing(t *testing.T) {
	for name, l := range loads(t) {
		l.run() // lists grow to their size
		if got := testing.AllocsPerRun(20, l.run); got != 0 {
			t.Errorf("%s: %v allocations per batch of %d, want none", name, got, len(l.packets))
		}
	}
}

// carried has the kernel carry between all interfaces of the load, and gives what
// counts its packets for that.
func (l *load) carried() (count func()) {
	for _, i := range l.view.Interfaces {
		i.Carried = &Carried{Frames: 100_000, Bytes: 1 << 31, Again: true}
	}
	l.view.Offers = &nobodyOffered{}
	l.run()
	l.run() // the first packet of a session is not counted
	w, now := new(watch), testNow
	return func() {
		now = now.Add(10 * time.Microsecond)
		w.see(l.view, l.batch, l.view.Interface(lan0), now)
	}
}

type nobodyOffered struct{}

func (nobodyOffered) Offer([]Offer) {}

func TestOffersAllocateNothing(t *testing.T) {
	for name, l := range loads(t) {
		count := l.carried()
		if got := testing.AllocsPerRun(20, count); got != 0 {
			t.Errorf("%s: %v allocations per batch of %d, want none", name, got, len(l.packets))
		}
	}
}

// BenchmarkOffers gives what counting for offers costs a packet, where the kernel
// might carry.
func BenchmarkOffers(b *testing.B) {
	for name, l := range loads(b) {
		b.Run(name, func(b *testing.B) {
			count := l.carried()
			for b.Loop() {
				count()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(l.packets)), "ns/packet")
		})
	}
}

func BenchmarkProcess(b *testing.B) {
	for name, l := range loads(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				l.run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(l.packets)), "ns/packet")
		})
	}
}

// BenchmarkStage gives the cost of each stage alone, over small packets of
// many flows. "fill" is what putting the batch back costs the benchmark.
func BenchmarkStage(b *testing.B) {
	l := loads(b)["UDP4/many-flows"]
	perPacket := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(l.packets)), "ns/packet")
	}
	b.Run("fill", func(b *testing.B) {
		for b.Loop() {
			fill(l.batch, lan0, l.packets...)
		}
		perPacket(b)
	})
	stages := append(append([]stage(nil), inbound...), leave...)
	for i, s := range stages {
		b.Run(s.name, func(b *testing.B) {
			var spent time.Duration
			for b.Loop() {
				fill(l.batch, lan0, l.packets...)
				l.batch.begin(l.view)
				for i := range l.batch.packets {
					l.batch.work = append(l.batch.work, &l.batch.packets[i])
				}
				for _, before := range stages[:i] {
					before.run(l.view, l.batch, testNow)
				}
				start := time.Now()
				s.run(l.view, l.batch, testNow)
				spent += time.Since(start)
			}
			b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N*len(l.packets)), "ns/packet")
			b.ReportMetric(0, "ns/op")
		})
	}
	b.Run("transmit", func(b *testing.B) {
		var spent time.Duration
		for b.Loop() {
			fill(l.batch, lan0, l.packets...)
			Process(l.view, l.batch, testNow)
			start := time.Now()
			l.batch.Transmit(testNow)
			spent += time.Since(start)
		}
		b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N*len(l.packets)), "ns/packet")
		b.ReportMetric(0, "ns/op")
	})
}

// FuzzProcess throws anything at the stages: no panic, one verdict, and what
// leaves is a sound packet no longer than its way out allows.
func FuzzProcess(f *testing.F) {
	for _, tt := range fates(f) {
		f.Add(tt.packet, uint8(0), uint16(0), uint16(0), uint16(0))
	}
	for _, p := range corpus.Packets(f) {
		f.Add(p, uint8(0), uint16(0), uint16(0), uint16(0))
	}
	plain := newNetwork(f)
	mirrored := cached(f, func() *network { return newNetwork(f) })
	b, b2 := NewBatch(8, &Counters{}, &DropRing{}), NewBatch(8, &Counters{}, &DropRing{})
	f.Fuzz(func(t *testing.T, data []byte, gso uint8, segment, start, offset uint16) {
		if len(data) > port.MaxFrame-18 {
			return
		}
		off := port.Offload{GSO: port.GSOType(gso % 8), SegmentSize: segment, ChecksumStart: start, ChecksumOffset: offset, NeedsChecksum: start != 0}
		in, p := routing.InterfaceID(len(data)%2), memory.Packet{Data: data, Offload: off}
		plain.runIn(t, b, in, p)
		for range 2 { // the first has the flow cached
			mirrored.runIn(t, b2, in, p)
		}
		for _, r := range []struct {
			n *network
			b *Batch
		}{{plain, b}, {mirrored, b2}} {
			if v := r.b.Packets()[0].Verdict; v == verdict.None || int(v) >= verdict.Count {
				t.Errorf("verdict %d", v)
			}
			for id, p := range r.n.ports {
				for _, sent := range p.Take() {
					checkSent(t, r.n.view.Interface(id), sent)
				}
			}
		}
	})
}

func checkSent(t *testing.T, out *Interface, p memory.Packet) {
	t.Helper()
	p.Data = p.Data[out.LinkHeader:]
	if p.Data[0]>>4 == 4 {
		ip := packet.IPv4(p.Data)
		if !ip.Valid() || !ip.HeaderChecksumOK() || ip.TotalLen() != len(ip) {
			t.Errorf("unsound packet left by %s: %x", out.Name, p.Data)
		}
	} else if ip := packet.IPv6(p.Data); !ip.Valid() || ip.TotalLen() != len(ip) {
		t.Errorf("unsound packet left by %s: %x", out.Name, p.Data)
	}
	if p.Offload.GSO == port.GSONone && len(p.Data) > out.MTU {
		t.Errorf("%d bytes left by %s, whose MTU is %d", len(p.Data), out.Name, out.MTU)
	}
}
