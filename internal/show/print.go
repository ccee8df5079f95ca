package show

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// Header is an answer that draws something above its rows. Only the first page
// draws it.
type Header interface {
	DrawHead(s *Screen)
}

// Footer is an answer that draws something below its rows. Only the last page
// draws it. If there are no rows it is drawn without the table's header.
type Footer interface {
	DrawFoot(s *Screen, rows int)
}

// Tables prints answers for people.
type Tables struct {
	Screen *Screen
	// Draw, if not nil, draws the answer instead of its rows.
	Draw func(answer any)

	table *rowsTable
	rows  int
	last  any
}

// Page implements Printer.
func (t *Tables) Page(answer any) error {
	if t.Draw != nil {
		return t.print(func() { t.Draw(answer) })
	}
	return t.print(func() {
		v := reflect.ValueOf(answer).Elem()
		l, _ := rowsOf(v.Type())
		list := v.Field(l.at)
		if t.table == nil {
			t.table = newRowsTable(list.Type().Elem(), t.Screen)
			if h, ok := answer.(Header); ok {
				h.DrawHead(t.Screen)
			}
		}
		t.table.add(t.Screen, list)
		if t.rows += list.Len(); t.rows > 0 {
			t.table.Draw(t.Screen)
		}
		list.SetZero()
		t.last = answer
	})
}

// End implements Printer.
func (t *Tables) End(more string) error {
	return t.print(func() {
		foot, ok := t.last.(Footer)
		switch {
		case ok:
			foot.DrawFoot(t.Screen, t.rows)
		case t.table != nil && t.rows == 0:
			t.table.Draw(t.Screen) // the header alone shows that it is empty
		}
		if more != "" {
			fmt.Fprintln(t.Screen, t.Screen.Paint(more, Faint))
		}
	})
}

// print collects what f draws, and writes it at once.
func (t *Tables) print(f func()) error {
	out := t.Screen.Writer
	var text bytes.Buffer
	t.Screen.Writer = &text
	f()
	t.Screen.Writer = out
	_, err := text.WriteTo(out)
	return err
}

// JSON prints pages as one document in the shape of a single answer: the fields
// before the rows are those of the first page, the fields after them those of
// the last.
type JSON struct {
	To io.Writer

	rows int
	last any // nil while all pages were empty
}

// Page implements Printer.
func (j *JSON) Page(answer any) error {
	v := reflect.ValueOf(answer).Elem()
	l, listed := rowsOf(v.Type())
	if !listed {
		return Encode(j.To, answer)
	}
	rows := v.Field(l.at)
	list := rows.Slice(0, rows.Len())
	rows.Set(reflect.MakeSlice(rows.Type(), 0, 0))
	j.last = answer
	var text bytes.Buffer
	e := encoder(&text, "    ")
	for i := range list.Len() {
		switch {
		case j.rows > 0:
			text.WriteString(",\n    ")
		default:
			head, _, err := around(answer)
			if err != nil {
				return err
			}
			text.WriteString(head + "[\n    ")
		}
		j.rows++
		if err := e.Encode(list.Index(i).Interface()); err != nil {
			return err
		}
		text.Truncate(text.Len() - 1) // what follows the row ends its line
	}
	_, err := text.WriteTo(j.To)
	return err
}

// End implements Printer.
func (j *JSON) End(string) error {
	if j.last == nil {
		return nil
	}
	if j.rows == 0 {
		return Encode(j.To, j.last)
	}
	_, tail, err := around(j.last)
	if err != nil {
		return err
	}
	_, err = io.WriteString(j.To, "\n  ]"+tail)
	return err
}

// around returns the document of an answer without rows: the parts before and
// after its empty list.
func around(answer any) (head, tail string, err error) {
	t := reflect.TypeOf(answer).Elem()
	l, _ := rowsOf(t)
	name, _, _ := strings.Cut(t.Field(l.at).Tag.Get("json"), ",")
	var text bytes.Buffer
	if err := Encode(&text, answer); err != nil {
		return "", "", err
	}
	at := fmt.Sprintf("\n  %q: ", name)
	head, tail, found := strings.Cut(text.String(), at+"[]")
	if !found {
		return "", "", fmt.Errorf("printing %s as JSON: it has no list %q", t, name)
	}
	return head + at, tail, nil
}

// Encode writes an answer as an indented JSON document.
func Encode(w io.Writer, answer any) error { return encoder(w, "").Encode(answer) }

func encoder(w io.Writer, prefix string) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent(prefix, "  ")
	return e
}

// Lines prints pages as lines of JSON, each a row, and an answer that is no list as
// one line.
type Lines struct {
	To io.Writer
	// Total is how many rows were printed.
	Total int
}

// Page implements Printer.
func (l *Lines) Page(answer any) error {
	v := reflect.ValueOf(answer).Elem()
	at, listed := rowsOf(v.Type())
	var text bytes.Buffer
	e := json.NewEncoder(&text) // each value ends its line
	e.SetEscapeHTML(false)
	if !listed {
		l.Total++
		if err := e.Encode(answer); err != nil {
			return err
		}
		_, err := text.WriteTo(l.To)
		return err
	}
	rows := v.Field(at.at)
	for i := range rows.Len() {
		if err := e.Encode(rows.Index(i).Interface()); err != nil {
			return err
		}
	}
	l.Total += rows.Len()
	rows.SetZero() // the page is not needed while it is sent
	_, err := text.WriteTo(l.To)
	return err
}

// End implements Printer.
func (l *Lines) End(string) error { return nil }

// Row returns the type of the rows of the noun's answer; listed is false if it is no
// list.
func (n *Noun[H]) Row() (row reflect.Type, listed bool) {
	if n.NewAnswer == nil {
		return nil, false
	}
	t := reflect.TypeOf(n.NewAnswer()).Elem()
	l, listed := rowsOf(t)
	if !listed {
		return nil, false
	}
	return t.Field(l.at).Type.Elem(), true
}
