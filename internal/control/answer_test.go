package control

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"routerd/internal/access"
)

// manyRoutes returns a page of so many routes.
func manyRoutes(n int) RoutePage {
	p := RoutePage{Next: netip.MustParsePrefix("10.0.0.0/8")}
	for i := range n {
		p.Routes = append(p.Routes, Route{
			Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24), Source: "static", Action: "forward",
			NextHops: []NextHop{{Address: netip.MustParseAddr("10.0.1.2"), Weight: 1, Usable: true, Resolved: []Hop{}}},
			Origin:   `<"routes":[]>.toml:1`, Since: time.Unix(1, 0),
		})
	}
	return p
}

// counted counts what is written, and throws it away.
type counted struct {
	header http.Header
	bytes  int
}

func (c *counted) Header() http.Header { return c.header }
func (c *counted) WriteHeader(int)     {}
func (c *counted) Write(b []byte) (int, error) {
	c.bytes += len(b)
	return len(b), nil
}

// However long a list is, its JSON is that of the whole answer.
func TestLongAnswersAreWhole(t *testing.T) {
	h := newHandler(&fake{}, Options{})
	req := httptest.NewRequest(http.MethodGet, "/v1/route", nil)
	// Lists within lists have the name of the long one, and its text in a string.
	type inner struct {
		Rows []string `json:"rows"`
	}
	type outer struct {
		Inner inner `json:"inner"`
		Rows  []int `json:"rows"`
	}
	answers := map[string]any{
		"two lists of the same name": outer{Rows: make([]int, 600)},
		"a list that may be absent": struct {
			Rows []int `json:"rows,omitempty"`
		}{make([]int, 600)},
		"no struct": make([]int, 600),
	}
	for _, n := range []int{0, 1, longAnswer - 1, longAnswer, longAnswer + 1, 2 * longAnswer, 2*longAnswer + 1} {
		answers[fmt.Sprintf("%d routes", n)] = manyRoutes(n)
	}
	for name, answer := range answers {
		w := httptest.NewRecorder()
		h.sendAnswer(w, req, answer)
		var want bytes.Buffer
		if err := json.NewEncoder(&want).Encode(tidy(answer)); err != nil {
			t.Fatal(err)
		}
		if w.Code != http.StatusOK || w.Body.String() != want.String() {
			t.Errorf("%s: status %d and %d bytes, want 200 and the %d bytes of the whole", name, w.Code, w.Body.Len(), want.Len())
		}
	}
}

// A page of 10,000 rows is encoded without ever being a text as a whole: what is
// allocated for it is less than the text is long.
func TestLongAnswersTakeLittleMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("with the race detector pools forget what they hold")
	}
	h := newHandler(&fake{}, Options{})
	req := httptest.NewRequest(http.MethodGet, "/v1/route", nil)
	page := tidy(manyRoutes(10_000))
	w := &counted{header: http.Header{}}
	var before, after runtime.MemStats
	for range 3 { // a collection empties what is kept for other answers
		runtime.GC()
	}
	runtime.ReadMemStats(&before)
	h.sendAnswer(w, req, page)
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > uint64(w.bytes) {
		t.Errorf("an answer of %d bytes takes %d bytes to encode, want no more", w.bytes, got)
	}
}

// An answer that turns out to have no JSON form when half of it is sent is cut off, so
// that nobody takes the half for the whole.
func TestLongAnswerWithoutJSONIsCutOff(t *testing.T) {
	h := newHandler(&fake{}, Options{})
	answer := struct {
		Rows []float64 `json:"rows"`
	}{make([]float64, 3*longAnswer)}
	for at, want := range map[int]bool{0: false, 2 * longAnswer: true} {
		answer.Rows[0], answer.Rows[2*longAnswer] = 0, 0
		answer.Rows[at] = math.NaN()
		w := httptest.NewRecorder()
		server := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { h.sendAnswer(w, req, answer) })
		cut := func() (cut bool) {
			defer func() { cut = recover() == http.ErrAbortHandler }()
			server.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
			return false
		}()
		if cut != want || !cut && w.Code != http.StatusInternalServerError {
			t.Errorf("with no JSON form at row %d: cut off %v, want %v; status %d", at, cut, want, w.Code)
		}
	}
}

// panicRow is a row whose encoding panics.
type panicRow struct{}

func (panicRow) MarshalJSON() ([]byte, error) { panic("a row that has no JSON form") }

// An answer whose encoding panics keeps no turn, which long answers would wait for.
func TestLongAnswerEndsItsTurn(t *testing.T) {
	h := newHandler(&fake{}, Options{})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the encoding has not panicked")
			}
		}()
		h.sendAnswer(httptest.NewRecorder(), as(access.Read, http.MethodGet, "/v1/route"), struct {
			Rows []panicRow `json:"rows"`
		}{make([]panicRow, longAnswer)})
	}()
	if n := len(h.turns); n != 0 {
		t.Errorf("%d turns are taken", n)
	}
}
