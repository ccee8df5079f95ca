package control

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"routerd/internal/access"
)

// Every noun is answered to the roles that it takes, and refused to the others
// before the router hears of it.
func TestRolesOfNouns(t *testing.T) {
	changes := map[access.Role]int{}
	for _, n := range Nouns() {
		if n.Ask == nil {
			continue
		}
		method := http.MethodGet
		if n.Changes {
			method = http.MethodPost
			if n.Path != "login/code" { // which gives nobody more than he has
				changes[n.Role()]++
			}
		}
		for role := access.Nobody; role <= access.Admin; role++ {
			f := &fake{}
			w := httptest.NewRecorder()
			newHandler(f, Options{}).ServeHTTP(w, as(role, method, "/v1/"+n.Path))
			if refused := w.Code == http.StatusForbidden; refused == role.May(n.Role()) {
				t.Errorf("%s %s, which takes %v, as %v: %d %s", method, n.Path, n.Role(), role, w.Code, w.Body)
			}
			if loads := f.loads.Load(); loads != 0 && !role.May(n.Role()) {
				t.Errorf("%s %s as %v has reached the router", method, n.Path, role)
			}
		}
	}
	if changes[access.Read] != 0 || changes[access.Operate] == 0 || changes[access.Admin] == 0 {
		t.Errorf("of the nouns that change something these many take each role: %v", changes)
	}
	for _, path := range []string{"/metrics", "/v1", "/v1/nothing"} {
		w := httptest.NewRecorder()
		newHandler(&fake{}, Options{}).ServeHTTP(w, as(access.Nobody, http.MethodGet, path))
		if w.Code != http.StatusForbidden {
			t.Errorf("GET %s by nobody known: %d %s", path, w.Code, w.Body)
		}
	}
}
