package bfd

import (
	"net/netip"
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/bfd/wire"
	"routerd/routing/protocol"
)

// RFC 5882 §4.4: one session for all who ask, whatever words they ask in.
func TestOneSessionForAll(t *testing.T) {
	cfg := fastConfig()
	slow := DefaultProfile()
	slow.Transmit, slow.Receive = time.Second, time.Second
	cfg.Profiles["slow"] = slow
	b := newBed(t, cfg)
	b.watchAs("rip", protocol.Watch{Path: onEth0, Profile: "slow"})
	s := b.only()
	if s.profile.Transmit != time.Second {
		t.Errorf("sends every %v, want what the one client wants", s.profile.Transmit)
	}
	bySubnet := protocol.Path{Link: routing.NoInterface, Address: peer}
	b.watchAs("static", protocol.Watch{Path: bySubnet})
	if b.only() != s || s.profile.Transmit != 50*time.Millisecond {
		t.Errorf("sends every %v, want the profile that detects fastest", s.profile.Transmit)
	}
	b.bring()
	b.clear()
	b.advance(time.Minute)
	b.wantTold("hop 10.0.0.2 alive=false", "rip 10.0.0.2 alive=false", "static 10.0.0.2 alive=false")
	for _, e := range b.out {
		if x, ok := e.(protocol.Tell); ok && (x.Client == "static") != (x.State.Link == routing.NoInterface) {
			t.Errorf("%s was told of link %d, want the one it asked with", x.Client, x.State.Link)
		}
	}
	b.clear()
	b.step(protocol.UnwatchFor{Client: "static", Path: bySubnet})
	b.wantTold() // rip still holds it for dead
	if s.profileName != "slow" {
		t.Errorf("profile %q after the other client left", s.profileName)
	}
	b.step(protocol.UnwatchFor{Client: "rip", Path: onEth0})
	b.wantTold("hop 10.0.0.2 alive=true")
	b.advance(time.Minute)
	if len(b.m.sessions) != 0 {
		t.Error("a session that nobody asks for")
	}
}

// A client that asks for a session that exists already hears its state.
func TestLateClient(t *testing.T) {
	b := newBed(t, fastConfig())
	b.watch("rip")
	b.bring()
	b.clear()
	b.watch("ospf")
	b.wantTold("ospf 10.0.0.2 alive=true")
	b.advance(time.Minute)
	b.clear()
	b.watch("bgp")
	b.wantTold("bgp 10.0.0.2 alive=false")
}

// A strict client holds the neighbour for dead until its session is up, and
// AdminDown is no failure to it either.
func TestStrict(t *testing.T) {
	b := newBed(t, fastConfig())
	b.watchAs("static", protocol.Watch{Path: onEth0, Strict: true})
	b.wantTold("hop 10.0.0.2 alive=false", "static 10.0.0.2 alive=false")
	b.clear()
	b.bring()
	b.wantTold("hop 10.0.0.2 alive=true", "static 10.0.0.2 alive=true")
	b.clear()
	b.say(wire.AdminDown)
	b.say(wire.Down)
	b.advance(10 * time.Millisecond)
	b.say(wire.Up)
	b.wantTold()
	b.advance(time.Minute)
	b.wantTold("hop 10.0.0.2 alive=false", "static 10.0.0.2 alive=false")
}

// A strict client whose neighbour is on no link hears that, and what becomes of
// it when the link comes.
func TestStrictWithoutLink(t *testing.T) {
	b := newBed(t, fastConfig())
	b.watchAs("static", protocol.Watch{Path: protocol.Path{Link: routing.NoInterface, Address: netip.MustParseAddr("10.9.0.2")}, Strict: true})
	b.wantTold("static 10.9.0.2 alive=false")
	if len(b.m.sessions) != 0 {
		t.Fatal("a session without a link")
	}
	b.step(protocol.LinkUp{Link: 9, Name: "eth9", Addresses: []netip.Prefix{netip.MustParsePrefix("10.9.0.1/24")}})
	if s := b.only(); s.link != 9 {
		t.Errorf("the session is on link %d", s.link)
	}
}

