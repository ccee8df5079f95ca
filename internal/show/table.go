package show

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rivo/uniseg"
)

// Cell is one field of a table.
type Cell struct {
	Text  string
	Style Style
}

// Column is a column of a table.
type Column struct {
	Name     string
	Right    bool // aligned to the right, like numbers
	Optional bool // omitted while every cell is empty
	Wide     bool // omitted unless the screen is wide
}

// Table draws rows in aligned columns under a header in capitals, without
// trailing blanks. Rows are added and drawn in parts: the first part sets the
// widths of the columns, and a later part that needs more widens them from
// there on. If a later part fills a column that was omitted, the header is
// drawn again.
type Table struct {
	Columns []Column
	rows    [][]Cell // not drawn yet
	width   []int    // of each column so far
	shown   []int    // the columns in the header; nil before it is drawn
}

// Add appends a row of strings, cells and other values as fmt prints them.
// Missing fields at the end are empty.
func (t *Table) Add(fields ...any) {
	row := make([]Cell, len(t.Columns))
	for i, f := range fields {
		switch f := f.(type) {
		case Cell:
			row[i] = f
		case string:
			row[i].Text = f
		default:
			row[i].Text = fmt.Sprint(f)
		}
	}
	t.rows = append(t.rows, row)
}

// Draw draws the rows added since the last call and discards them. The first
// call draws the header too, even without rows.
func (t *Table) Draw(s *Screen) {
	if t.shown != nil && len(t.rows) == 0 {
		return
	}
	if t.width == nil {
		t.width = make([]int, len(t.Columns))
	}
	var shown []int
	for i, c := range t.Columns {
		if c.Wide && !s.Wide || c.Optional && t.empty(i) && !slices.Contains(t.shown, i) {
			continue
		}
		shown = append(shown, i)
		t.width[i] = max(t.width[i], Width(c.Name))
		for _, row := range t.rows {
			t.width[i] = max(t.width[i], Width(row[i].Text))
		}
	}
	if t.shown == nil || !slices.Equal(shown, t.shown) {
		header := make([]Cell, len(t.Columns))
		for i, c := range t.Columns {
			header[i] = Cell{strings.ToUpper(c.Name), Bold}
		}
		t.shown = append([]int{}, shown...)
		t.line(s, header)
	}
	for _, row := range t.rows {
		t.line(s, row)
	}
	t.rows = t.rows[:0]
}

func (t *Table) line(s *Screen, row []Cell) {
	var line strings.Builder
	blanks := 0
	for _, i := range t.shown {
		text := row[i].Text
		room := t.width[i] - Width(text)
		if t.Columns[i].Right {
			blanks += room
		}
		if text != "" { // blanks are written only before other text
			line.WriteString(strings.Repeat(" ", blanks) + s.Paint(text, row[i].Style))
			blanks = 0
		}
		if !t.Columns[i].Right {
			blanks += room
		}
		blanks += 2
	}
	fmt.Fprintln(s, line.String())
}

func (t *Table) empty(column int) bool {
	for _, row := range t.rows {
		if row[column].Text != "" {
			return false
		}
	}
	return true
}

// Width returns how many columns of a terminal a text takes: two for most East
// Asian characters, none for combining accents.
func Width(text string) int {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return uniseg.StringWidth(text)
		}
	}
	return len(text)
}
