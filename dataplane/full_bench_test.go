package dataplane

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"routerd/dataplane/port/memory"
	"routerd/internal/corpus"
	"routerd/internal/verdict"
	"routerd/routing"
	"routerd/routing/fib"
)

// BenchmarkFullTable forwards a million flows, to addresses inside prefixes of the
// public table in random order, by that table and by one of ten routes in turn, and
// reports the rate by the full table as a share of the rate by the small one: the
// median of the turns. The whole path from received packets to written ones counts.
func BenchmarkFullTable(b *testing.B) {
	full := corpus.Table(b)
	small := []netip.Prefix{prefix("0.0.0.0/0"), prefix("192.0.2.0/24")}
	for i := range 8 {
		small = append(small, netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(i << 5)}), 3))
	}
	flows := flowsInside(full, 1<<20)
	tables := [2]*spread{newSpread(b, small), newSpread(b, full)}
	runtime.GC()     // of what the tables were made from
	const turn = 256 // batches
	at := 0
	var ratios []float64
	var took [2]time.Duration
	for b.Loop() {
		var now [2]time.Duration
		for k := range tables {
			which := (k + len(ratios)) % 2 // who comes first changes too
			start := time.Now()
			for n := range turn {
				tables[which].forward(flows, at+n*BatchSize)
			}
			now[which] = time.Since(start)
			took[which] += now[which]
		}
		at += turn * BatchSize
		ratios = append(ratios, float64(now[0])/float64(now[1]))
	}
	for k, s := range tables {
		if got := s.load.batch.counters.Verdict(verdict.Forwarded); got != uint64(b.N*turn*BatchSize) {
			b.Fatalf("%d packets are forwarded by table %d, want %d", got, k, b.N*turn*BatchSize)
		}
	}
	slices.Sort(ratios)
	packets := float64(b.N * turn * BatchSize)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ratios[len(ratios)/2], "full/ten")
	b.ReportMetric(float64(took[0].Nanoseconds())/packets, "ten-ns/packet")
	b.ReportMetric(float64(took[1].Nanoseconds())/packets, "full-ns/packet")
}

// spread is a router whose packets go to many addresses.
type spread struct {
	load *load
	sum  uint32 // of the words of the header that all packets have alike
}

func newSpread(b *testing.B, prefixes []netip.Prefix) *spread {
	var list []memory.Packet
	for range BatchSize {
		list = append(list, raw(build(b, udp4("10.0.2.2"))))
	}
	s := &spread{load: newLoad(b, list...)}
	var groups [64]*fib.Group
	for i := range groups {
		groups[i] = fib.NewGroup([]fib.NextHop{{Address: netip.AddrFrom4([4]byte{10, 0, 2, byte(i + 2)}), Interface: lan1}})
	}
	var changes []fib.Change
	for i, p := range prefixes {
		changes = append(changes, fib.Change{Prefix: p, Entry: &fib.Entry{
			Prefix: p, Action: routing.Forward, Source: routing.SourceStatic, Group: groups[i%len(groups)],
		}})
	}
	table := s.load.view.Tables[0]
	table.FIB = table.FIB.Apply(changes)
	header := list[0].Data[:20]
	for i := 0; i < 16; i += 2 {
		if i != 10 {
			s.sum += uint32(binary.BigEndian.Uint16(header[i:]))
		}
	}
	return s
}

// forward has the next batch of flows forwarded.
func (s *spread) forward(flows []uint32, at int) {
	l := s.load
	fill(l.batch, lan0, l.packets...)
	for i := range l.packets {
		f := &l.batch.Frames()[i]
		header := f.Buf[f.Start : f.Start+20]
		to := flows[(at+i)&(len(flows)-1)]
		sum := s.sum + to>>16 + to&0xffff
		sum = sum>>16 + sum&0xffff
		sum += sum >> 16
		binary.BigEndian.PutUint16(header[10:], ^uint16(sum))
		binary.BigEndian.PutUint32(header[16:], to)
	}
	l.batch.Received(len(l.packets), lan0)
	Process(l.view, l.batch, testNow)
	l.batch.Transmit(testNow)
}

// flowsInside gives n IPv4 addresses of hosts, each inside a random prefix.
func flowsInside(prefixes []netip.Prefix, n int) (list []uint32) {
	random := rand.New(rand.NewPCG(1, 2))
	for len(list) < n {
		p := prefixes[random.IntN(len(prefixes))]
		if !p.Addr().Is4() {
			continue
		}
		a := p.Addr().As4()
		to := binary.BigEndian.Uint32(a[:]) | random.Uint32()&(1<<(32-p.Bits())-1)
		if first := to >> 24; first != 0 && first != 10 && first != 127 && first < 224 {
			list = append(list, to)
		}
	}
	return list
}
