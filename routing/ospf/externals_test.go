package ospf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// outside gives the externals that a station originates, to the AS or into an NSSA, in
// words.
func (n *station) outside(area wire.ID) string {
	db, t := n.m.as, wire.ExternalLSA
	if a := n.m.area(area); area != 0 && a != nil {
		db, t = a.db, wire.NSSALSA
	}
	var list []string
	for e := range db.All(t) {
		if !e.Self() || !e.Usable() {
			continue
		}
		l := e.LSA()
		b := wire.ExternalBody(l.Body())
		text := fmt.Sprintf("%v %d", l.Prefix(), b.Metric())
		if !b.Type2() {
			text += " type 1"
		}
		if b.Forwarding() != 0 {
			text += fmt.Sprintf(" to %v", b.Forwarding())
		}
		if b.Tag() != 0 {
			text += fmt.Sprintf(" tag %d", b.Tag())
		}
		if l.Options()&wire.OptionNP != 0 {
			text += " P"
		}
		if l.ID() != wire.IDOf(l.Prefix().Addr()) {
			text += fmt.Sprintf(" as %v", l.ID())
		}
		list = append(list, text)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// learn has a station know a route of another source.
func (n *station) learn(source routing.Source, prefix string, metric uint32, hop string, tag uint32) {
	h := routing.NextHop{Interface: routing.NoInterface}
	if hop != "" {
		h = routing.NextHop{Interface: 1, Address: addr(hop)}
	}
	n.w.step(n, protocol.Notices{Notices: routing.Notices{Routes: []routing.Delta{{
		Route: routing.Route{Prefix: netip.MustParsePrefix(prefix), Source: source, Metric: metric, Tag: tag, NextHops: []routing.NextHop{h}},
	}}}})
}

func (n *station) unlearn(prefix string) {
	n.w.step(n, protocol.Notices{Notices: routing.Notices{Routes: []routing.Delta{{Withdraw: true, Route: routing.Route{Prefix: netip.MustParsePrefix(prefix)}}}}})
}

// expect lets time pass until a station says something of the outside.
func (n *station) expect(what string, area wire.ID, want string) {
	n.w.t.Helper()
	if !n.w.run(30*time.Second, func() bool { return n.outside(area) == want }) {
		n.w.t.Errorf("%s: %q, want %q", what, n.outside(area), want)
	}
}

// What is said of routes of other sources: their metric, its type and their tag, but
// not of what the router has from OSPF or speaks on; and while anything is said, the
// router is an AS boundary router.
func TestExternals(t *testing.T) {
	w := newNetwork(t, 1)
	n := w.router("1.1.1.1")
	n.cfg.Type1[routing.SourceRIP] = true
	n.port(w.segment(), Broadcast, "10.0.0.1/24", nil)
	w.begin()
	w.run(time.Minute, nil)
	boundary := func() bool { return strings.Contains(n.said(backbone), " E") }
	if boundary() {
		t.Error("an AS boundary router without externals")
	}
	n.learn(routing.SourceOSPF, "9.0.0.0/8", 1, "", 0)
	n.learn(routing.SourceConnected, "10.0.0.0/24", 1, "", 0)
	n.learn(routing.SourceStatic, "0.0.0.0/0", 1, "", 0)
	n.learn(routing.SourceStatic, "8.0.0.0/8", wire.Infinity, "", 0)
	n.expect("nothing that is not outside", 0, "")
	n.learn(routing.SourceConnected, "10.1.0.0/24", 20, "", 0)
	n.learn(routing.SourceRIP, "7.0.0.0/8", 3, "", 99)
	n.expect("both", 0, "10.1.0.0/24 20, 7.0.0.0/8 3 type 1 tag 99")
	if !boundary() {
		t.Error("no AS boundary router with externals")
	}
	n.learn(routing.SourceRIP, "7.0.0.0/8", 4, "", 99)
	n.expect("another metric", 0, "10.1.0.0/24 20, 7.0.0.0/8 4 type 1 tag 99")
	n.reload(func(c *Config) { c.Type1[routing.SourceRIP] = false })
	n.expect("another type", 0, "10.1.0.0/24 20, 7.0.0.0/8 4 tag 99")
	// RFC 2328 §E: networks with one address.
	n.learn(routing.SourceStatic, "7.0.0.0/16", 5, "", 0)
	n.expect("a more specific one", 0, "10.1.0.0/24 20, 7.0.0.0/16 5 as 7.0.255.255, 7.0.0.0/8 4 tag 99")
	n.learn(routing.SourceStatic, "7.0.0.0/7", 6, "", 0) // its address is 6.0.0.0
	n.learn(routing.SourceStatic, "6.0.0.0/7", 6, "", 0)
	n.unlearn("7.0.0.0/7")
	n.unlearn("7.0.0.0/8")
	n.expect("the less specific one is gone", 0, "10.1.0.0/24 20, 6.0.0.0/7 6, 7.0.0.0/16 5 as 7.0.255.255")
	for _, p := range []string{"10.1.0.0/24", "6.0.0.0/7", "7.0.0.0/16"} {
		n.unlearn(p)
	}
	n.expect("all are gone", 0, "")
	w.run(10*time.Second, nil)
	if boundary() {
		t.Error("still an AS boundary router")
	}
	// A network that the router begins to speak on is no longer outside.
	n.learn(routing.SourceConnected, "10.2.0.0/24", 1, "", 0)
	n.expect("a connected network", 0, "10.2.0.0/24 1")
	n.port(w.segment(), Broadcast, "10.2.0.1/24", nil)
	n.ports[1].raise()
	n.reload(func(*Config) {})
	n.expect("a network in the area", 0, "")
}

// A default route is said where that is configured: always, or while there is one.
func TestDefaultRoute(t *testing.T) {
	w := newNetwork(t, 1)
	n := w.router("1.1.1.1")
	n.port(w.segment(), Broadcast, "10.0.0.1/24", nil)
	w.begin()
	n.reload(func(c *Config) { c.DefaultInformation = &Origination{Metric: 10, Tag: 5} })
	n.expect("while there is none", 0, "")
	n.learn(routing.SourceStatic, "0.0.0.0/0", 1, "", 0)
	n.expect("while there is one", 0, "0.0.0.0/0 10 tag 5")
	n.unlearn("0.0.0.0/0")
	n.expect("no longer", 0, "")
	n.reload(func(c *Config) { c.DefaultInformation = &Origination{Metric: 11, Type1: true, Always: true} })
	n.expect("always", 0, "0.0.0.0/0 11 type 1")
	n.reload(func(c *Config) { c.DefaultInformation = nil })
	n.expect("not at all", 0, "")
}

// A default route is redistributed where its source's are, and what is configured of
// default routes comes first.
func TestDefaultRouteRedistributed(t *testing.T) {
	w := newNetwork(t, 1)
	n := w.router("1.1.1.1")
	n.port(w.segment(), Broadcast, "10.0.0.1/24", nil)
	w.begin()
	n.learn(routing.SourceStatic, "0.0.0.0/0", 20, "", 7)
	n.expect("not redistributed", 0, "")
	n.reload(func(c *Config) { c.Default[routing.SourceRIP], c.Type1[routing.SourceStatic] = true, true })
	n.expect("of another source", 0, "")
	n.reload(func(c *Config) { c.Default[routing.SourceStatic] = true })
	n.expect("redistributed", 0, "0.0.0.0/0 20 type 1 tag 7")
	n.reload(func(c *Config) { c.DefaultInformation = &Origination{Metric: 10} })
	n.expect("configured", 0, "0.0.0.0/0 10")
	n.reload(func(c *Config) { c.DefaultInformation = nil })
	n.expect("redistributed again", 0, "0.0.0.0/0 20 type 1 tag 7")
	n.unlearn("0.0.0.0/0")
	n.expect("no longer", 0, "")
}

// The next hop of an external is its forwarding address where others reach it too;
// of two routers that say the same of one, the one with the higher ID does (RFC 2328
// §12.4.4.1).
func TestForwardingAddressOfNextHop(t *testing.T) {
	w := newNetwork(t, 1)
	l := w.segment()
	var list []*station
	for i := range 2 {
		n := w.router(fmt.Sprintf("%d.0.0.1", i+1))
		n.port(l, Broadcast, fmt.Sprintf("10.0.0.%d/24", i+1), nil)
		list = append(list, n)
	}
	low, high := list[0], list[1]
	w.begin()
	w.want(5*time.Minute, "full", func() bool { return w.adjacent() && w.equal() })
	for _, tt := range []struct{ hop, want string }{
		{"", "9.0.0.0/8 20"},
		{"10.0.0.9", "9.0.0.0/8 20 to 10.0.0.9"},
		{"10.0.0.1", "9.0.0.0/8 20"}, // the router itself
		{"10.0.1.9", "9.0.0.0/8 20"}, // of another network
		{"10.0.0.9", "9.0.0.0/8 20 to 10.0.0.9"},
	} {
		low.learn(routing.SourceStatic, "9.0.0.0/8", 20, tt.hop, 0)
		low.expect("by "+tt.hop, 0, tt.want)
	}
	high.learn(routing.SourceStatic, "9.0.0.0/8", 21, "10.0.0.9", 0)
	high.expect("with another metric", 0, "9.0.0.0/8 21 to 10.0.0.9")
	low.expect("beside another metric", 0, "9.0.0.0/8 20 to 10.0.0.9")
	high.learn(routing.SourceStatic, "9.0.0.0/8", 20, "10.0.0.9", 0)
	high.expect("the higher one", 0, "9.0.0.0/8 20 to 10.0.0.9")
	low.expect("the lower one", 0, "")
	high.unlearn("9.0.0.0/8")
	low.expect("the lower one alone", 0, "9.0.0.0/8 20 to 10.0.0.9")
	hidden := true
	low.reload(func(c *Config) {
		i := c.Interfaces["eth1"]
		i.PrefixSuppression = &hidden
		c.Interfaces["eth1"] = i
	})
	low.expect("on a hidden network", 0, "9.0.0.0/8 20")
}

// nssa gives a network with two NSSA border routers 2 and 3 between a backbone
// with router 4 and the NSSA with router 1.
func nssa(t *testing.T, set func(i int, a *AreaConfig)) *network {
	w := newNetwork(t, 1)
	for i := range 4 {
		n := w.router(fmt.Sprintf("%d.0.0.1", i+1))
		a := DefaultArea()
		a.Type = NSSA
		if set != nil {
			set(i, &a)
		}
		n.cfg.Areas = map[wire.ID]AreaConfig{1: a}
		n.port(nil, Broadcast, fmt.Sprintf("192.0.2.%d/32", i+1), func(c *InterfaceConfig) {
			if i == 0 {
				c.Area = 1
			}
		})
	}
	for i, ends := range [][2]int{{0, 1}, {0, 2}, {1, 3}, {2, 3}} {
		l := w.segment()
		for _, at := range ends {
			w.nodes[at].port(l, PointToPoint, fmt.Sprintf("10.0.%d.%d/24", i, at+1), func(c *InterfaceConfig) {
				if i < 2 {
					c.Area = 1
				}
			})
		}
	}
	w.begin()
	w.want(5*time.Minute, "full", w.adjacent)
	w.run(time.Minute, nil)
	return w
}

// An AS boundary router in an NSSA has what it says translated by one of the border
// routers, to an address of its own; what a border router says is not translated
// (RFC 3101 §2.3, §2.4, §3.1).
func TestNSSATranslation(t *testing.T) {
	w := nssa(t, nil)
	inner, low, high, far := w.nodes[0], w.nodes[1], w.nodes[2], w.nodes[3]
	inner.learn(routing.SourceStatic, "9.0.0.0/8", 20, "", 7)
	inner.expect("in the NSSA", 1, "9.0.0.0/8 20 to 192.0.2.1 tag 7 P")
	high.expect("the translator", 0, "9.0.0.0/8 20 to 192.0.2.1 tag 7")
	low.expect("the other one", 0, "")
	w.run(time.Minute, nil)
	if got, want := far.by("9.0.0.0/8"), "2:10.0.2.2 3:10.0.3.3"; got != want {
		t.Errorf("from outside by %s, want %s: to the forwarding address", got, want)
	}
	if got := inner.by("192.0.2.4/32"); got == "none" {
		t.Error("no summary in the NSSA")
	}
	low.learn(routing.SourceStatic, "8.0.0.0/8", 20, "", 0)
	low.expect("a border router", 1, "8.0.0.0/8 20")
	low.expect("a border router", 0, "8.0.0.0/8 20")
	w.run(time.Minute, nil)
	high.expect("does not translate it", 0, "9.0.0.0/8 20 to 192.0.2.1 tag 7")
	if got := inner.by("8.0.0.0/8"); got != "2:10.0.0.2" {
		t.Errorf("in the NSSA by %s", got)
	}
	// The translator is gone: the other one is it.
	high.end()
	w.run(2*time.Minute, nil)
	low.expect("after the translator is gone", 0, "8.0.0.0/8 20, 9.0.0.0/8 20 to 192.0.2.1 tag 7")
	// It is back: the other one goes on for a while, and says nothing that is the same.
	high.begin()
	w.want(5*time.Minute, "full", w.adjacent)
	high.expect("back again", 0, "9.0.0.0/8 20 to 192.0.2.1 tag 7")
	low.expect("beside it", 0, "8.0.0.0/8 20")
	if s := low.m.Summary(w.now).Areas[1]; s.Translator != TranslatorElected || !s.TranslatesUntil.After(w.now) {
		t.Errorf("%v until %v at once, want elected still", s.Translator, s.TranslatesUntil)
	}
	w.run(time.Minute, nil)
	if s := low.m.Summary(w.now).Areas[1]; s.Translator != TranslatorDisabled || !s.TranslatesUntil.IsZero() {
		t.Errorf("%v until %v after a minute, want disabled", s.Translator, s.TranslatesUntil)
	}
	if s := high.m.area(1).translation.state; s != TranslatorElected {
		t.Errorf("the other one is %v, want elected", s)
	}
	// Without an address in the NSSA nothing is said that is to be translated.
	for _, p := range inner.ports {
		p.fall()
	}
	inner.expect("without an address", 1, "")
}

// A router that is told to always translate does, and one that is told never to does
// not (RFC 3101 §3.1).
func TestTranslatorRoles(t *testing.T) {
	for _, tt := range []struct {
		low, high           Translator
		wantLow, wantHigh   string
		stateLow, stateHigh TranslatorState
	}{
		{TranslatorAlways, TranslatorCandidate, "9.0.0.0/8 20 to 192.0.2.1", "", TranslatorEnabled, TranslatorDisabled},
		{TranslatorAlways, TranslatorAlways, "", "9.0.0.0/8 20 to 192.0.2.1", TranslatorEnabled, TranslatorEnabled}, // §3.2 (2)
		{TranslatorNever, TranslatorNever, "", "", TranslatorDisabled, TranslatorDisabled},
		{TranslatorCandidate, TranslatorAlways, "", "9.0.0.0/8 20 to 192.0.2.1", TranslatorDisabled, TranslatorEnabled},
	} {
		w := nssa(t, func(i int, a *AreaConfig) {
			switch i {
			case 1:
				a.Translator = tt.low
			case 2:
				a.Translator = tt.high
			}
		})
		w.nodes[0].learn(routing.SourceStatic, "9.0.0.0/8", 20, "", 0)
		w.run(2*time.Minute, nil)
		low, high := w.nodes[1], w.nodes[2]
		if got := []string{low.outside(0), high.outside(0)}; !slices.Equal(got, []string{tt.wantLow, tt.wantHigh}) {
			t.Errorf("%v and %v: %q", tt.low, tt.high, got)
		}
		if l, h := low.m.area(1).translation.state, high.m.area(1).translation.state; l != tt.stateLow || h != tt.stateHigh {
			t.Errorf("%v and %v: %v and %v", tt.low, tt.high, l, h)
		}
		if nt := strings.Contains(low.said(1), "Nt"); nt != (tt.low == TranslatorAlways) {
			t.Errorf("%v: %q", tt.low, low.said(1))
		}
		for _, n := range []*station{low, high} {
			if !strings.Contains(n.said(0), " E") || !strings.Contains(n.said(1), " E") {
				t.Errorf("a border router of an NSSA says %q and %q, want E", n.said(0), n.said(1))
			}
		}
	}
}

// Ranges of an NSSA: the examples of RFC 3101 §3.2, and what they leave open.
func TestNSSARanges(t *testing.T) {
	wide := netip.MustParsePrefix("9.0.0.0/8")
	type route struct {
		prefix string
		source routing.Source // RIP is of type 1
		metric uint32
	}
	for _, tt := range []struct {
		name   string
		ranges []Range
		routes []route
		want   string
	}{
		{"of both types", []Range{{Prefix: wide, Tag: 3}}, []route{{"9.1.0.0/24", routing.SourceRIP, 10}, {"9.2.0.0/24", routing.SourceRIP, 11}, {"9.3.0.0/24", routing.SourceStatic, 5}}, "9.0.0.0/8 6 tag 3"},
		{"of type 1, with the way there", []Range{{Prefix: wide}}, []route{{"9.1.0.0/24", routing.SourceRIP, 10}, {"9.2.0.0/24", routing.SourceRIP, 11}, {"9.3.0.0/24", routing.SourceRIP, 5}}, "9.0.0.0/8 12 type 1"},
		{"with a cost", []Range{{Prefix: wide, Cost: 99}}, []route{{"9.1.0.0/24", routing.SourceRIP, 10}}, "9.0.0.0/8 99 type 1"},
		{"hidden", []Range{{Prefix: wide, Hide: true}}, []route{{"9.1.0.0/24", routing.SourceRIP, 10}, {"8.0.0.0/8", routing.SourceStatic, 1}}, "8.0.0.0/8 1 to 192.0.2.1"},
		{"the range itself alone", []Range{{Prefix: wide}}, []route{{"9.0.0.0/8", routing.SourceStatic, 10}}, "9.0.0.0/8 10 to 192.0.2.1"},
		{"the range itself and one within", []Range{{Prefix: wide}}, []route{{"9.0.0.0/8", routing.SourceStatic, 10}, {"9.1.0.0/24", routing.SourceStatic, 4}}, "9.0.0.0/8 11"},
		{"the more specific range", []Range{{Prefix: wide, Hide: true}, {Prefix: netip.MustParsePrefix("9.1.0.0/16")}}, []route{{"9.1.1.0/24", routing.SourceStatic, 10}, {"9.2.0.0/24", routing.SourceStatic, 4}}, "9.1.0.0/16 11"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := nssa(t, func(i int, a *AreaConfig) { a.NSSARanges = tt.ranges })
			w.nodes[0].reload(func(c *Config) { c.Type1[routing.SourceRIP] = true })
			for _, r := range tt.routes {
				w.nodes[0].learn(r.source, r.prefix, r.metric, "", 0)
			}
			w.nodes[2].expect("the translator", 0, tt.want)
			for _, r := range tt.routes {
				w.nodes[0].unlearn(r.prefix)
			}
			w.nodes[2].expect("the translator, of nothing", 0, "")
		})
	}
}

// The default route of an NSSA: where it is configured, by a border router without the
// P bit, and of one without summaries as a summary (RFC 3101 §2.4, §2.7).
func TestNSSADefault(t *testing.T) {
	w := nssa(t, func(i int, a *AreaConfig) {
		if i == 1 {
			a.DefaultInformation = &Origination{Metric: 5, Always: true}
		}
	})
	inner, low, high, far := w.nodes[0], w.nodes[1], w.nodes[2], w.nodes[3]
	low.expect("configured", 1, "0.0.0.0/0 5")
	high.expect("not configured", 1, "")
	if got := inner.by("0.0.0.0/0"); got != "2:10.0.0.2" {
		t.Errorf("by %s", got)
	}
	if got := high.by("0.0.0.0/0"); got != "none" {
		t.Errorf("a border router goes by %s into the NSSA", got)
	}
	// One of the area's own routers may say one that is translated by nobody.
	inner.reload(func(c *Config) { c.DefaultInformation = &Origination{Metric: 3, Always: true} })
	inner.expect("a router of the area", 1, "0.0.0.0/0 3 to 192.0.2.1 P")
	w.run(time.Minute, nil)
	if got := high.by("0.0.0.0/0"); got != "2:10.0.1.1" {
		t.Errorf("a border router by %s, want the default route with the P bit", got)
	}
	if got := far.by("0.0.0.0/0"); got != "none" {
		t.Errorf("from outside by %s", got)
	}
	w = nssa(t, func(i int, a *AreaConfig) { a.NoSummaries, a.DefaultCost = true, 9 })
	inner = w.nodes[0]
	if got := inner.by("0.0.0.0/0"); got != "2:10.0.0.2 3:10.0.1.3" || inner.by("192.0.2.4/32") != "none" {
		t.Errorf("without summaries: the default by %s, others by %s", got, inner.by("192.0.2.4/32"))
	}
	if r := inner.m.table.Find(anywhere); r == nil || r.Type != InterArea || r.Cost != 10 {
		t.Errorf("the default route is %+v", r)
	}
}

// A whole table that is redistributed is said piece by piece, and steps in between do
// other things.
func TestManyExternals(t *testing.T) {
	w := newNetwork(t, 1)
	n := w.router("1.1.1.1")
	n.port(w.segment(), Broadcast, "10.0.0.1/24", nil)
	w.begin()
	var list []routing.Delta
	for i := range 9 * externalsAtOnce {
		p := netip.PrefixFrom(wire.ID(0x14000000+i<<8).Addr(), 24)
		list = append(list, routing.Delta{Route: routing.Route{Prefix: p, Source: routing.SourceStatic, Metric: 1}})
	}
	w.step(n, protocol.Notices{Notices: routing.Notices{Routes: list}})
	steps, said := 0, 0
	for n.m.outward.dirty.len() > 0 {
		now := n.m.as.Len(wire.ExternalLSA)
		if now <= said || now > said+4*externalsAtOnce {
			t.Fatalf("%d after a step, %d before", now, said)
		}
		if d := n.m.Deadline(); d.After(w.now) {
			t.Fatalf("nothing is due at %v, but at %v", w.now, d)
		}
		w.step(n, protocol.Tick{})
		steps, said = steps+1, now
	}
	if got := n.m.as.Len(wire.ExternalLSA); steps < 2 || got != len(list) {
		t.Errorf("%d in %d steps, want %d", got, steps, len(list))
	}
	for i := range list {
		list[i].Withdraw = true
	}
	w.step(n, protocol.Notices{Notices: routing.Notices{Routes: list}})
	w.run(time.Minute, nil)
	n.expect("all withdrawn", 0, "")
}

func TestAreaCheck(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(c *Config, a *AreaConfig)
		want string
	}{
		{"a range", func(_ *Config, a *AreaConfig) {
			a.Ranges = []Range{{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Cost: wire.Infinity - 1}}
		}, ""},
		{"a range with host bits", func(_ *Config, a *AreaConfig) { a.Ranges = []Range{{Prefix: netip.MustParsePrefix("10.0.0.1/8")}} }, "range 10.0.0.1/8"},
		{"a range of IPv6", func(_ *Config, a *AreaConfig) {
			a.NSSARanges = []Range{{Prefix: netip.MustParsePrefix("2001:db8::/32")}}
		}, "range 2001:db8::/32"},
		{"no range", func(_ *Config, a *AreaConfig) { a.Ranges = []Range{{}} }, "range"},
		{"a range that is not reached", func(_ *Config, a *AreaConfig) {
			a.Ranges = []Range{{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Cost: wire.Infinity}}
		}, "cost 16777215"},
		{"a default route that is not reached", func(c *Config, _ *AreaConfig) { c.DefaultInformation = &Origination{Metric: wire.Infinity} }, "metric 16777215"},
		{"the same in an NSSA", func(_ *Config, a *AreaConfig) { a.DefaultInformation = &Origination{Metric: wire.Infinity} }, "metric 16777215"},
	} {
		c, a := DefaultConfig(), DefaultArea()
		tt.set(&c, &a)
		c.Areas[1] = a
		if err := c.Check(); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}
