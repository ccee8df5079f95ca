package control

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"routerd/internal/access"
	"routerd/internal/show"
)

// longPage is a page of a made-up table.
type longPage struct {
	Rows []longRow `json:"rows" show:",rows"`
	Next uint32    `json:"next,omitzero"`
}

type longRow struct {
	Number uint32    `json:"number" show:"number,right"`
	Name   string    `json:"name" show:"name"`
	Since  time.Time `json:"since" show:"since"`
}

type longQuery struct {
	After uint32 `query:"after,api"`
	Limit int    `query:"limit,api,max=10000"`
}

// longNoun has rows up to a number.
func longNoun(rows uint32, asked *atomic.Int32) Noun {
	return show.Spec[Router, longQuery, longPage]{
		Path: "long", Help: show.Help{Short: "A long table"},
		Ask: func(_ context.Context, _ Router, q longQuery) (p longPage, err error) {
			asked.Add(1)
			limit := uint32(DefaultPage)
			if q.Limit > 0 {
				limit = uint32(q.Limit)
			}
			for n := q.After + 1; n <= min(q.After+limit, rows); n++ {
				p.Rows = append(p.Rows, longRow{n, "a name that is not short", began})
			}
			if last := q.After + limit; last < rows {
				p.Next = last
			}
			return p, nil
		},
	}.Noun()
}

// passing counts the lines that are printed, and looks at the heap now and then.
type passing struct {
	lines   int
	asked   *atomic.Int32
	atFirst int32 // pages that had been asked for when the first was printed
	writes  int
	heap    uint64
}

func (p *passing) Write(b []byte) (int, error) {
	if p.writes++; p.writes == 1 {
		p.atFirst = p.asked.Load()
	}
	p.lines += bytes.Count(b, []byte("\n"))
	if p.writes%100 == 0 {
		p.heap = max(p.heap, live())
	}
	return len(b), nil
}

func live() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A table of a million rows goes from the router to the screen page by page:
// server and client, which are one process here, hold no more than a page each,
// and the first rows are on the screen before the second page is asked for.
func TestMillionRows(t *testing.T) {
	rows := uint32(1_000_000)
	if testing.Short() {
		rows /= 10
	}
	var asked atomic.Int32
	long := longNoun(rows, &asked)
	l, err := Listen(filepath.Join(t.TempDir(), "api.sock"), -1)
	if err != nil {
		t.Fatal(err)
	}
	h := newHandler(&fake{}, Options{})
	h.nouns = []Noun{long}
	server := &http.Server{Handler: identifyPeer(h, defaultRoles), ConnContext: withPeer}
	go server.Serve(l)
	defer server.Close()
	c := Dial(l.Addr().String())
	defer c.Close()

	var q longQuery
	out := &passing{asked: &asked}
	pages := show.Pages{Query: &q, Ask: func() (any, error) { return c.Ask(t.Context(), &long, &q) }}
	before := live()
	if _, err := pages.Print(&show.Tables{Screen: &show.Screen{Writer: out}}); err != nil {
		t.Fatal(err)
	}
	if out.lines != int(rows)+1 || asked.Load() != int32(rows/DefaultPage) {
		t.Errorf("%d lines in %d pages, want %d rows and the header", out.lines, asked.Load(), rows)
	}
	if out.atFirst != 1 {
		t.Errorf("the first rows came when %d pages had been asked for", out.atFirst)
	}
	grown := int64(out.heap) - int64(before)
	t.Logf("%d rows: the live heap of server and client grew by at most %d kB", rows, grown/1000)
	if out.heap == 0 || grown > 8<<20 {
		t.Errorf("the live heap grew by %d bytes, want at most 8 MiB", grown)
	}
}

// The limit of a page is kept by who answers.
func TestPageLimit(t *testing.T) {
	var asked atomic.Int32
	h := newHandler(&fake{}, Options{})
	h.nouns = []Noun{longNoun(10, &asked)}
	for url, want := range map[string]int{"/v1/long?limit=3": 200, "/v1/long?limit=10001": 400, "/v1/long?after=x": 400, "/v1/longer": 404} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, as(access.Read, "GET", url))
		if w.Code != want {
			t.Errorf("%s: %d, want %d: %s", url, w.Code, want, w.Body)
		}
	}
}
