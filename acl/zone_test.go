package acl

import (
	"strings"
	"testing"

	"routerd/routing"
)

func zoned(policies ...Policy) Config {
	return Config{
		Lists:    []List{{Name: "x"}},
		Zones:    []Zone{{Name: "a", Interfaces: []string{"lan0"}, Origin: 1}, {Name: "b", Interfaces: []string{"wan0"}, Origin: 2}},
		Policies: policies,
	}
}

// TestBetweenZones: of each pair of zones either a policy applies, or nothing
// passes; what is within a zone or outside all of them is not asked about.
func TestBetweenZones(t *testing.T) {
	cfg := zoned(Policy{From: "a", To: "b", List: "x", Origin: 3})
	r := compiled(t, cfg, nil)
	ids := map[string]routing.InterfaceID{}
	for _, i := range interfacesForTest() {
		ids[i.Name] = i.ID
	}
	outside := routing.InterfaceID(200)
	for _, tt := range []struct {
		in, out routing.InterfaceID
		want    string
	}{
		{ids["lan0"], ids["lan0"], "unasked"},
		{ids["lan0"], ids["wan0"], "x"},
		{ids["wan0"], ids["lan0"], "b>a"},
		{ids["lan0"], outside, "a>"},
		{outside, ids["wan0"], ">b"},
		{outside, outside, "unasked"},
	} {
		got := "unasked"
		if p := r.Between(tt.in, tt.out); p != nil && p.List != nil {
			got = p.List.Name
		} else if p != nil {
			place, known := r.Place(p.Number)
			if got = place.From + ">" + place.To; !known || place.Action != Drop || p.Origin == 0 {
				t.Errorf("from %d to %d: %+v, and place %+v", tt.in, tt.out, p, place)
			}
		}
		if got != tt.want {
			t.Errorf("from %d to %d: %s, want %s", tt.in, tt.out, got, tt.want)
		}
	}
	missing := 0
	for range r.Missing {
		missing++
	}
	if missing != 5 {
		t.Errorf("%d pairs without a policy, want 5", missing)
	}
	// A pair keeps its number, and gives it to nobody when it gets a policy.
	number := r.Between(ids["wan0"], ids["lan0"]).Number
	if again := compiled(t, zoned(), r).Between(ids["wan0"], ids["lan0"]).Number; again != number {
		t.Errorf("a pair has had number %d, and has %d", number, again)
	}
	allowed := compiled(t, zoned(Policy{From: "b", To: "a", List: "x"}), r)
	if p, ok := allowed.Place(number); ok {
		t.Errorf("the number of a pair that has a policy now is %+v", p)
	}
	if within := compiled(t, zoned(Policy{From: "a", To: "a", List: "x"}), nil).Between(ids["lan0"], ids["lan0"]); within == nil || within.List == nil {
		t.Errorf("a policy of a zone with itself is not asked: %+v", within)
	}
	if unzoned := compiled(t, Config{}, nil); unzoned.Zoned() || unzoned.Zone(1).Name != "" {
		t.Error("there are zones without any")
	}
}

func TestWrongZones(t *testing.T) {
	more := func(change func(*Config)) Config { c := zoned(); change(&c); return c }
	for want, cfg := range map[string]Config{
		"want two zones that exist": zoned(Policy{From: "a", To: "c", List: "x"}),
		"there is no such list":     zoned(Policy{From: "a", To: "b", List: "y"}),
		"want one of each pair":     zoned(Policy{From: "a", To: "b", List: "x"}, Policy{From: "a", To: "b", List: "x"}),
		"no other zone has":         more(func(c *Config) { c.Zones[1].Name = "a" }),
		"one zone at most":          more(func(c *Config) { c.Zones[1].Interfaces = []string{"lan0"} }),
		"does not exist":            more(func(c *Config) { c.Zones[1].Interfaces = []string{"gone0"} }),
		"64 at most":                {Zones: make([]Zone, 65)},
	} {
		if _, err := Compile(cfg, interfacesForTest(), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
