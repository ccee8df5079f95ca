package arp

import (
	"net/netip"
	"testing"
	"time"

	"routerd/icmp"
	"routerd/internal/packet"
	"routerd/routing"
)

// family is one protocol's way of making things happen to a neighbour.
type family struct {
	name   string
	addr   netip.Addr
	happen map[event]func(b *bench)
}

func na(src netip.Addr, mac MAC, solicited, override bool) Received {
	dst, to := AllNodes, MulticastMAC(AllNodes)
	if solicited {
		dst, to = our6, ourMAC
	}
	f := AppendEthernet(nil, to, peerMAC, EtherTypeIPv6)
	return Received{eth0, AppendAdvertisement(f, src, dst, src, mac, true, solicited, override)}
}

func ns(src netip.Addr, mac MAC) Received {
	group := SolicitedNode(our6)
	f := AppendEthernet(nil, MulticastMAC(group), peerMAC, EtherTypeIPv6)
	return Received{eth0, AppendSolicitation(f, src, group, our6, mac, nil)}
}

func hears(in Received) func(*bench) { return func(b *bench) { b.step(in) } }

func after(d time.Duration) func(*bench) { return func(b *bench) { b.pass(d) } }

// sending is a packet to a: by the published entry as the dataplane does it,
// or by Resolve where there is none.
func sending(a netip.Addr) func(*bench) {
	return func(b *bench) {
		e := b.tab.Lookup(eth0, a)
		switch {
		case e == nil:
			b.step(Resolve{Interface: eth0, Addr: a, Packet: []byte("packet")})
		case e.Use():
			b.step(Used{e})
		default:
			b.out = nil
		}
	}
}

// third makes the third solicitation go by and then its timeout.
func third(b *bench) {
	b.pass(2 * time.Second)
	b.pass(time.Second)
}

var six = family{"ndp", peer6, map[event]func(*bench){
	packetToSend:            sending(peer6),
	unanswered:              after(time.Second),
	exhausted:               third,
	reachableOver:           after(45 * time.Second),
	delayOver:               after(5 * time.Second),
	idle:                    after(DefaultTimeout),
	retry:                   after(firstWait),
	unsolicitedSame:         hears(na(peer6, peerMAC, false, false)),
	unsolicitedOther:        hears(na(peer6, newMAC, false, false)),
	unsolicitedOverrideSame: hears(na(peer6, peerMAC, false, true)),
	unsolicitedOverride:     hears(na(peer6, newMAC, false, true)),
	unsolicitedNone:         hears(na(peer6, MAC{}, false, true)),
	solicitedSame:           hears(na(peer6, peerMAC, true, false)),
	solicitedOther:          hears(na(peer6, newMAC, true, false)),
	solicitedOverride:       hears(na(peer6, newMAC, true, true)),
	solicitedNone:           hears(na(peer6, MAC{}, true, true)),
	heardSame:               hears(ns(peer6, peerMAC)),
	heardOther:              hears(ns(peer6, newMAC)),
}}

// four has no advertisements without address or override: ARP cannot say it.
var four = family{"arp", peer4, map[event]func(*bench){
	packetToSend:            sending(peer4),
	unanswered:              after(time.Second),
	exhausted:               third,
	reachableOver:           after(45 * time.Second),
	delayOver:               after(5 * time.Second),
	idle:                    after(DefaultTimeout),
	retry:                   after(firstWait),
	unsolicitedOverrideSame: hears(arpFrame(Broadcast, peerMAC, OpRequest, peerMAC, peer4, MAC{}, peer4)),
	unsolicitedOverride:     hears(arpFrame(Broadcast, newMAC, OpRequest, newMAC, peer4, MAC{}, peer4)),
	solicitedOverride:       hears(arpReply(newMAC)),
	heardSame:               hears(arpFrame(Broadcast, peerMAC, OpRequest, peerMAC, peer4, MAC{}, our4)),
	heardOther:              hears(arpFrame(Broadcast, newMAC, OpRequest, newMAC, peer4, MAC{}, our4)),
}}

