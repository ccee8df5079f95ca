package bench

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestIPerfReceived(t *testing.T) {
	const report = `{"start": {}, "intervals": [
		{"sum": {"start": 0, "end": 0.1, "seconds": 0.1, "bytes": 1}},
		{"sum": {"start": 0.1, "end": 0.25, "seconds": 0.15, "bytes": 10}},
		{"sum": {"start": 0.25, "end": 0.3, "seconds": 0.05, "bytes": 100}},
		{"sum": {"start": 0.3, "end": 0.4, "seconds": 0.1, "bytes": 1000}},
		{"sum": {"start": 0.4, "end": 0.5, "seconds": 0.1, "bytes": 10000}}
	], "end": {}}`
	for _, tt := range []struct {
		name, text   string
		warm, window time.Duration
		bytes        uint64
		seconds      float64
		err          string
	}{
		{"what lies before and behind the window is left out", report, 200 * time.Millisecond, 200 * time.Millisecond, 1100, 0.15, ""},
		{"all of it", report, 0, time.Second, 11111, 0.5, ""},
		{"an interval counts where its middle is", report, 170 * time.Millisecond, 100 * time.Millisecond, 10, 0.15, ""},
		{"nothing in the window", report, time.Second, time.Second, 0, 0, "nothing was delivered"},
		{"no client came", `{"intervals": [], "error": "unable to receive control message"}`, 0, time.Second, 0, 0, "unable to receive control message"},
		{"cut short", report[:40], 0, time.Second, 0, 0, "read the report of iperf3"},
		{"none", "", 0, time.Second, 0, 0, "read the report of iperf3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bytes, seconds, err := iperfReceived([]byte(tt.text), tt.warm, tt.window)
			if bytes != tt.bytes || seconds < tt.seconds-1e-9 || seconds > tt.seconds+1e-9 {
				t.Errorf("%d bytes in %g s, want %d in %g", bytes, seconds, tt.bytes, tt.seconds)
			}
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want one that says %q", err, tt.err)
			}
		})
	}
}

func TestListens(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0202A8C0:1451 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0202A8C0:1452 0102A8C0:8F0E 01 00000000:00000000 00:00000000 00000000     0        0 2 1
   2: 00000000000000000000000001000000:1453 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3 1
`
	for port, want := range map[uint16]bool{
		0x1451: true,
		0x1452: false, // a connection
		0x1453: true,  // of IPv6
		0x1454: false, // nobody's
		0x8f0e: false, // the other end's
	} {
		if got := listens(table, port); got != want {
			t.Errorf("somebody listens at %d: %v, want %v", port, got, want)
		}
	}
}

// Where iperf3 is missing its columns are empty, and the report says why.
func TestIPerfIsLeftOutByName(t *testing.T) {
	needRoot(t)
	t.Setenv("PATH", t.TempDir())
	o := DefaultOptions()
	for _, m := range Metrics(DefaultPacedRate) {
		if err := m.missing(o); (err != nil) != m.Traffic.IPerf || err != nil && !errors.Is(err, ErrSkip) {
			t.Errorf("%s: missing says %v", m.Name, err)
		}
	}
	o.Paths, o.Metrics, o.Rounds, o.Window = []string{Kernel}, []string{TCP1, IPerf1}, 1, 50*time.Millisecond
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(r.samples(Kernel, TCP1)); n != 1 {
		t.Errorf("%d samples of what takes no program, want 1", n)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "iperf3 1: left out: iperf3 is not installed") {
		t.Errorf("the report (%v) says\n%s", err, text.String())
	}
}
