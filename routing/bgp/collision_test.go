package bgp

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// Two speakers that dial each other have one session in the end, on one connection,
// in whatever order things arrive.
func TestBothDial(t *testing.T) {
	direct := 0
	for seed := range uint64(2000) {
		a, b := config(1, 2), config(2, 1)
		switch seed % 4 {
		case 1: // the same router ID: the higher AS decides
			b.Open.ID = a.Open.ID
		case 2:
			a.Open.ID = 9
		case 3:
			a.DelayOpen, b.DelayOpen = 3*time.Second, 2*time.Second
		}
		bed := newBed(t, seed, a, b)
		bed.start()
		bed.settle(5 * time.Minute)
		bed.established(fmt.Sprintf("seed %d", seed))
		if bed.sides[0].ups == 1 && bed.sides[1].ups == 1 {
			direct++
		}
	}
	// One may be established when the other decides against that connection, which
	// costs another attempt.
	if direct < 1000 {
		t.Errorf("%d of 2000 sessions came up at once", direct)
	}
}

// A neighbour that has restarted without a word is let in again: the collision with
// the old connection finds out that it is dead.
func TestDeadConnection(t *testing.T) {
	for seed := range uint64(200) {
		a, b := config(1, 2), config(2, 1)
		b.Passive = true
		bed := newBed(t, seed, a, b)
		bed.start()
		bed.settle(10 * time.Second)
		bed.established("before")
		// a's machine is another one now, which answers segments of the old connection
		// with a reset.
		for _, p := range bed.pipes {
			p.queues[0], p.closed[0] = nil, true
		}
		dead := bed.pipes
		bed.sides[0] = newSide(t, "a again", a, seed+7)
		bed.run(0, bed.sides[0].session.Start(bed.now, nil))
		for range 10_000 {
			for _, p := range dead {
				if len(p.queues[0]) > 0 {
					p.queues[0] = nil
					p.queues[1] = append(p.queues[1], protocol.Closed{Err: protocol.ErrStreamReset})
				}
			}
			if !bed.deliver() && !bed.pass(epoch.Add(time.Minute)) {
				break
			}
		}
		bed.established(fmt.Sprintf("seed %d", seed))
		if b := bed.sides[1]; b.downs != 1 || b.kept {
			t.Fatalf("seed %d: b was down %d times, kept %v", seed, b.downs, b.kept)
		}
	}
}

// With graceful restart the new connection ends the old one at once, without a word,
// and the routes are kept (RFC 4724 §5).
func TestRestartedNeighbor(t *testing.T) {
	a, b := config(1, 2), config(2, 1)
	b.Passive = true
	for _, c := range []*SessionConfig{&a, &b} {
		c.Open.Capabilities.Restart = wire.GracefulRestart{Present: true, Time: 120, Families: wire.Of(wire.IPv4Unicast)}
	}
	bed := newBed(t, 3, a, b)
	bed.start()
	bed.settle(10 * time.Second)
	bed.established("before")
	for _, p := range bed.pipes {
		p.queues[0], p.closed[0] = nil, true
	}
	bed.sides[0] = newSide(t, "a again", a, 8)
	bed.run(0, bed.sides[0].session.Start(bed.now, nil))
	bed.settle(10 * time.Second)
	bed.established("after")
	if b := bed.sides[1]; b.downs != 1 || !b.kept || b.ups != 2 {
		t.Errorf("b was down %d times, up %d times, kept %v", b.downs, b.ups, b.kept)
	}
}

// A connection beside a session is refused by its OPEN, and the session is asked
// whether it is alive; one that has gone is no obstacle.
func TestCollisionWithSession(t *testing.T) {
	o := up(t, config(1, 2))
	id := protocol.AcceptedStream | 1
	o.want("a second connection", messages(t, o.session.Accept(o.now, protocol.Connected{ID: id, Room: protocol.StreamRoom}, nil)), "open")
	o.want("its OPEN", messages(t, o.session.Input(o.now, protocol.Read{ID: id, Data: theirs()}, nil)),
		"keepalive", "cease: connection collision resolution", "close")
	if o.session.State() != Established || o.downs != 0 || o.session.Owns(id) {
		t.Fatalf("%v, down %d times", o.session.State(), o.downs)
	}
	// The same again, but the session's connection is reset before the OPEN comes.
	id++
	messages(t, o.session.Accept(o.now, protocol.Connected{ID: id, Room: protocol.StreamRoom}, nil))
	o.input(protocol.Closed{ID: o.id, Err: protocol.ErrStreamReset})
	o.want("its OPEN after the reset", messages(t, o.session.Input(o.now, protocol.Read{ID: id, Data: theirs()}, nil)), "keepalive")
	messages(t, o.session.Input(o.now, protocol.Read{ID: id, Data: wire.AppendKeepalive(nil)}, nil))
	if o.session.State() != Established || o.ups != 2 || o.downs != 1 {
		t.Errorf("%v, up %d times, down %d times", o.session.State(), o.ups, o.downs)
	}
	o.want("and later", o.wait(20*time.Second))
	if o.session.State() != Established {
		t.Errorf("%v later", o.session.State())
	}
	// A third connection takes the place of a second one that has said nothing.
	third := protocol.AcceptedStream | 7
	messages(t, o.session.Accept(o.now, protocol.Connected{ID: third, Room: protocol.StreamRoom}, nil))
	o.want("a third one", messages(t, o.session.Accept(o.now, protocol.Connected{ID: third + 1, Room: protocol.StreamRoom}, nil)), "close", "open")
	if o.session.Owns(third) || !o.session.Owns(third+1) {
		t.Error("the wrong connection is kept")
	}
}

