package show

import (
	"fmt"
	"reflect"
)

// Pages is a list that arrives page by page. Each page is printed when it
// arrives, and not kept.
type Pages struct {
	// Query is a pointer to the query of every page. Its fields After and Limit
	// are overwritten.
	Query any
	// Ask returns the page that Query asks for, a pointer to an answer.
	Ask func() (any, error)
	// Most is how many rows are wanted, 0 for all; Largest is the most rows of
	// a page.
	Most, Largest int
	// Nothing returns the error for a list without rows; nil if it may be
	// empty.
	Nothing func() error
}

// Printer prints an answer that arrives in pages. An answer that is not a list
// is one page.
type Printer interface {
	// Page prints the rows of a page, a pointer to an answer, and may keep the
	// answer but not its rows.
	Page(answer any) error
	// End prints what comes below the rows. more says that there are further
	// rows; it is "" if there are none.
	End(more string) error
}

// Partial is an answer that can say that it has more rows than shown.
type Partial interface {
	More() string
}

// Print requests page after page, and prints each before it requests the next.
// If there are more rows than Most, more says so.
func (p *Pages) Print(to Printer) (more string, err error) {
	query := reflect.ValueOf(p.Query).Elem()
	rows := 0
	var shown any
	for {
		left := p.Most - rows
		if p.Most != 0 {
			query.FieldByName("Limit").SetInt(int64(max(min(left, p.Largest), 1))) // at least 1, to learn whether there are more
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
