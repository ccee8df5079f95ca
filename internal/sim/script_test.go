package sim

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what the scripts print into them")

func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scripts in testdata: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := newRIPScript(1)
			got, err := s.Play(string(want))
			if err != nil {
				t.Fatalf("%v\n%s", err, s.Network.Report())
			}
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("the script prints something else (-want +got):\n%s", diff)
			}
		})
	}
}

func TestScriptMistakes(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"dance r1\n", `there is no command "dance"`},
		{"fib r9\n----\n", `there is no router "r9"`},
		{"router r1\n  eth0 10.0.0.0.1/24\n", "10.0.0.0.1/24"},
		{"router r1\n  eth0 10.0.0.1/24\nlink r1:eth0 r2:eth0\n", `there is no node "r2"`},
		{"router r1\n  eth0 10.0.0.1/24\nlink r1:eth0 colour=red\n", `a link has no "colour"`},
		{"router r1\n  eth0 10.0.0.1/24\ndown r1:eth0\n", "r1:eth0 is on no link"},
		{"router r1\n  eth0 10.0.0.1/24\nfib r1\n", "no ---- line asks for"},
		{"run soon\n", "soon"},
	} {
		if _, err := NewScript(1).Play(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q gives %v, want %q", tt.text, err, tt.want)
		}
	}
}
