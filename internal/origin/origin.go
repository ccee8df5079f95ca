// Package origin numbers the places in the configuration that rules, routes
// and interfaces come from.
//
// Other packages have only the number: with it a route, a rule or an interface
// says which line decided, without knowing files. Only the daemon and cmd turn
// a number back into "file:line".
package origin

import "strconv"

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

// String gives "file:line", and "file" of a file as a whole.
func (p Place) String() string {
	if p.File == "" {
		return "built-in default"
	}
	if p.Line == 0 {
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line)
}

// Table keeps the places of one configuration. The zero Table is ready to
// use. It is written while a configuration is read and only read afterwards;
// it has no lock of its own.
type Table struct {
	places []Place
	file   lines
}

// lines are the lines of a file that has been numbered as a whole.
type lines struct {
	file string
	n    uint32
}

// wholeFile is the ID of a file that is numbered as a whole, and those behind it
// are its lines': a file that stays as it is keeps its numbers when the
// configuration is read again.
const wholeFile ID = 1 << 31

// AddLines numbers a file of n lines, which takes no memory for each. The ID of
// the file is given; that of a line is whole plus its number, counted from 1. A
// table has one such file at most.
func (t *Table) AddLines(file string, n int) (whole ID) {
	t.file = lines{file, uint32(n)}
	return wholeFile
}

// File is the ID of the file as a whole of a line of such a file, for who keeps no
// line for each of many routes; any other ID is its own.
func (id ID) File() ID { return min(id, wholeFile) }

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
	if id >= wholeFile {
		return t.line(uint32(id - wholeFile))
	}
	if int(id) > len(t.places) {
		return Place{}
	}
	return t.places[id-1]
}

func (t *Table) line(n uint32) Place {
	if n > t.file.n {
		return Place{}
	}
	return Place{File: t.file.file, Line: int(n)}
}
