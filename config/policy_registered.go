package config

import (
	"fmt"
	"strings"

	"routerd/internal/tomltext"
	"routerd/routing/policy"
)

// registered reads the keys that protocols have added to the match or the set
// of a statement. The compiler checks a value; it is nil for a key that is not
// allowed here.
func registered(s *tomltext.Section, compiler func(policy.Extension) func(any) error) (list []policy.Registered) {
	for _, e := range policy.Extensions() {
		compile := compiler(e)
		if compile == nil {
			continue
		}
		v := tomltext.Get(s, e.Name, nil, tomltext.Reading[any]{Want: e.Want, Read: func(v any) (any, error) {
			if err := compile(v); err != nil {
				return nil, tomltext.Hint{Message: err.Error()}
			}
			return v, nil
		}})
		if v != nil {
			list = append(list, policy.Registered{Name: e.Name, Value: v})
		}
	}
	return list
}

func compileMatch(e policy.Extension) func(any) error {
	if e.Match == nil {
		return nil
	}
	return func(v any) error { _, err := e.Match(v); return err }
}

func compileSet(e policy.Extension) func(any) error {
	if e.Set == nil {
		return nil
	}
	return func(v any) error { _, err := e.Set(v); return err }
}

// decodeRegisteredSets reads the tables of [policy] that have values of registered keys by
// name.
func (r *reader) decodeRegisteredSets(s *tomltext.Section) {
	r.sets = map[string]map[string][]any{}
	for _, e := range policy.Extensions() {
		if e.Sets == "" {
			continue
		}
		table := s.Section(e.Sets)
		all := map[string][]any{}
		for _, name := range table.Names() {
			all[name] = []any{}
			var words []string
			for _, v := range table.Elements(name) {
				reading := tomltext.Reading[any]{Want: e.Want, Read: func(v any) (any, error) {
					if _, err := e.Match(v); err != nil {
						return nil, tomltext.Hint{Message: err.Error()}
					}
					return v, nil
				}}
				if value, ok := tomltext.Read(table, v, reading); ok {
					all[name] = append(all[name], value)
					words = append(words, fmt.Sprint(value))
				}
			}
			table.Record(name, strings.Join(words, " "))
			if len(table.Elements(name)) == 0 {
				at := table.At.With(name)
				r.Wrong(at, fmt.Sprintf("%s is an empty list", at), e.Want)
			}
		}
		r.sets[e.Sets] = all
	}
}

// registeredBySet reads the keys of a match that name such sets. A route has to be in one
// of the sets that a key names.
func (r *reader) registeredBySet(s *tomltext.Section) (list []policy.Registered) {
	for _, e := range policy.Extensions() {
		if e.Sets == "" {
			continue
		}
		var values []any
		for _, v := range tomltext.Distinct(s, e.Sets, tomltext.Text("the name of a set: [policy."+e.Sets+"]")) {
			set, known := r.sets[e.Sets][v.Value]
			if !known {
				r.Wrong(v.At, fmt.Sprintf("%s is %q, and there is no such %s", v.At, v.Value, e.Sets), "a name of [policy."+e.Sets+"]").
					Suggestion = tomltext.Suggest(v.Value, sortedKeys(r.sets[e.Sets]))
			}
			values = append(values, set...)
		}
		if len(values) > 0 {
			list = append(list, policy.Registered{Name: e.Name, Value: values})
		}
	}
	return list
}
