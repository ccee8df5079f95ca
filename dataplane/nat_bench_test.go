package dataplane

import (
	"math/rand/v2"
	"testing"

	"routerd/dataplane/port/memory"
	"routerd/flow"
	"routerd/internal/packet"
	"routerd/nat"
	"routerd/nat/rewrite"
)

// million is the number of sessions that BenchmarkNAT looks its packets up in.
const million = 1_000_000

// inside is the source of the session with the number i: 250 sessions of
// each of 4000 hosts.
func inside(i int) flow.Key {
	return flow.Key{Src: 10<<24 | 64<<16 | uint32(i/250), SrcPort: uint16(2000 + i%250), Dst: 10<<24 | 2<<8 | 2, DstPort: 5000, Proto: packet.ProtoUDP}
}

// newMillion is a router that translates a million sessions of inside hosts.
func newMillion(b *testing.B, packets ...memory.Packet) *load {
	l := newLoad(b, packets...)
	cfg := nat.Config{
		MaxSessions: million, MaxSessionsPerHost: -1,
		Pools:  []nat.PoolConfig{{Name: "pool", Addresses: []flow.AddressRange{flow.RangeOf(prefix("198.51.100.0/27"))}}},
		Source: []nat.SourceRule{{Name: "out", Match: nat.Match{Outbound: []string{"lan1"}}, Method: nat.FromPool, Pool: "pool"}},
	}
	(&network{view: l.view}).translate(b, cfg)
	for i := range million {
		p, t := nat.Packet{Key: inside(i), In: lan0}, nat.Translation{}
		l.view.NAT.Inbound(&p, 0, &t)
		if l.view.NAT.Outbound(&p, lan1, 0, &t); t.Session == nat.NoSession {
			b.Fatalf("session %d: %s", i, t.Verdict)
		}
	}
	return l
}

// BenchmarkNAT compares packets of sessions drawn at random from a million
// with the same packets without translation; "ns/packet" of "established"
// less that of "plain" is what translation costs. Both draw and readdress the
// packets within what is measured.
func BenchmarkNAT(b *testing.B) {
	template := make([]memory.Packet, BatchSize)
	for i := range template {
		template[i] = raw(build(b, udp4("10.0.2.2")))
	}
	tcp, _ := super(b, packet.ProtoTCP, false, 45, 1300, 1300)
	supers := newMillion(b, tcp, tcp, tcp, tcp)
	translated := newMillion(b, template...)
	plain, plainSupers := newLoad(b, template...), newLoad(b, supers.packets...)
	run := func(name string, l *load, draw bool) {
		b.Run(name, func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 2))
			b.ReportAllocs()
			for b.Loop() {
				fill(l.batch, lan0, l.packets...)
				for i := range l.batch.packets[:len(l.packets)] {
					if draw {
						k := inside(int(rng.Uint32N(million)))
						rewrite.Source(l.batch.packets[i].Frame.Buf[l.batch.packets[i].l3:], &k, false)
					}
				}
				Process(l.view, l.batch, testNow)
				l.batch.Transmit(testNow)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(l.packets)), "ns/packet")
		})
	}
	// The yardstick of what translation costs: the same keys looked up in a Go
	// map of as many.
	b.Run("map", func(b *testing.B) {
		m := make(map[flow.Key]uint32, million)
		for i := range million {
			m[inside(i)] = uint32(i)
		}
		rng, found, looked := rand.New(rand.NewPCG(1, 2)), 0, 0
		for b.Loop() {
			for range BatchSize {
				if _, ok := m[inside(int(rng.Uint32N(million)))]; ok {
					found++
				}
			}
			looked += BatchSize
		}
		if found != looked {
			b.Fatalf("%d of %d keys found", found, looked)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(looked), "ns/packet")
	})
	run("plain", plain, true)
	run("established", translated, true)
	run("plain-super", plainSupers, false)
	run("established-super", supers, false)
}

// BenchmarkNATRefusal is a new flow that finds no port, next to one that does.
func BenchmarkNATRefusal(b *testing.B) {
	for _, name := range []string{"new", "refused"} {
		b.Run(name, func(b *testing.B) {
			n := newNetwork(b)
			cfg := natConfig()
			cfg.MaxSessionsPerHost = -1
			cfg.MaxSessions = 1 << 16
			if name == "refused" {
				cfg.Pools = []nat.PoolConfig{{Name: "one", Addresses: []flow.AddressRange{flow.RangeOf(prefix("198.51.100.1/32"))}, Ports: flow.PortRange{First: 5000, Last: 5000}}}
				cfg.Source[0].Method, cfg.Source[0].Pool = nat.FromPool, "one"
			}
			n.translate(b, cfg)
			n.view.Limits.ICMP.ErrorRate, n.view.Limits.ICMP.ErrorBurst = 1000, 10
			n.view.Interfaces[lan1].Output, n.view.Interfaces[lan0].Output = sink{}, sink{}
			batch := NewBatch(BatchSize, &Counters{}, &DropRing{})
			packets := make([]memory.Packet, BatchSize)
			for i := range packets {
				packets[i] = raw(build(b, udp4("10.0.2.2")))
			}
			next := 0
			for b.Loop() {
				if next += BatchSize; next >= 50000 {
					b.StopTimer()
					n.view.NAT.Clear(nat.Filter{})
					next = 0
					b.StartTimer()
				}
				fill(batch, lan0, packets...)
				for i := range batch.packets[:BatchSize] {
					k := flow.Key{Src: 10<<24 | 1<<8 | 2, SrcPort: uint16(1024 + next + i)}
					rewrite.Source(batch.packets[i].Frame.Buf[batch.packets[i].l3:], &k, false)
				}
				Process(n.view, batch, testNow)
				batch.Transmit(testNow)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*BatchSize), "ns/packet")
		})
	}
}
