package bfd

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/bfd/wire"
	"routerd/routing/protocol"
)

const (
	eth0 = routing.InterfaceID(1)
	eth1 = routing.InterfaceID(2)
	tun0 = routing.InterfaceID(3)
)

var (
	own   = netip.MustParseAddr("10.0.0.1")
	peer  = netip.MustParseAddr("10.0.0.2")
	far   = netip.MustParseAddr("192.0.2.9")
	loop  = netip.MustParseAddr("192.0.2.1")
	start = time.Unix(1_700_000_000, 0)
)

// bed is a machine whose neighbours are the test's own packets.
type bed struct {
	t   testing.TB
	m   *Machine
	now time.Time
	out []protocol.Effect // since the last call of clear
}

func newBed(t testing.TB, cfg Config) *bed {
	t.Helper()
	if err := cfg.Check(); err != nil {
		t.Fatal(err)
	}
	b := &bed{t: t, m: New(protocol.Start{Seed: 1, Slots: &routing.Slots{}}), now: start}
	b.step(protocol.Configure{Config: cfg})
	for _, l := range []protocol.LinkUp{
		{Link: eth0, Name: "eth0", MTU: 1500, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("fe80::1/64")}},
		{Link: eth1, Name: "eth1", MTU: 1500, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.1.1/24")}},
		{Link: tun0, Name: "tun0", Kind: protocol.PointToPoint, MTU: 1500, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.2.1/32")}},
	} {
		b.step(l)
	}
	return b
}

func (b *bed) step(in protocol.Input) { b.out = b.m.Step(b.now, in, b.out) }

// advance lets time pass, with a Tick whenever one is due.
func (b *bed) advance(d time.Duration) {
	end := b.now.Add(d)
	for n := 0; ; n++ {
		at := b.m.Deadline()
		if at.IsZero() || at.After(end) {
			break
		}
		if n > 100_000 {
			b.t.Fatal("a deadline does not move on")
		}
		if at.After(b.now) {
			b.now = at
		}
		b.step(protocol.Tick{})
	}
	b.now = end
}

func (b *bed) clear() { b.out = nil }

// watch asks for a session with the peer on eth0.
func (b *bed) watch(client string) { b.watchAs(client, protocol.Watch{Path: onEth0}) }

func (b *bed) watchAs(client string, w protocol.Watch) {
	b.step(protocol.WatchFor{Client: client, Watch: w})
}

var onEth0 = protocol.Path{Link: eth0, Address: peer}

// only gives the one session that there is.
func (b *bed) only() *session {
	b.t.Helper()
	if len(b.m.sessions) != 1 {
		b.t.Fatalf("%d sessions, want 1", len(b.m.sessions))
	}
	for _, s := range b.m.sessions {
		return s
	}
	return nil
}

// packet is what the peer says in a state, at intervals of 50 ms, three of which
// may be lost.
func (b *bed) packet(state wire.State) wire.Packet {
	p := wire.Packet{State: state, DetectMult: 3, My: 77, DesiredMinTx: 50_000, RequiredMinRx: 50_000}
	if s := b.m.sessions[key{link: eth0, address: peer}]; s != nil {
		p.Your = s.discriminator
	}
	return p
}

// say has the peer say that it is in a state.
func (b *bed) say(state wire.State) { b.send(b.packet(state)) }

func (b *bed) send(p wire.Packet) { b.sendAs(p, wire.Seal{}, nil) }

func (b *bed) sendAs(p wire.Packet, seal wire.Seal, change func(*protocol.Received)) {
	x := protocol.Received{
		Link: eth0, Src: peer, Dst: own, Protocol: udp, HopLimit: 255, SrcPort: 50000, DstPort: SinglePort, Payload: p.Append(nil, seal),
	}
	if change != nil {
		change(&x)
	}
	b.step(x)
}

// bring brings the session with the peer up.
func (b *bed) bring() *session {
	b.t.Helper()
	b.say(wire.Down)
	b.say(wire.Up)
	s := b.m.sessions[key{link: eth0, address: peer}]
	if s == nil || s.state != wire.Up {
		b.t.Fatalf("the session is not up: %+v", s)
	}
	return s
}

// keep has the peer say so every 40 ms for a time.
func (b *bed) keep(state wire.State, d time.Duration) {
	for end := b.now.Add(d); b.now.Before(end); {
		b.advance(40 * time.Millisecond)
		p := b.packet(state)
		p.Final = b.m.sessions[key{link: eth0, address: peer}].polling
		b.send(p)
	}
}

// sent gives the packets that were sent since clear.
func (b *bed) sent() (list []wire.Packet) {
	b.t.Helper()
	for _, e := range b.out {
		if x, ok := e.(protocol.Send); ok {
			var p wire.Packet
			if err := wire.Decode(x.Payload, &p); err != nil {
				b.t.Fatalf("it sent %x: %v", x.Payload, err)
			}
			list = append(list, p)
		}
	}
	return list
}

// told gives what clients and packets were told since clear, in words.
func (b *bed) told() (list []string) {
	for _, e := range b.out {
		switch x := e.(type) {
		case protocol.HopState:
			list = append(list, fmt.Sprintf("hop %v alive=%v", x.Address, x.Alive))
		case protocol.Tell:
			list = append(list, fmt.Sprintf("%s %v alive=%v", x.Client, x.State.Address, x.State.Alive))
		}
	}
	return list
}

func (b *bed) wantTold(want ...string) {
	b.t.Helper()
	if got := b.told(); fmt.Sprint(got) != fmt.Sprint(want) {
		b.t.Errorf("told %q, want %q", got, want)
	}
}

func fast() Profile {
	p := DefaultProfile()
	p.Transmit, p.Receive = 50*time.Millisecond, 50*time.Millisecond
	return p
}

func fastConfig() Config { return Config{Profiles: map[string]Profile{"": fast()}} }
