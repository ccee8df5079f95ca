package ospf

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"routerd/routing"
	"routerd/routing/ospf/wire"
)

// Scope says which of a router's databases an LSA is in.
type Scope uint8

const (
	ScopeAS Scope = iota
	ScopeArea
	ScopeLink
)

var scopes = [...]string{"as", "area", "link"}

// String gives the name used in tables and JSON.
func (s Scope) String() string {
	if int(s) >= len(scopes) {
		return "unknown"
	}
	return scopes[s]
}

// LSAKey is the place of an LSA in the order of all that a router has.
type LSAKey struct {
	Scope Scope
	Area  wire.ID // of ScopeArea and ScopeLink
	// Link is of ScopeLink.
	Link routing.InterfaceID
	wire.Identity
}

// Compare orders keys: by scope, area, link, type, router and ID.
func (k LSAKey) Compare(o LSAKey) int {
	return cmp.Or(
		cmp.Compare(k.Scope, o.Scope), cmp.Compare(k.Area, o.Area), cmp.Compare(k.Link, o.Link),
		cmp.Compare(k.Type, o.Type), cmp.Compare(k.ID, o.ID), cmp.Compare(k.Router, o.Router),
	)
}

// LSAFilter selects LSAs. The zero LSAFilter selects all.
type LSAFilter struct {
	Types  []wire.LSType        // nil: all
	Area   *wire.ID             // of ScopeArea and ScopeLink
	Link   *routing.InterfaceID // of ScopeLink
	ID     *wire.ID
	Router *wire.ID
	After  *LSAKey // those behind it
}

// LSAInfo is an LSA of a database for the show commands.
type LSAInfo struct {
	LSAKey
	Header    wire.Header // with its age now
	Body      []byte      // a copy
	Prefix    netip.Prefix
	Self      bool      // the router's own
	Flooded   bool      // it came by flooding
	Installed time.Time // this instance
	Lists     int       // retransmission lists that it is on
	Pending   bool      // the next instance waits for MinLSInterval or for this one to be gone
}

// LSAs returns copies of up to limit LSAs that the filter selects, as they are at
// the time now, in the order of their keys.
func (m *Machine) LSAs(now time.Time, f LSAFilter, limit int) []LSAInfo {
	p := lsaPage{filter: f, limit: max(limit, 0)}
	if m.as != nil {
		p.look(m.as, LSAKey{})
	}
	for _, a := range m.areas {
		p.look(a.db, LSAKey{Scope: ScopeArea, Area: a.ID})
	}
	for _, l := range m.order {
		if l.active() && l.db != nil {
			p.look(l.db, LSAKey{Scope: ScopeLink, Area: l.area.ID, Link: l.id})
		}
	}
	p.cut()
	list := make([]LSAInfo, len(p.found))
	for i, x := range p.found {
		list[i] = x.entry.info(x.LSAKey, now)
	}
	return list
}

// lsaPage gathers the first LSAs in order, out of many in none. It holds at most
// twice as many as it is to have.
type lsaPage struct {
	filter LSAFilter
	limit  int
	found  []keyed
	full   bool // what comes behind the last one is not wanted any more
}

type keyed struct {
	LSAKey
	entry *Entry
}

// look takes in a database, whose LSAs have the key but for their identity.
func (p *lsaPage) look(d *Database, key LSAKey) {
	f := &p.filter
	if p.limit == 0 || f.Area != nil && (key.Scope == ScopeAS || key.Area != *f.Area) || f.Link != nil && (key.Scope != ScopeLink || key.Link != *f.Link) {
		return
	}
	for t := range d.lists {
		if len(f.Types) > 0 && !slices.Contains(f.Types, wire.LSType(t)) {
			continue
		}
		for _, e := range d.lists[t] {
			key.Identity = e.lsa.Identity()
			switch {
			case f.ID != nil && key.ID != *f.ID, f.Router != nil && key.Router != *f.Router:
			case f.After != nil && key.Compare(*f.After) <= 0:
			case p.full && key.Compare(p.found[p.limit-1].LSAKey) > 0:
			default:
				if p.found = append(p.found, keyed{key, e}); len(p.found) == 2*p.limit {
					p.cut()
				}
			}
		}
	}
}

// cut sorts what was found and leaves out what is too much.
func (p *lsaPage) cut() {
	slices.SortFunc(p.found, func(a, b keyed) int { return a.Compare(b.LSAKey) })
	if p.full = len(p.found) >= p.limit; p.full {
		p.found = p.found[:p.limit]
	}
}

func (e *Entry) info(key LSAKey, now time.Time) LSAInfo {
	x := LSAInfo{
		LSAKey: key, Header: e.Header(now), Body: slices.Clone(e.lsa.Body()), Self: e.self, Flooded: e.flooded,
		Installed: e.installed, Lists: e.lists, Pending: e.pending != nil,
	}
	switch key.Type {
	case wire.NetworkLSA, wire.SummaryLSA, wire.ExternalLSA, wire.NSSALSA:
		x.Prefix = e.lsa.Prefix()
	}
	return x
}
