package ospf

import (
	"encoding/binary"
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// script reads what happens to a machine from octets.
type script []byte

func (s *script) next(n int) []byte {
	b := make([]byte, n)
	copy(b, *s)
	*s = (*s)[min(n, len(*s)):]
	return b
}

func (s *script) octet() byte { return s.next(1)[0] }

// wireID is one of a few, so that what is said fits together.
func (s *script) wireID() wire.ID {
	few := [...]wire.ID{0, 1, ip("10.0.0.2"), ip("10.0.0.8"), ip("10.0.0.9"), ip("5.0.0.5"), ip("9.0.0.9"), ip("8.0.0.8")}
	if b := s.octet(); int(b) < len(few) {
		return few[b]
	}
	return wire.ID(binary.BigEndian.Uint32(s.next(4)))
}

// lsa is one whose checksum is right.
func (s *script) lsa() wire.LSA {
	h := wire.Header{
		Identity: wire.Identity{Type: wire.LSType(s.octet()), ID: s.wireID(), Router: s.wireID()},
		Age:      uint16(s.octet()) << 4, Options: wire.Options(s.octet()),
		Sequence: wire.InitialSequence + int32(s.octet()),
	}
	if s.octet() == 0 {
		h.Sequence = wire.MaxSequence
	}
	return wire.AppendLSA(nil, &h, wire.Opaque(s.next(int(s.octet()%40))))
}

// packet is one that would be accepted, but for what it says.
func (s *script) packet(m *Machine) wire.Packet {
	p := wire.Packet{Type: wire.Type(s.octet()%5 + 1), Router: s.wireID(), Area: wire.ID(s.octet() & 1)}
	switch p.Type {
	case wire.TypeHello:
		p.Hello = m.greeting(m.links[1])
		p.Hello.Priority, p.Hello.DR, p.Hello.BDR = s.octet(), s.wireID(), s.wireID()
		p.Hello.Neighbors = []wire.ID{m.router, s.wireID()}[:s.octet()%3]
	case wire.TypeDescription:
		p.Description = wire.Description{MTU: 1500, Options: wire.OptionE | wire.OptionO, Flags: wire.DescriptionFlags(s.octet() & 7), Sequence: uint32(s.octet())}
		for _, l := range m.links {
			for _, n := range l.neighbors {
				if n.router == p.Router && s.octet()&1 == 0 {
					p.Description.Sequence = n.exchange.sequence + uint32(s.octet()&1)
				}
			}
		}
		for range s.octet() % 4 {
			p.Headers = append(p.Headers, s.lsa().Header())
		}
	case wire.TypeRequest:
		for range s.octet() % 4 {
			p.Requests = append(p.Requests, s.lsa().Identity())
		}
	case wire.TypeUpdate:
		for range s.octet() % 4 {
			l := s.lsa()
			p.Updates = append(p.Updates, wire.Update{LSA: l, Age: l.Age()})
		}
	case wire.TypeAcknowledgement:
		for range s.octet() % 4 {
			p.Headers = append(p.Headers, s.lsa().Header())
		}
		for _, sc := range m.scopes() {
			for e := range sc.db.All(wire.LSType(s.octet() % 12)) {
				p.Headers = append(p.Headers, e.Header(m.now))
			}
		}
	}
	return p
}

// Whatever comes, the machine goes on, and its databases hold together.
func FuzzMachine(f *testing.F) {
	hello := []byte{0, 0, 6, 0, 1, 4, 0, 1}
	f.Add(append(append([]byte{}, hello...), 0, 1, 6, 0, 7, 1, 0, 0, 0, 1, 6, 0, 1, 1, 0, 0, 0, 3, 6, 0, 2, 1, 6, 6, 0, 2, 1, 1, 8))
	f.Add([]byte{1, 20, 2, 1, 0, 44, 5, 0, 0, 5, 2, 5, 1, 6, 7, 8})
	f.Add([]byte{2, 200, 2, 200, 0, 0, 6, 0, 1, 4, 0, 1, 3, 4, 5, 6, 2, 9})
	f.Fuzz(func(t *testing.T, data []byte) {
		kind := Broadcast
		if len(data) > 0 && data[0]&0x80 != 0 {
			kind = PointToPoint
		}
		x := newPeer(t, kind, "9.0.0.9", nil)
		x.n.cfg.MaxLSA = 20
		x.n.reload(func(*Config) {})
		s := script(data)
		for range 64 {
			if len(s) == 0 || x.n.off {
				break
			}
			x.act(&s)
			x.n.check()
		}
	})
}

// act has one thing happen.
func (x *peer) act(s *script) {
	m, p := x.n.m, x.n.ports[0]
	from := []string{"10.0.0.9", "10.0.0.8", "10.0.0.7"}
	switch s.octet() % 9 {
	case 0, 7, 8:
		if l := m.links[1]; l == nil || !l.active() {
			break
		}
		x.addr = addr(from[s.octet()%3])
		x.say(s.packet(m))
	case 1: // anything at all
		payload := s.next(int(s.octet()))
		x.w.step(x.n, protocol.Received{Link: 1, Src: addr(from[0]), Dst: allDRouters, Protocol: wire.Protocol, Payload: payload})
	case 2:
		x.w.run(time.Duration(s.octet())*300*time.Millisecond, nil)
	case 3:
		if p.down {
			p.raise()
		} else {
			p.fall()
		}
	case 4:
		x.n.reload(func(c *Config) {
			i := c.Interfaces["eth1"]
			b := s.octet()
			i.Area, i.Passive, i.Cost = wire.ID(b&1), b&6 == 6, uint16(b>>3)
			c.Interfaces["eth1"] = i
			c.MaxLSA = int(b >> 2)
		})
	case 5:
		x.w.step(x.n, protocol.NeighborState{Link: 1, Address: addr(from[s.octet()%3]), Cause: routing.Cause(s.octet() % 5), Alive: s.octet()&1 == 0})
	case 6:
		if s.octet() == 77 {
			x.w.step(x.n, protocol.Stop{})
		}
	}
}

// check wants the machine's counts and lists to agree.
func (n *station) check() {
	exchanging, others := 0, 0
	for _, l := range n.m.order {
		for _, x := range l.neighbors {
			if x.state.exchanging() {
				exchanging++
			}
			asked := 0
			for w := range x.requests.all {
				if w.asked {
					asked++
				}
			}
			if asked != x.asked || l.index[x.name] != x {
				n.w.t.Errorf("%v: %d are asked for, it says %d", x.router, asked, x.asked)
			}
			if x.state < NeighborExchange && x.unacked.len()+x.requests.len()+x.replies.len() > 0 {
				n.w.t.Errorf("%v in %v has %d unacknowledged, %d requested, %d to be sent", x.router, x.state, x.unacked.len(), x.requests.len(), x.replies.len())
			}
		}
		if len(l.index) != len(l.neighbors) {
			n.w.t.Errorf("%s: %d neighbours, and %d by name", l.name, len(l.neighbors), len(l.index))
		}
	}
	for _, s := range n.m.scopes() {
		n.w.consistent(n, s)
		for t := range wire.ASOpaque + 1 {
			for e := range s.db.All(t) {
				if !e.self {
					others++
				}
			}
		}
	}
	if exchanging != n.m.exchanging || others != n.m.limit.used {
		n.w.t.Errorf("%d neighbours in an exchange and %d LSAs of others, it counts %d and %d", exchanging, others, n.m.exchanging, n.m.limit.used)
	}
}
