package rip

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"routerd/routing/keys"
	"routerd/routing/protocol"
	"routerd/routing/rip/wire"
)

// An interface that comes up asks (RFC 2453 §3.9.1), and says what it knows
// soon after.
func TestAsksAtStart(t *testing.T) {
	b := newQuietBed(t, RIP, func(c *Config) {
		i := DefaultInterface()
		i.Passive, i.Neighbors = true, []netip.Addr{far}
		c.Interfaces["eth1"] = i
	})
	b.up()
	var asked []string
	for _, line := range b.sends() {
		if strings.HasSuffix(line, "all") {
			asked = append(asked, line)
		}
	}
	if want := []string{"eth0 224.0.0.9 request all", "eth1 10.0.1.2 request all"}; !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
	b.clear()
	b.advance(1500 * time.Millisecond)
	if lines := b.sends(); !slices.Contains(lines, "eth0 224.0.0.9 response 10.0.1.0/24=1") {
		t.Errorf("within 1.5 s sent %q", lines)
	}
}

// ask has us alone asked: who asks the group is asked in turn.
func ask(b *bed, from netip.Addr, port uint16, p wire.Packet) {
	b.t.Helper()
	p.Command, p.Version = wire.Request, families[b.m.cfg.Protocol].version
	us := addr("10.0.0.1")
	if b.m.cfg.Protocol == RIPng {
		us = addr("fe80::1")
	}
	b.step(datagram(eth0, from, us, port, 255, b.m.cfg.Protocol.Append(nil, &p, wire.Seal{})))
}

// A request for everything is answered to who asked as an update would be, one
// for certain routes by what the table has.
func TestAnswers(t *testing.T) {
	b := newBed(t, nil)
	b.hear(eth0, peer, wire.Entry{Prefix: netA, Metric: 1, Tag: 3})
	b.hear(eth1, far, entry(netB, 2))
	b.advance(6 * time.Second)
	b.clear()
	for _, i := range b.m.order {
		b.m.updates.Set(&i.nextUpdate, b.now.Add(time.Minute))
	}
	ask(b, peer3, 520, wire.Packet{Whole: true})
	b.sent("eth0 10.0.0.3 response 10.0.1.0/24=1 198.51.100.0/24=16/3 203.0.113.0/24=3")
	b.advance(time.Second)
	ask(b, peer3, 4000, wire.Packet{Entries: []wire.Entry{entry(netA, 16), entry(netB, 1), entry(pfx("192.0.2.0/24"), 1)}})
	for _, e := range b.out {
		if s, ok := e.(protocol.Send); ok && s.DstPort != 4000 {
			t.Errorf("answered to port %d, want 4000", s.DstPort)
		}
	}
	b.sent("eth0 10.0.0.3 response 192.0.2.0/24=16 198.51.100.0/24=2/3 203.0.113.0/24=3")
	ask(b, peer3, 520, wire.Packet{}) // nothing asked for
	ask(b, addr("10.0.9.9"), 520, wire.Packet{Whole: true})
	ask(b, addr("10.0.1.2"), 520, wire.Packet{Whole: true}) // of the other link
	b.sent()
	if got := b.m.Interfaces()[0].Counters; got.OffLink != 2 || got.Requests != 3 {
		t.Errorf("counters %+v", got)
	}
}

// RIPng answers another port from a global address (RFC 2080 §2.5.2).
func TestAnswerSource(t *testing.T) {
	b := newQuietBed(t, RIPng, nil)
	b.up()
	b.redistribute(pfx("2001:db8:a::/48"), 1, 1)
	b.advance(10 * time.Second)
	for _, tt := range []struct {
		from, src string
		port      uint16
	}{
		{"fe80::2", "fe80::1", 521},
		{"fe80::2", "2001:db8:0:1::1", 4000},
		{"2001:db8:0:1::2", "2001:db8:0:1::1", 4000},
		{"2001:db8:0:2::2", "", 4000}, // from beyond a router
	} {
		b.clear()
		ask(b, addr(tt.from), tt.port, wire.Packet{Whole: true})
		src := ""
		for _, e := range b.out {
			if s, ok := e.(protocol.Send); ok {
				src = s.Src.String()
			}
		}
		if src != tt.src {
			t.Errorf("%s port %d is answered from %q, want %q", tt.from, tt.port, src, tt.src)
		}
		b.advance(time.Second)
	}
}

