package bgp

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// side is one speaker of a bed: a session, and what it was told.
type side struct {
	t       testing.TB
	name    string
	session *Session
	alarms  Alarms
	number  protocol.StreamID
	log     []string
	ups     int
	downs   int
	kept    bool // of the last end
	updates int
}

func (o *side) NextStream() protocol.StreamID { o.number++; return o.number }

func (o *side) Established(*Session) { o.ups++; o.log = append(o.log, "established") }

func (o *side) Ended(_ *Session, keep bool) {
	o.downs, o.kept = o.downs+1, keep
	o.log = append(o.log, "ended")
}

func (o *side) Update(_ *Session, u *wire.Update) {
	o.updates++
	o.log = append(o.log, fmt.Sprintf("update %v", u.Approach))
}

func (o *side) Refresh(_ *Session, r wire.Refresh) {
	o.log = append(o.log, fmt.Sprintf("refresh %v %v", r.Family, r.Subtype))
}

// config is that of a speaker of an AS, with a router ID and an address that end like it.
func config(ours, theirs byte) SessionConfig {
	return SessionConfig{
		Open: wire.Open{
			AS: 65000 + uint32(ours), HoldTime: 90, ID: wire.RouterID(ours),
			Capabilities: wire.Capabilities{Families: wire.Of(wire.IPv4Unicast), FourOctetAS: true, RouteRefresh: true},
		},
		Expected: wire.Expected{AS: 65000 + uint32(theirs)},
		Local:    netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, ours}), 0),
		Remote:   netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, theirs}), wire.Port),
		Link:     routing.NoInterface,
	}
}

func newSide(t testing.TB, name string, c SessionConfig, seed uint64) *side {
	o := &side{t: t, name: name}
	o.session = NewSession(c, o, &o.alarms, rand.New(rand.NewPCG(seed, 1)), new(wire.Update))
	return o
}

// messages are those that effects write, in words; other effects by their types.
func messages(t testing.TB, out []protocol.Effect) (list []string) {
	t.Helper()
	for _, e := range out {
		switch e := e.(type) {
		case protocol.Dial:
			list = append(list, "dial")
		case protocol.CloseStream:
			if e.Reset {
				list = append(list, "reset")
			} else {
				list = append(list, "close")
			}
		case protocol.Write:
			for b := e.Data; len(b) > 0; {
				m, rest, r := wire.Split(b, wire.MaxExtendedMessage)
				if !r.OK() || m.Octets == nil {
					t.Fatalf("wrote %x: %v", b, r.String())
				}
				word := m.Type.String()
				if m.Type == wire.TypeNotification {
					word = wire.DecodeNotification(m.Body()).String()
				}
				list, b = append(list, word), rest
			}
		default:
			t.Fatalf("effect %T", e)
		}
	}
	return list
}

// pipe is a TCP connection between the sides of a bed.
type pipe struct {
	ends   [2]protocol.StreamID // as each side numbers it, 0 before it knows it
	queues [2][]protocol.Input  // to each side, in order
	closed [2]bool              // by each side
}

// bed is two speakers and the connections between them, which deliver in any order but
// that of each connection.
type bed struct {
	t      testing.TB
	sides  [2]*side
	now    time.Time
	pipes  []*pipe
	random *rand.Rand
	next   protocol.StreamID
}

func newBed(t testing.TB, seed uint64, a, b SessionConfig) *bed {
	return &bed{
		t: t, now: epoch, random: rand.New(rand.NewPCG(seed, 2)), next: protocol.AcceptedStream,
		sides: [2]*side{newSide(t, "a", a, seed), newSide(t, "b", b, seed+1)},
	}
}

// run carries out the effects of a side.
func (b *bed) run(i int, out []protocol.Effect) {
	for _, e := range out {
		switch e := e.(type) {
		case protocol.Dial:
			p := &pipe{}
			p.ends[i] = e.ID
			b.next++
			p.ends[1-i] = b.next
			p.queues[i] = append(p.queues[i], protocol.Connected{ID: e.ID, Room: protocol.StreamRoom})
			p.queues[1-i] = append(p.queues[1-i], protocol.Connected{ID: b.next, Listener: 1, Room: protocol.StreamRoom})
			b.pipes = append(b.pipes, p)
		case protocol.Write:
			if p := b.pipe(i, e.ID); p != nil {
				p.queues[1-i] = append(p.queues[1-i], protocol.Read{Data: bytes.Clone(e.Data)})
				p.queues[i] = append(p.queues[i], protocol.Written{ID: e.ID, Room: protocol.StreamRoom})
			}
		case protocol.CloseStream:
			if p := b.pipe(i, e.ID); p != nil {
				p.closed[i] = true
				p.queues[1-i] = append(p.queues[1-i], protocol.Closed{Err: protocol.ErrStreamEnd})
			}
		default:
			b.t.Fatalf("effect %T", e)
		}
	}
}

