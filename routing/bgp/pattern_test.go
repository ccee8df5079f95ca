package bgp

import (
	"encoding/binary"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"routerd/routing/bgp/wire"
)

// pathOf makes a path of words: AS numbers, "{1,2}", "(1" "2)", "[1,2]".
func pathOf(t fatal, text string) (p wire.Path) {
	for _, word := range strings.Fields(strings.ReplaceAll(strings.ReplaceAll(text, "(", "( "), ")", " )")) {
		kind, list := wire.SegmentSequence, word
		switch word[0] {
		case '{':
			kind, list = wire.SegmentSet, strings.Trim(word, "{}")
		case '[':
			kind, list = wire.SegmentConfedSet, strings.Trim(word, "[]")
		case '(', ')':
			t.Fatalf("%q: confederations are not written here", text)
		}
		numbers := strings.Split(list, ",")
		p = append(p, byte(kind), byte(len(numbers)))
		for _, n := range numbers {
			var as uint32
			if _, err := fmt.Sscan(n, &as); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			p = binary.BigEndian.AppendUint32(p, as)
		}
	}
	return p
}

type fatal interface{ Fatalf(string, ...any) }

func TestPathPatterns(t *testing.T) {
	for _, test := range []struct {
		pattern string
		yes, no []string
	}{
		{"^$", []string{""}, []string{"1"}},
		{"$^", []string{""}, []string{"1"}},
		{"", []string{"", "1 2"}, nil},
		{".*", []string{"", "1 2"}, nil},
		{"_65001_", []string{"65001", "1 65001 2", "65001 2", "1 65001", "{65001,2}", "{1,65001}", "1 [65001,7]"}, []string{"", "165001", "650012", "1 2"}},
		{"^65001_", []string{"65001", "65001 2"}, []string{"1 65001", "650011 2", ""}},
		{"_65001$", []string{"65001", "2 65001"}, []string{"65001 2", "165001"}},
		{"^65001$", []string{"65001"}, []string{"65001 65001", ""}},
		{"^65001(_65001)*$", []string{"65001", "65001 65001 65001"}, []string{"65001 1", "1 65001"}},
		{"^[0-9]+$", []string{"7", "4294967295"}, []string{"7 8", "", "{7}"}},
		{"^[0-9]+_[0-9]+$", []string{"7 8"}, []string{"7", "7 8 9"}},
		{"_(64[6-9][0-9][0-9]|65[0-9][0-9][0-9])_", []string{"1 64600", "65999 1"}, []string{"64500", "1 66000"}},
		{"1_2", []string{"1 2", "31 22", "{1,2}"}, []string{"12", "1 3 2"}},
		{`\{`, []string{"1 {2,3}"}, []string{"1 2"}},
		{`1\.|\]2`, nil, []string{"1", "12", "1 2"}},
		{"[{]", []string{"1 {2,3}"}, []string{"1 2"}},
		{"^[^_]+$", []string{"123"}, []string{"1 2", "{1,2}"}},
		{"^1 2$", []string{"1 2"}, []string{"1 2 3"}},
		{"(_1_.*){3}", []string{"1 2 1 3 1"}, []string{"1 1", "1 1 1"}}, // what separates counts once
		{"^(1|2)_.?3", []string{"1 3", "2 43"}, []string{"3 3"}},
	} {
		p, err := CompilePath(test.pattern)
		if err != nil {
			t.Error(err)
			continue
		}
		if p.String() != test.pattern {
			t.Errorf("%q is written %q", test.pattern, p)
		}
		for i, list := range [][]string{test.yes, test.no} {
			for _, path := range list {
				if got := p.Match(pathOf(t, path)); got != (i == 0) {
					t.Errorf("%q, path %q: %v", test.pattern, path, got)
				}
			}
		}
	}
}

