package bgp

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"pgregory.net/rapid"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// network is machines that are connected with each other, under a virtual clock. Streams
// deliver in any order but their own, the FIB takes its time.
type network struct {
	t       rapid.TB
	now     time.Time
	random  *rand.Rand
	routers []*router
	pipes   []*tube
	next    protocol.StreamID
	// metric is the IGP's between two routers of an AS.
	metric func(a, b *router) uint32
}

// router is a machine with its surroundings.
type router struct {
	number    int
	machine   *Machine
	config    Config
	slots     routing.Slots
	offered   map[netip.Prefix]routing.Slot
	links     []protocol.LinkUp
	listeners map[netip.AddrPort]protocol.StreamID
	waiting   []protocol.Input // notices
	tracked   map[netip.Addr]bool
	events    []string
	watches   []protocol.Effect
	hasRoute  bool // its RIB has a default route
}

// tube is a TCP connection.
type tube struct {
	ends   [2]*router
	ids    [2]protocol.StreamID
	queues [2][]protocol.Input
	closed [2]bool
	room   [2]int // of what each side writes
}

func newNetwork(t rapid.TB, seed uint64) *network {
	return &network{
		t: t, now: epoch, random: rand.New(rand.NewPCG(seed, 3)), next: protocol.AcceptedStream,
		metric: func(a, b *router) uint32 { return 10 },
	}
}

func loopback(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 255, 0, byte(i)}) }

// router adds one of an AS, with a loopback address and a prefix of its own.
func (w *network) router(as uint32) *router {
	i := len(w.routers)
	r := &router{
		number: i, offered: map[netip.Prefix]routing.Slot{}, tracked: map[netip.Addr]bool{},
		listeners: map[netip.AddrPort]protocol.StreamID{},
	}
	r.config = Config{AS: as, RouterID: wire.RouterID(i + 1)}
	r.config.Listen[wire.IPv4Unicast] = netip.AddrPortFrom(netip.IPv4Unspecified(), wire.Port)
	r.config.Networks = []Network{{Prefix: ownPrefix(i), Always: true}}
	r.begin(w)
	r.links = append(r.links, protocol.LinkUp{
		Link: 1, Name: "lo", Kind: protocol.Loopback, Addresses: []netip.Prefix{netip.PrefixFrom(loopback(i), 32)},
	})
	w.routers = append(w.routers, r)
	return r
}

// begin gives a router a new machine. Of half of them whatever comes from neighbours is decided
// only when all has been taken that waits.
func (r *router) begin(w *network) {
	seed := w.random.Uint64()
	r.machine = New(protocol.Start{Seed: seed, Slots: &r.slots})
	if seed&1 != 0 {
		r.machine.bulk = 1
	}
}

func ownPrefix(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{100, byte(i), 0, 0}), 16)
}

// link connects two routers, and gives the address that each has on it.
func (w *network) link(a, b *router) [2]netip.Addr {
	var list [2]netip.Addr
	for k, r := range [...]*router{a, b} {
		list[k] = netip.AddrFrom4([4]byte{10, byte(min(a.number, b.number)), byte(max(a.number, b.number)), byte(1 + k)})
		r.links = append(r.links, protocol.LinkUp{
			Link: routing.InterfaceID(len(r.links) + 1), MTU: 1500, Addresses: []netip.Prefix{netip.PrefixFrom(list[k], 24)},
		})
	}
	return list
}

// peer makes two routers neighbours: over a link if they are of different ASes, else by
// their loopbacks. Each may be changed by f.
func (w *network) peer(a, b *router, f func(of *router, c *NeighborConfig)) {
	at := [2]netip.Addr{loopback(a.number), loopback(b.number)}
	if a.config.AS != b.config.AS {
		at = w.link(a, b)
	}
	for k, r := range [...]*router{a, b} {
		other := [...]*router{b, a}[k]
		c := NeighborConfig{Address: at[1-k], Link: routing.NoInterface, AS: other.config.AS, Local: at[k], HoldTime: 90}
		c.Families[wire.IPv4Unicast] = FamilyConfig{Enabled: true, Import: Policy{Given: true}, Export: Policy{Given: true}}
		if f != nil {
			f(r, &c)
		}
		r.config.Neighbors = append(r.config.Neighbors, c)
	}
}

// start configures all routers.
func (w *network) start() {
	w.t.Helper()
	for _, r := range w.routers {
		if err := r.config.Check(); err != nil {
			w.t.Fatal(err)
		}
		for _, l := range r.links {
			w.step(r, l)
		}
		w.configure(r)
	}
}

func (w *network) configure(r *router) {
	c := r.config
	c.Neighbors = append([]NeighborConfig(nil), c.Neighbors...)
	w.step(r, protocol.Configure{Config: c})
}

