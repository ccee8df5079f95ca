package bfd

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"routerd/routing"
	"routerd/routing/bfd/wire"
	"routerd/routing/protocol"
)

// udp is the number of the protocol that carries BFD.
const udp = 17

// The ports that packets are sent to (RFC 5881 §4, RFC 5883 §5).
const (
	SinglePort = 3784
	MultiPort  = 4784
)

// Machine speaks BFD for one router. It is a value without goroutines, locks or
// a clock: whoever owns it calls Step and does what the effects say. Not safe for
// concurrent use.
type Machine struct {
	cfg  Config
	rand *rand.Rand

	links map[routing.InterfaceID]*link
	order []*link // the same, by number

	watches        map[wish]*watch
	sessions       map[key]*session
	discriminators map[uint32]*session
	ports          map[uint16]int
	claims         map[protocol.Claim]int
	expects        map[protocol.Expect]int
	queue          queue
	stray          Refusals // packets that are of no session
	totals         Counters // of all sessions there were, never cleared

	stopping, stopped bool
	packet            wire.Packet // being read
	now               time.Time   // of the Step under way
	out               []protocol.Effect
}

// link is an interface that the machine was told of. It is kept while it is
// down, so that what is on it is still found.
type link struct {
	protocol.LinkUp
	up bool
}

// New makes a machine without sessions.
func New(s protocol.Start) *Machine {
	return &Machine{
		rand:           rand.New(rand.NewPCG(s.Seed, 0x626664)),
		links:          map[routing.InterfaceID]*link{},
		watches:        map[wish]*watch{},
		sessions:       map[key]*session{},
		discriminators: map[uint32]*session{},
		ports:          map[uint16]int{},
		claims:         map[protocol.Claim]int{},
		expects:        map[protocol.Expect]int{},
	}
}

// Step takes the input at the time now, and appends to out what is to be done.
// What is due is done with a Tick alone, and not before any other input as in
// other cores: that a neighbour is silent is not to be believed while a packet of
// its may wait behind the input. So its driver hands over what it has, and then
// the Tick.
func (m *Machine) Step(now time.Time, in protocol.Input, out []protocol.Effect) []protocol.Effect {
	m.now, m.out = now, out
	if _, tick := in.(protocol.Tick); tick {
		m.expire()
	} else if !m.stopping {
		m.take(in)
	}
	if m.stopping && !m.stopped && len(m.sessions) == 0 {
		m.stopped = true
		m.emit(protocol.Stopped{})
	}
	out, m.out = m.out, nil
	return out
}

func (m *Machine) take(in protocol.Input) {
	switch x := in.(type) {
	case protocol.Received:
		m.receive(x)
	case protocol.WatchFor:
		m.watch(x)
	case protocol.UnwatchFor:
		m.unwatch(x)
	case protocol.LinkUp:
		m.up(x)
	case protocol.LinkDown:
		m.down(x)
	case protocol.Configure:
		m.configure(x)
	case Clear:
		m.clear(x)
	case protocol.Stop:
		m.stop()
	}
}

// Deadline is when Step has to be called with a Tick at the latest, the zero
// Time if nothing waits.
func (m *Machine) Deadline() time.Time {
	if len(m.queue) == 0 {
		return time.Time{}
	}
	return m.queue[0].due
}

func (m *Machine) emit(e protocol.Effect) { m.out = append(m.out, e) }

// configure takes in a configuration. Sessions that it does not change go on as
// they are.
func (m *Machine) configure(x protocol.Configure) {
	m.cfg, _ = x.Config.(Config)
	wanted := map[wish]bool{}
	for i := range m.cfg.Peers {
		p := &m.cfg.Peers[i]
		path := protocol.Path{Link: routing.NoInterface, Address: p.Address, Source: p.Source, Multihop: p.Multihop}
		k := wish{path: path, iface: p.Interface}
		wanted[k] = true
		w := m.watches[k]
		if w == nil {
			w = &watch{}
			m.watches[k] = w
		}
		w.Watch, w.peer = protocol.Watch{Path: path, Profile: p.Profile}, p
	}
	for _, k := range m.wishes() {
		if m.watches[k].peer != nil && !wanted[k] {
			m.forget(k)
		}
	}
	m.attachAll()
}

