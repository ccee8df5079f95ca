package tomltext

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
	"github.com/pelletier/go-toml/v2/unstable"
)

// tableKind says how a table came into being, which decides what may be added
// to it.
type tableKind uint8

const (
	tableImplied tableKind = iota + 1 // by the [header] of a table in it
	tableHeader                       // by a [header] of its own
	tableDotted                       // by a key with dots
	tableInline                       // between braces
)

// mistake is why a text is refused, and where.
type mistake struct {
	at      span
	message string
}

func (m mistake) Error() string { return m.message }

// decoder reads a text in one pass into plain values, and notes where each of
// them stands.
type decoder struct {
	*Document
	parser unstable.Parser
	kinds  map[pathID]tableKind
}

// decode gives the values of the text, in the types that Reading names.
func (d *Document) decode(data []byte) (map[string]any, error) {
	if !utf8.Valid(data) {
		return nil, mistake{span{}, "the text is not UTF-8"}
	}
	c := &decoder{Document: d, kinds: map[pathID]tableKind{}}
	c.parser.Reset(data)
	root := map[string]any{}
	table, id, path := root, d.id(nil), Path(nil)
	for c.parser.NextExpression() {
		e := c.parser.Expression()
		var err error
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table, id, path, err = c.header(e, root)
		case unstable.KeyValue:
			_, err = c.pair(e, table, id, path)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := c.parser.Error(); err != nil {
		var syntax *unstable.ParserError
		if !errors.As(err, &syntax) {
			return nil, err
		}
		return nil, mistake{rangeOf(c.parser.Range(syntax.Highlight)), syntax.Message}
	}
	return root, nil
}

// header makes the table of a [header] or [[header]].
func (c *decoder) header(e *unstable.Node, root map[string]any) (table map[string]any, id pathID, path Path, err error) {
	table, id = root, c.id(nil)
	for it := e.Key(); it.Next(); {
		key, where := c.key(it.Node())
		id, path = c.below(id, key), path.With(key)
		c.note(id, where, where)
		switch v, taken := table[key]; {
		case it.IsLast() && e.Kind == unstable.ArrayTable:
			list, isList := v.([]map[string]any)
			if taken && !isList {
				return nil, id, nil, twice(path, where)
			}
			next := map[string]any{}
			table[key] = append(list, next)
			id, path, table = c.element(id, len(list)), path.Element(len(list)), next
			c.note(id, where, where)
			c.kinds[id] = tableHeader
		case !taken:
			table = c.makeTable(table, key, id, tableImplied)
			if it.IsLast() {
				c.kinds[id] = tableHeader
			}
		case it.IsLast():
			next, isTable := v.(map[string]any)
			if !isTable || c.kinds[id] != tableImplied {
				return nil, id, nil, twice(path, where)
			}
			c.kinds[id], table = tableHeader, next
		default:
			if list, isList := v.([]map[string]any); isList {
				n := len(list) - 1
				id, path, table = c.element(id, n), path.Element(n), list[n]
				c.note(id, where, where)
			} else if table, err = c.enter(v, id, path, where); err != nil {
				return nil, id, nil, err
			}
		}
	}
	return table, id, path, nil
}

func (c *decoder) makeTable(in map[string]any, key string, id pathID, kind tableKind) map[string]any {
	t := map[string]any{}
	in[key] = t
	c.kinds[id] = kind
	return t
}

// enter gives the table that a key on the way leads to.
func (c *decoder) enter(v any, id pathID, path Path, where span) (map[string]any, error) {
	t, isTable := v.(map[string]any)
	switch {
	case !isTable:
		return nil, twice(path, where)
	case c.kinds[id] == tableInline:
		c.report(where, fmt.Sprintf("%s is an inline table, which nothing is added to", path), "all of its keys between its braces")
	}
	return t, nil
}

func twice(path Path, where span) error {
	return mistake{where, fmt.Sprintf("%s is given twice", path)}
}

// pair reads a key and its value into a table, and gives what the pair fills.
func (c *decoder) pair(e *unstable.Node, table map[string]any, id pathID, path Path) (whole span, err error) {
	var where span
	for it := e.Key(); it.Next(); {
		var key string
		key, where = c.key(it.Node())
		id, path = c.below(id, key), path.With(key)
		c.note(id, where, where)
		v, taken := table[key]
		switch {
		case it.IsLast() && taken:
			return span{}, twice(path, where)
		case it.IsLast():
			// The value is what stands between the equals sign and the end of the
			// pair; the parser gives no range to an array.
			whole = rangeOf(e.Raw)
			s := span{where.to, whole.to}
			for s.from < s.to && strings.ContainsRune(" \t=", rune(c.text[s.from])) {
				s.from++
			}
			table[key], _, err = c.value(e.Value(), id, path, where, s)
			return whole, err
		case !taken:
			table = c.makeTable(table, key, id, tableDotted)
		default:
			if table, err = c.enter(v, id, path, where); err != nil {
				return span{}, err
			}
		}
	}
	return whole, nil
}

// value reads the value at id and returns also where it stands: s, or where
// that is empty what its own elements fill.
func (c *decoder) value(n *unstable.Node, id pathID, path Path, key, s span) (v any, _ span, err error) {
	if s.from == s.to {
		s = rangeOf(n.Raw)
	}
	switch n.Kind {
	case unstable.Array:
		list := []any{}
		for it := n.Children(); it.Next(); {
			if it.Node().Kind == unstable.Comment {
				continue
			}
			i := len(list)
			element, where, err := c.value(it.Node(), c.element(id, i), path.Element(i), key, span{})
			if err != nil {
				return nil, s, err
			}
			list, s = append(list, element), join(s, where)
		}
		v = list
	case unstable.InlineTable:
		table := map[string]any{}
		for it := n.Children(); it.Next(); {
			if it.Node().Kind != unstable.KeyValue {
				continue
			}
			where, err := c.pair(it.Node(), table, id, path)
			if err != nil {
				return nil, s, err
			}
			s = join(s, where)
		}
		s.to = c.brace(s.to)
		c.kinds[id] = tableInline
		v = table
	default:
		if v, err = c.plain(n, s); err != nil {
			return nil, s, err
		}
	}
	if s.to == s.from { // an empty array inside another has no place of its own
		s = key
	}
	c.note(id, key, s)
	return v, s, nil
}

// key gives a key and where it stands. It is a part of the text, which whoever
// keeps it for long copies.
func (c *decoder) key(n *unstable.Node) (string, span) {
	where := rangeOf(n.Raw)
	if s := c.text[where.from:where.to]; s == string(n.Data) {
		return s, where
	}
	return string(n.Data), where
}

// plain reads a value that holds no others.
func (c *decoder) plain(n *unstable.Node, s span) (any, error) {
	switch n.Kind {
	case unstable.String:
		return string(n.Data), nil
	case unstable.Bool:
		return n.Data[0] == 't', nil
	case unstable.Integer:
		if len(n.Data) < 19 && decimal(n.Data) {
			return strconv.ParseInt(string(n.Data), 10, 64)
		}
	}
	// The rare forms: 1_000, 0x1f, floats, dates.
	var one struct{ X any }
	if err := toml.Unmarshal(append([]byte("x="), n.Data...), &one); err != nil {
		return nil, mistake{s, err.Error()}
	}
	return one.X, nil
}

// decimal reports whether a number is digits alone, with none before its first.
func decimal(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0 && (b[0] != '0' || len(b) == 1)
}
