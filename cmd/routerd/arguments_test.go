package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestArgumentsAreNamed(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"lab up", "missing TOPOLOGY.toml; wanted: routerd lab up TOPOLOGY.toml"},
		{"lab exec", "missing TOPOLOGY.toml, NODE and COMMAND; wanted: routerd lab exec TOPOLOGY.toml NODE COMMAND..."},
		{"lab exec demo.toml", "missing NODE and COMMAND; wanted: routerd lab exec TOPOLOGY.toml NODE COMMAND..."},
		{"lab exec demo.toml h1", "missing COMMAND; wanted: routerd lab exec TOPOLOGY.toml NODE COMMAND..."},
		{"lab link demo.toml r1:core0", "missing down|up; wanted: routerd lab link TOPOLOGY.toml NODE:INTERFACE down|up"},
		{"lab link demo.toml r1:core0 off", `"off": wanted down, which cuts the link, or up, which mends it`},
		{"lab down demo.toml h1", `"h1" is more than the command takes; wanted: routerd lab down TOPOLOGY.toml`},
		{"show arp 10.0.0.1 10.0.0.2", `"10.0.0.2" is more than the command takes; wanted: routerd show arp [ADDRESS]`},
		{"reload now", `"now" is more than the command takes; wanted: routerd reload`},
		{"lab list demo.toml", `"demo.toml" is more than the command takes; wanted: routerd lab list`},
	} {
		var out, errs bytes.Buffer
		code := run(strings.Fields(c.line), &out, &errs)
		if first, _, _ := strings.Cut(errs.String(), "\n"); code != exitUsage || first != "routerd: "+c.want {
			t.Errorf("routerd %s: exit code %d, said:\n%s\nwant 2 and: %s", c.line, code, errs.String(), c.want)
		}
	}
}

func TestCompletionOfNodesAndLinks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lab.toml")
	text := "name = \"x\"\n[node]\nh1 = { kind = \"host\" }\nr1 = { kind = \"router\" }\n[[link]]\nendpoints = [\"h1:eth0\", \"r1:lan0\"]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{"up", ""}, "toml\n:8\n"},
		{[]string{"up", file, ""}, ":4\n"},
		{[]string{"exec", file, ""}, "h1\thost\nr1\trouter\n:36\n"},
		{[]string{"exec", file, "h1", ""}, ":0\n"},
		{[]string{"link", file, ""}, "h1:eth0\nr1:lan0\n:36\n"},
		{[]string{"link", file, "h1:eth0", ""}, "down\nup\n:4\n"},
	} {
		var out, errs bytes.Buffer
		if code := run(append([]string{"__complete", "lab"}, c.words...), &out, &errs); code != exitOK || out.String() != c.want {
			t.Errorf("%q completes to (%d):\n%s\nwant:\n%s", c.words, code, out.String(), c.want)
		}
	}
}
