package ospf

import (
	"time"

	"routerd/routing/ospf/wire"
)

// Trigger is an LSA whose change has routes calculated, or where Because is not
// empty, something else.
type Trigger struct {
	LSA     wire.Identity
	Area    wire.ID // of LSAs that an area has
	Flushed bool    // the LSA has MaxAge
	Because string
}

// mostTriggers is how many of them are kept for each calculation.
const mostTriggers = 4

// changes are what has changed since routes were calculated.
type changes struct {
	since    time.Time // of the first one; zero: there are none
	prefixes []int32   // numbers of those whose LSAs have changed
	all      bool      // all routes may be others
	why      []Trigger // the first ones
	count    int       // of LSAs and others
}

// any reports whether there are any.
func (c *changes) any() bool { return c.count > 0 }

// reset forgets them.
func (c *changes) reset() {
	*c = changes{prefixes: c.prefixes[:0]}
}

// add takes in that an LSA of the area, or of the AS where that is nil, was
// installed, has got MaxAge or was removed. It reports whether routes may follow
// from it.
func (c *changes) add(a *AreaState, db *Database, e *Entry) bool {
	matters := false
	l := e.LSA()
	switch t := l.Type(); {
	case a != nil && (t == wire.RouterLSA || t == wire.NetworkLSA):
		matters = a.follow(e) != SamePaths
	case e.self:
	case t == wire.SummaryLSA || t == wire.ExternalLSA || t == wire.NSSALSA:
		if e.prefix >= 0 {
			c.prefixes = append(c.prefixes, e.prefix)
			matters = true
		}
	case t == wire.ASBRSummary:
		c.all, matters = true, true
	}
	if dropped := db.takeDropped(); len(dropped) > 0 && !e.self {
		c.prefixes = append(c.prefixes, dropped...)
		matters = true
	}
	if !matters {
		return false
	}
	x := Trigger{LSA: l.Identity(), Flushed: !e.Usable()}
	if a != nil {
		x.Area = a.ID
	}
	c.trigger(x)
	return true
}

// trigger says why.
func (c *changes) trigger(x Trigger) {
	if c.count++; len(c.why) < mostTriggers {
		c.why = append(c.why, x)
	}
}
