package config

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"
)

// manyStatics is a configuration with n static routes.
func manyStatics(n int) []byte {
	var b bytes.Buffer
	b.WriteString("[interface.lan0]\nkind = \"tun\"\naddresses = \"10.0.1.1/24\"\n")
	for i := range n {
		fmt.Fprintf(&b, "[[static.route]]\nprefix = \"11.%d.%d.%d/32\"\nnext-hop = \"10.0.1.2\"\n", i>>16, i>>8&255, i&255)
	}
	return b.Bytes()
}

// What is kept of a text for the next diff takes at most as much memory as the
// text itself.
func TestRecordingMemory(t *testing.T) {
	n := 1 << 16
	if testing.Short() {
		n = 1 << 14
	}
	text := manyStatics(n)
	c, problems := Parse("t.toml", text)
	if Failed(problems) {
		t.Fatal(problems)
	}
	live := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	with := live()
	c.recording = nil
	share := (with - live()) / float64(len(text))
	t.Logf("%.2f times the text", share)
	if share > 1 || share < 0.1 {
		t.Errorf("%.2f times the text is kept for the next diff, want at most 1", share)
	}
	runtime.KeepAlive(c)
	runtime.KeepAlive(text)
}

// BenchmarkDiff compares many routes with themselves, and with one more before
// and one changed behind them: the time a route must not grow with their number.
func BenchmarkDiff(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		text := manyStatics(n)
		old, _ := Parse("t.toml", text)
		edited := bytes.Replace(text, []byte("[[static.route]]\n"), []byte("[[static.route]]\nprefix = \"12.0.0.0/8\"\naction = \"blackhole\"\n[[static.route]]\n"), 1)
		edited = append(edited, "tag = 5\n"...)
		other, _ := Parse("t.toml", edited)
		for name, new := range map[string]*Config{"nothing": old, "both ends": other} {
			b.Run(fmt.Sprintf("%s of %d", name, n), func(b *testing.B) {
				for b.Loop() {
					if got := Diff(old, new); (len(got) == 2) != (new == other) {
						b.Fatal(got)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/route")
			})
		}
	}
}