func (b *bed) pipe(i int, id protocol.StreamID) *pipe {
	for _, p := range b.pipes {
		if p.ends[i] == id && !p.closed[i] {
			return p
		}
	}
	return nil
}

// deliver brings something that waits to a side, and reports false if nothing waits.
func (b *bed) deliver() bool {
	type place struct {
		p *pipe
		i int
	}
	var ready []place
	for _, p := range b.pipes {
		for i := range p.queues {
			if len(p.queues[i]) > 0 {
				ready = append(ready, place{p, i})
			}
		}
	}
	if len(ready) == 0 {
		return false
	}
	at := ready[b.random.IntN(len(ready))]
	in := at.p.queues[at.i][0]
	at.p.queues[at.i] = at.p.queues[at.i][1:]
	if at.p.closed[at.i] {
		return true
	}
	s, id := b.sides[at.i].session, at.p.ends[at.i]
	switch in := in.(type) {
	case protocol.Connected:
		if in.Listener != 0 {
			b.run(at.i, s.Accept(b.now, in, nil))
		} else {
			b.run(at.i, s.Input(b.now, in, nil))
		}
	case protocol.Read:
		in.ID = id
		for len(in.Data) > 0 && !at.p.closed[at.i] { // in pieces of any length
			n := 1 + b.random.IntN(len(in.Data))
			b.run(at.i, s.Input(b.now, protocol.Read{ID: id, Data: in.Data[:n]}, nil))
			in.Data = in.Data[n:]
		}
	case protocol.Written:
		b.run(at.i, s.Input(b.now, in, nil))
	case protocol.Closed:
		in.ID = id
		at.p.closed[at.i] = true
		b.run(at.i, s.Input(b.now, in, nil))
	}
	return true
}

// pass lets time pass up to the next alarm, and does what is due.
func (b *bed) pass(until time.Time) bool {
	var next time.Time
	for _, o := range b.sides {
		if at := o.alarms.Next(); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	if next.IsZero() || next.After(until) {
		b.now = until
		return false
	}
	if next.After(b.now) {
		b.now = next
	}
	for i, o := range b.sides {
		for a := o.alarms.Due(b.now); a != nil; a = o.alarms.Due(b.now) {
			b.run(i, a.Of.Due(b.now, nil))
		}
	}
	return true
}

// settle delivers and lets time pass for d.
func (b *bed) settle(d time.Duration) {
	until := b.now.Add(d)
	for range 100_000 {
		if b.deliver() {
			continue
		}
		if !b.pass(until) {
			return
		}
	}
	b.t.Fatalf("still not quiet at %v", b.now)
}

// alive are the connections that neither side has closed.
func (b *bed) alive() (n int) {
	for _, p := range b.pipes {
		if !p.closed[0] && !p.closed[1] {
			n++
		}
	}
	return n
}

func (b *bed) start() {
	for i, o := range b.sides {
		b.run(i, o.session.Start(b.now, nil))
	}
}

func (b *bed) established(what string) {
	b.t.Helper()
	for _, o := range b.sides {
		if o.session.State() != Established || o.ups != o.downs+1 {
			b.t.Fatalf("%s: %s is %v, was up %d times and down %d: %v; %+v", what, o.name, o.session.State(), o.ups, o.downs, o.log, o.session.Last())
		}
	}
	if n := b.alive(); n != 1 {
		b.t.Fatalf("%s: %d connections are open, want 1", what, n)
	}
}

// drawnPrefix is one of very many prefixes of a family, masked.
func drawnPrefix(i int, f wire.Family) netip.Prefix {
	a := netip.AddrFrom4([4]byte{byte(1 + i%200), byte(i >> 8), byte(i)})
	bits := 8 + i%17
	if f == wire.IPv6Unicast {
		a, bits = netip.AddrFrom16([16]byte{0x20, 1, byte(i >> 8), byte(i), 5: byte(i)}), i%129
	}
	return netip.PrefixFrom(a, bits).Masked()
}
