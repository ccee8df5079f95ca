package tomltext

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
)

func parse(t *testing.T, text string) *Document {
	t.Helper()
	d, ok := Parse("t", []byte(text))
	if !ok {
		t.Fatalf("%q: %v", text, d.Problems())
	}
	return d
}

// said is what has been found wrong, each as line:column+width: message.
func said(d *Document) []string {
	var out []string
	for _, p := range d.Problems() {
		out = append(out, fmt.Sprintf("%d:%d+%d: %s", p.Place.Line, p.Place.Column, p.Width, p.Message))
	}
	return out
}

// Where keys and values stand, in all the ways that TOML has to write a tree.
func TestPlaces(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		at         Path
		key, value string // the text there
	}{
		{"a pair", "a = 1 # one", Path{}.With("a"), "a", "1"},
		{"a pair in a table", "[t]\n  a = \"x\"", Path{}.With("t").With("a"), "a", `"x"`},
		{"a dotted key", "a.b.c = 1", Path{}.With("a").With("b").With("c"), "c", "1"},
		{"on the way along it", "a.b.c = 1", Path{}.With("a").With("b"), "b", "b"},
		{"a key in quotes", `"a.b" = 1`, Path{}.With("a.b"), `"a.b"`, "1"},
		{"a list", "a = [ 1, 2 ]", Path{}.With("a"), "a", "[ 1, 2 ]"},
		{"an element", "a = [1,\n # two\n 2]", Path{}.With("a").Element(1), "a", "2"},
		{"an element of an element", "a = [[1], [2, 3]]", Path{}.With("a").Element(1).Element(1), "a", "3"},
		{"an inline table", "a = { b = 1 }", Path{}.With("a"), "a", "{ b = 1 }"},
		{"a key in it", "a = { b = 1 }", Path{}.With("a").With("b"), "b", "1"},
		{"an inline table in a list", "a = [{ b = 1 }, { b = 2 }]", Path{}.With("a").Element(1), "a", "{ b = 2 }"},
		{"a key in that", "a = [{ b = 1 }, { b = 2 }]", Path{}.With("a").Element(1).With("b"), "b", "2"},
		{"a header", "[a.b]", Path{}.With("a").With("b"), "b", "b"},
		{"a table in an array", "[[a]]\nb = 1\n[[a]]\nb = 2", Path{}.With("a").Element(1).With("b"), "b", "2"},
		{"a table below one in an array", "[[a]]\n[[a]]\n[a.b]\nc = 3", Path{}.With("a").Element(1).With("b").With("c"), "c", "3"},
		{"a table opened again", "[a.b]\n[a]\nc = 1", Path{}.With("a"), "a", "a"},
		{"what is not there", "[a.b]\nc = 1", Path{}.With("a").With("b").With("d").With("e"), "b", "b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := parse(t, tt.text)
			p := d.where(tt.at)
			if key, value := tt.text[p.key.from:p.key.to], tt.text[p.value.from:p.value.to]; key != tt.key || value != tt.value {
				t.Errorf("%s is %q = %q, want %q = %q", tt.at, key, value, tt.key, tt.value)
			}
		})
	}
	if got := parse(t, "\ufeffa = 1").KeyPlace(Path{}.With("a")); got.Line != 1 || got.Column != 1 {
		t.Errorf("behind a byte order mark, a stands at %+v, want the first column", got)
	}
	if got := parse(t, "'ä'.o = 'ü' # …\n").ValuePlace(Path{}.With("ä").With("o")); got.Column != 9 {
		t.Errorf("the value stands at %+v, want column 9, counted in characters", got)
	}
}

func TestPath(t *testing.T) {
	at := Path{}.With("static").With("route").Element(2).With("a.b").With("")
	if want := `static.route[3]."a.b".""`; at.String() != want {
		t.Errorf("got %s, want %s", at, want)
	}
	table := Path{}.With("interface").With("lan0")
	with, other := table.With("x"), table.With("y")
	if with.String() != "interface.lan0.x" || other.String() != "interface.lan0.y" {
		t.Errorf("%s and %s share their memory", with, other)
	}
	for pattern, want := range map[string]bool{
		"interface.*": true, "interface.lan0": true, "*.*": true, "interface": false, "interface.lan1": false, "interface.*.x": false, "": false,
	} {
		if got := table.Matches(pattern); got != want {
			t.Errorf("%s matches %q: %v, want %v", table, pattern, got, want)
		}
	}
	if !(Path{}).Matches("") || (Path{}).With("a").Element(0).Matches("a.*") {
		t.Error("the whole text matches \"\", and an element is no key")
	}
}

