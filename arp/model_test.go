package arp

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/internal/siphash"
)

// naive is one IPv6 neighbour as RFC 4861 tells it in prose, §7.2.5 and
// §7.3.3, without a table of rows: what the machine is compared with.
type naive struct {
	state State
	mac   MAC
	until time.Time // the end of what the state waits for
	sent  int       // solicitations in this state
	held  int
}

func (n *naive) become(s State, until time.Time) {
	if n.state != s {
		n.sent = 0
	}
	n.state, n.until = s, until
	if s != Incomplete {
		n.held = 0
	}
	if s == Absent {
		n.mac = MAC{}
	}
}

// tick does what is over by now. The end of Reachable is random: the machine
// says when it was.
func (n *naive) tick(now, reachableUntil time.Time) {
	for n.state != Absent {
		if n.state == Reachable {
			n.until = reachableUntil
		}
		if n.until.After(now) {
			return
		}
		at := n.until
		switch n.state {
		case Incomplete, Probe:
			if n.sent == 3 {
				n.become(Absent, time.Time{})
			} else {
				n.sent++
				n.until = at.Add(time.Second)
			}
		case Reachable:
			n.become(Stale, at.Add(DefaultTimeout))
		case Stale:
			n.become(Absent, time.Time{})
		case Delay:
			n.become(Probe, at.Add(time.Second))
			n.sent = 1
		}
	}
}

func (n *naive) packet(now time.Time) {
	switch n.state {
	case Absent:
		n.become(Incomplete, now.Add(time.Second))
		n.sent, n.held = 1, 1
	case Incomplete:
		n.held = min(n.held+1, 3)
	case Stale:
		n.become(Delay, now.Add(5*time.Second))
	}
}

func (n *naive) heard(now time.Time, mac MAC) {
	if n.state <= Incomplete || n.mac != mac {
		n.mac = mac
		n.become(Stale, now.Add(DefaultTimeout))
	}
}

func (n *naive) advertised(now time.Time, mac MAC, solicited, override bool) {
	stale := func() { n.become(Stale, now.Add(DefaultTimeout)) }
	fresh := func() { n.become(Reachable, time.Time{}) }
	differs := mac != MAC{} && mac != n.mac
	switch {
	case n.state == Absent:
	case n.state == Incomplete && mac == MAC{}:
	case n.state == Incomplete:
		n.mac = mac
		if solicited {
			fresh()
		} else {
			stale()
		}
	case !override && differs:
		if n.state == Reachable {
			stale()
		}
	default:
		if differs {
			n.mac = mac
		}
		if solicited {
			fresh()
		} else if differs {
			stale()
		}
	}
}

func TestNeighborModel(t *testing.T) {
	macs := []MAC{{}, peerMAC, newMAC}
	rapid.Check(t, func(t *rapid.T) {
		cfg := DefaultConfig()
		cfg.MaxHeldEach = 3 * (len("packet") + heldOverhead)
		b := &bench{t: nil, m: New(cfg, rapid.Uint64().Draw(t, "seed")), tab: NewTable(8, siphash.Key{1}), now: someday}
		step := func(in Input) {
			for _, e := range b.m.Step(b.now, in, nil) {
				b.tab.Apply(e)
			}
		}
		step(InterfaceUp{eth0, InterfaceConfig{MAC: ourMAC, Addresses: []netip.Prefix{netip.PrefixFrom(our6, 64)}}})
		for range 20 {
			b.now = b.now.Add(time.Second)
			step(Tick{})
		}
		var n naive
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			reachable := time.Time{}
			if r := b.m.neighbors[key{eth0, peer6}]; r != nil && r.state == Reachable {
				reachable = r.timer.At()
			}
			wait := []time.Duration{0, 0, 100 * time.Millisecond, time.Second, 5 * time.Second, 20 * time.Second, DefaultTimeout}
			end := b.now.Add(rapid.SampledFrom(wait).Draw(t, "wait"))
			for d := b.m.Deadline(); !d.IsZero() && !d.After(end); d = b.m.Deadline() {
				b.now = d
				step(Tick{})
			}
			b.now = end
			n.tick(b.now, reachable)

			mac := rapid.SampledFrom(macs).Draw(t, "mac")
			what := rapid.SampledFrom([]string{"packet", "heard", "advertised", "advertised"}).Draw(t, "what")
			switch what {
			case "packet":
				if e := b.tab.Lookup(eth0, peer6); e == nil {
					step(Resolve{Interface: eth0, Addr: peer6, Packet: []byte("packet")})
				} else if e.Use() {
					step(Used{e})
				}
				n.packet(b.now)
			case "heard":
				if mac == (MAC{}) {
					continue
				}
				step(ns(peer6, mac))
				n.heard(b.now, mac)
			case "advertised":
				s, o := rapid.Bool().Draw(t, "solicited"), rapid.Bool().Draw(t, "override")
				what += fmt.Sprintf(" S=%v O=%v %v", s, o, mac)
				step(na(peer6, mac, s, o))
				n.advertised(b.now, mac, s, o)
			}
			got := Neighbor{}
			for x := range walk(b.m, b.now) {
				if x.Addr == peer6 {
					got = x
				}
			}
			if got.State != n.state || got.MAC != n.mac || got.Held != n.held {
				t.Fatalf("after %s: %v %v, %d held; want %v %v, %d held", what, got.State, got.MAC, got.Held, n.state, n.mac, n.held)
			}
			e := b.tab.Lookup(eth0, peer6)
			if (e != nil) != (n.state > Incomplete) || e != nil && (e.MAC != n.mac || e.State != n.state) {
				t.Fatalf("after %s: the table says %+v, want %v %v", what, e, n.state, n.mac)
			}
		}
	})
}
