package tomltext

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Reading turns one value of the text into a T, or says which values are valid.
// Values have the types of BurntSushi/toml: string, int64, float64, bool, the
// times, map[string]any, []any. The error of Read is a Hint if it has more to
// say than that the value is invalid.
type Reading[T any] struct {
	Read func(v any) (T, error)
	Want string
}

// Hint is an error of a Reading with details: Message continues the sentence
// that names the value, Suggestion is a sentence by itself. Either may be "".
type Hint struct{ Message, Suggestion string }

func (h Hint) Error() string { return h.Message }

// ErrUnwanted is the error of a Reading without details.
var ErrUnwanted error = Hint{}

// Get reads key by how, and returns def if it is absent or invalid.
func Get[T any](s *Section, key string, def T, how Reading[T]) T {
	s.holds(key)
	v, ok := s.Lookup(key)
	if !ok {
		recordAbsent(s, key, def, how)
		return def
	}
	at := s.At.With(key)
	t, ok := Read(s, Item[any]{v, at}, how)
	if !ok {
		return def
	}
	noteDefault(s, key, def, how)
	recordGiven(s, key, Item[T]{t, at})
	return t
}

// List reads key, one value or a list of them, by how. Invalid values are
// reported and left out.
func List[T any](s *Section, key string, how Reading[T]) []Item[T] {
	s.holds(key)
	var out []Item[T]
	for _, v := range s.Elements(key) {
		if t, ok := Read(s, v, how); ok {
			out = append(out, Item[T]{t, v.At})
		}
	}
	if s.Has(key) {
		recordGiven(s, key, out...)
	} else {
		s.recordNone(key)
	}
	return out
}

// Distinct is List without duplicates, which are reported and left out.
func Distinct[T comparable](s *Section, key string, how Reading[T]) []Item[T] {
	seen := map[T]bool{}
	return slices.DeleteFunc(List(s, key, how), func(i Item[T]) bool {
		if seen[i.Value] {
			s.doc.Wrong(i.At, fmt.Sprintf("%s is %v, which the list has already", i.At, i.Value), "each value once")
			return true
		}
		seen[i.Value] = true
		return false
	})
}

// Read reads a plain value of the section by how, or reports it as invalid.
func Read[T any](s *Section, v Item[any], how Reading[T]) (t T, ok bool) {
	t, err := how.Read(v.Value)
	if err == nil {
		return t, true
	}
	message := fmt.Sprintf("%s is %s", v.At, s.doc.show(v.At, v.Value))
	h, _ := err.(Hint)
	if h.Message != "" {
		message += ", " + h.Message
	}
	s.doc.Wrong(v.At, message, how.Want).Suggestion = h.Suggestion
	return t, false
}

// Text reads a string that is not empty.
func Text(want string) Reading[string] {
	return Reading[string]{func(v any) (string, error) {
		s, ok := v.(string)
		if !ok || s == "" {
			return "", ErrUnwanted
		}
		return s, nil
	}, want}
}

// Bool reads true or false.
var Bool = Reading[bool]{func(v any) (bool, error) {
	b, ok := v.(bool)
	if !ok {
		return false, ErrUnwanted
	}
	return b, nil
}, "true or false"}

// Word reads one of the words.
func Word(words ...string) Reading[string] { return OneOf(words, words) }

// OneOf reads one of the words and returns the value that it stands for.
func OneOf[T any](words []string, values []T) Reading[T] {
	return Reading[T]{func(v any) (T, error) {
		var zero T
		s, ok := v.(string)
		if !ok {
			return zero, ErrUnwanted
		}
		if i := slices.Index(words, s); i >= 0 {
			return values[i], nil
		}
		return zero, Hint{Suggestion: Suggest(s, slices.Clone(words))}
	}, "one of " + Quoted(words)}
}

// Quoted returns a list of words in quotes, for messages.
func Quoted(words []string) string {
	q := make([]string, len(words))
	for i, w := range words {
		q[i] = strconv.Quote(w)
	}
	return strings.Join(q, ", ")
}

// Whole reads a whole number from low to high, both included.
func Whole(low, high int) Reading[int] {
	return Reading[int]{func(v any) (int, error) {
		n, ok := v.(int64)
		if !ok || n < int64(low) || n > int64(high) {
			return 0, ErrUnwanted
		}
		return int(n), nil
	}, fmt.Sprintf("a whole number from %d to %d", low, high)}
}

// Duration reads a string like "90s", from low to high, both included.
func Duration(low, high time.Duration) Reading[time.Duration] {
	return Reading[time.Duration]{func(v any) (time.Duration, error) {
		s, ok := v.(string)
		if !ok {
			if n, isNumber := v.(int64); isNumber {
				return 0, Hint{Suggestion: fmt.Sprintf("a duration has a unit: \"%ds\"?", n)}
			}
			return 0, ErrUnwanted
		}
		d, err := time.ParseDuration(s)
		if err != nil || d < low || d > high {
			return 0, ErrUnwanted
		}
		return d, nil
	}, fmt.Sprintf("a duration with its unit, like \"90s\" or \"2h4m\", from %s to %s", low, high)}
}
