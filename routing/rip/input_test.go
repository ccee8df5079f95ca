package rip

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"routerd/internal/corpus"
	"routerd/routing"
	"routerd/routing/protocol"
	"routerd/routing/rip/wire"
)

// What is received is used or counted, each by its own counter (RFC 2453
// §3.9.2, RFC 2080 §2.4.2).
func TestValidation(t *testing.T) {
	group4, group6 := addr("224.0.0.9"), addr("ff02::9")
	good4 := RIP.Append(nil, &wire.Packet{Command: wire.Response, Version: 2, Entries: []wire.Entry{entry(netA, 1)}}, wire.Seal{})
	net6 := pfx("2001:db8:a::/48")
	good6 := RIPng.Append(nil, &wire.Packet{Command: wire.Response, Version: 1, Entries: []wire.Entry{entry(net6, 1)}}, wire.Seal{})
	old := RIP.Append(nil, &wire.Packet{Command: wire.Response, Version: 1, Entries: []wire.Entry{entry(netA, 1)}}, wire.Seal{})
	type counter func(*Counters) uint64
	for _, tt := range []struct {
		name     string
		protocol Protocol
		in       protocol.Received
		counter  counter // nil: the packet is used
	}{
		{"good", RIP, datagram(eth0, peer, group4, 520, 1, good4), nil},
		{"by unicast", RIP, datagram(eth0, peer, addr("10.0.0.1"), 520, 64, good4), nil},
		{"another port", RIP, datagram(eth0, peer, group4, 1520, 1, good4), func(c *Counters) uint64 { return c.SourcePort }},
		{"off the link", RIP, datagram(eth0, addr("10.0.9.2"), group4, 520, 1, good4), func(c *Counters) uint64 { return c.OffLink }},
		{"of the other link", RIP, datagram(eth0, far, group4, 520, 1, good4), func(c *Counters) uint64 { return c.OffLink }},
		{"of the subnet itself", RIP, datagram(eth0, addr("10.0.0.0"), group4, 520, 1, good4), func(c *Counters) uint64 { return c.OffLink }},
		{"of everybody", RIP, datagram(eth0, addr("10.0.0.255"), group4, 520, 1, good4), func(c *Counters) uint64 { return c.OffLink }},
		{"our own", RIP, datagram(eth0, addr("10.0.0.1"), group4, 520, 1, good4), func(c *Counters) uint64 { return c.Own }},
		{"our own, looped", RIP, datagram(eth0, addr("10.0.1.1"), group4, 520, 1, good4), func(c *Counters) uint64 { return c.Own }},
		{"cut short", RIP, datagram(eth0, peer, group4, 520, 1, good4[:23]), func(c *Counters) uint64 { return c.Malformed }},
		{"version 1", RIP, datagram(eth0, peer, group4, 520, 1, old), func(c *Counters) uint64 { return c.Version }},
		{"good, RIPng", RIPng, datagram(eth0, addr("fe80::2"), group6, 521, 255, good6), nil},
		{"unicast from afar, RIPng", RIPng, datagram(eth0, addr("fe80::2"), addr("fe80::1"), 521, 64, good6), nil},
		{"another port, RIPng", RIPng, datagram(eth0, addr("fe80::2"), group6, 520, 255, good6), func(c *Counters) uint64 { return c.SourcePort }},
		{"hop limit, RIPng", RIPng, datagram(eth0, addr("fe80::2"), group6, 521, 254, good6), func(c *Counters) uint64 { return c.HopLimit }},
		{"global source, RIPng", RIPng, datagram(eth0, addr("2001:db8:0:1::2"), group6, 521, 255, good6), func(c *Counters) uint64 { return c.OffLink }},
		{"our own, RIPng", RIPng, datagram(eth0, addr("fe80::1"), group6, 521, 255, good6), func(c *Counters) uint64 { return c.Own }},
		// Link-local addresses are only unique on their link.
		{"our own elsewhere, RIPng", RIPng, datagram(eth0, addr("fe80::101"), group6, 521, 255, good6), nil},
		{"cut short, RIPng", RIPng, datagram(eth0, addr("fe80::2"), group6, 521, 255, good6[:23]), func(c *Counters) uint64 { return c.Malformed }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newQuietBed(t, tt.protocol, nil)
			b.up()
			b.step(tt.in)
			prefix := netA
			if tt.protocol == RIPng {
				prefix = net6
			}
			_, learned := b.rib[prefix]
			if learned != (tt.counter == nil) {
				t.Errorf("learned: %v", learned)
			}
			if c := b.m.interfaces[eth0].counters; tt.counter != nil && tt.counter(&c) != 1 {
				t.Errorf("not counted: %+v", c)
			}
		})
	}
	t.Run("an interface that does not speak", func(t *testing.T) {
		b := newBed(t, nil)
		b.step(protocol.LinkUp{Link: 9, Name: "eth9", Addresses: []netip.Prefix{pfx("10.9.0.1/24")}, MTU: 1500})
		b.step(datagram(9, addr("10.9.0.2"), group4, 520, 1, good4))
		b.step(datagram(99, peer, group4, 520, 1, good4))
		b.wantRoute(netA, "")
	})
}

