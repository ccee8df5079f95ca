package ospf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"routerd/routing/ospf/wire"
)

// grace is a neighbour's restart that the router helps with: it goes on saying that
// the neighbour is adjacent (RFC 3623 §3).
type grace struct {
	until  time.Time // zero: there is none
	reason RestartReason
	timer  timer
	// As its Hellos said before the restart.
	priority uint8
	dr, bdr  wire.ID
	// ended is why the last one ended or was refused; nil if there was none.
	ended error
}

// RestartReason is why a router restarts (RFC 3623 §B.2).
type RestartReason uint8

const (
	RestartUnknown RestartReason = iota
	RestartSoftware
	RestartUpgrade
	RestartSwitchover
)

var restartReasons = [...]string{"unknown", "software restart", "software upgrade", "switch to a redundant processor"}

// String says it in words, for tables and JSON.
func (r RestartReason) String() string {
	if int(r) >= len(restartReasons) {
		return "unknown"
	}
	return restartReasons[r]
}

// graceType is the opaque type of grace-LSAs (RFC 3623 §A).
const graceType = 3

var (
	errGraceOver     = errors.New("the grace period is over")
	errGraceDone     = errors.New("its restart is done")
	errGraceOff      = errors.New("helping is off")
	errGraceGone     = errors.New("the neighbour is gone")
	errGraceNotFull  = errors.New("it was not adjacent")
	errGraceChanged  = errors.New("it has not acknowledged LSAs that have changed")
	errGraceMissing  = errors.New("its grace-LSA says no period")
	errGraceTopology = errors.New("the topology has changed")
)

// helped reports whether the router helps the neighbour with a restart.
func (n *neighbor) helped() bool { return !n.grace.until.IsZero() }

// full reports whether the router says that it is adjacent to the neighbour.
func (n *neighbor) full() bool { return n.state == NeighborFull || n.helped() }

// hearGrace takes in an opaque LSA of a link: a neighbour's restart begins, goes on or
// is done (RFC 3623 §3.1, §3.2).
func (m *Machine) hearGrace(l *link, e *Entry) {
	a := e.LSA()
	if a.Type() != wire.LinkOpaque || a.ID()>>24 != graceType || e.Self() {
		return
	}
	period, reason, address := readGrace(a.Body())
	i := slices.IndexFunc(l.neighbors, func(n *neighbor) bool {
		return n.router == a.Router() && (address == 0 || l.network == PointToPoint || wire.IDOf(n.address) == address)
	})
	if i < 0 {
		return
	}
	n := l.neighbors[i]
	if !e.Usable() {
		m.endGrace(n, errGraceDone)
		return
	}
	// Its age says how much of the period is over.
	until := e.born().Add(period)
	if err := m.grants(n, period, until); err != nil {
		if n.helped() {
			m.endGrace(n, err)
		} else {
			n.grace.ended = err
			m.event(GraceRefused, l, n.address, err)
		}
		return
	}
	begins := !n.helped()
	n.grace.until, n.grace.reason = until, reason
	n.grace.timer.Of = func() { m.endGrace(n, errGraceOver) }
	m.due.Set(&n.grace.timer, until)
	if begins {
		n.grace.priority, n.grace.dr, n.grace.bdr = n.priority, n.dr, n.bdr
		m.helping++
		m.event(GraceBegun, l, n.address, fmt.Errorf("%v, for %v", reason, until.Sub(m.now).Round(time.Second)))
	}
}

// grants says why the router does not help a neighbour (RFC 3623 §3.1).
func (m *Machine) grants(n *neighbor, period time.Duration, until time.Time) error {
	switch cfg := &m.cfg.Helper; {
	case cfg.Off:
		return errGraceOff
	case period == 0:
		return errGraceMissing
	case period > cfg.LongestGrace:
		return fmt.Errorf("it asks for %v, and %v is the longest that is granted", period, cfg.LongestGrace)
	case !until.After(m.now):
		return errGraceOver
	case n.helped():
		return nil
	case n.state != NeighborFull:
		return errGraceNotFull
	}
	for e := range n.unacked.all {
		if e.differs && !opaque(e.lsa.Type()) {
			return errGraceChanged
		}
	}
	return nil
}

// readGrace reads the TLVs of a grace-LSA; a period of 0 is that there is none.
func readGrace(body []byte) (period time.Duration, reason RestartReason, address wire.ID) {
	for len(body) >= 4 {
		t, n := binary.BigEndian.Uint16(body), int(binary.BigEndian.Uint16(body[2:]))
		if len(body) < 4+n {
			return period, reason, address
		}
		value := body[4 : 4+n]
		switch {
		case t == 1 && n == 4:
			period = time.Duration(binary.BigEndian.Uint32(value)) * time.Second
		case t == 2 && n == 1:
			reason = RestartReason(value[0])
		case t == 3 && n == 4:
			address = wire.ID(binary.BigEndian.Uint32(value))
		}
		body = body[min(4+(n+3)&^3, len(body)):]
	}
	return period, reason, address
}

// endGrace has the router say again what the neighbour really is (RFC 3623 §3.2).
func (m *Machine) endGrace(n *neighbor, why error) {
	if !n.helped() {
		return
	}
	l := n.link
	m.due.Stop(&n.grace.timer)
	n.grace.until, n.grace.ended = time.Time{}, why
	m.helping--
	m.event(GraceEnded, l, n.address, why)
	l.elect = true
	m.dirtyRouter(l.area)
	m.dirtyNetwork(l)
	if n.state != NeighborFull {
		m.event(AdjacencyDown, l, n.address, why)
	}
	switch {
	case n.state == NeighborDown:
	case n.dead:
		m.event(NeighborDead, l, n.address, errBFD)
		m.lose(n, KillNbr, errBFD)
	case why == errGraceDone: // it has just said so
		m.after(&n.inactivity, l.cfg.dead())
	case m.now.Sub(n.heard) >= l.cfg.dead():
		m.lose(n, InactivityTimer, errSilent)
	}
}

// endGraces ends the help for those that would have to hear of an LSA whose content
// has changed: the network is no longer as they believe it to be (RFC 3623 §3.2 (3)).
// The area is nil of what has the AS's scope.
func (m *Machine) endGraces(e *Entry, a *area) {
	if m.helping == 0 || m.cfg.Helper.LooseLSAChecking || opaque(e.lsa.Type()) || !e.differs && !e.maxAge {
		return
	}
	for _, l := range m.order {
		if !l.active() || a != nil && l.area != a || a == nil && (l.area.stub() || l.virtual()) {
			continue
		}
		for _, n := range slices.Clone(l.neighbors) {
			if n.helped() {
				id := e.lsa.Identity()
				m.endGrace(n, fmt.Errorf("%w: %v %v of %v", errGraceTopology, id.Type, id.ID, id.Router))
			}
		}
	}
}

// reviewGraces ends the help that a changed configuration does not grant.
func (m *Machine) reviewGraces() {
	if m.helping == 0 || !m.cfg.Helper.Off {
		return
	}
	for _, l := range m.order {
		for _, n := range slices.Clone(l.neighbors) {
			m.endGrace(n, errGraceOff)
		}
	}
}

// candidate is the neighbour in elections: while it restarts, as it was before (RFC
// 3623 §3).
func (n *neighbor) candidate() Candidate {
	c := Candidate{Router: n.router, Name: n.name, Priority: n.priority, DR: n.dr, BDR: n.bdr}
	if n.helped() {
		c.Priority, c.DR, c.BDR = n.grace.priority, n.grace.dr, n.grace.bdr
	}
	return c
}