// A router that asks everybody has just started and may keep its own routes until
// its next regular update, as FRR's ripngd does: it is asked in turn, once, and not
// when it asks us alone, or two would ask each other for ever.
func TestAsksWhoAsks(t *testing.T) {
	b := newBed(t, nil)
	b.advance(10 * time.Second)
	for _, i := range b.m.order {
		b.m.updates.Set(&i.nextUpdate, b.now.Add(time.Minute))
	}
	to := func(dst netip.Addr, port uint16) []string {
		b.clear()
		p := wire.Packet{Command: wire.Request, Version: 2, Whole: true}
		b.step(datagram(eth0, peer3, dst, port, 1, RIP.Append(nil, &p, wire.Seal{})))
		return slices.DeleteFunc(b.sends(), func(line string) bool { return !strings.Contains(line, "request") })
	}
	group, _ := Group(RIP)
	if got, want := to(group, 520), []string{"eth0 10.0.0.3 request all"}; !slices.Equal(got, want) {
		t.Errorf("a stranger who asks everybody: sent %q, want %q", got, want)
	}
	for name, got := range map[string][]string{
		"one who asks us alone":        to(addr("10.0.0.1"), 520),
		"one who asks by another port": to(group, 4000),
	} {
		if len(got) != 0 {
			t.Errorf("%s is asked %q", name, got)
		}
	}
	b.hear(eth0, peer3, entry(netA, 1))
	if got := to(group, 520); len(got) != 0 {
		t.Errorf("one whose routes are known is asked %q", got)
	}
}

// Passive interfaces answer the configured neighbours only.
func TestPassiveAnswers(t *testing.T) {
	b := newBed(t, func(c *Config) {
		i := DefaultInterface()
		i.Passive, i.Neighbors = true, []netip.Addr{peer}
		c.Interfaces["eth0"] = i
	})
	ask(b, peer3, 520, wire.Packet{Whole: true})
	b.sent()
	ask(b, peer, 520, wire.Packet{Whole: true})
	b.sent("eth0 10.0.0.2 response 10.0.1.0/24=1")
}

// A neighbour that asks again while it is being answered is answered from the
// start again, once; and the number answered at a time is bounded.
func TestManyRequests(t *testing.T) {
	b := newBed(t, nil)
	for n := range 1000 {
		b.redistribute(netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16, byte(n >> 8), byte(n)}), 32), 1, 1)
	}
	b.advance(10 * time.Second)
	for _, i := range b.m.order {
		b.m.updates.Set(&i.nextUpdate, b.now.Add(time.Minute))
	}
	b.clear()
	for range 50 {
		ask(b, peer, 520, wire.Packet{Whole: true})
	}
	b.advance(time.Second)
	// 1001 routes are 41 packets, of which the first burst was sent before
	// the next request.
	if got := len(b.sends()); got != 2*41 {
		t.Errorf("%d packets, want %d", got, 2*41)
	}
	b.clear()
	for n := range 20 {
		ask(b, netip.AddrFrom4([4]byte{10, 0, 0, byte(100 + n)}), 520, wire.Packet{Whole: true})
	}
	if got := b.m.Interfaces()[0].Counters.Unanswered; got != 20-maxAnswers {
		t.Errorf("%d requests not answered, want %d", got, 20-maxAnswers)
	}
	b.advance(5 * time.Second)
	to := map[string]int{}
	for _, line := range b.sends() {
		to[strings.Fields(line)[1]]++
	}
	if len(to) != maxAnswers {
		t.Errorf("answers by address: %v", to)
	}
	for a, n := range to {
		if n != 41 {
			t.Errorf("%s was sent %d packets, want 41", a, n)
		}
	}
}

