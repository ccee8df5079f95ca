package show

import (
	"fmt"
	"io"
	"time"
)

// Screen is what answers are drawn on.
type Screen struct {
	io.Writer
	Colour bool
	Wide   bool // exact figures and every column
}

// Style is the colour of a text.
type Style string

// The styles: what is as it should be, what is not, what matters less, what
// stands out.
const (
	Plain Style = ""
	Good  Style = "\x1b[32m"
	Bad   Style = "\x1b[31m"
	Faint Style = "\x1b[2m"
	Bold  Style = "\x1b[1m"

	resetStyle = "\x1b[0m"
)

// Paint gives the text in its style, where the screen has colour.
func (s *Screen) Paint(text string, style Style) string {
	if !s.Colour || style == Plain || text == "" {
		return text
	}
	return string(style) + text + resetStyle
}

// Amount is a figure for people: exact up to four digits, then 12.3k, 4.56M.
// A wide screen has it exact.
func (s *Screen) Amount(n uint64) string {
	if s.Wide || n < 10_000 {
		return fmt.Sprint(n)
	}
	return short(n, "")
}

// Bytes is an amount of bytes for people, in decimal units.
func (s *Screen) Bytes(n uint64) string {
	switch {
	case s.Wide:
		return fmt.Sprint(n)
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	}
	return short(n, " ") + "B"
}

// Seconds is a time that passes, to the second; to the millisecond where the
// screen is wide.
func (s *Screen) Seconds(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	if !s.Wide {
		return d.Round(time.Second).String()
	}
	return d.Round(time.Millisecond).String()
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

// Plural counts things in words.
func Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
