package ospf

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"routerd/routing/keys"
	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

func chain(k ...keys.Key) keys.Chain { return k }

func key7(secret string, a keys.Algorithm) keys.Key {
	return keys.Key{ID: 7, Algorithm: a, Secret: []byte(secret)}
}

func TestAuthenticatedToFull(t *testing.T) {
	for _, c := range []struct {
		kind      wire.AuthType
		algorithm keys.Algorithm
	}{
		{wire.AuthSimple, keys.PlainText},
		{wire.AuthCryptographic, keys.KeyedMD5},
		{wire.AuthCryptographic, keys.HMACSHA1},
		{wire.AuthCryptographic, keys.HMACSHA512},
		{wire.AuthExtended, keys.HMACSHA256},
	} {
		t.Run(c.kind.String()+" "+c.algorithm.String(), func(t *testing.T) {
			w := newNetwork(t, 1)
			w.loss = 0.1
			auth := func(secret string) func(i *InterfaceConfig) {
				return func(i *InterfaceConfig) {
					i.Auth = Auth{Type: c.kind, Algorithm: c.algorithm, Keys: chain(key7(secret, keys.None))}
				}
			}
			l := w.segment()
			a := w.router("1.1.1.1")
			a.port(l, Broadcast, "10.0.0.1/24", auth("right"))
			b := w.router("2.2.2.2")
			b.port(l, Broadcast, "10.0.0.2/24", auth("right"))
			w.begin()
			w.want(5*time.Minute, "full and equal", func() bool { return w.adjacent() && w.equal() })

			// Another secret ends the adjacency, and is told in words.
			a.reload(func(c *Config) {
				i := c.Interfaces["eth1"]
				auth("wrong")(&i)
				c.Interfaces["eth1"] = i
			})
			w.want(5*time.Minute, "apart", func() bool { return len(a.m.links[1].neighbors) == 0 })
			want := map[wire.AuthType]wire.Reason{wire.AuthSimple: wire.Password}[c.kind]
			if c.kind != wire.AuthSimple {
				want = wire.Digest
			}
			got := b.m.links[1]
			if got.refused.Refusal.Reason != want || got.refused.From != netip.MustParseAddr("10.0.0.1") || got.counters.Refused[want] == 0 {
				t.Errorf("refused %+v, want %v of 10.0.0.1", got.refused, want)
			}
			if !strings.Contains(strings.Join(b.events, "\n"), "authentication failed 10.0.0.1") {
				t.Errorf("events: %q", b.events)
			}
		})
	}
}

// Before any key is valid nothing is sent or heard; after the last one it stays in
// use, which is said once.
func TestLifetimes(t *testing.T) {
	from, until := bedStart.Add(10*time.Minute), bedStart.Add(20*time.Minute)
	w := pair(t, PointToPoint, func(_ int, i *InterfaceConfig) {
		k := key7("secret", keys.None)
		k.Send = keys.Lifetime{From: from, Until: until}
		k.Accept = k.Send
		i.Auth = Auth{Type: wire.AuthCryptographic, Algorithm: keys.HMACSHA256, Keys: chain(k)}
	})
	a := w.nodes[0]
	w.begin()
	w.run(9*time.Minute, nil)
	if len(a.sent) != 0 {
		t.Errorf("%d packets before any key is valid", len(a.sent))
	}
	x := wire.Packet{Type: wire.TypeHello, Router: 77}
	auth := a.cfg.Interfaces["eth1"].Auth
	s, err := auth.sealer(&auth.Keys[0])
	if err != nil {
		t.Fatal(err)
	}
	w.step(a, protocol.Received{Link: 1, Src: addr("10.0.0.2"), Dst: allSPFRouters, Protocol: wire.Protocol, Payload: x.Append(nil, s, 1, ip("10.0.0.2"))})
	if got := a.m.links[1].refused.Refusal.String(); got != "no key is valid" {
		t.Errorf("refused %q", got)
	}
	w.want(3*time.Minute, "full", w.adjacent)
	w.run(30*time.Minute, nil)
	w.want(10*time.Second, "full after the last key", w.adjacent)
	said := 0
	for _, e := range a.events {
		if strings.HasPrefix(e, "last key expired") {
			said++
		}
	}
	if said != 1 {
		t.Errorf("said %d times: %q", said, a.events)
	}
}