// bring puts the family's neighbour in a state by what happens to it, with
// peerMAC cached where the state has a MAC.
func (f *family) bring(b *bench, s State) {
	heard := ns(peer6, peerMAC)
	if f.addr.Is4() {
		heard = arpFrame(Broadcast, peerMAC, OpRequest, peerMAC, peer4, MAC{}, our4)
	}
	switch s {
	case Absent:
	case Failed:
		if b.m.cfg.Routed == nil {
			b.m.cfg.Routed = func(routing.InterfaceID, netip.Addr) bool { return true }
		}
		f.bring(b, Incomplete)
		third(b)
	case Incomplete:
		b.step(Resolve{Interface: eth0, Addr: f.addr, Packet: []byte("held")})
	case Reachable:
		f.bring(b, Probe)
		if f.addr.Is4() {
			b.step(arpReply(peerMAC))
		} else {
			b.step(na(peer6, peerMAC, true, true))
		}
	case Stale:
		b.step(heard)
	case Delay:
		f.bring(b, Stale)
		f.happen[packetToSend](b)
	case Probe:
		f.bring(b, Delay)
		b.pass(5 * time.Second)
	}
	if got := b.state(f.addr); got != s {
		b.t.Fatalf("the neighbour is %v, wanted it to be %v first", got, s)
	}
}

// outcome is what is to be seen after an event.
type outcome struct {
	state       State
	mac         MAC    // in the table; zero = not there
	asked       string // "", "all" or "one"
	released    int
	unreachable int
}

// asked says whom the solicitations among the effects were sent to.
func asked(all []Effect) (whom string) {
	for _, s := range of[SendFrame](all) {
		f := Ethernet(s.Frame)
		solicitation := f.Type() == EtherTypeARP && Packet(f.Payload()).Op() == OpRequest
		if f.Type() == EtherTypeIPv6 {
			m, err := Parse(packet.IPv6(f.Payload()))
			solicitation = err == nil && m.Type == icmp.NeighborSolicitation6
		}
		switch {
		case !solicitation:
		case f.Dst()[0]&1 == 1:
			whom += "all"
		default:
			whom += "one"
		}
	}
	return whom
}

// expectations has every row of the state machine by name, with what RFC
// 4861 Appendix C and §7.2.5 say of it: one line a row, for each of its
// states and events.
var expectations = map[string]func(from State) outcome{
	"packet to send to nobody known":           is(outcome{Incomplete, MAC{}, "all", 0, 0}),
	"packet to send while incomplete":          is(outcome{Incomplete, MAC{}, "", 0, 0}),
	"incomplete, unanswered":                   is(outcome{Incomplete, MAC{}, "all", 0, 0}),
	"incomplete, exhausted":                    is(outcome{Absent, MAC{}, "", 0, 1}),
	"incomplete, NA S=0":                       is(outcome{Stale, newMAC, "", 1, 0}),
	"incomplete, NA S=1":                       is(outcome{Reachable, newMAC, "", 1, 0}),
	"failed, time to ask again":                is(outcome{Incomplete, MAC{}, "all", 0, 0}),
	"failed, NA or its own message":            is(outcome{Stale, newMAC, "", 0, 0}),
	"NA without address, none known":           func(from State) outcome { return outcome{from, MAC{}, "", 0, 0} },
	"NA S=1 O=0, same address":                 is(outcome{Reachable, peerMAC, "", 0, 0}),
	"NA S=1, no address":                       is(outcome{Reachable, peerMAC, "", 0, 0}),
	"NA S=0, no address":                       stays,
	"reachable, NA S=1 O=0, other address":     is(outcome{Stale, peerMAC, "", 0, 0}),
	"not reachable, NA S=1 O=0, other address": stays,
	"NA S=1 O=1":                               is(outcome{Reachable, newMAC, "", 0, 0}),
	"NA S=0 O=0, same address":                 stays,
	"reachable, NA S=0 O=0, other address":     is(outcome{Stale, peerMAC, "", 0, 0}),
	"not reachable, NA S=0 O=0, other address": stays,
	"NA S=0 O=1, same address":                 stays,
	"NA S=0 O=1, other address":                is(outcome{Stale, newMAC, "", 0, 0}),
	"reachable time over":                      is(outcome{Stale, peerMAC, "", 0, 0}),
	"packet to send while stale":               is(outcome{Delay, peerMAC, "", 0, 0}),
	"packet to send while fresh or in doubt":   stays,
	"delay over":                               is(outcome{Probe, peerMAC, "one", 0, 0}),
	"probe, unanswered":                        is(outcome{Probe, peerMAC, "one", 0, 0}),
	"probe, exhausted":                         is(outcome{Absent, MAC{}, "", 0, 0}),
	"heard from nobody known":                  is(outcome{Stale, newMAC, "", 0, 0}),
	"heard while incomplete":                   is(outcome{Stale, newMAC, "", 1, 0}),
	"heard, other address":                     is(outcome{Stale, newMAC, "", 0, 0}),
	"heard, same address":                      stays,
	"stale, unused for the timeout":            is(outcome{Absent, MAC{}, "", 0, 0}),
}

