package bench

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tcp makes samples of one second each, in Gbit/s.
func tcp(gigabits ...float64) []Sample {
	var out []Sample
	for _, g := range gigabits {
		out = append(out, Sample{Seconds: 1, Bytes: uint64(g * 1e9 / 8)})
	}
	return out
}

func times(n int, s Sample) []Sample {
	out := make([]Sample, n)
	for i := range out {
		out[i] = s
	}
	return out
}

// testReport is a report of ten rounds of one TCP stream.
func testReport(bare, kernel, routerd []Sample) *Report {
	r := newReport(Options{MTU: 1500, Rounds: 10, Window: time.Second}, tunPaths()[:3], Metrics(50000)[:1])
	for path, s := range map[string][]Sample{Bare: bare, Kernel: kernel, Routerd: routerd} {
		r.path(path).Samples[TCP1] = s
	}
	return r
}

func TestJudge(t *testing.T) {
	marks := []Mark{
		{Name: "yardstick", Metric: TCP1, Path: Bare, Over: Kernel, Least: 0.6, Voids: true},
		{Name: "first", Metric: TCP1, Path: Routerd, Over: Bare, Least: 0.85},
		{Name: "told", Metric: TCP1, Path: Routerd, Over: Kernel},
		{Name: "other traffic", Metric: UDPSmall, Path: Routerd, Over: Bare, Least: 0.85},
		{Name: "other path", Metric: TCP1, Path: Routerd, Over: Wireguard, Least: 1.5},
	}
	ten := func(g float64) []Sample { return times(10, tcp(g)[0]) }
	tests := []struct {
		name                  string
		bare, kernel, routerd []Sample
		verdicts              []string
		outcome               Outcome
	}{
		{"met", ten(8), ten(10), ten(7), []string{Pass, Pass, Unmeant}, Met},
		{"met exactly", ten(6), ten(10), ten(5.1), []string{Pass, Pass, Unmeant}, Met},
		{"missed", ten(8), ten(10), ten(6.7), []string{Pass, Miss, Unmeant}, Missed},
		{"bent yardstick", ten(5.9), ten(10), ten(5.9), []string{Miss, Void, Unmeant}, Missed},
		{"too few pairs", ten(8)[:9], ten(10)[:9], ten(8)[:9], []string{TooFew, TooFew, Unmeant}, Missed},
		{"missed by few pairs", ten(8)[:3], ten(10)[:3], ten(2)[:3], []string{TooFew, Miss, Unmeant}, Missed},
		{"not there", ten(8), ten(10), nil, []string{Pass, NotTaken, NotTaken}, NotRun},
		{"not there, and the yardstick bent", ten(5.9), ten(10), nil, []string{Miss, NotTaken, NotTaken}, Missed},
		{"no yardstick", ten(8), nil, ten(8), []string{NotTaken, Pass, NotTaken}, NotRun},
		{"no yardstick, and missed", ten(8), nil, ten(2), []string{NotTaken, Miss, NotTaken}, Missed},
		{"median decides", tcp(1, 1, 1, 1, 8, 8, 8, 8, 8, 8), ten(10), ten(8), []string{Pass, Pass, Unmeant}, Met},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := testReport(tt.bare, tt.kernel, tt.routerd)
			r.Marks = judge(marks, r)
			var got []string
			for _, j := range r.Marks {
				got = append(got, j.Verdict)
			}
			if diff := cmp.Diff(tt.verdicts, got); diff != "" {
				t.Errorf("verdicts: -want +got\n%s", diff)
			}
			if r.Outcome() != tt.outcome {
				t.Errorf("Outcome() = %v, want %v", r.Outcome(), tt.outcome)
			}
		})
	}
}

func TestRatiosPairRounds(t *testing.T) {
	got := ratios(tcp(2, 6, 9, 1), tcp(1, 0, 3), Sample.Gigabits)
	if diff := cmp.Diff([]float64{2, 3}, got); diff != "" {
		t.Errorf("a round without a figure to divide by gives no pair: -want +got\n%s", diff)
	}
}

// A mark may want less of one path than of the other, and compares processor time
// where it says so; round trips are compared by themselves.
func TestJudgeOfCosts(t *testing.T) {
	var metrics []Metric
	for _, m := range Metrics(50000) {
		if m.Name == UDPPaced || m.Name == UDPEcho {
			metrics = append(metrics, m)
		}
	}
	r := newReport(Options{MTU: 1500, Rounds: 10, Window: time.Second}, tunPaths()[:2], metrics)
	for path, s := range map[string]Sample{Bare: {Seconds: 1, Packets: 1000, Busy: 8e6, Echo: 11e3}, Kernel: {Seconds: 1, Packets: 1000, Busy: 10e6, Echo: 10e3}} {
		r.path(path).Samples[UDPPaced], r.path(path).Samples[UDPEcho] = times(10, s), times(10, s)
	}
	for _, tt := range []struct {
		mark    Mark
		median  float64
		verdict string
	}{
		{Mark{Metric: UDPPaced, Most: 0.8, CPU: true}, 0.8, Pass},
		{Mark{Metric: UDPPaced, Most: 0.79, CPU: true}, 0.8, Miss},
		{Mark{Metric: UDPPaced, Least: 1}, 1, Pass},
		{Mark{Metric: UDPEcho, Most: 1.1}, 1.1, Pass},
		{Mark{Metric: UDPEcho, Most: 1.09}, 1.1, Miss},
		{Mark{Metric: UDPEcho}, 1.1, Unmeant},
	} {
		tt.mark.Path, tt.mark.Over = Bare, Kernel
		got := judge([]Mark{tt.mark}, r)[0]
		if !near(got.Spread.Median, tt.median) || got.Verdict != tt.verdict {
			t.Errorf("%+v: %v, %s, want %v, %s", tt.mark, got.Spread.Median, got.Verdict, tt.median, tt.verdict)
		}
	}
}

