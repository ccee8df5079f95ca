package bgp

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// One side is passive, or begins later, or is silent for a while.
func TestOneDials(t *testing.T) {
	for seed := range uint64(100) {
		a, b := config(1, 2), config(2, 1)
		a.Passive = seed%2 == 0
		bed := newBed(t, seed, a, b)
		if seed%3 == 0 { // b is not there yet: its stack refuses
			bed.run(0, bed.sides[0].session.Start(bed.now, nil))
			for _, p := range bed.pipes {
				p.queues[0] = []protocol.Input{protocol.Closed{Err: protocol.ErrStreamRefused}}
				p.queues[1], p.closed[1] = nil, true
			}
			bed.settle(time.Second)
			if s := bed.sides[0].session.State(); s != Active {
				t.Fatalf("seed %d: %v after a refused attempt, want active", seed, s)
			}
			bed.run(1, bed.sides[1].session.Start(bed.now, nil))
		} else {
			bed.start()
		}
		bed.settle(5 * time.Minute)
		bed.established(fmt.Sprintf("seed %d", seed))
	}
}

// A session that is up stays up by KEEPALIVEs alone, and does not by silence.
func TestKeepalives(t *testing.T) {
	bed := newBed(t, 1, config(1, 2), config(2, 1))
	bed.start()
	bed.settle(time.Hour)
	bed.established("an hour later")
	for _, o := range bed.sides {
		if o.ups != 1 {
			t.Fatalf("%s came up %d times: %v", o.name, o.ups, o.log)
		}
	}
	// b's octets no longer arrive.
	a := bed.sides[0]
	silent := bed.now
	for range 100 {
		var a0 *Alarm
		next := a.alarms.Next()
		if next.Sub(silent) > 91*time.Second {
			break
		}
		bed.now = next
		if due := a.alarms.Due(bed.now); due != nil {
			a0 = due.Of
		}
		out := a0.Due(bed.now, nil)
		if got := messages(t, out); slices.Contains(got, "hold timer expired") {
			if d := bed.now.Sub(silent); d < 60*time.Second || d > 90*time.Second || got[len(got)-1] != "close" || a.downs != 1 {
				t.Errorf("%v after the last message: %v, down %d times", d, got, a.downs)
			}
			return
		}
	}
	t.Errorf("nothing happens for 90 s; last %+v", a.session.Last())
}

// one is a speaker with a connection, whose octets the test writes.
type one struct {
	*side
	t   *testing.T
	now time.Time
	id  protocol.StreamID
}

// dialled starts a speaker whose attempt succeeds, and gives what it says.
func dialled(t *testing.T, c SessionConfig) (*one, []string) {
	t.Helper()
	o := &one{side: newSide(t, "a", c, 1), t: t, now: epoch}
	if got := messages(t, o.session.Start(o.now, nil)); !slices.Equal(got, []string{"dial"}) {
		t.Fatalf("start: %v", got)
	}
	o.id = o.number
	return o, o.input(protocol.Connected{ID: o.id, Room: protocol.StreamRoom})
}

func (o *one) input(in protocol.Input) []string {
	o.t.Helper()
	return messages(o.t, o.session.Input(o.now, in, nil))
}

func (o *one) read(list ...[]byte) []string {
	o.t.Helper()
	return o.input(protocol.Read{ID: o.id, Data: slices.Concat(list...)})
}

// wait lets time pass, and gives what is said meanwhile.
func (o *one) wait(d time.Duration) (list []string) {
	o.t.Helper()
	until := o.now.Add(d)
	for range 1000 {
		at := o.alarms.Next()
		if at.IsZero() || at.After(until) {
			break
		}
		o.now = at
		list = append(list, messages(o.t, o.alarms.Due(o.now).Of.Due(o.now, nil))...)
	}
	o.now = until
	return list
}

// theirs is the OPEN of the neighbour.
func theirs() []byte {
	c := config(2, 1)
	return c.Open.Append(nil)
}

// up is a speaker with a session.
func up(t *testing.T, c SessionConfig) *one {
	t.Helper()
	o, _ := dialled(t, c)
	o.read(theirs(), wire.AppendKeepalive(nil))
	if o.session.State() != Established {
		t.Fatalf("state %v, %+v", o.session.State(), o.session.Last())
	}
	return o
}

