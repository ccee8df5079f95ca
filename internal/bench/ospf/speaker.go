package main

import (
	"slices"
	"time"

	"routerd/routing/ospf/wire"
)

// Groups, and the sizes of packets.
const (
	allRouters   wire.ID = 0xe0000005 // 224.0.0.5
	headersEach          = 65         // of LSAs in a Database Description
	octetsEach           = 1400       // of LSAs in an Update
	linkMTU              = 1500
	againAfter           = 5 * time.Second // an LSA that is not acknowledged is sent again
	describedFor         = 2 * time.Second // likewise a Database Description
)

// database is what a speaker announces.
type database interface {
	headers() []wire.Header
	find(wire.Identity) wire.LSA // nil if it has no such LSA
}

// phase is how far a speaker and its peer are.
type phase int

const (
	alone phase = iota
	describing
	described
)

// speaker is one side of one adjacency, and has nothing of its own but a database:
// it calculates no routes, asks for no LSA and acknowledges every one. Its router
// ID is above the peer's, so it leads the exchange. It has no clock and no socket.
type speaker struct {
	router, address wire.ID
	mask            wire.ID
	hello           time.Duration
	dead            time.Duration
	db              database
	send            func(s *speaker, to wire.ID, p *wire.Packet)

	peer, peerAddress wire.ID
	phase             phase
	full              bool // the peer's LSAs say that it is adjacent
	lost              int  // how often that ended
	greets            time.Time

	sequence  uint32 // of Database Descriptions
	answered  bool
	rest      []wire.Header
	last      wire.Packet
	describes time.Time // when the last one is sent again

	pending map[wire.Identity]awaited
	repeats int // LSAs that were sent again
}

// awaited is an LSA that is not acknowledged.
type awaited struct {
	lsa wire.LSA
	due time.Time
}

func (s *speaker) greet(now time.Time) {
	h := wire.Hello{
		Mask: s.mask, HelloInterval: uint16(s.hello / time.Second), Options: wire.OptionE,
		DeadInterval: uint32(s.dead / time.Second),
	}
	if s.peer != 0 {
		h.Neighbors = []wire.ID{s.peer}
	}
	s.send(s, allRouters, &wire.Packet{Type: wire.TypeHello, Router: s.router, Hello: h})
	s.greets = now.Add(s.hello)
}

// tick does what is due.
func (s *speaker) tick(now time.Time) {
	if !now.Before(s.greets) {
		s.greet(now)
	}
	if s.phase == describing && !now.Before(s.describes) {
		s.describe(now)
	}
	for id, x := range s.pending {
		if !now.Before(x.due) {
			s.repeats++
			s.update(now, id, x.lsa)
		}
	}
}

// flood announces an LSA until it is acknowledged.
func (s *speaker) flood(now time.Time, l wire.LSA) { s.update(now, l.Identity(), l) }

func (s *speaker) update(now time.Time, id wire.Identity, l wire.LSA) {
	if s.pending == nil {
		s.pending = map[wire.Identity]awaited{}
	}
	s.pending[id] = awaited{l, now.Add(againAfter)}
	s.send(s, s.peerAddress, &wire.Packet{Type: wire.TypeUpdate, Router: s.router, Updates: []wire.Update{{LSA: l, Age: l.Age()}}})
}

// receive takes a packet of the peer's.
func (s *speaker) receive(now time.Time, src wire.ID, p *wire.Packet) {
	if p.Type == wire.TypeHello {
		s.greeted(now, src, p)
		return
	}
	if src != s.peerAddress || p.Router != s.peer {
		return
	}
	switch p.Type {
	case wire.TypeDescription:
		s.descriptionOf(now, p)
	case wire.TypeRequest:
		s.answer(p.Requests)
	case wire.TypeUpdate:
		s.learn(p.Updates)
	case wire.TypeAcknowledgement:
		for _, h := range p.Headers {
			if x, ok := s.pending[h.Identity]; ok && h.Sequence >= x.lsa.Sequence() {
				delete(s.pending, h.Identity)
			}
		}
	}
}

