package tomltext

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// readHouse reads a text as a program would: keys at the top, named tables with
// parts and with tables that are there or not, arrays with names and without,
// and a table of named values.
func readHouse(t interface{ Fatal(...any) }, text string) *Recording {
	d, ok := Parse("h.toml", []byte(text))
	if !ok {
		t.Fatal(d.Problems())
	}
	top := d.Root()
	Get(top, "name", "house", Text("a name"))
	rooms := top.Section("room")
	for _, name := range rooms.Names() {
		r := rooms.Section(name)
		update := Get(r, "update", 30*time.Second, Duration(time.Second, time.Hour))
		Get(r, "flush", 4*update, Duration(time.Second, time.Hour))
		Get(r, "quiet", false, Bool)
		Distinct(r, "doors", Text("a door"))
		window := r.Section("window")
		Get(window, "panes", 2, Whole(0, 9))
		window.Done()
		heat := r.Optional("heat")
		Get(heat, "degrees", 20, Whole(5, 30))
		heat.Done()
		r.Done()
	}
	for _, r := range top.Sections("rule") {
		r.Name(Get(r, "name", "", Text("a name")), "name")
		Get(r, "does", "nothing", Word("nothing", "something"))
		r.Done()
	}
	signs := top.Section("sign")
	for _, name := range signs.Names() {
		Get(signs, name, "", Text("words"))
	}
	top.Done()
	if list := d.Problems(); len(list) > 0 {
		t.Fatal(list)
	}
	return d.Recording()
}

// listed is a recording in lines, each with the place.
func listed(r *Recording) []string {
	var out []string
	for i := range r.objects {
		p := r.place(i, 0, 0)
		out = append(out, fmt.Sprintf("%s (%s) %d:%d", r.path(i), r.shapes[r.objects[i].shape].pattern, p.Line, p.Column))
		r.values(i, func(v value) {
			line := fmt.Sprintf("  %s = %s", v.key.name, v.text)
			if v.given() {
				line += fmt.Sprintf(" %d:%d", v.rec.line, v.rec.column)
			}
			out = append(out, line)
		})
	}
	return out
}

// Of each key that is asked for: its value in effect, and where the text says
// so; what it does not say has the default that applied there.
func TestRecording(t *testing.T) {
	r := readHouse(t, `room.hall = { update = "10s", doors = ["a", "b"] }
[[rule]]
name = "first"
does = "something"
[[rule]]
[room.attic]
flush = "2m"
window.panes = 0
[room.attic.heat]
[sign]
"to.hall" = "left"
`)
	want := []string{
		" () 0:0",
		"  name = house",
		"room.hall (room.*) 1:6",
		"  update = 10s 1:15", "  flush = 40s", "  quiet = false", "  doors = a b 1:31", "  window.panes = 2",
		"room.attic (room.*) 6:7",
		"  update = 30s", "  flush = 2m0s 7:1", "  quiet = false", "  doors = ", "  window.panes = 0 8:8",
		"room.attic.heat (room.*.heat) 9:13",
		"  degrees = 20",
		"rule.first (rule) 3:1",
		"  name =  3:1", "  does = something 4:1",
		"rule[2] (rule) 5:3",
		"  name = ", "  does = nothing",
		"sign.to.hall (sign.*) 11:1",
		"   = left 11:1",
	}
	if d := cmp.Diff(want, listed(r)); d != "" {
		t.Errorf("recorded (-want +got):\n%s", d)
	}
	var keys []string
	for _, k := range r.Keys() {
		keys = append(keys, fmt.Sprintf("%s %v", k.Pattern, k.Table))
	}
	if d := cmp.Diff([]string{
		"name false", "room true", "room.* true", "room.*.doors false", "room.*.flush false", "room.*.heat true", "room.*.heat.degrees false",
		"room.*.quiet false", "room.*.update false", "room.*.window true", "room.*.window.panes false", "rule true", "rule.does false", "rule.name false", "sign true", "sign.* false",
	}, keys); d != "" {
		t.Errorf("keys (-want +got):\n%s", d)
	}
}

