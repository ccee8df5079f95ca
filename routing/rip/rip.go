package rip

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"routerd/internal/timers"
	"routerd/routing"
	"routerd/routing/protocol"
	"routerd/routing/rip/wire"
)

// The differences between the two protocols.
var families = [...]struct {
	family   int
	group    netip.Addr
	port     uint16
	version  uint8
	hopLimit uint8
	// jitter is the part of the update interval by which one may be early or
	// late: 5 s of 30 s in RFC 2453 §3.8, half of it in RFC 2080 §2.3.
	jitter time.Duration
}{
	RIP: {
		family: 4,
		group:  netip.AddrFrom4([4]byte{224, 0, 0, 9}), // RFC 2453 §4.5
		port:   520, version: 2, hopLimit: 1, jitter: 6,
	},
	RIPng: {
		family: 6,
		group:  netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 15: 9}), // RFC 2080 §2.5
		port:   521, version: 1, hopLimit: 255, jitter: 2,
	},
}

// udp is the IP protocol number that both are carried by.
const udp = 17

// Group returns the multicast group and the UDP port of the protocol.
func Group(p Protocol) (group netip.Addr, port uint16) {
	return families[p].group, families[p].port
}

// Machine speaks RIP or RIPng on the interfaces of one router. It has no
// goroutine, lock or clock: its owner calls Step and carries out the effects.
// It is not safe for concurrent use.
type Machine struct {
	cfg   Config
	rand  *rand.Rand
	table table

	interfaces map[routing.InterfaceID]*iface
	order      []*iface            // all interfaces, by number
	updates    timers.Heap[*iface] // the regular updates
	connected  []netip.Prefix      // subnets of the active interfaces

	trigger trigger
	asking  asking
	auth    authState

	configured bool // a configuration has come since the start
	stopping   bool
	stopped    bool
	packet     wire.Packet // being received
	building   wire.Packet // being built
	slots      *routing.Slots
	now        time.Time // time of the current Step
	out        []protocol.Effect
}

// New makes a machine for one of the protocols, without interfaces or
// configuration.
func New(p Protocol, s protocol.Start) *Machine {
	m := &Machine{
		cfg:        DefaultConfig(p),
		rand:       rand.New(rand.NewPCG(s.Seed, 0x7269702b6e67)),
		slots:      s.Slots,
		interfaces: map[routing.InterfaceID]*iface{},
	}
	m.table.init()
	m.auth.load(nil)
	return m
}

// Step does what is due at the time now, processes the input, and appends the
// effects to out. Time must not go back.
func (m *Machine) Step(now time.Time, in protocol.Input, out []protocol.Effect) []protocol.Effect {
	m.now, m.out = now, out
	m.expire()
	if !m.stopping {
		m.take(in)
	}
	m.offer()
	m.update()
	m.save()
	if m.stopping && !m.stopped && m.silent() {
		m.stopped = true
		m.emit(protocol.Stopped{})
	}
	out, m.out = m.out, nil
	return out
}

func (m *Machine) take(in protocol.Input) {
	switch x := in.(type) {
	case protocol.LinkUp:
		m.up(x)
	case protocol.LinkDown:
		m.down(x)
	case protocol.NeighborState:
		switch {
		case x.Cause == routing.CauseBFD:
			m.found(x)
		case !x.Alive:
			m.lose(x.Link, x.Address)
		}
	case protocol.Received:
		m.receive(x)
	case protocol.Notices:
		m.notice(x)
	case protocol.Configure:
		m.configure(x)
	case Clear:
		m.clear(x)
	case protocol.Stop:
		m.stop()
	}
}

// Deadline returns the time by which Step must be called, the zero Time if
// nothing is due.
func (m *Machine) Deadline() time.Time {
	var at time.Time
	earliest := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	for _, i := range m.order {
		if len(i.jobs) > 0 {
			earliest(i.resume)
		}
	}
	if m.stopping {
		return at
	}
	earliest(m.updates.Next())
	if p := m.table.heard.front(); p != nil {
		earliest(p.heard.Add(m.cfg.Invalid))
	}
	if r := m.table.dying.front(); r != nil {
		earliest(r.since.Add(m.garbage()))
	}
	if len(m.table.changed) > 0 {
		earliest(m.trigger.due())
	}
	if len(m.table.again) > 0 {
		earliest(m.trigger.closes())
		if m.trigger.urgent {
			earliest(m.trigger.urgentUntil)
		}
	}
	earliest(m.asking.at)
	earliest(m.auth.saveDue())
	return at
}

// silent reports whether nothing is left to be sent.
func (m *Machine) silent() bool {
	for _, i := range m.order {
		if len(i.jobs) > 0 {
			return false
		}
	}
	return true
}

func (m *Machine) stop() {
	m.stopping = true
	for _, i := range m.order {
		m.goodbye(i, m.targets(i))
	}
}

// expire loses paths that were not refreshed for too long, and deletes routes
// that have been dead long enough.
func (m *Machine) expire() {
	if m.stopping {
		return
	}
	for p := m.table.heard.front(); p != nil && !m.now.Before(p.heard.Add(m.cfg.Invalid)); p = m.table.heard.front() {
		m.lost(p)
	}
	for r := m.table.dying.front(); r != nil && !m.now.Before(r.since.Add(m.garbage())); r = m.table.dying.front() {
		m.forget(r)
	}
}

// garbage is how long a dead route is announced (RFC 2453 §3.8).
func (m *Machine) garbage() time.Duration { return m.cfg.Flush - m.cfg.Invalid }

func (m *Machine) emit(e protocol.Effect) { m.out = append(m.out, e) }

func (m *Machine) event(kind EventKind, i *iface, neighbor netip.Addr, err error) {
	m.emit(kind.on(i.id, neighbor, err))
}

// between draws a uniformly distributed time from low to high.
func (m *Machine) between(low, high time.Duration) time.Duration {
	if high <= low {
		return low
	}
	return low + time.Duration(m.rand.Int64N(int64(high-low)))
}
