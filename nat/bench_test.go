package nat

import (
	"runtime"
	"testing"

	"routerd/flow"
	"routerd/internal/verdict"
)

// large is a site of a /22 of inside hosts and a pool that has ports for all.
func large(b testing.TB, sessions int, pool string, ports flow.PortRange) *site {
	cfg := poolOf(ports, pool)
	cfg.Source[0].Match.Sources = ranges("10.0.0.0/8")
	cfg.MaxSessions, cfg.MaxSessionsPerHost = sessions, -1
	return newSite(b, cfg)
}

// nth is the first packet of the flow number i: of 4096 hosts, each flow from
// a port of its own, so that each has a mapping of its own.
func nth(i int) Packet {
	return Packet{In: lan, Key: flow.Key{
		Proto: protoUDP, Src: 10<<24 | uint32(i&4095), SrcPort: uint16(1024 + i>>12), Dst: 0xc0000209, DstPort: 53,
	}}
}

func (s *site) open(b *testing.B, from, to int) {
	b.Helper()
	for i := from; i < to; i++ {
		if t := s.pass(nth(i), wan); t.Verdict != verdict.None || t.Session == NoSession {
			b.Fatalf("flow %d: %s", i, t.Verdict)
		}
	}
}

// asBatch takes 64 flows from number i on through the NAT as the dataplane
// does, and gives what became of the last.
func (s *site) asBatch(i int, of func(int) Packet) (t Translation) {
	var batch [64]Packet
	var ts [64]Translation
	var hashes [64]uint64
	for j := range batch {
		batch[j] = of(i + j)
		hashes[j] = s.n.Hash(&batch[j])
	}
	s.n.Touch(hashes[:])
	places := make([]uint32, 0, 64)
	for j := range batch {
		s.n.Inbound(&batch[j], 1, &ts[j])
		places = batch[j].Fresh(places)
	}
	s.n.TouchFresh(places)
	for j := range batch {
		s.n.Outbound(&batch[j], wan, 1, &ts[j])
	}
	return ts[63]
}

// BenchmarkNewSession is the whole of a new flow's first packet, port choice
// and both tables included, from an empty table to one that is half full.
func BenchmarkNewSession(b *testing.B) {
	for _, c := range []struct {
		name  string
		limit int
	}{{"default", DefaultMaxSessions}, {"1M", 1 << 20}} {
		b.Run(c.name, func(b *testing.B) {
			s := large(b, c.limit, "203.0.113.0/26", flow.PortRange{})
			b.ResetTimer()
			for i := 0; i < b.N; i += 64 {
				at := i % (c.limit / 2)
				if at == 0 && i > 0 {
					b.StopTimer()
					s.n.Clear(Filter{})
					b.StartTimer()
				}
				if t := s.asBatch(at, nth); t.Session == NoSession {
					b.Fatalf("flow %d: %s", i, t.Verdict)
				}
			}
		})
	}
}

// BenchmarkMap is the yardstick of BenchmarkNewSession: keys put into a Go map
// with room for a million, from an empty map to one that is half full.
func BenchmarkMap(b *testing.B) {
	const limit = 1 << 20
	m := make(map[flow.Key]uint32, limit)
	b.ResetTimer()
	for i := range b.N {
		at := i % (limit / 2)
		if at == 0 && i > 0 {
			b.StopTimer()
			clear(m)
			b.StartTimer()
		}
		m[nth(at).Key] = uint32(i)
	}
}

// BenchmarkRefuse is a new flow that gets no port, in turn of 4096 hosts, each
// of which has an address of the pool already, or may have any.
func BenchmarkRefuse(b *testing.B) {
	for _, pairing := range []Pairing{Paired, Arbitrary} {
		b.Run(pairing.String(), func(b *testing.B) {
			s := large(b, 1<<20, "203.0.113.0/26", flow.PortRange{First: 1024, Last: 2047})
			cfg := s.n.active.Load().cfg
			cfg.Pairing = pairing
			s.commit(cfg)
			const tried = 1 << 18 // four times what the pool has
			for i := range tried {
				s.pass(nth(i), wan)
			}
			b.ResetTimer()
			for i := 0; i < b.N; i += 64 {
				if t := s.asBatch(tried|i&0xffff, nth); t.Verdict != verdict.NATPoolExhausted {
					b.Fatalf("flow %d: %s", i, t.Verdict)
				}
			}
		})
	}
}

// BenchmarkEstablished is a packet of an existing session at so many of them,
// in random order, in batches of 64 as the dataplane asks.
func BenchmarkEstablished(b *testing.B) {
	for _, c := range []struct {
		name     string
		sessions int
	}{{"1000", 1000}, {"1M", 1 << 20}} {
		b.Run(c.name, func(b *testing.B) {
			s := large(b, 1<<20, "203.0.113.0/26", flow.PortRange{})
			s.open(b, 0, c.sessions)
			random := uint64(1)
			b.ResetTimer()
			for i := 0; i < b.N; i += 64 {
				t := s.asBatch(0, func(int) Packet {
					random = random*6364136223846793005 + 1442695040888963407
					return nth(int(random >> 33 % uint64(c.sessions)))
				})
				if t.Session == NoSession || t.New {
					b.Fatal("a session is gone")
				}
			}
		})
	}
}

// BenchmarkBytes measures the memory of a session with a mapping of its own,
// everything counted, at a million of them.
func BenchmarkBytes(b *testing.B) {
	for b.Loop() {
		before := inUse()
		s := large(b, 1<<20, "203.0.113.0/26", flow.PortRange{})
		s.open(b, 0, 1<<20)
		b.ReportMetric(float64(inUse()-before)/(1<<20), "B/session")
		runtime.KeepAlive(s)
	}
}

func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkNewSessionRules is the same among a thousand port forwards and
// source rules.
func BenchmarkNewSessionRules(b *testing.B) {
	cfg := poolOf(flow.PortRange{}, "203.0.113.0/26")
	cfg.MaxSessions, cfg.MaxSessionsPerHost = 1<<20, -1
	only := cfg.Source[0]
	cfg.Source = nil
	for i := range uint32(1000) {
		r := only
		r.Name = addr(i).String()
		r.Match.Sources = []flow.AddressRange{{First: addr(10<<24 | i<<2), Last: addr(10<<24 | i<<2 | 3)}}
		cfg.Source = append(cfg.Source, r)
		cfg.Destination = append(cfg.Destination, DestinationRule{
			Name: r.Name, Address: addr(10<<24 | i),
			Match: Match{Inbound: []string{"wan0"}, Protocols: []uint8{protoTCP}, Destinations: ranges("198.51.100.2/32"), DestinationPorts: []flow.PortRange{{First: uint16(i + 1), Last: uint16(i + 1)}}},
		})
	}
	s := newSite(b, cfg)
	i := 0
	for b.Loop() {
		if i == 1<<19 {
			b.StopTimer()
			s.n.Clear(Filter{})
			i = 0
			b.StartTimer()
		}
		p := nth(i)
		p.Key.Src = 10<<24 | uint32(i%4000)
		s.pass(p, wan)
		i++
	}
}
