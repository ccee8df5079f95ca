package bgp

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/bgp/wire"
)

// What a neighbour sends may have no room in its attribute any more after a policy.
func TestAttributesWithoutRoom(t *testing.T) {
	prepend, problems := statement(t, nil, map[string]any{"as-path-prepend": strings.TrimSpace(strings.Repeat("65099 ", maxPrepended))})
	if problems != nil {
		t.Fatal(problems)
	}
	var more []any
	for i := range 30 {
		more = append(more, fmt.Sprintf("65000:%d", i))
	}
	add, problems := statement(t, nil, map[string]any{"community-add": more})
	if problems != nil {
		t.Fatal(problems)
	}
	x := manyPrefixes(1)[0]
	path := func(n int) func(a *wire.Attributes) {
		return func(a *wire.Attributes) { a.ASPath = a.ASPath.AppendPrepended(nil, 65001, n) }
	}
	listed := func(n int) func(a *wire.Attributes) {
		return func(a *wire.Attributes) {
			for i := range n {
				a.Communities = append(a.Communities, octets4(uint32(i))...)
			}
			a.Set(wire.AttrCommunities)
		}
	}
	for _, c := range []struct {
		name   string
		change func(a *wire.Attributes)
		in     Policy
		out    Policy
		taken  bool // it is in the table
		passed bool // a neighbour with long messages is sent it
	}{
		{"a path that is passed on", path(16_330), Policy{Given: true}, Policy{Given: true}, true, true},
		{"a path that a policy makes longer", path(16_330), Policy{Given: true, Chain: prepend}, Policy{Given: true}, false, false},
		{"communities that a policy adds to", listed(16_360), Policy{Given: true, Chain: add}, Policy{Given: true}, false, false},
		{"a path that is too long for another one", path(16_330), Policy{Given: true}, Policy{Given: true, Chain: prepend}, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t, 2, func(_ int, n *NeighborConfig) {
				n.Families[wire.IPv4Unicast].Import, n.Families[wire.IPv4Unicast].Export = c.in, c.out
				n.Families[wire.IPv4Unicast].KeepReceived = true
			})
			a, b := s.peers[0], s.peers[1]
			for _, p := range s.peers {
				p.open.Capabilities.ExtendedMessage = true
				s.connectNow(p)
			}
			s.say(b, b.route(1, b.address, x))
			s.say(a, a.routeWith(c.change, x))
			r := s.machine.ribs[wire.IPv4Unicast]
			n, _ := r.table.Number(x)
			taken := false
			for k := range r.table.Routes(n) {
				taken = taken || s.machine.sources[k.Source].neighbor.cfg.Address == a.address
			}
			if taken != c.taken {
				t.Errorf("it is in the table: %v, want %v", taken, c.taken)
			}
			s.say(b, b.withdrawal(0, x)) // what a sent is the best now, if it was taken
			if passed := len(b.holds) > 0; passed != c.passed {
				t.Errorf("the neighbour has it: %v, want %v", passed, c.passed)
			}
			came, _ := s.machine.ReceivedPage(a.address, routing.NoInterface, wire.IPv4Unicast, false, netip.Prefix{}, netip.Prefix{}, 9)
			if len(came) != 1 || came[0].Accepted != c.taken || strings.Contains(came[0].Why, "too long") == c.taken {
				t.Errorf("it has come as %d routes, accepted and why: %v", len(came), came)
			}
			sent, _ := s.machine.AdvertisedPage(b.address, routing.NoInterface, wire.IPv4Unicast, netip.Prefix{}, netip.Prefix{}, 9)
			if (len(sent) == 1) != c.passed {
				t.Errorf("%d routes are shown as sent", len(sent))
			}
		})
	}
}

// routeWith is an announcement with attributes that change has made.
func (p *player) routeWith(change func(*wire.Attributes), prefixes ...netip.Prefix) []byte {
	var k wire.Packer
	var a wire.Attributes
	a.ASPath = a.ASPath.AppendPrepended(nil, p.as, 1)
	a.NextHop = wire.NextHop{Address: p.address}
	for _, code := range [...]wire.Attribute{wire.AttrOrigin, wire.AttrASPath, wire.AttrNextHop} {
		a.Set(code)
	}
	change(&a)
	k.Begin(nil, &p.session)
	if !k.Announce(wire.IPv4Unicast, &a) {
		panic("no message has room for that")
	}
	for _, x := range prefixes {
		k.Add(0, x)
	}
	return k.Bytes()
}

// An aggregate whose policy makes its path longer than there is room for is not originated.
func TestAggregateWithoutRoom(t *testing.T) {
	prepend, problems := statement(t, nil, map[string]any{"as-path-prepend": strings.TrimSpace(strings.Repeat("65099 ", maxPrepended))})
	if problems != nil {
		t.Fatal(problems)
	}
	for n, want := range map[int]bool{16_000: true, 16_330: false} {
		s := newStand(t, 2, nil)
		whole := netip.MustParsePrefix("20.0.0.0/8")
		s.config.Aggregates = []Aggregate{{Prefix: whole, Policy: prepend}}
		s.configure()
		for _, p := range s.peers {
			p.open.Capabilities.ExtendedMessage = true
			s.connectNow(p)
		}
		a, b := s.peers[0], s.peers[1]
		s.say(a, a.routeWith(func(x *wire.Attributes) { x.ASPath = x.ASPath.AppendPrepended(nil, a.as, n) }, manyPrefixes(1)...))
		s.run(time.Second)
		if _, has := b.holds[whole.String()]; has != want {
			t.Errorf("a path of %d: the neighbour has the aggregate: %v, want %v", n, has, want)
		}
	}
}