// A group that compares measures each path with the traffic that its marks have.
func TestComparedAlone(t *testing.T) {
	o := DefaultOptions()
	if err := o.Choose("offload"); err != nil {
		t.Fatal(err)
	}
	paths, metrics, err := o.chosen()
	if err != nil {
		t.Fatal(err)
	}
	r := newReport(o, paths, metrics)
	for metric, want := range map[string][]string{
		UDPWide:  {OffloadTen, OffloadFull},
		UDPEcho:  {OffloadAuto, Kernel},
		UDPPaced: {OffloadAlways, Kernel, KernelNAT, OffloadAlwaysNAT},
	} {
		var got []string
		for _, p := range r.wanted(paths, *r.metric(metric), o) {
			got = append(got, p.Name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", metric, diff)
		}
	}
	o.Compared = false
	if got := len(r.wanted(paths, *r.metric(UDPEcho), o)); got != len(paths) {
		t.Errorf("%d of %d paths are measured where all were asked for", got, len(paths))
	}
}

// What a mark names has to be in the tables, or it would never be judged.
func TestMarksNameWhatThereIs(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range Marks {
		if seen[m.Name] {
			t.Errorf("two marks are called %q", m.Name)
		}
		seen[m.Name] = true
		o := DefaultOptions()
		o.Earlier = "/nowhere/routerd"
		if err := o.Restrict(m.Name); err != nil {
			t.Error(err)
		}
		if paths, metrics, err := o.chosen(); err != nil || len(paths) != 2 || len(metrics) != 1 {
			t.Errorf("mark %s needs paths %v and metrics %v (error %v), wanted two and one", m.Name, paths, metrics, err)
		}
	}
}

// What a group names has to be in the tables, and every path in some group.
func TestGroupsNameWhatThereIs(t *testing.T) {
	seen := map[string]bool{}
	for _, g := range Groups {
		o := DefaultOptions()
		if err := o.Choose(g.Name); err != nil {
			t.Error(err)
		}
		if err := o.Check(); err != nil {
			t.Errorf("group %s: %v", g.Name, err)
		}
		for _, p := range o.Paths {
			seen[p] = true
		}
	}
	for _, name := range PathNames() {
		if !seen[name] {
			t.Errorf("path %s is in no group, so nothing measures it by default", name)
		}
	}
}

func TestRoundsAlternate(t *testing.T) {
	names := func(round int) (out []string) {
		for _, p := range inOrder(tunPaths()[:3], round) {
			out = append(out, p.Name)
		}
		return out
	}
	for round, want := range [][]string{{Kernel, Bare, Routerd}, {Routerd, Bare, Kernel}, {Kernel, Bare, Routerd}} {
		if diff := cmp.Diff(want, names(round)); diff != "" {
			t.Errorf("round %d: -want +got\n%s", round, diff)
		}
	}
}

func TestSampleFigures(t *testing.T) {
	s := Sample{Seconds: 2, Bytes: 1e9, Packets: 1000, Sent: 1250, Busy: 4e6, Forwarder: 1e6}
	for _, tt := range []struct {
		name      string
		got, want float64
	}{
		{"Gbit/s", s.Gigabits(), 4},
		{"packets/s", s.PacketRate(), 500},
		{"loss", s.Loss(), 0.2},
		{"busy", s.BusyPerPacket(), 4000},
		{"forwarder", s.ForwarderPerPacket(), 1000},
		{"more came than went", Sample{Packets: 3, Sent: 2}.Loss(), 0},
		{"TCP loses nothing that counts", Sample{Packets: 3}.Loss(), 0},
		{"no packet, no cost", Sample{Busy: 5}.BusyPerPacket(), 0},
	} {
		if diff := cmp.Diff(tt.want, tt.got, cmp.Comparer(near)); diff != "" {
			t.Errorf("%s: -want +got\n%s", tt.name, diff)
		}
	}
}

func near(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 }

func TestOptionsCheck(t *testing.T) {
	if err := DefaultOptions().Check(); err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
	for name, change := range map[string]func(*Options){
		"path":    func(o *Options) { o.Paths = append(o.Paths, "carrier-pigeon") },
		"metric":  func(o *Options) { o.Metrics = []string{"sctp"} },
		"nothing": func(o *Options) { o.Paths = nil },
		"rounds":  func(o *Options) { o.Rounds = 0 },
		"window":  func(o *Options) { o.Window = time.Hour },
		"rate":    func(o *Options) { o.Rate = 0 },
		"MTU":     func(o *Options) { o.MTU = 576 },
	} {
		o := DefaultOptions()
		change(&o)
		if o.Check() == nil {
			t.Errorf("%s: %+v is accepted", name, o)
		}
	}
}