// step has a router's machine process an input, and carries out its effects.
func (w *network) step(r *router, in protocol.Input) {
	for _, e := range r.machine.Step(w.now, in, nil) {
		w.do(r, e)
	}
	r.slots.Drain(func(c routing.Change) {
		if c.Offered {
			r.offered[c.Slot.Prefix] = *c.Slot
		} else {
			delete(r.offered, c.Slot.Prefix)
		}
	})
}

func (w *network) do(r *router, e protocol.Effect) {
	switch e := e.(type) {
	case protocol.Dial:
		w.dial(r, e)
	case protocol.Listen:
		r.listeners[e.Local] = e.ID
	case protocol.Write:
		p, k := w.tube(r, e.ID)
		if p == nil {
			return
		}
		if p.room[k] -= len(e.Data); p.room[k] < -4096 {
			w.t.Errorf("router %d wrote %d octets more than there was room for", r.number, -p.room[k])
		}
		p.queues[1-k] = append(p.queues[1-k], protocol.Read{Data: bytes.Clone(e.Data)})
	case protocol.CloseStream:
		if p, k := w.tube(r, e.ID); p != nil {
			p.closed[k] = true
			p.queues[1-k] = append(p.queues[1-k], protocol.Closed{Err: protocol.ErrStreamEnd})
		}
	case protocol.Track:
		r.tracked[e.Address] = true
		r.waiting = append(r.waiting, w.resolve(r, e.Address))
	case protocol.Untrack:
		delete(r.tracked, e.Address)
	case protocol.Mark:
		r.waiting = append(r.waiting, protocol.Notices{Notices: routing.Notices{Installed: e.Number}})
	case protocol.Watch, protocol.Unwatch, protocol.Discover, protocol.Undiscover:
		r.watches = append(r.watches, e)
	case protocol.Event:
		r.events = append(r.events, fmt.Sprintf("%s %v", e.What, e.Err))
	case protocol.SetPeer, protocol.ForgetPeer, protocol.Stopped:
	default:
		w.t.Fatalf("effect %T", e)
	}
}

// resolve is what a router's RIB says of an address.
func (w *network) resolve(r *router, a netip.Addr) protocol.Notices {
	s := routing.NextHopState{Address: a, Interface: routing.NoInterface}
	if a == defaultProbes[wire.IPv4Unicast] && r.hasRoute {
		s.Reachable, s.Via, s.Source, s.Action = true, defaultPrefixes[wire.IPv4Unicast], routing.SourceStatic, routing.Blackhole
	}
	for _, o := range w.routers {
		for _, l := range o.links {
			switch {
			case !slices.ContainsFunc(l.Addresses, func(p netip.Prefix) bool { return p.Contains(a) }):
			case o == r:
				s.Reachable, s.Source, s.Metric = true, routing.SourceConnected, 0
				return protocol.Notices{Notices: routing.Notices{NextHops: []routing.NextHopState{s}}}
			case o.config.AS == r.config.AS:
				s.Reachable, s.Source, s.Metric = true, routing.SourceOSPF, w.metric(r, o)
			}
		}
	}
	return protocol.Notices{Notices: routing.Notices{NextHops: []routing.NextHopState{s}}}
}

// dial makes a connection to the router that has the address, if it listens.
func (w *network) dial(r *router, e protocol.Dial) {
	p := &tube{ids: [2]protocol.StreamID{e.ID}, ends: [2]*router{r}}
	w.pipes = append(w.pipes, p)
	for _, o := range w.routers {
		at := netip.IPv4Unspecified()
		if e.Remote.Addr().Is6() {
			at = netip.IPv6Unspecified()
		}
		id, listens := o.listeners[netip.AddrPortFrom(at, e.Remote.Port())]
		if !listens || !o.has(e.Remote.Addr()) {
			continue
		}
		links := w.ends(r, o, &e)
		w.next++
		p.ends[1], p.ids[1] = o, w.next
		p.room = [2]int{protocol.StreamRoom, protocol.StreamRoom}
		up := protocol.Connected{ID: e.ID, Local: e.Local, Remote: e.Remote, Link: links[0], Room: protocol.StreamRoom}
		p.queues[0] = append(p.queues[0], up)
		up.ID, up.Listener, up.Local, up.Remote, up.Link = w.next, id, e.Remote, e.Local, links[1]
		p.queues[1] = append(p.queues[1], up)
		return
	}
	p.closed[1] = true
	p.queues[0] = append(p.queues[0], protocol.Closed{Err: protocol.ErrStreamRefused})
}

