package ospf

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"routerd/routing"
	"routerd/routing/ospf/wire"
)

// written gives the routes of a table in words.
func written(t *Table) (lines []string) {
	for r := range t.All {
		lines = append(lines, fmt.Sprintf("%v %v area %d cost %d metric %d tag %d by %v of %v",
			r.Prefix(), r.Type, r.Area, r.Cost, r.Metric, r.Tag, slices.Sorted(slices.Values(ways(&t.Hops, r.Ways))), r.Origin))
	}
	slices.Sort(lines)
	return lines
}

// Whatever changes, the table that follows the changes is the one that is calculated
// anew.
func TestTableFollowsChanges(t *testing.T) {
	partial, without, whole, some, borders := 0, 0, 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		s := newSite(0, 1, 2)
		var c changes
		for i, a := range s.state.Areas {
			if i > 0 {
				a.Type = rapid.SampledFrom([]AreaType{Normal, Stub, NSSA}).Draw(t, "type of area")
			}
			for d := range 5 {
				s.attach(a.ID, wire.ID(100+d), routing.InterfaceID(10*i+d), 1, 2, 3, 4, 5)
			}
			b := s.areas[a.ID]
			b.follow = func(e *Entry) { c.add(a, b.db, e) }
		}
		s.as.follow = func(e *Entry) { c.add(nil, s.as.db, e) }
		s.state.drawRole(t)
		s.state.RFC1583 = rapid.Bool().Draw(t, "RFC 1583")
		for range rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(t, "virtual links") {
			s.state.Virtual = append(s.state.Virtual, VirtualLink{drawID(t), wire.ID(rapid.Uint32Range(1, 2).Draw(t, "transit area"))})
		}
		prefix := rapid.SampledFrom([]string{"0.0.0.1/32", "0.0.0.2/31", "0.0.0.0/0", "0.0.0.0/29", "9.0.0.0/8", "9.0.0.0/9"})
		metric := rapid.OneOf(rapid.Uint32Range(1, 4), rapid.Just(uint32(wire.Infinity)))
		for _, a := range s.areas {
			a.drawNetwork(t, rapid.Uint16Range(1, 3))
		}
		for range rapid.IntRange(1, 12).Draw(t, "calculations") {
			kinds := []string{"network", "links", "summary", "summary", "boundary", "external", "external", "nssa", "sweep"}
			if rapid.Bool().Draw(t, "of links") {
				kinds = []string{"links", "links", "links", "summary"}
			}
			for range rapid.IntRange(1, 3).Draw(t, "changes") {
				a := s.areas[wire.ID(rapid.Uint32Range(0, 2).Draw(t, "area"))]
				switch rapid.SampledFrom(kinds).Draw(t, "what") {
				case "network":
					a.drawLSA(t, rapid.Uint16Range(1, 3))
				case "links":
					a.drawLinks(t, rapid.Uint16Range(1, 3))
				case "summary":
					a.summary(drawID(t), prefix.Draw(t, "prefix"), metric.Draw(t, "metric"))
				case "boundary":
					a.boundary(drawID(t), drawID(t), metric.Draw(t, "metric"))
				case "external":
					s.as.external(wire.ExternalLSA, drawID(t), prefix.Draw(t, "prefix"), drawExternal(t, metric.Draw(t, "metric"), rapid.Uint32Range(1, 5)))
				case "nssa":
					a.external(wire.NSSALSA, drawID(t), prefix.Draw(t, "prefix"), drawExternal(t, metric.Draw(t, "metric"), rapid.Uint32Range(1, 5)))
				case "sweep":
					for _, typ := range []wire.LSType{wire.SummaryLSA, wire.NetworkLSA, wire.RouterLSA} {
						if e := a.anyOf(t, typ); e != nil {
							a.db.end(e)
							a.follow(e)
						}
					}
					a.db.Sweep(start, false, func(*Entry) { t.Fatal("flooded") })
				}
			}
			if !c.any() {
				continue
			}
			switch u := s.table.Update(&s.state, c.prefixes, c.all); {
			case u.Kind == RunFull:
				whole++
			case u.Kind == RunIncremental && u.Whole:
				borders++
			case u.Kind == RunIncremental:
				some++
			case u.Whole:
				without++
			default:
				partial++
			}
			c.reset()
			anew := s.state
			anew.Areas = nil
			for _, a := range s.state.Areas {
				anew.Areas = append(anew.Areas, &AreaState{ID: a.ID, Type: a.Type, Graph: a.Graph, Attachments: a.Attachments})
			}
			var table Table
			table.Calculate(&anew)
			if got, want := written(&s.table), written(&table); !slices.Equal(got, want) {
				t.Fatalf("got\n%q, want\n%q", got, want)
			}
		}
	})
	if !testing.Short() && (partial < 5 || without < 5 || whole < 5 || some+borders < 5) {
		t.Errorf("%d calculations of some prefixes, %d of all, %d with all shortest paths, %d with some and %d with some to border routers: too few of one", partial, without, whole, some, borders)
	}
}

