package control

import (
	"encoding/json"
	"net/http"
	"testing"
)

// The index names every noun, by the method that it takes, with every parameter.
func TestIndex(t *testing.T) {
	h := newHandler(&fake{}, Options{})
	status, body := get(t, h, http.MethodGet, "/v1")
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	golden(t, "index.json", indented(t, body))
	var x Index
	if err := json.Unmarshal(body, &x); err != nil {
		t.Fatal(err)
	}
	if len(x.Nouns) != asked() {
		t.Errorf("the index has %d nouns, there are %d", len(x.Nouns), asked())
	}
	if status, body := get(t, h, http.MethodPost, "/v1"); status != http.StatusMethodNotAllowed {
		t.Errorf("POST /v1: %d %s", status, body)
	}
	for _, n := range x.Nouns {
		other := map[string]string{http.MethodGet: http.MethodPost, http.MethodPost: http.MethodGet}[n.Method]
		if status, body := get(t, h, other, n.Path); status != http.StatusMethodNotAllowed {
			t.Errorf("%s %s: %d %s, and the index says %s", other, n.Path, status, body, n.Method)
		}
	}
}
