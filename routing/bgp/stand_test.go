package bgp

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"pgregory.net/rapid"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// stand is a machine whose neighbours the test plays: they are all on one link, and note
// what they are sent.
type stand struct {
	t       rapid.TB
	machine *Machine
	config  Config
	slots   routing.Slots
	now     time.Time
	peers   []*player
	next    protocol.StreamID
	events  []string
	// slow holds back what the RIB says of marks, in marks.
	slow  bool
	marks []protocol.Input
}

// player is a neighbour that the test plays.
type player struct {
	address netip.Addr
	as      uint32
	open    wire.Open
	session wire.Session
	stream  protocol.StreamID // 0: down
	stuck   bool              // it does not read
	room    int
	unread  []byte
	holds   map[string]string // of prefix, or prefix and path, to a route in words
	ends    int               // ends of the RIB
	refresh []wire.RefreshSubtype
	stale   map[string]bool // what a refresh has not brought yet
	times   map[string]time.Time
	least   time.Duration // between two routes of a prefix, as it came
	updates int
}

const standAS = 65000

var standAddress = netip.MustParseAddr("192.0.2.99")

func newStand(t rapid.TB, peers int, change func(i int, c *NeighborConfig)) *stand {
	s := &stand{t: t, now: epoch, next: protocol.AcceptedStream}
	s.machine = New(protocol.Start{Seed: 1, Slots: &s.slots})
	s.config = Config{AS: standAS, RouterID: 99}
	s.config.Listen[wire.IPv4Unicast] = netip.MustParseAddrPort("0.0.0.0:179")
	for i := range peers {
		c := NeighborConfig{
			Address: netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + i)}), Link: routing.NoInterface, AS: 65001 + uint32(i), HoldTime: 0, Passive: true,
			AnyFirstAS: true,
		}
		c.Families[wire.IPv4Unicast] = FamilyConfig{Enabled: true, Import: Policy{Given: true}, Export: Policy{Given: true}}
		if change != nil {
			change(i, &c)
		}
		s.config.Neighbors = append(s.config.Neighbors, c)
		p := &player{address: c.Address, as: c.AS, least: time.Hour}
		p.open = wire.Open{AS: c.AS, ID: wire.RouterID(1 + i), Capabilities: wire.Capabilities{Families: wire.Of(wire.IPv4Unicast), FourOctetAS: true, RouteRefresh: true}}
		s.peers = append(s.peers, p)
	}
	s.step(protocol.LinkUp{Link: 1, Addresses: []netip.Prefix{netip.PrefixFrom(standAddress, 24)}})
	s.configure()
	return s
}

func (s *stand) configure() {
	s.t.Helper()
	if err := s.config.Check(); err != nil {
		s.t.Fatal(err)
	}
	c := s.config
	c.Neighbors = slices.Clone(c.Neighbors)
	s.step(protocol.Configure{Config: c})
}

// step has the machine process an input, and whatever follows from it at once.
func (s *stand) step(in protocol.Input) {
	for queue := []protocol.Input{in}; len(queue) > 0; queue = queue[1:] {
		for _, e := range s.machine.Step(s.now, queue[0], nil) {
			switch e := e.(type) {
			case protocol.Write:
				if p := s.player(e.ID); p != nil {
					p.room -= len(e.Data)
					p.unread = append(p.unread, e.Data...)
					if !p.stuck {
						queue = append(queue, p.read(s))
					}
				}
			case protocol.CloseStream:
				if p := s.player(e.ID); p != nil {
					p.down()
				}
			case protocol.Track:
				queue = append(queue, protocol.Notices{Notices: routing.Notices{NextHops: []routing.NextHopState{
					{Address: e.Address, Interface: e.Link, Reachable: true, Source: routing.SourceConnected},
				}}})
			case protocol.Mark:
				installed := protocol.Notices{Notices: routing.Notices{Installed: e.Number}}
				if s.slow {
					s.marks = append(s.marks, installed)
				} else {
					queue = append(queue, installed)
				}
			case protocol.Event:
				s.events = append(s.events, fmt.Sprintf("%s %v", e.What, e.Err))
			}
		}
		s.slots.Publish()
	}
}

