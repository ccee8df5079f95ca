package ospf

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"

	"routerd/routing/ospf/wire"
)

// translatorStability is how long a router that is no longer elected goes on
// translating (RFC 3101 §3.1).
const translatorStability = 40 * time.Second

// translation is a router's part in translating the LSAs of an NSSA for the AS.
type translation struct {
	state TranslatorState
	// until is when a router that has lost the election ends; zero: it has not.
	until time.Time
	timer timer
}

// TranslatorState is whether a router translates the LSAs of an NSSA (RFC 3101 §3.1).
type TranslatorState uint8

const (
	TranslatorDisabled TranslatorState = iota
	TranslatorElected
	TranslatorEnabled // whatever others are there
)

var translatorStates = [...]string{"disabled", "elected", "enabled"}

// String gives the name used in tables and JSON.
func (s TranslatorState) String() string {
	if int(s) >= len(translatorStates) {
		return "unknown"
	}
	return translatorStates[s]
}

// wantNSSA decides what the router says in an NSSA of a network outside (RFC 3101
// §2.4).
func (m *Machine) wantNSSA(a *area, p netip.Prefix) (e saidExternal, said bool) {
	e.External, said = m.external(p)
	if p == anywhere && (a.cfg.DefaultInformation != nil || m.ours.role.border) {
		e.External, said = m.defaultRoute(a.cfg.DefaultInformation, wire.External{Mask: wire.MaskOf(0)})
	}
	if !said {
		return e, false
	}
	// What the router says to the AS itself is not to be translated, nor the default
	// route of a border router.
	propagate := !m.takesExternals() && !(p == anywhere && m.ours.role.border)
	if e.Forwarding = m.forwarding(p, a); propagate {
		e.options |= wire.OptionNP
		if e.Forwarding == 0 {
			e.Forwarding = m.inside(a)
		}
		if e.Forwarding == 0 {
			return e, false // RFC 3101 §2.3
		}
	}
	return e, !m.saidByAnother(a, p, &e)
}

// inside is an address of the router in the area, for packets that come from
// outside of it: of a loopback, else of a network with nobody else, else of any
// (RFC 3101 §2.3); 0 is that there is none.
func (m *Machine) inside(a *area) (best wire.ID) {
	rank := 0
	for _, l := range a.links {
		r := 1
		switch {
		case l.state == InterfaceDown || l.virtual() || l.unnumbered || m.suppresses(l):
			continue
		case l.state == InterfaceLoopback:
			r = 3
		case len(l.neighbors) == 0:
			r = 2
		}
		if r > rank {
			best, rank = l.self(), r
		}
	}
	return best
}

// electTranslator decides whether the router translates (RFC 3101 §3.1).
func (m *Machine) electTranslator(a *area) {
	t, was := &a.translation, a.translation.state
	now := TranslatorDisabled
	if a.Type == NSSA && m.ours.role.border && a.cfg.Translator != TranslatorNever {
		switch {
		case a.cfg.Translator == TranslatorAlways:
			now = TranslatorEnabled
		case !m.supplanted(a):
			now = TranslatorElected
		}
	}
	if was == TranslatorElected && now == TranslatorDisabled && m.ours.role.border && a.Type == NSSA && a.cfg.Translator == TranslatorCandidate {
		if t.until.IsZero() {
			t.until = m.now.Add(translatorStability)
			t.timer.Of = func() { m.recalculate("the time of an NSSA's translator is over") }
			m.due.Set(&t.timer, t.until)
		}
		if m.now.Before(t.until) {
			return
		}
	}
	m.due.Stop(&t.timer)
	t.state, t.until = now, time.Time{}
}

// supplanted reports whether another border router of the NSSA, that is reached
// within it and as an AS boundary router outside of it, translates in the place of
// this one.
func (m *Machine) supplanted(a *area) bool {
	for _, v := range a.tree.order {
		w := a.Graph.vertices.at(v)
		if w.network || w.id == m.router || w.flags&wire.RouterB == 0 {
			continue
		}
		if _, outside := m.table.preferredExit(w.id); outside && (w.flags&wire.RouterNt != 0 || w.id > m.router) {
			return true
		}
	}
	return false
}

