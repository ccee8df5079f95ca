package bench

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldenReport is a run with everything in it that a table can show.
func goldenReport() *Report {
	o := DefaultOptions()
	metrics := Metrics(50000)
	r := newReport(o, tunPaths(), []Metric{metrics[0], metrics[2]})
	r.Time = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r.Machine = Machine{Kernel: "6.18.0", CPUs: 2, Control: "cubic", Arch: "amd64", Go: "go1.26"}
	r.Idle = 0.08
	for i, path := range []string{Kernel, Bare, Routerd} {
		speed := []float64{10, 8, 7.5}[i]
		for round := range 10 {
			g := speed + float64(round)/20
			s := Sample{Seconds: 2, Bytes: uint64(g * 2e9 / 8), Busy: 3e9, Source: 1e9, Sink: 1e9}
			s.Packets = s.Bytes / 1448
			u := Sample{Seconds: 2, Packets: uint64(g * 40000), Sent: 500000, Busy: 39e8, Source: 2e9, Sink: 5e8}
			u.Bytes = u.Packets * smallPayload
			if path != Kernel {
				s.Forwarder, u.Forwarder = 1e9, 14e8
			}
			r.add(path, TCP1, s)
			r.add(path, UDPSmall, u)
		}
	}
	r.skip(Wireguard, ErrSkip)
	r.Marks = judge(Marks, r)
	return r
}

func TestGolden(t *testing.T) {
	r := goldenReport()
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.txt", text.String())
	r.Paths = r.Paths[1:3] // one with samples of a process and one of each kind of field is enough
	for _, p := range r.Paths {
		for m := range p.Samples {
			p.Samples[m] = p.Samples[m][:1]
		}
	}
	r.Marks = r.Marks[:1]
	js, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "report.json", string(js)+"\n")
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (go test -update writes it anew): -want +got\n%s", file, diff)
	}
}

// TestFlowTables: a refusal is paired with the new flows of its own round, and
// of memory the most counts; a path that translates nothing is in neither table.
func TestFlowTables(t *testing.T) {
	o := DefaultOptions()
	if err := o.Choose("nat"); err != nil {
		t.Fatal(err)
	}
	paths, metrics, err := o.chosen()
	if err != nil {
		t.Fatal(err)
	}
	r := newReport(o, paths, metrics)
	for round := range int64(5) {
		r.add(KernelNAT, NewPaced, Sample{Packets: 1000, Busy: 9e9, Source: (round + 1) * 15e5, Forwarder: (round + 1) * 5e5})
		r.add(KernelNAT, Refusals, Sample{Packets: 500, Busy: 9e9, Source: (round + 1) * 3e6})
		r.add(KernelNAT, NewFlows, Sample{Packets: 1000, Memory: uint64(round%3) * 100_000})
	}
	r.add(RouterdNAT, NewPaced, Sample{Packets: 1000, Source: 2e6}) // and nothing refused
	want := [][]string{{"path", "new", "refused", "refused / new", "quartiles"}, {"kernel and nft masquerade", "6000", "18000", "3.00", "3.00 .. 3.00"}}
	if diff := cmp.Diff(want, r.refusals()); diff != "" {
		t.Errorf("refusals: -want +got\n%s", diff)
	}
	want = [][]string{{"path", "a session"}, {"kernel and nft masquerade", "200"}}
	if diff := cmp.Diff(want, r.memory()); diff != "" {
		t.Errorf("memory: -want +got\n%s", diff)
	}
}

// tunPaths are the paths of the first group.
func tunPaths() []Path {
	paths, _, err := DefaultOptions().chosen()
	if err != nil {
		panic(err)
	}
	return paths
}
