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
	Right    bool // aligned to the right, as figures are
	Optional bool // left out while every cell is empty
	Wide     bool // left out of a screen that is not wide
}

// Table draws rows aligned, under a header in capitals, without trailing
// blanks. Rows are added and drawn in parts: the first part decides how wide the
// columns are, and a later one that needs more has them wider from there on.
// Where it fills a column that was left out, the header comes again.
type Table struct {
	Columns []Column
	rows    [][]Cell // not drawn yet
	width   []int    // of each column so far
	shown   []int    // the columns that the header has; nil before it is drawn
}

// Add appends a row of strings, cells and other values as fmt prints them; what
// is missing at its end is empty.
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

// Draw draws the rows that were added since the last time and forgets them. The
// first time it draws the header too, above no rows as well.
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
		if text != "" { // blanks wait until something follows them
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

// Width is how many columns of a terminal a text takes: two for most of the
// signs of East Asia, none for accents that combine.
func Width(text string) int {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return uniseg.StringWidth(text)
		}
	}
	return len(text)
}