// A reload to a chain with a further key, and then to that key alone, drops
// nothing.
func TestKeysRollOver(t *testing.T) {
	w := newNetwork(t, 1)
	auth := func(k ...keys.Key) func(i *InterfaceConfig) {
		return func(i *InterfaceConfig) {
			i.Auth = Auth{Type: wire.AuthCryptographic, Algorithm: keys.KeyedMD5, Keys: k}
		}
	}
	old, next := keys.Key{ID: 1, Secret: []byte("old")}, keys.Key{ID: 2, Secret: []byte("new")}
	l := w.segment()
	a := w.router("1.1.1.1")
	a.port(l, PointToPoint, "10.0.0.1/24", auth(old))
	b := w.router("2.2.2.2")
	b.port(l, PointToPoint, "10.0.0.2/24", auth(old))
	w.begin()
	w.want(time.Minute, "full", w.adjacent)
	full := a.m.links[1].neighbors[0].since
	for _, step := range [][]keys.Key{{old, next}, {next, old}, {next}} {
		for _, n := range w.nodes {
			n.reload(func(c *Config) {
				i := c.Interfaces["eth1"]
				auth(step...)(&i)
				c.Interfaces["eth1"] = i
			})
			w.run(time.Minute, nil)
		}
	}
	if n := a.m.links[1].neighbors[0]; n.state != NeighborFull || n.since != full {
		t.Errorf("%v since %v, want full since %v\n%s", n.state, n.since, full, w)
	}
}

// What was recorded does not work a second time, also after the router has been
// away; and a router that was away itself goes on with higher numbers whatever its
// clock.
func TestReplay(t *testing.T) {
	for _, kind := range []wire.AuthType{wire.AuthCryptographic, wire.AuthExtended} {
		t.Run(kind.String(), func(t *testing.T) {
			w := newNetwork(t, 1)
			auth := func(i *InterfaceConfig) {
				i.Auth = Auth{Type: kind, Algorithm: keys.HMACSHA256, Keys: chain(key7("secret", keys.None))}
			}
			l := w.segment()
			a := w.router("1.1.1.1")
			a.port(l, PointToPoint, "10.0.0.1/24", auth)
			b := w.router("2.2.2.2")
			b.port(l, PointToPoint, "10.0.0.2/24", auth)
			w.begin()
			w.want(time.Minute, "full", w.adjacent)
			// A Hello that names nobody would end the adjacency.
			s, _ := b.m.seal(b.m.links[1])
			p := &wire.Packet{Type: wire.TypeHello, Router: b.m.router, Hello: b.m.greeting(b.m.links[1])}
			number := b.m.number(s)
			replay := protocol.Received{
				Link: 1, Src: netip.MustParseAddr("10.0.0.2"), Dst: allSPFRouters, Protocol: wire.Protocol, HopLimit: 1,
				Payload: p.Append(nil, s, number, wire.IDOf(netip.MustParseAddr("10.0.0.2"))),
			}
			w.run(time.Minute, nil)
			before := a.m.links[1].counters.Refused[wire.Sequence]
			w.step(a, replay)
			if n := a.m.links[1].neighbors[0]; n.state != NeighborFull || a.m.links[1].counters.Refused[wire.Sequence] != before+1 {
				t.Errorf("%v after a replay, refused %+v", n.state, a.m.links[1].refused)
			}
			if kind != wire.AuthExtended {
				return
			}
			w.run(time.Minute, nil)
			a.end()
			w.run(time.Minute, nil)
			a.begin()
			w.want(time.Minute, "full again", w.adjacent)
			b.end()
			w.run(time.Minute, nil)
			before = a.m.links[1].counters.Refused[wire.Sequence]
			w.step(a, replay)
			if n := a.m.links[1].counters.Refused[wire.Sequence] - before; n != 1 {
				t.Errorf("%d replays refused after a restart, want 1", n)
			}
		})
	}
}

// A router whose clock went back is heard at once after a restart.
func TestNumbersSurviveTheClock(t *testing.T) {
	for _, kind := range []wire.AuthType{wire.AuthCryptographic, wire.AuthExtended} {
		var s numbers
		if err := s.load(nil, bedStart); err != nil {
			t.Fatal(err)
		}
		a, _ := (&Auth{Type: kind, Algorithm: keys.HMACSHA1}).sealer(&keys.Key{ID: 1, Secret: []byte("x")})
		m := New(protocol.Start{})
		m.numbers, m.now = s, bedStart
		first := m.number(a)
		saved := m.out[len(m.out)-1].(protocol.Save).Data

		m = New(protocol.Start{})
		m.now = bedStart.Add(-time.Hour)
		if err := m.numbers.load(saved, m.now); err != nil {
			t.Fatal(err)
		}
		if second := m.number(a); second <= first {
			t.Errorf("%v: %d after %d", kind, second, first)
		}
		if err := m.numbers.load([]byte("{"), m.now); err == nil {
			t.Error("damage is not noticed")
		}
	}
}