// A configured peer has a session without a client; nobody is told, and no hop
// is touched.
func TestConfiguredPeer(t *testing.T) {
	cfg := fastConfig()
	slow := DefaultProfile()
	cfg.Profiles["slow"] = slow
	cfg.Peers = []Peer{{Address: peer, Profile: "slow"}}
	b := newBed(t, cfg)
	s := b.bring()
	b.advance(time.Minute)
	b.wantTold()
	b.watch("rip")
	if s != b.only() || s.profileName != "slow" {
		t.Errorf("profile %q, want what the configuration says of the peer", s.profileName)
	}
	cfg.Peers = []Peer{{Address: peer, Interface: "eth0", Profile: "slow", Shutdown: true}}
	b.step(protocol.Configure{Config: cfg})
	if s != b.only() || s.state != wire.AdminDown {
		t.Errorf("%v, want the same session shut", s.state)
	}
	cfg.Peers = nil
	b.step(protocol.Configure{Config: cfg})
	if s != b.only() || s.state != wire.Down || s.profileName != "" {
		t.Errorf("%v, profile %q: want the client's", s.state, s.profileName)
	}
}

// A reload that says the same changes nothing, and sends nothing.
func TestSameConfiguration(t *testing.T) {
	cfg := fastConfig()
	cfg.Peers = []Peer{{Address: peer}}
	b := newBed(t, cfg)
	s := b.bring()
	b.keep(wire.Up, time.Second)
	b.clear()
	due := b.m.Deadline()
	b.step(protocol.Configure{Config: cfg})
	if len(b.out) != 0 || b.m.Deadline() != due || s.polling {
		t.Errorf("effects %v, due %v (was %v), polling %v", b.out, b.m.Deadline(), due, s.polling)
	}
}

// RFC 5882 §8: who ends a session says AdminDown, three times, and no failure.
func TestGoodbye(t *testing.T) {
	b := newBed(t, fastConfig())
	b.watch("rip")
	b.bring()
	b.clear()
	b.step(protocol.UnwatchFor{Client: "rip", Path: onEth0})
	b.advance(time.Second)
	sent := b.sent()
	if len(sent) != goodbye || len(b.m.sessions) != 0 {
		t.Fatalf("%d packets, %d sessions", len(sent), len(b.m.sessions))
	}
	for _, p := range sent {
		if p.State != wire.AdminDown || p.Diagnostic != wire.AdministrativelyDown {
			t.Errorf("says %v (%v)", p.State, p.Diagnostic)
		}
	}
	if _, ok := b.out[len(b.out)-1].(protocol.Release); !ok || !b.m.Deadline().IsZero() || len(b.m.ports) != 0 || len(b.m.discriminators) != 0 {
		t.Errorf("left behind: %v, %v, %v, deadline %v", b.m.claims, b.m.ports, b.m.discriminators, b.m.Deadline())
	}
}

// A client that asks again while AdminDown is being sent has the session again.
func TestAskedAgain(t *testing.T) {
	b := newBed(t, fastConfig())
	b.watch("rip")
	s := b.bring()
	b.step(protocol.UnwatchFor{Client: "rip", Path: onEth0})
	b.advance(60 * time.Millisecond)
	b.watch("rip")
	if s != b.only() || s.state != wire.Down {
		t.Fatalf("%v", s.state)
	}
	b.clear()
	b.advance(5 * time.Second)
	if b.only() != s || len(b.sent()) < 4 {
		t.Errorf("%d packets", len(b.sent()))
	}
	b.bring()
}

func TestStop(t *testing.T) {
	b := newBed(t, fastConfig())
	b.watch("rip")
	b.bring()
	b.watchAs("rip", protocol.Watch{Path: protocol.Path{Link: eth1, Address: netip.MustParseAddr("10.0.1.2")}}) // never heard
	b.clear()
	b.step(protocol.Stop{})
	b.advance(time.Second)
	stopped := 0
	for _, e := range b.out {
		if (e == protocol.Stopped{}) {
			stopped++
		}
	}
	if len(b.sent()) != goodbye || stopped != 1 {
		t.Errorf("%d packets, stopped %d times", len(b.sent()), stopped)
	}
	if took := b.now.Sub(start); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
}

