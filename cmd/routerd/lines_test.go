package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// A list as lines has a line for each row, and one that says how many there were; what is
// no list is one line.
func TestShowLines(t *testing.T) {
	socket := serve(t, &fake{})
	for _, noun := range []string{"fib", "interface", "version"} {
		code, stdout, stderr := routerd("show", noun, "-o", "ndjson", "--socket", socket)
		lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
		if code != exitOK || len(lines) < 2 {
			t.Fatalf("show %s: exit %d\n%s%s", noun, code, stdout, stderr)
		}
		for _, l := range lines {
			if !json.Valid([]byte(l)) {
				t.Errorf("show %s: no JSON: %s", noun, l)
			}
		}
		var last struct {
			End struct {
				Total      int
				Generation *uint64
			}
		}
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last.End.Total != len(lines)-1 || last.End.Generation == nil {
			t.Errorf("show %s: %d lines, and the last is %s (%v)", noun, len(lines), lines[len(lines)-1], err)
		}
	}
	if code, _, stderr := routerd("reload", "-o", "ndjson", "--socket", socket); code != exitUsage || !strings.Contains(stderr, "wanted table, wide or json") {
		t.Errorf("reload -o ndjson: exit %d, %s", code, stderr)
	}
}