// Entries that cannot be used do not keep the others from being used.
func TestBadEntries(t *testing.T) {
	b := newBed(t, nil)
	bad := wire.Entry{Prefix: pfx("127.0.0.0/8"), Metric: 1}
	b.hear(eth0, peer, bad, entry(netA, 1), entry(netB, 17))
	b.wantRoute(netA, "2 by 10.0.0.2")
	b.wantRoute(netB, "")
	if n := b.m.Neighbors(); len(n) != 1 || n[0].BadEntries != 2 || n[0].Routes != 1 {
		t.Errorf("neighbours %+v, want one with 2 bad entries", n)
	}
	refused := 0
	for _, e := range b.out {
		if e, ok := e.(protocol.Event); ok && e.What == EntryRefused.String() {
			refused++
		}
	}
	if refused != 1 {
		t.Errorf("told of %d refused entries, want one for the packet", refused)
	}
}

// Version 1 says no masks (RFC 1058 §3.2): the link's own subnet mask counts
// within its net, the class elsewhere, and host bits make a host.
func TestVersion1(t *testing.T) {
	b := newBed(t, func(c *Config) {
		i := DefaultInterface()
		i.Receive = AnyVersion
		c.Interfaces["eth0"] = i
	})
	var entries []wire.Entry
	for _, a := range []string{"10.7.5.0", "10.7.5.1", "172.16.0.0", "172.16.1.0", "192.0.2.0", "192.0.2.9", "11.0.0.0"} {
		entries = append(entries, wire.Entry{Prefix: netip.PrefixFrom(addr(a), 32), NoMask: true, Metric: 1})
	}
	entries = append(entries, wire.Entry{Prefix: pfx("0.0.0.0/0"), Metric: 1})
	b.receive(eth0, peer, wire.Packet{Command: wire.Response, Version: 1, Entries: entries}, wire.Seal{})
	var got []string
	for p := range b.rib {
		got = append(got, p.String())
	}
	slices.Sort(got)
	want := []string{
		"0.0.0.0/0", "10.7.5.0/24", "10.7.5.1/32", "11.0.0.0/8", "172.16.0.0/16", "172.16.1.0/32", "192.0.2.0/24", "192.0.2.9/32",
	}
	if !slices.Equal(got, want) {
		t.Errorf("learned %v, want %v", got, want)
	}
	// Its requests are not answered: version 2 is all that is sent.
	b.clear()
	b.receive(eth0, peer, wire.Packet{Command: wire.Request, Version: 1, Whole: true}, wire.Seal{})
	for _, line := range b.sends() {
		if strings.HasPrefix(line, "eth0 10.0.0.2") {
			t.Errorf("answered by %s", line)
		}
	}
}

type refuse struct {
	prefix netip.Prefix
	source routing.Source
}

func (r *refuse) Same(o Policy) bool  { return o == Policy(r) }
func (r *refuse) Apply(o *Offer) bool { return o.Prefix != r.prefix || o.Source != r.source }

// A route that the policy refuses is as if it had been heard as unreachable,
// and one that it changes is learned as changed.
func TestImport(t *testing.T) {
	b := newBed(t, nil)
	b.hear(eth0, peer, entry(netA, 1), entry(netB, 1))
	cfg := b.m.cfg
	i := DefaultInterface()
	i.Import = &refuse{netA, routing.SourceRIP}
	cfg.Interfaces = map[string]InterfaceConfig{"eth0": i, "eth1": DefaultInterface()}
	b.clear()
	b.step(protocol.Configure{Config: cfg})
	b.sent("eth0 224.0.0.9 request all") // to hear what is decided anew
	b.hear(eth0, peer, entry(netA, 1), entry(netB, 1))
	b.wantRoute(netA, "")
	b.wantRoute(netB, "2 by 10.0.0.2")
	if got := b.state(netA); got != "dying" {
		t.Errorf("refused, it is %s, want dying so that it is poisoned", got)
	}
	i.Import = policyFunc(func(o *Offer) bool { o.Metric, o.Tag = o.Metric+5, 99; return true })
	cfg.Interfaces["eth1"] = i
	b.step(protocol.Configure{Config: cfg})
	b.hear(eth1, far, entry(netA, 1), entry(pfx("192.0.2.0/24"), 12))
	b.wantRoute(netA, "7 by 10.0.1.2")
	b.wantRoute(pfx("192.0.2.0/24"), "") // the sum is 18
	if b.rib[netA].Tag != 99 {
		t.Errorf("tag %d, want 99", b.rib[netA].Tag)
	}
}

