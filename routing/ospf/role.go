package ospf

import "slices"

// ours is what the router says of its own, and what it depends on.
type ours struct {
	role     role
	dirty    bool    // the role may be another one
	anywhere int32   // number of 0.0.0.0/0
	all      []int32 // numbers of prefixes, as many as there have been
}

// role is what the router is among the others.
type role struct {
	border    bool // an area border router
	connected bool // to a working backbone, whose summaries alone are then examined
	boundary  bool // an AS boundary router
	stub      bool // offers itself for no transit (RFC 6987)
}

// roleNow finds out what the router is. RFC 3509 §2.1 has it be an area border router
// only where it is attached to the backbone, and examine the summaries of all areas
// where it is adjacent to nobody there.
func (m *Machine) roleNow() (r role) {
	active, inBackbone := 0, false
	for _, a := range m.areas {
		if !a.attached() {
			continue
		}
		active++
		if a.ID == backbone {
			inBackbone = true
			r.connected = a.full()
		}
	}
	nssa := slices.ContainsFunc(m.areas, func(a *area) bool { return a.Type == NSSA && a.attached() })
	r.border = active > 1 && (inBackbone || m.cfg.StandardABR)
	r.connected = r.border && (r.connected || m.cfg.StandardABR)
	r.stub = m.discouraged()
	r.boundary = m.saysExternals() || r.border && nssa // RFC 3101 §3.1
	return r
}

// attached reports whether any interface in the area is not down.
func (a *area) attached() bool {
	for _, l := range a.links {
		if l.state != InterfaceDown && (!l.virtual() || l.full() > 0) {
			return true
		}
	}
	return false
}

// full reports whether any neighbour in the area is.
func (a *area) full() bool {
	for _, l := range a.links {
		if l.full() > 0 {
			return true
		}
	}
	return false
}

// enact has the router be in a role.
func (m *Machine) enact(r role) {
	was := m.ours.role
	if r == was {
		return
	}
	m.ours.role, m.state.Border, m.state.Connected = r, r.border, r.connected
	for _, a := range m.areas {
		a.dirty = true
		m.applyRanges(a)
	}
	if r.border != was.border {
		m.reviewExternals()
	}
	if r.border != was.border || r.connected != was.connected {
		m.recalculate("the router's part among areas")
	}
}
