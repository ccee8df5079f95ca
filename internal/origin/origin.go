// Package origin numbers the places in the configuration that rules, routes
// and interfaces come from.
//
// Other packages have only the number: with it a route, a rule or an interface
// says which line decided, without knowing files. Only the daemon and cmd turn
// a number back into "file:line".
package origin

import "fmt"

// ID names one place in the configuration. The zero ID means that no line of
// any file decided: a default, or something learned from a neighbour.
type ID uint32

// None is the ID of what no configuration line decided.
const None ID = 0

// Place is a position in a configuration file. Line and Column count from 1.
type Place struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column,omitempty"`
}

// String gives "file:line".
func (p Place) String() string {
	if p.File == "" {
		return "built-in default"
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Table keeps the places of one configuration. The zero Table is ready to
// use. It is written while a configuration is read and only read afterwards;
// it has no lock of its own.
type Table struct {
	places []Place
	files  []lines
}

// lines are the lines of a file that has been numbered as a whole.
type lines struct {
	file string
	n    uint32
}

// firstLine is the ID of the first line of the first file that is numbered as
// a whole: a file that stays as it is keeps its numbers when the configuration
// is read again.
const firstLine ID = 1 << 31

// AddLines numbers the first n lines of a file, which takes no memory for each;
// the ID of a line is first plus its number, counted from 0. A table has room for
// 2^31 of them.
func (t *Table) AddLines(file string, n int) (first ID) {
	first = firstLine
	for _, l := range t.files {
		first += ID(l.n)
	}
	t.files = append(t.files, lines{file, uint32(n)})
	return first
}

// Add numbers a place.
func (t *Table) Add(p Place) ID {
	t.places = append(t.places, p)
	return ID(len(t.places))
}

// Place gives the place that id stands for, and the zero Place for None or
// for an ID of another table.
func (t *Table) Place(id ID) Place {
	if t == nil || id == None {
		return Place{}
	}
	if id >= firstLine {
		return t.line(uint32(id - firstLine))
	}
	if int(id) > len(t.places) {
		return Place{}
	}
	return t.places[id-1]
}

func (t *Table) line(n uint32) Place {
	for _, l := range t.files {
		if n < l.n {
			return Place{File: l.file, Line: int(n) + 1}
		}
		n -= l.n
	}
	return Place{}
}
