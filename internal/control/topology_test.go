package control

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"routerd/internal/access"
	"routerd/internal/topology"
)

// The map as a drawing says what it is and may load nothing; its style may be had by
// itself.
func TestDrawing(t *testing.T) {
	ask := func(method, path string, role access.Role) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		newHandler(&fake{}, Options{}).ServeHTTP(w, as(role, method, path))
		return w
	}
	drawn := ask("GET", "/v1/topology.svg", access.Read)
	body := drawn.Body.String()
	policy := drawn.Header().Get("Content-Security-Policy")
	if drawn.Code != http.StatusOK || drawn.Header().Get("Content-Type") != "image/svg+xml" || !strings.HasPrefix(body, "<svg ") {
		t.Errorf("the drawing: %d %v %.100s", drawn.Code, drawn.Header(), body)
	}
	if !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") || drawn.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the drawing may %q", policy)
	}
	if !strings.Contains(body, "<style>"+topology.CSS+"</style>") {
		t.Error("the style in the drawing is not the one that its policy allows")
	}
	if bare := ask("GET", "/v1/topology.svg?bare=true", access.Read).Body.String(); strings.Contains(bare, "<style") || len(bare) < 1000 {
		t.Errorf("a bare drawing: %.200s", bare)
	}
	if style := ask("GET", "/v1/topology.css", access.Read); style.Code != http.StatusOK || !strings.HasPrefix(style.Header().Get("Content-Type"), "text/css") || style.Body.String() != topology.CSS {
		t.Errorf("the style: %d %v", style.Code, style.Header())
	}
	for _, c := range []struct {
		method, path string
		role         access.Role
		want         int
	}{
		{"GET", "/v1/topology.svg", access.Nobody, 403},
		{"POST", "/v1/topology.svg", access.Admin, 405},
		{"GET", "/v1/topology.svg?bare=perhaps", access.Read, 400},
		{"GET", "/v1/topology.svg?bear=true", access.Read, 400},
		{"GET", "/v1/topology.css", access.Nobody, 403},
	} {
		if w := ask(c.method, c.path, c.role); w.Code != c.want {
			t.Errorf("%s %s as %v: %d %s, want %d", c.method, c.path, c.role, w.Code, w.Body, c.want)
		}
	}
}
