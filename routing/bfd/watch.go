package bfd

import (
	"net/netip"
	"slices"
	"strings"

	"routerd/routing"
	"routerd/routing/protocol"
)

// watch is one client's wish to hear of a path. That of a configured peer has no
// client, and nobody hears.
type watch struct {
	client string
	protocol.Watch
	peer    *Peer // of a configured one
	session *session
	told    opinion
}

// wish tells watches apart.
type wish struct {
	client string
	path   protocol.Path
	iface  string // of a configured peer
}

// watch takes in that a client asks.
func (m *Machine) watch(x protocol.WatchFor) {
	k := wish{client: x.Client, path: x.Watch.Path}
	w := m.watches[k]
	if w == nil {
		w = &watch{client: x.Client}
		m.watches[k] = w
	}
	w.Watch = x.Watch
	m.attach(w)
}

// unwatch takes in that it asks no longer.
func (m *Machine) unwatch(x protocol.UnwatchFor) { m.forget(wish{client: x.Client, path: x.Path}) }

func (m *Machine) forget(k wish) {
	if w := m.watches[k]; w != nil {
		delete(m.watches, k)
		m.detach(w)
	}
}

// attach gives a watch the session of its path, as the links are now.
func (m *Machine) attach(w *watch) {
	k, found := m.find(w)
	if w.session != nil && (!found || w.session.key != k) {
		m.detach(w)
	}
	if found && w.session == nil {
		s := m.sessions[k]
		if s == nil {
			s = m.create(k)
		}
		s.goodbyes = 0
		s.watches = append(s.watches, w)
		w.session = s
	}
	if w.session != nil {
		m.settle(w.session)
		return
	}
	m.tell(w, unknown)
}

// detach takes a watch from its session, which ends with the last one.
func (m *Machine) detach(w *watch) {
	s := w.session
	if s == nil {
		return
	}
	w.session = nil
	s.watches = slices.DeleteFunc(s.watches, func(o *watch) bool { return o == w })
	m.tellAll(s)
	if len(s.watches) > 0 {
		m.settle(s)
		return
	}
	m.leave(s)
}

// find gives the key of the session for a watch; false where no link has the
// neighbour.
func (m *Machine) find(w *watch) (key, bool) {
	if w.Multihop {
		return key{link: routing.NoInterface, address: w.Address, source: w.Source, multihop: true}, true
	}
	k := key{link: w.Link, address: w.Address}
	switch {
	case w.peer != nil && w.peer.Interface != "":
		k.link = m.named(w.peer.Interface)
	case w.Link == routing.NoInterface:
		k.link = m.linkOf(w.Address)
	}
	return k, k.link != routing.NoInterface
}

// settle has a session go by what those who ask for it want.
func (m *Machine) settle(s *session) {
	s.profile, s.profileName, s.shutdown = m.choose(s)
	m.expect(s)
	m.shut(s, s.shutdown)
	m.retime(s, false)
	m.say(s)
	m.tellAll(s)
}

// choose gives the parameters of a session: those of its peer if it is
// configured, or else of the profile with the shortest detection time, as RFC
// 5882 §4.1 advises.
func (m *Machine) choose(s *session) (best Profile, name string, shutdown bool) {
	first := true
	for _, w := range s.watches {
		p := m.profile(w.Profile)
		if w.peer != nil {
			return p, w.Profile, w.peer.Shutdown
		}
		if first || p.detection() < best.detection() || p.detection() == best.detection() && strings.Compare(w.Profile, name) < 0 {
			best, name, first = p, w.Profile, false
		}
	}
	return best, name, false
}

func (m *Machine) profile(name string) Profile {
	if p, ok := m.cfg.Profiles[name]; ok {
		return p
	}
	if p, ok := m.cfg.Profiles[""]; ok {
		return p
	}
	return DefaultProfile()
}

// tellAll tells everybody who asks for a session what it says of the path, and
// packets first where to go.
func (m *Machine) tellAll(s *session) {
	o := s.opinion()
	speaks := false // against the path
	for _, w := range s.watches {
		speaks = speaks || w.hears(o) == dead
	}
	if speaks != s.hopDead && !s.multihop {
		m.emit(protocol.HopState{Link: s.link, Address: s.address, Cause: routing.CauseBFD, Alive: !speaks})
	}
	s.hopDead = speaks
	for _, w := range s.watches {
		m.tell(w, o)
	}
}

// hears gives what a client makes of a session's opinion. What it was told last
// holds while the session has none.
func (w *watch) hears(o opinion) opinion {
	switch {
	case w.peer != nil: // nobody hears
		return unknown
	case o != unknown:
		return o
	case w.Strict && w.told != alive:
		return dead
	case w.told == dead: // what spoke against it does no longer
		return alive
	}
	return w.told
}

// tell gives a client what it has to hear of an opinion, if that is news to it.
func (m *Machine) tell(w *watch, o opinion) {
	o = w.hears(o)
	if o == w.told || o == unknown {
		return
	}
	w.told = o
	m.emit(protocol.Tell{Client: w.client, State: protocol.NeighborState{
		Link: w.Link, Address: w.Address, Cause: routing.CauseBFD, Alive: o == alive,
	}})
}

// named gives the link of the name, NoInterface where there is none.
func (m *Machine) named(name string) routing.InterfaceID {
	for _, l := range m.order {
		if l.Name == name {
			return l.Link
		}
	}
	return routing.NoInterface
}

// linkOf gives the link whose subnet has the address, one that is up rather than
// another; NoInterface where there is none.
func (m *Machine) linkOf(a netip.Addr) routing.InterfaceID {
	best := routing.NoInterface
	for _, l := range m.order {
		if !slices.ContainsFunc(l.Addresses, func(p netip.Prefix) bool { return p.Contains(a) && p.Addr() != a }) {
			continue
		}
		if l.up {
			return l.Link
		}
		if best == routing.NoInterface {
			best = l.Link
		}
	}
	return best
}
