package control

import (
	"maps"
	"net/http"
	"slices"
)

// Index is the answer to /v1: what there is to ask.
type Index struct {
	Nouns []IndexNoun `json:"nouns"` // in order of path
}

// IndexNoun is one thing to ask, and how.
type IndexNoun struct {
	Method     string   `json:"method"` // GET to look, POST to change something
	Path       string   `json:"path"`
	Parameters []string `json:"parameters"` // of the query, by name
}

// index asks each noun what it would read from a query.
func index(req *http.Request) (Index, error) {
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		return Index{}, &Error{Status: http.StatusMethodNotAllowed, Message: req.Method + " " + req.URL.Path + ": wanted GET"}
	}
	var x Index
	for _, name := range slices.Sorted(maps.Keys(nouns)) {
		n := nouns[name]
		method := http.MethodGet
		if n.changes {
			method = http.MethodPost
		}
		var q query
		n.ask(&q)
		x.Nouns = append(x.Nouns, IndexNoun{method, "/v1/" + name, q.known})
	}
	return x, nil
}
