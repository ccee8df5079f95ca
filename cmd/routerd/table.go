package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// paper is what answers are drawn on.
type paper struct {
	io.Writer
	colour bool
	wide   bool // exact figures and every column
}

// style is the colour of a cell.
type style string

const (
	plain style = ""
	good  style = "\x1b[32m"
	bad   style = "\x1b[31m"
	faint style = "\x1b[2m"
	bold  style = "\x1b[1m"

	resetStyle = "\x1b[0m"
)

func (p *paper) paint(text string, s style) string {
	if !p.colour || s == plain || text == "" {
		return text
	}
	return string(s) + text + resetStyle
}

// cell is one field of a table; a plain string does as one.
type cell struct {
	text  string
	style style
}

// column is a column of a table.
type column struct {
	name     string
	right    bool // aligned to the right, as figures are
	optional bool // left out when every cell is empty
	wide     bool // left out of a table that is not wide
}

// table is drawn aligned, its header in capitals, without trailing blanks.
type table struct {
	columns []column
	rows    [][]cell
}

// add appends a row of strings and cells; what is missing at its end is empty.
func (t *table) add(fields ...any) {
	row := make([]cell, len(t.columns))
	for i, f := range fields {
		switch f := f.(type) {
		case cell:
			row[i] = f
		case string:
			row[i] = cell{text: f}
		default:
			row[i] = cell{text: fmt.Sprint(f)}
		}
	}
	t.rows = append(t.rows, row)
}

func (t *table) draw(p *paper) {
	header := make([]cell, len(t.columns))
	for i, c := range t.columns {
		header[i] = cell{strings.ToUpper(c.name), bold}
	}
	var shown, width []int
	for i, c := range t.columns {
		if c.wide && !p.wide || c.optional && t.empty(i) {
			continue
		}
		w := utf8.RuneCountInString(header[i].text)
		for _, row := range t.rows {
			w = max(w, utf8.RuneCountInString(row[i].text))
		}
		shown, width = append(shown, i), append(width, w)
	}
	for _, row := range append([][]cell{header}, t.rows...) {
		var line strings.Builder
		blanks := 0
		for n, i := range shown {
			text := row[i].text
			room := width[n] - utf8.RuneCountInString(text)
			if t.columns[i].right {
				blanks += room
			}
			if text != "" { // blanks wait until something follows them
				line.WriteString(strings.Repeat(" ", blanks) + p.paint(text, row[i].style))
				blanks = 0
			}
			if !t.columns[i].right {
				blanks += room
			}
			blanks += 2
		}
		fmt.Fprintln(p, line.String())
	}
}

func (t *table) empty(column int) bool {
	for _, row := range t.rows {
		if row[column].text != "" {
			return false
		}
	}
	return true
}

// amount is a figure for people: exact up to four digits, then 12.3k, 4.56M.
func (p *paper) amount(n uint64) string {
	if p.wide || n < 10_000 {
		return fmt.Sprint(n)
	}
	return short(n, "")
}

// bytes is an amount of bytes for people, in decimal units.
func (p *paper) bytes(n uint64) string {
	switch {
	case p.wide:
		return fmt.Sprint(n)
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	}
	return short(n, " ") + "B"
}

// short gives n with three digits and the letter of its unit behind gap.
func short(n uint64, gap string) string {
	x, unit := float64(n), -1
	for x >= 999.5 {
		x /= 1000
		unit++
	}
	digits := 0
	switch {
	case x < 9.995:
		digits = 2
	case x < 99.95:
		digits = 1
	}
	return fmt.Sprintf("%.*f%s%c", digits, x, gap, "kMGTPE"[unit])
}

// plural counts things in words.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// coloured reports whether a terminal wants colour (no-color.org).
func coloured(terminal bool) bool {
	return terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
