package control

import (
	"encoding/json"
	"net/http/httptest"
	"testing"
)

func FuzzQuery(f *testing.F) {
	for _, q := range []string{"prefix=10.0.0.0/8&for=10.0.0.1", "family=4&after=::/0&limit=3", "in=a&src=10.0.0.1&dst=10.0.0.2&protocol=tcp&size=9&df=true&ttl=1", "last=5", "protocol=gre&inside=10.0.0.0/8:80&remote=:443&rule=a&after=7", "policy=a,b&prefix=10.0.0.0/8&metric=3&next_hop=10.0.0.1", "%zz", "for=fe80::1%25eth0"} {
		f.Add(q)
	}
	h := newHandler(&fake{}, Options{})
	f.Fuzz(func(t *testing.T, q string) {
		for _, n := range Nouns() {
			if n.Changes || n.Ask == nil {
				continue
			}
			r := as(n.Role(), "GET", "/v1/"+n.Path)
			r.URL.RawQuery = q
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != 200 && w.Code != 400 || !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s?%s: %d %s", n.Path, q, w.Code, w.Body)
			}
		}
	})
}
