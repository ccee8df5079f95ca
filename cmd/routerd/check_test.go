package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	const sound = `name = "r1"
[interface.lan0]
kind = "tun"
addresses = ["10.0.1.1/24"]
`
	for _, c := range []struct {
		name, text string
		code       int
		want       []string
	}{
		{"sound", sound, exitOK, []string{"r1.toml: no errors\n"}},
		{"misspelt", sound + "mut = 1500\n", exitFailed, []string{"r1.toml:5:1: error: ", "\n    mut = 1500\n    ^^^\n", "r1.toml: 1 error, 0 warnings\n"}},
		{"odd", sound + "[[static.route]]\nprefix = \"10.9.0.0/16\"\nnext-hop = [\"10.8.8.8\"]\n", exitOK, []string{": warning: the route to 10.9.0.0/16 is not used: ", "r1.toml: no errors, 1 warning\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "r1.toml")
			if err := os.WriteFile(file, []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			code, stdout, stderr := routerd("check", file)
			if code != c.code || stderr != "" {
				t.Errorf("exit %d, %q; want %d and nothing", code, stderr, c.code)
			}
			for _, want := range c.want {
				if !strings.Contains(stdout, want) {
					t.Errorf("no %q in\n%s", want, stdout)
				}
			}
		})
	}
	code, _, stderr := routerd("check", filepath.Join(t.TempDir(), "none.toml"))
	if code != exitFailed || !strings.Contains(stderr, "none.toml: no such file or directory\n") {
		t.Errorf("a file that is not there: exit %d, %s", code, stderr)
	}
}