func (r *router) has(a netip.Addr) bool {
	for _, l := range r.links {
		if len(l.Addresses) > 0 && l.Addresses[0].Addr() == a {
			return true
		}
	}
	return false
}

// tube is an open connection of a router, and which end of it is its.
func (w *network) tube(r *router, id protocol.StreamID) (*tube, int) {
	for _, p := range w.pipes {
		for k := range p.ends {
			if p.ends[k] == r && p.ids[k] == id && !p.closed[k] {
				return p, k
			}
		}
	}
	return nil, 0
}

// deliver brings something that waits to a router, and reports false if nothing waits.
func (w *network) deliver() bool {
	var ready []func()
	live := w.pipes[:0]
	for _, p := range w.pipes {
		if p.closed[0] && p.closed[1] {
			continue
		}
		live = append(live, p)
		for k := range p.queues {
			if p.closed[k] {
				p.queues[k] = nil
			}
			if len(p.queues[k]) > 0 {
				ready = append(ready, func() { w.bring(p, k) })
			}
		}
	}
	w.pipes = live
	for _, r := range w.routers {
		if len(r.waiting) > 0 {
			ready = append(ready, func() {
				in := r.waiting[0]
				r.waiting = r.waiting[1:]
				w.step(r, in)
			})
		}
	}
	if len(ready) == 0 {
		return false
	}
	ready[w.random.IntN(len(ready))]()
	return true
}

// bring brings the next input of a connection.
func (w *network) bring(p *tube, k int) {
	in := p.queues[k][0]
	p.queues[k] = p.queues[k][1:]
	switch in := in.(type) {
	case protocol.Read:
		in.ID = p.ids[k]
		w.step(p.ends[k], in)
		if other := 1 - k; !p.closed[other] {
			was := p.room[other]
			p.room[other] += len(in.Data)
			if now := p.room[other]; was < protocol.StreamRoom/2 && now >= protocol.StreamRoom/2 || now == protocol.StreamRoom {
				p.queues[other] = append(p.queues[other], protocol.Written{Room: now})
			}
		}
	case protocol.Written:
		in.ID, in.Room = p.ids[k], p.room[k]
		w.step(p.ends[k], in)
	case protocol.Closed:
		in.ID = p.ids[k]
		p.closed[k] = true
		w.step(p.ends[k], in)
	default:
		w.step(p.ends[k], in)
	}
}

// run lets time pass for d.
func (w *network) run(d time.Duration) {
	w.t.Helper()
	until := w.now.Add(d)
	for range 2_000_000 {
		if w.deliver() {
			continue
		}
		var next time.Time
		for _, r := range w.routers {
			if at := r.machine.Deadline(); !at.IsZero() && (next.IsZero() || at.Before(next)) {
				next = at
			}
		}
		if next.IsZero() || next.After(until) {
			w.now = until
			return
		}
		if next.After(w.now) {
			w.now = next
		}
		for _, r := range w.routers {
			if at := r.machine.Deadline(); !at.IsZero() && !at.After(w.now) {
				w.step(r, protocol.Tick{})
			}
		}
	}
	w.t.Fatalf("still not quiet at %v", w.now.Sub(epoch))
}

// cut resets the connections between two routers.
func (w *network) cut(a, b *router) {
	for _, p := range w.pipes {
		if p.ends[0] == a && p.ends[1] == b || p.ends[0] == b && p.ends[1] == a {
			for k := range p.ends {
				if !p.closed[k] {
					p.queues[k] = []protocol.Input{protocol.Closed{Err: protocol.ErrStreamReset}}
				}
			}
		}
	}
}

// vanish takes a router away, whose connections are reset; its machine begins anew when it
// is configured.
func (w *network) vanish(r *router) {
	for _, p := range w.pipes {
		for k := range p.ends {
			if p.ends[k] == r && !p.closed[k] {
				p.closed[k] = true
				p.queues[1-k] = append(p.queues[1-k], protocol.Closed{Err: protocol.ErrStreamReset})
			}
		}
	}
	clear(r.listeners)
	clear(r.offered)
	r.slots, r.waiting = routing.Slots{}, nil
	r.begin(w)
}

// established wants all sessions up.
func (w *network) established() {
	w.t.Helper()
	for _, r := range w.routers {
		for _, n := range r.machine.Neighbors() {
			if n.State != Established {
				w.t.Fatalf("router %d: neighbour %v is %v; %+v; %v", r.number, n.Address, n.State, n.Last, r.events)
			}
		}
	}
}

// best is a router's best route of a prefix, nil if it has none.
func (r *router) best(p netip.Prefix) *RouteStatus {
	list := r.machine.Routes(p)
	for i := range list {
		if list[i].Best {
			return &list[i]
		}
	}
	return nil
}
