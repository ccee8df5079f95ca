package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"routerd/deploy"
	"routerd/internal/tomltext"
)

// Reference has what the shipped example says about each key and table of the
// configuration.
type Reference struct {
	topics []*Topic // sorted by name
	named  map[string]*Topic
	tables []*Topic // those with a header, in the order of the example
}

// Topic is a key or a table.
type Topic struct {
	Name    string // "rip.interface.NAME.passive"
	Table   bool   // it is a table or an array of tables
	Default string // the default; "" if there is none or it varies
	Shown   []Shown
	Below   []*Topic // the keys of a table
	Like    string   // another table with the same keys; "" for none
}

// Shown is a place of the example that has a topic.
type Shown struct {
	In      string   // the header of its table; "" above all tables
	Comment []string // the comment above it, without the marks
	Line    string
}

var (
	// commented matches a key or table that the example shows as a comment.
	commented = regexp.MustCompile(`(?m)^# ([a-z.-]+ = |\[)`)
	header    = regexp.MustCompile(`^\[{1,2}((?:[A-Za-z0-9_.-]|"[^"]*")+)\]{1,2}`)
	alike     = regexp.MustCompile(`keys are those of \[([A-Za-z0-9.-]+)\]`)
)

// LoadReference reads the shipped example, the first time that it is called. All callers
// share what it returns and change nothing of it.
func LoadReference() (*Reference, error) { return loaded() }

var loaded = sync.OnceValues(func() (*Reference, error) { return readReference(deploy.Example) })

func readReference(text string) (*Reference, error) {
	active := commented.ReplaceAllString(text, "$1")
	c, problems := Parse("routerd.toml", []byte(active))
	for _, p := range problems {
		if !p.Warning {
			return nil, fmt.Errorf("reading the example: %s", p)
		}
	}
	r := &Reference{named: map[string]*Topic{}}
	for _, k := range c.recording.Keys() {
		t := &Topic{Name: display(k.Pattern), Table: k.Table, Default: k.Default}
		r.topics = append(r.topics, t)
		r.named[t.Name] = t
	}
	e := example{lines: strings.Split(text, "\n"), active: strings.Split(active, "\n")}
	r.readHeaders(&e)
	c.recording.Given(func(pattern string, line int) { r.named[display(pattern)].stands(&e, line-1) })
	r.spread()
	return r, nil
}

// words are those of a path, of which one with dots in it stands in quotes.
func words(path string) (list []string) {
	for quoted, part := range strings.Split(path, `"`) {
		switch part = strings.Trim(part, "."); {
		case quoted%2 == 1:
			list = append(list, part)
		case part != "":
			list = append(list, strings.Split(part, ".")...)
		}
	}
	return list
}

// display returns a pattern for people.
func display(pattern string) string { return strings.ReplaceAll(pattern, "*", "NAME") }

// example is the text by lines: as it is, and with the keys that are comments
// made active.
type example struct{ lines, active []string }

// above returns the comment above a line.
func (e *example) above(n int) []string {
	first := n
	for first > 0 && strings.HasPrefix(e.active[first-1], "#") {
		first--
	}
	var out []string
	for _, l := range e.lines[first:n] {
		out = append(out, strings.TrimPrefix(strings.TrimPrefix(l, "#"), " "))
	}
	return out
}

// within returns the header of the table that has a line.
func (e *example) within(n int) string {
	for ; n >= 0; n-- {
		if h := header.FindString(e.active[n]); h != "" {
			return h
		}
	}
	return ""
}

func (t *Topic) stands(e *example, n int) {
	s := Shown{Comment: e.above(n), Line: e.lines[n]}
	if s.In = e.within(n); header.MatchString(e.active[n]) {
		s.In = ""
	}
	if !slices.ContainsFunc(t.Shown, func(o Shown) bool { return o.Line == s.Line && o.In == s.In }) {
		t.Shown = append(t.Shown, s)
	}
}

// readHeaders finds the tables by their headers.
func (r *Reference) readHeaders(e *example) {
	for n, line := range e.active {
		m := header.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		t := r.match(words(m[1]))
		if t == nil {
			continue
		}
		if t.stands(e, n); !slices.Contains(r.tables, t) {
			r.tables = append(r.tables, t)
		}
		if m := alike.FindStringSubmatch(strings.Join(e.above(n), " ")); m != nil {
			t.Like = m[1]
		}
	}
}

// between makes a space of what else may stand before a key in a value.
var between = strings.NewReplacer("{", " ", ",", " ")

// spread copies what the example says about a table to keys that have no line
// of their own: those in a value, and those of a table like another one.
func (r *Reference) spread() {
	for _, t := range r.topics {
		if up := parent(t.Name); r.named[up] != nil {
			r.named[up].Below = append(r.named[up].Below, t)
		}
		set := " " + last(t.Name) + " = "
		for up := parent(t.Name); up != "" && len(t.Shown) == 0; up = parent(up) {
			if r.named[up] == nil {
				continue
			}
			for _, s := range r.named[up].Shown {
				if strings.Contains(between.Replace(s.Line), set) {
					t.Shown = append(t.Shown, s)
				}
			}
		}
	}
	for _, t := range r.topics {
		for _, below := range r.topics { // a table without a header of its own
			if t.Table && strings.HasPrefix(below.Name, t.Name+".") && len(t.Shown) == 0 {
				t.Shown = below.Shown
			}
		}
	}
	for _, t := range r.topics {
		for up := parent(t.Name); up != "" && len(t.Shown) == 0; up = parent(up) {
			if a := r.named[up]; a != nil && a.Like != "" {
				if other := r.named[a.Like+strings.TrimPrefix(t.Name, up)]; other != nil {
					t.Shown, t.Like = other.Shown, other.Name
				}
			}
		}
	}
}

