package lab

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// Problem is one mistake in a topology file. Line and Column count from 1;
// without a Line the whole file is meant.
type Problem struct {
	File         string
	Line, Column int
	Source       string // the line itself
	Message      string
}

// Error gives file:line:column, the message, the line, and a caret below it.
func (p Problem) Error() string {
	if p.Line == 0 {
		return p.File + ": " + p.Message
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: %s\n    %s\n    ", p.File, p.Line, p.Column, p.Message, p.Source)
	for i, r := range p.Source {
		if i >= p.Column-1 {
			break
		}
		if r != '\t' {
			r = ' '
		}
		b.WriteRune(r) // a tab stays one, so that the caret stands below its column
	}
	b.WriteByte('^')
	return b.String()
}

// Problems is every mistake of a file.
type Problems []Problem

// Error gives one problem after the other.
func (p Problems) Error() string {
	texts := make([]string, len(p))
	for i := range p {
		texts[i] = p[i].Error()
	}
	return strings.Join(texts, "\n")
}

func (p Problems) sort() {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// keySeparator joins the words of a path; a quoted key may hold a dot.
const keySeparator = "\x00"

type place struct{ line, column int }

// places knows where each key of a file stands. The library that decodes
// gives unknown keys no position and arrays of tables no index, so they come
// from a pass of their own.
type places struct {
	file  string
	lines []string
	at    map[string]place
	leaf  []string // paths of what is a value or an empty table, in the file's order
}

func newPlaces(file string, data []byte) *places {
	p := &places{file: file, lines: strings.Split(string(data), "\n"), at: map[string]place{}}
	var parser unstable.Parser
	parser.Reset(data)
	var table []string
	count := map[string]int{}
	for parser.NextExpression() {
		e := parser.Expression()
		switch e.Kind {
		case unstable.Table:
			table = p.header(&parser, e, count, false)
		case unstable.ArrayTable:
			table = p.header(&parser, e, count, true)
		case unstable.KeyValue:
			p.pair(&parser, e, table)
		}
	}
	return p
}

// header notes a [table] or [[table]] and gives its path: an array of tables
// that it leads through is followed by the index of its latest element.
func (p *places) header(parser *unstable.Parser, e *unstable.Node, count map[string]int, array bool) []string {
	var path []string
	for it := e.Key(); it.Next(); {
		key := it.Node()
		path = append(path, string(key.Data))
		name := strings.Join(path, keySeparator)
		if n := count[name]; array && it.IsLast() {
			count[name] = n + 1
			path = append(path, strconv.Itoa(n))
		} else if n > 0 {
			path = append(path, strconv.Itoa(n-1))
		}
		p.note(parser, path, key)
	}
	p.leaf = append(p.leaf, strings.Join(path, keySeparator))
	return path
}

func (p *places) pair(parser *unstable.Parser, e *unstable.Node, table []string) {
	path := slices.Clone(table)
	for it := e.Key(); it.Next(); {
		path = append(path, string(it.Node().Data))
		p.note(parser, path, it.Node())
	}
	p.value(parser, e.Value(), path)
}

func (p *places) value(parser *unstable.Parser, v *unstable.Node, path []string) {
	switch v.Kind {
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			p.pair(parser, it.Node(), path)
		}
	case unstable.Array:
		i := 0
		for it := v.Children(); it.Next(); i++ {
			element := append(slices.Clone(path), strconv.Itoa(i))
			p.note(parser, element, it.Node())
			p.value(parser, it.Node(), element)
		}
	default:
		p.leaf = append(p.leaf, strings.Join(path, keySeparator))
	}
}

func (p *places) note(parser *unstable.Parser, path []string, n *unstable.Node) {
	name := strings.Join(path, keySeparator)
	if _, known := p.at[name]; known || n.Raw.Length == 0 {
		return
	}
	start := parser.Shape(n.Raw).Start
	p.at[name] = place{start.Line, start.Column}
}

// of gives the place of a path, or of the nearest thing around it.
func (p *places) of(path ...any) place {
	words := make([]string, len(path))
	for i := range path {
		words[i] = fmt.Sprint(path[i])
	}
	for n := len(words); n > 0; n-- {
		if at, ok := p.at[strings.Join(words[:n], keySeparator)]; ok {
			return at
		}
	}
	return place{}
}

func (p *places) problem(at place, message string) Problem {
	problem := Problem{File: p.file, Line: at.line, Column: at.column, Message: message}
	if at.line > 0 && at.line <= len(p.lines) {
		problem.Source = string(bytes.TrimRight([]byte(p.lines[at.line-1]), "\r"))
	}
	return problem
}
