package show

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

// Drawn is a row that is drawn differently from its JSON: as the struct that
// the method returns, whose fields have the tags of a row. The struct is always
// of the same type, also for the zero row.
type Drawn interface {
	Drawn(s *Screen) any
}

// Celled is a value that makes its own table cell.
type Celled interface {
	Cell(s *Screen) Cell
}

// The tag show:"NAME,OPTION..." of a field of a row makes it a column called
// NAME. A row is one line, or with lists in it as many lines as the longest
// list. The options:
//
//	right           aligned to the right, like numbers
//	wide            only on a wide screen
//	optional        omitted while it is empty in every row
//	after=NAME      the column follows that one, instead of the field before
//	amount, bytes   a number, shortened unless the screen is wide; aligned to the right
//	seconds         a duration, likewise
//	blank           zero is an empty cell
//	yes=A, no=B     the texts of a bool; "yes" and "" if neither is given
//	good=A|B, bad=C the style of these texts
//	bad             in bad style unless it is zero
//	faint           in faint style
//	none=TEXT       the text of an empty cell, in faint style
//	commas          commas instead of spaces between the elements of a list
//	lines           each element of a list on its own line; for structs, in their own columns
//	inline          the columns of the struct, after its own if it has a NAME
//	inline=wide     these only on a wide screen
//
// A field without a tag that is not a struct is not a column.
const tagName = "show"

// tag is a field's tag.
type tag struct {
	name    string
	options map[string]string
	order   []string // of the options
}

func tagOf(f reflect.StructField, key string) (t tag, given bool) {
	text, given := f.Tag.Lookup(key)
	parts := strings.Split(text, ",")
	t.name, t.options = parts[0], map[string]string{}
	for _, p := range parts[1:] {
		name, value, _ := strings.Cut(p, "=")
		t.options[name] = value
		t.order = append(t.order, name)
	}
	return t, given
}

func (t tag) has(option string) bool {
	_, has := t.options[option]
	return has
}

// source says where a column's cells come from.
type source struct {
	column Column
	path   []int // of the field in the row
	within []int // of the field in an element of the list at path; nil for the element itself
	lines  bool  // path is that of a list with a line for each element
	cell   func(*Screen, reflect.Value) Cell
	after  string
}

// sheet describes how the rows of a type are drawn: the columns, in order.
type sheet []source

var sheets sync.Map // of a reflect.Type

// sheetOf returns the sheet of a row's type, a struct. It panics for an invalid
// tag, which is a programming error.
func sheetOf(t reflect.Type) sheet {
	if s, ok := sheets.Load(t); ok {
		return s.(sheet)
	}
	found := columnsOf(t, nil, false)
	var s sheet
	for _, c := range found {
		if c.after == "" {
			s = append(s, c)
		}
	}
	for _, c := range found {
		if c.after == "" {
			continue
		}
		at := slices.IndexFunc(s, func(o source) bool { return o.column.Name == c.after })
		if at < 0 {
			panic(fmt.Sprintf("show: %s has no column %q for %q to stand behind", t, c.after, c.column.Name))
		}
		s = slices.Insert(s, at+1, c)
	}
	sheets.Store(t, s)
	return s
}

func columnsOf(t reflect.Type, path []int, wide bool) (list sheet) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, given := tagOf(f, tagName)
		if !given {
			continue
		}
		at := append(slices.Clone(path), i)
		switch {
		case tag.has("lines") && f.Type.Elem().Kind() == reflect.Struct && !drawsItself(f.Type.Elem()):
			for _, c := range columnsOf(f.Type.Elem(), nil, wide) {
				c.within, c.path, c.lines = c.path, at, true
				list = append(list, c)
			}
			continue
		case tag.name != "" || !tag.has("inline"):
			list = append(list, columnOf(t, f, tag, at, wide))
		}
		if tag.has("inline") {
			list = append(list, columnsOf(f.Type, at, wide || tag.options["inline"] == "wide")...)
		}
	}
	return list
}

func columnOf(row reflect.Type, f reflect.StructField, tag tag, path []int, wide bool) source {
	value := f.Type
	if tag.has("lines") {
		value = value.Elem()
	}
	for _, o := range tag.order {
		if !slices.Contains(options, o) {
			panic(fmt.Sprintf("show: field %s of %s has the unknown option %q", f.Name, row, o))
		}
	}
	return source{
		column: Column{
			Name: tag.name, Optional: tag.has("optional"), Wide: wide || tag.has("wide"),
			Right: tag.has("right") || tag.has("amount") || tag.has("bytes") || tag.has("seconds"),
		},
		path: path, lines: tag.has("lines"), after: tag.options["after"], cell: cellOf(value, tag),
	}
}

var options = strings.Fields("right wide optional after amount bytes seconds blank yes no good bad faint none commas lines inline")

var (
	cellType   = reflect.TypeFor[Cell]()
	celledType = reflect.TypeFor[Celled]()
	timeType   = reflect.TypeFor[time.Time]()
	stringer   = reflect.TypeFor[fmt.Stringer]()
)

