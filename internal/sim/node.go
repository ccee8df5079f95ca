package sim

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"time"

	"routerd/arp"
	"routerd/dataplane"
	"routerd/dataplane/port/memory"
	"routerd/internal/router"
	"routerd/routing/protocol"
)

// Node is one router of the network: the same wiring as the daemon's, with
// ports in memory.
type Node struct {
	Name   string
	Router *router.Router
	Config router.Config

	// Events are what the node's protocols had to say, oldest first, and Stopped
	// those that have said goodbye.
	Events  []protocol.Event
	Stopped map[string]bool

	net     *Network
	saved   map[string][]byte // what the protocols want back after a restart, by name
	ends    map[string]*End   // by interface
	order   []*End            // as they were made
	workers map[*End]*dataplane.Worker
	notices []arp.Effect
	tcp     *tcp
	// due is when the node has arranged to be looked at; events of an earlier
	// arrangement find another time here and do nothing.
	due     time.Time
	pending bool
}

// wake has the node do at this moment what there is to do.
func (n *Node) wake() {
	if n.pending {
		return
	}
	n.pending = true
	n.net.clock.at(n.net.clock.now, func() {
		n.pending = false
		n.settle()
	})
}

// rounds bounds how long a node may find more to do without any time passing.
const rounds = 10_000

// settle does everything that there is to do now, and arranges for what is
// due later.
func (n *Node) settle() {
	now := n.net.clock.now
	for round := 0; ; round++ {
		worked := n.carry(now)
		worked = n.tcp.poll(now) || worked
		for _, m := range n.Router.Machines() {
			worked = m.Poll(now) || worked
		}
		for _, e := range n.take() {
			if err := n.Router.AddressEvent(e, now); err != nil {
				n.net.fail(fmt.Errorf("%s: following an address: %w", n.Name, err))
			}
			worked = true
		}
		stepped, err := n.Router.Poll(now)
		if err != nil {
			n.net.fail(fmt.Errorf("%s: %w", n.Name, err))
		}
		for _, e := range n.order {
			worked = e.carry() || worked
		}
		if !worked && !stepped {
			break
		}
		if round == rounds {
			n.net.fail(fmt.Errorf("%s finds no rest: still busy after %d rounds at one moment", n.Name, rounds))
			return
		}
	}
	if g := n.Router.RIB().Generation(); g != n.net.generations[n] {
		n.net.generations[n] = g
		n.net.changed = now
	}
	n.arrange(now)
}

// carry has the workers read what arrived and give up fragments that waited
// too long.
func (n *Node) carry(now time.Time) bool {
	worked := false
	clock := func() time.Time { return now }
	for _, e := range n.order {
		w := n.workers[e]
		if w == nil {
			continue
		}
		for e.port.Waiting() > 0 {
			if err := w.Once(clock); err != nil {
				n.net.fail(fmt.Errorf("%s: reading: %w", e, err))
				return false
			}
			worked = true
		}
		if d := w.Deadline(); !d.IsZero() && !d.After(now) {
			w.Expire(now)
			worked = true
		}
	}
	return worked
}

func (n *Node) take() []arp.Effect {
	list := n.notices
	n.notices = nil
	return list
}

// arrange has the node looked at when something of it is due.
func (n *Node) arrange(now time.Time) {
	var next time.Time
	sooner := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, m := range n.Router.Machines() {
		sooner(m.Deadline())
	}
	sooner(n.Router.Deadline())
	sooner(n.tcp.deadline())
	for _, w := range n.workers {
		sooner(w.Deadline())
	}
	if next.IsZero() {
		n.due = next
		return
	}
	if !next.After(now) {
		// On the real clock it would be woken again and again.
		n.net.fail(fmt.Errorf("%s is due at %v, has done all that it finds to do and is still due", n.Name, next))
		return
	}
	if n.due.Equal(next) {
		return
	}
	n.due = next
	n.net.clock.at(next, func() {
		if n.due.Equal(next) {
			n.due = time.Time{}
			n.settle()
		}
	})
}

