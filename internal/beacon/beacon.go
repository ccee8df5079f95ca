// Package beacon is a small routing protocol for tests: it uses everything that
// the driver offers protocols, and nothing else does in so few lines. Routers
// announce prefixes to a multicast group, probe the neighbours that they hear by
// an IP protocol of its own, and forget those that fall silent.
package beacon

import (
	"cmp"
	"encoding/binary"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"time"

	"routerd/routing"
	"routerd/routing/protocol"
)

// Where it is heard. The protocol number is one for experiments (RFC 3692 §2.1).
const (
	Port  = 7001
	Probe = 253
	udp   = 17
)

// Group is where the routers announce to.
var Group = netip.MustParseAddr("239.255.70.1")

// Config is what a core is told.
type Config struct {
	Interfaces     []string // that speak it
	Announce       []netip.Prefix
	Interval, Dead time.Duration
}

// Core is the protocol. Its exported fields are for tests to look at.
type Core struct {
	cfg      Config
	start    protocol.Start
	now      time.Time
	out      []protocol.Effect
	links    map[routing.InterfaceID]protocol.LinkUp
	speaking map[routing.InterfaceID]bool
	next     time.Time
	sweepAt  time.Time
	marks    uint64
	stopping bool

	Neighbors     map[netip.Addr]*Neighbor
	Sequence      uint64 // of announcements, kept over restarts
	Installed     uint64
	Probes        int // heard
	Redistributed map[netip.Prefix]routing.Delta
	NextHops      map[netip.Addr]routing.NextHopState
}

// Neighbor is a router that was heard.
type Neighbor struct {
	Link     routing.InterfaceID
	Heard    time.Time
	Sequence uint64
	slots    map[netip.Prefix]routing.SlotID
}

// New makes a core.
func New(s protocol.Start) protocol.Core {
	return &Core{
		start: s, links: map[routing.InterfaceID]protocol.LinkUp{}, speaking: map[routing.InterfaceID]bool{},
		Neighbors: map[netip.Addr]*Neighbor{}, Redistributed: map[netip.Prefix]routing.Delta{},
		NextHops: map[netip.Addr]routing.NextHopState{},
	}
}

func (c *Core) emit(e protocol.Effect) { c.out = append(c.out, e) }

// Deadline implements protocol.Core.
func (c *Core) Deadline() time.Time {
	if c.stopping {
		return time.Time{}
	}
	at := c.next
	sooner := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	sooner(c.sweepAt)
	for _, n := range c.Neighbors {
		sooner(n.Heard.Add(c.cfg.Dead))
	}
	return at
}

// Step implements protocol.Core.
func (c *Core) Step(now time.Time, in protocol.Input, out []protocol.Effect) []protocol.Effect {
	c.now, c.out = now, out
	if !c.stopping {
		c.due()
		c.take(in)
	}
	out, c.out = c.out, nil
	return out
}

func (c *Core) take(in protocol.Input) {
	switch in := in.(type) {
	case protocol.Configure:
		c.configure(in)
	case protocol.LinkUp:
		c.links[in.Link] = in
		c.follow(in.Link)
	case protocol.LinkDown:
		delete(c.links, in.Link)
		c.follow(in.Link)
	case protocol.Received:
		c.receive(in)
	case protocol.NeighborState:
		if n := c.Neighbors[in.Address]; n != nil && !in.Alive {
			c.lose(in.Address, n)
		}
	case protocol.Notices:
		c.Installed = max(c.Installed, in.Installed)
		for _, d := range in.Routes {
			c.Redistributed[d.Route.Prefix] = d
		}
		for _, s := range in.NextHops {
			c.NextHops[s.Address] = s
		}
	case protocol.Stop:
		c.announce(nil)
		c.stopping = true
		c.emit(protocol.Stopped{})
	}
}

func (c *Core) configure(in protocol.Configure) {
	first := c.next.IsZero()
	c.cfg, _ = in.Config.(Config)
	if len(in.Saved) == 8 && first {
		c.Sequence = binary.BigEndian.Uint64(in.Saved)
	}
	for id := range c.links {
		c.follow(id)
	}
	if in.Config == nil {
		c.next = time.Time{}
		return
	}
	if first {
		c.emit(protocol.Stale{Family: 4})
		c.sweepAt = c.now.Add(c.cfg.Dead)
	}
	c.next = c.now
	c.due()
}

// follow begins or ends to speak on a link.
func (c *Core) follow(id routing.InterfaceID) {
	l, up := c.links[id]
	wanted := up && slices.Contains(c.cfg.Interfaces, l.Name)
	if wanted == c.speaking[id] {
		return
	}
	hear := []protocol.Claim{{Link: id, Family: 4, Protocol: udp, Port: Port}, {Link: id, Family: 4, Protocol: Probe}}
	if wanted {
		c.speaking[id] = true
		for _, h := range hear {
			c.emit(h)
		}
		c.emit(protocol.Join{Link: id, Group: Group})
		return
	}
	delete(c.speaking, id)
	for _, h := range hear {
		c.emit(protocol.Release(h))
	}
	c.emit(protocol.Leave{Link: id, Group: Group})
	for a, n := range c.Neighbors {
		if n.Link == id {
			c.lose(a, n)
		}
	}
}

