package rip

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/protocol"
	"routerd/routing/rip/wire"
)

// The router under test has eth0 and eth1, 10.0.0.1/24 and 10.0.1.1/24 in RIP;
// peers are 10.0.0.2, 10.0.0.3 and 10.0.1.2.
const (
	eth0 routing.InterfaceID = 1
	eth1 routing.InterfaceID = 70 // beyond the first word of a set of interfaces
)

var (
	start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	peer  = addr("10.0.0.2")
	peer3 = addr("10.0.0.3")
	far   = addr("10.0.1.2")
	netA  = pfx("198.51.100.0/24")
	netB  = pfx("203.0.113.0/24")
)

func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// bed holds one machine and the last that it did.
type bed struct {
	t     testing.TB
	m     *Machine
	slots *routing.Slots
	now   time.Time
	rib   map[netip.Prefix]routing.Route
	out   []protocol.Effect // since the last call of clear
}

// newBed makes a machine with both interfaces up and its first requests and
// updates gone by.
func newBed(t testing.TB, change func(*Config)) *bed {
	b := newQuietBed(t, RIP, change)
	b.up()
	b.advance(10 * time.Second)
	b.clear()
	return b
}

func newQuietBed(t testing.TB, p Protocol, change func(*Config)) *bed {
	t.Helper()
	cfg := DefaultConfig(p)
	cfg.Interfaces["eth0"], cfg.Interfaces["eth1"] = DefaultInterface(), DefaultInterface()
	if change != nil {
		change(&cfg)
	}
	if err := cfg.Check(); err != nil {
		t.Fatal(err)
	}
	return newBedOf(t, cfg, nil)
}

// newBedOf makes a machine of a configuration and of what an earlier one saved,
// without interfaces.
func newBedOf(t testing.TB, cfg Config, saved []byte) *bed {
	t.Helper()
	b := &bed{t: t, slots: &routing.Slots{}, now: start, rib: map[netip.Prefix]routing.Route{}}
	b.m = New(cfg.Protocol, protocol.Start{Seed: 1, Slots: b.slots})
	b.step(protocol.Configure{Config: cfg, Saved: saved})
	return b
}

// takeUp brings rib to what the slots offer, and gives the prefixes that
// changed.
func takeUp(slots *routing.Slots, rib map[netip.Prefix]routing.Route) (changed []netip.Prefix) {
	slots.Drain(func(c routing.Change) {
		s := c.Slot
		changed = append(changed, s.Prefix)
		if !c.Offered {
			delete(rib, s.Prefix)
			return
		}
		rib[s.Prefix] = routing.Route{
			Prefix: s.Prefix, Source: routing.SourceRIP, Distance: s.Distance, Metric: s.Metric, Tag: s.Tag, NextHops: s.NextHops,
		}
	})
	return changed
}

// datagram is one that came for the protocol's port.
func datagram(on routing.InterfaceID, src, dst netip.Addr, port uint16, hops uint8, payload []byte) protocol.Received {
	return protocol.Received{Link: on, Src: src, Dst: dst, SrcPort: port, HopLimit: hops, Protocol: udp, Payload: payload}
}

func (b *bed) up() {
	b.step(protocol.LinkUp{Link: eth0, Name: "eth0", Addresses: []netip.Prefix{pfx("10.0.0.1/24"), pfx("fe80::1/64"), pfx("2001:db8:0:1::1/64")}, MTU: 1500})
	b.step(protocol.LinkUp{Link: eth1, Name: "eth1", Addresses: []netip.Prefix{pfx("10.0.1.1/24"), pfx("fe80::101/64")}, MTU: 1500})
}

// step takes an input now.
func (b *bed) step(in protocol.Input) {
	b.t.Helper()
	b.out = b.m.Step(b.now, in, b.out)
	takeUp(b.slots, b.rib)
	if d := b.m.Deadline(); !d.IsZero() && !d.After(b.now) {
		b.t.Fatalf("after a step at %v the deadline is %v before", b.now, b.now.Sub(d))
	}
}

