package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"routerd/routing/rip"
)

// speaking is a router that RIP is configured on below.
const speaking = `name = "r1"
[interface.a]
kind = "tun"
addresses = ["10.0.0.1/24"]
[interface.six]
kind = "tun"
addresses = ["2001:db8::1/64"]
[[keys.core]]
id = 1
file = "core-1"
`

// Each mistake by itself, where it stands.
func TestKeyMistakes(t *testing.T) {
	lines := strings.Count(speaking, "\n")
	for _, tt := range []struct {
		name, text string
		want       []string // line:column+width: message, lines counted behind speaking
	}{
		{"a key without a number", "[[keys.x]]\nfile = \"f\"", []string{"1:8+1: keys.x[1] has no id"}},
		{"a key without a file", "[[keys.x]]\nid = 1", []string{"1:8+1: keys.x[1] has no file"}},
		{"a number twice", "[[keys.core]]\nid = 1\nfile = \"f\"", []string{"2:6+1: keys.core[2].id is 1, which a key of core has already"}},
		{"a number too large", "[[keys.x]]\nid = 256\nfile = \"f\"", []string{"2:6+3: keys.x[1].id is 256"}},
		{"no lifetime", "[[keys.x]]\nid = 1\nfile = \"f\"\nsend = \"2026\"", []string{"4:8+6: keys.x[1].send is \"2026\""}},
		{"a lifetime backwards", "[[keys.x]]\nid = 1\nfile = \"f\"\naccept = \"2027-01-01T00:00:00Z/2026-01-01T00:00:00Z\"", []string{"4:10+43: keys.x[1].accept is \"2027-01-01T00:00:00Z/2026-01-01T00:00:00…\", which ends before it begins"}},
	} {
		_, problems := Parse("t.toml", []byte(speaking+tt.text))
		var got []string
		for _, p := range problems {
			got = append(got, fmt.Sprintf("%d:%d+%d: %s", p.Place.Line-lines, p.Place.Column, p.Width, p.Message))
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

// Keys are read from files, named relative to the configuration's directory;
// one that everybody can read is odd, one that is missing or empty is wrong.
func TestKeyFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	load := func() (*Config, string) {
		t.Helper()
		c, problems, err := Load(filepath.Join(dir, "r1.toml"))
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, p := range problems {
			said = append(said, fmt.Sprintf("%d %v %s", p.Place.Line, p.Warning, strings.ReplaceAll(p.Message, dir, "DIR")))
		}
		return c, strings.Join(said, "; ")
	}
	write("r1.toml", speaking+"[rip.interface.a]\nauth = { type = \"md5\", keys = \"core\" }\n", 0o600)
	if _, got := load(); got != "10 false reading a key: open DIR/core-1: no such file or directory" {
		t.Errorf("without the file: %s", got)
	}
	write("core-1", "\n", 0o600)
	if _, got := load(); got != "10 false the key in DIR/core-1 is empty" {
		t.Errorf("an empty file: %s", got)
	}
	write("core-1", "s3cret \r\n", 0o600)
	c, got := load()
	if got != "" || string(c.Protocols["rip"].Config.(rip.Config).Interfaces["a"].Auth.Keys[0].Secret) != "s3cret " {
		t.Errorf("a key in a file: %q, %s", c.Protocols["rip"].Config.(rip.Config).Interfaces["a"].Auth.Keys[0].Secret, got)
	}
	write("core-1", "s3cret", 0o644)
	if _, got := load(); got != "10 true everybody on the machine can read the key in DIR/core-1" {
		t.Errorf("a file that everybody can read: %s", got)
	}
	write("core-1", "of seventeen byte", 0o600)
	if _, got := load(); got != "10 false keys.core[1].file has a key of 17 bytes, and md5 has room for 16" {
		t.Errorf("a key that is too long: %s", got)
	}
	// Keys that nobody uses are not read.
	write("r1.toml", speaking, 0o600)
	write("core-1", "", 0o600)
	if _, got := load(); got != "" {
		t.Errorf("keys that nobody uses: %s", got)
	}
}
