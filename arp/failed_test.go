package arp

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/internal/siphash"
	"routerd/routing"
)

// routed has routes lead by every address of the list, which may change.
func routed(hops *[]netip.Addr) func(*Config, *InterfaceConfig) {
	return func(c *Config, _ *InterfaceConfig) {
		c.Routed = func(link routing.InterfaceID, a netip.Addr) bool { return link == eth0 && slices.Contains(*hops, a) }
	}
}

// A next hop of routes that does not answer is told of once, is asked again
// after ever longer until 30 s, and is told of again when it answers.
func TestNextHopThatFails(t *testing.T) {
	for _, f := range []*family{&six, &four} {
		for _, from := range []State{Incomplete, Probe} {
			b := newBench(t, routed(&[]netip.Addr{f.addr}))
			f.bring(b, from)
			if out := b.pass(3 * time.Second); !slices.Equal(of[HopState](out), []HopState{{eth0, f.addr, false}}) {
				t.Fatalf("%v from %v: silent for 3 s, and said %v", f.addr, from, of[HopState](out))
			}
			if s := b.state(f.addr); s != Failed || b.tab.Lookup(eth0, f.addr) != nil {
				t.Errorf("%v from %v: it is %v, and in the table: %v", f.addr, from, s, b.tab.Lookup(eth0, f.addr) != nil)
			}
			wait := firstWait
			for range 9 {
				began := b.now
				for b.state(f.addr) == Failed && b.now.Sub(began) <= mostWait {
					b.pass(10 * time.Millisecond)
				}
				if w := b.now.Sub(began); w < wait*3/4 || w > wait+10*time.Millisecond {
					t.Errorf("%v: asked again after %v, want %v to %v", f.addr, w, wait*3/4, wait)
				}
				if out := b.pass(3 * time.Second); b.state(f.addr) != Failed || len(of[HopState](out)) != 0 || len(of[SendFrame](out)) != 2 {
					t.Errorf("%v: 3 s later it is %v, told %v, %d more requests; want failed, nothing and 2", f.addr, b.state(f.addr), of[HopState](out), len(of[SendFrame](out)))
				}
				wait = min(2*wait, mostWait)
			}
			f.happen[unsolicitedOverride](b)
			if got := of[HopState](b.out); !slices.Equal(got, []HopState{{eth0, f.addr, true}}) || b.tab.Lookup(eth0, f.addr) == nil {
				t.Errorf("%v announces itself, and said %v", f.addr, got)
			}
			b.pass(time.Minute)
			f.happen[packetToSend](b)
			b.pass(8 * time.Second)
			began := b.now
			for b.state(f.addr) == Failed && b.now.Sub(began) <= mostWait {
				b.pass(10 * time.Millisecond)
			}
			if w := b.now.Sub(began); w > firstWait+10*time.Millisecond {
				t.Errorf("%v fails anew, and is asked again only after %v, want %v at most", f.addr, w, firstWait)
			}
		}
	}
}

// Nothing is held against a next hop that nobody asks for any more, and none is
// asked for that no route leads by.
func TestFailedNextHopIsLetGo(t *testing.T) {
	for name, let := range map[string]func(b *bench, hops *[]netip.Addr){
		"its routes are gone":    func(b *bench, hops *[]netip.Addr) { *hops = nil; b.pass(firstWait) },
		"its link is gone":       func(b *bench, _ *[]netip.Addr) { b.step(InterfaceDown{Interface: eth0}) },
		"its address is another": func(b *bench, _ *[]netip.Addr) { b.step(ns(peer6, newMAC)) },
	} {
		hops := []netip.Addr{peer6}
		b := newBench(t, routed(&hops))
		six.bring(b, Failed)
		b.out = nil
		let(b, &hops)
		if got := of[HopState](b.out); !slices.Equal(got, []HopState{{eth0, peer6, true}}) {
			t.Errorf("%s, and said %v", name, got)
		}
		if out := b.pass(10 * time.Minute); name != "its address is another" && asked(out) != "" {
			t.Errorf("%s, and it is still asked for", name)
		}
	}
}

