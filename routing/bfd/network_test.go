package bfd

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/routing"
	"routerd/routing/bfd/wire"
	"routerd/routing/protocol"
)

// pair is two machines on one link, with a clock of their own.
type pair struct {
	t     failer
	m     [2]*Machine
	now   time.Time
	delay time.Duration
	wire  []flying
	rand  *rand.Rand
	// lose says whether a packet from a side is lost.
	lose func(from int) bool
	told [2][]bool // what the clients heard
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

type flying struct {
	at time.Time
	to int
	x  protocol.Received
}

var sides = [2]netip.Addr{own, peer}

func newPair(t failer, seed uint64, cfg ...Config) *pair {
	p := &pair{t: t, now: start, delay: time.Millisecond, rand: rand.New(rand.NewPCG(seed, 1)), lose: func(int) bool { return false }}
	for i := range p.m {
		p.m[i] = New(protocol.Start{Seed: seed + uint64(i), Slots: &routing.Slots{}})
		p.step(i, protocol.Configure{Config: cfg[i%len(cfg)]})
		p.step(i, protocol.LinkUp{Link: eth0, Name: "eth0", Addresses: []netip.Prefix{netip.PrefixFrom(sides[i], 24)}})
		p.step(i, protocol.WatchFor{Client: "rip", Watch: protocol.Watch{Path: protocol.Path{Link: eth0, Address: sides[1-i]}}})
	}
	return p
}

func (p *pair) step(i int, in protocol.Input) {
	for _, e := range p.m[i].Step(p.now, in, nil) {
		switch x := e.(type) {
		case protocol.Tell:
			p.told[i] = append(p.told[i], x.State.Alive)
		case protocol.Send:
			if p.lose(i) {
				continue
			}
			p.wire = append(p.wire, flying{p.now.Add(p.delay), 1 - i, protocol.Received{
				Link: eth0, Src: x.Src, Dst: x.Dst, Protocol: x.Protocol, HopLimit: x.HopLimit, SrcPort: x.SrcPort, DstPort: x.DstPort, Payload: x.Payload,
			}})
		}
	}
}

func (p *pair) advance(d time.Duration) {
	end := p.now.Add(d)
	for {
		at, who := end, -1
		if len(p.wire) > 0 && p.wire[0].at.Before(at) {
			at, who = p.wire[0].at, 2
		}
		for i, m := range p.m {
			if due := m.Deadline(); !due.IsZero() && due.Before(at) {
				at, who = due, i
			}
		}
		if at.After(p.now) {
			p.now = at
		}
		switch who {
		case -1:
			return
		case 2:
			f := p.wire[0]
			p.wire = p.wire[1:]
			p.step(f.to, f.x)
		default:
			p.step(who, protocol.Tick{})
		}
	}
}

func (p *pair) session(i int) *session {
	return p.m[i].sessions[key{link: eth0, address: sides[1-i]}]
}

func (p *pair) wantUp() {
	p.t.Helper()
	for i := range p.m {
		if s := p.session(i); s == nil || s.state != wire.Up || s.polling {
			p.t.Fatalf("side %d: %+v, want up and settled", i, s)
		}
	}
}

// Two of the machines come up, in every kind of authentication, and stay so.
func TestPairComesUp(t *testing.T) {
	for _, kind := range append([]wire.AuthType{wire.AuthNone}, allTypes...) {
		cfg := sealedConfig(kind)
		if kind == wire.AuthNone {
			cfg = fastConfig()
		}
		p := newPair(t, 7, cfg)
		p.advance(3 * time.Second)
		p.wantUp()
		p.advance(time.Minute)
		p.wantUp()
		for i := range p.m {
			s := p.session(i)
			if len(p.told[i]) != 1 || s.counters.Refused != (Refusals{}) || s.counters.Ups != 1 {
				t.Errorf("%v: told %v, %+v", kind, p.told[i], s.counters)
			}
			if rate := float64(s.counters.Sent) / 63; rate < 20 || rate > 27 {
				t.Errorf("%v: %.1f packets a second, want one in 37.5 to 50 ms", kind, rate)
			}
			if s.counters.LongestSilence > 51*time.Millisecond+p.delay {
				t.Errorf("%v: silent for %v", kind, s.counters.LongestSilence)
			}
		}
	}
}

// Both find out about silent loss within the detection time of 150 ms, in one
// direction the other one by what it is told.
func TestPairFindsOutAboutLoss(t *testing.T) {
	for _, tt := range []struct {
		name string
		lost [2]bool // what each sends
	}{
		{"both", [2]bool{true, true}}, {"one way", [2]bool{true, false}}, {"the other way", [2]bool{false, true}},
	} {
		for seed := range uint64(20) {
			p := newPair(t, seed, fastConfig())
			p.advance(5*time.Second + time.Duration(seed)*7*time.Millisecond)
			p.wantUp()
			p.lose = func(from int) bool { return tt.lost[from] }
			lost := p.now
			p.advance(time.Second)
			for i := range p.m {
				s := p.session(i)
				if s.state != wire.Down && s.state != wire.Init || len(p.told[i]) != 2 || p.told[i][1] {
					t.Fatalf("%s, seed %d: side %d is %v, told %v", tt.name, seed, i, s.state, p.told[i])
				}
				if took := s.lastChange.Sub(lost); s.state == wire.Down && s.diag == wire.DetectionTimeExpired && took > 151*time.Millisecond {
					t.Errorf("%s, seed %d: side %d found out after %v", tt.name, seed, i, took)
				}
			}
			p.lose = func(int) bool { return false }
			p.advance(5 * time.Second)
			p.wantUp()
		}
	}
}

// A neighbour that restarts is found again, with authentication too: its
// sequence numbers and its discriminator are new.
func TestPairRestart(t *testing.T) {
	for _, kind := range allTypes {
		p := newPair(t, 3, sealedConfig(kind))
		p.advance(5 * time.Second)
		p.wantUp()
		p.m[1] = New(protocol.Start{Seed: 99, Slots: &routing.Slots{}})
		p.step(1, protocol.Configure{Config: sealedConfig(kind)})
		p.step(1, protocol.LinkUp{Link: eth0, Name: "eth0", Addresses: []netip.Prefix{netip.PrefixFrom(peer, 24)}})
		p.step(1, protocol.WatchFor{Client: "rip", Watch: protocol.Watch{Path: protocol.Path{Link: eth0, Address: own}}})
		p.advance(10 * time.Second)
		p.wantUp()
	}
}

// Whatever profiles the sides have, whatever is lost for a time and whenever the
// profiles change, they are up when all is well again, neither is ever told the
// same twice, and nobody sends faster than the other one wants.
func TestPairProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(label string) Config {
			p := DefaultProfile()
			interval := rapid.SampledFrom([]time.Duration{10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, time.Second})
			p.Transmit, p.Receive = interval.Draw(rt, label+" transmit"), interval.Draw(rt, label+" receive")
			p.Multiplier = rapid.Uint8Range(1, 5).Draw(rt, label+" multiplier")
			return Config{Profiles: map[string]Profile{"": p}}
		}
		p := newPair(rt, rapid.Uint64().Draw(rt, "seed"), draw("a"), draw("b"))
		loss := 0.0
		p.lose = func(int) bool { return p.rand.Float64() < loss }
		for range rapid.IntRange(1, 6).Draw(rt, "changes") {
			loss = rapid.SampledFrom([]float64{0, 0, 0.1, 0.5, 1}).Draw(rt, "loss")
			if side := rapid.IntRange(0, 3).Draw(rt, "configure"); side < 2 {
				p.step(side, protocol.Configure{Config: draw("new")})
			}
			p.advance(time.Duration(rapid.IntRange(1, 3000).Draw(rt, "ms")) * time.Millisecond)
		}
		loss = 0
		p.advance(20 * time.Second)
		p.wantUp()
		for i := range p.m {
			for n := 1; n < len(p.told[i]); n++ {
				if p.told[i][n] == p.told[i][n-1] {
					rt.Fatalf("side %d was told %v", i, p.told[i])
				}
			}
			s, o := p.session(i), p.session(1-i)
			if got, want := p.m[i].transmitInterval(s), max(s.profile.Transmit, o.profile.Receive); got != want {
				rt.Fatalf("side %d sends every %v, want %v", i, got, want)
			}
			if got, want := s.detection(), time.Duration(o.profile.Multiplier)*max(s.profile.Receive, o.profile.Transmit); got != want {
				rt.Fatalf("side %d waits for %v, want %v", i, got, want)
			}
		}
		told := len(p.told[0]) + len(p.told[1])
		p.advance(time.Minute)
		if len(p.told[0])+len(p.told[1]) != told {
			rt.Fatalf("a false alarm on a link that loses nothing: %v", p.told)
		}
	})
}

