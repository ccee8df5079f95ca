package tomltext

import (
	"fmt"
	"strconv"
	"strings"

	"routerd/internal/origin"
)

// A text that a program wrote out of another one says where each line comes
// from, by a comment before it:
//
//	#line 12:3 lab.toml
//
// Whatever is in the next line then stands in line 12, column 3 of lab.toml, for
// problems and for everybody who asks for places.
const fromMark = "#line "

// From is the comment that says of the line behind it that it comes from a place,
// with the end of its line.
func From(p origin.Place) string {
	return fmt.Sprintf("%s%d:%d %s\n", fromMark, p.Line, p.Column, p.File)
}

// readFrom reads such a comment.
func readFrom(line string) (p origin.Place, is bool) {
	text, is := strings.CutPrefix(strings.TrimRight(line, "\r\n"), fromMark)
	if !is {
		return p, false
	}
	at, file, named := strings.Cut(text, " ")
	number, column, _ := strings.Cut(at, ":")
	p.File = file
	var wrong, odd error
	p.Line, wrong = strconv.Atoi(number)
	p.Column, odd = strconv.Atoi(column)
	return p, named && file != "" && wrong == nil && odd == nil && p.Line > 0 && p.Column > 0
}