// translate finds out which networks of NSSAs the router says to the AS (RFC 3101
// §3.2).
func (m *Machine) translate() {
	o := &m.outward
	old := o.translated
	o.translated = map[netip.Prefix]wire.External{}
	for _, a := range m.areas {
		m.electTranslator(a)
		if a.translation.state != TranslatorDisabled {
			m.translateArea(a)
		}
	}
	for _, p := range sortedPrefixes(o.translated) {
		now := o.translated[p]
		if was, known := old[p]; !known || was != now {
			o.dirty.put(p, struct{}{})
		}
	}
	for _, p := range sortedPrefixes(old) {
		if _, still := o.translated[p]; !still {
			o.dirty.put(p, struct{}{})
		}
	}
}

// translateArea translates the LSAs of one NSSA, or puts those together that a range
// is for.
func (m *Machine) translateArea(a *area) {
	within := map[netip.Prefix][]*Entry{} // by range
	ranges := slices.Clone(a.cfg.NSSARanges)
	slices.SortStableFunc(ranges, func(a, b Range) int { return cmp.Compare(b.Prefix.Bits(), a.Prefix.Bits()) })
	for e := range a.db.All(wire.NSSALSA) {
		if !m.translatable(a, e) {
			continue
		}
		p := e.LSA().Prefix()
		i := slices.IndexFunc(ranges, func(r Range) bool { return r.Prefix.Bits() <= p.Bits() && r.Prefix.Contains(p.Addr()) })
		switch {
		case i < 0:
			m.translateOne(e)
		case !ranges[i].Hide:
			within[ranges[i].Prefix] = append(within[ranges[i].Prefix], e)
		}
	}
	for _, r := range ranges {
		list := within[r.Prefix]
		if len(list) == 0 {
			continue
		}
		same := !slices.ContainsFunc(list, func(e *Entry) bool { return e.LSA().Prefix() != r.Prefix })
		if same {
			for _, e := range list {
				m.translateOne(e)
			}
			continue
		}
		m.aggregate(&r, list)
	}
}

// translatable reports whether an LSA is to be translated: it is one of a route in
// use, and its router wants it (RFC 3101 §3.2 (1)).
func (m *Machine) translatable(a *area, e *Entry) bool {
	l := e.LSA()
	b := wire.ExternalBody(l.Body())
	if !e.Usable() || e.prefix < 0 || e.self || l.Options()&wire.OptionNP == 0 || b.Forwarding() == 0 || b.Metric() == wire.Infinity {
		return false
	}
	p, ok := m.table.outside(e, &a.AreaState)
	if !ok || p.route.Prefix() == anywhere {
		return false
	}
	r := &m.table.routes[p.prefix]
	return r.Type == p.route.Type && r.Metric == p.route.Metric && r.Cost == p.route.Cost
}

// translateOne translates one LSA. Of several for one network the preferred one
// counts, then that of the highest router.
func (m *Machine) translateOne(e *Entry) {
	l := e.LSA()
	b := wire.ExternalBody(l.Body())
	x := wire.External{Mask: b.Mask(), Type2: b.Type2(), Metric: b.Metric(), Forwarding: b.Forwarding(), Tag: b.Tag()}
	p := l.Prefix()
	old, known := m.outward.translated[p]
	if !known || preferredExternal(&x, &old) || !preferredExternal(&old, &x) && x.Forwarding > old.Forwarding {
		m.outward.translated[p] = x
	}
}

// aggregate says one network for all of a range (RFC 3101 §3.2 (3)).
func (m *Machine) aggregate(r *Range, list []*Entry) {
	x := wire.External{Mask: wire.MaskOf(r.Prefix.Bits()), Tag: r.Tag}
	consider := func(type2 bool, metric uint32) {
		switch {
		case type2 && !x.Type2:
			x.Type2, x.Metric = true, metric
		case type2 == x.Type2:
			x.Metric = max(x.Metric, metric)
		}
	}
	for _, e := range list {
		b := wire.ExternalBody(e.LSA().Body())
		cost := b.Metric()
		if !b.Type2() {
			cost = m.table.routes[e.prefix].Cost // of type 1, the distance is part of it
		}
		consider(b.Type2(), cost)
	}
	if own, known := m.external(r.Prefix); known {
		consider(own.Type2, own.Metric)
	}
	if x.Type2 {
		x.Metric++
	}
	if r.Cost != 0 {
		x.Metric = r.Cost
	}
	x.Metric = min(x.Metric, wire.Infinity-1)
	m.outward.translated[r.Prefix] = x
}

func sortedPrefixes[V any](of map[netip.Prefix]V) []netip.Prefix {
	return slices.SortedFunc(maps.Keys(of), func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
}