// Octets go in, and what is due stays what is due.
func FuzzReceive(f *testing.F) {
	b := wire.Packet{State: wire.Down, DetectMult: 3, My: 7, DesiredMinTx: 50_000, RequiredMinRx: 50_000}
	f.Add(b.Append(nil, wire.Seal{}), uint8(255), uint16(10))
	b.State, b.Poll = wire.Init, true
	f.Add(b.Append(nil, wire.Seal{}), uint8(255), uint16(300))
	f.Fuzz(func(t *testing.T, raw []byte, hops uint8, ms uint16) {
		b := newBed(t, fastConfig())
		b.watch("rip")
		for _, second := range []time.Duration{0, time.Duration(ms) * time.Millisecond} {
			b.advance(second)
			b.step(protocol.Received{Link: eth0, Src: peer, Dst: own, Protocol: udp, HopLimit: hops, DstPort: SinglePort, Payload: raw})
		}
		b.advance(time.Second)
		for at, s := range b.m.queue {
			if s.at != at || s.due.IsZero() {
				t.Fatalf("the queue is broken: %d at %d, due %v", s.at, at, s.due)
			}
		}
		b.bring()
	})
}

// BenchmarkSessions is what one packet costs among so many sessions that are up.
func BenchmarkSessions(b *testing.B) {
	d := newBed(b, fastConfig())
	const sessions = 200
	var inputs [sessions]protocol.Received
	for i := range sessions {
		a := netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 2)})
		d.step(protocol.WatchFor{Client: "rip", Watch: protocol.Watch{Path: protocol.Path{Link: eth0, Address: a}}})
		s := d.m.sessions[key{link: eth0, address: a}]
		p := wire.Packet{State: wire.Init, DetectMult: 3, My: uint32(i + 1), Your: s.discriminator, DesiredMinTx: 50_000, RequiredMinRx: 50_000}
		inputs[i] = protocol.Received{Link: eth0, Src: a, Dst: own, Protocol: udp, HopLimit: 255, DstPort: SinglePort, Payload: p.Append(nil, wire.Seal{})}
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		d.now = d.now.Add(200 * time.Microsecond) // 5,000 packets a second
		d.out = d.m.Step(d.now, inputs[n%sessions], d.out[:0])
		for due := d.m.Deadline(); !due.After(d.now); due = d.m.Deadline() {
			d.out = d.m.Step(d.now, protocol.Tick{}, d.out[:0])
		}
	}
}
