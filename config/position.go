package config

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"routerd/internal/origin"
)

// reader is the text of a configuration with the places of everything in it,
// and what has been found wrong so far.
type reader struct {
	file     string
	text     string
	lines    []int            // where each line begins
	at       map[string]place // by path
	inline   map[string]bool  // the paths that are inline tables
	problems []Problem
	origins  origin.Table
}

// span is a range of bytes in the text.
type span struct{ from, to int }

// place is where a key and its value stand. A table's value is its header.
type place struct{ key, value span }

func newReader(file string, data []byte) *reader {
	r := &reader{file: file, text: string(data), lines: []int{0}, at: map[string]place{}, inline: map[string]bool{}}
	for i := range len(data) {
		if data[i] == '\n' {
			r.lines = append(r.lines, i+1)
		}
	}
	return r
}

// path names a place in the tree.
type path []step

// step leads from a table to one of its keys, or from an array to one of its
// elements.
type step struct {
	key   string
	index int // of an element, counted from 1; 0 for a key
}

func (p path) with(key string) path { return append(p[:len(p):len(p)], step{key: key}) }

// element leads to the element of an array at index i, counted from 0.
func (p path) element(i int) path { return append(p[:len(p):len(p)], step{index: i + 1}) }

// id is the path as the key of a map: no two paths share one.
func (p path) id() string {
	var b []byte
	for _, s := range p {
		if s.index > 0 {
			b = strconv.AppendInt(append(b, '['), int64(s.index), 10)
			continue
		}
		b = strconv.AppendInt(append(b, '.'), int64(len(s.key)), 10)
		b = append(append(b, ':'), s.key...)
	}
	return string(b)
}

// String is how people write the path: elements of arrays as [n], counted
// from 1, and keys in quotes where the file needs them.
func (p path) String() string {
	var b strings.Builder
	for i, s := range p {
		switch {
		case s.index > 0:
			fmt.Fprintf(&b, "[%d]", s.index)
			continue
		case i > 0:
			b.WriteByte('.')
		}
		if isBare(s.key) {
			b.WriteString(s.key)
		} else {
			b.WriteString(strconv.Quote(s.key))
		}
	}
	return b.String()
}

// isBare reports whether TOML lets a key stand without quotes.
func isBare(key string) bool {
	return key != "" && strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// locate notes where every key and value stands, in one pass over the text,
// which the decoder has found valid.
func (r *reader) locate() error {
	var p unstable.Parser
	p.Reset([]byte(r.text))
	var table path
	count := map[string]int{} // elements so far of each array of tables
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = r.header(&p, e, count)
		case unstable.KeyValue:
			r.pair(&p, e, table)
		}
	}
	return p.Error()
}

// header notes a [table] or [[table]] and gives its path, in which an array of
// tables is followed by the index of its latest element.
func (r *reader) header(p *unstable.Parser, e *unstable.Node, count map[string]int) path {
	var at path
	for it := e.Key(); it.Next(); {
		where := rangeOf(it.Node().Raw)
		at = at.with(string(it.Node().Data))
		r.note(at, where, where)
		r.extends(at, where, it.IsLast())
		if it.IsLast() && e.Kind == unstable.ArrayTable {
			count[at.id()]++
		}
		if n := count[at.id()]; n > 0 {
			at = at.element(n - 1)
			r.note(at, where, where)
		}
	}
	return at
}

func (r *reader) pair(p *unstable.Parser, e *unstable.Node, table path) {
	at := table
	var where span
	for it := e.Key(); it.Next(); {
		where = rangeOf(it.Node().Raw)
		at = at.with(string(it.Node().Data))
		r.note(at, where, where)
		r.extends(at, where, it.IsLast())
	}
	// The value is what stands between the equals sign and the end of the
	// pair; the parser gives no range to an array.
	whole := rangeOf(e.Raw)
	whole.from = where.to
	for whole.from < whole.to && strings.ContainsRune(" \t=", rune(r.text[whole.from])) {
		whole.from++
	}
	r.value(p, e.Value(), at, where, whole)
}

// value notes where the value of at stands and returns its span: s, or where
// that is empty what its own elements fill.
func (r *reader) value(p *unstable.Parser, n *unstable.Node, at path, key, s span) span {
	if s.from == s.to {
		s = rangeOf(n.Raw)
	}
	switch n.Kind {
	case unstable.Array:
		i := 0
		for it := n.Children(); it.Next(); {
			if it.Node().Kind == unstable.Comment {
				continue
			}
			s = join(s, r.value(p, it.Node(), at.element(i), key, span{}))
			i++
		}
	case unstable.InlineTable:
		for it := n.Children(); it.Next(); {
			if it.Node().Kind == unstable.KeyValue {
				r.pair(p, it.Node(), at)
				s = join(s, rangeOf(it.Node().Raw))
			}
		}
		s.to = r.brace(s.to)
		r.inline[at.id()] = true
	}
	if s.to == s.from { // an empty array inside another has no place of its own
		s = key
	}
	r.note(at, key, s)
	return s
}

// extends reports a key that leads into an inline table from outside, which
// the decoder lets pass.
func (r *reader) extends(at path, where span, last bool) {
	if !last && r.inline[at.id()] {
		p := r.problem(where, fmt.Sprintf("%s is an inline table, which nothing is added to", at))
		p.Want = "all of its keys between its braces"
		r.problems = append(r.problems, p)
	}
}

// brace gives the end of an inline table whose last element ends at from, or
// from where the brace is on a later line: no caret goes there.
func (r *reader) brace(from int) int {
	rest := strings.TrimLeft(r.text[from:], " \t,")
	if strings.HasPrefix(rest, "}") {
		return len(r.text) - len(rest) + 1
	}
	return from
}

func join(a, b span) span {
	if a.from == a.to {
		return b
	}
	return span{min(a.from, b.from), max(a.to, b.to)}
}

// note keeps the first place of a key: a table may be opened again.
func (r *reader) note(at path, key, value span) {
	id := at.id()
	old, seen := r.at[id]
	if !seen {
		r.at[id] = place{key, value}
	} else if old.value == old.key {
		r.at[id] = place{old.key, value}
	}
}

func rangeOf(raw unstable.Range) span {
	return span{int(raw.Offset), int(raw.Offset + raw.Length)}
}

// where gives the place of at, or of the nearest table that holds it.
func (r *reader) where(at path) place {
	for ; len(at) > 0; at = at[:len(at)-1] {
		if p, ok := r.at[at.id()]; ok {
			return p
		}
	}
	return place{}
}

// origin numbers the place of a key.
func (r *reader) origin(at path) origin.ID {
	return r.origins.Add(r.problem(r.where(at).key, "").Place)
}

// valueOrigin numbers the place of a value, for what has no key of its own.
func (r *reader) valueOrigin(at path) origin.ID { return r.origins.Add(r.valuePlace(at)) }

func (r *reader) valuePlace(at path) origin.Place { return r.problem(r.where(at).value, "").Place }

// wrong reports an error about the value at a path.
func (r *reader) wrong(at path, message, want string) *Problem {
	p := r.problem(r.where(at).value, message)
	p.Want = want
	r.problems = append(r.problems, p)
	return &r.problems[len(r.problems)-1]
}

// odd reports a warning about the value at a path.
func (r *reader) odd(at path, message, want string) {
	r.wrong(at, message, want).Warning = true
}
