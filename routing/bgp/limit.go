package bgp

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"routerd/routing/bgp/wire"
)

// LimitAction is what becomes of a neighbour that has more routes than it may have; the
// words are BIRD's.
type LimitAction uint8

// The actions.
const (
	// LimitRestart ends the session, for FamilyConfig.Restart or, if that is 0, until it is
	// cleared (RFC 4486 §4).
	LimitRestart LimitAction = iota
	LimitWarn                // that is noted in the log, and nothing else
	LimitBlock               // no more are taken; what is refused comes when it is asked for again
	numLimitActions
)

var limitActions = [numLimitActions]string{"restart", "warn", "block"}

// String gives the word used in configuration and JSON.
func (a LimitAction) String() string {
	if a >= numLimitActions {
		return "unknown"
	}
	return limitActions[a]
}

// limited is how far a neighbour is with the limit of a family.
type limited struct {
	warned   bool // that it comes near
	exceeded bool // that it is above, or would be
	blocked  bool // something was not taken since limits were looked at
}

// pathPrefix is a route as its neighbour names it: by its prefix and path identifier.
type pathPrefix struct {
	prefix netip.Prefix
	path   uint32
}

// count is how many routes the limit of a family is for.
func (s *source) count(f wire.Family, received bool) int {
	if received {
		return s.routes[f] + len(s.rejected[f])
	}
	return s.routes[f]
}

// full reports whether the neighbour has as many routes as are taken.
func (n *neighbor) full(f wire.Family) bool {
	c := &n.cfg.Families[f]
	return c.LimitAction == LimitBlock && c.MaximumPrefixes > 0 && n.source.count(f, c.LimitReceived) >= c.MaximumPrefixes
}

// tooMany reports whether the session has to end for what the neighbour has of a family.
func (n *neighbor) tooMany(f wire.Family) bool {
	c := &n.cfg.Families[f]
	return c.LimitAction == LimitRestart && c.MaximumPrefixes > 0 && n.source.count(f, c.LimitReceived) > c.MaximumPrefixes
}

// reject removes a route of a neighbour that is not accepted. It counts as received
// nevertheless, if there is a limit of these.
func (m *Machine) reject(n *neighbor, f wire.Family, p netip.Prefix, path uint32) {
	m.remove(n, f, p, path)
	c, s := &n.cfg.Families[f], n.source
	if !c.LimitReceived || c.MaximumPrefixes == 0 || !wire.Destination(p) {
		return
	}
	if n.full(f) {
		n.limits[f].blocked = true
		return
	}
	if s.rejected[f] == nil {
		s.rejected[f] = map[pathPrefix]uint16{}
	}
	s.rejected[f][pathPrefix{p, path}] = n.machine.ribs[f].table.round(s.number)
	n.over = n.over || n.tooMany(f)
}

// watchLimits notes in the log which limits a neighbour comes near to, and which it has
// passed, and ends the session with one that has too many routes.
func (m *Machine) watchLimits(n *neighbor) {
	if n.source == nil {
		return
	}
	if n.over {
		m.punish(n)
		return
	}
	for f := range n.limits {
		c, l := &n.cfg.Families[f], &n.limits[f]
		if c.MaximumPrefixes == 0 {
			*l = limited{}
			continue
		}
		has := n.source.count(wire.Family(f), c.LimitReceived)
		exceeded := has > c.MaximumPrefixes || l.blocked || l.exceeded && has == c.MaximumPrefixes
		if exceeded && !l.exceeded {
			n.event(PrefixLimit, n.limitError(wire.Family(f)))
		}
		warned := c.LimitWarning > 0 && has*100 >= c.MaximumPrefixes*c.LimitWarning
		if warned && !l.warned && !exceeded {
			n.event(PrefixWarning, n.limitError(wire.Family(f)))
		}
		*l = limited{warned: warned, exceeded: exceeded}
	}
}

func (n *neighbor) limitError(f wire.Family) error {
	c := &n.cfg.Families[f]
	was := "accepted"
	if c.LimitReceived {
		was = "received"
	}
	return fmt.Errorf("%d %v prefixes were %s, the maximum is %d", n.source.count(f, c.LimitReceived), f, was, c.MaximumPrefixes)
}

// punish ends the session with a neighbour that has too many prefixes (RFC 4486 §4).
func (m *Machine) punish(n *neighbor) {
	n.over = false
	for f := range wire.Family(wire.NumFamilies) {
		if !n.tooMany(f) {
			continue
		}
		c := &n.cfg.Families[f]
		n.event(PrefixLimit, n.limitError(f))
		n.held = true // its routes are not kept for a restart either
		m.halt(n, wire.Notification{Code: wire.CodeCease, Subcode: wire.CeaseMaxPrefixes, Data: limitData(f, c.MaximumPrefixes)})
		if c.Restart > 0 {
			m.tasks.Set(&n.begin.timer, m.now.Add(c.Restart))
		}
		return
	}
}

// limitData says in a NOTIFICATION which limit was passed (RFC 4486 §4).
func limitData(f wire.Family, most int) []byte {
	afi, safi := f.Codes()
	b := append(binary.BigEndian.AppendUint16(nil, afi), safi)
	return binary.BigEndian.AppendUint32(b, uint32(most))
}
