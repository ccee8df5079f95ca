package show

import "reflect"

// StyleOf returns the style that a column of a row has in a table: how good or bad the
// value is. It is Plain if there is no such column. The row is a struct with tags.
func StyleOf(row any, column string) Style {
	s := &Screen{}
	v := reflect.Indirect(reflect.ValueOf(row))
	at := reflect.New(v.Type())
	at.Elem().Set(v)
	if d, ok := at.Interface().(Drawn); ok {
		v = reflect.Indirect(reflect.ValueOf(d.Drawn(s)))
	}
	for _, c := range sheetOf(v.Type()) {
		if c.column.Name == column && !c.lines {
			return c.cell(s, v.FieldByIndex(c.path)).Style
		}
	}
	return Plain
}
