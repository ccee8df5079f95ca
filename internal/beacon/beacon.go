// Package beacon is a small routing protocol for tests: it uses everything that
// the driver offers protocols, and nothing else does in so few lines. Routers
// announce prefixes to multicast groups, signed by a key chain, probe the
// neighbours that they hear by an IP protocol of its own, forget those that fall
// silent, and keep a TCP connection with each.
//
// File map: beacon.go the core, its configuration and its clock; link.go what it
// hears by; announce.go what routers say to each other; stream.go connections.
package beacon

import (
	"encoding/binary"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"time"

	"routerd/routing"
	"routerd/routing/keys"
	"routerd/routing/protocol"
)

// Where it is heard. The protocol number is one for experiments (RFC 3692 §2.1).
const (
	Port  = 7001
	Probe = 253
	udp   = 17
)

// The groups that routers announce to where the configuration names no others.
var (
	Group  = netip.MustParseAddr("239.255.70.1")
	Group6 = netip.MustParseAddr("ff02::7001")
)

// Config is what a core is told.
type Config struct {
	Family         int      // 4, or 6: between link-local addresses
	Interfaces     []string // that speak it
	Announce       []netip.Prefix
	Interval, Dead time.Duration
	Groups         []netip.Addr // that are announced to and heard
	Wide           bool         // claims are for all links at once
	Keys           keys.Chain   // sign announcements; empty = nothing is signed
	Streams        *Streams     // nil = no connections
}

// Core is the protocol. Its exported fields are for tests to look at.
type Core struct {
	cfg      Config
	start    protocol.Start
	now      time.Time
	out      []protocol.Effect
	links    map[routing.InterfaceID]protocol.LinkUp
	speaking map[routing.InterfaceID]bool
	held     []protocol.Effect // claims and groups
	next     time.Time
	sweepAt  time.Time
	marks    uint64
	stopping bool
	streams  streams

	Neighbors     map[netip.Addr]*Neighbor
	Sequence      uint64 // of announcements, kept over restarts
	Installed     uint64
	Probes        int // heard
	Forged        int // announcements with a wrong signature, or none
	Redistributed map[netip.Prefix]routing.Delta
	NextHops      map[netip.Addr]routing.NextHopState
}

// Neighbor is a router that was heard.
type Neighbor struct {
	Link     routing.InterfaceID
	Heard    time.Time
	Sequence uint64
	Stream   Stream
	slots    map[netip.Prefix]routing.SlotID
}

// New makes a core.
func New(s protocol.Start) protocol.Core {
	return &Core{
		start: s, links: map[routing.InterfaceID]protocol.LinkUp{}, speaking: map[routing.InterfaceID]bool{},
		Neighbors: map[netip.Addr]*Neighbor{}, Redistributed: map[netip.Prefix]routing.Delta{},
		NextHops: map[netip.Addr]routing.NextHopState{}, streams: newStreams(),
	}
}

func (c *Core) emit(e protocol.Effect) { c.out = append(c.out, e) }

// Link gives what the core was told of a link by its name.
func (c *Core) Link(name string) (protocol.LinkUp, bool) {
	for _, l := range c.links {
		if l.Name == name {
			return l, true
		}
	}
	return protocol.LinkUp{}, false
}

// neighbors gives the addresses of all neighbours in order: what a core does
// must not depend on the order of a map.
func (c *Core) neighbors() []netip.Addr {
	return slices.SortedFunc(maps.Keys(c.Neighbors), netip.Addr.Compare)
}

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
	sooner(c.streams.listenAt)
	for _, n := range c.Neighbors {
		sooner(n.Heard.Add(c.cfg.Dead))
		sooner(n.Stream.due)
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
	case protocol.Connected, protocol.Read, protocol.Written, protocol.Closed:
		c.stream(in)
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
		c.goodbye()
		c.stopping = true
		c.emit(protocol.Stopped{})
	}
}

func (c *Core) configure(in protocol.Configure) {
	first := c.next.IsZero()
	c.cfg, _ = in.Config.(Config)
	if c.cfg.Family == 0 {
		c.cfg.Family = 4
	}
	if len(c.cfg.Groups) == 0 {
		c.cfg.Groups = []netip.Addr{Group}
		if c.cfg.Family == 6 {
			c.cfg.Groups = []netip.Addr{Group6}
		}
	}
	if len(in.Saved) == 8 && first {
		c.Sequence = binary.BigEndian.Uint64(in.Saved)
	}
	for _, id := range slices.Sorted(maps.Keys(c.links)) {
		c.follow(id)
	}
	c.hear()
	c.listen()
	if in.Config == nil {
		c.next = time.Time{}
		return
	}
	if first {
		c.emit(protocol.Stale{Family: c.cfg.Family})
		c.sweepAt = c.now.Add(c.cfg.Dead)
	}
	c.next = c.now
	c.due()
}

// due does what time brings.
func (c *Core) due() {
	if !c.sweepAt.IsZero() && !c.now.Before(c.sweepAt) {
		c.sweepAt = time.Time{}
		c.emit(protocol.Sweep{Family: c.cfg.Family})
	}
	if at := c.streams.listenAt; !at.IsZero() && !c.now.Before(at) {
		c.listen()
	}
	for _, a := range c.neighbors() {
		n := c.Neighbors[a]
		if !c.now.Before(n.Heard.Add(c.cfg.Dead)) {
			c.lose(a, n)
		} else if !n.Stream.due.IsZero() && !c.now.Before(n.Stream.due) {
			c.redial(a, n)
		}
	}
	if !c.next.IsZero() && !c.now.Before(c.next) {
		c.next = c.now.Add(c.cfg.Interval)
		c.Sequence++
		c.emit(protocol.Save{Data: binary.BigEndian.AppendUint64(nil, c.Sequence)})
		c.announce(c.cfg.Announce)
		c.keepAlive()
	}
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
	c.part(a, n)
	delete(c.Neighbors, a)
}
