package lab

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The map's page shows what is up and what is cut, and leads to the pages of routers.
func TestPage(t *testing.T) {
	needsRoot(t)
	b := newBench(t, linkedRouters)
	p := &Page{Lab: b.Lab, Open: func(node string) (string, error) {
		if node != "r1" {
			return "", errors.New("no such router")
		}
		return "http://127.1.2.3:4/#code=abc", nil
	}}
	ask := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		p.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w
	}
	status := func() (s Status) {
		t.Helper()
		w := ask("GET", "/v1/lab")
		if err := json.Unmarshal(w.Body.Bytes(), &s); err != nil || w.Code != http.StatusOK {
			t.Fatalf("the state of the lab: %d %s", w.Code, w.Body)
		}
		return s
	}
	b.up()
	if s := status(); !s.Up || s.Links[0].State != LinkUp {
		t.Errorf("the lab is %+v, want it up", s)
	}
	if routers := b.Sockets(); len(routers) != 3 || routers[0].Node != "r1" || routers[0].Socket == "" {
		t.Errorf("its routers are %+v", routers)
	}
	uncut := ask("GET", "/v1/lab.svg")
	b.setLink("r1:right", true)
	if s := status(); s.Links[0].State != LinkCut {
		t.Errorf("a link is cut, and the lab is %+v", s)
	}
	if cut := ask("GET", "/v1/lab.svg"); cut.Header().Get("Content-Type") != "image/svg+xml" || !strings.HasPrefix(cut.Body.String(), "<svg ") || cut.Body.String() == uncut.Body.String() {
		t.Errorf("the map with a cut link: %v %.200s", cut.Header(), cut.Body)
	}
	for _, c := range []struct {
		method, path string
		want         int
		header       string // "Name: value"
	}{
		{"GET", "/", 200, "Content-Type: text/html; charset=utf-8"},
		{"GET", "/lab.js", 200, "Content-Type: text/javascript; charset=utf-8"},
		{"GET", "/lab.css", 200, "Content-Type: text/css; charset=utf-8"},
		{"HEAD", "/", 200, "Content-Security-Policy: " + pagePolicy},
		{"GET", "/lab.html", 404, ""},
		{"GET", "/../lab.go", 404, ""},
		{"GET", "/v1/open/r1", 303, "Location: http://127.1.2.3:4/#code=abc"},
		{"GET", "/v1/open/nobody", 404, ""},
		{"POST", "/v1/lab", 405, "Allow: GET"},
	} {
		w := ask(c.method, c.path)
		name, value, _ := strings.Cut(c.header, ": ")
		if w.Code != c.want || name != "" && w.Header().Get(name) != value {
			t.Errorf("%s %s: %d %v, want %d and %q", c.method, c.path, w.Code, w.Header(), c.want, c.header)
		}
	}
	if err := b.Down(t.Context(), &b.out); err != nil {
		t.Fatal(err)
	}
	if s := status(); s.Up {
		t.Errorf("the lab is down, and its state is %+v", s)
	}
}
