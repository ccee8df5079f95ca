package control

import (
	"reflect"
	"time"
)

// tidy returns a copy of an answer that keeps the API's contract: lists are
// never null and times are in UTC.
func tidy(answer any) any {
	v := reflect.ValueOf(answer)
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	tidyValue(c)
	return c.Interface()
}

func tidyValue(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			c := reflect.New(v.Type().Elem())
			c.Elem().Set(v.Elem())
			tidyValue(c.Elem())
			v.Set(c)
		}
	case reflect.Slice:
		c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(c, v)
		for i := range c.Len() {
			tidyValue(c.Index(i))
		}
		v.Set(c)
	case reflect.Struct:
		if t, ok := v.Interface().(time.Time); ok {
			v.Set(reflect.ValueOf(t.UTC()))
			return
		}
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				tidyValue(f)
			}
		}
	}
}
