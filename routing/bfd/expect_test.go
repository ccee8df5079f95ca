package bfd

import (
	"net/netip"
	"slices"
	"testing"

	"routerd/routing"
	"routerd/routing/protocol"
)

// expected gives whom the effects since the last clear leave expected.
func (b *bed) expected() (list []protocol.Expect) {
	for _, e := range b.out {
		switch x := e.(type) {
		case protocol.Expect:
			list = append(list, x)
		case protocol.Unexpect:
			i := slices.Index(list, protocol.Expect(x))
			if i < 0 {
				b.t.Fatalf("%+v is to be expected no longer, and was not", x)
			}
			list = slices.Delete(list, i, i+1)
		}
	}
	return list
}

// The driver is told once whose packets are awaited and how far these may have
// come: the neighbour's on its link, everybody's on a point-to-point link, and
// over several hops with what the profile says.
func TestNeighborsAreExpected(t *testing.T) {
	cfg := fastConfig()
	cfg.Profiles["far"] = Profile{Transmit: cfg.Profiles[""].Transmit, Receive: cfg.Profiles[""].Receive, Multiplier: 3, MinimumTTL: 250}
	cfg.Peers = []Peer{{Address: far, Multihop: true, Source: loop, Profile: "far"}}
	b := newBed(t, cfg)
	overTUN := protocol.Path{Link: tun0, Address: netip.MustParseAddr("10.0.2.2")}
	b.watch("rip")
	b.watch("static")
	b.watchAs("rip", protocol.Watch{Path: overTUN})
	near := protocol.Expect{Link: eth0, Source: peer, HopLimit: 255}
	wire := protocol.Expect{Link: tun0, HopLimit: 255}
	multihop := protocol.Expect{Link: routing.NoInterface, Source: far, HopLimit: 250}
	if got, want := b.expected(), []protocol.Expect{multihop, near, wire}; !slices.Equal(got, want) {
		t.Fatalf("expected are %+v, want %+v", got, want)
	}
	p := cfg.Profiles["far"]
	p.MinimumTTL = 240
	cfg.Profiles["far"] = p
	b.step(protocol.Configure{Config: cfg})
	multihop.HopLimit = 240
	if got, want := b.expected(), []protocol.Expect{near, wire, multihop}; !slices.Equal(got, want) {
		t.Errorf("with minimum-ttl 240 expected are %+v, want %+v", got, want)
	}
	b.step(protocol.UnwatchFor{Client: "rip", Path: onEth0})
	b.step(protocol.UnwatchFor{Client: "static", Path: onEth0})
	b.step(protocol.UnwatchFor{Client: "rip", Path: overTUN})
	cfg.Peers = nil
	b.step(protocol.Configure{Config: cfg})
	if got := b.expected(); len(got) != 0 || len(b.m.expects) != 0 {
		t.Errorf("without a session expected are %+v, want nobody", got)
	}
}
