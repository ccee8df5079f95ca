package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The archive is whole or not there, and for its owner alone; what is not in it is named.
func TestSupportCommand(t *testing.T) {
	dir := t.TempDir()
	output := filepath.Join(dir, "r1.tar.gz")
	code, stdout, stderr := routerd("support", "--output", output, "--socket", serve(t, &fake{}))
	info, err := os.Stat(output)
	if code != exitOK || err != nil || info.Mode().Perm() != 0o600 || info.Size() == 0 || stdout != output+"\n" {
		t.Errorf("exit %d, %v, %v\n%s%s", code, info, err, stdout, stderr)
	}
	if !strings.Contains(stderr, "events.ndjson") { // this router has none
		t.Errorf("what is missing is not named: %s", stderr)
	}
	if code, _, stderr := routerd("support", "--output", filepath.Join(dir, "none", "x"), "--socket", "/none"); code != exitFailed || !strings.Contains(stderr, "no such file") {
		t.Errorf("a directory that is not there: exit %d, %s", code, stderr)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("there is %v, want the archive alone", left)
	}
}