// Apply makes the router what cfg says, and attaches a port to every Ethernet
// or TUN interface that has none: TUN interfaces are stubs. An interface of
// dataplane.KindStack has the node's own TCP behind it, for protocols that want
// connections.
func (n *Node) Apply(cfg router.Config) error {
	now := n.net.clock.now
	n.Config = cfg
	cfg.Protocols = maps.Clone(cfg.Protocols)
	for name, c := range cfg.Protocols {
		c.Saved = n.saved[name]
		cfg.Protocols[name] = c
	}
	if err := n.prepareStack(&cfg); err != nil {
		return err
	}
	if err := n.Router.Commit(cfg, now); err != nil {
		return fmt.Errorf("%s: %w", n.Name, err)
	}
	for _, ic := range cfg.Dataplane.Interfaces {
		if ic.Kind == dataplane.KindLoopback || n.ends[ic.Name] != nil && n.workers[n.ends[ic.Name]] != nil {
			continue
		}
		e := n.end(ic.Name)
		mtu := ic.MTU
		if mtu == 0 {
			mtu = 1500
		}
		if ic.Kind == dataplane.KindTUN || ic.Kind == dataplane.KindStack {
			e.port = memory.New(ic.Name, mtu)
			if err := n.attach(e, false); err != nil {
				return err
			}
			if ic.Kind == dataplane.KindStack {
				n.tcp.attach(e)
			}
			continue
		}
		e.port = memory.New(ic.Name, mtu, memory.WithLinkHeader(arp.EthernetHeader))
		if e.Link == nil || !e.Link.up {
			e.port.SetUp(false)
		}
		if err := n.attach(e, true); err != nil {
			return err
		}
		e.follow()
	}
	n.wake()
	return nil
}

// begin makes the node's router, without a configuration.
func (n *Node) begin() {
	n.Router = router.New(rand.NewPCG(n.net.rand.Uint64(), 0x726f757465), n.net.Kinds...)
	n.Stopped = map[string]bool{}
	n.tcp = newTCP(n)
	for _, p := range n.Router.Protocols() {
		p.Streams = &tcpClient{n.tcp, p}
		p.Owner = func(e protocol.Effect) {
			switch e := e.(type) {
			case protocol.Save:
				n.saved[p.Name] = e.Data
			case protocol.Event:
				n.Events = append(n.Events, e)
			case protocol.Stopped:
				n.Stopped[p.Name] = true
			}
		}
	}
	n.Router.BatchSize = 4
	n.Router.Neighbors().Owner = n.addNotice
}

// Crash ends the router without a word: what it knew is gone, but what it had
// asked to be saved. Its links keep their carriers. Apply begins anew.
func (n *Node) Crash() {
	n.net.note("%s crashes", n.Name)
	n.net.touched = n.net.clock.now
	for _, e := range n.order {
		e.port = nil
	}
	clear(n.workers)
	n.notices = nil
	n.begin()
	n.arrange(n.net.clock.now) // nothing is due any more
}

// Stop has the protocols say goodbye; the node goes on forwarding.
func (n *Node) Stop() {
	for _, p := range n.Router.Protocols() {
		p.Deliver(protocol.Stop{})
	}
	n.wake()
}

func (n *Node) attach(e *End, ethernet bool) error {
	now := n.net.clock.now
	var workers []*dataplane.Worker
	var err error
	if ethernet {
		e.groups = map[[6]byte]int{}
		workers, err = n.Router.Attach(e.Interface, station{e.port, e}, now)
	} else {
		workers, err = n.Router.Attach(e.Interface, e.port, now)
	}
	if err != nil {
		return fmt.Errorf("attaching %s: %w", e, err)
	}
	n.workers[e] = workers[0]
	return nil
}

// end gives the end of an interface, which need not be attached yet.
func (n *Node) end(name string) *End {
	if e := n.ends[name]; e != nil {
		return e
	}
	n.net.stations++
	s := n.net.stations
	e := &End{Node: n, Interface: name, mac: [6]byte{2, 0, byte(s >> 24), byte(s >> 16), byte(s >> 8), byte(s)}}
	n.ends[name] = e
	n.order = append(n.order, e)
	return e
}

// End gives the end of the interface called name, nil where there is none.
func (n *Node) End(name string) *End { return n.ends[name] }

// Inject has the packet raw, from its IP header on, come in by a stub.
func (n *Node) Inject(stub string, raw []byte) {
	n.ends[stub].port.Inject(memory.Packet{Data: raw})
	n.wake()
}

// Holds reports whether a is one of the node's own addresses.
func (n *Node) Holds(a netip.Addr) bool {
	for _, i := range n.Router.View().Interfaces {
		if i != nil && i.Holds(a) {
			return true
		}
	}
	return false
}

// addNotice takes what the neighbour machine found out about the node's addresses.
func (n *Node) addNotice(e arp.Effect) { n.notices = append(n.notices, e) }