func is(o outcome) func(State) outcome { return func(State) outcome { return o } }

func stays(from State) outcome { return outcome{from, peerMAC, "", 0, 0} }

func TestRows(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range machineRows {
		want, ok := expectations[r.name]
		if !ok || seen[r.name] {
			t.Errorf("row %q has no expectation of its own", r.name)
			continue
		}
		seen[r.name] = true
		t.Run(r.name, func(t *testing.T) {
			ran := 0
			for _, f := range []*family{&six, &four} {
				for s := range numStates {
					for e := range numEvents {
						if r.in&(1<<s) == 0 || r.on&(1<<e) == 0 || !f.says(s, e) {
							continue
						}
						ran++
						b := newBench(t)
						f.bring(b, s)
						b.out = nil
						f.happen[e](b)
						if got := b.outcome(f.addr); got != want(s) {
							t.Errorf("%s, from %v, event %d: %+v, want %+v", f.name, s, e, got, want(s))
						}
					}
				}
			}
			if ran == 0 {
				t.Error("the row never happened")
			}
		})
	}
	if len(seen) != len(expectations) {
		t.Errorf("%d rows, %d expectations", len(seen), len(expectations))
	}
}

// says reports whether the family can make e happen to a neighbour in state
// s. An ARP reply is taken only where a request is under way.
func (f *family) says(s State, e event) bool {
	if f.addr.Is4() && e == solicitedOverride && s != Incomplete && s != Probe {
		return false
	}
	return f.happen[e] != nil
}

func (b *bench) outcome(a netip.Addr) outcome {
	o := outcome{
		state: b.state(a), asked: asked(b.out),
		released: len(of[Release](b.out)), unreachable: len(of[Unreachable](b.out)),
	}
	if e := b.tab.Lookup(eth0, a); e != nil {
		o.mac = e.MAC
		if e.State != o.state {
			b.t.Errorf("the table says %v, the machine %v", e.State, o.state)
		}
	}
	return o
}

// What no row speaks of cannot happen, or leaves the neighbour alone.
func TestNoRow(t *testing.T) {
	never := map[event]states{
		unanswered:    in(Absent, Failed, Reachable, Stale, Delay),
		exhausted:     in(Absent, Failed, Reachable, Stale, Delay),
		reachableOver: in(Absent, Failed, Incomplete, Stale, Delay, Probe),
		delayOver:     in(Absent, Failed, Incomplete, Reachable, Stale, Probe),
		idle:          in(Absent, Failed, Incomplete, Reachable, Delay, Probe),
		retry:         in(Absent, Incomplete, Reachable, Stale, Delay, Probe),
		// Without a cached address none is the same, and from nobody known
		// an advertisement never gets as far as an event.
		unsolicitedSame:         in(Absent, Failed, Incomplete),
		unsolicitedOverrideSame: in(Absent, Failed, Incomplete),
		solicitedSame:           in(Absent, Failed, Incomplete),
		heardSame:               in(Absent, Failed, Incomplete),
		unsolicitedOther:        in(Absent),
		unsolicitedOverride:     in(Absent),
		unsolicitedNone:         in(Absent),
		solicitedOther:          in(Absent),
		solicitedOverride:       in(Absent),
		solicitedNone:           in(Absent),
	}
	for s := Absent; s < Static; s++ {
		for e := range numEvents {
			if got := never[e]&(1<<s) == 0; moves[s][e].ok != got {
				t.Errorf("%v, event %d: has a row %v, want %v", s, e, moves[s][e].ok, got)
			}
		}
	}
	for e := range numEvents {
		if moves[Static][e].ok {
			t.Errorf("event %d moves a static neighbour", e)
		}
	}
	n := 0
	for _, r := range machineRows {
		for s := range numStates {
			for e := range numEvents {
				if r.in&(1<<s) != 0 && r.on&(1<<e) != 0 {
					n++
				}
			}
		}
	}
	for s := range moves {
		for e := range moves[s] {
			if moves[s][e].ok {
				n--
			}
		}
	}
	if n != 0 {
		t.Errorf("%d pairs of state and event are in two rows", n)
	}
}
