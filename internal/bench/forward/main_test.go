package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"routerd/internal/bench"
)

func TestParse(t *testing.T) {
	o, file, err := parse([]string{"-pairs", "12", "-seconds", "0.5", "-paths", "kernel,bare", "-metrics", "udp", "-6", "-json", "out.json", "-quiet", "-routerd", "bin/routerd"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	want := bench.DefaultOptions()
	want.Rounds, want.Window = 12, 500*time.Millisecond
	want.Paths, want.Metrics = []string{bench.Kernel, bench.Bare}, []string{bench.UDPSmall}
	want.IPv6, want.Routerd = true, "bin/routerd"
	if diff := cmp.Diff(want, o); diff != "" || file != "out.json" {
		t.Errorf("file %q, options -want +got\n%s", file, diff)
	}
}

func TestParseOnly(t *testing.T) {
	o, _, err := parse([]string{"-only", "yardstick", "-quiet"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]string{{bench.Bare, bench.Kernel}, {bench.TCP1}}, [][]string{o.Paths, o.Metrics}); diff != "" {
		t.Errorf("paths and metrics: -want +got\n%s", diff)
	}
}

// Wrong usage is exit code 2 and names what was wrong.
func TestUsage(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
		code int
	}{
		{[]string{"-h"}, "-pairs", 0},
		{[]string{"-group", "nobody"}, `"nobody"`, 2},
		{[]string{"-only", "nothing"}, `"nothing"`, 2},
		{[]string{"-paths", "kernel,bear"}, `"bear"`, 2},
		{[]string{"-pairs", "many"}, `"many"`, 2},
		{[]string{"-seconds", "0"}, "0s", 2},
		{[]string{"quickly"}, `"quickly"`, 2},
	} {
		var out, errs bytes.Buffer
		if code := run(tt.args, &out, &errs); code != tt.code || !strings.Contains(errs.String(), tt.want) {
			t.Errorf("forward %q: exit code %d and %q, want %d and a word of %s", tt.args, code, errs.String(), tt.code, tt.want)
		}
	}
}
