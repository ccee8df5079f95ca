package show

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// book is a table of numbers that comes in pages.
type book struct {
	Version int    `json:"version"`
	Lines   []line `json:"lines" show:",rows"`
	Total   int    `json:"total"`
	Next    uint32 `json:"next,omitzero"`
}

type line struct {
	Number int    `json:"number" show:"number,right"`
	Text   string `json:"text" show:"text"`
	Note   string `json:"note,omitempty" show:"note,optional"`
}

func (b *book) DrawHead(s *Screen) { fmt.Fprintf(s, "version %d\n", b.Version) }

func (b *book) DrawFoot(s *Screen, rows int) { fmt.Fprintf(s, "%d of %d lines\n", rows, b.Total) }

func (b *book) More() string { return fmt.Sprintf("more of %d", b.Total) }

type bookQuery struct {
	Some  bool   `query:"some"`
	After uint32 `query:"after,api"`
	Limit int    `query:"limit,api"`
}

// library gives the pages of a book of so many lines, and remembers how.
type library struct {
	lines, page int
	note        func(n int) string
	query       bookQuery
	asked       int
	empty       bool // every other page is empty; an odd cursor is behind one
	err         error
	failAt      int
}

func (l *library) ask() (any, error) {
	l.asked++
	if l.err != nil && l.asked > l.failAt {
		return nil, l.err
	}
	b := &book{Version: 7, Total: l.lines, Lines: []line{}}
	first := int(l.query.After / 2)
	if l.empty && l.query.After > 0 && l.query.After%2 == 0 {
		b.Next = l.query.After + 1
		return b, nil
	}
	size := l.page
	if l.query.Limit > 0 {
		size = min(size, l.query.Limit)
	}
	for n := first; n < min(first+size, l.lines); n++ {
		x := line{Number: n + 1, Text: fmt.Sprintf("line <%d>", n+1)}
		if l.note != nil {
			x.Note = l.note(n + 1)
		}
		b.Lines = append(b.Lines, x)
	}
	if last := first + len(b.Lines); last < l.lines {
		b.Next = uint32(2 * last)
	}
	return b, nil
}

func (l *library) pages(most int) *Pages {
	return &Pages{Query: &l.query, Ask: l.ask, Most: most, Largest: 10_000}
}

func (l *library) text(t interface{ Fatal(...any) }, most int, asJSON bool) (text, more string) {
	var b bytes.Buffer
	var to Printer = &JSON{To: &b}
	if !asJSON {
		to = &Tables{Screen: &Screen{Writer: &b}}
	}
	more, err := l.pages(most).Print(to)
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), more
}

// In pages of any size, empty ones among them, a list is printed as in one: the
// JSON is the same document, the table has the same lines.
func TestPagesAreOneDocument(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(t, "lines")
		l := library{lines: n, page: rapid.IntRange(1, 50).Draw(t, "page"), empty: rapid.Bool().Draw(t, "empty")}
		whole := library{lines: n, page: 1000}
		answer, _ := whole.ask()
		var want bytes.Buffer
		if err := Encode(&want, answer); err != nil {
			t.Fatal(err)
		}
		got, more := l.text(t, 0, true)
		if got != want.String() || more != "" {
			t.Fatalf("%q, got\n%s\nwant\n%s", more, got, &want)
		}
		l.query, whole.query = bookQuery{}, bookQuery{}
		table, _ := l.text(t, 0, false)
		wantTable, _ := whole.text(t, 0, false)
		if squeezed(table) != squeezed(wantTable) {
			t.Fatalf("got\n%s\nwant\n%s", table, wantTable)
		}
	})
}

// At most so many rows are printed, and it is said whether there are more.
func TestPagesUpToALimit(t *testing.T) {
	for _, c := range []struct {
		lines, page, most, asked, printed int
		more                              string
	}{
		{10, 100, 0, 1, 10, ""},
		{10, 3, 0, 4, 10, ""},
		{10, 100, 10, 1, 10, ""},
		{10, 3, 10, 4, 10, ""},
		{10, 100, 4, 2, 4, "more of 10"}, // and whether there is another one
		{10, 3, 4, 3, 4, "more of 10"},
		{0, 3, 4, 1, 0, ""},
	} {
		l := library{lines: c.lines, page: c.page}
		text, more := l.text(t, c.most, true)
		var b book
		if err := json.Unmarshal([]byte(text), &b); err != nil || len(b.Lines) != c.printed || more != c.more || l.asked != c.asked {
			t.Errorf("%+v: printed %d (%v), more %q, asked %d times", c, len(b.Lines), err, more, l.asked)
		}
		if (b.Next != 0) != (more != "") {
			t.Errorf("%+v: next is %d", c, b.Next)
		}
	}
	l := library{lines: 5, page: 2}
	table, _ := l.text(t, 3, false)
	if want := "version 7\nNUMBER  TEXT\n     1  line <1>\n     2  line <2>\n     3  line <3>\n3 of 5 lines\nmore of 5\n"; table != want {
		t.Errorf("got\n%swant\n%s", table, want)
	}
}