// forwards has the FIB take what it has been slow with.
func (s *stand) forwards() {
	s.slow = false
	for _, in := range s.marks {
		s.step(in)
	}
	s.marks = nil
}

func (s *stand) player(id protocol.StreamID) *player {
	for _, p := range s.peers {
		if p.stream == id {
			return p
		}
	}
	return nil
}

// run lets time pass for d.
func (s *stand) run(d time.Duration) {
	s.t.Helper()
	until := s.now.Add(d)
	for range 100_000 {
		at := s.machine.Deadline()
		if at.IsZero() || at.After(until) {
			s.now = until
			return
		}
		if at.After(s.now) {
			s.now = at
		}
		s.step(protocol.Tick{})
	}
	s.t.Fatalf("still not quiet at %v", s.now.Sub(epoch))
}

// connect has the session with a neighbour come up.
func (s *stand) connect(p *player) {
	s.t.Helper()
	s.run(5 * time.Minute) // the IdleHoldTimer
	s.connectNow(p)
}

func (s *stand) connectNow(p *player) {
	s.t.Helper()
	s.begin(p)
	s.step(protocol.Read{ID: p.stream, Data: wire.AppendKeepalive(p.open.Append(nil))})
	if p.stream == 0 {
		s.t.Fatalf("neighbour %v does not come up: %v", p.address, s.events)
	}
}

// connectStuck has one come up that reads nothing from then on.
func (s *stand) connectStuck(p *player) {
	s.begin(p)
	s.step(protocol.Read{ID: p.stream, Data: p.open.Append(nil)})
	p.stuck = true
	s.step(protocol.Read{ID: p.stream, Data: wire.AppendKeepalive(nil)})
}

func (s *stand) begin(p *player) {
	s.next++
	p.stream, p.room, p.holds, p.stale, p.times, p.ends = s.next, protocol.StreamRoom, map[string]string{}, nil, map[string]time.Time{}, 0
	s.step(protocol.Connected{
		ID: p.stream, Listener: 1, Local: netip.AddrPortFrom(standAddress, 179), Remote: netip.AddrPortFrom(p.address, 1000),
		Link: routing.NoInterface, Room: protocol.StreamRoom,
	})
}

func (p *player) down() { p.stream, p.unread, p.stuck = 0, nil, false }

// lose resets the connection with a neighbour.
func (s *stand) lose(p *player) {
	id := p.stream
	p.down()
	s.step(protocol.Closed{ID: id, Err: protocol.ErrStreamReset})
}

// say has a neighbour send a message.
func (s *stand) say(p *player, data []byte) { s.step(protocol.Read{ID: p.stream, Data: data}) }

// unstick has a neighbour read what waits, and go on reading.
func (s *stand) unstick(p *player) {
	if p.stream != 0 {
		p.stuck = false
		s.step(p.read(s))
	}
}

// read has a neighbour decode what it was sent.
func (p *player) read(s *stand) protocol.Input {
	for len(p.unread) > 0 {
		m, rest, r := wire.Split(p.unread, p.session.Longest())
		if !r.OK() || m.Octets == nil {
			s.t.Fatalf("neighbour %v was sent %x: %v", p.address, p.unread, r.String())
		}
		p.unread = rest
		switch m.Type {
		case wire.TypeOpen:
			var ours wire.Open
			if r := wire.DecodeOpen(slices.Clone(m.Body()), &ours); !r.OK() {
				s.t.Fatal(r.String())
			}
			if p.session, r = wire.Negotiate(&p.open, &ours, wire.Expected{}); !r.OK() {
				s.t.Fatal(r.String())
			}
		case wire.TypeUpdate:
			p.updates++
			p.update(s, m.Body())
		case wire.TypeRouteRefresh:
			d, r := wire.DecodeRefresh(m, true)
			if !r.OK() {
				s.t.Fatal(r.String())
			}
			p.refreshed(s, d)
		}
	}
	p.room = protocol.StreamRoom
	return protocol.Written{ID: p.stream, Room: p.room}
}

