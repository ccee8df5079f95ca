package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// What asks no router speaks JSON too: every problem with its place, and the
// same exit code as with text.
func TestCheckAndVersionAsJSON(t *testing.T) {
	file := filepath.Join(t.TempDir(), "r1.toml")
	for _, c := range []struct {
		text                   string
		code, errors, warnings int
		origin                 string // of the first problem
	}{
		{"name = \"r1\"\n[interface.lo]\nkind = \"loopback\"\n", exitOK, 0, 0, ""},
		{"name = \"r1\"\nnmae = 1\n", exitFailed, 1, 0, file + ":2"},
		{"", exitOK, 0, 1, ""},
	} {
		if err := os.WriteFile(file, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := routerd("check", file, "-o", "json")
		var got checkResult
		if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != c.code || stderr != "" {
			t.Fatalf("%q: exit %d, %v, %s%s", c.text, code, err, stdout, stderr)
		}
		if got.File != file || got.Errors != c.errors || got.Warnings != c.warnings || got.Problems == nil || len(got.Problems) != c.errors+c.warnings {
			t.Errorf("%q: %s", c.text, stdout)
		}
		if c.origin != "" && got.Problems[0].Origin != c.origin {
			t.Errorf("%q: the first problem is at %s, want %s", c.text, got.Problems[0].Origin, c.origin)
		}
	}
	code, stdout, _ := routerd("version", "-o", "json")
	var v binaryVersion
	if err := json.Unmarshal([]byte(stdout), &v); err != nil || code != exitOK || v.Version == "" || v.GoVersion != runtime.Version() || v.Arch != runtime.GOARCH {
		t.Errorf("version -o json: exit %d, %v, %s", code, err, stdout)
	}
}
