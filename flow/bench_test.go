package flow

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"routerd/internal/siphash"
)

const million = 1_000_000

// benchFlow is flow i of a bench, of one of 65,536 inside hosts.
func benchFlow(i int, proto uint8) (Key, Key) {
	forward := Key{Src: host(i % 65536), Dst: server + uint32(i>>20), SrcPort: uint16(i), DstPort: 443, Proto: proto}
	forward.Dst += uint32(i>>16) << 8
	reply := Key{Src: forward.Dst, Dst: outside, SrcPort: 443, DstPort: uint16(i), Proto: proto}
	return forward, reply
}

// fill makes a table with n sessions.
func fill(tb testing.TB, n int, proto uint8) *Table {
	tab := New(Config{MaxSessions: max(n, 1000) + 1024, Key: siphash.Key{1}})
	var s *Segment
	if proto == protoTCP {
		s = &synF.s
	}
	for i := range n {
		forward, reply := benchFlow(i, proto)
		_, why := tab.Insert(forward, reply, 1, uint32(i), forward.Src, s, Time(i/100))
		if why != Accepted {
			tb.Fatalf("inserting flow %d: %v", i, why)
		}
	}
	return tab
}

// BenchmarkLookup finds the sessions of random packets in batches of 64, with
// and without loading the lines of a whole batch first.
func BenchmarkLookup(b *testing.B) {
	const batch = 64
	for _, n := range []int{1000, million} {
		tab := fill(b, n, protoUDP)
		random := rand.New(rand.NewPCG(1, 2))
		packets := make([]Key, 1<<16)
		for i := range packets {
			forward, reply := benchFlow(random.IntN(n), protoUDP)
			packets[i] = forward
			if random.IntN(2) == 1 {
				packets[i] = reply
			}
		}
		for _, touched := range []bool{true, false} {
			b.Run(fmt.Sprintf("sessions=%d/touched=%t", n, touched), func(b *testing.B) {
				var hashes [batch]uint64
				at := 0
				for b.Loop() {
					k := packets[at&(len(packets)-1)]
					if i := at % batch; touched && i == 0 {
						keys := packets[at&(len(packets)-1):][:batch]
						for j := range keys {
							hashes[j] = tab.Hash(&keys[j])
						}
						tab.Touch(hashes[:])
					}
					var hit Hit
					if touched {
						tab.FindHashed(&k, hashes[at%batch], &hit)
					} else {
						hit = tab.Find(k)
					}
					if hit.Session == NoSession {
						b.Fatalf("%v is not found", k)
					}
					at++
				}
			})
		}
	}
}

// BenchmarkPacket is what a packet that was found costs more.
func BenchmarkPacket(b *testing.B) {
	b.Run("udp", func(b *testing.B) {
		tab := fill(b, 1000, protoUDP)
		k, _ := benchFlow(7, protoUDP)
		hit := tab.Find(k)
		now := Time(0)
		for b.Loop() {
			tab.Packet(&hit, nil, now)
			now += 10
		}
	})
	b.Run("tcp", func(b *testing.B) {
		tab := New(Config{})
		forward, reply := keys(protoTCP, 1, 1, 1)
		mustInsert(b, tab, forward, reply, host(1), &synF.s, 0)
		hits := [2]Hit{tab.Find(forward), tab.Find(reply)}
		for _, s := range open[1:] {
			tab.Packet(&hits[s.d], &s.s, 0)
		}
		// Each data segment is acknowledged.
		data := Segment{Flags: ack, Seq: isnF + 1, Ack: isnR + 1, Window: offered, Len: 1000}
		answer := Segment{Flags: ack, Seq: isnR + 1, Window: offered}
		d := Forward
		now := Time(0)
		for b.Loop() {
			if d == Forward {
				tab.Packet(&hits[Forward], &data, now)
				data.Seq += data.Len
				answer.Ack = data.Seq
			} else {
				tab.Packet(&hits[Reply], &answer, now)
				now++
			}
			d = d.Other()
		}
	})
}

// BenchmarkInsert makes sessions beside a million.
func BenchmarkInsert(b *testing.B) {
	const room = 1 << 16
	tab := fill(b, million, protoUDP)
	tab.Configure(Config{MaxSessions: million + room})
	for i := 0; b.Loop(); i++ {
		if i%room == 0 {
			b.StopTimer()
			tab.Clear(func(s *Session) bool { return s.Rule == 2 }, nil)
			b.StartTimer()
		}
		forward, reply := benchFlow(million+i%room, protoUDP)
		if _, why := tab.Insert(forward, reply, 2, 0, forward.Src, nil, 0); why != Accepted {
			b.Fatalf("inserting flow %d: %v", i, why)
		}
	}
}

// BenchmarkRefuse is a new flow that finds no room.
func BenchmarkRefuse(b *testing.B) {
	for _, why := range []Refusal{TableFull, HostFull} {
		b.Run(why.String(), func(b *testing.B) {
			tab := fill(b, million, protoUDP)
			forward, reply := benchFlow(1<<22, protoUDP)
			if why == TableFull {
				tab.Configure(Config{MaxSessions: million})
			} else {
				tab.Configure(Config{MaxSessions: 2 * million, MaxPerHost: 1})
			}
			for b.Loop() {
				if _, got := tab.Insert(forward, reply, 1, 2, forward.Src, nil, 0); got != why {
					b.Fatalf("%v, want %v", got, why)
				}
			}
		})
	}
}

// BenchmarkTick lets a million sessions that began at once, the worst there
// is, end by calls of a budget of 256, and tells the longest call.
func BenchmarkTick(b *testing.B) {
	var longest, total time.Duration
	ended := 0
	for b.Loop() {
		b.StopTimer()
		tab := fill(b, million, protoUDP)
		runtime.GC()
		b.StartTimer()
		now := Time(0)
		for tab.Len() > 0 {
			from := time.Now()
			visited := tab.Tick(now, 256, func(*Session) { ended++ })
			took := time.Since(from)
			longest, total = max(longest, took), total+took
			if visited < 256 {
				now += 250
			}
		}
	}
	b.ReportMetric(float64(longest.Microseconds()), "µs-longest")
	b.ReportMetric(float64(total.Nanoseconds())/float64(ended), "ns/session")
}

// BenchmarkMemory is what a session takes, in a table made for just as many
// and in one made for many more.
func BenchmarkMemory(b *testing.B) {
	for _, n := range []int{0, 1000, million} {
		b.Run(fmt.Sprintf("sessions=%d", n), func(b *testing.B) {
			var grown uint64
			for b.Loop() {
				before := heap()
				tab := fill(b, n, protoUDP)
				grown = heap() - before
				runtime.KeepAlive(tab)
			}
			b.ReportMetric(float64(grown)/float64(max(n, 1)), "B/session")
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
