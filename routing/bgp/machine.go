package bgp

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"routerd/internal/siphash"
	"routerd/internal/timers"
	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/policy"
	"routerd/routing/protocol"
)

// Machine speaks BGP for one router. It has no goroutine, lock or clock: its owner calls
// Step and carries out the effects. It is not safe for concurrent use.
type Machine struct {
	cfg    Config
	random *rand.Rand
	slots  *routing.Slots

	alarms    Alarms
	tasks     timers.Heap[*task]
	neighbors map[neighborKey]*neighbor
	order     []*neighbor // as configured
	streams   map[protocol.StreamID]stream
	listeners [wire.NumFamilies]listener
	number    protocol.StreamID // the last one that was given
	strangers uint64            // connections of those who are no neighbours
	crowded   uint64            // dynamic neighbours that had to go for others
	// discovering are the links on which routers are looked for.
	discovering map[routing.InterfaceID]bool
	links       map[routing.InterfaceID]protocol.LinkUp
	addresses   map[netip.Addr]bool // the router's own
	notOwn      netip.Addr          // that was looked for there last and is not there

	attributes AttributeTable
	ribs       [wire.NumFamilies]*rib
	sources    []*source // 0 is the router itself
	freed      []uint16  // sources
	sweeps     []sweep
	walked     time.Time // when prefixes were last looked at in order
	hops       map[hopKey]*hop
	lastHop    *hop     // that was looked for, nil if it is gone
	hopOf      []uint32 // by number of attributes, the index of its hop in hopList, and one; 0 if it is not known yet
	hopList    []*hop   // nil where one is gone
	freeHops   []uint32 // places there, and one
	heard      map[netip.Prefix]routing.Route
	own        map[netip.Prefix]Network
	probing    [wire.NumFamilies]bool // the RIB is asked about default routes
	hasDefault [wire.NumFamilies]bool // and has one

	groups [wire.NumFamilies][]*group

	mark, installed uint64

	// How often export policies were asked, and attributes encoded.
	evaluated, encoded uint64

	// Of the step under way, and room that is used again.
	now      time.Time
	out      []protocol.Effect
	extra    []protocol.Effect // what is emitted while a session appends to out
	update   wire.Update
	given    wire.Attributes
	room     []byte
	set      wire.Set
	plain    [64]wire.Plain // prefixes of the message that is taken
	numbers  []uint32       // of these, that have changed
	more     []uint32       // and that have one route more
	policies policy.Route
	seen     PolicyAttributes
	routes   []Route
	from     []uint16 // the sources of routes
	second   int      // of routes, the second best, -1 if there is none; or notAsked
	rest     []Route
	used     []int
	why      []Verdict
	lone     lone // what was decided last of an only route
	contest  contest
	alike    alike
	written  []routing.NextHop  // of ways
	ways     []routing.Slot     // the routes of offers
	offers   []routing.Offering // to be written into slots
	offered  []uint32           // numbers of their prefixes
	swept    []uint32
	encoder  encoder
	ids      []uint32 // of routes, see [Candidate]
	selected []int    // of routes, those that are sent
	stopped  bool

	bulk      int  // see there
	postponed bool // what follows from what was read waits, see postpones
}

// stream is a connection that was dialled or accepted.
type stream struct {
	neighbor *neighbor
	local    netip.Addr
	link     routing.InterfaceID
}

// listener is where connections of a family are accepted.
type listener struct {
	id    protocol.StreamID // 0 = it does not listen
	at    netip.AddrPort
	again task
}

// task is something that is done at a time; neighbor is nil if it is about a listener.
type task struct {
	timer    timers.Timer[*task]
	neighbor *neighbor
	family   wire.Family
	do       func(*Machine, *task)
}

func newTask(n *neighbor, f wire.Family, do func(*Machine, *task)) *task {
	t := &task{neighbor: n, family: f, do: do}
	t.timer.Of = t
	return t
}