func (o *one) want(what string, got []string, want ...string) {
	o.t.Helper()
	if !slices.Equal(got, want) {
		o.t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestMessages(t *testing.T) {
	keepalive := wire.AppendKeepalive(nil)
	var bad wire.Open
	bad.AS, bad.ID, bad.HoldTime = 65009, 9, 90
	badUpdate := slices.Concat(make([]byte, 0), keepalive[:16], []byte{0, 24, 2, 0, 5, 0, 0, 0})
	for _, test := range []struct {
		name  string
		begin func(o *one)
		in    []byte
		want  []string
		state State
	}{
		{"an OPEN", nil, theirs(), []string{"keepalive"}, OpenConfirm},
		{"an OPEN and a KEEPALIVE", nil, slices.Concat(theirs(), keepalive), []string{"keepalive"}, Established},
		{"an OPEN of another AS", nil, bad.Append(nil), []string{"open message error: bad peer AS", "close"}, Idle},
		{"garbage", nil, []byte("GET / HTTP/1.1\r\n"), []string{"message header error: connection not synchronized", "close"}, Idle},
		{"a KEEPALIVE before the OPEN", nil, keepalive, []string{"finite state machine error: unexpected message in open-sent", "close"}, Idle},
		{"an UPDATE before the OPEN", nil, wire.AppendEndOfRIB(nil, wire.IPv4Unicast), []string{"finite state machine error: unexpected message in open-sent", "close"}, Idle},
		{"a refresh before the OPEN", nil, wire.Refresh{}.Append(nil), []string{"finite state machine error: unexpected message in open-sent", "close"}, Idle},
		{"an UPDATE before the KEEPALIVE", nil, slices.Concat(theirs(), wire.AppendEndOfRIB(nil, wire.IPv4Unicast)), []string{"keepalive", "finite state machine error: unexpected message in open-confirm", "close"}, Idle},
		{"two OPENs", nil, slices.Concat(theirs(), theirs()), []string{"keepalive", "finite state machine error: unexpected message in open-confirm", "close"}, Idle},
		{"an OPEN in a session", nil, slices.Concat(theirs(), keepalive, theirs()), []string{"keepalive", "finite state machine error: unexpected message in established", "close"}, Idle},
		{"a NOTIFICATION", nil, wire.Notification{Code: wire.CodeCease}.Append(nil), []string{"close"}, Idle},
		{"a NOTIFICATION of the version", nil, wire.Notification{Code: wire.CodeOpen, Subcode: wire.OpenUnsupportedVersion}.Append(nil), []string{"close"}, Idle},
		{"an UPDATE", nil, slices.Concat(theirs(), keepalive, wire.AppendEndOfRIB(nil, wire.IPv4Unicast)), []string{"keepalive"}, Established},
		{"an UPDATE that cannot be read", nil, slices.Concat(theirs(), keepalive, badUpdate), []string{"keepalive", "update message error: malformed attribute list", "close"}, Idle},
		{"a header of an unknown type in a session", nil, slices.Concat(theirs(), keepalive, keepalive[:16], []byte{0, 19, 9}), []string{"keepalive", "message header error: bad message type", "close"}, Idle},
		{"a refresh", nil, slices.Concat(theirs(), keepalive, wire.Refresh{}.Append(nil)), []string{"keepalive"}, Established},
		{"a refresh of a family that is not spoken", nil, slices.Concat(theirs(), keepalive, wire.Refresh{Family: wire.IPv6Unicast}.Append(nil)), []string{"keepalive"}, Established},
	} {
		o, said := dialled(t, config(1, 2))
		o.want(test.name+", connected", said, "open")
		got := o.read(test.in)
		o.want(test.name, got, test.want...)
		if s := o.session.State(); s != test.state {
			t.Errorf("%s: %v, want %v", test.name, s, test.state)
		}
		if test.state == Idle {
			o.want(test.name+", later", o.wait(2*time.Second), "dial")
		}
		if len(o.log) > 0 && o.ups != o.downs+map[bool]int{true: 1}[test.state == Established] {
			t.Errorf("%s: %v", test.name, o.log)
		}
	}
	o := up(t, config(1, 2))
	o.read(wire.Refresh{Family: wire.IPv6Unicast}.Append(nil), wire.Refresh{}.Append(nil))
	if got := strings.Join(o.log, ", "); got != "established, refresh ipv4-unicast request" {
		t.Errorf("log %q", got)
	}
}

// What is in the message decides, not how the stream is cut.
func TestPieces(t *testing.T) {
	o, _ := dialled(t, config(1, 2))
	stream := slices.Concat(theirs(), wire.AppendKeepalive(nil))
	for range 50 {
		stream = wire.AppendEndOfRIB(stream, wire.IPv4Unicast)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for len(stream) > 0 {
		n := 1 + random.IntN(min(40, len(stream)))
		piece := slices.Clone(stream[:n])
		o.read(piece)
		clear(piece) // it is the driver's
		stream = stream[n:]
	}
	if o.updates != 50 || o.session.State() != Established {
		t.Errorf("%d updates, want 50; %v", o.updates, o.session.State())
	}
}

func TestStop(t *testing.T) {
	o := up(t, config(1, 2))
	got := messages(t, o.session.Stop(o.now, wire.Shutdown(wire.CeaseAdminShutdown, "back at nine"), nil))
	o.want("stop", got, `cease: administrative shutdown: "back at nine"`, "close")
	if o.downs != 1 || o.kept || o.session.State() != Idle {
		t.Errorf("down %d times, kept %v, %v", o.downs, o.kept, o.session.State())
	}
	o.want("an hour later", o.wait(time.Hour))
	o.want("a connection meanwhile", messages(t, o.session.Accept(o.now, protocol.Connected{ID: protocol.AcceptedStream | 1}, nil)), "reset")
	o.want("started again", messages(t, o.session.Start(o.now, nil)), "dial")

	o = up(t, config(1, 2))
	got = messages(t, o.session.Restart(o.now, wire.Notification{Code: wire.CodeCease, Subcode: wire.CeaseMaxPrefixes}, nil))
	o.want("ended by the router", got, "cease: maximum number of prefixes reached", "close")
	o.want("and tried again", o.wait(2*time.Second), "dial")

	// RFC 8538 §5: where notifications keep routes, the operator's do not.
	c := config(1, 2)
	c.Open.Capabilities.Restart = wire.GracefulRestart{Present: true, Notification: true, Families: wire.Of(wire.IPv4Unicast)}
	o, _ = dialled(t, c)
	other := config(2, 1)
	other.Open.Capabilities.Restart = c.Open.Capabilities.Restart
	o.read(other.Open.Append(nil), wire.AppendKeepalive(nil))
	got = messages(t, o.session.Stop(o.now, wire.Notification{Code: wire.CodeCease, Subcode: wire.CeaseDeconfigured}, nil))
	o.want("hard", got, "cease: hard reset: cease: peer de-configured", "close")
}

// Whether routes are kept, by how the session ends.
func TestRoutesKept(t *testing.T) {
	cease := wire.Notification{Code: wire.CodeCease, Subcode: wire.CeaseAdminReset}
	for _, test := range []struct {
		name         string
		notification bool
		end          func(o *one)
		want         bool
	}{
		{"the connection is lost", false, func(o *one) { o.input(protocol.Closed{ID: o.id, Err: protocol.ErrStreamReset}) }, true},
		{"a NOTIFICATION", false, func(o *one) { o.read(cease.Append(nil)) }, false},
		{"a NOTIFICATION that keeps", true, func(o *one) { o.read(cease.Append(nil)) }, true},
		{"a hard reset", true, func(o *one) { o.read(cease.Hard().Append(nil)) }, false},
		{"silence", false, func(o *one) { o.wait(91 * time.Second) }, false},
		{"silence that keeps", true, func(o *one) { o.wait(91 * time.Second) }, true},
	} {
		restart := wire.GracefulRestart{Present: true, Time: 120, Families: wire.Of(wire.IPv4Unicast), Notification: test.notification}
		c, other := config(1, 2), config(2, 1)
		c.Open.Capabilities.Restart, other.Open.Capabilities.Restart = restart, restart
		o, _ := dialled(t, c)
		o.read(other.Open.Append(nil), wire.AppendKeepalive(nil))
		test.end(o)
		if o.downs != 1 || o.kept != test.want {
			t.Errorf("%s: down %d times, kept %v, want %v", test.name, o.downs, o.kept, test.want)
		}
	}
}

func TestDelayOpen(t *testing.T) {
	c := config(1, 2)
	c.DelayOpen = 5 * time.Second
	o, said := dialled(t, c)
	o.want("connected", said)
	o.want("4 s later", o.wait(4*time.Second))
	o.want("5 s later", o.wait(time.Second), "open")
	o, _ = dialled(t, c)
	o.want("the neighbour's OPEN first", o.read(theirs()), "open", "keepalive")
	if s := o.session.State(); s != OpenConfirm {
		t.Errorf("%v, want open-confirm", s)
	}
	o, _ = dialled(t, c)
	o.want("lost while waiting", o.input(protocol.Closed{ID: o.id, Err: protocol.ErrStreamReset}))
	if s := o.session.State(); s != Active {
		t.Errorf("%v, want active", s)
	}
	o, _ = dialled(t, c)
	o.want("garbage while waiting", o.read([]byte("x")), "close")
	c.NotifyWithoutOpen = true
	o, _ = dialled(t, c)
	o.want("garbage while waiting, with an answer", o.read([]byte("x")), "message header error: connection not synchronized", "close")
}

// Attempts go on every ConnectRetry, failures are answered after a time that doubles;
// both with jitter.
func TestRetries(t *testing.T) {
	o := &one{side: newSide(t, "a", config(1, 2), 1), t: t, now: epoch}
	o.want("start", messages(t, o.session.Start(o.now, nil)), "dial")
	between := func(least, most time.Duration, want ...string) {
		t.Helper()
		began := o.now
		d := o.alarms.Next().Sub(began)
		if d < least || d > most {
			t.Errorf("the next attempt comes after %v, want %v to %v", d, least, most)
		}
		o.want("then", o.wait(d), want...)
	}
	for range 20 { // nobody answers
		between(90*time.Second, 120*time.Second, "reset", "dial")
	}
	for range 20 { // nobody listens
		o.input(protocol.Closed{ID: o.number, Err: protocol.ErrStreamRefused})
		between(3750*time.Millisecond, 5*time.Second, "dial")
	}
	// Failures of the session.
	o, _ = dialled(t, config(1, 2))
	var waits []time.Duration
	for range 10 {
		o.read([]byte("x"))
		began := o.now
		at := o.alarms.Next()
		o.want("held", o.wait(at.Sub(began)), "dial")
		waits = append(waits, o.now.Sub(began))
		o.id = o.number
		o.input(protocol.Connected{ID: o.id, Room: protocol.StreamRoom})
	}
	for i, d := range waits {
		most := min(time.Second<<i, 2*time.Minute)
		if d > most || d < most*3/4 {
			t.Errorf("after failure %d it waits %v, want %v to %v", i+1, d, most*3/4, most)
		}
	}
	// A session that was up for long begins anew.
	o.read(theirs(), wire.AppendKeepalive(nil))
	for range 10 {
		o.wait(30 * time.Second)
		o.read(wire.AppendKeepalive(nil))
	}
	o.input(protocol.Closed{ID: o.id, Err: protocol.ErrStreamReset})
	o.want("after a long session", o.wait(time.Second), "dial")
}

// A neighbour that takes nothing is given up (RFC 9687), one that takes some is not.
func TestSendHold(t *testing.T) {
	c := config(1, 2)
	c.SendHold = 2 * time.Minute
	for _, takes := range []bool{false, true} {
		o := up(t, c)
		o.input(protocol.Written{ID: o.id, Room: protocol.StreamRoom})
		var said []string
		for range 20 {
			said = append(said, o.wait(20*time.Second)...)
			if takes {
				o.input(protocol.Written{ID: o.id, Room: protocol.StreamRoom / 2})
			}
			if o.session.State() != Established {
				break
			}
			o.read(wire.AppendKeepalive(nil))
		}
		lost := slices.Contains(said, "send hold timer expired")
		if lost == takes || lost && said[slices.Index(said, "send hold timer expired")+1] != "reset" {
			t.Errorf("takes something %v: %v", takes, said)
		}
		if o.downs != map[bool]int{true: 0, false: 1}[takes] {
			t.Errorf("takes something %v: down %d times", takes, o.downs)
		}
	}
}

// Without a hold time there are no KEEPALIVEs, and silence is no end.
func TestNoHoldTime(t *testing.T) {
	c := config(1, 2)
	c.Open.HoldTime, c.SendHold = 0, -1
	o := up(t, c)
	o.want("a day later", o.wait(24*time.Hour))
	if o.session.State() != Established {
		t.Errorf("%v", o.session.State())
	}
}

// silent is an owner that hears nothing.
type silent struct{ number protocol.StreamID }

func (o *silent) NextStream() protocol.StreamID    { o.number++; return o.number }
func (*silent) Established(*Session)               {}
func (*silent) Ended(*Session, bool)               {}
func (*silent) Update(*Session, *wire.Update)      {}
func (*silent) Refresh(s *Session, r wire.Refresh) {}

// An UPDATE, cut anywhere, is taken without an allocation.
func TestSessionAllocates(t *testing.T) {
	o := new(silent)
	var alarms Alarms
	s := NewSession(config(1, 2), o, &alarms, rand.New(rand.NewPCG(1, 1)), new(wire.Update))
	s.Start(epoch, nil)
	s.Input(epoch, protocol.Connected{ID: 1, Room: protocol.StreamRoom}, nil)
	s.Input(epoch, protocol.Read{ID: 1, Data: slices.Concat(theirs(), wire.AppendKeepalive(nil))}, nil)
	if s.State() != Established {
		t.Fatal(s.State())
	}
	raw := wire.AppendEndOfRIB(wire.AppendEndOfRIB(nil, wire.IPv6Unicast), wire.IPv4Unicast)
	inputs := []protocol.Input{protocol.Read{ID: 1, Data: raw[:33]}, protocol.Read{ID: 1, Data: raw[33:]}}
	out := make([]protocol.Effect, 0, 8)
	if n := testing.AllocsPerRun(100, func() {
		for _, in := range inputs {
			out = s.Input(epoch, in, out[:0])
		}
	}); n != 0 || s.State() != Established {
		t.Errorf("%v allocations, want none; %v", n, s.State())
	}
}

// Messages are sent in a session alone.
func TestSend(t *testing.T) {
	data := wire.AppendEndOfRIB(nil, wire.IPv4Unicast)
	o, _ := dialled(t, config(1, 2))
	o.want("before the session", messages(t, o.session.Send(o.now, data, nil)))
	o = up(t, config(1, 2))
	room := o.session.Room()
	o.want("in it", messages(t, o.session.Send(o.now, data, nil)), "update")
	if got := o.session.Room(); got != room-len(data) {
		t.Errorf("room %d, want %d", got, room-len(data))
	}
}

// BenchmarkUpdate is what the session adds to an UPDATE: the end of a RIB, which is
// nothing else.
func BenchmarkUpdate(b *testing.B) {
	o := new(silent)
	var alarms Alarms
	s := NewSession(config(1, 2), o, &alarms, rand.New(rand.NewPCG(1, 1)), new(wire.Update))
	s.Start(epoch, nil)
	s.Input(epoch, protocol.Connected{ID: 1, Room: protocol.StreamRoom}, nil)
	s.Input(epoch, protocol.Read{ID: 1, Data: slices.Concat(theirs(), wire.AppendKeepalive(nil))}, nil)
	const many = 100
	var in protocol.Input = protocol.Read{ID: 1, Data: bytes.Repeat(wire.AppendEndOfRIB(nil, wire.IPv4Unicast), many)}
	var out []protocol.Effect
	for b.Loop() {
		out = s.Input(epoch, in, out[:0])
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/many, "ns/message")
}

// Messages above 4096 octets are taken where both have agreed on them, and in a session
// alone.
func TestExtendedMessages(t *testing.T) {
	long := slices.Clone(wire.AppendEndOfRIB(nil, wire.IPv4Unicast)[:19])
	long = append(append(long, 0x13, 0x88), bytes.Repeat([]byte{8, 10}, 2500)...) // 5000 octets of withdrawn routes
	long = append(long, 0, 0)
	long[16], long[17] = byte(len(long)>>8), byte(len(long))
	for _, both := range []bool{false, true} {
		c, other := config(1, 2), config(2, 1)
		c.Open.Capabilities.ExtendedMessage, other.Open.Capabilities.ExtendedMessage = true, both
		o, _ := dialled(t, c)
		o.read(other.Open.Append(nil), wire.AppendKeepalive(nil))
		got := o.read(long)
		if both && (len(got) != 0 || o.updates != 1) || !both && (len(got) == 0 || got[0] != "message header error: bad message length") {
			t.Errorf("agreed %v: %v, %d updates", both, got, o.updates)
		}
		o, _ = dialled(t, c)
		o.read(other.Open.Append(nil))
		if got := o.read(long); len(got) == 0 || got[0] != "message header error: bad message length" {
			t.Errorf("before the session, agreed %v: %v", both, got)
		}
	}
}