// Clearing a next hop that failed asks it at once, and risks no packet on it.
func TestClearAsksFailedNextHops(t *testing.T) {
	b := newBench(t)
	four.bring(b, Failed)
	b.step(Clear{Interface: routing.NoInterface})
	if whom := asked(b.out); whom != "all" || len(of[HopState](b.out)) > 0 {
		t.Errorf("cleared: asked %q and said %v, want all and nothing", whom, of[HopState](b.out))
	}
	b.step(arpReply(peerMAC))
	if got := of[HopState](b.out); !slices.Equal(got, []HopState{{eth0, peer4, true}}) {
		t.Errorf("it answers, and said %v", got)
	}
}

// Whatever happens: what is said of a next hop alternates; nothing is said
// against one in the table, or one that the machine does not ask again by
// itself, or one that routes never led by.
func TestHopStates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := DefaultConfig()
		cfg.MaxNeighbors, cfg.MaxIncomplete = 6, 3
		var hops []netip.Addr
		ever := map[netip.Addr]bool{}
		cfg.Routed = func(_ routing.InterfaceID, a netip.Addr) bool { return slices.Contains(hops, a) }
		m, tab, now := New(cfg, rapid.Uint64().Draw(t, "seed")), NewTable(8, siphash.Key{1}), someday
		dead := map[netip.Addr]bool{}
		step := func(in Input) {
			for _, e := range m.Step(now, in, nil) {
				tab.Apply(e)
				if h, ok := e.(HopState); ok {
					if dead[h.Addr] == !h.Alive {
						t.Fatalf("%v is said to be alive: %v, for the second time", h.Addr, h.Alive)
					}
					if dead[h.Addr] = !h.Alive; h.Alive {
						delete(dead, h.Addr)
					}
				}
			}
		}
		up := InterfaceUp{eth0, InterfaceConfig{MAC: ourMAC, Addresses: []netip.Prefix{netip.PrefixFrom(our4, 24)}}}
		step(up)
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			a := netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + rapid.IntRange(0, 7).Draw(t, "host"))})
			switch rapid.SampledFrom([]string{"time", "time", "packet", "packet", "next hop", "heard", "route", "down", "clear"}).Draw(t, "what") {
			case "time":
				now = now.Add(rapid.SampledFrom([]time.Duration{time.Second, 4 * time.Second, time.Minute}).Draw(t, "wait"))
				step(Tick{})
			case "packet":
				step(Resolve{Interface: eth0, Addr: a, Packet: []byte("packet")})
			case "next hop":
				step(Resolve{Interface: eth0, Addr: a, Index: uint32(a.As4()[3]), Packet: []byte("packet")})
			case "heard":
				step(arpFrame(Broadcast, newMAC, OpRequest, newMAC, a, MAC{}, our4))
			case "route":
				if i := slices.Index(hops, a); i >= 0 {
					hops = slices.Delete(hops, i, i+1)
				} else {
					hops, ever[a] = append(hops, a), true
				}
			case "down":
				step(InterfaceDown{Interface: eth0})
				step(up)
			case "clear":
				step(Clear{Interface: routing.NoInterface, Addr: a})
			}
			for a := range dead {
				n := m.neighbors[key{eth0, a}]
				if tab.Lookup(eth0, a) != nil || n == nil || !n.timer.IsSet() || n.timer.At().Sub(now) > mostWait || !ever[a] {
					t.Fatalf("%v counts as dead; in the table %v, known %+v, ever a next hop %v", a, tab.Lookup(eth0, a) != nil, n, ever[a])
				}
			}
		}
		hops = nil
		for range 40 {
			now = now.Add(time.Second)
			step(Tick{})
		}
		if len(dead) > 0 {
			t.Fatalf("40 s after the last route %v still count as dead", dead)
		}
	})
}
