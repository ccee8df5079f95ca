package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"routerd/internal/access"
	"routerd/internal/show"
)

// serveLong serves a noun on a socket, and returns a client and what is behind it.
func serveLong(t testing.TB, n Noun) (*http.Client, *handler) {
	t.Helper()
	l, err := Listen(filepath.Join(t.TempDir(), "api.sock"), -1)
	if err != nil {
		t.Fatal(err)
	}
	h := newHandler(&fake{}, Options{})
	h.nouns = []Noun{n}
	server := &http.Server{Handler: identifyPeer(h, defaultRoles), ConnContext: withPeer, ReadTimeout: time.Second, WriteTimeout: time.Second}
	go server.Serve(l)
	c := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", l.Addr().String())
	}}}
	t.Cleanup(func() {
		server.Close()
		c.CloseIdleConnections()
	})
	return c, h
}

// askLines asks for a list as lines.
func askLines(t testing.TB, c *http.Client, path string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://routerd"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/plain;q=0.1, "+LinesType)
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// hanging is a router whose owner answers no more, once it has answered a few times.
type hanging struct {
	fake
	answers atomic.Int32
}

func (r *hanging) Version(ctx context.Context) (Version, error) {
	if r.answers.Add(-1) < 0 {
		if _, bounded := ctx.Deadline(); !bounded {
			return Version{}, errors.New("it would wait for ever")
		}
		return Version{}, context.DeadlineExceeded
	}
	return r.fake.Version(context.Background())
}

// A list of a router that hangs does not wait for it for ever, since few are sent at
// once.
func TestLinesOfRouterThatHangs(t *testing.T) {
	for answers := range int32(2) {
		r := &hanging{}
		r.answers.Store(answers)
		w := httptest.NewRecorder()
		req := as(access.Read, "GET", "/v1/route")
		req.Header.Set("Accept", LinesType)
		newHandler(r, Options{}).ServeHTTP(w, req)
		if text := w.Body.String(); !strings.Contains(text, context.DeadlineExceeded.Error()) {
			t.Errorf("after %d answers: %d %s", answers, w.Code, text)
		}
	}
}

// walk reads all lines, and returns the last one. each is called behind a thousand of them.
func walk(t testing.TB, resp *http.Response, each func()) (lines int, last string) {
	t.Helper()
	s := bufio.NewScanner(resp.Body)
	for s.Scan() {
		last = s.Text()
		if lines++; lines%1000 == 0 {
			each()
		}
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return lines, last
}

// A million rows are sent as lines, with a page in memory, in a longer time than other
// requests have; the last line says how many there were.
func TestMillionLines(t *testing.T) {
	rows := uint32(1_000_000)
	if testing.Short() {
		rows /= 10
	}
	var asked atomic.Int32
	c, _ := serveLong(t, longNoun(rows, &asked))
	before, most, begun := live(), uint64(0), time.Now()
	resp := askLines(t, c, "/v1/long")
	pages := 0
	lines, last := walk(t, resp, func() {
		if pages++; pages%100 == 0 {
			most = max(most, live())
		}
		if pages == 10 {
			time.Sleep(max(0, 1500*time.Millisecond-time.Since(begun))) // the server's timeouts are a second
		}
	})
	if want := fmt.Sprintf(`{"end":{"total":%d,"generation":42}}`, rows); lines != int(rows)+1 || last != want {
		t.Errorf("%d lines, the last one is %s; want %s", lines, last, want)
	}
	if kind := resp.Header.Get("Content-Type"); kind != LinesType {
		t.Errorf("the content type is %q", kind)
	}
	grown := int64(most) - int64(before)
	t.Logf("%d lines: the live heap of server and client grew by at most %d kB", lines, grown/1000)
	if most == 0 || grown > 8<<20 {
		t.Errorf("the live heap grew by %d bytes, want at most 8 MiB", grown)
	}
}

// What is wrong before the first row has a status, and what goes wrong behind it a last
// line; an answer that is no list is what it is without asking for lines.
func TestLinesThatEnd(t *testing.T) {
	failAt := 1
	broken := show.Spec[Router, longQuery, longPage]{
		Path: "long", Help: show.Help{Short: "A long table"},
		Ask: func(_ context.Context, _ Router, q longQuery) (p longPage, err error) {
			if int(q.After)+1 >= failAt {
				return p, errors.New("the table is gone")
			}
			p.Rows, p.Next = []longRow{{Number: q.After + 1}}, q.After+1
			return p, nil
		},
	}.Noun()
	c, h := serveLong(t, broken)
	resp := askLines(t, c, "/v1/long")
	if _, last := walk(t, resp, func() {}); resp.StatusCode != http.StatusInternalServerError || !strings.Contains(last, `{"error":"the table is gone"}`) {
		t.Errorf("%s %s", resp.Status, last)
	}
	failAt = 3
	resp = askLines(t, c, "/v1/long")
	if lines, last := walk(t, resp, func() {}); lines != 3 || last != `{"end":{"total":2,"generation":42,"error":"the table is gone"}}` {
		t.Errorf("%d lines, and the last is %s", lines, last)
	}
	if resp := askLines(t, c, "/v1/long?limit=x"); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a wrong parameter: %s", resp.Status)
	}
	h.nouns = Nouns()
	resp = askLines(t, c, "/v1/version")
	var v Version
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("the version as lines: %v, %v", resp.Header, err)
	}
	for k := range maxWalks {
		h.walks.take(fmt.Sprint(k), maxWalks, maxOwnWalks)
	}
	if resp := askLines(t, c, "/v1/fib"); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one list more than are sent at once: %s", resp.Status)
	}
}

