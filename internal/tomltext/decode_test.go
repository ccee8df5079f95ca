package tomltext

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// cases are texts at the edges of the language, valid ones and others.
var cases = []string{
	"", "a = 1", "a = 1_000\nb = 0x1F\nc = 1.5e3\nd = -0\ne = +7\nf = inf\ng = -nan", "a = 01", "a = 9223372036854775807", "a = 9223372036854775808",
	"a = true\nb = false", "a = tru", "a = 1979-05-27T07:32:00Z\nb = 1979-05-27\nc = 07:32:00\nd = 1979-05-27 07:32:00.5", "a = 1979-13-27",
	"a = \"x\\ty\\u00e9\"\nb = 'x\\ty'\nc = \"\"\"\nx\\\n  y\"\"\"\nd = '''\nx'y'''", "a = \"\x01\"", "a = \"\\q\"", "a = \"\\ud800\"", "a = '\xff'", "# \x00",
	"a = [1, 2, [3, 'x'], {b = 1}]", "a = [\n1, # one\n2,\n]", "a = {b = 1, c.d = 2}", "a = {}", "a = {b = 1,}", "a = {b = 1, b = 2}",
	"a = 1\na = 2", "a.b = 1\na.c = 2", "a.b = 1\na.b.c = 2", "a = 1\na.b = 2", "a.b = 1\na = 2", "a = {b = 1}\na.c = 2", "a = {b = {}}\n[a.b.c]",
	"[a]\n[a]", "[a.b]\n[a]", "[a]\nb.c = 1\n[a.b]", "[a]\nb.c = 1\n[a.b.d]", "[a.b]\nx = 1\n[a]\nb.y = 2", "[a.b.c]\n[a]\nb.y = 2", "[a]\nx = 1\n[a.x]",
	"[[a]]\n[[a]]\nb = 1\n[a.c]\n[[a]]\n[a.c]", "a = []\n[[a]]", "a = [{}]\n[[a]]", "[a]\n[[a]]", "[[a]]\n[a]", "[[a.b]]\n[a]\nb = 1", "[a.b]\n[[a]]", "[[a]]\na = 1\n[[a.a]]",
	"\"a b\" = 1\n'c.d' = 2\n\"\" = 3", "a b = 1", "= 1", "a =", "[a", "a = [1", "a = \"x", "a = {b = 1\n}", "[a] b = 1", "a = 1 b = 2", "\r\na = 1\r\n", "a = 1\rb = 2", "\xef\xbb\xbfa = 1",
	"a.1.2 = 1.5", "1 = 2\n1.2 = 3", "[ a . b ]\n c . d = 1", "[a.b]\n[a.c]\n[a.b.d]", "a = '''x'''''", "a = \"\"\"x\"\"\"\"\"",
}

// What routerd decodes is what the library decodes, and what the library
// refuses is refused. What has been found wrong is in the library's words.
func FuzzDecode(f *testing.F) {
	for _, text := range cases {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, ok := Parse("f.toml", data)
		var want map[string]any
		err := toml.Unmarshal(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), &want)
		switch {
		case !ok && len(d.Problems()) == 0:
			t.Fatal("refused without a reason")
		case ok && err != nil:
			t.Fatalf("the library refuses with %v what was decoded as %v", err, d.Root().Table)
		case ok:
			if diff := cmp.Diff(want, d.Root().Table, cmpopts.EquateEmpty(), cmpopts.EquateNaNs()); diff != "" {
				t.Fatalf("decoded (-library +routerd):\n%s", diff)
			}
		}
	})
}

// What is valid TOML is not refused.
func TestDecodesWhatIsValid(t *testing.T) {
	for _, text := range cases {
		var v map[string]any
		if toml.Unmarshal(bytes.TrimPrefix([]byte(text), []byte("\xef\xbb\xbf")), &v) != nil {
			continue
		}
		if d, ok := Parse("f.toml", []byte(text)); ok == slices.Contains(lenient, text) {
			t.Errorf("%q is decoded: %v, %v", text, ok, d.Problems())
		}
	}
}

// lenient are texts that the library takes, against TOML 1.0.0 (section Keys:
// "as long as a key hasn't been directly defined"; section Table: dotted keys
// define their tables).
var lenient = []string{"a.b = 1\na = 2", "[a]\nb.c = 1\n[a.b]"}

