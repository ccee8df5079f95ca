package bgp

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// FuzzMachine has a machine with two neighbours read whatever comes, in sessions that are
// up, with next hops that come and go, and sessions that end. In the end nothing is left of
// what came.
func FuzzMachine(f *testing.F) {
	var p wire.Packer
	var a wire.Attributes
	p.Begin(nil, &session)
	a.ASPath = a.ASPath.AppendPrepended(nil, 65002, 1)
	a.NextHop.Address = netip.MustParseAddr("10.0.1.2")
	for _, code := range []wire.Attribute{wire.AttrOrigin, wire.AttrASPath, wire.AttrNextHop} {
		a.Set(code)
	}
	p.Announce(wire.IPv4Unicast, &a)
	p.Add(0, ownPrefix(7))
	update := p.Bytes()
	f.Add(append([]byte{0, 0, byte(len(update))}, update...))
	f.Add([]byte{1, 0, 23, 3, 0, 0, 4, 0, 0, 2, 0, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		w := newNetwork(t, 1)
		x, y, z := w.router(65001), w.router(65002), w.router(65003)
		w.peer(x, y, nil)
		w.peer(x, z, nil)
		keepAll(x)
		policies := importings(t)
		x.config.Aggregates = []Aggregate{{Prefix: netip.MustParsePrefix("100.0.0.0/8"), SummaryOnly: true}, {Prefix: netip.MustParsePrefix("0.0.0.0/0")}}
		for i := range x.config.Neighbors {
			c := &x.config.Neighbors[i].Families[wire.IPv4Unicast]
			c.MaximumPrefixes, c.LimitWarning, c.LimitReceived = 3, 50, i == 0
			c.LimitAction, c.Restart = []LimitAction{LimitBlock, LimitRestart}[i], time.Second
			c.Default = DefaultOriginate{Enabled: i == 0}
		}
		w.start()
		w.run(10 * time.Second)
		w.established()
		for len(script) >= 3 {
			do, n := script[0], int(binary.BigEndian.Uint16(script[1:]))
			script = script[3:]
			n = min(n, len(script))
			from := []*router{y, z}[do>>7]
			switch do % 9 {
			case 0, 1: // octets from a neighbour
				if id := x.streamTo(from); id != 0 {
					w.step(x, protocol.Read{ID: id, Data: script[:n]})
				}
				script = script[n:]
			case 2:
				w.cut(x, from)
			case 3:
				w.run(time.Duration(n) * time.Second / 100)
			case 4: // a next hop that dies
				for at := range x.tracked {
					w.step(x, protocol.Notices{Notices: routing.Notices{NextHops: []routing.NextHopState{{Address: at, Interface: routing.NoInterface}}}})
				}
			case 5:
				w.step(x, Clear{Address: x.config.Neighbors[do>>7].Address, Link: routing.NoInterface, Soft: do&16 != 0, In: true, Out: true})
			case 6: // another import policy; or nothing is kept any more, or all is again
				c := &x.config.Neighbors[do>>7].Families[wire.IPv4Unicast]
				c.Import = policies[n%len(policies)].policy
				if do&16 != 0 {
					c.KeepReceived = !c.KeepReceived
				}
				w.configure(x)
			case 7: // another configuration of other things
				c := &x.config.Neighbors[do>>7]
				c.GracefulShutdown = !c.GracefulShutdown
				x.config.Aggregates[0].SummaryOnly = n&1 != 0
				c.Families[wire.IPv4Unicast].Default.Always = n&2 != 0
				c.Families[wire.IPv4Unicast].MaximumPrefixes = 1 + n&3
				w.configure(x)
			default:
				w.deliver()
			}
		}
		w.vanish(y)
		w.vanish(z)
		x.config.Neighbors, x.config.Networks, x.config.Aggregates = nil, nil, nil
		w.configure(x)
		w.run(time.Minute)
		if kept := x.machine.ribs[wire.IPv4Unicast].received; kept != nil && (kept.Len() != 0 || kept.Prefixes() != 0) {
			t.Fatalf("left: %d routes of %d prefixes that were kept", kept.Len(), kept.Prefixes())
		}
		if m := x.machine; m.attributes.Len() != 0 || m.ribs[wire.IPv4Unicast].table.Prefixes() != 0 || len(m.hops) != 0 || len(m.streams) != 0 || len(x.offered) != 0 {
			t.Fatalf("left: %d sets of attributes, %d prefixes, %d next hops, %d streams, %d routes",
				m.attributes.Len(), m.ribs[wire.IPv4Unicast].table.Prefixes(), len(m.hops), len(m.streams), len(x.offered))
		}
	})
}

// streamTo is a router's connection with another one, 0 if there is none.
func (r *router) streamTo(o *router) protocol.StreamID {
	for id, s := range r.machine.streams {
		if o.has(s.neighbor.cfg.Address) && s.neighbor.session.State() == Established {
			return id
		}
	}
	return 0
}
