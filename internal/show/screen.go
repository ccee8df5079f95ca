package show

import (
	"fmt"
	"io"
	"time"
)

// Screen is the output that answers are drawn on.
type Screen struct {
	io.Writer
	Colour bool
	Wide   bool // exact numbers and every column
}

// Style is the colour of a text.
type Style string

// The styles: good, bad, less important, emphasised.
const (
	Plain Style = ""
	Good  Style = "\x1b[32m"
	Bad   Style = "\x1b[31m"
	Faint Style = "\x1b[2m"
	Bold  Style = "\x1b[1m"

	resetStyle = "\x1b[0m"
)

// Paint returns the text in a style if the screen has colour.
func (s *Screen) Paint(text string, style Style) string {
	if !s.Colour || style == Plain || text == "" {
		return text
	}
	return string(style) + text + resetStyle
}

// Amount formats a number: exact up to four digits, then 12.3k, 4.56M. On a
// wide screen it is always exact.
func (s *Screen) Amount(n uint64) string {
	if s.Wide || n < 10_000 {
		return fmt.Sprint(n)
	}
	return short(n, "")
}

// Bytes formats a number of bytes in decimal units.
func (s *Screen) Bytes(n uint64) string {
	switch {
	case s.Wide:
		return fmt.Sprint(n)
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	}
	return short(n, " ") + "B"
}

// Seconds formats a duration to the second, or on a wide screen to the
// millisecond.
func (s *Screen) Seconds(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	if !s.Wide {
		return d.Round(time.Second).String()
	}
	return d.Round(time.Millisecond).String()
}

// short returns n with three digits, then gap and the letter of its unit.
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

// Plural returns a number with the singular or plural of its noun.
func Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
