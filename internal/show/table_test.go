package show

import (
	"bytes"
	"strings"
	"testing"
)

func TestAmounts(t *testing.T) {
	for n, want := range map[uint64][2]string{
		0:                    {"0", "0 B"},
		999:                  {"999", "999 B"},
		1000:                 {"1000", "1.00 kB"},
		9_999:                {"9999", "10.0 kB"},
		10_000:               {"10.0k", "10.0 kB"},
		12_345:               {"12.3k", "12.3 kB"},
		99_949:               {"99.9k", "99.9 kB"},
		99_950:               {"100k", "100 kB"},
		999_499:              {"999k", "999 kB"},
		999_500:              {"1.00M", "1.00 MB"},
		9_876_543_210:        {"9.88G", "9.88 GB"},
		18446744073709551615: {"18.4E", "18.4 EB"},
	} {
		p := &Screen{}
		if got := [2]string{p.Amount(n), p.Bytes(n)}; got != want {
			t.Errorf("%d is shown as %q, want %q", n, got, want)
		}
	}
}

// Colour does not move anything: without its sequences a coloured table is
// the plain one.
func TestColour(t *testing.T) {
	draw := func(colour bool) string {
		tab := Table{Columns: []Column{{Name: "a"}, {Name: "n", Right: true}, {Name: "never", Optional: true}, {Name: "z"}}}
		tab.Add(Cell{"up", Good}, 7, "", Cell{"größer", Bad})
		tab.Add("downwards", Cell{"12345", Faint}, "", "")
		tab.Add("", "", "", "last")
		var b bytes.Buffer
		tab.Draw(&Screen{Writer: &b, Colour: colour})
		return b.String()
	}
	const want = "A              N  Z\nup             7  größer\ndownwards  12345\n                  last\n"
	if got := draw(false); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	coloured := draw(true)
	if !strings.Contains(coloured, "\x1b[31mgrößer\x1b[0m\n") {
		t.Errorf("no colour in %q", coloured)
	}
	for _, s := range []Style{Good, Bad, Faint, Bold, resetStyle} {
		coloured = strings.ReplaceAll(coloured, string(s), "")
	}
	if coloured != want {
		t.Errorf("without its colours\n%swant\n%s", coloured, want)
	}
}

// Texts take the columns of a terminal that they take, not their letters or
// bytes.
func TestWidths(t *testing.T) {
	for text, want := range map[string]int{"": 0, "abc": 3, "größer": 6, "e\u0301": 1, "路由器": 6, "🇩🇪": 2, "ﾊﾝ": 2} {
		if got := Width(text); got != want {
			t.Errorf("%q takes %d columns, want %d", text, got, want)
		}
	}
	tab := Table{Columns: []Column{{Name: "name"}, {Name: "n", Right: true}}}
	tab.Add("路由器", 1)
	tab.Add("abc", 10)
	var b bytes.Buffer
	tab.Draw(&Screen{Writer: &b})
	if want := "NAME     N\n路由器   1\nabc     10\n"; b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

// A table that is drawn in parts: the first decides the widths, what is wider
// widens, and a column that was left out comes with a new header.
func TestTableInParts(t *testing.T) {
	tab := Table{Columns: []Column{{Name: "a"}, {Name: "note", Optional: true}, {Name: "n", Right: true}}}
	var b bytes.Buffer
	s := &Screen{Writer: &b}
	tab.Add("one", "", 1)
	tab.Draw(s)
	tab.Draw(s) // nothing new
	tab.Add("seventeen", "", 17)
	tab.Draw(s)
	tab.Add("x", "lost", 3)
	tab.Draw(s)
	tab.Add("y", "", 4)
	tab.Draw(s)
	const want = "A    N\none  1\nseventeen  17\nA          NOTE   N\nx          lost   3\ny                 4\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}