// A client that stops reading is put out, and the walk ends with it.
func TestLinesThatNobodyReads(t *testing.T) {
	var asked atomic.Int32
	c, h := serveLong(t, longNoun(1<<30, &asked))
	h.stalled = 200 * time.Millisecond
	resp := askLines(t, c, "/v1/long")
	for deadline := time.Now().Add(time.Minute); h.walks.clients() > 0 || asked.Load() == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("a list that nobody reads is still being sent after a minute, at page %d", asked.Load())
		}
	}
	s := bufio.NewScanner(resp.Body)
	last := ""
	for s.Scan() {
		last = s.Text()
	}
	if s.Err() == nil || strings.Contains(last, `"end"`) {
		t.Errorf("the list ends with %v and %s, want it cut off", s.Err(), last)
	}
	if resp, err := c.Get("http://routerd/v1/long?limit=1"); err != nil {
		t.Errorf("another request: %v", err)
	} else {
		resp.Body.Close()
	}
}

// A reader whose lists are all sent slowly is sent no more of them, and keeps nobody else
// out.
func TestLinesOfOneIdentity(t *testing.T) {
	h := newHandler(&fake{}, Options{})
	ask := func(who string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		req := as(access.Read, http.MethodGet, "/v1/route")
		req.Header.Set("Accept", LinesType)
		id := access.From(req.Context())
		id.Name = who
		h.ServeHTTP(w, req.WithContext(access.With(req.Context(), id)))
		return w
	}
	var leave []func()
	for range maxOwnWalks {
		l, why := h.walks.take("token slow", maxWalks, maxOwnWalks)
		if why != placeTaken {
			t.Fatalf("list %d of %d of one identity is not sent: %d", len(leave)+1, maxOwnWalks, why)
		}
		leave = append(leave, l)
	}
	if w := ask("token slow"); w.Code != http.StatusTooManyRequests || !strings.Contains(w.Body.String(), "token slow") || w.Header().Get("Retry-After") == "" {
		t.Errorf("one more: %d %s, want 429 with Retry-After", w.Code, w.Body)
	}
	if w := ask("token b"); w.Code != http.StatusOK {
		t.Errorf("another one: %d %s", w.Code, w.Body)
	}
	leave[0]()
	if w := ask("token slow"); w.Code != http.StatusOK {
		t.Errorf("after one list was sent: %d %s", w.Code, w.Body)
	}
	if n := h.walks.clients(); n != maxOwnWalks-1 {
		t.Errorf("%d places are taken afterwards, want %d", n, maxOwnWalks-1)
	}
}

// Who follows events has so many connections and no more, and keeps nobody else out.
func TestEventsOfOneIdentity(t *testing.T) {
	e := newEvents()
	var leave []func()
	for range maxOwnStreams {
		l, err := e.enter("token a")
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, l)
	}
	var refused *show.Error
	if _, err := e.enter("token a"); !errors.As(err, &refused) || refused.Status != http.StatusTooManyRequests {
		t.Errorf("one more: %v, want 429", err)
	}
	if l, err := e.enter("token b"); err != nil {
		t.Errorf("another one: %v", err)
	} else {
		l()
	}
	leave[0]()
	if _, err := e.enter("token a"); err != nil {
		t.Errorf("after one has left: %v", err)
	}
	for _, l := range leave[1:] {
		l()
	}
	if n := len(e.followers.own); n != 1 {
		t.Errorf("%d identities are remembered, want one", n)
	}
	h := newHandler(&fake{}, Options{Events: e})
	for range maxOwnStreams {
		e.followers.own["anybody"]++
	}
	rec := &recorder{header: http.Header{}}
	req := as(access.Read, http.MethodGet, "/v1/events")
	id := access.From(req.Context())
	id.Name = "anybody"
	h.ServeHTTP(rec, req.WithContext(access.With(req.Context(), id)))
	if rec.status != http.StatusTooManyRequests || rec.header.Get("Retry-After") == "" {
		t.Errorf("%d %v, want 429 with Retry-After", rec.status, rec.header)
	}
}

type recorder struct {
	header http.Header
	status int
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return len(b), nil }

// How fast a list is sent as lines, and how much of the heap it takes.
func BenchmarkLines(b *testing.B) {
	const rows = 1_000_000
	var asked atomic.Int32
	c, _ := serveLong(b, longNoun(rows, &asked))
	before, most := live(), uint64(0)
	for b.Loop() {
		pages := 0
		walk(b, askLines(b, c, "/v1/long"), func() {
			if pages++; pages%250 == 0 {
				most = max(most, live())
			}
		})
	}
	b.ReportMetric(float64(int64(most)-int64(before))/(1<<20), "MiB-live")
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
