package tomltext

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"routerd/internal/origin"
)

// Problem is an error, or with Warning set a warning, at one place of a text.
type Problem struct {
	Place      origin.Place // columns count characters
	Line       string       // the line itself
	Caret      int          // the column in Line; 0 for that of Place
	Width      int          // number of characters underlined, from the column on
	Message    string       // what is wrong
	Want       string       // what would be valid; may be ""
	Suggestion string       // a guess at what was meant; may be ""
	Warning    bool
}

// String returns the problem for a terminal: the place and the message, the
// line, carets below the mistake, and what would be valid.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.Place.File)
	if p.Place.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Place.Line, p.Place.Column)
	}
	kind := "error"
	if p.Warning {
		kind = "warning"
	}
	fmt.Fprintf(&b, ": %s: %s", kind, p.Message)
	if strings.TrimSpace(p.Line) != "" {
		fmt.Fprintf(&b, "\n    %s\n    %s%s", printable(p.Line), indent(p.Line, cmp.Or(p.Caret, p.Place.Column)-1), strings.Repeat("^", max(p.Width, 1)))
	}
	if p.Want != "" {
		fmt.Fprintf(&b, "\n    wanted %s", p.Want)
	}
	if p.Suggestion != "" {
		fmt.Fprintf(&b, "\n    %s", p.Suggestion)
	}
	return b.String()
}

// printable replaces the control characters of a line.
func printable(line string) string {
	return strings.Map(func(c rune) rune {
		if c != '\t' && unicode.IsControl(c) {
			return utf8.RuneError
		}
		return c
	}, line)
}

// indent returns blanks as wide on a terminal as the first n characters of
// line. Tabs stay tabs.
func indent(line string, n int) string {
	var b strings.Builder
	for _, r := range line {
		if n == 0 {
			break
		}
		n--
		if r != '\t' {
			r = ' '
		}
		b.WriteRune(r)
	}
	return b.String()
}

// problem makes an error about a span of the text.
func (d *Document) problem(s span, message string) Problem {
	s.from = min(max(s.from, 0), len(d.text))
	s.to = min(max(s.to, s.from), len(d.text))
	// The decoder counts bytes, and may stop within a character.
	for s.from > 0 && s.from < len(d.text) && !utf8.RuneStart(d.text[s.from]) {
		s.from--
	}
	for s.to < len(d.text) && !utf8.RuneStart(d.text[s.to]) {
		s.to++
	}
	line, found := slices.BinarySearch(d.lines, uint32(s.from))
	if !found {
		line--
	}
	start, end := int(d.lines[line]), len(d.text)
	if line+1 < len(d.lines) {
		end = int(d.lines[line+1]) - 1
	}
	text := strings.TrimRight(d.text[start:end], "\r")
	end = start + len(text)
	p := Problem{
		Place: origin.Place{
			File: d.file, Line: line + 1,
			Column: utf8.RuneCountInString(d.text[start:s.from]) + 1,
		},
		Line:    text,
		Width:   max(utf8.RuneCountInString(d.text[s.from:max(min(s.to, end), s.from)]), 1),
		Message: message,
	}
	if line > 0 {
		if from, is := readFrom(d.text[d.lines[line-1]:start]); is {
			p.Caret, p.Place = p.Place.Column, from
		}
	}
	return p
}
