// Command testreport reads the output of `go test -json` and prints what a
// person wants of it: one line for each package, the whole output of what
// failed, and at the end every skipped test with its reason. With -again it also
// writes down which tests may be run once more. With -processors it prints how many
// processors go test would use, which may be fewer than the machine has, and ends.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
)

// event is one line of `go test -json` (go doc test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Elapsed    float64 // seconds
	Output     string
}

type report struct {
	verbose                 bool
	out                     io.Writer
	output                  map[string][]string // by package and test, until it has ended
	perPackage              map[string]*[3]int  // passed, failed, skipped
	passed, failed, skipped int
	broken                  int // packages that did not build or ended badly outside a test
	skips                   []string
	failures                []string // package and test, of those outside a subtest
	final                   bool     // something failed that another run would not excuse
}

func main() {
	verbose := flag.Bool("v", false, "name the tests that pass, too")
	again := flag.String("again", "", "write the tests that may be run once more to this `file`, a package and a test a line")
	live := flag.String("live", "", "the packages, with commas between, whose tests may be: those that need the kernel's and other routers' timing")
	processors := flag.Bool("processors", false, "print how many processors there are for go test")
	flag.Parse()
	if *processors {
		fmt.Println(runtime.GOMAXPROCS(0))
		return
	}
	r := newReport(os.Stdout, *verbose)
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}
	ok := r.close()
	if *again != "" {
		if err := os.WriteFile(*again, []byte(r.again(strings.Split(*live, ","))), 0o600); err != nil {
			fmt.Fprintln(os.Stderr, "testreport:", err)
			os.Exit(1)
		}
	}
	if !ok {
		os.Exit(1)
	}
}

// mostAgain is how many failed tests may be run once more. When more fail, it is not
// by chance.
const mostAgain = 5

// again lists the tests that failed, a line each, if all of them may be run once more.
func (r *report) again(live []string) string {
	if r.final || r.broken > 0 || len(r.failures) > mostAgain {
		return ""
	}
	var list strings.Builder
	for _, f := range r.failures {
		if p, _, _ := strings.Cut(f, " "); !slices.Contains(live, p) {
			return ""
		}
		list.WriteString(f + "\n")
	}
	return list.String()
}

// excused reports whether another run may excuse what failed with this output: never a
// data race or a panic.
func excused(output []string) bool {
	return !slices.ContainsFunc(output, func(line string) bool {
		return strings.Contains(line, "WARNING: DATA RACE") || strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ")
	})
}

func newReport(out io.Writer, verbose bool) *report {
	return &report{verbose: verbose, out: out, output: map[string][]string{}, perPackage: map[string]*[3]int{}}
}

func (r *report) read(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(r.out, lines.Text()) // not an event: go itself is speaking
			continue
		}
		r.event(e)
	}
	return lines.Err()
}

func (r *report) event(e event) {
	key := cmp.Or(e.Package, e.ImportPath) + " " + e.Test
	switch e.Action {
	case "output":
		r.output[key] = append(r.output[key], e.Output)
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.packageEnd(e, key)
		} else {
			r.testEnd(e, key)
		}
		delete(r.output, key)
	}
}

func (r *report) testEnd(e event, key string) {
	counts := r.perPackage[e.Package]
	if counts == nil {
		counts = new([3]int)
		r.perPackage[e.Package] = counts
	}
	switch e.Action {
	case "pass":
		r.passed++
		counts[0]++
		if r.verbose && !strings.Contains(e.Test, "/") {
			fmt.Fprintf(r.out, "    --- PASS: %s (%.2fs)\n", e.Test, e.Elapsed)
		}
	case "fail":
		r.failed++
		counts[1]++
		r.final = r.final || !excused(r.output[key])
		if !strings.Contains(e.Test, "/") {
			r.failures = append(r.failures, e.Package+" "+e.Test)
		}
		fmt.Fprint(r.out, strings.Join(r.output[key], ""))
	case "skip":
		r.skipped++
		counts[2]++
		r.skips = append(r.skips, fmt.Sprintf("%s %s: %s", e.Package, e.Test, reason(r.output[key])))
	}
}

func (r *report) packageEnd(e event, key string) {
	counts := r.perPackage[e.Package]
	switch {
	case e.Action == "fail":
		if counts == nil || counts[1] == 0 {
			r.broken++
		}
		r.final = r.final || !excused(r.output[key])
		r.unfinished(e.Package)
		fmt.Fprint(r.out, strings.Join(r.output[key], ""))
	case counts == nil:
		if r.verbose {
			fmt.Fprintf(r.out, "?    %s  no tests\n", e.Package)
		}
	default:
		fmt.Fprintf(r.out, "ok   %-40s %7.2fs  %d passed", e.Package, e.Elapsed, counts[0])
		if counts[2] > 0 {
			fmt.Fprintf(r.out, ", %d skipped", counts[2])
		}
		fmt.Fprintln(r.out)
	}
}

// unfinished prints what the tests of a package have said that had not ended when it
// did: what ended the program, a panic perhaps, is among that.
func (r *report) unfinished(pkg string) {
	for _, key := range slices.Sorted(maps.Keys(r.output)) {
		if test, ok := strings.CutPrefix(key, pkg+" "); ok && test != "" {
			r.final = true
			fmt.Fprint(r.out, strings.Join(r.output[key], ""))
			delete(r.output, key)
		}
	}
}

// close prints the end of the report and tells whether all was well.
func (r *report) close() bool {
	if len(r.skips) > 0 {
		fmt.Fprintln(r.out, "skipped:")
		slices.Sort(r.skips)
		for _, s := range r.skips {
			fmt.Fprintln(r.out, "  "+s)
		}
	}
	if r.broken > 0 {
		fmt.Fprintf(r.out, "%d packages did not build or ended before their tests did\n", r.broken)
	}
	fmt.Fprintf(r.out, "%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
	return r.failed == 0 && r.broken == 0 && r.passed > 0
}

// reason is what a skipped test said, without the frame that go test puts
// around it.
func reason(output []string) string {
	var said []string
	for _, line := range output {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") {
			continue
		}
		if _, after, ok := strings.Cut(line, ".go:"); ok {
			if _, text, ok := strings.Cut(after, ": "); ok {
				line = text
			}
		}
		said = append(said, line)
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, " ")
}