func parent(name string) string {
	return name[:max(strings.LastIndexByte(name, '.'), 0)]
}

func last(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// match finds the topic of a path, in which any word may be a name.
func (r *Reference) match(path []string) *Topic {
	// A key beside names, as local in [acl], comes before what stands for a name.
	if t := r.named[strings.Join(path, ".")]; t != nil {
		return t
	}
	for _, t := range r.topics {
		if slices.EqualFunc(strings.Split(t.Name, "."), path, stands) {
			return t
		}
	}
	return nil
}

// Names returns all keys and tables, sorted.
func (r *Reference) Names() []string {
	names := make([]string, len(r.topics))
	for i, t := range r.topics {
		names[i] = t.Name
	}
	return names
}

// Tables returns the tables with a header in the example, in its order.
func (r *Reference) Tables() []*Topic { return r.tables }

// Complete returns the names that begin with what has been typed, up to the
// next dot, so that a shell lists one level at a time. What stands for a name
// stays as typed.
func (r *Reference) Complete(begun string) []string {
	typed := strings.Split(begun, ".")
	above, word := typed[:len(typed)-1], typed[len(typed)-1]
	var out []string
	for _, t := range r.topics {
		words := strings.Split(t.Name, ".")
		if len(words) < len(typed) || !slices.EqualFunc(words[:len(above)], above, stands) || !strings.HasPrefix(words[len(above)], word) {
			continue
		}
		name := strings.Join(append(slices.Clone(above), words[len(above)]), ".")
		if len(words) > len(typed) {
			name += "."
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// stands reports whether a word of a topic's name may be given so.
func stands(word, given string) bool { return word == "NAME" || word == given }

// Above returns the keys above the first table.
func (r *Reference) Above() []*Topic {
	var list []*Topic
	for _, t := range r.topics {
		if !t.Table && !strings.Contains(t.Name, ".") {
			list = append(list, t)
		}
	}
	return list
}

// Says returns the first sentence that the example says about the topic.
func (t *Topic) Says() string {
	for _, s := range t.Shown {
		if text := s.says(t); text != "" {
			return text
		}
	}
	return ""
}

var (
	// ofKey matches the beginning of a comment about one of the keys in a
	// value: "netns: ".
	ofKey    = regexp.MustCompile(`^([a-z-]+): `)
	sentence = regexp.MustCompile(`^(.*?[^.])\.( |$)`)
)

// says returns the first sentence of the comment after a line, or else of the
// last paragraph above it; for a key in a value, that about the key.
func (s *Shown) says(t *Topic) string {
	_, text, behind := strings.Cut(strings.TrimPrefix(s.Line, "# "), " # ")
	word := last(strings.TrimSuffix(t.Name, ".NAME"))
	var general, own []string
	of, apart := "", false
	for _, l := range s.Comment {
		m := ofKey.FindStringSubmatch(l)
		switch {
		case m != nil:
			of, l, apart = m[1], strings.TrimPrefix(l, m[0]), true
		case l == "":
			of, general = "", nil
			continue
		}
		switch of {
		case "":
			general = append(general, l)
		case word:
			own = append(own, l)
		}
	}
	switch {
	case len(own) > 0:
		text = strings.Join(own, " ")
	case apart && !t.Table && !strings.HasPrefix(strings.TrimPrefix(s.Line, "# "), word+" = "):
		return "" // a key in a value, whose keys are explained one by one
	case !behind, t.Table && len(general) > 0:
		text = strings.Join(general, " ")
	}
	if m := sentence.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return strings.TrimSuffix(strings.TrimSpace(text), ":")
}

// Explained reports whether the example has a comment about the topic there.
func (s *Shown) Explained(t *Topic) bool { return s.says(t) != "" }

// Find returns the topic of a key or table, written as in a file, in a problem
// or in Names. The error suggests what may have been meant.
func (r *Reference) Find(key string) (*Topic, error) {
	word := regexp.MustCompile(`\[\d*\]`).ReplaceAllString(strings.Trim(key, "[] "), "")
	if t := r.match(words(word)); t != nil {
		return t, nil
	}
	var ends []string
	for _, t := range r.topics {
		if last(t.Name) == last(word) {
			ends = append(ends, t.Name)
		}
	}
	if len(ends) > 0 {
		return nil, fmt.Errorf("the configuration has no key %q; did you mean %s?", key, strings.Join(ends, " or "))
	}
	if s := tomltext.Suggest(word, r.Names()); s != "" {
		return nil, fmt.Errorf("the configuration has no key %q; %s", key, s)
	}
	return nil, fmt.Errorf("the configuration has no key %q; routerd help config lists its tables", key)
}