// policyFunc makes a policy of a function; each is another one.
func policyFunc(f func(*Offer) bool) Policy { return &applied{f} }

type applied struct{ f func(*Offer) bool }

func (a *applied) Same(o Policy) bool  { return o == Policy(a) }
func (a *applied) Apply(o *Offer) bool { return a.f(o) }

// FuzzReceive has the machine receive anything: it stays sound.
func FuzzReceive(f *testing.F) {
	for _, raw := range corpus.Hex(f, "rip") {
		f.Add(raw, true, uint16(520))
	}
	p := wire.Packet{Command: wire.Response, Version: 2, Entries: []wire.Entry{entry(netA, 1), entry(netA, 16)}}
	f.Add(RIP.Append(nil, &p, wire.Seal{}), true, uint16(520))
	p.Command = wire.Request
	f.Add(RIP.Append(nil, &p, wire.Seal{}), true, uint16(1000))
	p = wire.Packet{Command: wire.Response, Version: 1, Entries: []wire.Entry{entry(pfx("2001:db8::/32"), 1)}}
	f.Add(RIPng.Append(nil, &p, wire.Seal{}), false, uint16(521))
	f.Fuzz(func(t *testing.T, raw []byte, four bool, port uint16) {
		spoken, from, group := RIPng, addr("fe80::2"), addr("ff02::9")
		if four {
			spoken, from, group = RIP, peer, addr("224.0.0.9")
		}
		b := newQuietBed(t, spoken, func(c *Config) {
			i := DefaultInterface()
			i.Receive = AnyVersion
			c.Interfaces["eth0"] = i
		})
		b.up()
		b.step(datagram(eth0, from, group, port, 255, raw))
		b.advance(10e9)
		b.sends() // decodes all
		b.step(datagram(eth0, from, group, port, 255, raw))
		b.step(protocol.LinkDown{Link: eth0})
		b.m.sound(t)
		b.advance(300e9)
		b.m.sound(t)
		if len(b.rib) > 0 || len(b.m.table.routes) > 1 {
			t.Errorf("left in the end: %v", b.rib)
		}
	})
}

// sound checks what must hold of a machine at any time.
func (m *Machine) sound(t complainer) {
	t.Helper()
	learned, paths, all := 0, 0, 0
	for r := m.table.all.front(); r != nil; r = r.inAll.next.of {
		all++
		if m.table.routes[r.prefix] != r {
			t.Errorf("%v is listed but not in the table", r.prefix)
		}
		if dead := len(r.paths) == 0 && r.ours() == nil; dead != r.inDying.in() {
			t.Errorf("%v leads nowhere: %v; dying: %v", r.prefix, dead, r.inDying.in())
		}
		if len(r.paths) > 0 {
			learned++
			if r.metric < 1 || r.metric >= wire.Infinity || len(r.paths) > m.cfg.MaximumPaths {
				t.Errorf("%v is learned with metric %d and %d paths", r.prefix, r.metric, len(r.paths))
			}
		}
		if r.installed != (len(r.paths) > 0) {
			t.Errorf("%v is offered to the RIB: %v, with %d paths", r.prefix, r.installed, len(r.paths))
		}
		paths += len(r.paths)
	}
	if all != len(m.table.routes) || learned != m.table.learned {
		t.Errorf("%d routes listed of %d, %d learned counted as %d", all, len(m.table.routes), learned, m.table.learned)
	}
	by, before := map[*neighbor]int{}, m.now.Add(-1000*m.cfg.Flush)
	for p := m.table.heard.front(); p != nil; p = p.inHeard.next.of {
		paths--
		by[p.neighbor]++
		if p.heard.Before(before) {
			t.Errorf("paths are not in the order in which they were heard of: %v", p.route.prefix)
		}
		before = p.heard
	}
	if paths != 0 {
		t.Errorf("%d paths are not in the list of those heard of", paths)
	}
	for _, i := range m.order {
		for _, n := range i.neighbors {
			if by[n] != n.paths {
				t.Errorf("neighbour %v has %d paths, counted as %d", n.addr, by[n], n.paths)
			}
		}
	}
}
