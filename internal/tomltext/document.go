package tomltext

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"routerd/internal/origin"
)

// Document is a TOML text with the places of everything in it, and what has
// been found wrong so far. It serves one goroutine.
type Document struct {
	// Noun is what problems call the text itself: "the configuration".
	Noun string
	// Refuse says why a key that no getter has asked for is refused, or ""
	// for one that is plainly unknown. It may be nil.
	Refuse func(table Path, key string) string

	file     string
	text     string
	lines    []int            // where each line begins
	at       map[string]place // by path
	inline   map[string]bool  // the paths that are inline tables
	root     *Section
	problems []Problem
}

// Parse reads a text; file is its name in problems. Where it is no TOML, the
// Document holds that problem and nothing else, and ok is false.
func Parse(file string, data []byte) (d *Document, ok bool) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	d = newDocument(file, data)
	var values map[string]any
	err := toml.Unmarshal(data, &values)
	if err == nil {
		err = d.locate()
	}
	if err != nil {
		d.problems = nil // of a text that is taken back
		d.syntax(err)
		return d, false
	}
	d.root.Table = values
	return d, true
}

func newDocument(file string, data []byte) *Document {
	d := &Document{
		Noun: "the file", file: file, text: string(data),
		lines: []int{0}, at: map[string]place{}, inline: map[string]bool{},
	}
	d.root = d.Section(nil, nil)
	for i := range len(data) {
		if data[i] == '\n' {
			d.lines = append(d.lines, i+1)
		}
	}
	return d
}

// Root is the table that holds all others.
func (d *Document) Root() *Section { return d.root }

// Section makes a section of a table that a getter gave as a plain value; at
// is its place.
func (d *Document) Section(at Path, table map[string]any) *Section {
	return &Section{At: at, Table: table, doc: d}
}

// Problems gives what has been found so far, sorted by place.
func (d *Document) Problems() []Problem {
	slices.SortStableFunc(d.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Place.Line, b.Place.Line), cmp.Compare(a.Place.Column, b.Place.Column))
	})
	return d.problems
}

// KeyPlace and ValuePlace tell where the key and the value at a path stand, or
// else the nearest table that holds them.
func (d *Document) KeyPlace(at Path) origin.Place { return d.problem(d.where(at).key, "").Place }

// ValuePlace is described at KeyPlace. The value of a table with a header is
// the name in that header.
func (d *Document) ValuePlace(at Path) origin.Place { return d.problem(d.where(at).value, "").Place }

// Wrong reports an error about the value at a path, want being what is wanted
// instead, or "". The Problem may be added to until the next is reported.
func (d *Document) Wrong(at Path, message, want string) *Problem {
	return d.report(d.where(at).value, message, want)
}

// WrongKey reports an error about the key at a path, as Wrong does.
func (d *Document) WrongKey(at Path, message, want string) *Problem {
	return d.report(d.where(at).key, message, want)
}

// Odd reports a warning about the value at a path, as Wrong does.
func (d *Document) Odd(at Path, message, want string) *Problem {
	p := d.Wrong(at, message, want)
	p.Warning = true
	return p
}

func (d *Document) report(s span, message, want string) *Problem {
	p := d.problem(s, message)
	p.Want = want
	d.problems = append(d.problems, p)
	return &d.problems[len(d.problems)-1]
}

// syntax reports what the decoder stumbled over.
func (d *Document) syntax(err error) {
	var pe toml.ParseError
	if !errors.As(err, &pe) {
		d.report(span{0, 0}, err.Error(), "")
		return
	}
	p := d.report(span{pe.Position.Start, pe.Position.Start + max(pe.Position.Len, 1)}, pe.Message,
		"valid TOML; nothing behind this place has been read")
	if key, is := strings.CutPrefix(pe.Message, "Key '"); is {
		if key, is = strings.CutSuffix(key, "' has already been defined."); is {
			p.Message = key + " is given twice"
			p.Want = "each key and table once; nothing behind this place has been read"
		}
	}
}
