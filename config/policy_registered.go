package config

import (
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