// New makes a machine without a configuration.
func New(s protocol.Start) *Machine {
	m := &Machine{
		random: rand.New(rand.NewPCG(s.Seed, 0x6267702d34)), slots: s.Slots,
		neighbors: map[neighborKey]*neighbor{}, streams: map[protocol.StreamID]stream{},
		links: map[routing.InterfaceID]protocol.LinkUp{}, hops: map[hopKey]*hop{},
		heard: map[netip.Prefix]routing.Route{}, own: map[netip.Prefix]Network{},
		sources: []*source{{}}, bulk: bulk,
	}
	m.attributes.gone = m.attributesGone
	for f := range wire.Family(wire.NumFamilies) {
		r := &rib{family: f, table: NewTable(f, &m.attributes, siphash.Key{m.random.Uint64(), m.random.Uint64()})}
		m.ribs[f] = r
		r.free = task{family: f, do: func(m *Machine, t *task) { m.beginFreeing(m.ribs[t.family]) }}
		r.free.timer.Of = &r.free
		r.look = func(c Candidate, x *Route) { m.view(f, c, x) }
		r.lookPath = func(c Candidate, x *Route) { m.viewPath(f, c, x) }
		l := &m.listeners[f]
		l.again = task{family: f, do: func(m *Machine, t *task) { m.listen(t.family) }}
		l.again.timer.Of = &l.again
	}
	return m
}

// Step does what is due at the time now, processes the input, and appends the effects to
// out. Time must not go back.
func (m *Machine) Step(now time.Time, in protocol.Input, out []protocol.Effect) []protocol.Effect {
	m.now, m.out = now, out
	if !m.stopped {
		for t := m.tasks.Due(now); t != nil; t = m.tasks.Due(now) {
			t.Of.do(m, t.Of)
		}
		for a := m.alarms.Due(now); a != nil; a = m.alarms.Due(now) {
			s := a.Of.session
			m.session(s, func() []protocol.Effect { return a.Of.Due(m.now, m.out) })
		}
		m.take(in)
		if m.postponed = m.postpones(in); !m.postponed {
			m.finish()
		}
	}
	out = append(m.out, m.extra...)
	clear(m.extra)
	m.out, m.extra = nil, m.extra[:0]
	return out
}

const (
	// bulk is how many octets come at once from a neighbour that has more to say, as its whole
	// table: fewer than a connection gives at once where as many wait, and more than most changes
	// take.
	bulk = 32 << 10
	// mostTouched is how many prefixes of a family are decided at once, so that no step takes
	// longer than some milliseconds.
	mostTouched = 1 << 15
)

// postpones reports whether what follows from an input waits until all has been taken that
// others have brought meanwhile: where several neighbours announce the same prefixes, each is
// decided once for all of them. Deadline has it done before anything else is waited for.
func (m *Machine) postpones(in protocol.Input) bool {
	if r, ok := in.(protocol.Read); !ok || len(r.Data) < m.bulk {
		return false
	}
	for _, r := range m.ribs {
		if len(r.touched) >= mostTouched {
			return false
		}
	}
	return true
}

// finish does what follows from the inputs.
func (m *Machine) finish() {
	for _, n := range m.order {
		m.watchLimits(n)
	}
	m.partings()
	m.sweep()
	m.unorder()
	for _, r := range m.ribs {
		m.settle(r)
	}
	m.publish()
	for _, n := range m.order {
		m.sendDefaults(n)
	}
	m.send()
	for _, r := range m.ribs {
		m.plan(r)
	}
}

func (m *Machine) take(in protocol.Input) {
	switch in := in.(type) {
	case protocol.Configure:
		m.configure(in)
	case protocol.LinkUp:
		m.links[in.Link] = in
		m.readdress()
		m.relink(in)
		m.rediscover()
	case protocol.LinkDown:
		m.unlink(in.Link)
	case protocol.Connected:
		m.connected(in)
	case protocol.Read:
		m.stream(in.ID, in)
	case protocol.Written:
		m.stream(in.ID, in)
	case protocol.Closed:
		m.closed(in)
	case protocol.Notices:
		m.notice(in)
	case Clear:
		m.clear(in)
	case protocol.RouterSeen:
		m.routerSeen(in)
	case protocol.NeighborState:
		m.found(in)
	case protocol.Stop:
		m.stop()
	}
}

// Deadline returns the time by which Step must be called, the zero Time if nothing is
// due.
func (m *Machine) Deadline() time.Time {
	if m.stopped {
		return time.Time{}
	}
	if m.postponed || len(m.sweeps) > 0 || m.freeing() {
		return m.now
	}
	at := m.alarms.Next()
	if t := m.tasks.Next(); !t.IsZero() && (at.IsZero() || t.Before(at)) {
		at = t
	}
	return at
}

