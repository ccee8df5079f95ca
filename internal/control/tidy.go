package control

import (
	"reflect"
	"strings"
	"sync"
	"time"
)

// tidy returns an answer that keeps the API's contract: lists are never null and
// times are in UTC. An answer that does already is returned as it is; of another one a
// copy is changed.
func tidy(answer any) any {
	v := reflect.ValueOf(answer)
	if isTidy(v) {
		return answer
	}
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	tidyValue(c)
	return c.Interface()
}

var timeType = reflect.TypeFor[time.Time]()

// part is a field of a struct that has lists or times somewhere.
type part struct {
	at      int
	omitted bool // where it is empty: a list may be nil
}

// parts remembers the parts of each struct, and of other types whether they have
// lists or times.
var parts sync.Map // reflect.Type -> []part; nil for none

// partsOf returns the parts of a type; of one that is no struct, something if its
// values may be untidy. What an interface holds is taken as it is, and so are fields
// that JSON does not see.
func partsOf(t reflect.Type) (list []part) {
	if known, ok := parts.Load(t); ok {
		return known.([]part)
	}
	switch t.Kind() {
	case reflect.Slice:
		list = []part{{}}
	case reflect.Pointer:
		parts.Store(t, []part{{}}) // until more is known: a type may contain itself
		list = partsOf(t.Elem())
	case reflect.Struct:
		if t == timeType {
			list = []part{{}}
			break
		}
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() && partsOf(f.Type) != nil {
				list = append(list, part{i, strings.Contains(f.Tag.Get("json"), ",omit")})
			}
		}
	}
	parts.Store(t, list)
	return list
}

// isTidy reports whether a value has nothing to be changed.
func isTidy(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer:
		return v.IsNil() || partsOf(v.Type()) == nil || isTidy(v.Elem())
	case reflect.Slice:
		if v.IsNil() {
			return false
		}
		if partsOf(v.Type().Elem()) == nil {
			return true
		}
		for i := range v.Len() {
			if !isTidy(v.Index(i)) {
				return false
			}
		}
	case reflect.Struct:
		if v.Type() == timeType {
			return timeOf(v).Location() == time.UTC
		}
		for _, m := range partsOf(v.Type()) {
			if f := v.Field(m.at); !(m.omitted && f.Kind() == reflect.Slice && f.IsNil()) && !isTidy(f) {
				return false
			}
		}
	}
	return true
}

// timeOf returns a time without copying it to the heap, where that is possible.
func timeOf(v reflect.Value) time.Time {
	if v.CanAddr() {
		return *v.Addr().Interface().(*time.Time)
	}
	return v.Interface().(time.Time)
}

// tidyValue makes a value tidy, which may be set.
func tidyValue(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !isTidy(v) {
			c := reflect.New(v.Type().Elem())
			c.Elem().Set(v.Elem())
			tidyValue(c.Elem())
			v.Set(c)
		}
	case reflect.Slice:
		switch {
		case v.IsNil():
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		case !isTidy(v):
			c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
			reflect.Copy(c, v)
			for i := range c.Len() {
				tidyValue(c.Index(i))
			}
			v.Set(c)
		}
	case reflect.Struct:
		if v.Type() == timeType {
			t := v.Addr().Interface().(*time.Time)
			*t = t.UTC()
			return
		}
		for _, m := range partsOf(v.Type()) {
			tidyValue(v.Field(m.at))
		}
	}
}
