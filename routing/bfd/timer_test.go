package bfd

import (
	"testing"
	"time"

	"routerd/routing/bfd/wire"
	"routerd/routing/protocol"
)

// gaps gives the shortest and the longest time between two packets in a time.
func (b *bed) gaps(d time.Duration) (short, long time.Duration, n int) {
	short = time.Hour
	var last time.Time
	for end := b.now.Add(d); ; {
		at := b.m.Deadline()
		if at.IsZero() || at.After(end) {
			b.now = end
			return short, long, n
		}
		b.now = at
		b.clear()
		b.step(protocol.Tick{})
		for range b.sent() {
			if !last.IsZero() {
				gap := b.now.Sub(last)
				short, long = min(short, gap), max(long, gap)
			}
			last = b.now
			n++
		}
	}
}

// RFC 5880 §6.8.3: a session that is not up sends once a second at most.
func TestSlowStart(t *testing.T) {
	b := newBed(t, fastConfig())
	b.watch("rip")
	if d := b.m.Deadline(); d != start {
		t.Fatalf("the first packet is due at %v, want at once", d)
	}
	short, long, n := b.gaps(time.Minute)
	if short < 750*time.Millisecond || long > time.Second || n < 60 {
		t.Errorf("%d packets, %v to %v apart; want 750ms to 1s", n, short, long)
	}
}

// RFC 5880 §6.8.7: the slower of both decides, less 0 to 25 %; at least 10 % with
// a multiplier of 1.
func TestTransmitInterval(t *testing.T) {
	for _, tt := range []struct {
		name        string
		own, theirs time.Duration
		multiplier  uint8
		low, high   time.Duration
	}{
		{"ours is slower", 200 * time.Millisecond, 50 * time.Millisecond, 3, 150 * time.Millisecond, 200 * time.Millisecond},
		{"theirs is slower", 50 * time.Millisecond, 400 * time.Millisecond, 3, 300 * time.Millisecond, 400 * time.Millisecond},
		{"multiplier 1", 100 * time.Millisecond, 100 * time.Millisecond, 1, 75 * time.Millisecond, 90 * time.Millisecond},
		{"3.3 ms", 3300 * time.Microsecond, 3300 * time.Microsecond, 3, 2475 * time.Microsecond, 3300 * time.Microsecond},
		{"10 s", 10 * time.Second, 50 * time.Millisecond, 3, 7500 * time.Millisecond, 10 * time.Second},
	} {
		cfg := fastConfig()
		p := cfg.Profiles[""]
		p.Transmit, p.Multiplier = tt.own, tt.multiplier
		cfg.Profiles[""] = p
		b := newBed(t, cfg)
		b.watch("rip")
		say := func(state wire.State) {
			x := b.packet(state)
			x.RequiredMinRx, x.DesiredMinTx, x.DetectMult, x.Final = uint32(tt.theirs/time.Microsecond), 10_000_000, 255, true
			b.send(x)
		}
		say(wire.Down)
		say(wire.Up)
		say(wire.Up) // the Final
		b.advance(time.Second)
		short, long, n := b.gaps(200 * tt.high)
		if short < tt.low || long > tt.high || n < 150 || long-short < (tt.high-tt.low)*3/4 {
			t.Errorf("%s: %d packets, %v to %v apart, want %v to %v and all between", tt.name, n, short, long, tt.low, tt.high)
		}
	}
}

// RFC 5880 §6.8.4: the neighbour's multiplier, times the slower of what it sends
// at and what is received at here.
func TestDetectionTime(t *testing.T) {
	for _, tt := range []struct {
		name         string
		rx, theirsTx time.Duration
		multiplier   uint8
		want         time.Duration
	}{
		{"50 ms x 3", 50 * time.Millisecond, 50 * time.Millisecond, 3, 150 * time.Millisecond},
		{"they are slower", 50 * time.Millisecond, 300 * time.Millisecond, 5, 1500 * time.Millisecond},
		{"we are slower", time.Second, 50 * time.Millisecond, 2, 2 * time.Second},
	} {
		cfg := fastConfig()
		p := cfg.Profiles[""]
		p.Receive = tt.rx
		cfg.Profiles[""] = p
		b := newBed(t, cfg)
		b.watch("rip")
		say := func(state wire.State) {
			x := b.packet(state)
			x.DesiredMinTx, x.DetectMult, x.Final = uint32(tt.theirsTx/time.Microsecond), tt.multiplier, true
			b.send(x)
		}
		say(wire.Down)
		say(wire.Up)
		say(wire.Up)
		s := b.only()
		heard := b.now
		b.advance(tt.want - time.Microsecond)
		if s.state != wire.Up {
			t.Errorf("%s: %v before %v of silence", tt.name, s.state, tt.want)
		}
		b.advance(2 * time.Microsecond)
		if s.state != wire.Down || s.lastChange.Sub(heard) != tt.want {
			t.Errorf("%s: %v, changed after %v; want down after %v", tt.name, s.state, s.lastChange.Sub(heard), tt.want)
		}
		if s.remoteDiscr != 0 || s.remoteMinRx != time.Microsecond {
			t.Errorf("%s: the neighbour's discriminator is %d and its interval %v, want 0 and 1µs (RFC 5880 §6.8.1)", tt.name, s.remoteDiscr, s.remoteMinRx)
		}
	}
}