// Of two connections the one stays that the speaker with the higher router ID has begun,
// and with the higher AS if they are the same (§6.8, RFC 6286 §2.3).
func TestCollision(t *testing.T) {
	for _, test := range []struct {
		name       string
		id, theirs wire.RouterID
		as         uint32 // the neighbour's
		oursStays  bool
	}{
		{"a higher router ID", 9, 2, 65002, true},
		{"a lower router ID", 1, 2, 65002, false},
		{"the same, and a lower AS", 2, 2, 65002, false},
		{"the same, and a higher AS", 2, 2, 64999, true},
	} {
		for _, second := range []bool{false, true} { // which connection's OPEN comes second: what was accepted, or what was dialled
			c, other := config(1, 2), config(2, 1)
			c.Open.ID, c.Expected.AS, other.Open.ID, other.Open.AS = test.id, test.as, test.theirs, test.as
			o := &one{side: newSide(t, "a", c, 1), t: t, now: epoch}
			o.session.Start(o.now, nil)
			o.id = o.number
			accepted := protocol.AcceptedStream | 1
			raw := other.Open.Append(nil)
			messages(t, o.session.Accept(o.now, protocol.Connected{ID: accepted, Room: protocol.StreamRoom}, nil))
			o.input(protocol.Connected{ID: o.id, Room: protocol.StreamRoom})
			ids := []protocol.StreamID{o.id, accepted}
			if second {
				slices.Reverse(ids)
			}
			o.want(test.name+", first OPEN", o.input(protocol.Read{ID: ids[0], Data: raw}), "keepalive")
			const cease = "cease: connection collision resolution"
			if (ids[0] == o.id) == test.oursStays {
				o.want(test.name+", second OPEN", o.input(protocol.Read{ID: ids[1], Data: raw}), cease, "close")
			} else {
				o.want(test.name+", second OPEN", o.input(protocol.Read{ID: ids[1], Data: raw}), cease, "close", "keepalive")
			}
			if o.session.Owns(o.id) != test.oursStays || o.session.Owns(accepted) == test.oursStays {
				t.Errorf("%s: ours stays %v, theirs %v", test.name, o.session.Owns(o.id), o.session.Owns(accepted))
			}
			stays := accepted
			if test.oursStays {
				stays = o.id
			}
			o.input(protocol.Read{ID: stays, Data: wire.AppendKeepalive(nil)})
			if o.session.State() != Established {
				t.Errorf("%s: %v", test.name, o.session.State())
			}
		}
	}
}

// The connection that has won a collision may end by what came with its OPEN: then the
// neighbour is tried again as after any other failure.
func TestWinnerOfACollisionEnds(t *testing.T) {
	for name, more := range map[string][]byte{
		"a NOTIFICATION": wire.Notification{Code: wire.CodeCease, Subcode: wire.CeaseCollision}.Append(nil),
		"another OPEN":   theirs(),
		"garbage":        make([]byte, 19),
	} {
		o := &one{side: newSide(t, "a", config(1, 2), 1), t: t, now: epoch}
		o.session.Start(o.now, nil)
		o.id = o.number
		accepted := protocol.AcceptedStream | 1
		messages(t, o.session.Accept(o.now, protocol.Connected{ID: accepted, Room: protocol.StreamRoom}, nil))
		o.input(protocol.Connected{ID: o.id, Room: protocol.StreamRoom})
		o.input(protocol.Read{ID: o.id, Data: theirs()})
		o.input(protocol.Read{ID: accepted, Data: append(theirs(), more...)})
		if o.session.State() != Idle || o.session.Owns(accepted) {
			t.Errorf("%s: %v, the connection is kept: %v", name, o.session.State(), o.session.Owns(accepted))
		}
		before := o.number
		o.wait(2 * DefaultIdleHoldMin)
		if o.session.State() != Connect || o.number == before {
			t.Errorf("%s: %v after the time in Idle, want the neighbour dialled again", name, o.session.State())
		}
	}
}
