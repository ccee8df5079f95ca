package tomltext

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Section is one table of the text. Its getters each read one key: they name
// it, so that Done knows which keys there are, and report a value that is not
// what they want.
type Section struct {
	At    Path
	Table map[string]any // nil where the text has none, or no table

	doc   *Document
	known map[string]bool
	// values are the keys that hold one value or several, and no tables.
	values map[string]bool
}

func (s *Section) knows(key string) {
	if s.known == nil {
		s.known = map[string]bool{}
	}
	s.known[key] = true
}

// holds notes a key that is read as a value.
func (s *Section) holds(key string) {
	if s.values == nil {
		s.values = map[string]bool{}
	}
	s.values[key] = true
}

// Item is a value with the place it was read from.
type Item[T any] struct {
	Value T
	At    Path
}

// Section gives the table at key; an absent one is empty.
func (s *Section) Section(key string) *Section {
	sub := s.doc.Section(s.At.With(key), nil)
	v, ok := s.Lookup(key)
	if !ok {
		return sub
	}
	if sub.Table, ok = v.(map[string]any); !ok {
		s.doc.Wrong(sub.At, fmt.Sprintf("%s is %s", sub.At, s.doc.show(sub.At, v)), "a table")
	}
	return sub
}

// Sections gives the tables in the array at key, in order.
func (s *Section) Sections(key string) []*Section {
	v, ok := s.Lookup(key)
	if !ok {
		return nil
	}
	at := s.At.With(key)
	list, ok := tables(v)
	if !ok {
		s.doc.Wrong(at, fmt.Sprintf("%s is %s", at, s.doc.show(at, v)), fmt.Sprintf("tables, each beginning with [[%s]]", at))
		return nil
	}
	var out []*Section
	for i, t := range list {
		out = append(out, s.doc.Section(at.Element(i), t))
	}
	return out
}

// tables gives the elements of an array of tables: the decoder has one type for
// [[headers]] and another for a list of inline tables.
func tables(v any) ([]map[string]any, bool) {
	if list, ok := v.([]map[string]any); ok {
		return list, true
	}
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	out := make([]map[string]any, len(list))
	for i, v := range list {
		if out[i], ok = v.(map[string]any); !ok {
			return nil, false
		}
	}
	return out, true
}

// Names gives the keys of a table whose keys are names, in their order in the
// text.
func (s *Section) Names() []string {
	var names []string
	at := map[string]uint32{}
	for name := range s.Table {
		name = strings.Clone(name) // which does not keep the whole text alive
		names = append(names, name)
		at[name] = s.doc.where(s.At.With(name)).key.from
		s.knows(name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(at[a], at[b]) })
	return names
}

// Lookup gives the plain value of key, and whether the text has it.
func (s *Section) Lookup(key string) (any, bool) {
	s.knows(key)
	v, ok := s.Table[key]
	return v, ok
}

// Has reports whether the text gives the key.
func (s *Section) Has(key string) bool {
	_, ok := s.Table[key]
	return ok
}

// Elements gives the plain values of key, which holds one or a list of them.
func (s *Section) Elements(key string) []Item[any] {
	v, ok := s.Lookup(key)
	if !ok {
		return nil
	}
	at := s.At.With(key)
	var out []Item[any]
	switch v := v.(type) {
	case []any:
		for i, v := range v {
			out = append(out, Item[any]{v, at.Element(i)})
		}
	case []map[string]any:
		for i, v := range v {
			out = append(out, Item[any]{v, at.Element(i)})
		}
	default:
		out = []Item[any]{{v, at}}
	}
	return out
}

// Done reports every key that no getter has asked for.
func (s *Section) Done() {
	for _, key := range slices.Sorted(maps.Keys(s.Table)) {
		if s.known[key] {
			continue
		}
		if s.doc.full() {
			s.doc.WrongKey(s.At, "", "") // and so counted
			continue
		}
		at := s.At.With(key)
		where := s.doc.Noun
		if len(s.At) > 0 {
			where = s.At.String()
		}
		if s.doc.Refuse != nil {
			if why := s.doc.Refuse(s.At, key); why != "" {
				s.doc.WrongKey(at, why, "")
				continue
			}
		}
		message := fmt.Sprintf("unknown key %q in %s", key, where)
		if s != s.doc.root && s.doc.root.values[key] {
			// TOML has no way back out of a table.
			s.doc.WrongKey(at, message+": it belongs above the first [table]", "")
			continue
		}
		p := s.doc.WrongKey(at, message, "")
		known := slices.Sorted(maps.Keys(s.known))
		if p.Suggestion = Suggest(key, known); p.Suggestion == "" {
			p.Want = "one of " + strings.Join(known, ", ")
		}
	}
}

// show is a value as the text has it, shortened.
func (d *Document) show(at Path, v any) string {
	const most = 40 // characters
	switch v := v.(type) {
	case string:
		if long := []rune(v); len(long) > most {
			v = string(long[:most]) + "…"
		}
		return strconv.Quote(v)
	case map[string]any, []map[string]any:
		return "a table"
	case []any:
		return "a list"
	}
	if s, known := d.at[d.id(at)]; known && s.value != s.key {
		return strings.Clone(d.text[s.value.from:s.value.to]) // 1500.0, not 1500
	}
	return fmt.Sprint(v)
}
