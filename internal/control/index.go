package control

import (
	"cmp"
	"net/http"
	"slices"

	"routerd/internal/access"
)

// Index is the answer to /v1: the list of nouns.
type Index struct {
	Nouns []IndexNoun `json:"nouns"` // in order of path
}

// IndexNoun is a noun and how to request it.
type IndexNoun struct {
	Method     string      `json:"method"` // GET to show, POST to change
	Path       string      `json:"path"`
	Role       access.Role `json:"role"`       // the lowest that may: read | operate | admin
	Parameters []string    `json:"parameters"` // of the query, by name
}

// index lists the nouns.
func index(w http.ResponseWriter, req *http.Request, nouns []Noun) (Index, error) {
	if !reads(req) {
		return Index{}, wrongMethod(w, req, http.MethodGet)
	}
	var x Index
	for _, n := range nouns {
		if n.Ask == nil {
			continue
		}
		i := IndexNoun{Method: http.MethodGet, Path: "/v1/" + n.Path, Role: n.Role()}
		if n.Changes {
			i.Method = http.MethodPost
		}
		for _, p := range n.Parameters() {
			i.Parameters = append(i.Parameters, p.Name)
		}
		x.Nouns = append(x.Nouns, i)
	}
	slices.SortFunc(x.Nouns, func(a, b IndexNoun) int { return cmp.Compare(a.Path, b.Path) })
	return x, nil
}