// What ends the reading is one problem, at its place.
func TestNoTOML(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"a = = 1", "1:5+1: expected value but found '=' instead"},
		{"a = 1\nb = 1\na = 2", "3:1+1: a is given twice"},
		{"[a]\n[b]\n[a]", "3:2+1: a is given twice"},
	} {
		d, ok := Parse("t", []byte(tt.text))
		if got := said(d); ok || len(got) != 1 || got[0] != tt.want {
			t.Errorf("%q: %v %q, want only %q", tt.text, ok, got, tt.want)
		}
		if len(d.Root().Table) > 0 {
			t.Errorf("%q has values: %v", tt.text, d.Root().Table)
		}
	}
}

func TestProblemsAreSorted(t *testing.T) {
	d := parse(t, "a = 1\nb = { c = 2, d = 3 }")
	d.Odd(Path{}.With("b").With("d"), "fourth", "")
	d.WrongKey(Path{}.With("b").With("c"), "third", "")
	d.Wrong(Path{}.With("a"), "second", "")
	d.Wrong(nil, "first", "").Line = ""
	want := []string{"1:1+1: first", "1:5+1: second", "2:7+1: third", "2:18+1: fourth"}
	if diff := cmp.Diff(want, said(d)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if p := d.Problems(); !p[3].Warning || p[2].Warning || p[0].String() != "t:1:1: error: first" {
		t.Errorf("problems %v", p)
	}
}

// FuzzParse: any text is read without a panic. Of one that is TOML, each key has
// a place, and what stands at the place of a plain value is that value.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"../../config/testdata/*.toml", "../../deploy/*.toml", "../../deploy/labs/*.toml"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Add([]byte("a.b.c = [[1, [2]], {d = 1}]\n[[x.y]]\n[[x.y.z]]\n[x.y.z.w]"))
	f.Add([]byte("[[test]]\n[test.serve]\n[[a.b]]\n[a.b.c]\n[[a.b]]\nd.e = [{f = 1}, [2]]\n"))
	f.Add([]byte("a = '''\nx'''\nb = \"\"\"\\\n y\"\"\" # z\nc = 1979-05-27 07:32:00\nd = [[], {}]\ne = +inf"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, ok := Parse("f", data)
		if !ok {
			if len(d.Problems()) != 1 {
				t.Fatalf("%v, want one problem", d.Problems())
			}
		} else {
			checkPlaces(t, d, nil, d.Root().Table)
			d.Root().Done()
		}
		lines := strings.Split(d.text, "\n")
		for _, p := range d.Problems() {
			if p.Caret > 0 {
				continue // it stands in another text
			}
			if p.Place.Line < 1 || p.Place.Line > len(lines) || p.Message == "" || p.String() == "" {
				t.Fatalf("problem %+v does not stand in a text of %d lines", p, len(lines))
			}
			// One column behind the end is where something is missing.
			most := utf8.RuneCountInString(lines[p.Place.Line-1]) + 1
			if p.Place.Column < 1 || p.Width < 1 || p.Place.Column+p.Width-1 > most {
				t.Errorf("problem %+v does not stand in a line of %d characters", p, most-1)
			}
		}
	})
}

func checkPlaces(t *testing.T, d *Document, at Path, v any) {
	t.Helper()
	p, known := d.at[d.id(at)]
	if len(at) > 0 && !known {
		t.Fatalf("%s has no place", at)
	}
	switch v := v.(type) {
	case map[string]any:
		for key, v := range v {
			checkPlaces(t, d, at.With(key), v)
		}
	case []map[string]any:
		for i, v := range v {
			checkPlaces(t, d, at.Element(i), v)
		}
	case []any:
		for i, v := range v {
			checkPlaces(t, d, at.Element(i), v)
		}
	default:
		text := d.text[p.value.from:p.value.to]
		var again map[string]any
		if err := toml.Unmarshal([]byte("a = "+text), &again); err != nil {
			t.Fatalf("at the place of %s stands %q: %v", at, text, err)
		}
		if got, want := fmt.Sprintf("%T %v", again["a"], again["a"]), fmt.Sprintf("%T %v", v, v); got != want {
			t.Errorf("at the place of %s stands %q, which is %s, not %s", at, text, got, want)
		}
	}
}
