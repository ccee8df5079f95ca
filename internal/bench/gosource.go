package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Unreported gives, in words, the figures that no benchmark that is run reports, by the
// source of the benchmarks under root, the top of the source tree. Such a figure, its name
// wrong perhaps, would read as one that could not be measured.
func (g *GoMarks) Unreported(root string) (list []string, err error) {
	for _, m := range g.Marks {
		for _, f := range [...]GoFigure{m.Figure, m.Less, m.Over} {
			if f == (GoFigure{}) {
				continue
			}
			found, err := g.reports(root, f)
			if err != nil {
				return nil, fmt.Errorf("looking for the benchmark that reports %s of %s: %w", f.Unit, f.Benchmark, err)
			}
			if !found {
				list = append(list, fmt.Sprintf("%s: no benchmark %s that is run reports %q", m.Text, f.Benchmark, f.Unit))
			}
		}
	}
	return list, nil
}

// reports reports whether a benchmark that is run reports a figure.
func (g *GoMarks) reports(root string, f GoFigure) (found bool, err error) {
	top, _, _ := strings.Cut(f.Benchmark, "/")
	for _, r := range g.Runs {
		if is, err := regexp.MatchString("^("+r.Benchmarks+")", top); err != nil {
			return false, err
		} else if !is {
			continue
		}
		if found, err = reportedIn(filepath.Join(root, r.Package), top, f.Unit); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// reportedIn reports whether the tests in a directory have a benchmark and report a unit,
// whose last word alone has to be there: it may be made of several.
func reportedIn(dir, benchmark, unit string) (bool, error) {
	words := regexp.MustCompile(`[/-]`).Split(unit, -1)
	last := regexp.MustCompile(`[/"-]` + regexp.QuoteMeta(words[len(words)-1]) + `"`)
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	runs, reports := false, false
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			return false, err
		}
		runs, reports = runs || strings.Contains(string(text), "func "+benchmark+"("), reports || last.Match(text)
	}
	return runs && reports, err
}
