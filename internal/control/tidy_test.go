package control

import (
	"encoding/json"
	"testing"
	"time"
)

// A tidy answer has no null in the place of a list, and no time but in UTC, however
// deep; the router's own value stays as it is, and one that is tidy is not copied.
func TestTidy(t *testing.T) {
	type leaf struct {
		List []int     `json:"list"`
		Time time.Time `json:"time"`
		Gone []string  `json:"gone,omitempty"`
	}
	type answer struct {
		Leaves []leaf  `json:"leaves"`
		One    *leaf   `json:"one"`
		None   *leaf   `json:"none"`
		Deep   [][]int `json:"deep"`
		own    []int
	}
	east := time.FixedZone("east", 3600)
	a := answer{
		Leaves: []leaf{{}, {List: []int{1}, Time: time.Date(2026, 1, 1, 1, 0, 0, 0, east)}},
		One:    &leaf{Time: time.Date(2026, 1, 1, 1, 0, 0, 0, east)}, Deep: [][]int{nil, {2}},
	}
	encode := func(x any) string {
		text, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	before := encode(a)
	const want = `{"leaves":[{"list":[],"time":"0001-01-01T00:00:00Z"},{"list":[1],"time":"2026-01-01T00:00:00Z"}],` +
		`"one":{"list":[],"time":"2026-01-01T00:00:00Z"},"none":null,"deep":[[],[2]]}`
	tidied := tidy(a)
	if got := encode(tidied); got != want {
		t.Errorf("tidy gives %s, want %s", got, want)
	}
	if after := encode(a); after != before || a.own != nil {
		t.Errorf("the router's own value has become %s, was %s", after, before)
	}
	if again := tidy(tidied); again.(answer).One != tidied.(answer).One {
		t.Error("what is tidy is copied")
	}
	page := RoutePage{Routes: make([]Route, 1000)}
	for i := range page.Routes {
		page.Routes[i] = Route{Since: began, NextHops: []NextHop{{Resolved: []Hop{{Weight: 1}}}}}
	}
	var boxed any = page
	if n := testing.AllocsPerRun(10, func() { boxed = tidy(boxed) }); n > 5 {
		t.Errorf("looking at a page that is tidy takes %.0f allocations", n)
	}
}
