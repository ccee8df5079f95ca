package ospf

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"routerd/routing/ospf/wire"
)

// The list of requests is one in the order of adding, whatever is added, removed and
// asked for.
func TestRequests(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q requests
		var model []wanted
		for range rapid.IntRange(0, 300).Draw(t, "actions") {
			n := wire.ID(rapid.IntRange(0, 100).Draw(t, "id"))
			id := wire.Identity{Type: wire.RouterLSA + wire.LSType(n%2), ID: n, Router: 7}
			at := slices.IndexFunc(model, func(w wanted) bool { return w.Identity == id })
			switch rapid.IntRange(0, 4).Draw(t, "action") {
			case 0, 1:
				h := wire.Header{Identity: id, Sequence: rapid.Int32Range(1, 9).Draw(t, "sequence")}
				q.put(h)
				if at < 0 {
					model = append(model, wanted{Header: h})
				} else {
					model[at].Header = h
				}
			case 2, 3:
				if asked := q.remove(id); asked != (at >= 0 && model[at].asked) {
					t.Fatalf("%v was asked for: %v", id, asked)
				}
				if at >= 0 {
					model = slices.Delete(model, at, at+1)
				}
			case 4:
				if w := q.get(id); w != nil {
					w.asked, model[at].asked = true, true
				}
			}
			var got []wanted
			for w := range q.all {
				got = append(got, *w)
				if q.get(w.Identity) != w {
					t.Fatalf("%v is not found", w.Identity)
				}
			}
			if !slices.Equal(got, model) || q.len() != len(model) || q.len() > 0 && q.list.n > max(64, 4*q.len()) {
				t.Fatalf("%d of %d\n%v, want\n%v", q.len(), q.list.n, got, model)
			}
		}
	})
}
