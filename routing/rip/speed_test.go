package rip

import (
	"net/netip"
	"testing"
	"time"

	"routerd/routing/protocol"
	"routerd/routing/rip/wire"
)

// manyRoutes is how many the benchmarks have a neighbour announce.
const manyRoutes = 25000

// announcements are the packets in which a neighbour announces them.
func announcements(protocol Protocol, metric uint8) [][]byte {
	p := wire.Packet{Command: wire.Response, Version: families[protocol].version}
	var packets [][]byte
	for n := range manyRoutes {
		prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, byte(64 + n>>16), byte(n >> 8), byte(n)}), 32)
		if protocol == RIPng {
			prefix = netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 13: byte(n >> 16), 14: byte(n >> 8), 15: byte(n)}), 128)
		}
		p.Entries = append(p.Entries, wire.Entry{Prefix: prefix, Metric: metric})
		if len(p.Entries) == protocol.Capacity(1500, wire.Seal{}) || n == manyRoutes-1 {
			packets = append(packets, protocol.Append(nil, &p, wire.Seal{}))
			p.Entries = p.Entries[:0]
		}
	}
	return packets
}

// hearAll has the peer announce them.
func (b *bed) hearAll(packets [][]byte) {
	f := families[b.m.cfg.Protocol]
	from := peer
	if b.m.cfg.Protocol == RIPng {
		from = addr("fe80::2")
	}
	for _, raw := range packets {
		b.out = b.m.Step(b.now, datagram(eth0, from, f.group, f.port, f.hopLimit, raw), b.out[:0])
	}
}

// tellAll lets a time pass and gives how many routes were told on eth1.
func (b *bed) tellAll(d time.Duration) int {
	told, end := 0, b.now.Add(d)
	for b.m.Deadline().Before(end) {
		b.now = b.m.Deadline()
		b.out = b.m.Step(b.now, protocol.Tick{}, b.out[:0])
		for _, e := range b.out {
			if s, ok := e.(protocol.Send); ok && s.Link == eth1 {
				told += (len(s.Payload) - wire.HeaderSize) / wire.EntrySize
			}
		}
	}
	b.now = end
	return told
}

// BenchmarkLearn learns 25,000 routes that nobody knew; the RIB's deltas are
// among what it costs.
func BenchmarkLearn(b *testing.B) {
	packets := announcements(RIP, 1)
	b.ReportAllocs()
	for b.Loop() {
		bed := newQuietBed(b, RIP, nil)
		bed.up()
		bed.hearAll(packets)
		if bed.m.table.learned != manyRoutes {
			b.Fatalf("learned %d routes", bed.m.table.learned)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/manyRoutes, "ns/route")
}

// BenchmarkHearAgain hears the same again, as every 30 s.
func BenchmarkHearAgain(b *testing.B) {
	packets := announcements(RIP, 1)
	bed := newQuietBed(b, RIP, nil)
	bed.up()
	bed.hearAll(packets)
	b.ReportAllocs()
	for b.Loop() {
		bed.hearAll(packets)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/manyRoutes, "ns/route")
}

// BenchmarkTell tells them all in a regular update, and as unreachable where
// they come from.
func BenchmarkTell(b *testing.B) {
	for _, protocol := range []Protocol{RIP, RIPng} {
		b.Run(protocol.String(), func(b *testing.B) {
			bed := newQuietBed(b, protocol, nil)
			bed.up()
			bed.hearAll(announcements(protocol, 1))
			bed.tellAll(20 * time.Second)
			b.ReportAllocs()
			for b.Loop() {
				for _, i := range bed.m.order {
					bed.m.updates.Set(&i.nextUpdate, bed.now)
				}
				if told := bed.tellAll(time.Second); told < manyRoutes {
					b.Fatalf("told %d routes", told)
				}
				for p := bed.m.table.heard.front(); p != nil; p = p.inHeard.next.of {
					p.heard = bed.now // however long this goes on
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/manyRoutes, "ns/route")
		})
	}
}

// BenchmarkCarrierLoss loses them all at once, until the RIB and the others
// are told.
func BenchmarkCarrierLoss(b *testing.B) {
	packets := announcements(RIP, 1)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		bed := newQuietBed(b, RIP, nil)
		bed.up()
		bed.hearAll(packets)
		b.StartTimer()
		bed.out = bed.m.Step(bed.now, protocol.LinkDown{Link: eth0}, bed.out[:0])
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/manyRoutes, "ns/route")
}

// All of a large table is learned, passed on once by triggered updates, and
// passed on again by regular ones; hearing it again costs no allocation.
func TestManyRoutes(t *testing.T) {
	for _, protocol := range []Protocol{RIP, RIPng} {
		b := newQuietBed(t, protocol, nil)
		b.up()
		b.tellAll(10 * time.Second)
		b.m.updates.Set(&b.m.interfaces[eth1].nextUpdate, b.now.Add(time.Minute))
		packets := announcements(protocol, 1)
		b.hearAll(packets)
		first := protocol.Capacity(1500, wire.Seal{}) // told with the first packet
		if told := b.tellAll(10 * time.Second); told != manyRoutes-first {
			t.Errorf("%v: %d routes in the triggered updates, want %d", protocol, told, manyRoutes-first)
		}
		b.m.sound(t)
		if n := testing.AllocsPerRun(3, func() { b.hearAll(packets) }); n > float64(len(packets)) {
			// The test's own inputs are one for each packet.
			t.Errorf("%v: %v allocations for %d packets with nothing new", protocol, n, len(packets))
		}
	}
}
