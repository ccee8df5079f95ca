package ospf

// Updated is what [Table.Update] did.
type Updated struct {
	// Kind is RunFull where any tree was calculated, RunIncremental where one was
	// repaired, else RunPartial.
	Kind RunKind
	// Whole: any route may have changed; otherwise only those to the Prefixes.
	Whole    bool
	Prefixes []int32
}

// Update brings t up to date with what has changed in the state since it was calculated:
// the trees of areas whose graphs are stale, then the routes to prefixes whose LSAs have
// changed, or with all set the routes to every prefix. The result is that of Calculate.
func (t *Table) Update(s *State, prefixes []int32, all bool) Updated {
	if t.state != s || t.numbers != s.Prefixes || len(t.Hops.sets) > 2*t.fresh+1024 { // of sets that nothing has any more
		t.Calculate(s)
		return Updated{Kind: RunFull, Whole: true}
	}
	u := Updated{Kind: RunPartial, Whole: all, Prefixes: prefixes}
	for _, a := range s.Areas {
		u.Whole = u.Whole || len(a.Ranges) > 0 && a.stale != SamePaths // a network of a range may have come or gone
		if a.stale == SomePaths || a.stale == OtherPrefixes {
			t.repair(a, &u)
		}
		if a.stale == OtherPaths {
			u.Kind, u.Whole = RunFull, true
		}
	}
	if u.Whole || !t.followPrefixes(u.Prefixes) {
		u.Whole = true
		t.follow(s)
	}
	return u
}

// repair has the tree of an area be repaired, or else calculated.
func (t *Table) repair(a *AreaState, u *Updated) {
	if len(t.state.Virtual) > 0 && a.stale == SomePaths { // paths through one area are links of another one
		a.stale = OtherPaths
		return
	}
	list, borders, ok := a.repair(u.Prefixes)
	if !ok {
		a.stale = OtherPaths
		return
	}
	if len(a.tree.repairs.moved) > 0 && u.Kind == RunPartial {
		u.Kind = RunIncremental
	}
	u.Prefixes, u.Whole = list, u.Whole || borders
	a.stale = SamePaths
	a.since.reset()
}

// followPrefixes calculates the routes to some prefixes anew, where their LSAs alone
// have changed (RFC 2328 §16.5, §16.6). It reports whether that is all: else the
// routes to others depend on these.
func (t *Table) followPrefixes(prefixes []int32) bool {
	for len(t.routes) < t.state.Prefixes.len() {
		t.routes = append(double(t.routes), Route{})
	}
	for _, n := range prefixes {
		old := t.routes[n]
		if old.Type > InterArea {
			old = Route{}
		}
		r := &t.routes[n]
		*r = Route{}
		for _, a := range t.state.Areas {
			t.intra(a, n)
		}
		for _, a := range t.state.Areas {
			if t.examined(a) {
				for e := range a.Graph.db.of(n) {
					t.summary(a, e)
				}
			}
		}
		for _, a := range t.state.Areas {
			if t.improves(a) {
				for e := range a.Graph.db.of(n) {
					t.improve(a, e)
				}
			}
		}
		if *r != old && len(t.reached) > 0 {
			return false // a forwarding address may be in it
		}
		if r.Type != noPath {
			t.lengths[r.prefix.bits()] = true
		}
		for e := range t.state.AS.of(n) {
			t.take(e, nil)
		}
		for _, a := range t.state.Areas {
			if a.Type == NSSA {
				for e := range a.Graph.db.of(n) {
					t.take(e, a)
				}
			}
		}
	}
	return true
}
