package router

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/protocol"
)

// caller is a core that does what the test says, and dials again whenever it hears
// that it cannot.
type caller struct {
	heard []protocol.Input
	again bool
	last  protocol.StreamID
}

type say []protocol.Effect

func (c *caller) Deadline() time.Time { return time.Time{} }

func (c *caller) Step(_ time.Time, in protocol.Input, out []protocol.Effect) []protocol.Effect {
	if s, ok := in.(say); ok {
		return append(out, s...)
	}
	c.heard = append(c.heard, in)
	if _, closed := in.(protocol.Closed); closed && c.again {
		c.last++
		out = append(out, protocol.Dial{ID: c.last})
	}
	return out
}

// carrier notes what it has to carry out.
type carrier struct{ effects []protocol.Effect }

func (c *carrier) Carry(e protocol.Effect) { c.effects = append(c.effects, e) }

func newCaller() (*Protocol, *caller, *carrier) {
	core := &caller{}
	r := New(rand.NewPCG(1, 2), Kind{Name: "caller", Source: routing.SourceOSPF, New: func(protocol.Start) protocol.Core { return core }})
	p, c := r.Protocol("caller"), &carrier{}
	p.Streams = c
	return p, core, c
}

// After a core has closed a connection, or has heard of its end, it hears no more
// of it, whatever was on its way; whoever said it is told that it is dealt with.
func TestNothingIsHeardOfAStreamThatWasClosed(t *testing.T) {
	p, core, carried := newCaller()
	now := time.Unix(1000, 0)
	stepped := 0
	hear := func(in protocol.Input) {
		t.Helper()
		if !p.OfferStream(in, func() { stepped++ }) {
			t.Fatal("an empty inbox took nothing")
		}
		p.Inbox.Poll(p, now)
	}
	accepted := protocol.AcceptedStream | 1
	p.Step(now, say{protocol.Dial{ID: 1}, protocol.Listen{ID: 2}})
	hear(protocol.Connected{ID: 1})
	hear(protocol.Connected{ID: accepted, Listener: 2})
	hear(protocol.Read{ID: accepted, Data: []byte("x")})
	p.Step(now, say{protocol.CloseStream{ID: 1}, protocol.CloseStream{ID: 2}})
	was := len(core.heard)
	hear(protocol.Read{ID: 1, Data: []byte("late")})
	hear(protocol.Written{ID: 1})
	hear(protocol.Closed{ID: 1, Err: protocol.ErrStreamEnd})
	hear(protocol.Connected{ID: accepted + 1, Listener: 2})
	if len(core.heard) != was {
		t.Errorf("after the end the core heard %v", core.heard[was:])
	}
	if last := carried.effects[len(carried.effects)-1]; last != (protocol.CloseStream{ID: accepted + 1, Reset: true}) {
		t.Errorf("a connection by a listener that is closed: %+v, want it reset", last)
	}
	hear(protocol.Closed{ID: accepted, Err: protocol.ErrStreamReset})
	hear(protocol.Read{ID: accepted})
	if len(core.heard) != was+1 || stepped != 9 {
		t.Errorf("the core heard %v, %d were dealt with; want the end of the accepted one, and 9", core.heard[was:], stepped)
	}
	sent := len(carried.effects)
	p.Step(now, say{protocol.Write{ID: accepted, Data: []byte("late")}, protocol.CloseStream{ID: 1}, protocol.SetPeer{ID: 2}, protocol.ForgetPeer{ID: 2}})
	if len(carried.effects) != sent {
		t.Errorf("about what is closed was carried out: %v", carried.effects[sent:])
	}
}

// What is known late is asked for when the core has its turn with it, and not of a stream
// that it has closed.
func TestWhatIsKnownLate(t *testing.T) {
	p, core, _ := newCaller()
	now := time.Unix(1000, 0)
	p.Step(now, say{protocol.Dial{ID: 1}, protocol.Dial{ID: 2}})
	room := 5
	for id := range protocol.StreamID(2) {
		late := protocol.Late(func() protocol.Input { return protocol.Written{ID: 1 + id, Room: room} })
		if !p.OfferStream(late, func() {}) {
			t.Fatal("an empty inbox took nothing")
		}
	}
	room = 3
	p.Step(now, say{protocol.CloseStream{ID: 2}})
	p.Inbox.Poll(p, now)
	p.Inbox.Poll(p, now)
	if len(core.heard) != 1 || core.heard[0] != (protocol.Written{ID: 1, Room: 3}) {
		t.Errorf("the core heard %v, want the room of 3 of stream 1", core.heard)
	}
}

// What cannot be is said at once, and a core that asks again and again is
// answered once each time.
func TestStreamsThatAreRefused(t *testing.T) {
	p, core, carried := newCaller()
	now := time.Unix(1000, 0)
	p.Step(now, say{protocol.Dial{ID: 1}, protocol.Dial{ID: 1}, protocol.Listen{ID: protocol.AcceptedStream}, protocol.Dial{ID: 0}})
	if len(carried.effects) != 1 || len(core.heard) != 3 || !p.Deadline().IsZero() {
		t.Errorf("carried out %v, heard %v, due %v; want one, three and nothing", carried.effects, core.heard, p.Deadline())
	}
	p.Streams, core.again, core.heard, core.last = nil, true, nil, 10
	p.Step(now, say{protocol.Dial{ID: 9}})
	if len(core.heard) != 1 || !errors.Is(core.heard[0].(protocol.Closed).Err, protocol.ErrNoStack) || p.Deadline() != now {
		t.Errorf("without a stack: heard %v, due %v; want one answer, and the next one due", core.heard, p.Deadline())
	}
	p.Tick(now)
	if n := len(core.heard); n != 3 { // the tick, and the second answer
		t.Errorf("heard %d inputs, want 3", n)
	}
}