// wishes gives those of all watches, always in the same order.
func (m *Machine) wishes() []wish {
	list := make([]wish, 0, len(m.watches))
	for k := range m.watches {
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b wish) int {
		return cmp.Or(cmp.Compare(a.path.Link, b.path.Link), a.path.Address.Compare(b.path.Address), a.path.Source.Compare(b.path.Source),
			cmp.Compare(a.iface, b.iface), cmp.Compare(a.client, b.client))
	})
	return list
}

// attachAll has every watch find its session as the links and the configuration
// are now.
func (m *Machine) attachAll() {
	for _, k := range m.wishes() {
		m.attach(m.watches[k])
	}
}

// up takes in what an interface is now.
func (m *Machine) up(x protocol.LinkUp) {
	l := m.links[x.Link]
	if l == nil {
		l = &link{}
		m.links[x.Link] = l
		m.order = append(m.order, l)
		slices.SortFunc(m.order, func(a, b *link) int { return cmp.Compare(a.Link, b.Link) })
	}
	l.LinkUp, l.up = x, true
	m.attachAll()
	for _, s := range m.on(x.Link) {
		m.changed(s)
	}
}

// down takes in that an interface carries nothing: nor does a session on it (RFC
// 5880 §6.8.16).
func (m *Machine) down(x protocol.LinkDown) {
	l := m.links[x.Link]
	if l == nil || !l.up {
		return
	}
	l.up = false
	m.attachAll() // another link may have the subnet
	for _, s := range m.on(x.Link) {
		if s.state != wire.AdminDown {
			m.change(s, wire.Down, wire.PathDown, true)
		}
		if m.say(s); s.goodbyes > 0 {
			m.remove(s)
		}
	}
}

// on gives the sessions on a link, always in the same order.
func (m *Machine) on(id routing.InterfaceID) (list []*session) {
	for k, s := range m.sessions {
		if k.link == id && !k.multihop {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b *session) int { return a.address.Compare(b.address) })
	return list
}

// claim has the driver hand over what comes for a session, on any link, as long
// as there are some of its kind.
func (m *Machine) claim(k key, more int) {
	c := protocol.Claim{Link: routing.NoInterface, Family: 6, Protocol: udp, Port: SinglePort}
	if k.address.Is4() {
		c.Family = 4
	}
	if k.multihop {
		c.Port = MultiPort
	}
	switch m.claims[c] += more; {
	case m.claims[c] == 0:
		delete(m.claims, c)
		m.emit(protocol.Release(c))
	case more > 0 && m.claims[c] == 1:
		m.emit(c)
	}
}

// expect has the driver take a session's packets before those of strangers, as
// its profile and its link are now.
func (m *Machine) expect(s *session) {
	e := protocol.Expect{Link: s.link, Source: s.address, HopLimit: 255} // RFC 5881 §5
	if s.multihop {
		e.HopLimit = s.profile.MinimumTTL
	} else if l := m.links[s.link]; l != nil && l.Kind == protocol.PointToPoint {
		e.Source = netip.Addr{} // RFC 5881 §6
	}
	if was := s.expected; was == nil || *was != e {
		m.unexpect(s)
		s.expected = &e
		if m.expects[e]++; m.expects[e] == 1 {
			m.emit(e)
		}
	}
}

func (m *Machine) unexpect(s *session) {
	if s.expected == nil {
		return
	}
	e := *s.expected
	s.expected = nil
	if m.expects[e]--; m.expects[e] == 0 {
		delete(m.expects, e)
		m.emit(protocol.Unexpect(e))
	}
}

func (m *Machine) clear(x Clear) {
	for k, s := range m.sessions {
		if (x.Link == routing.NoInterface || x.Link == k.link) && (x.Address == netip.Addr{} || x.Address == k.address) {
			s.counters, s.refused = Counters{}, ""
		}
	}
	if x == (Clear{Link: routing.NoInterface}) {
		m.stray = Refusals{}
	}
}

// stop says goodbye to all neighbours.
func (m *Machine) stop() {
	for _, k := range m.wishes() {
		m.forget(k)
	}
	m.stopping = true
}
