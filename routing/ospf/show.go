package ospf

import (
	"time"

	"routerd/routing/ospf/wire"
)

// Summary describes the machine as a whole.
type Summary struct {
	Router wire.ID // 0 while none is known
	Chosen bool    // it is not configured
	// Border and Boundary are what the router's own LSAs say: that it is an area
	// border router, and an AS boundary router.
	Border, Boundary bool
	Stub             bool // it offers itself for no transit now (RFC 6987)
	SPF              SPFInfo
	Areas            []AreaInfo
	AS               LSACounts // of the AS's scope
	Received, MaxLSA int       // LSAs of others in all databases, and their bound; 0 = none
	Neighbors        [numNeighborStates]int
	Interfaces       int
	Routes           [External2 + 1]int // by PathType
	LSAs             LSACounts          // of all scopes
	Counters         Counters           // of all interfaces
}

// SPFInfo is when and why routes were calculated, and when they will be.
type SPFInfo struct {
	Wait    Wait      // how changes are gathered now
	Due     time.Time // the next calculation; zero: nothing has changed
	Changes int       // since the last one
	Runs    [RunAlternates + 1]uint64
	Last    []Run // the latest first
}

// LSACounts are numbers of LSAs by wire.LSType.
type LSACounts [wire.ASOpaque + 1]int

// AreaInfo is an area for the show commands.
type AreaInfo struct {
	ID                wire.ID
	Type              AreaType
	NoSummaries       bool
	Interfaces        int
	Neighbors, Full   int
	LSAs              LSACounts
	Routers           int  // that are reached, this one too
	Borders, Boundary int  // of them
	Transit           bool // it carries traffic between other areas (RFC 2328 §6)
	// Translator is whether this router translates the LSAs of an NSSA, and
	// TranslatesUntil until when where another one is elected; zero: none is.
	Translator      TranslatorState
	TranslatesUntil time.Time
}

// Summary returns the totals at the time now.
func (m *Machine) Summary(now time.Time) Summary {
	s := Summary{Router: m.router, Chosen: m.chosen, Received: m.limit.Used(), MaxLSA: m.limit.Max, Stub: m.ours.role.stub}
	schedule := m.calc.schedule
	schedule.elapse(now)
	s.SPF = SPFInfo{Wait: schedule.Wait(), Due: schedule.Deadline(), Changes: m.calc.changes.count, Runs: m.calc.kinds, Last: m.lastRuns()}
	for _, a := range m.areas {
		x := a.info()
		s.Areas = append(s.Areas, x)
		s.LSAs.add(&x.LSAs)
		flags := a.flags(m.router)
		s.Border, s.Boundary = s.Border || flags&wire.RouterB != 0, s.Boundary || flags&wire.RouterE != 0
	}
	if m.as != nil {
		s.AS.count(m.as)
		s.LSAs.add(&s.AS)
	}
	for _, l := range m.order {
		if !l.active() {
			continue
		}
		s.Interfaces++
		for _, n := range l.neighbors {
			s.Neighbors[n.state]++
		}
		if l.db != nil {
			s.LSAs.count(l.db)
		}
		s.Counters.add(&l.counters)
	}
	for r := range m.table.All {
		s.Routes[r.Type]++
	}
	return s
}

func (c *LSACounts) count(d *Database) {
	for t := range c {
		c[t] += d.Len(wire.LSType(t))
	}
}

func (c *LSACounts) add(o *LSACounts) {
	for t, n := range o {
		c[t] += n
	}
}

// Sum is how many there are of all types.
func (c *LSACounts) Sum() (sum int) {
	for _, n := range c {
		sum += n
	}
	return sum
}

func (c *Counters) add(o *Counters) {
	for t := range c.Sent {
		c.Sent[t] += o.Sent[t]
		c.Received[t] += o.Received[t]
	}
	for r := range c.Refused {
		c.Refused[r] += o.Refused[r]
	}
	for s := range c.Standings {
		c.Standings[s] += o.Standings[s]
	}
	c.Retransmitted += o.Retransmitted
}

// info describes the area.
func (a *area) info() AreaInfo {
	x := AreaInfo{ID: a.ID, Type: a.Type, NoSummaries: a.NoSummaries, Interfaces: len(a.links), Transit: a.tree.Transit}
	x.Translator, x.TranslatesUntil = a.translation.state, a.translation.until
	for _, l := range a.links {
		x.Neighbors += len(l.neighbors)
		x.Full += l.full()
	}
	x.LSAs.count(a.db)
	for _, v := range a.tree.order {
		w := a.Graph.vertices.at(v)
		if w.network {
			continue
		}
		x.Routers++
		if w.flags&wire.RouterB != 0 {
			x.Borders++
		}
		if w.flags&wire.RouterE != 0 {
			x.Boundary++
		}
	}
	return x
}

// flags are those of a router's LSA.
func (a *area) flags(router wire.ID) wire.RouterFlags {
	e := a.db.Find(wire.Identity{Type: wire.RouterLSA, ID: router, Router: router})
	if e == nil || !e.Usable() {
		return 0
	}
	return wire.RouterBody(e.lsa.Body()).Flags()
}

// remains is when a timer ends, the zero Time if it is not set.
func remains(t *timer) time.Time {
	if !t.IsSet() {
		return time.Time{}
	}
	return t.At()
}
