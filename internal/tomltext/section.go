package tomltext

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Section is one table of the text. Each of its getters reads one key: it names
// the key, so that Done knows which keys exist, and reports an invalid value.
type Section struct {
	At    Path
	Table map[string]any // nil if the text has none, or something else than a table

	doc   *Document
	known map[string]bool
	// values are the keys that hold one value or several, and no tables.
	values map[string]bool

	// The object for which the getters' values are recorded, -1 for none: the
	// table itself, or the one that it is a part of, at a path that prefix
	// ends.
	object int
	shape  *shape
	prefix string
	// named: the keys are names, and each of the tables or values is an object.
	named   bool
	members map[string]int // the objects of those that are values
	base    string         // before the name of the element of an array
	id      pathID         // of At, once it has been asked for
	hasID   bool
}

func (s *Section) knows(key string) {
	if s.known == nil {
		s.known = map[string]bool{}
	}
	s.known[key] = true
}

// holds notes that a key is read as a value.
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

// Section returns the table at key; an absent one is empty. It counts as a part
// of the table around it, unless the keys of that are names.
func (s *Section) Section(key string) *Section {
	sub := s.table(key)
	if s.named {
		s.enterNamed(sub, key)
		return sub
	}
	sub.object, sub.shape, sub.prefix = s.object, s.shape, s.prefix+key+"."
	_, k := s.shape.key(s.prefix + key)
	k.table = true
	return sub
}

// Optional is Section for a table whose presence has a meaning, so that it is
// added and removed as a whole.
func (s *Section) Optional(key string) *Section {
	sub := s.table(key)
	s.enter(sub, s.doc.child(s.shape, s.prefix+key, false), "")
	if sub.object >= 0 {
		s.doc.stands(sub.object, s.doc.KeyPlace(sub.At))
	}
	return sub
}

func (s *Section) enterNamed(sub *Section, name string) {
	s.enter(sub, s.doc.child(s.shape, strings.TrimSuffix(s.prefix, "."), true), name)
	if sub.object >= 0 {
		s.doc.stands(sub.object, s.doc.KeyPlace(sub.At))
	}
}

// table returns the table at key, and reports a value that is not a table.
func (s *Section) table(key string) *Section {
	sub := &Section{At: s.At.With(key), doc: s.doc, object: -1}
	v, ok := s.Lookup(key)
	if !ok {
		return sub
	}
	if sub.Table, ok = v.(map[string]any); !ok {
		s.doc.Wrong(sub.At, fmt.Sprintf("%s is %s", sub.At, s.doc.show(sub.At, v)), "a table")
	}
	return sub
}

// Inner returns the table that is the value of key, or one of its values. Its
// content is recorded with the key, by Record.
func (s *Section) Inner(key string, v Item[any]) (inner *Section, isTable bool) {
	table, isTable := v.Value.(map[string]any)
	relative := s.prefix + key
	if s.named {
		relative = strings.TrimSuffix(s.prefix, ".")
	}
	return &Section{At: v.At, Table: table, doc: s.doc, object: -1, shape: s.doc.child(s.shape, relative, s.named)}, isTable
}

// Sections returns the tables in the array at key, in order. Each is identified
// by its number until Name gives it a name.
func (s *Section) Sections(key string) []*Section {
	relative, base := s.prefix+key, ""
	if s.named {
		relative, base = strings.TrimSuffix(s.prefix, "."), key
	}
	of := s.doc.child(s.shape, relative, s.named)
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
		sub := &Section{At: at.Element(i), Table: t, doc: s.doc, base: base}
		s.enter(sub, of, base+"["+strconv.Itoa(i+1)+"]")
		out = append(out, sub)
	}
	return out
}

// Name gives an element of an array a name that identifies it, however many
// elements before it come and go, and says which key has the name: that key is
// not recorded as a value. A name that looks like an element's number is
// ignored.
func (s *Section) Name(name, key string) {
	if s.object < 0 || name == "" || strings.HasPrefix(name, "[") {
		return
	}
	s.doc.names[s.object] = dotted(s.base, name)
	at := s.placeOf(key)
	s.doc.stands(s.object, at)
	_, _, number := s.slot(key)
	s.doc.put(s.object, number, isGiven, at, "")
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

// Names returns the keys of a table whose keys are names, in their order in the
// text.
func (s *Section) Names() []string {
	s.named = true
	var names []string
	at := map[string]uint32{}
	for name := range s.Table {
		name = strings.Clone(name) // a copy does not keep the whole text alive
		names = append(names, name)
		at[name] = s.doc.where(s.At.With(name)).key.from
		s.knows(name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(at[a], at[b]) })
	return names
}

// NamesOf returns those of the names that the table has, in the given order.
// The table must have no other keys.
func (s *Section) NamesOf(names ...string) []string {
	s.named = true
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		_, has := s.Lookup(name)
		return !has
	})
}

// Lookup returns the plain value of key, and whether the text has it.
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

// Elements returns the plain values of key, which has one value or a list.
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
	if s.object > 0 && s.doc.objects[s.object].line == 0 {
		s.doc.stands(s.object, s.doc.KeyPlace(s.At))
	}
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
			// In TOML a key after a [table] belongs to that table.
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

// show returns a value as written in the text, shortened.
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