// Nothing is printed where there is nothing and that is an error, or where
// nobody answers; what fails later follows what was printed.
func TestPagesFail(t *testing.T) {
	broken := errors.New("broken")
	for _, asJSON := range []bool{true, false} {
		for _, c := range []struct {
			l       library
			nothing error
			want    error
			rows    int
		}{
			{library{lines: 0, page: 2}, broken, broken, 0},
			{library{lines: 0, page: 2}, nil, nil, 0},
			{library{lines: 3, page: 2}, broken, nil, 3},
			{library{lines: 3, page: 2, err: broken}, nil, broken, 0},
			{library{lines: 3, page: 2, err: broken, failAt: 1}, nil, broken, 2},
		} {
			var b bytes.Buffer
			var to Printer = &JSON{To: &b}
			if !asJSON {
				to = &Tables{Screen: &Screen{Writer: &b}}
			}
			p := c.l.pages(0)
			p.Nothing = func() error { return c.nothing }
			if _, err := p.Print(to); !errors.Is(err, c.want) {
				t.Errorf("%+v: %v, want %v", c.l, err, c.want)
			}
			if rows := strings.Count(b.String(), "line <"); rows != c.rows || c.want != nil && rows == 0 && b.Len() > 0 {
				t.Errorf("%+v: %d rows in %q, want %d", c.l, rows, b.String(), c.rows)
			}
		}
	}
}

// A router whose pages never end does not keep its asker for ever.
func TestPagesThatGoNowhere(t *testing.T) {
	q := bookQuery{}
	p := Pages{Query: &q, Ask: func() (any, error) { return &book{Next: 5}, nil }}
	if _, err := p.Print(&JSON{To: io.Discard}); err == nil || !strings.Contains(err.Error(), "again") {
		t.Errorf("the same page over and over: %v", err)
	}
}

// A row that is wider than those of the first page, or has what none of them
// had, is shown in full.
func TestLaterPagesAreWider(t *testing.T) {
	l := library{lines: 12, page: 8, note: func(n int) string { return strings.Repeat("!", n/12) }}
	got, _ := l.text(t, 0, false)
	if !strings.Contains(got, "\n     8  line <8>\nNUMBER  TEXT       NOTE\n     9  line <9>\n") || !strings.Contains(got, "\n    12  line <12>  !\n") {
		t.Errorf("got\n%s", got)
	}
}

// watched counts what passes, and looks at the heap on the way.
type watched struct {
	bytes, rows int
	pages       *int // asked for so far
	first       int  // pages asked for when the first row came
	heap        uint64
	looked      int
}

func (w *watched) Write(b []byte) (int, error) {
	if w.first == 0 && bytes.Contains(b, []byte("line <1>")) {
		w.first = *w.pages
	}
	w.bytes += len(b)
	w.rows += bytes.Count(b, []byte("line <"))
	if w.looked++; w.looked%100 == 0 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		w.heap = max(w.heap, m.HeapAlloc)
	}
	return len(b), nil
}

// A table of a million rows is printed from its first page on, and no more than a
// page of it is held.
func TestMillionRows(t *testing.T) {
	const rows, page = 1_000_000, 1_000
	for name, printer := range map[string]func(io.Writer) Printer{
		"table": func(w io.Writer) Printer { return &Tables{Screen: &Screen{Writer: w}} },
		"JSON":  func(w io.Writer) Printer { return &JSON{To: w} },
	} {
		t.Run(name, func(t *testing.T) {
			n := rows
			if testing.Short() {
				n = rows / 10
			}
			l := library{lines: n, page: page}
			w := &watched{pages: &l.asked}
			var before runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			if _, err := l.pages(0).Print(printer(w)); err != nil {
				t.Fatal(err)
			}
			if w.rows != n || l.asked != n/page {
				t.Errorf("%d rows of %d, in %d pages", w.rows, n, l.asked)
			}
			if w.first != 1 {
				t.Errorf("the first row was written when %d pages had been asked for, want 1", w.first)
			}
			grown := int64(w.heap) - int64(before.HeapAlloc)
			t.Logf("%d bytes written; the live heap grew by at most %d kB", w.bytes, grown/1000)
			if w.looked < 100 || grown > 4<<20 {
				t.Errorf("looked %d times, the live heap grew by %d bytes; want at most 4 MiB: the text alone is %d", w.looked, grown, w.bytes)
			}
		})
	}
}

// The keys of rows are what a shell may offer.
func TestKeys(t *testing.T) {
	l := library{lines: 3, page: 10}
	answer, _ := l.ask()
	if got := strings.Join(Keys(answer), " "); got != "1 2 3" {
		t.Errorf("the keys are %q", got)
	}
	if Keys(&rowless{}) != nil {
		t.Error("an answer without rows has keys")
	}
}
