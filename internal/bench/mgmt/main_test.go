package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"routerd/internal/bench"
)

// Every figure is one that a benchmark of a package reports which is run: a name
// that is wrong would read as one that could not be measured.
func TestFiguresExist(t *testing.T) {
	for _, m := range management.Marks {
		for _, f := range []bench.GoFigure{m.Figure, m.Less, m.Over} {
			if f != (bench.GoFigure{}) && !reported(t, f) {
				t.Errorf("%s: no benchmark %s that is run reports %q", m.Text, f.Benchmark, f.Unit)
			}
		}
	}
}

// reported looks for a figure in the source of the benchmarks that are run.
func reported(t *testing.T, f bench.GoFigure) (found bool) {
	t.Helper()
	top, _, _ := strings.Cut(f.Benchmark, "/")
	words := regexp.MustCompile(`[/-]`).Split(f.Unit, -1) // a unit may be made of several
	last := regexp.MustCompile(`[/"-]` + words[len(words)-1] + `"`)
	for _, r := range management.Runs {
		if is, err := regexp.MatchString("^("+r.Benchmarks+")", top); err != nil || !is {
			continue
		}
		files, err := filepath.Glob(filepath.Join("..", "..", "..", r.Package, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		runs, reports := false, false
		for _, path := range files {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			runs, reports = runs || strings.Contains(string(text), "func "+top+"("), reports || last.Match(text)
		}
		found = found || runs && reports
	}
	return found
}