// advance lets time pass, from deadline to deadline.
func (b *bed) advance(d time.Duration) {
	b.t.Helper()
	for end := b.now.Add(d); ; {
		due := b.m.Deadline()
		if due.IsZero() || due.After(end) {
			b.now = end
			return
		}
		b.now = due
		b.step(protocol.Tick{})
	}
}

func (b *bed) clear() { b.out = nil }

// hear has a neighbour send a response.
func (b *bed) hear(on routing.InterfaceID, from netip.Addr, entries ...wire.Entry) {
	b.t.Helper()
	b.receive(on, from, wire.Packet{Command: wire.Response, Version: families[b.m.cfg.Protocol].version, Entries: entries}, wire.Seal{})
}

func (b *bed) receive(on routing.InterfaceID, from netip.Addr, p wire.Packet, s wire.Seal) {
	b.t.Helper()
	f := families[b.m.cfg.Protocol]
	b.step(datagram(on, from, f.group, f.port, f.hopLimit, b.m.cfg.Protocol.Append(nil, &p, s)))
}

// entry is one with the metric as sent.
func entry(p netip.Prefix, metric uint8) wire.Entry { return wire.Entry{Prefix: p, Metric: metric} }

// sends gives what was sent, decoded, each as a line: "eth0 224.0.0.9
// response 10.0.1.0/24=1 ...".
func (b *bed) sends() []string {
	b.t.Helper()
	var lines []string
	for _, e := range b.out {
		s, ok := e.(protocol.Send)
		if !ok {
			continue
		}
		var p wire.Packet
		if err := b.m.cfg.Protocol.Decode(s.Payload, &p); err != nil || len(p.Refused) > 0 {
			b.t.Fatalf("sent %x: %v, %v", s.Payload, err, p.Refused)
		}
		words := []string{b.m.interfaces[s.Link].name, s.Dst.String(), "request"}
		if p.Command == wire.Response {
			words[2] = "response"
		}
		var entries []string
		for _, e := range p.Entries {
			word := fmt.Sprintf("%v=%d", e.Prefix, e.Metric)
			if e.Tag != 0 {
				word += fmt.Sprintf("/%d", e.Tag)
			}
			if e.NextHop.IsValid() {
				word += ">" + e.NextHop.String()
			}
			entries = append(entries, word)
		}
		slices.Sort(entries)
		if p.Whole {
			entries = append(entries, "all")
		}
		lines = append(lines, strings.Join(append(words, entries...), " "))
	}
	return lines
}

// sent checks what was sent since the last time, and forgets it.
func (b *bed) sent(want ...string) {
	b.t.Helper()
	if got := b.sends(); !slices.Equal(got, want) {
		b.t.Errorf("sent:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	b.clear()
}

// route gives what the RIB has for a prefix: "3 by 10.0.0.2 10.0.0.3", or "".
func (b *bed) route(p netip.Prefix) string {
	r, ok := b.rib[p]
	if !ok {
		return ""
	}
	text := fmt.Sprintf("%d by", r.Metric)
	for _, h := range r.NextHops {
		text += " " + h.Address.String()
	}
	return text
}

func (b *bed) wantRoute(p netip.Prefix, want string) {
	b.t.Helper()
	if got := b.route(p); got != want {
		b.t.Errorf("the route to %v is %q, want %q", p, got, want)
	}
}

// state gives the state of a route in the table.
func (b *bed) state(p netip.Prefix) string {
	r, ok := b.m.Route(p)
	if !ok {
		return "absent"
	}
	return r.State
}

// redistribute offers a route of another source.
func (b *bed) redistribute(p netip.Prefix, metric uint32, distance uint8) {
	b.step(protocol.Notices{Notices: routing.Notices{Routes: []routing.Delta{{Route: routing.Route{
		Prefix: p, Source: routing.SourceStatic, Distance: distance, Metric: metric, Tag: 7,
		NextHops: []routing.NextHop{{Address: addr("192.0.2.1"), Interface: 9}},
	}}}}})
}

func (b *bed) takeBack(p netip.Prefix) {
	b.step(protocol.Notices{Notices: routing.Notices{Routes: []routing.Delta{
		{Withdraw: true, Route: routing.Route{Prefix: p, Source: routing.SourceStatic}},
	}}})
}
