package tomltext

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Each key that no getter asks for is unknown, in each kind of table.
func TestUnknownKeys(t *testing.T) {
	d := parse(t, "nmae = 1\nname = 2\n[t]\nq = 1\nlater = 2\n[[list]]\nx = { y = 1 }\n[others.b]\n[others.a]\n")
	d.Noun = "the house"
	d.Refuse = func(table Path, key string) string {
		if table.Matches("t") && key == "later" {
			return "not yet"
		}
		return ""
	}
	top := d.Root()
	if !top.Has("name") || top.Has("none") {
		t.Error("name is there, and none is not")
	}
	top.Lookup("name")
	table := top.Section("t")
	table.Lookup("name")
	table.Lookup("colour")
	table.Done()
	for _, s := range top.Sections("list") {
		s.Done()
	}
	if got := top.Section("others").Names(); !slices.Equal(got, []string{"b", "a"}) {
		t.Errorf("names %q, want those of the file in its order", got)
	}
	top.Section("absent").Done()
	top.Done()
	want := []string{
		`1:1+4: unknown key "nmae" in the house`,
		`4:1+1: unknown key "q" in t`,
		"5:1+5: not yet",
		`7:1+1: unknown key "x" in list[1]`,
	}
	if diff := cmp.Diff(want, said(d)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if p := d.Problems(); p[0].Suggestion != `did you mean "name"?` || p[0].Want != "" || p[1].Want != "one of colour, name" {
		t.Errorf("problems %v", p)
	}
}

// A value of the wrong type is said once, whatever it stands for.
func TestWrongTypes(t *testing.T) {
	d := parse(t, "table = 1.50\ntables = [{}, 2]\nlist = [[1], {}]\nlong = \"0123456789012345678901234567890123456789x\"\n[[text]]\n[flag]")
	top := d.Root()
	if s := top.Section("table"); s.Table != nil {
		t.Errorf("table is %v", s.Table)
	}
	if s := top.Sections("tables"); s != nil {
		t.Errorf("tables are %v", s)
	}
	List(top, "list", Text("words"))
	Get(top, "long", 0, Whole(0, 1))
	List(top, "text", Text("words"))
	Get(top, "flag", false, Bool)
	top.Done()
	want := []string{
		"1:9+4: table is 1.50",
		"2:10+7: tables is a list",
		"3:10+1: list[1] is a list",
		"3:14+2: list[2] is a table",
		`4:8+43: long is "0123456789012345678901234567890123456789…"`,
		"5:3+4: text[1] is a table",
		"6:2+4: flag is a table",
	}
	if diff := cmp.Diff(want, said(d)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTables(t *testing.T) {
	d := parse(t, "inline = [{ a = 1 }, { a = 2 }]\n[[headers]]\na = 3\n[[headers]]\na = 4")
	var got []int
	for _, key := range []string{"inline", "headers", "absent"} {
		for _, s := range d.Root().Sections(key) {
			got = append(got, Get(s, "a", 0, Whole(1, 9)))
		}
	}
	if !slices.Equal(got, []int{1, 2, 3, 4}) || len(d.Problems()) > 0 {
		t.Errorf("%v, want 1 to 4; %v", got, d.Problems())
	}
}

// One value and a list of one are the same, and what is wrong in a list leaves
// the rest of it.
func TestList(t *testing.T) {
	d := parse(t, `one = "a"`+"\n"+`list = ["a", 7, "b", "a"]`)
	top := d.Root()
	if got := List(top, "one", Text("a word")); len(got) != 1 || got[0].Value != "a" || got[0].At.String() != "one" {
		t.Errorf("one: %v", got)
	}
	var got []string
	for _, i := range Distinct(top, "list", Text("a word")) {
		got = append(got, i.At.String()+" "+i.Value)
	}
	if diff := cmp.Diff([]string{"list[1] a", "list[3] b"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"2:14+1: list[2] is 7", "2:22+3: list[4] is a, which the list has already"}, said(d)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if List(top, "absent", Bool) != nil {
		t.Error("what is absent has elements")
	}
}

// What each reading takes; of what it does not take, the suggestion.
func TestReadings(t *testing.T) {
	for _, tt := range []struct {
		name string
		how  func(s *Section) any
		good map[string]any
		bad  map[string]string
	}{
		{"text", func(s *Section) any { return Get(s, "v", "", Text("words")) }, map[string]any{`"x"`: "x"}, map[string]string{`""`: "", "1": ""}},
		{"bool", func(s *Section) any { return Get(s, "v", false, Bool) }, map[string]any{"true": true, "false": false}, map[string]string{`"true"`: "", "1": ""}},
		{"word", func(s *Section) any { return Get(s, "v", "", Word("off", "strict")) }, map[string]any{`"off"`: "off"}, map[string]string{
			`"stritc"`: `did you mean "strict"?`, `"zzz"`: "", "1": "",
		}},
		{"whole", func(s *Section) any { return Get(s, "v", 0, Whole(2, 5)) }, map[string]any{"2": 2, "5": 5, "0x3": 3}, map[string]string{"1": "", "6": "", "2.0": "", `"2"`: ""}},
		{
			"duration", func(s *Section) any { return Get(s, "v", 0, Duration(time.Second, time.Minute)) },
			map[string]any{`"1s"`: time.Second, `"1m"`: time.Minute},
			map[string]string{`"999ms"`: "", `"61s"`: "", "30": `a duration has a unit: "30s"?`, `"x"`: "", "true": ""},
		},
		{
			"address", func(s *Section) any { return Get(s, "v", netip.Addr{}, Address).String() },
			map[string]any{`"192.0.2.1"`: "192.0.2.1", `"2001:DB8::1"`: "2001:db8::1"},
			map[string]string{`"192.0.2.1/24"`: `without the length: "192.0.2.1"?`, `"::ffff:192.0.2.1"`: "", `"fe80::1%eth0"`: "", `"x"`: "", "1": ""},
		},
		{
			"subnet", func(s *Section) any { return Get(s, "v", netip.Prefix{}, Subnet).String() },
			map[string]any{`"192.0.2.0/24"`: "192.0.2.0/24", `"::/0"`: "::/0"},
			map[string]string{`"192.0.2.1/24"`: `did you mean "192.0.2.0/24"?`, `"192.0.2.1"`: `did you mean "192.0.2.1/32"?`, `"::ffff:192.0.2.0/120"`: "", `"x"`: "", "1": ""},
		},
		{
			"any subnet", func(s *Section) any { return Get(s, "v", netip.Prefix{}, AnySubnet).String() },
			map[string]any{`"::ffff:0.0.0.0/96"`: "::ffff:0.0.0.0/96"},
			map[string]string{`"x"`: ""},
		},
		{
			"interface address", func(s *Section) any { return Get(s, "v", netip.Prefix{}, InterfaceAddress).String() },
			map[string]any{`"192.0.2.1/24"`: "192.0.2.1/24"},
			map[string]string{`"2001:db8::1"`: `did you mean "2001:db8::1/128"?`, `"::ffff:192.0.2.0/120"`: "", `"192.0.2.1/33"`: "", "1": ""},
		},
	} {
		for text, want := range tt.good {
			d := parse(t, "v = "+text)
			if got := tt.how(d.Root()); got != want || len(d.Problems()) > 0 {
				t.Errorf("%s of %s: %v, want %v; %v", tt.name, text, got, want, d.Problems())
			}
		}
		for text, want := range tt.bad {
			d := parse(t, "v = "+text)
			got := tt.how(d.Root())
			if p := d.Problems(); len(p) != 1 || p[0].Suggestion != want || p[0].Want == "" {
				t.Errorf("%s of %s: %v and %v, want it refused, and suggested: %q", tt.name, text, got, p, want)
			}
		}
	}
}
