package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// section is one table of the file. Its getters each read one key: they name
// it, so that done knows which keys there are, and report a value that is not
// what they want.
type section struct {
	r     *reader
	at    path
	table map[string]any
	known []string
}

// item is a value with the place it was read from.
type item[T any] struct {
	value T
	at    path
}

// section gives the table at key; an absent one is empty.
func (s *section) section(key string) *section {
	sub := &section{r: s.r, at: s.at.with(key)}
	v, ok := s.lookup(key)
	if !ok {
		return sub
	}
	if sub.table, ok = v.(map[string]any); !ok {
		s.r.wrong(sub.at, fmt.Sprintf("%s is %s", sub.at, s.r.show(sub.at, v)), "a table")
	}
	return sub
}

// sections gives the tables in the array at key, in order.
func (s *section) sections(key string) []*section {
	v, ok := s.lookup(key)
	if !ok {
		return nil
	}
	at := s.at.with(key)
	list, ok := tables(v)
	if !ok {
		s.r.wrong(at, fmt.Sprintf("%s is %s", at, s.r.show(at, v)), fmt.Sprintf("tables, each beginning with [[%s]]", at))
		return nil
	}
	var out []*section
	for i, t := range list {
		out = append(out, &section{r: s.r, at: at.element(i), table: t})
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

// names gives the keys of a table whose keys are names, in their order in the
// file.
func (s *section) names() []string {
	var names []string
	for name := range s.table {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return s.r.where(s.at.with(a)).key.from - s.r.where(s.at.with(b)).key.from
	})
	s.known = append(s.known, names...)
	return names
}

func (s *section) lookup(key string) (any, bool) {
	s.known = append(s.known, key)
	v, ok := s.table[key]
	return v, ok
}

// has reports whether the file gives the key.
func (s *section) has(key string) bool {
	_, ok := s.table[key]
	return ok
}

// done reports every key that no getter has asked for.
func (s *section) done() {
	for key := range s.table {
		if slices.Contains(s.known, key) {
			continue
		}
		at := s.at.with(key)
		where := "the configuration"
		if len(s.at) > 0 {
			where = s.at.String()
		}
		p := s.r.problem(s.r.where(at).key, fmt.Sprintf("unknown key %q in %s", key, where))
		if isUnbuilt(s.at, key) {
			p.Message = fmt.Sprintf("%s is not built into this version of routerd", at)
		} else if p.Suggestion = suggest(key, s.known); p.Suggestion == "" {
			p.Want = "one of " + strings.Join(slices.Sorted(slices.Values(s.known)), ", ")
		}
		s.r.problems = append(s.r.problems, p)
	}
}

// reading turns one value of the file into a T, or says what is wanted.
type reading[T any] struct {
	read func(v any) (T, error)
	want string
}

// get reads key by how, or gives def where it is absent or wrong.
func get[T any](s *section, key string, def T, how reading[T]) T {
	v, ok := s.lookup(key)
	if !ok {
		return def
	}
	at := s.at.with(key)
	t, err := how.read(v)
	if err != nil {
		s.complain(at, v, err, how.want)
		return def
	}
	return t
}

// list reads key, one value or a list of them, by how; what is wrong is left
// out.
func list[T any](s *section, key string, how reading[T]) []item[T] {
	v, ok := s.lookup(key)
	if !ok {
		return nil
	}
	at := s.at.with(key)
	values, isList := v.([]any)
	if tables, ok := v.([]map[string]any); ok {
		for _, t := range tables {
			values = append(values, t)
		}
		isList = true
	}
	if !isList {
		values = []any{v}
	}
	var out []item[T]
	for i, v := range values {
		where := at
		if isList {
			where = at.element(i)
		}
		t, err := how.read(v)
		if err != nil {
			s.complain(where, v, err, how.want)
			continue
		}
		out = append(out, item[T]{t, where})
	}
	return out
}

// once leaves out what a list has already, and reports it.
func once[T comparable](r *reader, items []item[T]) []item[T] {
	seen := map[T]bool{}
	return slices.DeleteFunc(items, func(i item[T]) bool {
		if seen[i.value] {
			r.wrong(i.at, fmt.Sprintf("%s is %v, which the list has already", i.at, i.value), "each value once")
			return true
		}
		seen[i.value] = true
		return false
	})
}

// hint is an error of a reading that has a better idea.
type hint struct{ message, suggestion string }

func (h hint) Error() string { return h.message }

func (s *section) complain(at path, v any, err error, want string) {
	message := fmt.Sprintf("%s is %s", at, s.r.show(at, v))
	h, isHint := err.(hint)
	if isHint && h.message != "" {
		message += ", " + h.message
	}
	s.r.wrong(at, message, want).Suggestion = h.suggestion
}

// show is a value as the file has it, shortened.
func (r *reader) show(at path, v any) string {
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
	if s, known := r.at[at.id()]; known && s.value != s.key {
		return r.text[s.value.from:s.value.to] // 1500.0, not 1500
	}
	return fmt.Sprint(v)
}

var errOther = hint{}

func text(want string) reading[string] {
	return reading[string]{func(v any) (string, error) {
		s, ok := v.(string)
		if !ok || s == "" {
			return "", errOther
		}
		return s, nil
	}, want}
}

// oneOf reads one of the words, which stand for values.
func oneOf[T any](words []string, values []T) reading[T] {
	return reading[T]{func(v any) (T, error) {
		var zero T
		s, ok := v.(string)
		if !ok {
			return zero, errOther
		}
		if i := slices.Index(words, s); i >= 0 {
			return values[i], nil
		}
		return zero, hint{suggestion: suggest(s, slices.Clone(words))}
	}, "one of " + quoted(words)}
}

func quoted(words []string) string {
	q := make([]string, len(words))
	for i, w := range words {
		q[i] = strconv.Quote(w)
	}
	return strings.Join(q, ", ")
}

func whole(low, high int) reading[int] {
	return reading[int]{func(v any) (int, error) {
		n, ok := v.(int64)
		if !ok || n < int64(low) || n > int64(high) {
			return 0, errOther
		}
		return int(n), nil
	}, fmt.Sprintf("a whole number from %d to %d", low, high)}
}

func duration(low, high time.Duration) reading[time.Duration] {
	return reading[time.Duration]{func(v any) (time.Duration, error) {
		s, ok := v.(string)
		if !ok {
			if n, isNumber := v.(int64); isNumber {
				return 0, hint{suggestion: fmt.Sprintf("a duration has a unit: \"%ds\"?", n)}
			}
			return 0, errOther
		}
		d, err := time.ParseDuration(s)
		if err != nil || d < low || d > high {
			return 0, errOther
		}
		return d, nil
	}, fmt.Sprintf("a duration with its unit, like \"90s\" or \"2h4m\", from %s to %s", low, high)}
}

var address = reading[netip.Addr]{func(v any) (netip.Addr, error) {
	s, ok := v.(string)
	if !ok {
		return netip.Addr{}, errOther
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		if p, err := netip.ParsePrefix(s); err == nil {
			return netip.Addr{}, hint{suggestion: fmt.Sprintf("without the length: %q?", p.Addr())}
		}
		return netip.Addr{}, errOther
	}
	if a.Zone() != "" || a.Is4In6() {
		return netip.Addr{}, errOther
	}
	return a, nil
}, `an IPv4 or IPv6 address, like "192.0.2.1" or "2001:db8::1"`}

// subnet reads a prefix without host bits.
var subnet = reading[netip.Prefix]{func(v any) (netip.Prefix, error) {
	p, err := anySubnet.read(v)
	if err == nil && p.Addr().Is4In6() {
		return p, errOther
	}
	return p, err
}, anySubnet.want}

// anySubnet reads a prefix that may also be of IPv4-mapped addresses, which
// are for nothing but to be refused.
var anySubnet = reading[netip.Prefix]{func(v any) (netip.Prefix, error) {
	p, err := readPrefix(v)
	if err != nil {
		return p, err
	}
	if m := p.Masked(); m != p {
		return p, hint{"which has bits set behind its length", fmt.Sprintf("did you mean %q?", m)}
	}
	return p, nil
}, `a prefix, like "192.0.2.0/24" or "2001:db8::/32"`}

// interfaceAddress reads an address with the length of its subnet.
var interfaceAddress = reading[netip.Prefix]{func(v any) (netip.Prefix, error) {
	p, err := readPrefix(v)
	if err == nil && p.Addr().Is4In6() {
		return p, errOther
	}
	return p, err
}, `an address with the length of its subnet, like "192.0.2.1/24" or "2001:db8::1/64"`}

func readPrefix(v any) (netip.Prefix, error) {
	s, ok := v.(string)
	if !ok {
		return netip.Prefix{}, errOther
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		if a, err := netip.ParseAddr(s); err == nil {
			return netip.Prefix{}, hint{"which has no length", fmt.Sprintf("did you mean \"%s/%d\"?", a, a.BitLen())}
		}
		return netip.Prefix{}, errOther
	}
	return p, nil
}
