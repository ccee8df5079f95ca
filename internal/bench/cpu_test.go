package bench

import (
	"os"
	"strings"
	"testing"
	"time"
)

const statText = `cpu  100 0 50 700 20 5 7 3 0 0
cpu0 60 0 20 340 10 5 4 1 0 0
cpu1 40 0 30 360 10 0 3 2 0 0
intr 12345 0 0
ctxt 999
`

func TestBusySince(t *testing.T) {
	before, err := parseStat(statText)
	if err != nil {
		t.Fatal(err)
	}
	// One second on: of the two CPUs' 200 ticks 120 were idle, 10 waited for
	// a disk and 6 were stolen.
	after, err := parseStat(strings.Replace(statText, "700 20 5 7 3", "820 30 9 9 9", 1))
	if err != nil {
		t.Fatal(err)
	}
	after.at = before.at.Add(time.Second)
	if got, want := after.busySince(before), 640*time.Millisecond; got != want {
		t.Errorf("busy for %v, want %v", got, want)
	}
	if got := before.busySince(before); got != 0 {
		t.Errorf("busy for %v in no time, want 0", got)
	}
}

func TestParseStatRefuses(t *testing.T) {
	for _, text := range []string{"", "intr 1 2 3 4 5 6 7 8 9\n", "cpu 1 2 3 x 5 6 7 8 9\ncpu0 1 2 3 4 5 6 7 8 9\n", "cpu 1 2 3 4 5 6 7 8 9\n"} {
		if r, err := parseStat(text); err == nil {
			t.Errorf("parseStat(%q) = %+v, want an error", text, r)
		}
	}
}

// The process clock is the kernel's, so it has to know this process and to go
// on while it works.
func TestProcessTime(t *testing.T) {
	before, err := ProcessTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); ; {
		after, err := ProcessTime(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if after > before+time.Millisecond {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process clock stands at %v after 5 s of work", after)
		}
	}
}
