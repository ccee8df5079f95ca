package dataplane

import (
	"slices"
	"testing"
	"time"

	"routerd/dataplane/port/memory"
	"routerd/internal/verdict"
	"routerd/nat"
)

// BenchmarkFilter forwards packets of established flows, of 128 flows in turn or
// 16 packets of a flow in a row, with a filter and without one by turns, and
// reports what the filter costs: the medians of the turns' differences and of their
// ratios.
func BenchmarkFilter(b *testing.B) {
	for _, c := range []struct {
		name  string
		probe Probe
		row   int
	}{
		{"IPv4", udp4("10.0.2.2"), 1},
		{"IPv4-rows", udp4("10.0.2.2"), 16},
		{"IPv6", udp6("2001:db8:2::2"), 1},
		{"IPv6-rows", udp6("2001:db8:2::2"), 16},
	} {
		b.Run(c.name, func(b *testing.B) {
			var packets []memory.Packet
			for i := range BatchSize {
				probe := c.probe
				probe.SrcPort = uint16(2000 + i/c.row*7)
				packets = append(packets, raw(build(b, probe)))
			}
			loads := [2]*load{newLoad(b, packets...), newLoad(b, packets...)}
			(&network{view: loads[1].view}).filter(b, guard(), nat.Config{})
			const turn = 8 // batches
			var each [2][]float64
			var cost, ratio []float64
			for turns := 0; b.Loop(); turns++ {
				var now [2]float64
				for k := range loads {
					which := (k + turns) % 2 // who comes first changes too
					start := time.Now()
					for range turn {
						loads[which].run()
					}
					now[which] = float64(time.Since(start).Nanoseconds()) / (turn * BatchSize)
					each[which] = append(each[which], now[which])
				}
				cost, ratio = append(cost, now[1]-now[0]), append(ratio, now[1]/now[0])
			}
			for _, l := range loads {
				if got := l.batch.counters.Verdict(verdict.Forwarded); got != uint64(b.N*turn*BatchSize) {
					b.Fatalf("%d packets are forwarded, want %d", got, b.N*turn*BatchSize)
				}
			}
			median := func(list []float64) float64 { slices.Sort(list); return list[len(list)/2] }
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(each[0]), "plain-ns/packet")
			b.ReportMetric(median(cost), "filter-ns/packet")
			b.ReportMetric(median(ratio), "filtered/plain")
		})
	}
}
