package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"routerd/internal/lab"
)

// Wrong usage is exit code 2 and says what is wanted.
func TestUsage(t *testing.T) {
	for _, tt := range []struct {
		args string
		want string
		code int
	}{
		{"-h", "-routes", 0},
		{"-routes many", `"many"`, 2},
		{"-routes 60001", "0 to 60000 routes", 2},
		{"-bursts 0", "1 or more bursts", 2},
		{"-cuts -1", "0 or more cuts", 2},
		{"quickly", "nothing but flags", 2},
	} {
		var out, errs bytes.Buffer
		if code := run(strings.Fields(tt.args), &out, &errs); code != tt.code || !strings.Contains(errs.String(), tt.want) {
			t.Errorf("rip %s: exit code %d and %q, want %d and a word of %s", tt.args, code, errs.String(), tt.code, tt.want)
		}
	}
}

// Every lab of the bench is a sound topology. Nothing is made.
func TestLabs(t *testing.T) {
	texts := map[string]string{}
	for _, m := range middles {
		texts["burst through "+m.name] = burstLab(300, m.text)
	}
	for _, c := range cuts {
		texts[c.name] = triangle(c.self, c.neighbour)
	}
	for name, text := range texts {
		path := filepath.Join(t.TempDir(), "lab.toml")
		if err := os.WriteFile(path, []byte("name = \"x\"\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := lab.Load(path, lab.Options{Dir: t.TempDir()}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGap(t *testing.T) {
	var text strings.Builder
	text.WriteString("listening on eth0\n")
	for n := range 30 {
		second := "1.5"
		if n >= 20 {
			second = "2.25"
		}
		text.WriteString("170000000" + second + "0000 IP 198.18.1.2 > 198.18.9.2: ICMP echo request\n")
	}
	got, err := gap([]byte(text.String()))
	if want := 750 * time.Millisecond; err != nil || (got-want).Abs() > time.Microsecond {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if _, err := gap([]byte("tcpdump: no such device")); err == nil || !strings.Contains(err.Error(), "no such device") {
		t.Errorf("without packets: %v", err)
	}
}

// A mark is missed by too much time, CPU time or memory, and by a lost route.
func TestTell(t *testing.T) {
	ran := func(cpu time.Duration, lost int) burst {
		return burst{took: time.Second, lost: lost, usage: usage{cpu, 10}}
	}
	for _, tt := range []struct {
		name    string
		routerd []burst
		met     bool
	}{
		{"half", []burst{ran(time.Second, 0), ran(2*time.Second, 0), ran(9*time.Second, 0)}, true},
		{"more than half", []burst{ran(3*time.Second, 0)}, false},
		{"slower", []burst{{took: 2 * time.Second, usage: usage{time.Second, 10}}}, false},
		{"as slow, as large as it may be", []burst{{took: time.Second, usage: usage{time.Second, largest}}}, true},
		{"too large", []burst{{took: time.Second, usage: usage{time.Second, largest + 1}}}, false},
		{"one lost", []burst{ran(time.Second, 0), ran(time.Second, 1)}, false},
	} {
		var out strings.Builder
		met := tell(&out, 25, [2][]burst{tt.routerd, {ran(4*time.Second, 7)}})
		if met != tt.met || strings.Contains(out.String(), "MISS") == tt.met {
			t.Errorf("%s: %v, and printed:\n%s", tt.name, met, out.String())
		}
	}
}

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{4, 1}, 2.5}, {[]float64{9, 1, 2}, 2}} {
		if got := median(tt.values); got != tt.want {
			t.Errorf("of %v: %v, want %v", tt.values, got, tt.want)
		}
	}
}

func TestAwait(t *testing.T) {
	tries := 0
	err := await(t.Context(), time.Minute, time.Millisecond, "three", func() (string, error) {
		if tries++; tries < 3 {
			return "not yet", nil
		}
		return "", nil
	})
	if err != nil || tries != 3 {
		t.Errorf("%v after %d tries", err, tries)
	}
	if err := await(t.Context(), 0, time.Millisecond, "ever", func() (string, error) { return "no", nil }); err == nil || !strings.Contains(err.Error(), "ever") {
		t.Errorf("what never comes: %v", err)
	}
	if err := await(t.Context(), time.Minute, time.Millisecond, "x", func() (string, error) { return "", io.EOF }); !errors.Is(err, io.EOF) {
		t.Errorf("an error: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := await(ended, time.Minute, time.Hour, "x", func() (string, error) { return "no", nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
}
