package multicast

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"routerd/internal/packet"
	"routerd/internal/timers"
	"routerd/routing"
)

// Machine reports the router's groups on all its links. It is a value without
// goroutines, locks or a clock: its owner calls Step and sends the packets. It
// is not safe for concurrent use.
type Machine struct {
	rand   *rand.Rand
	ifaces []*iface // in the order of their numbers
	timers timers.Heap[*iface]
	now    time.Time
	out    []Send
}

// iface is an interface that is up: a link in each family.
type iface struct {
	id    routing.InterfaceID
	links [2]*link // IPv4, IPv6
	timer timers.Timer[*iface]

	queries, refused, reports uint64
}

// New makes a machine without interfaces. All its randomness comes from the
// seed: the same seed, inputs and times give the same effects.
func New(seed uint64) *Machine {
	return &Machine{rand: rand.New(rand.NewPCG(seed, 0x69676d702b6d6c64))}
}

// Deadline is when Step has to be called at the latest, the zero Time if
// nothing waits.
func (m *Machine) Deadline() time.Time { return m.timers.Next() }

// Step does what is due at the time now, then processes the input, and appends
// the packets to send to out. Time must not go back.
func (m *Machine) Step(now time.Time, in Input, out []Send) []Send {
	m.now, m.out = now, out
	for t := m.timers.Due(now); t != nil; t = m.timers.Due(now) {
		m.settle(t.Of)
	}
	switch x := in.(type) {
	case InterfaceUp:
		m.up(x)
	case InterfaceDown:
		m.down(x)
	case Received:
		m.receive(x)
	case Tick:
	}
	out, m.out = m.out, nil
	return out
}

// settle sends what is due on an interface, and schedules the next time.
func (m *Machine) settle(i *iface) {
	var due time.Time
	for _, l := range i.links {
		l.expire()
		due = soonest(due, l.deadline())
	}
	if due.IsZero() {
		m.timers.Stop(&i.timer)
		return
	}
	m.timers.Set(&i.timer, due)
}

// after draws a random time within most from now.
func (m *Machine) after(most time.Duration) time.Time {
	if most <= 0 {
		return m.now
	}
	return m.now.Add(time.Duration(1 + m.rand.Int64N(int64(most))))
}

func (m *Machine) find(id routing.InterfaceID) (*iface, int) {
	at, known := slices.BinarySearchFunc(m.ifaces, id, func(i *iface, id routing.InterfaceID) int { return int(i.id) - int(id) })
	if !known {
		return nil, at
	}
	return m.ifaces[at], at
}

func (m *Machine) up(x InterfaceUp) {
	i, at := m.find(x.Interface)
	if i == nil {
		i = &iface{id: x.Interface}
		i.timer.Of = i
		i.links[0] = newLink(m, i, false)
		i.links[1] = newLink(m, i, true)
		m.ifaces = slices.Insert(m.ifaces, at, i)
	}
	groups := slices.Clone(x.Groups)
	slices.SortFunc(groups, netip.Addr.Compare)
	for _, l := range i.links {
		l.mtu = x.MTU
		if l.six {
			l.speakFrom(x.Source6)
		} else {
			l.speakFrom(x.Source4)
		}
		l.listen(slices.Compact(groups))
	}
	m.settle(i)
}

func (m *Machine) down(x InterfaceDown) {
	i, at := m.find(x.Interface)
	if i == nil {
		return
	}
	if x.Announce {
		for _, l := range i.links {
			l.listen(nil)
			l.expire()
		}
	}
	m.timers.Stop(&i.timer)
	m.ifaces = slices.Delete(m.ifaces, at, at+1)
}

func (m *Machine) receive(x Received) {
	i, _ := m.find(x.Interface)
	if i == nil {
		return
	}
	l, msg, err := i.links[0], Message{}, error(ErrType)
	if ip := packet.IPv4(x.Packet); ip.Valid() {
		msg, err = parseIGMP(ip)
	} else if ip := packet.IPv6(x.Packet); ip.Valid() {
		l = i.links[1]
		msg, err = parseMLD(ip)
	}
	switch {
	case err != nil:
		i.refused++
		return
	case msg.Kind == Query:
		i.queries++
		l.queried(&msg)
	case msg.Kind == Report:
		l.overheard(msg.Group)
	}
	m.settle(i)
}