func (p *player) key(prefix netip.Prefix, path uint32) string {
	if p.session.ReceivePaths.Has(wire.FamilyFor(prefix)) {
		return fmt.Sprintf("%v#%d", prefix, path)
	}
	return prefix.String()
}

func (p *player) update(s *stand, body []byte) {
	var u wire.Update
	wire.DecodeUpdate(body, &p.session, &u)
	if u.Approach != wire.Accept {
		s.t.Fatalf("neighbour %v was sent an UPDATE with a fault: %v", p.address, u.Strongest())
	}
	if _, ok := u.EndOfRIB(); ok {
		p.ends++
		return
	}
	for i := range u.Withdrawn {
		for path, prefix := range u.Withdrawn[i].All {
			p.note(s, p.key(prefix, path))
			delete(p.holds, p.key(prefix, path))
		}
	}
	for i := range u.Reach {
		for path, prefix := range u.Reach[i].All {
			p.note(s, p.key(prefix, path))
			a := &u.Attributes
			a.NextHop = u.Reach[i].NextHop
			p.holds[p.key(prefix, path)] = routeWords(a)
		}
	}
}

// note notes that something of a prefix has come.
func (p *player) note(s *stand, key string) {
	delete(p.stale, key)
	if at, ok := p.times[key]; ok {
		p.least = min(p.least, s.now.Sub(at))
	}
	p.times[key] = s.now
}

// routeWords are a route's path, next hop, MED and communities.
func routeWords(a *wire.Attributes) string {
	text := fmt.Sprintf("%v via %v", a.ASPath, a.NextHop.Address)
	if a.Has(wire.AttrMED) {
		text += fmt.Sprintf(" med %d", a.MED)
	}
	for i := range a.Communities.Len() {
		text += fmt.Sprintf(" %v", a.Communities.At(i))
	}
	return text
}

// refreshed takes the beginning or the end of a refresh (RFC 7313 §4).
func (p *player) refreshed(s *stand, r wire.Refresh) {
	p.refresh = append(p.refresh, r.Subtype)
	switch r.Subtype {
	case wire.RefreshBegin:
		if p.ends == 0 {
			s.t.Fatalf("neighbour %v: a refresh begins before the end of the RIB", p.address)
		}
		p.stale = map[string]bool{}
		for k := range p.holds {
			p.stale[k] = true
		}
	case wire.RefreshEnd:
		if left := slices.Sorted(maps.Keys(p.stale)); len(left) > 0 {
			s.t.Fatalf("neighbour %v: the refresh has not brought %s, which it had", p.address, left)
		}
		p.stale = nil
	}
}

// route is an announcement by a neighbour, of a path behind it that ends in as.
func (p *player) route(as uint32, hop netip.Addr, prefixes ...netip.Prefix) []byte {
	return p.pathRoute(as, hop, 0, prefixes...)
}

// pathRoute is one with a path identifier, where these are sent.
func (p *player) pathRoute(as uint32, hop netip.Addr, path uint32, prefixes ...netip.Prefix) []byte {
	var k wire.Packer
	var a wire.Attributes
	a.ASPath = a.ASPath.AppendPrepended(nil, as, 1)
	a.ASPath = a.ASPath.AppendPrepended(nil, p.as, 1)
	a.NextHop.Address = hop
	for _, code := range []wire.Attribute{wire.AttrOrigin, wire.AttrASPath, wire.AttrNextHop} {
		a.Set(code)
	}
	k.Begin(nil, &p.session)
	k.Announce(wire.IPv4Unicast, &a)
	for _, x := range prefixes {
		k.Add(path, x)
	}
	return k.Bytes()
}

func (p *player) withdrawal(path uint32, prefixes ...netip.Prefix) []byte {
	var k wire.Packer
	k.Begin(nil, &p.session)
	k.Withdraw(wire.IPv4Unicast)
	for _, x := range prefixes {
		k.Add(path, x)
	}
	return k.Bytes()
}

// manyPrefixes are prefixes that are all different.
func manyPrefixes(n int) (list []netip.Prefix) {
	for i := range n {
		list = append(list, netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 0}), 24))
	}
	return list
}