// Packets that came in time count though this process did not run: a Tick that
// is late gives them a second look, and only one.
func TestLateTickIsNoFalseAlarm(t *testing.T) {
	b := newBed(t, fastConfig())
	b.watch("rip")
	s := b.bring()
	b.keep(wire.Up, time.Second)
	b.now = b.now.Add(400 * time.Millisecond) // stopped, say
	b.step(protocol.Tick{})
	if s.state != wire.Up {
		t.Fatal("down at once, though the packets could not be read")
	}
	b.say(wire.Up)
	b.advance(100 * time.Millisecond)
	if s.state != wire.Up {
		t.Fatal("down, though a packet was waiting")
	}
	b.now = b.now.Add(400 * time.Millisecond)
	b.step(protocol.Tick{})
	b.advance(secondLook)
	if s.state != wire.Down {
		t.Errorf("%v after the second look, want down", s.state)
	}
}

// Other inputs do not make a neighbour silent whose packet may wait behind them.
func TestInputsDoNotExpire(t *testing.T) {
	b := newBed(t, fastConfig())
	b.watch("rip")
	s := b.bring()
	b.now = b.now.Add(time.Second)
	b.step(protocol.LinkDown{Link: eth1})
	if s.state != wire.Up {
		t.Fatal("down by an input that is about something else")
	}
	b.say(wire.Up)
	b.advance(100 * time.Millisecond)
	if s.state != wire.Up {
		t.Error("down, though it was heard")
	}
}

// RFC 5880 §6.5, §6.8.3: a change of intervals is told by Polls on the packets
// that are sent anyway, until the Final.
func TestPollSequence(t *testing.T) {
	b := newBed(t, fastConfig())
	b.watch("rip")
	s := b.bring()
	b.clear()
	b.advance(120 * time.Millisecond)
	sent := b.sent()
	if len(sent) == 0 {
		t.Fatal("nothing sent")
	}
	for _, p := range sent {
		if !p.Poll || p.Final || p.DesiredMinTx != 50_000 {
			t.Errorf("%+v, want a Poll with 50 ms", p)
		}
	}
	p := b.packet(wire.Up)
	p.Final = true
	b.send(p)
	b.clear()
	b.advance(120 * time.Millisecond)
	for _, p := range b.sent() {
		if p.Poll {
			t.Errorf("a Poll after the Final: %+v", p)
		}
	}
	if s.state != wire.Up {
		t.Error("not up any more")
	}
	// Longer intervals: RFC 5880 §6.8.3, the old ones hold until the Final.
	slower := fast()
	slower.Transmit, slower.Receive = 500*time.Millisecond, 20*time.Millisecond
	b.step(protocol.Configure{Config: Config{Profiles: map[string]Profile{"": slower}}})
	if got := b.m.transmitInterval(s); got != 50*time.Millisecond {
		t.Errorf("sends every %v before the neighbour knows, want 50ms", got)
	}
	if got := s.detection(); got != 150*time.Millisecond {
		t.Errorf("waits for %v before the neighbour knows, want 150ms", got)
	}
	p = b.packet(wire.Up)
	p.Final, p.DesiredMinTx = true, 20_000
	b.send(p)
	if got := b.m.transmitInterval(s); got != 500*time.Millisecond {
		t.Errorf("sends every %v, want 500ms", got)
	}
	if got := s.detection(); got != 60*time.Millisecond {
		t.Errorf("waits for %v, want 60ms", got)
	}
}

// A change during a Poll Sequence waits for its Final, and for one packet more.
func TestChangeDuringPoll(t *testing.T) {
	b := newBed(t, fastConfig())
	b.watch("rip")
	s := b.bring() // which begins a Poll Sequence
	other := fast()
	other.Transmit = 70 * time.Millisecond
	b.step(protocol.Configure{Config: Config{Profiles: map[string]Profile{"": other}}})
	if s.tx != 50*time.Millisecond {
		t.Fatalf("says %v during the Poll Sequence, want what it is about", s.tx)
	}
	p := b.packet(wire.Up)
	p.Final = true
	b.send(p)
	if s.tx != 50*time.Millisecond || s.polling {
		t.Fatalf("says %v, polls %v: want one more packet awaited", s.tx, s.polling)
	}
	b.say(wire.Up)
	if s.tx != 70*time.Millisecond || !s.polling {
		t.Errorf("says %v, polls %v: want 70ms by a Poll Sequence of its own", s.tx, s.polling)
	}
}