func drawsItself(t reflect.Type) bool {
	return t == cellType || t == timeType || t.Implements(celledType) || t.Implements(stringer)
}

// cellOf returns the function that makes a cell from a value of a type.
func cellOf(t reflect.Type, tag tag) func(*Screen, reflect.Value) Cell {
	text := textOf(t, tag)
	return func(s *Screen, v reflect.Value) Cell {
		c := text(s, v)
		if c.Style != Plain {
			return c
		}
		if tag.has("blank") && v.IsZero() {
			return Cell{}
		}
		bad, judged := tag.options["bad"]
		switch {
		case c.Text == "":
			c = Cell{tag.options["none"], Faint}
		case slices.Contains(strings.Split(tag.options["good"], "|"), c.Text):
			c.Style = Good
		case bad != "" && slices.Contains(strings.Split(bad, "|"), c.Text), judged && bad == "" && !v.IsZero():
			c.Style = Bad
		case tag.has("faint"):
			c.Style = Faint
		}
		return c
	}
}

// textOf returns the function that formats a value of a type.
func textOf(t reflect.Type, tag tag) func(*Screen, reflect.Value) Cell {
	switch {
	case t == cellType:
		return func(_ *Screen, v reflect.Value) Cell { return v.Interface().(Cell) }
	case t.Implements(celledType):
		return func(s *Screen, v reflect.Value) Cell { return v.Interface().(Celled).Cell(s) }
	case tag.has("seconds"):
		return func(s *Screen, v reflect.Value) Cell { return Cell{Text: s.Seconds(v.Float())} }
	case tag.has("amount"), tag.has("bytes"):
		return func(s *Screen, v reflect.Value) Cell {
			n := uint64(0)
			if v.CanUint() {
				n = v.Uint()
			} else {
				n = uint64(v.Int())
			}
			if tag.has("bytes") {
				return Cell{Text: s.Bytes(n)}
			}
			return Cell{Text: s.Amount(n)}
		}
	}
	return func(_ *Screen, v reflect.Value) Cell { return Cell{Text: plainText(v, tag)} }
}

func plainText(v reflect.Value, tag tag) string {
	switch {
	case v.Type() == timeType:
		if v.IsZero() {
			return ""
		}
		return v.Interface().(time.Time).Local().Format(time.RFC3339)
	case v.Kind() == reflect.Bool:
		yes, given := tag.options["yes"]
		switch {
		case !v.Bool():
			return tag.options["no"]
		case !given:
			return "yes"
		}
		return yes
	case v.Kind() == reflect.Slice:
		var list []string
		for i := range v.Len() {
			list = append(list, plainText(v.Index(i), tag))
		}
		if tag.has("commas") {
			return strings.Join(list, ", ")
		}
		return strings.Join(list, " ")
	case v.IsZero() && v.Type().Implements(stringer): // an invalid address
		return ""
	}
	return fmt.Sprint(v.Interface())
}

// columns returns the columns of a table of such rows.
func (s sheet) columns() (list []Column) {
	for _, c := range s {
		list = append(list, c.column)
	}
	return list
}

// add adds the lines of a row, a struct, to a table.
func (s sheet) add(t *Table, screen *Screen, row reflect.Value) {
	height := 1
	for _, c := range s {
		if c.lines {
			height = max(height, row.FieldByIndex(c.path).Len())
		}
	}
	for n := range height {
		line := make([]Cell, len(s))
		for i, c := range s {
			v := row.FieldByIndex(c.path)
			switch {
			case c.lines && n < v.Len():
				if v = v.Index(n); c.within != nil {
					v = v.FieldByIndex(c.within)
				}
			case c.lines || n > 0:
				continue
			}
			line[i] = c.cell(screen, v)
		}
		t.rows = append(t.rows, line)
	}
}

// rowsTable draws rows of a type.
type rowsTable struct {
	Table
	sheet sheet
	drawn bool // by their method Drawn
}

var drawnType = reflect.TypeFor[Drawn]()

// newRowsTable makes the table of rows of type t, a struct.
func newRowsTable(t reflect.Type, s *Screen) *rowsTable {
	r := &rowsTable{drawn: reflect.PointerTo(t).Implements(drawnType)}
	if r.drawn {
		t = reflect.Indirect(reflect.ValueOf(reflect.New(t).Interface().(Drawn).Drawn(s))).Type()
	}
	r.sheet = sheetOf(t)
	r.Columns = r.sheet.columns()
	return r
}

// add adds the rows of a list.
func (r *rowsTable) add(s *Screen, list reflect.Value) {
	for i := range list.Len() {
		row := list.Index(i)
		if r.drawn {
			row = reflect.Indirect(reflect.ValueOf(row.Addr().Interface().(Drawn).Drawn(s)))
		}
		r.sheet.add(&r.Table, s, row)
	}
}

// Rows draws a list of tagged rows as a table.
func Rows[R any](s *Screen, list []R) {
	t := newRowsTable(reflect.TypeFor[R](), s)
	t.add(s, reflect.ValueOf(list))
	t.Draw(s)
}