// A configuration with something else says exactly that; what is the same
// stays as it is.
func TestReconfigure(t *testing.T) {
	b := newBed(t, nil)
	b.hear(eth0, peer, entry(netA, 1))
	b.hear(eth0, peer3, entry(netA, 1))
	b.redistribute(netB, 1, 150)
	b.advance(6 * time.Second)
	update := b.m.interfaces[eth0].nextUpdate.At()
	b.clear()
	cfg := b.m.cfg
	b.step(protocol.Configure{Config: cfg})
	if len(b.out) != 0 || b.m.interfaces[eth0].nextUpdate.At() != update {
		t.Errorf("the same configuration does %v", b.out)
	}
	cfg.DefaultInformation = &Origination{Metric: 2}
	b.step(protocol.Configure{Config: cfg})
	b.sent("eth0 224.0.0.9 response 0.0.0.0/0=2", "eth1 224.0.0.9 response 0.0.0.0/0=2")
	cfg.MaximumPaths = 1
	b.step(protocol.Configure{Config: cfg})
	b.wantRoute(netA, "2 by 10.0.0.2")
	b.hear(eth0, peer, entry(netB, 1)) // preferred to the redistributed one
	b.wantRoute(netB, "2 by 10.0.0.2")
	cfg.Distance = 200
	b.step(protocol.Configure{Config: cfg})
	b.wantRoute(netB, "")
	if b.rib[netA].Distance != 200 {
		t.Errorf("distance %d, want 200", b.rib[netA].Distance)
	}
	cfg.Interfaces = map[string]InterfaceConfig{"eth1": DefaultInterface()}
	b.step(protocol.Configure{Config: cfg})
	b.wantRoute(netA, "")
	b.m.sound(t)
	cfg.Interfaces = map[string]InterfaceConfig{"eth0": DefaultInterface(), "eth1": DefaultInterface()}
	b.clear()
	b.step(protocol.Configure{Config: cfg})
	if lines := b.sends(); !slices.Contains(lines, "eth0 224.0.0.9 request all") {
		t.Errorf("an interface that speaks again sends %q", lines)
	}
}

func TestCheck(t *testing.T) {
	iface := func(change func(*InterfaceConfig)) func(*Config) {
		return func(c *Config) {
			i := DefaultInterface()
			change(&i)
			c.Interfaces["eth0"] = i
		}
	}
	key := keys.Key{ID: 1, Secret: []byte("secret")}
	for name, change := range map[string]func(*Config){
		"update-interval 0s":               func(c *Config) { c.Update = 0 },
		"invalid-interval 30s":             func(c *Config) { c.Invalid = c.Update },
		"flush-interval 3m0s":              func(c *Config) { c.Flush = c.Invalid },
		"maximum-paths 0":                  func(c *Config) { c.MaximumPaths = 0 },
		"0 routes":                         func(c *Config) { c.MaxRoutes = 0 },
		"metric 16 of the default route":   func(c *Config) { c.DefaultInformation = &Origination{Metric: 16} },
		"interface eth0: metric 0":         iface(func(i *InterfaceConfig) { i.Metric = 0 }),
		"interface eth0: offset 16":        iface(func(i *InterfaceConfig) { i.OffsetOut = 16 }),
		"interface eth0: neighbor fe80::1": iface(func(i *InterfaceConfig) { i.Neighbors = []netip.Addr{addr("fe80::1")} }),
		"authentication md5 without a key": iface(func(i *InterfaceConfig) { i.Auth.Algorithm = keys.KeyedMD5 }),
		"key 1: no algorithm":              iface(func(i *InterfaceConfig) { i.Auth.Keys = keys.Chain{key} }),
		"key 1: given twice":               iface(func(i *InterfaceConfig) { i.Auth = Auth{keys.KeyedMD5, keys.Chain{key, key}} }),
		"key 1: empty":                     iface(func(i *InterfaceConfig) { i.Auth = Auth{keys.KeyedMD5, keys.Chain{{ID: 1}}} }),
		"key 1: 17 octets, at most 16 with md5": iface(func(i *InterfaceConfig) {
			i.Auth = Auth{keys.KeyedMD5, keys.Chain{{ID: 1, Secret: []byte("12345678901234567")}}}
		}),
		"ripng has none": func(c *Config) {
			c.Protocol = RIPng
			iface(func(i *InterfaceConfig) { i.Auth = Auth{keys.KeyedMD5, keys.Chain{key}} })(c)
		},
	} {
		cfg := DefaultConfig(RIP)
		if err := cfg.Check(); err != nil {
			t.Fatal(err)
		}
		change(&cfg)
		if err := cfg.Check(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want something with %q", err, name)
		}
	}
	for _, s := range []SplitHorizon{PoisonReverse, Simple, NoHorizon} {
		if got, err := ParseSplitHorizon(s.String()); got != s || err != nil {
			t.Errorf("%v is read as %v, %v", s, got, err)
		}
	}
	if _, err := ParseSplitHorizon("reverse"); err == nil {
		t.Error("split-horizon reverse is read")
	}
}