// RFC 5880 §6.8.7: a Poll is answered at once, in whatever state.
func TestPollIsAnswered(t *testing.T) {
	for _, state := range []wire.State{wire.Down, wire.Init, wire.Up} {
		b := newBed(t, fastConfig())
		b.watch("rip")
		if state == wire.Up {
			b.bring()
		}
		b.clear()
		p := b.packet(state)
		p.Poll = true
		b.send(p)
		sent := b.sent()
		if len(sent) != 1 || !sent[0].Final || sent[0].Poll {
			t.Errorf("%v: answered by %+v, want one Final", state, sent)
		}
	}
}

// RFC 5880 §6.6: a neighbour in Demand mode is sent nothing but Polls about what
// changed, and answers to its own.
func TestDemandIsAnswered(t *testing.T) {
	b := newBed(t, fastConfig())
	b.watch("rip")
	s := b.bring()
	quiet := func(state wire.State, final, poll bool) {
		p := b.packet(state)
		p.Demand, p.Final, p.Poll, p.DetectMult, p.DesiredMinTx = true, final, poll, 255, 1_000_000
		b.send(p)
	}
	quiet(wire.Up, true, false)
	b.clear()
	b.advance(10 * time.Second)
	if n := len(b.sent()); n != 0 {
		t.Errorf("%d packets in Demand mode", n)
	}
	quiet(wire.Up, false, true)
	if sent := b.sent(); len(sent) != 1 || !sent[0].Final {
		t.Errorf("its Poll was answered by %+v", sent)
	}
	b.clear()
	other := fast()
	other.Multiplier = 7
	b.step(protocol.Configure{Config: Config{Profiles: map[string]Profile{"": other}}})
	b.advance(time.Second)
	sent := b.sent()
	if len(sent) < 10 || !sent[0].Poll || sent[0].DetectMult != 7 {
		t.Errorf("%d packets about the change, want Polls until the Final", len(sent))
	}
	quiet(wire.Up, true, false)
	b.clear()
	b.advance(time.Second)
	if n := len(b.sent()); n != 0 || s.state != wire.Up {
		t.Errorf("%d packets after the Final, %v", n, s.state)
	}
	p := b.packet(wire.Up)
	p.DetectMult, p.DesiredMinTx = 255, 1_000_000
	b.send(p) // without D
	b.advance(time.Second)
	if n := len(b.sent()); n < 10 {
		t.Errorf("%d packets after Demand mode", n)
	}
}

// RFC 5880 §6.8.7: nothing periodic is sent to who receives nothing.
func TestRequiredMinRxZero(t *testing.T) {
	b := newBed(t, fastConfig())
	b.watch("rip")
	b.bring()
	p := b.packet(wire.Up)
	p.RequiredMinRx, p.DetectMult, p.DesiredMinTx = 0, 255, 1_000_000
	b.send(p)
	b.clear()
	b.advance(10 * time.Second)
	if n := len(b.sent()); n != 0 {
		t.Errorf("%d packets", n)
	}
}

// RFC 5880 §6.8.3: a shorter interval of the neighbour holds at once.
func TestShorterIntervalHoldsAtOnce(t *testing.T) {
	b := newBed(t, fastConfig())
	b.watch("rip")
	b.bring()
	p := b.packet(wire.Up)
	p.Final, p.RequiredMinRx, p.DetectMult, p.DesiredMinTx = true, 10_000_000, 255, 1_000_000
	b.send(p)
	b.advance(5 * time.Second)
	b.clear()
	p.RequiredMinRx = 50_000
	b.send(p)
	b.advance(time.Millisecond)
	if n := len(b.sent()); n != 1 {
		t.Errorf("%d packets at once, want 1", n)
	}
}

// RFC 5880 §6.1: who is passive waits to be spoken to.
func TestPassive(t *testing.T) {
	cfg := fastConfig()
	p := cfg.Profiles[""]
	p.Passive = true
	cfg.Profiles[""] = p
	b := newBed(t, cfg)
	b.watch("rip")
	b.advance(time.Minute)
	if n := len(b.sent()); n != 0 {
		t.Fatalf("%d packets before any was heard", n)
	}
	b.bring()
	if n := len(b.sent()); n == 0 {
		t.Error("nothing sent after the first was heard")
	}
}