// changes are those from one text to another, in lines.
func changes(t interface{ Fatal(...any) }, old, new string) []string {
	var out []string
	for _, d := range Compare(readHouse(t, old), readHouse(t, new), "rule") {
		out = append(out, fmt.Sprintf("%s %s %q -> %q %d", d.Kind, d.Path, d.Old, d.New, d.Place.Line))
	}
	return out
}

func TestCompare(t *testing.T) {
	const two = "[[rule]]\nname = \"a\"\n[[rule]]\nname = \"b\"\n"
	for _, tt := range []struct {
		name, old, new string
		want           []string
	}{
		{"the same at another place", "room.a.quiet = true\n" + two, "\n\n" + two + "[room.a]\nquiet = true", nil},
		{"a default that is said", "[room.a]", "[room.a]\nupdate = \"30s\"\nquiet = false", nil},
		{"the same value in other words", "[room.a]\nupdate = \"60s\"\nwindow.panes = 3", "[room.a]\nupdate = \"1m\"\nwindow = { panes = 0x3 }", []string{}},
		{"a key, and a default that follows", "[room.a]\nflush = \"1m\"", "[room.a]\nupdate = \"20s\"", []string{
			`changed room.a.flush "1m0s" -> "1m20s" 2`, `changed room.a.update "30s" -> "20s" 2`,
		}},
		{"nothing in words", "[room.a]", "[room.a]\nquiet = true\ndoors = \"x\"\nwindow.panes = 0", []string{
			`changed room.a.doors "" -> "x" 3`, `changed room.a.quiet "false" -> "true" 2`, `changed room.a.window.panes "2" -> "0" 4`,
		}},
		{"a table that is there or not", "[room.a]", "[room.a.heat]", []string{`added room.a.heat "" -> "degrees 20" 1`}},
		{"a name, with what stands in it", "[room.a]\nquiet = true\n[room.a.heat]", "[room.b]\nquiet = true\n[room.b.heat]", []string{
			`removed room.a "flush 2m0s, quiet true, update 30s, window.panes 2" -> "" 1`, `removed room.a.heat "degrees 20" -> "" 3`,
			`added room.b "" -> "flush 2m0s, quiet true, update 30s, window.panes 2" 1`, `added room.b.heat "" -> "degrees 20" 3`,
		}},
		{"an element among others", two, "[[rule]]\nname = \"c\"\ndoes = \"something\"\n" + two, []string{`added rule.c "" -> "does something" 2`}},
		{"another order", two + "[[rule]]", "[[rule]]\nname = \"b\"\n[[rule]]\nname = \"a\"\n[[rule]]", []string{`moved rule "a b" -> "b a" 2`}},
		{"a name with dots, and a table in a table", "[room.a]\n[room.a.heat]\n[room.\"a.heat\"]", "[room.a]\n[room.a.heat]\ndegrees = 9\n[room.\"a.heat\"]\nquiet = true", []string{
			`changed room.a.heat.degrees "20" -> "9" 3`, `changed room.a.heat.quiet "false" -> "true" 5`,
		}},
		{"names like numbers", "[[rule]]\nname = \"[2]\"\n[[rule]]", "[[rule]]\nname = \"[2]\"\ndoes = \"something\"\n[[rule]]\ndoes = \"something\"", []string{
			`changed rule[1].does "nothing" -> "something" 3`, `changed rule[2].does "nothing" -> "something" 5`,
		}},
		{"a named value", "[sign]\n\"x.y\" = \"left\"\nz = \"up\"", "[sign]\n\"x.y\" = \"right\"", []string{`changed sign.x.y "left" -> "right" 2`, `removed sign.z "up" -> "" 3`}},
	} {
		got := changes(t, tt.old, tt.new)
		if len(tt.want) == 0 && len(got) == 0 {
			continue
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

// house is a text with the values that it comes to, by their paths.
type house struct {
	text   string
	values map[string]string
}

func drawHouse(t *rapid.T, label string) house {
	h := house{values: map[string]string{"name": "house"}}
	var b strings.Builder
	if rapid.Bool().Draw(t, label+"named") {
		h.values["name"] = "x"
		b.WriteString("name = \"x\"\n")
	}
	name := rapid.SampledFrom([]string{"a", "b", "c", "d"})
	for _, n := range rapid.SliceOfNDistinct(name, 0, 4, rapid.ID[string]).Draw(t, label+"rooms") {
		fmt.Fprintf(&b, "[room.%s]\n", n)
		panes, quiet := rapid.IntRange(0, 3).Draw(t, label+"panes"), rapid.Bool().Draw(t, label+"quiet")
		at := "room." + n
		h.values[at] = "there"
		h.values[at+".quiet"], h.values[at+".window.panes"] = fmt.Sprint(quiet), fmt.Sprint(panes)
		if quiet || rapid.Bool().Draw(t, label+"said") {
			fmt.Fprintf(&b, "quiet = %v\n", quiet)
		}
		if panes != 2 || rapid.Bool().Draw(t, label+"said") {
			fmt.Fprintf(&b, "window.panes = %d\n", panes)
		}
		if rapid.Bool().Draw(t, label+"heat") {
			degrees := rapid.IntRange(19, 21).Draw(t, label+"degrees")
			h.values[at+".heat"], h.values[at+".heat.degrees"] = "there", fmt.Sprint(degrees)
			fmt.Fprintf(&b, "[room.%s.heat]\ndegrees = %d\n", n, degrees)
		}
	}
	for _, n := range rapid.SliceOfNDistinct(name, 0, 4, rapid.ID[string]).Draw(t, label+"rules") {
		does := rapid.SampledFrom([]string{"nothing", "something"}).Draw(t, label+"does")
		h.values["rule."+n], h.values["rule."+n+".does"] = "there", does
		fmt.Fprintf(&b, "[[rule]]\nname = %q\ndoes = %q\n", n, does)
	}
	h.text = b.String()
	return h
}

// model gives the differences of two houses, by the plainest means: all values
// by their paths, where what a table that comes or goes has in it is no
// difference of its own.
func model(old, new house) []string {
	whole := func(h house, path string) bool {
		for at := path; ; {
			i := strings.LastIndexByte(at, '.')
			if i < 0 {
				return false
			}
			if at = at[:i]; h.values[at] == "there" {
				return true
			}
		}
	}
	within := func(h house, path string) bool { // in a table that the other has not
		for at := path; ; {
			i := strings.LastIndexByte(at, '.')
			if i < 0 {
				return false
			}
			at = at[:i]
			if _, stays := h.values[at]; stays {
				return false
			}
			if strings.Count(at, ".") == 1 || strings.HasSuffix(at, ".heat") {
				return true
			}
		}
	}
	var out []string
	for path, text := range old.values {
		now, stays := new.values[path]
		switch {
		case text == "there" && !stays:
			out = append(out, "removed "+path)
		case text != "there" && stays && now != text:
			out = append(out, "changed "+path+" "+text+" "+now)
		case text != "there" && !stays && !within(new, path) && whole(old, path):
			out = append(out, "lost "+path)
		}
	}
	for path, text := range new.values {
		if _, known := old.values[path]; !known && text == "there" {
			out = append(out, "added "+path)
		}
	}
	slices.Sort(out)
	return out
}

func TestCompareAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old, new := drawHouse(t, "old "), drawHouse(t, "new ")
		if rapid.Bool().Draw(t, "alike") { // but for one thing at most
			new = old
			if i := strings.Index(old.text, "quiet = true\n"); i >= 0 && rapid.Bool().Draw(t, "less quiet") {
				new = house{old.text[:i] + "quiet = false\n" + old.text[i+len("quiet = true\n"):], maps.Clone(old.values)}
				from := strings.LastIndex(old.text[:i], "[room.")
				new.values["room."+old.text[from+len("[room."):][:1]+".quiet"] = "false"
			}
		}
		var got []string
		for _, d := range Compare(readHouse(t, old.text), readHouse(t, new.text)) {
			line := d.Kind + " " + d.Path
			if d.Kind == "changed" {
				line += " " + d.Old + " " + d.New
			}
			got = append(got, line)
		}
		slices.Sort(got)
		if d := cmp.Diff(model(old, new), got); d != "" {
			t.Fatalf("from\n%sto\n%s(-model +got):\n%s", old.text, new.text, d)
		}
	})
}
