package arp

import (
	"container/list"
	"math/rand/v2"
	"net/netip"
	"time"

	"routerd/internal/timers"
	"routerd/routing"
)

// Protocol constants (RFC 4861 §10).
const (
	retransTimer        = time.Second
	maxMulticastSolicit = 3
	maxUnicastSolicit   = 3
	delayFirstProbeTime = 5 * time.Second
)

// Machine resolves neighbours for both families, checks whether they are still
// reachable, and announces and defends the router's own addresses. It is a
// value without goroutines, locks or a clock: its owner calls Step and carries
// out the effects. It is not safe for concurrent use.
type Machine struct {
	cfg       Config
	rand      *rand.Rand
	ifaces    map[routing.InterfaceID]*iface
	neighbors map[key]*neighbor
	// discoverers are who looks for routers on a link.
	discoverers map[routing.InterfaceID]map[string]bool
	timers      timers.Heap[waiting]

	// In the order of their last change of state: neighbours that never
	// answered, by rank, and stale ones.
	waiting [numRanks]*list.List
	stale   *list.List

	hoards    hoards
	heldBytes int
	secret    uint64 // keeps senders from choosing which asker they count for
	counters  Counters

	now time.Time // of the Step under way
	out []Effect
}

// waiting is what a timer belongs to.
type waiting interface{ expire(m *Machine) }

type key struct {
	iface routing.InterfaceID
	addr  netip.Addr
}

// iface is an interface that is up.
type iface struct {
	id routing.InterfaceID
	InterfaceConfig
	own      []*ownAddress
	disabled bool // IPv6 is off: RFC 4862 §5.4.5
	budget   budget
	ra       *advertiser
}

// New makes a machine without interfaces. All its randomness comes from the
// seed: the same seed, inputs and times give the same effects.
func New(cfg Config, seed uint64) *Machine {
	m := &Machine{
		cfg:       cfg,
		rand:      rand.New(rand.NewPCG(seed, 0x6172702b6e6470)),
		ifaces:    map[routing.InterfaceID]*iface{},
		neighbors: map[key]*neighbor{},

		discoverers: map[routing.InterfaceID]map[string]bool{},
		stale:       list.New(),
	}
	m.secret = rand.New(rand.NewPCG(seed, 0x61736b657273)).Uint64()
	for r := range m.waiting {
		m.waiting[r] = list.New()
	}
	return m
}

// Deadline is when Step has to be called at the latest, the zero Time if
// nothing waits.
func (m *Machine) Deadline() time.Time { return m.timers.Next() }

// Step does what is due at the time now, then handles the input, and appends
// the effects to out. Time must not go back.
func (m *Machine) Step(now time.Time, in Input, out []Effect) []Effect {
	m.now, m.out = now, out
	for t := m.timers.Due(now); t != nil; t = m.timers.Due(now) {
		t.Of.expire(m)
	}
	switch x := in.(type) {
	case InterfaceUp:
		m.up(x)
	case InterfaceDown:
		m.down(x)
	case Received:
		m.receive(x)
	case Resolve:
		m.resolve(x)
	case Used:
		m.used(x.Entry)
	case Clear:
		m.clear(x)
	case Discover:
		m.discover(x)
	case Tick:
	}
	out, m.out = m.out, nil
	return out
}

func (m *Machine) emit(e Effect) { m.out = append(m.out, e) }

// between draws a random time, evenly distributed from low to high.
func (m *Machine) between(low, high time.Duration) time.Duration {
	if high <= low {
		return low
	}
	return low + time.Duration(m.rand.Int64N(int64(high-low)))
}

// resolve finds the neighbour for a packet, or starts its resolution.
func (m *Machine) resolve(x Resolve) {
	i := m.ifaces[x.Interface]
	switch {
	case i == nil || i.disabled && x.Addr.Is6():
		m.drop(x.Interface, held{packet: x.Packet, tag: x.Tag}, NoInterface)
		return
	case !i.neighborly(x.Addr):
		m.drop(x.Interface, held{packet: x.Packet, tag: x.Tag}, NotNeighbor)
		return
	}
	n := m.neighbors[key{x.Interface, x.Addr}]
	r := x.rank()
	if n == nil {
		if reason, ok := m.admit(i, r, x.Packet); !ok {
			m.drop(x.Interface, held{packet: x.Packet, tag: x.Tag}, reason)
			return
		}
		n = m.create(i, x.Addr)
	}
	m.promote(n, r)
	if x.Index > 0 {
		m.number(n, x.Index)
	}
	m.send(n, held{packet: x.Packet, tag: x.Tag})
}

// send sends a packet to n or holds it. Either is the event of sending a
// packet.
func (m *Machine) send(n *neighbor, h held) {
	if n.state <= Incomplete && h.packet != nil {
		n.prompted(h.packet)
	}
	m.event(n, packetToSend, MAC{})
	switch {
	case h.packet == nil:
	case n.state == Incomplete:
		m.hold(n, h)
	default:
		m.emit(Release{n.iface.id, n.mac, h.packet, h.tag})
	}
}

// used handles the report that a stale entry was used.
func (m *Machine) used(e *Entry) {
	n := m.neighbors[key{e.Interface, e.Addr}]
	if n != nil && n.entry == e {
		m.event(n, packetToSend, MAC{})
	}
}

func (m *Machine) clear(x Clear) {
	for _, n := range m.sorted() {
		if n.state == Static || n.state == Incomplete ||
			x.Interface != routing.NoInterface && x.Interface != n.iface.id ||
			x.Addr.IsValid() && x.Addr != n.addr {
			continue
		}
		if n.state == Failed {
			m.event(n, retry, MAC{}) // whoever clears it expects that it answers now
			continue
		}
		m.remove(n)
	}
}
