package ospf

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"routerd/internal/timers"
	"routerd/routing"
	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// Machine speaks OSPF on the interfaces of one router. It has no goroutine, lock
// or clock: its owner calls Step and carries out the effects. It is not safe for
// concurrent use.
type Machine struct {
	cfg        Config
	configured bool // a configuration has come since the start
	router     wire.ID
	chosen     bool // the router ID was not configured
	choose     timer

	links map[routing.InterfaceID]*link // of all interfaces, by number
	order []*link                       // the same by number, and virtual links behind them
	areas []*area                       // ascending

	as       *Database // ExternalLSA and ASOpaque
	limit    Limit
	prefixes *Prefixes
	state    State // what routes are calculated from
	table    Table
	calc     calculation
	ours     ours
	outward  outward
	startup  startup
	helping  int // neighbours whose restarts it helps with

	due        timers.Heap[func()]
	exchanging int // neighbours in Exchange or Loading
	sweeping   timer
	following  bool // virtual links have to follow the routes at the end of the step
	overflowed bool // the database was full, and that was reported
	stopping   bool
	leaving    bool // what the router has originated is flushed
	stopped    bool
	leave      timer
	tlvs       []byte

	why     error // an adjacency ends now
	numbers numbers
	saving  timer

	waiting []*link       // on which something is to be sent
	direct  []wire.Header // acknowledgements of the Update being received
	scratch []scope

	rand     *rand.Rand
	slots    *routing.Slots
	packet   wire.Packet // being received
	building wire.Packet // being built
	now      time.Time   // time of the current Step
	out      []protocol.Effect
}

// timer is one of the times that a machine waits for: Of is what it does then.
type timer = timers.Timer[func()]

// New makes a machine without interfaces or configuration.
func New(s protocol.Start) *Machine {
	m := &Machine{
		cfg:      DefaultConfig(),
		rand:     rand.New(rand.NewPCG(s.Seed, 0x6f737066)),
		slots:    s.Slots,
		links:    map[routing.InterfaceID]*link{},
		prefixes: NewPrefixes(),
	}
	m.calc.offers.slots = s.Slots
	m.calc.timer.Of, m.calc.protect.Of = func() {}, m.protects
	m.outward.timer.Of = func() {}
	m.choose.Of, m.sweeping.Of = m.chooseRouter, m.sweep
	m.saving.Of = func() { m.save(false) }
	m.leave.Of = m.flush
	m.numbers.senders = map[sender]*lastNumbers{}
	return m
}

// Step does what is due at the time now, processes the input, and appends the
// effects to out. Time must not go back.
func (m *Machine) Step(now time.Time, in protocol.Input, out []protocol.Effect) []protocol.Effect {
	m.now, m.out = now, out
	if !m.stopped {
		m.expire()
	}
	if !m.stopped {
		m.take(in)
		m.settle()
	}
	out, m.out = m.out, nil
	return out
}

func (m *Machine) take(in protocol.Input) {
	switch x := in.(type) {
	case protocol.Received:
		m.receive(x)
	case protocol.LinkDown:
		m.down(x)
	case protocol.NeighborState:
		m.found(x)
	case protocol.Notices:
		m.notice(x)
	case ClearNeighbors:
		m.clearNeighbors(x)
	case ClearCounters:
		m.clearCounters(x)
	}
	if m.stopping {
		return
	}
	switch x := in.(type) {
	case protocol.LinkUp:
		m.up(x)
	case protocol.Configure:
		m.configure(x)
	case protocol.Stop:
		m.stop()
	}
}

// settle does what changes of the step have made necessary, once for all of them.
func (m *Machine) settle() {
	if m.router == 0 || m.stopped {
		if m.stopping && !m.stopped {
			m.goodbye()
		}
		return
	}
	m.followVirtual()
	m.elections()
	if !m.leaving {
		m.originate()
	}
	m.transmit()
	m.depart()
	m.saveSoon()
}

// Deadline returns the time by which Step must be called, the zero Time if nothing
// is due.
func (m *Machine) Deadline() time.Time {
	if m.stopped {
		return time.Time{}
	}
	at := m.due.Next()
	for d := range m.databases {
		if t := d.Deadline(); !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	return at
}

// databases calls yield with each database.
func (m *Machine) databases(yield func(*Database) bool) {
	if m.as == nil || !yield(m.as) {
		return
	}
	for _, a := range m.areas {
		if !yield(a.db) {
			return
		}
	}
	for _, l := range m.order {
		if l.db != nil && !yield(l.db) {
			return
		}
	}
}

// expire does what is due.
func (m *Machine) expire() {
	for t := m.due.Due(m.now); t != nil; t = m.due.Due(m.now) {
		t.Of()
	}
	m.age()
}

// after sets a timer.
func (m *Machine) after(t *timer, d time.Duration) { m.due.Set(t, m.now.Add(d)) }

func (m *Machine) emit(e protocol.Effect) { m.out = append(m.out, e) }

func (m *Machine) event(kind EventKind, l *link, neighbor netip.Addr, err error) {
	id := routing.NoInterface
	if l != nil {
		id = l.id
	}
	m.emit(kind.on(id, neighbor, err))
}
