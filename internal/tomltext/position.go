package tomltext

import (
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// span is a range of bytes in the text.
type span struct{ from, to int }

// place is where a key and its value stand. A table's value is its header.
type place struct{ key, value span }

// locate notes where every key and value stands, in one pass over the text,
// which the decoder has found valid.
func (d *Document) locate() error {
	var p unstable.Parser
	p.Reset([]byte(d.text))
	var table Path
	count := map[string]int{} // elements so far of each array of tables
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = d.header(&p, e, count)
		case unstable.KeyValue:
			d.pair(&p, e, table)
		}
	}
	return p.Error()
}

// header notes a [table] or [[table]] and gives its path, in which an array of
// tables is followed by the index of its latest element.
func (d *Document) header(p *unstable.Parser, e *unstable.Node, count map[string]int) Path {
	var at Path
	for it := e.Key(); it.Next(); {
		where := rangeOf(it.Node().Raw)
		at = at.With(string(it.Node().Data))
		d.note(at, where, where)
		d.extends(at, where, it.IsLast())
		if it.IsLast() && e.Kind == unstable.ArrayTable {
			count[at.id()]++
		}
		if n := count[at.id()]; n > 0 {
			at = at.Element(n - 1)
			d.note(at, where, where)
		}
	}
	return at
}

func (d *Document) pair(p *unstable.Parser, e *unstable.Node, table Path) {
	at := table
	var where span
	for it := e.Key(); it.Next(); {
		where = rangeOf(it.Node().Raw)
		at = at.With(string(it.Node().Data))
		d.note(at, where, where)
		d.extends(at, where, it.IsLast())
	}
	// The value is what stands between the equals sign and the end of the
	// pair; the parser gives no range to an array.
	whole := rangeOf(e.Raw)
	whole.from = where.to
	for whole.from < whole.to && strings.ContainsRune(" \t=", rune(d.text[whole.from])) {
		whole.from++
	}
	d.value(p, e.Value(), at, where, whole)
}

// value notes where the value of at stands and returns its span: s, or where
// that is empty what its own elements fill.
func (d *Document) value(p *unstable.Parser, n *unstable.Node, at Path, key, s span) span {
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
			s = join(s, d.value(p, it.Node(), at.Element(i), key, span{}))
			i++
		}
	case unstable.InlineTable:
		for it := n.Children(); it.Next(); {
			if it.Node().Kind == unstable.KeyValue {
				d.pair(p, it.Node(), at)
				s = join(s, rangeOf(it.Node().Raw))
			}
		}
		s.to = d.brace(s.to)
		d.inline[at.id()] = true
	}
	if s.to == s.from { // an empty array inside another has no place of its own
		s = key
	}
	d.note(at, key, s)
	return s
}

// extends reports a key that leads into an inline table from outside, which
// the decoder lets pass.
func (d *Document) extends(at Path, where span, last bool) {
	if !last && d.inline[at.id()] {
		d.report(where, fmt.Sprintf("%s is an inline table, which nothing is added to", at), "all of its keys between its braces")
	}
}

// brace gives the end of an inline table whose last element ends at from, or
// from where the brace is on a later line: no caret goes there.
func (d *Document) brace(from int) int {
	rest := strings.TrimLeft(d.text[from:], " \t,")
	if strings.HasPrefix(rest, "}") {
		return len(d.text) - len(rest) + 1
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
func (d *Document) note(at Path, key, value span) {
	id := at.id()
	old, seen := d.at[id]
	if !seen {
		d.at[id] = place{key, value}
	} else if old.value == old.key {
		d.at[id] = place{old.key, value}
	}
}

func rangeOf(raw unstable.Range) span {
	return span{int(raw.Offset), int(raw.Offset + raw.Length)}
}

// where gives the place of at, or of the nearest table that holds it.
func (d *Document) where(at Path) place {
	for ; len(at) > 0; at = at[:len(at)-1] {
		if p, ok := d.at[at.id()]; ok {
			return p
		}
	}
	return place{}
}