func TestPathPatternErrors(t *testing.T) {
	for pattern, want := range map[string]string{
		"65001x":             `"65001x": 'x' at place 6: AS paths are written with digits`,
		"(1":                 "missing closing )",
		"[1":                 "missing closing ]",
		"*":                  "missing argument to repetition operator",
		`\d+`:                "a backslash at place 1",
		`1\`:                 "a backslash at place 2",
		"(?:1)":              "a group that begins with a question mark at place 1",
		"(.*1.*){200}(2|3)*": "",
		"1{5000}":            "invalid repeat count",
	} {
		_, err := CompilePath(pattern)
		switch {
		case err == nil && want != "":
			t.Errorf("%q is compiled", pattern)
		case err != nil && !strings.Contains(err.Error(), want):
			t.Errorf("%q: %v, want %q", pattern, err, want)
		}
	}
	if _, err := CompilePath("(1|2)(1|2)[0-9]{13}1.{14}$"); err == nil || !strings.Contains(err.Error(), "states") {
		t.Errorf("a pattern of very many states: %v", err)
	}
}

// Whatever the pattern and the path, it matches as the standard library has it on the
// text of the path.
func TestPathPatternsAgainstRegexp(t *testing.T) {
	atoms := []string{"1", "2", "12", "[0-9]", "[12]", "[^1]", ".", "_", "_", "^", "$", " ", ",", `\{`, `\(`, "_1_", "[_2]", "[]1]", "[^] ]"}
	marks := []string{"", "", "", "*", "+", "?", "{2}", "{1,3}"}
	rapid.Check(t, func(t *rapid.T) {
		var draw func(depth int) string
		draw = func(depth int) string {
			var b strings.Builder
			for range rapid.IntRange(0, 4).Draw(t, "parts") {
				if depth > 0 && rapid.IntRange(0, 4).Draw(t, "group") == 0 {
					b.WriteString("(" + draw(depth-1) + "|" + draw(depth-1) + ")")
				} else {
					b.WriteString(rapid.SampledFrom(atoms).Draw(t, "atom"))
				}
				b.WriteString(rapid.SampledFrom(marks).Draw(t, "mark"))
			}
			return b.String()
		}
		text := draw(2)
		p, err := CompilePath(text)
		if err != nil {
			if !strings.Contains(err.Error(), "states") && !strings.Contains(err.Error(), "repe") {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		const separator = `(?:^|[ ,{}()\[\]]|$)`
		ours := strings.NewReplacer("[_2]", `[ ,{}()\[\]2]`, "[]1]", `[\]1]`, "[^] ]", `[^\] ]`, "_", separator).Replace(text)
		re := regexp.MustCompile(ours)
		for range 20 {
			var path wire.Path
			for range rapid.IntRange(0, 3).Draw(t, "segments") {
				n := rapid.IntRange(1, 3).Draw(t, "numbers")
				path = append(path, byte(rapid.IntRange(1, 4).Draw(t, "type")), byte(n))
				for range n {
					path = binary.BigEndian.AppendUint32(path, rapid.SampledFrom([]uint32{1, 2, 12, 21, 120}).Draw(t, "AS"))
				}
			}
			if got, want := p.Match(path), re.MatchString(path.String()); got != want {
				t.Fatalf("%q, path %q: %v, want %v", text, path, got, want)
			}
		}
	})
}

func TestPathPatternAllocates(t *testing.T) {
	p, err := CompilePath("_(64[6-9][0-9][0-9]|65[0-9]+)_[0-9]+$")
	if err != nil {
		t.Fatal(err)
	}
	path := pathOf(t, "1299 3356 4200000000 {1,2} 65001 7")
	if n := testing.AllocsPerRun(100, func() {
		if !p.Match(path) {
			t.Fatal("no match")
		}
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func BenchmarkPathPattern(b *testing.B) {
	const text = "_(64[6-9][0-9][0-9]|65[0-9]+)_[0-9]+$"
	p, err := CompilePath(text)
	if err != nil {
		b.Fatal(err)
	}
	path := pathOf(b, "1299 3356 174 2914 65001 7")
	b.Run("table", func(b *testing.B) {
		for b.Loop() {
			p.Match(path)
		}
	})
	b.Run("regexp", func(b *testing.B) {
		re := regexp.MustCompile(strings.ReplaceAll(text, "_", `(?:^|[ ,{}()\[\]]|$)`))
		var buf []byte
		for b.Loop() {
			buf = path.AppendText(buf[:0])
			re.Match(buf)
		}
	})
}
