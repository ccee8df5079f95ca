package config

import (
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
	at       map[string]place // by path
	problems []Problem
	origins  origin.Table
}

// span is a range of bytes in the text.
type span struct{ from, to int }

// place is where a key and its value stand. A table's value is its header.
type place struct{ key, value span }

func newReader(file string, data []byte) *reader {
	return &reader{file: file, text: string(data), at: map[string]place{}}
}

// path names a place in the tree: keys, and the index of elements of arrays.
type path []string

func (p path) with(more string) path { return append(p[:len(p):len(p)], more) }
func (p path) element(i int) path    { return p.with(strconv.Itoa(i)) }
func (p path) id() string            { return strings.Join(p, "\x00") }

// String is how people write the path: elements of arrays as [n], counted
// from 1.
func (p path) String() string {
	var b strings.Builder
	for i, k := range p {
		if n, err := strconv.Atoi(k); err == nil && i > 0 {
			b.WriteString("[" + strconv.Itoa(n+1) + "]")
			continue
		}
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(k)
	}
	return b.String()
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
	}
	r.value(p, e.Value(), at, where)
}

// value notes where the value of at stands and returns its span; a container
// reaches from its first element to its last.
func (r *reader) value(p *unstable.Parser, n *unstable.Node, at path, key span) span {
	s := rangeOf(n.Raw)
	switch n.Kind {
	case unstable.Array:
		i := 0
		for it := n.Children(); it.Next(); {
			if it.Node().Kind == unstable.Comment {
				continue
			}
			s = join(s, r.value(p, it.Node(), at.element(i), key))
			i++
		}
	case unstable.InlineTable:
		for it := n.Children(); it.Next(); {
			if it.Node().Kind == unstable.KeyValue {
				r.pair(p, it.Node(), at)
			}
		}
	}
	if s.to == s.from { // an empty array has no place of its own
		s = key
	}
	r.note(at, key, s)
	return s
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

// splitID is the inverse of path.id.
func splitID(id string) path { return strings.Split(id, "\x00") }