// anyOf gives one of the LSAs of a type, nil if there is none.
func (a *areaBed) anyOf(t *rapid.T, typ wire.LSType) *Entry {
	n := a.db.Len(typ)
	if n == 0 {
		return nil
	}
	skip := rapid.IntRange(0, n-1).Draw(t, "which")
	for e := range a.db.All(typ) {
		if skip == 0 {
			return e
		}
		skip--
	}
	return nil
}

// What an LSA changes decides what is calculated: nothing, its prefix, or all.
func TestChanges(t *testing.T) {
	s := newSite(0)
	a, b := s.state.Areas[0], s.areas[0]
	var c changes
	b.follow = func(e *Entry) { c.add(a, b.db, e) }
	s.as.follow = func(e *Entry) { c.add(nil, s.as.db, e) }
	state := func() string {
		text := fmt.Sprintf("stale %d, prefixes %d, all %v, %d of %d triggers", a.stale, len(c.prefixes), c.all, len(c.why), c.count)
		c.reset()
		a.stale = SamePaths
		return text
	}
	for _, tt := range []struct {
		name string
		do   func()
		want string
	}{
		{"a router", func() { b.router(2, 0, p2p(3, 1, 10)) }, "stale 3, prefixes 0, all false, 1 of 1 triggers"},
		{"the same again", func() { b.router(2, 0, p2p(3, 1, 10)) }, "stale 0, prefixes 0, all false, 0 of 0 triggers"},
		{"one more prefix", func() { b.router(2, 0, p2p(3, 1, 10), stubNet(9, 0xffffffff, 1)) }, "stale 1, prefixes 0, all false, 1 of 1 triggers"},
		{"another cost of it", func() { b.router(2, 0, p2p(3, 1, 10), stubNet(9, 0xffffffff, 2)) }, "stale 1, prefixes 0, all false, 1 of 1 triggers"},
		{"a bit", func() { b.router(2, wire.RouterB, p2p(3, 1, 10), stubNet(9, 0xffffffff, 2)) }, "stale 3, prefixes 0, all false, 1 of 1 triggers"},
		{"a network", func() { b.network(7, 2, 2, 3) }, "stale 3, prefixes 0, all false, 1 of 1 triggers"},
		{"a network goes", func() { b.install(wire.NetworkLSA, 7, 2, wire.MaxAge, &wire.Network{}) }, "stale 3, prefixes 0, all false, 1 of 1 triggers"},
		{"a summary", func() { b.summary(2, "9.0.0.0/8", 1) }, "stale 0, prefixes 1, all false, 1 of 1 triggers"},
		{"another mask of it", func() { b.summary(2, "9.0.0.0/9", 1) }, "stale 0, prefixes 2, all false, 1 of 1 triggers"},
		{"one of the router itself", func() { b.summary(self, "9.0.0.0/9", 1) }, "stale 0, prefixes 0, all false, 0 of 0 triggers"},
		{"an AS boundary router", func() { b.boundary(2, 4, 1) }, "stale 0, prefixes 0, all true, 1 of 1 triggers"},
		{"an external", func() { s.as.external(wire.ExternalLSA, 2, "8.0.0.0/8", wire.External{}) }, "stale 0, prefixes 1, all false, 1 of 1 triggers"},
		{"an opaque one", func() { b.install(wire.AreaOpaque, 1<<24, 2, 0, wire.Opaque{1, 2, 3, 4}) }, "stale 0, prefixes 0, all false, 0 of 0 triggers"},
		{"many", func() {
			for range 9 {
				b.summary(2, "9.0.0.0/8", 1)
			}
		}, "stale 0, prefixes 10, all false, 4 of 9 triggers"},
	} {
		tt.do()
		if got := state(); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}
