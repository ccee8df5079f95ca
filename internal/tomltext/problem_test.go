package tomltext

import (
	"testing"

	"routerd/internal/origin"
)

func TestProblemString(t *testing.T) {
	at := func(line, column int) origin.Place { return origin.Place{File: "t", Line: line, Column: column} }
	for _, tt := range []struct {
		name    string
		problem Problem
		want    string
	}{
		{"all there is", Problem{
			Place: at(3, 5), Line: "a = 12", Width: 2, Message: "a is 12", Want: "less", Suggestion: "did you mean 11?",
		}, "t:3:5: error: a is 12\n    a = 12\n        ^^\n    wanted less\n    did you mean 11?"},
		{"a warning", Problem{Place: at(3, 1), Line: "a", Message: "odd", Warning: true}, "t:3:1: warning: odd\n    a\n    ^"},
		{"of the file", Problem{Place: origin.Place{File: "t"}, Message: "odd"}, "t: error: odd"},
		{"at an empty line", Problem{Place: at(1, 1), Line: " ", Width: 1, Message: "empty"}, "t:1:1: error: empty"},
		{"tabs stay tabs", Problem{Place: at(1, 4), Line: "\tä\tb", Width: 1, Message: "m"}, "t:1:4: error: m\n    \tä\tb\n    \t \t^"},
		{"what a terminal would obey", Problem{Place: at(1, 2), Line: "\x1b[31m\x07", Width: 1, Message: "m"}, "t:1:2: error: m\n    \uFFFD[31m\uFFFD\n     ^"},
	} {
		if got := tt.problem.String(); got != tt.want {
			t.Errorf("%s:\n%s\nwant:\n%s", tt.name, got, tt.want)
		}
	}
}

// A value of several lines is shown by the first of them.
func TestProblemOfSeveralLines(t *testing.T) {
	d := parse(t, "a = [1,\r\n  2]\r\n")
	got := d.Wrong(Path{}.With("a"), "m", "").String()
	if want := "t:1:5: error: m\n    a = [1,\n        ^^^"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// The decoder may stop within a character, which stands in one column.
func TestProblemWithinACharacter(t *testing.T) {
	d, ok := Parse("t", []byte("a = 'é㭿"))
	if ok || len(d.Problems()) != 1 {
		t.Fatalf("ok %v, problems %v, want one", ok, d.Problems())
	}
	if p := d.Problems()[0]; p.Place.Column != 7 || p.Width != 1 {
		t.Errorf("column %d, width %d of %q, want the 7th and one wide", p.Place.Column, p.Width, p.Line)
	}
}
