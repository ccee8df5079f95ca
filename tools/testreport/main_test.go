package main

import (
	"strings"
	"testing"
)

const stream = `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:7: needs root\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestA","Elapsed":0}
{"Action":"pass","Package":"p","Test":"TestB","Elapsed":0.1}
`

func TestReport(t *testing.T) {
	for _, c := range []struct {
		name, stream string
		ok           bool
		want         []string
	}{
		{
			"passes", stream + `{"Action":"pass","Package":"p","Elapsed":1}`, true,
			[]string{"1 passed, 1 skipped", "  p TestA: needs root\n", "1 passed, 0 failed, 1 skipped\n"},
		},
		{"a test fails", stream + `{"Action":"output","Package":"p","Test":"TestC","Output":"boom\n"}
{"Action":"fail","Package":"p","Test":"TestC"}
{"Action":"fail","Package":"p"}`, false, []string{"boom\n", "1 passed, 1 failed, 1 skipped\n"}},
		{"a package does not build", `{"ImportPath":"p","Action":"build-output","Output":"p.go:1: no\n"}
{"ImportPath":"p","Action":"build-fail"}
{"Action":"fail","Package":"p","FailedBuild":"p"}`, false, []string{"p.go:1: no\n", "1 packages did not build"}},
		{"a package ends without its tests", stream + `{"Action":"output","Package":"p","Output":"panic: x\n"}
{"Action":"fail","Package":"p"}`, false, []string{"panic: x\n", "1 packages did not build or ended"}},
		{"a test ends its package", stream + `{"Action":"output","Package":"p","Test":"TestC","Output":"panic: y\n"}
{"Action":"fail","Package":"p"}`, false, []string{"panic: y\n", "1 packages did not build or ended"}},
		{"nothing ran", "", false, []string{"0 passed"}},
		{"go speaks", stream + "go: no such module\n", true, []string{"go: no such module\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			r := newReport(&out, false)
			if err := r.read(strings.NewReader(c.stream)); err != nil {
				t.Fatal(err)
			}
			if ok := r.close(); ok != c.ok {
				t.Errorf("all well: %v, want %v", ok, c.ok)
			}
			for _, want := range c.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("printed:\n%s\nwant in it: %q", out.String(), want)
				}
			}
		})
	}
}

// Few failures of live tests may be tried once more, but no data race, no panic and no
// failure of anything else.
func TestAgain(t *testing.T) {
	fail := func(pkg, test, output string) string {
		return `{"Action":"output","Package":"` + pkg + `","Test":"` + test + `","Output":"` + output + `\n"}
{"Action":"fail","Package":"` + pkg + `","Test":"` + test + `"}
`
	}
	ended := `{"Action":"fail","Package":"p"}` + "\n"
	for _, c := range []struct{ name, stream, want string }{
		{"passes", stream, ""},
		{"a live test", stream + fail("p", "TestC/x", "late") + fail("p", "TestC", "late") + ended, "p TestC\n"},
		{"of another package", fail("p", "TestC", "late") + fail("q", "TestD", "wrong") + ended, ""},
		{"a data race", fail("p", "TestC", "WARNING: DATA RACE") + ended, ""},
		{"a data race beside it", fail("p", "TestC", "late") + `{"Action":"output","Package":"p","Output":"WARNING: DATA RACE\n"}` + "\n" + ended, ""},
		{"a panic", fail("p", "TestC", "panic: x") + ended, ""},
		{"a package that ended", fail("p", "TestC", "late") + ended + `{"Action":"fail","Package":"q"}`, ""},
		{"many", fail("p", "A", "x") + fail("p", "B", "x") + fail("p", "C", "x") + fail("p", "D", "x") + fail("p", "E", "x") + fail("p", "F", "x") + ended, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReport(&strings.Builder{}, false)
			if err := r.read(strings.NewReader(c.stream)); err != nil {
				t.Fatal(err)
			}
			if got := r.again([]string{"p"}); got != c.want {
				t.Errorf("to be run once more: %q, want %q", got, c.want)
			}
		})
	}
}
