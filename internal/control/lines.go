package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"

	"routerd/internal/access"
	"routerd/internal/show"
)

// LinesType is the media type of a list as lines of JSON.
const LinesType = "application/x-ndjson"

// The bounds of lists that are sent as lines at once, each of which has up to a page in
// memory.
const (
	maxWalks    = 16
	maxOwnWalks = 8 // of one identity, so that no other is kept out
)

// Ending is the last line of a list as lines. A list without it was cut off.
type Ending struct {
	End struct {
		Total int `json:"total"` // of the rows before it
		// Generation is that of the router's tables behind the last row, and Began
		// that before the first one; absent if it is the same.
		Generation uint64 `json:"generation"`
		Began      uint64 `json:"began,omitempty"`
		// Error says why there are no more rows; absent if these are all.
		Error string `json:"error,omitempty"`
	} `json:"end"`
}

// newEnding returns the ending of a list of as many rows, which began and ended in
// these generations.
func newEnding(total int, began, ended uint64, err error) (e Ending) {
	e.End.Total, e.End.Generation = total, ended
	if began != ended {
		e.End.Began = began
	}
	if err != nil {
		e.End.Error = err.Error()
	}
	return e
}

// takesLines reports whether a request asks for lines of a noun that is a list.
func takesLines(req *http.Request, n *Noun) bool {
	if _, listed := n.Row(); !listed {
		return false
	}
	for _, list := range req.Header.Values("Accept") {
		for kind := range strings.SplitSeq(list, ",") {
			name, _, _ := strings.Cut(kind, ";")
			if strings.EqualFold(strings.TrimSpace(name), LinesType) {
				return true
			}
		}
	}
	return false
}

// serveLines answers a request for a list with a line for each row, and a last line with
// the number of rows. It sends the list page by page: one page is in memory, and the next
// is asked for when that has been sent. A client that does not read is disconnected.
func (h *handler) serveLines(w http.ResponseWriter, req *http.Request, n *Noun, query any) error {
	who := access.From(req.Context()).Name
	leave, why := h.walks.take(who, maxWalks, maxOwnWalks)
	switch why {
	case allTaken:
		return show.Unavailable("sending a list: %d lists are being sent already; wanted no more at once", maxWalks)
	case ownTaken:
		return show.TooMany("sending a list: %d lists are being sent to %s already; wanted no more at once", maxOwnWalks, who)
	}
	defer leave()
	out := &lineWriter{to: w, control: http.NewResponseController(w), stalled: h.stalled}
	// The request has been read, and its answer may take longer than one may.
	_ = out.control.SetReadDeadline(time.Time{}) // not every writer has deadlines; those of a server have
	pages := show.Pages{Query: query, Ask: func() (any, error) { return h.piece(req.Context(), n, query) }}
	_, err := PrintLines(out, &pages, func() (uint64, error) { return h.generation(req.Context()) })
	if out.begun || req.Context().Err() != nil {
		return nil // the ending says what went wrong, or the client is gone
	}
	return err
}

// PrintLines prints the pages of a list as lines: a line for each row, and an Ending.
// Generation asks for that of the router's tables. An error that comes before the first
// row is returned alone; a later one is also in the Ending. More says in words what was
// not printed, see show.Pages.
func PrintLines(to io.Writer, pages *show.Pages, generation func() (uint64, error)) (more string, err error) {
	before, err := generation()
	if err != nil {
		return "", err
	}
	lines := &show.Lines{To: to}
	more, err = pages.Print(lines)
	if err != nil && lines.Total == 0 {
		return more, err
	}
	now, asked := generation()
	if err == nil {
		err = asked
	}
	text, encoding := json.Marshal(newEnding(lines.Total, before, now, err))
	if encoding != nil {
		return more, errors.Join(err, encoding)
	}
	_, writing := to.Write(append(text, '\n'))
	return more, errors.Join(err, writing)
}

// generation asks for that of the router's tables.
func (h *handler) generation(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, showTimeout)
	defer cancel()
	v, err := h.router.Version(ctx)
	return v.Generation, err
}

// piece asks for one page, as a pointer to a tidied answer.
func (h *handler) piece(ctx context.Context, n *Noun, query any) (any, error) {
	answer, err := h.ask(ctx, n, query)
	if err != nil {
		return nil, err
	}
	if most, _ := rows(answer); most >= longAnswer {
		h.long()
	}
	tidied := reflect.ValueOf(tidy(answer))
	page := reflect.New(tidied.Type())
	page.Elem().Set(tidied)
	return page.Interface(), nil
}

// lineWriter sends what is written at once, each time within a bounded time.
type lineWriter struct {
	to      http.ResponseWriter
	control *http.ResponseController
	stalled time.Duration
	begun   bool
	failed  error
}

func (l *lineWriter) Write(b []byte) (int, error) {
	if l.failed != nil {
		return 0, l.failed
	}
	if !l.begun {
		l.begun = true
		setContents(l.to, LinesType)
	}
	_ = l.control.SetWriteDeadline(time.Now().Add(l.stalled))
	n, err := l.to.Write(b)
	if err == nil {
		err = l.control.Flush()
	}
	if err != nil {
		l.failed = fmt.Errorf("sending a list: %w", err)
	}
	return n, l.failed
}