// A link without carrier takes its sessions down; they come back by themselves.
func TestLinkDown(t *testing.T) {
	b := newBed(t, fastConfig())
	b.watchAs("static", protocol.Watch{Path: protocol.Path{Link: routing.NoInterface, Address: peer}})
	s := b.bring()
	b.clear()
	b.step(protocol.LinkDown{Link: eth0})
	b.wantTold("hop 10.0.0.2 alive=false", "static 10.0.0.2 alive=false")
	if s.state != wire.Down || s.diag != wire.PathDown {
		t.Errorf("%v (%v)", s.state, s.diag)
	}
	b.clear()
	b.advance(time.Minute)
	if n := len(b.sent()); n != 0 {
		t.Errorf("%d packets sent by a link that is down", n)
	}
	b.step(protocol.LinkUp{Link: eth0, Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}})
	b.advance(time.Second)
	if n := len(b.sent()); n == 0 {
		t.Error("nothing sent by a link that is up again")
	}
	b.wantTold() // it has to be up first
	b.bring()
	b.wantTold("hop 10.0.0.2 alive=true", "static 10.0.0.2 alive=true")
}

// The subnet moves to another link: so does the session.
func TestSubnetMoves(t *testing.T) {
	b := newBed(t, fastConfig())
	b.watchAs("static", protocol.Watch{Path: protocol.Path{Link: routing.NoInterface, Address: peer}})
	b.bring()
	b.step(protocol.LinkUp{Link: eth0, Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("10.3.0.1/24")}})
	b.step(protocol.LinkUp{Link: eth1, Name: "eth1", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}})
	b.advance(5 * time.Second)
	if s := b.only(); s.link != eth1 {
		t.Errorf("the session is on link %d", s.link)
	}
}

func TestClear(t *testing.T) {
	b := newBed(t, fastConfig())
	b.watch("rip")
	s := b.bring()
	b.sendAs(b.packet(wire.Up), wire.Seal{}, func(x *protocol.Received) { x.HopLimit = 1 })
	b.clear()
	b.step(Clear{Link: routing.NoInterface, Address: far})
	if s.counters.Received == 0 {
		t.Error("cleared by another address")
	}
	b.step(Clear{Link: routing.NoInterface})
	if s.counters != (Counters{}) || s.refused != "" || s.state != wire.Up || len(b.out) != 0 {
		t.Errorf("%+v %q %v %v", s.counters, s.refused, s.state, b.out)
	}
}

// Discriminators are not 0 and differ, and so do ports while there are enough.
func TestDiscriminatorsAndPorts(t *testing.T) {
	b := newBed(t, fastConfig())
	discriminators, ports := map[uint32]bool{}, map[uint16]bool{}
	for i := range 2000 {
		a := netip.AddrFrom4([4]byte{10, 0, byte(1 + i>>8), byte(i)})
		b.step(protocol.WatchFor{Client: "rip", Watch: protocol.Watch{Path: protocol.Path{Link: eth0, Address: a}}})
	}
	for _, s := range b.m.sessions {
		if s.discriminator == 0 || discriminators[s.discriminator] || ports[s.port] || s.port < 49152 {
			t.Fatalf("discriminator %d, port %d", s.discriminator, s.port)
		}
		discriminators[s.discriminator], ports[s.port] = true, true
	}
	if len(ports) != 2000 {
		t.Errorf("%d sessions", len(ports))
	}
}

func TestCheck(t *testing.T) {
	for name, change := range map[string]func(c *Config, p *Profile){
		"interval":   func(_ *Config, p *Profile) { p.Transmit = time.Millisecond },
		"long":       func(_ *Config, p *Profile) { p.Receive = time.Hour },
		"multiplier": func(_ *Config, p *Profile) { p.Multiplier = 0 },
		"no keys":    func(_ *Config, p *Profile) { p.Auth.Type = wire.KeyedSHA1 },
		"profile":    func(c *Config, _ *Profile) { c.Peers = []Peer{{Address: peer, Profile: "none"}} },
		"no source":  func(c *Config, _ *Profile) { c.Peers = []Peer{{Address: peer, Multihop: true}} },
	} {
		cfg, p := fastConfig(), fast()
		change(&cfg, &p)
		cfg.Profiles[""] = p
		if cfg.Check() == nil {
			t.Errorf("%s: taken", name)
		}
	}
	cfg := sealedConfig(wire.KeyedMD5)
	cfg.Profiles[""].Auth.Keys[0].Secret = make([]byte, 17)
	if cfg.Check() == nil {
		t.Error("a key of 17 octets with MD5: taken")
	}
}