// readdress finds out which addresses are the router's own.
func (m *Machine) readdress() {
	m.addresses, m.notOwn = map[netip.Addr]bool{}, netip.Addr{}
	for _, l := range m.links {
		for _, p := range l.Addresses {
			m.addresses[p.Addr()] = true
		}
	}
}

// emit adds an effect to those of the step.
func (m *Machine) emit(e protocol.Effect) { m.extra = append(m.extra, e) }

// session has a session do something, and forgets the streams that it closes.
func (m *Machine) session(s *Session, f func() []protocol.Effect) {
	before := len(m.out)
	m.out = f()
	for _, e := range m.out[before:] {
		if e, ok := e.(protocol.CloseStream); ok {
			delete(m.streams, e.ID)
		}
	}
}

// stream brings a session what one of its streams has brought.
func (m *Machine) stream(id protocol.StreamID, in protocol.Input) {
	at, ok := m.streams[id]
	if !ok {
		return
	}
	s := at.neighbor.session
	m.session(s, func() []protocol.Effect { return s.Input(m.now, in, m.out) })
	if !s.Owns(id) {
		delete(m.streams, id)
	}
}

func (m *Machine) closed(in protocol.Closed) {
	for f := range m.listeners {
		l := &m.listeners[f]
		if l.id == in.ID {
			l.id = 0
			m.event(ListenerLost, routing.NoInterface, l.at.Addr(), in.Err)
			m.tasks.Set(&l.again.timer, m.now.Add(listenAgain))
			return
		}
	}
	m.stream(in.ID, in)
}

// connected is told of a connection that was dialled or accepted.
func (m *Machine) connected(in protocol.Connected) {
	if in.Listener == 0 {
		if at, ok := m.streams[in.ID]; ok {
			at.local, at.link = in.Local.Addr(), in.Link
			m.streams[in.ID] = at
			m.stream(in.ID, in)
		}
		return
	}
	n := m.neighbor(in.Remote.Addr(), in.Link)
	if n == nil {
		n = m.caller(in)
	}
	if n == nil {
		n = m.welcome(in)
	}
	if n == nil || n.cfg.Local.IsValid() && n.cfg.Local != in.Local.Addr() {
		m.strangers++
		m.emit(protocol.CloseStream{ID: in.ID, Reset: true})
		return
	}
	m.streams[in.ID] = stream{n, in.Local.Addr(), in.Link}
	m.session(n.session, func() []protocol.Effect { return n.session.Accept(m.now, in, m.out) })
	if !n.session.Owns(in.ID) {
		delete(m.streams, in.ID)
	}
}

// listenAgain is how long after a listener has ended it is opened again.
const listenAgain = 10 * time.Second

// listen opens the listener of a family if there is to be one.
func (m *Machine) listen(f wire.Family) {
	l := &m.listeners[f]
	l.at = m.cfg.Listen[f]
	if l.id != 0 || !l.at.IsValid() {
		return
	}
	m.number++
	l.id = m.number
	// A neighbour that wants 255 (RFC 5082 §3) wants it of the segment too that answers its
	// first one, which has the listener's.
	o := protocol.StreamOptions{TTL: 255, DSCP: protocol.CS6}
	e := protocol.Listen{ID: l.id, Local: l.at, Link: routing.NoInterface, StreamOptions: o}
	for _, n := range m.order {
		if p, ok := n.peer(m, f); ok {
			e.Peers = append(e.Peers, p)
		}
	}
	e.Peers = append(e.Peers, m.rangePeers(&m.cfg, f)...)
	m.emit(e)
}

// peer is what the listener of a family knows of the neighbour.
func (n *neighbor) peer(m *Machine, f wire.Family) (protocol.StreamPeer, bool) {
	p, ok := n.cfg.peer(&m.cfg, f)
	return p, ok && !n.dynamic.IsValid()
}

func (m *Machine) stop() {
	for _, n := range m.order {
		m.halt(n, wire.Notification{Code: wire.CodeCease, Subcode: wire.CeaseAdminShutdown})
		m.watch(n, nil)
	}
	for f := range m.listeners {
		if l := &m.listeners[f]; l.id != 0 {
			m.emit(protocol.CloseStream{ID: l.id})
		}
	}
	m.emit(protocol.Stopped{})
	m.stopped = true
}
