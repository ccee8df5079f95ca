// Package corpus reads captured packets and messages, vectors and tables for tests
// from ../shared/corpora, beside the repository. It is imported by tests only.
//
// If the corpora are missing, tests are skipped with that reason, and fuzz
// targets run with their own seeds.
package corpus

import (
	"bufio"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Dir is the path of the corpora. If they are missing it skips a test or
// benchmark, and gives a fuzz target the empty string.
func Dir(tb testing.TB) string {
	tb.Helper()
	wd, err := os.Getwd()
	if err != nil {
		tb.Fatalf("find the corpora: %v", err)
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			at := filepath.Join(filepath.Dir(dir), "shared", "corpora")
			if _, err := os.Stat(at); err == nil {
				return at
			}
			break
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	const absent = "no ../shared/corpora beside the repository"
	if _, fuzz := tb.(*testing.F); fuzz {
		tb.Logf("%s: only the seeds in the source are used", absent)
		return ""
	}
	tb.Skip(absent)
	return ""
}

// Hex gives the packets of packets/NAME.hex: one per line in hexadecimal; the
// text after a tab is the source.
func Hex(tb testing.TB, name string) [][]byte {
	tb.Helper()
	dir := Dir(tb)
	if dir == "" {
		return nil
	}
	f, err := os.Open(filepath.Join(dir, "packets", name+".hex"))
	if err != nil {
		tb.Fatalf("read corpus %q: %v", name, err)
	}
	defer f.Close()
	var packets [][]byte
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "\t")
		if text == "" || text[0] == '#' {
			continue
		}
		b, err := hex.DecodeString(text)
		if err != nil {
			tb.Fatalf("read corpus %q: line %d: %v", name, n, err)
		}
		packets = append(packets, b)
	}
	if err := lines.Err(); err != nil {
		tb.Fatalf("read corpus %q: %v", name, err)
	}
	return packets
}
