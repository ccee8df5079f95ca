package ospf

import "time"

// startup is since when the router runs, for as long as it offers itself for no
// transit after its start (RFC 6987).
type startup struct {
	begun time.Time
	timer timer
}

// discouraged reports whether the router offers itself for no transit.
func (m *Machine) discouraged() bool {
	return m.stopping || m.cfg.StubRouter.Always || m.now.Before(m.startup.begun.Add(m.cfg.StubRouter.OnStartup))
}

// considerStartup has the router offer itself again when the time after its start is
// over, which the first configuration and later ones say.
func (m *Machine) considerStartup() {
	s := &m.startup
	if s.begun.IsZero() {
		s.begun = m.now
	}
	s.timer.Of = func() { m.ours.dirty = true }
	if until := s.begun.Add(m.cfg.StubRouter.OnStartup); until.After(m.now) {
		m.due.Set(&s.timer, until)
	} else {
		m.due.Stop(&s.timer)
	}
}
