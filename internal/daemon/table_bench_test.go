package daemon

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"routerd/internal/corpus"
)

// BenchmarkTableMemory starts a router, a process of its own, to which a protocol
// offers some prefixes of the public table, or all, over 64 next hops, and reports
// the resident memory of the process when it has settled, the most that there was,
// and the time and processor time from the start until all was forwarded by.
func BenchmarkTableMemory(b *testing.B) {
	all := corpus.Table(b)
	for _, n := range []int{10, 10_000, len(all)} {
		name := fmt.Sprint(n)
		if n == len(all) {
			name = "all"
		}
		b.Run(name, func(b *testing.B) {
			tableMemory(b, n, "", tableVariable+"="+tableFile(b, all[:n]))
		})
	}
}

// BenchmarkRouteFileMemory is the same of a router whose static routes are the
// public table, in a file.
func BenchmarkRouteFileMemory(b *testing.B) {
	var text bytes.Buffer
	list := corpus.Table(b)
	for i, p := range list {
		fmt.Fprintf(&text, "%s via %s\n", p, tableHopLists[p.Addr().BitLen()/128][i*7919%tableHops][0].Address)
	}
	path := filepath.Join(b.TempDir(), "routes.txt")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	text = bytes.Buffer{}
	tableMemory(b, len(list), fmt.Sprintf("[static]\nfile = %q\n", path))
}

// tableMemory reports the most of all runs.
func tableMemory(b *testing.B, prefixes int, config string, env ...string) {
	s := newSite(b)
	const metrics = "127.0.0.1:19872"
	s.write(fmt.Sprintf("[metrics]\nlisten = %q\n%s", metrics, config))
	most := map[string]float64{}
	for b.Loop() {
		start := time.Now()
		router := s.startProcess(append(env, "ROUTERD_TEST_LOG="+s.dir+"/log"))
		pid := router.Process.Pid
		wait(b, "the table to be forwarded by", func() error {
			if n := forwardedBy(b, metrics); n < prefixes {
				return fmt.Errorf("%d of %d prefixes are", n, prefixes)
			}
			return nil
		})
		took, spent := time.Since(start), processorTime(b, pid)
		settled := residentOf(b, pid, "VmRSS")
		for same := 0; same < 20; same++ { // it is settled when two seconds bring no change
			time.Sleep(100 * time.Millisecond)
			now := residentOf(b, pid, "VmRSS")
			if now < settled*0.99 || now > settled*1.01 {
				same = 0
			}
			settled = now
		}
		for unit, now := range map[string]float64{
			"settled-MB": settled, "peak-MB": residentOf(b, pid, "VmHWM"), "load-s": took.Seconds(), "processor-s": spent.Seconds(),
		} {
			most[unit] = max(most[unit], now)
		}
		_ = router.Process.Kill()
		_ = router.Wait()
	}
	b.ReportMetric(0, "ns/op")
	for unit, value := range most {
		b.ReportMetric(value, unit)
	}
}

// forwardedBy is how many entries the forwarding table has.
func forwardedBy(b *testing.B, metrics string) (n int) {
	for _, m := range regexp.MustCompile(`(?m)^routerd_fib_entries\{.*\} (.*)$`).FindAllStringSubmatch(scrape(b, metrics), -1) {
		f, _ := strconv.ParseFloat(m[1], 64) // 1.062046e+06
		n += int(f)
	}
	return n
}

// tableFile writes a table in the form that tabler reads.
func tableFile(b *testing.B, list []netip.Prefix) string {
	text := make([]byte, 0, len(list)*tableRecord)
	for _, p := range list {
		record := [tableRecord]byte{4, byte(p.Bits())}
		if p.Addr().Is6() {
			record[0] = 6
		}
		copy(record[2:], p.Addr().AsSlice())
		text = append(text, record[:]...)
	}
	path := filepath.Join(b.TempDir(), "table")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

// residentOf gives a line of /proc/PID/status in 10^6 bytes.
func residentOf(b *testing.B, pid int, line string) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	m := regexp.MustCompile(line + `:\s*(\d+) kB`).FindSubmatch(text)
	if m == nil {
		b.Fatalf("there is no line %s in %s", line, text)
	}
	kb, _ := strconv.ParseFloat(string(m[1]), 64)
	return kb * 1024 / 1e6
}
