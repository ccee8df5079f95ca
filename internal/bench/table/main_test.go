package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every figure is one that a benchmark of a package reports which is run: a name
// that is wrong would read as one that could not be measured.
func TestFiguresExist(t *testing.T) {
	for _, m := range internetTable.Marks {
		top, _, _ := strings.Cut(m.Figure.Benchmark, "/")
		found := false
		for _, r := range internetTable.Runs {
			if is, err := regexp.MatchString("^("+r.Benchmarks+")", top); err != nil || !is {
				continue
			}
			files, err := filepath.Glob(filepath.Join("..", "..", "..", r.Package, "*_test.go"))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				text, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				// A unit may be made of several words.
				unit := regexp.MustCompile(`[/-]`).Split(m.Figure.Unit, -1)
				found = found || strings.Contains(string(text), "func "+top+"(") && regexp.MustCompile(`[/"-]`+unit[len(unit)-1]+`"`).Match(text)
			}
		}
		if !found {
			t.Errorf("%s: no benchmark %s that is run reports %q", m.Text, m.Figure.Benchmark, m.Figure.Unit)
		}
	}
}
