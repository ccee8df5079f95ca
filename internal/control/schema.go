package control

import (
	"encoding"
	"encoding/json"
	"path"
	"reflect"
	"regexp"
	"strings"
	"time"

	"routerd/internal/access"
)

// schemas are the JSON schemas of named types, by name. They say what encoding/json
// makes of a value that tidy has tidied.
type schemas object

// of returns the schema of a type; a reference if it is a struct with a name.
func (s schemas) of(t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[access.Role]():
		return object{"type": "string", "enum": append([]string{access.Nobody.String()}, access.RoleNames()...)}
	case t == reflect.TypeFor[json.RawMessage](), t.Kind() == reflect.Interface:
		return object{} // anything
	case t.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return object{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return object{"type": "integer", "minimum": 0}
	case reflect.Pointer:
		return object{"nullable": true, "allOf": []object{s.of(t.Elem())}}
	case reflect.Slice, reflect.Array:
		if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 {
			return object{"type": "string", "format": "byte"}
		}
		return object{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		return s.named(t)
	}
	panic("there is no JSON of the type " + t.String()) // a test asks for the whole document
}

// unfit are the characters that the name of a schema cannot have.
var unfit = regexp.MustCompile(`[^a-zA-Z0-9._-]+`)

// named returns a reference to the schema of a struct, or the schema of one without
// a name.
func (s schemas) named(t reflect.Type) object {
	if t.Name() == "" {
		return s.structure(t)
	}
	name := unfit.ReplaceAllString(t.Name(), "_")
	if room := path.Base(t.PkgPath()); room != "control" {
		name = room + "." + name
	}
	if _, known := s[name]; !known {
		s[name] = object{} // it may refer to itself
		s[name] = s.structure(t)
	}
	return object{"$ref": "#/components/schemas/" + name}
}

// structure returns the schema of a struct.
func (s schemas) structure(t reflect.Type) object {
	properties, required := object{}, []string{}
	s.fields(t, properties, &required)
	o := object{"type": "object", "properties": properties}
	if len(required) > 0 {
		o["required"] = required
	}
	return o
}

// fields adds the fields of a struct as encoding/json finds them: those of an embedded
// struct without a name count as its own.
func (s schemas) fields(t reflect.Type, properties object, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case name == "-" && options == "":
		case f.Anonymous && name == "" && inner.Kind() == reflect.Struct:
			s.fields(inner, properties, required)
		case !f.IsExported():
		default:
			if name == "" {
				name = f.Name
			}
			absent := strings.Contains(options, "omit")
			if f.Type.Kind() == reflect.Pointer && absent {
				properties[name] = s.of(inner)
			} else {
				properties[name] = s.of(f.Type)
			}
			if !absent {
				*required = append(*required, name)
			}
		}
	}
}
