package tomltext

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"routerd/internal/origin"
)

// Document is a TOML text with the places of everything in it and the problems
// found so far. Only one goroutine may use it.
type Document struct {
	// Noun is the name of the text in problems: "the configuration".
	Noun string
	// Refuse returns the message for a key that no getter has asked for, or ""
	// for the usual message about an unknown key. It may be nil.
	Refuse func(table Path, key string) string

	file     string
	text     string
	lines    []uint32 // where each line begins
	at       map[pathID]place
	seed     maphash.Seed // of pathID
	root     *Section
	problems []Problem
	// unsaid counts the errors and warnings beyond maxProblems of each.
	said, unsaid [2]int
	spare        Problem
	recorder
}

// maxProblems is how many errors, and how many warnings, are reported for one
// text: more than anyone reads, and few enough to keep in memory.
const maxProblems = 1000

// maxText is the largest text in bytes whose places can be stored.
const maxText = 1 << 30

// Parse reads a text; file is its name in problems. If it is not valid TOML,
// the Document has only that problem, and ok is false.
func Parse(file string, data []byte) (d *Document, ok bool) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if len(data) > maxText {
		d = newDocument(file, nil)
		d.report(span{}, fmt.Sprintf("%d bytes", len(data)), fmt.Sprintf("at most %d", maxText))
		return d, false
	}
	d = newDocument(file, data)
	if s, deep := tooDeep(d.text); deep {
		d.report(s, fmt.Sprintf("tables and lists stand more than %d levels deep in each other here", maxDepth),
			fmt.Sprintf("at most %d; nothing of the text has been read", maxDepth))
		return d, false
	}
	values, err := d.decode(data)
	if err != nil {
		d.problems, d.said = nil, [2]int{} // of a text that is discarded
		d.refuse(data, err)
		return d, false
	}
	d.root.Table = values
	return d, true
}

func newDocument(file string, data []byte) *Document {
	d := &Document{
		Noun: "the file", file: file, text: string(data),
		at: map[pathID]place{}, seed: maphash.MakeSeed(), recorder: newRecorder(),
	}
	d.root = &Section{doc: d, shape: d.shapes[0]}
	d.lines = make([]uint32, 1, bytes.Count(data, []byte("\n"))+1)
	for i := range len(data) {
		if data[i] == '\n' {
			d.lines = append(d.lines, uint32(i+1))
		}
	}
	return d
}

// Root returns the table that contains all others.
func (d *Document) Root() *Section { return d.root }

// Problems returns the problems found so far, sorted by place.
func (d *Document) Problems() []Problem {
	slices.SortStableFunc(d.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Place.Line, b.Place.Line), cmp.Compare(a.Place.Column, b.Place.Column))
	})
	list := d.problems
	for i, n := range d.unsaid {
		if n > 0 {
			more := Problem{Place: origin.Place{File: d.file}, Warning: i == 1, Message: fmt.Sprintf("%d more problems are not listed", n)}
			list = append(list[:len(list):len(list)], more)
		}
	}
	return list
}

// Mistakes is how many errors have been reported so far, without warnings.
func (d *Document) Mistakes() (n int) {
	for _, p := range d.Problems() {
		if !p.Warning {
			n++
		}
	}
	return n
}

// KeyPlace and ValuePlace return the place of the key and of the value at a
// path, or else of the nearest table around them.
func (d *Document) KeyPlace(at Path) origin.Place { return d.problem(d.where(at).key.span(), "").Place }

// ValuePlace is described at KeyPlace. The value of a table with a header is
// the name in that header.
func (d *Document) ValuePlace(at Path) origin.Place {
	return d.problem(d.where(at).value.span(), "").Place
}

// Wrong reports an error about the value at a path; want says what would be
// valid, or is "". The Problem may be changed until the next is reported.
func (d *Document) Wrong(at Path, message, want string) *Problem {
	return d.report(d.where(at).value.span(), message, want)
}

// WrongKey reports an error about the key at a path, as Wrong does.
func (d *Document) WrongKey(at Path, message, want string) *Problem {
	return d.report(d.where(at).key.span(), message, want)
}

// Odd reports a warning about the value at a path, as Wrong does.
func (d *Document) Odd(at Path, message, want string) *Problem {
	return d.add(d.where(at).value.span(), message, want, true)
}

func (d *Document) report(s span, message, want string) *Problem {
	return d.add(s, message, want, false)
}

func (d *Document) add(s span, message, want string, warning bool) *Problem {
	kind := 0
	if warning {
		kind = 1
	}
	if d.said[kind] == maxProblems {
		d.unsaid[kind]++
		return &d.spare
	}
	d.said[kind]++
	p := d.problem(s, message)
	p.Want, p.Warning = want, warning
	d.problems = append(d.problems, p)
	return &d.problems[len(d.problems)-1]
}

// full reports whether the maximum number of errors is reached.
func (d *Document) full() bool { return d.said[0] == maxProblems }

// refuse reports why a text could not be decoded, with the message of
// BurntSushi/toml, or err if that finds no mistake.
func (d *Document) refuse(data []byte, err error) {
	var values map[string]any
	if said := toml.Unmarshal(data, &values); said != nil {
		d.syntax(said)
		return
	}
	var m mistake
	if !errors.As(err, &m) {
		m.message = err.Error()
	}
	d.report(m.at, m.message, "valid TOML; nothing behind this place has been read")
}

// syntax reports a syntax error.
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
