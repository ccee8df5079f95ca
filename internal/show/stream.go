package show

import (
	"fmt"
	"reflect"
)

// Pages is a list that comes page by page. Each is printed as it comes and then
// forgotten.
type Pages struct {
	// Query is that of every page, a pointer; its fields After and Limit are
	// written.
	Query any
	// Ask gives the page that Query asks for, a pointer to an answer.
	Ask func() (any, error)
	// Most is how many rows are wanted, 0 for all of them; Largest is how many a
	// page may have.
	Most, Largest int
	// Nothing is the error for a list without rows; nil where it may be empty.
	Nothing func() error
}

// Printer prints an answer that comes in pages; one that is no list is one page.
type Printer interface {
	// Page prints the rows of a page, a pointer to an answer, and may keep the
	// answer but not its rows.
	Page(answer any) error
	// End prints what is below the rows. more says that there are rows that were
	// not asked for; it is "" where there are none.
	End(more string) error
}

// Partial is an answer that says that there is more of it than it shows.
type Partial interface {
	More() string
}

// Print asks for page after page, and has each printed before it asks for the
// next one. It gives what is to be said where there are more rows than Most.
func (p *Pages) Print(to Printer) (more string, err error) {
	query := reflect.ValueOf(p.Query).Elem()
	rows := 0
	var shown any
	for {
		left := p.Most - rows
		if p.Most != 0 {
			query.FieldByName("Limit").SetInt(int64(max(min(left, p.Largest), 1))) // 1: is there another one?
		}
		page, err := p.Ask()
		if err != nil {
			return "", err
		}
		v := reflect.ValueOf(page).Elem()
		l, listed := rowsOf(v.Type())
		got := 0
		if listed {
			got = v.Field(l.at).Len()
		}
		if p.Most != 0 && left == 0 && got > 0 {
			if partial, ok := shown.(Partial); ok {
				more = partial.More()
			}
			return more, to.End(more)
		}
		rows += got
		last := !listed || l.next < 0 || v.Field(l.next).IsZero()
		if last && listed && rows == 0 && p.Nothing != nil {
			if err := p.Nothing(); err != nil {
				return "", err
			}
		}
		if err := to.Page(page); err != nil {
			return "", err
		}
		if last {
			return "", to.End("")
		}
		after := query.FieldByName("After")
		if after.Equal(v.Field(l.next)) {
			return "", fmt.Errorf("reading a list page by page: the page behind %v leads to itself again", after)
		}
		after.Set(v.Field(l.next))
		shown = page
	}
}