func (s *speaker) greeted(now time.Time, src wire.ID, p *wire.Packet) {
	s.peer, s.peerAddress = p.Router, src
	listed := slices.Contains(p.Hello.Neighbors, s.router)
	switch {
	case !listed:
		s.fall()
		s.greet(now)
	case s.phase == alone && (p.Hello.Priority == 0 || p.Hello.DR == 0 || p.Hello.DR == src):
		s.begin(now)
	}
}

// fall ends an adjacency.
func (s *speaker) fall() {
	if s.full {
		s.lost++
	}
	s.phase, s.full = alone, false
	clear(s.pending)
}

// begin begins the exchange, RFC 2328 §10.8.
func (s *speaker) begin(now time.Time) {
	s.fall()
	s.phase, s.answered, s.rest = describing, false, s.db.headers()
	s.sequence++
	s.last = wire.Packet{Type: wire.TypeDescription, Router: s.router, Description: wire.Description{
		MTU: linkMTU, Options: wire.OptionE, Sequence: s.sequence, Flags: wire.FlagInit | wire.FlagMore | wire.FlagMaster,
	}}
	s.describe(now)
}

func (s *speaker) describe(now time.Time) {
	s.send(s, s.peerAddress, &s.last)
	s.describes = now.Add(describedFor)
}

// descriptionOf takes the next Database Description of the peer's, which is led.
func (s *speaker) descriptionOf(now time.Time, p *wire.Packet) {
	d := &p.Description
	switch {
	case s.phase == alone:
		s.begin(now)
	case d.Flags&wire.FlagInit != 0:
		if s.answered { // the peer begins again
			s.begin(now)
		}
	case s.phase != describing || d.Flags&wire.FlagMaster != 0 || d.Sequence != s.sequence:
	case s.answered && len(s.rest) == 0 && d.Flags&wire.FlagMore == 0:
		s.phase = described
	default:
		s.answered = true
		s.sequence++
		n := min(headersEach, len(s.rest))
		s.last.Headers, s.rest = s.rest[:n], s.rest[n:]
		s.last.Description.Sequence, s.last.Description.Flags = s.sequence, wire.FlagMaster
		if len(s.rest) > 0 {
			s.last.Description.Flags |= wire.FlagMore
		}
		s.describe(now)
	}
}

// answer gives the peer the LSAs that it asks for.
func (s *speaker) answer(list []wire.Identity) {
	p := wire.Packet{Type: wire.TypeUpdate, Router: s.router}
	size := 0
	flush := func() {
		if len(p.Updates) > 0 {
			s.send(s, s.peerAddress, &p)
		}
		p.Updates, size = p.Updates[:0], 0
	}
	for _, id := range list {
		l := s.db.find(id)
		if l == nil {
			continue
		}
		if size += len(l); size > octetsEach {
			flush()
			size = len(l)
		}
		p.Updates = append(p.Updates, wire.Update{LSA: l, Age: l.Age()})
	}
	flush()
}

// learn acknowledges LSAs, and sees in the peer's whether it is adjacent.
func (s *speaker) learn(list []wire.Update) {
	ack := wire.Packet{Type: wire.TypeAcknowledgement, Router: s.router}
	for _, u := range list {
		h := u.LSA.Header()
		h.Age = u.Age
		ack.Headers = append(ack.Headers, h)
		if u.LSA.Router() != s.peer || s.phase == alone {
			continue
		}
		switch u.LSA.Type() {
		case wire.RouterLSA:
			for l := range wire.RouterBody(u.LSA.Body()).Links {
				s.full = s.full || l.Type == wire.LinkPointToPoint && l.ID == s.router
			}
		case wire.NetworkLSA:
			for id := range wire.NetworkBody(u.LSA.Body()).Routers {
				s.full = s.full || id == s.router
			}
		}
	}
	if len(ack.Headers) > 0 {
		s.send(s, s.peerAddress, &ack)
	}
}
