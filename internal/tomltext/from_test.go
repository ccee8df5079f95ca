package tomltext

import (
	"testing"

	"routerd/internal/origin"
)

func TestLinesOfAnotherText(t *testing.T) {
	from := origin.Place{File: "a lab.toml", Line: 31, Column: 5}
	d := parse(t, "a = 1\n"+From(from)+"b = 2\nc = 3\n\n"+From(origin.Place{File: "l", Line: 7, Column: 1})+"[t.u]\n")
	for path, want := range map[string]origin.Place{
		"a": {File: "t", Line: 1, Column: 1}, "b": from, "c": {File: "t", Line: 4, Column: 1},
	} {
		if got := d.KeyPlace(Path{}.With(path)); got != want {
			t.Errorf("%s stands at %+v, want %+v", path, got, want)
		}
	}
	if got := d.ValuePlace(Path{}.With("b")); got != from {
		t.Errorf("the value of b stands at %+v, want %+v", got, from)
	}
	if got := d.KeyPlace(Path{}.With("t").With("u")); got.Line != 7 || got.File != "l" {
		t.Errorf("a table stands at %+v, want line 7 of l", got)
	}
	got := d.Wrong(Path{}.With("b"), "m", "").String()
	if want := "a lab.toml:31:5: error: m\n    b = 2\n        ^"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// What is only like such a comment is a comment like any other.
func TestCommentsThatAreNone(t *testing.T) {
	for _, comment := range []string{"#line", "#line ", "#line 1:1", "#line 1:1 ", "#line 1 f", "#line 0:1 f", "#line 1:-1 f", "#line x:1 f", " #line 1:1 f", "# line 1:1 f", "#line 99999999999999999999:1 f"} {
		d := parse(t, comment+"\nb = 2\n")
		if got := d.KeyPlace(Path{}.With("b")); got.File != "t" || got.Line != 2 {
			t.Errorf("behind %q b stands at %+v", comment, got)
		}
	}
}