// What show gives: pages in order, neighbours, interfaces, the whole.
func TestShow(t *testing.T) {
	b := newBed(t, nil)
	b.hear(eth0, peer, entry(netA, 1))
	b.hear(eth1, far, entry(netB, 1))
	b.hear(eth1, far, entry(netB, 16))
	b.redistribute(pfx("192.0.2.0/24"), 4, 1)
	var got []string
	var last netip.Prefix
	for {
		page := b.m.Routes(last, 2)
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			got = append(got, fmt.Sprintf("%v %s %v %d", r.Prefix, r.State, r.Source, r.Metric))
		}
		last = page[len(page)-1].Prefix
	}
	want := []string{
		"10.0.0.0/24 connected connected 1", "10.0.1.0/24 connected connected 1",
		"192.0.2.0/24 redistributed static 4", "198.51.100.0/24 learned rip 2", "203.0.113.0/24 dying rip 16",
	}
	if !slices.Equal(got, want) {
		t.Errorf("routes:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	r, _ := b.m.Route(netA)
	if len(r.Paths) != 1 || r.Paths[0].Neighbor != peer || r.Paths[0].Interface != eth0 || !r.Expires.Equal(b.now.Add(180*time.Second)) {
		t.Errorf("route %+v", r)
	}
	n := b.m.Neighbors()
	if len(n) != 2 || n[0].Address != peer || n[0].Name != "eth0" || n[0].Routes != 1 || n[1].Packets != 2 || n[1].Version != 2 {
		t.Errorf("neighbours %+v", n)
	}
	i := b.m.Interfaces()
	if len(i) != 2 || i[0].Routes != 1 || i[1].Neighbors != 1 || i[0].Sources[0] != addr("10.0.0.1") || i[1].Counters.Responses != 2 {
		t.Errorf("interfaces %+v", i)
	}
	s := b.m.Summary()
	if s.Routes != 5 || s.Learned != 1 || s.Dying != 1 || s.Neighbors != 2 || s.Interfaces != 2 || s.NextAsks.IsZero() {
		t.Errorf("summary %+v", s)
	}
}

func TestManyNeighbors(t *testing.T) {
	b := newQuietBed(t, RIP, nil)
	b.step(protocol.LinkUp{Link: eth0, Name: "eth0", Addresses: []netip.Prefix{pfx("10.0.0.1/8")}, MTU: 1500})
	for n := range maxNeighbors + 10 {
		b.hear(eth0, netip.AddrFrom4([4]byte{10, 1, byte(n >> 8), byte(n)}), entry(netA, 1))
	}
	if got := len(b.m.Neighbors()); got != maxNeighbors {
		t.Errorf("%d neighbours, want %d", got, maxNeighbors)
	}
	b.m.sound(t)
}

// An interface that sends no updates has no next one to show.
func TestNextUpdateIsOfThoseThatSend(t *testing.T) {
	b := newBed(t, func(c *Config) {
		quiet := DefaultInterface()
		quiet.Passive = true
		c.Interfaces["eth1"] = quiet
	})
	for _, i := range b.m.Interfaces() {
		if i.NextUpdate.IsZero() != i.Config.Passive {
			t.Errorf("%s, passive %v, shows its next update at %v", i.Name, i.Config.Passive, i.NextUpdate)
		}
	}
}