func TestDepth(t *testing.T) {
	nest := func(open, inner, shut string) func(n int) string {
		return func(n int) string { return "x = " + strings.Repeat(open, n-1) + inner + strings.Repeat(shut, n-1) }
	}
	for name, text := range map[string]func(n int) string{ // of n levels
		"dots":        func(n int) string { return "a" + strings.Repeat(".a", n-1) + " = 1" },
		"spaced dots": func(n int) string { return "'a#'" + strings.Repeat(" . \"a\\\"]\"", n-1) + " = 1" },
		"a header":    func(n int) string { return "[a" + strings.Repeat(".a", n-2) + "]\nb = 1" },
		"header and dots": func(n int) string {
			return "[a" + strings.Repeat(".a", n/2-1) + "]\nb" + strings.Repeat(".b", n-n/2-1) + " = 1"
		},
		"an array":       func(n int) string { return "[[a" + strings.Repeat(".a", n-2) + "]]\nb = 1" },
		"lists":          nest("[", "1.5, 2.5, 'x'", "]"),
		"lists in lines": nest("[\n", "1, # }\n", "\n]"),
		"strings":        nest("[", `"[[[\"[[[", '''[[['[[[''''', """x""", '\'`, "]"),
	} {
		if d, ok := Parse("f.toml", []byte(text(maxDepth))); !ok {
			t.Errorf("%s of %d levels: %v", name, maxDepth, d.Problems())
		}
		d, ok := Parse("f.toml", []byte(text(maxDepth+1)))
		if ok || len(d.Problems()) != 1 || !strings.Contains(d.Problems()[0].Message, "more than 64 levels deep") {
			t.Errorf("%s of %d levels: %v, want it refused for its depth", name, maxDepth+1, d.Problems())
		}
	}
	// What shuts opens for the next, and what was never opened is no level.
	for _, text := range []string{
		"x = [" + strings.Repeat("[[1]],", 1000) + "]", "y = [" + strings.Repeat("{a.b=1.5},", 1000) + "]",
		func() string {
			var b strings.Builder
			for i := range 1000 {
				fmt.Fprintf(&b, "a%d.b.c = 1.5\n[t%d.u]\n", i, i)
			}
			return b.String()
		}(),
	} {
		if d, ok := Parse("f.toml", []byte(text)); !ok {
			t.Errorf("%.40q…: %v", text, d.Problems())
		}
	}
	// Without a bound this ends the process: nobody catches a stack overflow.
	if _, ok := Parse("f.toml", bytes.Repeat([]byte("a = [[[[[[[["), 1<<20)); ok {
		t.Error("millions of open brackets pass")
	}
}

// manyKeys is a text of n keys, and manyRoutes one of n tables.
func manyKeys(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "key-%07d = %d\n", i, i)
	}
	return b.Bytes()
}

func manyRoutes(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "[[static.route]]\nprefix = \"10.%d.%d.%d/32\"\nnext-hop = \"10.0.1.2\"\n", i>>16, i>>8&255, i&255)
	}
	return b.Bytes()
}

// A text takes at most ten times its own size, however many keys it has, and
// reading one of twice the size allocates twice as much.
func TestMemory(t *testing.T) {
	measure := func(text []byte) (live, allocated float64) {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		d, ok := Parse("f.toml", text)
		runtime.ReadMemStats(&after)
		allocated = float64(after.TotalAlloc - before.TotalAlloc)
		runtime.GC()
		runtime.ReadMemStats(&after)
		if !ok {
			t.Fatal(d.Problems())
		}
		live = float64(int64(after.HeapAlloc) - int64(before.HeapAlloc))
		runtime.KeepAlive(d)
		return live / float64(len(text)), allocated / float64(len(text))
	}
	n := 1 << 18
	if testing.Short() {
		n = 1 << 16
	}
	for name, text := range map[string]func(int) []byte{"keys": manyKeys, "routes": manyRoutes} {
		_, half := measure(text(n / 2))
		live, all := measure(text(n))
		t.Logf("%s: %.1f times the text live, %.1f times allocated", name, live, all)
		if live > 10 {
			t.Errorf("%s: %.1f times the text is live after reading it, want at most 10", name, live)
		}
		if all > 1.2*half {
			t.Errorf("%s: %.1f times the text is allocated, and for half of it %.1f times: that is not linear", name, all, half)
		}
	}
}

// Many mistakes are told up to a bound, and a warning never hides an error.
func TestManyMistakes(t *testing.T) {
	d, ok := Parse("f.toml", manyKeys(5000))
	if !ok {
		t.Fatal(d.Problems())
	}
	for i := range 5000 {
		d.Odd(Path{}.With(fmt.Sprintf("key-%07d", i)), "odd", "")
	}
	d.Root().Done()
	list := d.Problems()
	errors, warnings := 0, 0
	for _, p := range list {
		if p.Warning {
			warnings++
		} else {
			errors++
		}
	}
	if errors != maxProblems+1 || warnings != maxProblems+1 {
		t.Errorf("%d errors and %d warnings, want %d of each and how many more there are", errors, warnings, maxProblems)
	}
	if last := list[len(list)-2]; last.Message != "4000 more problems are not listed" {
		t.Errorf("the last but one is %+v", last)
	}
}

// BenchmarkParse reads a million keys, and a tenth of them: the time a byte is
// the same.
func BenchmarkParse(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		text := manyKeys(n)
		b.Run(fmt.Sprintf("%d keys", n), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := Parse("f.toml", text); !ok {
					b.Fatal("refused")
				}
			}
		})
	}
}