// due does what time brings.
func (c *Core) due() {
	if !c.sweepAt.IsZero() && !c.now.Before(c.sweepAt) {
		c.sweepAt = time.Time{}
		c.emit(protocol.Sweep{Family: 4})
	}
	for _, a := range slices.SortedFunc(maps.Keys(c.Neighbors), netip.Addr.Compare) {
		n := c.Neighbors[a]
		if !c.now.Before(n.Heard.Add(c.cfg.Dead)) {
			c.lose(a, n)
		}
	}
	if !c.next.IsZero() && !c.now.Before(c.next) {
		c.next = c.now.Add(c.cfg.Interval)
		c.Sequence++
		c.emit(protocol.Save{Data: binary.BigEndian.AppendUint64(nil, c.Sequence)})
		c.announce(c.cfg.Announce)
	}
}

// announce says on every link what this router has, and probes its neighbours.
func (c *Core) announce(prefixes []netip.Prefix) {
	b := binary.BigEndian.AppendUint64(nil, c.Sequence)
	for _, p := range prefixes {
		a := p.Addr().As4()
		b = append(append(b, a[:]...), byte(p.Bits()))
	}
	for _, id := range slices.Sorted(maps.Keys(c.speaking)) {
		if src, ok := c.source(id); ok {
			c.emit(protocol.Send{
				Link: id, Src: src, Dst: Group, Protocol: udp, SrcPort: Port, DstPort: Port, HopLimit: 1, Payload: b,
			})
		}
	}
	for _, a := range slices.SortedFunc(maps.Keys(c.Neighbors), netip.Addr.Compare) {
		n := c.Neighbors[a]
		if src, ok := c.source(n.Link); ok {
			c.emit(protocol.Send{Link: n.Link, Src: src, Dst: a, Protocol: Probe, HopLimit: 1, Payload: []byte("probe")})
		}
	}
}

// source is the address that the router speaks with on a link.
func (c *Core) source(id routing.InterfaceID) (netip.Addr, bool) {
	for _, p := range c.links[id].Addresses {
		if p.Addr().Is4() {
			return p.Addr(), true
		}
	}
	return netip.Addr{}, false
}

func (c *Core) receive(in protocol.Received) {
	if !c.speaking[in.Link] {
		return
	}
	if in.Protocol == Probe {
		c.Probes++
		return
	}
	n := c.Neighbors[in.Src]
	if n == nil {
		n = &Neighbor{Link: in.Link, slots: map[netip.Prefix]routing.SlotID{}}
		c.Neighbors[in.Src] = n
		c.emit(protocol.Event{Level: slog.LevelInfo, What: "neighbor seen", Link: in.Link, Neighbor: in.Src})
		c.emit(protocol.HopState{Link: in.Link, Address: in.Src, Cause: routing.CauseProtocol, Alive: true})
		c.emit(protocol.Track{Address: in.Src, Link: in.Link})
	}
	n.Heard, n.Sequence = c.now, binary.BigEndian.Uint64(in.Payload)
	heard := map[netip.Prefix]bool{}
	for b := in.Payload[8:]; len(b) >= 5; b = b[5:] {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte(b)), int(b[4])).Masked()
		heard[p] = true
		c.offer(in.Src, n, p)
	}
	for p := range n.slots {
		if !heard[p] {
			c.withdraw(n, p)
		}
	}
	c.marks++
	c.emit(protocol.Mark{Number: c.marks})
}

func (c *Core) offer(a netip.Addr, n *Neighbor, p netip.Prefix) {
	id, ok := n.slots[p]
	if !ok {
		id = c.start.Slots.Take(p)
		n.slots[p] = id
	}
	s := c.start.Slots.At(id)
	if len(s.NextHops) == 0 {
		s.NextHops = []routing.NextHop{{Address: a, Interface: n.Link}}
	}
	s.Metric = 1
	c.start.Slots.Offer(id)
}

func (c *Core) withdraw(n *Neighbor, p netip.Prefix) {
	c.start.Slots.Free(n.slots[p])
	delete(n.slots, p)
}

// lose forgets a neighbour that fell silent. Packets go another way at once,
// where there is one.
func (c *Core) lose(a netip.Addr, n *Neighbor) {
	c.emit(protocol.HopState{Link: n.Link, Address: a, Cause: routing.CauseProtocol, Alive: false})
	c.emit(protocol.Untrack{Address: a, Link: n.Link})
	c.emit(protocol.Event{Level: slog.LevelWarn, What: "neighbor lost", Link: n.Link, Neighbor: a})
	for _, p := range slices.SortedFunc(maps.Keys(n.slots), comparePrefixes) {
		c.withdraw(n, p)
	}
	delete(c.Neighbors, a)
}

func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}
