package ospf

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"routerd/routing"
	"routerd/routing/ospf/wire"
)

// rib is what the RIB has been told, in words, and the changes since it was asked.
type rib struct {
	slots   *routing.Slots
	routes  map[netip.Prefix]string
	changes []string
}

func (r *rib) drain() {
	r.slots.Drain(func(c routing.Change) {
		if !c.Offered {
			delete(r.routes, c.Slot.Prefix)
			r.changes = append(r.changes, c.Slot.Prefix.String()+" -")
			return
		}
		text := fmt.Sprintf("metric %d tag %d distance %d", c.Slot.Metric, c.Slot.Tag, c.Slot.Distance)
		if c.Slot.Action != routing.Forward {
			text += " " + c.Slot.Action.String()
		}
		for _, h := range c.Slot.NextHops {
			text += fmt.Sprintf(" %d:%v", h.Interface, h.Address)
			if h.Backup {
				text += "(backup)"
			}
		}
		r.routes[c.Slot.Prefix] = text
		r.changes = append(r.changes, c.Slot.Prefix.String()+" "+text)
	})
}

// told gives the changes since the last time.
func (r *rib) told() string {
	r.drain()
	slices.Sort(r.changes)
	text := strings.Join(r.changes, "\n")
	r.changes = nil
	return text
}

func newRIB() (*rib, *offers) {
	slots := &routing.Slots{}
	return &rib{slots: slots, routes: map[netip.Prefix]string{}}, &offers{slots: slots}
}

// refuse is a policy: it refuses a prefix, and gives the others a tag.
type refuse struct{ prefix string }

func (p refuse) Same(o Policy) bool { return p == o }
func (p refuse) Apply(o *Offer) bool {
	o.Tag, o.Metric = 77, o.Metric+1000
	return o.Prefix.String() != p.prefix
}

// The RIB is told of each route once, and then of what is another one.
func TestOffers(t *testing.T) {
	s := triangle(0, map[wire.ID]wire.RouterFlags{2: wire.RouterB | wire.RouterE})
	s.areas[0].summary(2, "9.0.0.0/8", 1)
	s.as.external(wire.ExternalLSA, 2, "8.0.0.0/8", wire.External{Metric: 7, Type2: true, Tag: 5})
	s.as.external(wire.ExternalLSA, 2, "7.0.0.0/8", wire.External{Metric: 7})
	cfg := DefaultConfig()
	cfg.Distance = Distances{10, 20, 30}
	rib, o := newRIB()
	var x Alternates
	offer := func(alternates bool) string {
		s.table.Calculate(&s.state)
		f := &offering{table: &s.table, cfg: &cfg}
		if alternates {
			x.all(&s.table, nil)
			f.alternates = &x
		}
		n := o.all(f)
		told := rib.told()
		if want := strings.Count(told, "\n"); told != "" && n != want+1 || told == "" && n != 0 {
			t.Errorf("%d changes counted of\n%s", n, told)
		}
		return told
	}
	steps := []struct {
		name string
		do   func() string
		want string
	}{
		{
			"at first", func() string { return offer(false) },
			"10.4.0.0/16 metric 21 tag 0 distance 10 12:0.0.3.234\n7.0.0.0/8 metric 17 tag 0 distance 30 12:0.0.3.234\n" +
				"8.0.0.0/8 metric 7 tag 5 distance 30 12:0.0.3.234\n9.0.0.0/8 metric 11 tag 0 distance 20 12:0.0.3.234",
		},
		{"again", func() string { return offer(false) }, ""},
		{
			"with alternates", func() string { return offer(true) },
			"10.4.0.0/16 metric 21 tag 0 distance 10 12:0.0.3.234 13:0.0.3.235(backup)\n7.0.0.0/8 metric 17 tag 0 distance 30 12:0.0.3.234 13:0.0.3.235(backup)\n" +
				"8.0.0.0/8 metric 7 tag 5 distance 30 12:0.0.3.234 13:0.0.3.235(backup)\n9.0.0.0/8 metric 11 tag 0 distance 20 12:0.0.3.234 13:0.0.3.235(backup)",
		},
		{"a calculation before there are alternates again", func() string {
			s.areas[0].summary(2, "9.0.0.0/8", 2)
			return offer(false)
		}, "9.0.0.0/8 metric 12 tag 0 distance 20 12:0.0.3.234 13:0.0.3.235(backup)"},
		{"one goes and one is another one", func() string {
			s.areas[0].install(wire.SummaryLSA, ip("9.0.0.0"), 2, wire.MaxAge, &wire.Summary{Mask: 0xff000000, Metric: 2})
			s.as.external(wire.ExternalLSA, 2, "8.0.0.0/8", wire.External{Metric: 7, Type2: true, Tag: 6})
			return offer(true)
		}, "8.0.0.0/8 metric 7 tag 6 distance 30 12:0.0.3.234 13:0.0.3.235(backup)\n9.0.0.0/8 -"},
		{"its number is another prefix's", func() string {
			s.areas[0].db.Sweep(start, false, func(*Entry) {})
			s.areas[0].summary(2, "6.0.0.0/8", 2)
			return offer(true)
		}, "6.0.0.0/8 metric 12 tag 0 distance 20 12:0.0.3.234 13:0.0.3.235(backup)"},
		{"an active range", func() string {
			n := s.state.Prefixes.use(netip.MustParsePrefix("5.0.0.0/8"))
			o.discard = []int32{s.state.Prefixes.numberOf(netip.MustParsePrefix("10.4.0.0/16")), n}
			slices.Sort(o.discard)
			return offer(true)
		}, "5.0.0.0/8 metric 0 tag 0 distance 20 unreachable"},
		{"no longer", func() string {
			o.discard = nil
			return offer(true)
		}, "5.0.0.0/8 -"},
		{"a policy", func() string {
			cfg.Import = refuse{"7.0.0.0/8"}
			o.again()
			return offer(true)
		}, "10.4.0.0/16 metric 1021 tag 77 distance 10 12:0.0.3.234 13:0.0.3.235(backup)\n6.0.0.0/8 metric 1012 tag 77 distance 20 12:0.0.3.234 13:0.0.3.235(backup)\n" +
			"7.0.0.0/8 -\n8.0.0.0/8 metric 1007 tag 77 distance 30 12:0.0.3.234 13:0.0.3.235(backup)"},
		{"at last", func() string {
			o.reset()
			return rib.told()
		}, "10.4.0.0/16 -\n6.0.0.0/8 -\n8.0.0.0/8 -"},
	}
	for _, tt := range steps {
		if got := tt.do(); got != tt.want {
			t.Errorf("%s: got\n%s, want\n%s", tt.name, got, tt.want)
		}
	}
}

// Networks that the router is attached to are not offered, and of equal ways no more
// than maximum-paths.
func TestOffersOfAttachedNetworks(t *testing.T) {
	s := newSite(0)
	a := s.areas[0]
	dr := ip("10.0.0.2")
	a.router(1, 0, lan(dr, ip("10.0.0.1"), 10), stubNet(ip("10.1.0.0"), 0xffff0000, 1))
	a.router(2, 0, lan(dr, dr, 10), stubNet(ip("10.2.0.0"), 0xffff0000, 1))
	a.router(3, 0, lan(dr, ip("10.0.0.3"), 10), stubNet(ip("10.2.0.0"), 0xffff0000, 1))
	a.network(dr, 2, 2, 1, 3)
	s.attach(0, ip("10.0.0.1"), 1)
	cfg := DefaultConfig()
	rib, o := newRIB()
	for _, most := range []int{8, 1} {
		cfg.MaximumPaths = most
		o.again()
		s.table.Calculate(&s.state)
		o.all(&offering{table: &s.table, cfg: &cfg})
		want := "10.2.0.0/16 metric 11 tag 0 distance 110 1:10.0.0.2"
		if most > 1 {
			want += " 1:10.0.0.3"
		}
		if got := rib.told(); got != want {
			t.Errorf("at most %d paths: got %q, want %q", most, got, want)
		}
	}
}

// Whatever changes, what the RIB has been told is what the table says, by whole and
// by partial calculations.
func TestOffersFollowTheTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSite(0)
		var c changes
		a, b := s.state.Areas[0], s.areas[0]
		b.follow = func(e *Entry) { c.add(a, b.db, e) }
		for d := range 5 {
			s.attach(0, wire.ID(100+d), routing.InterfaceID(d), 1, 2, 3, 4, 5)
		}
		cfg := DefaultConfig()
		rib, o := newRIB()
		prefix := rapid.SampledFrom([]string{"0.0.0.1/32", "0.0.0.0/29", "9.0.0.0/8", "9.0.0.0/9", "9.0.0.0/10"})
		b.drawNetwork(t, rapid.Uint16Range(1, 3))
		for range rapid.IntRange(1, 12).Draw(t, "calculations") {
			if rapid.IntRange(0, 3).Draw(t, "network") == 0 {
				b.drawLSA(t, rapid.Uint16Range(1, 3))
			}
			b.summary(drawID(t), prefix.Draw(t, "prefix"), rapid.Uint32Range(1, 4).Draw(t, "metric"))
			if e := b.anyOf(t, wire.SummaryLSA); rapid.Bool().Draw(t, "flush") {
				b.db.end(e)
				b.follow(e)
				if rapid.Bool().Draw(t, "sweep") {
					b.db.Sweep(start, false, func(*Entry) {})
				}
			}
			u := s.table.Update(&s.state, c.prefixes, c.all)
			if f := (&offering{table: &s.table, cfg: &cfg}); u.Whole {
				o.all(f)
			} else {
				o.some(f, u.Prefixes)
			}
			c.reset()
			rib.drain()
			want := map[netip.Prefix]string{}
			for r := range s.table.All {
				if r.Ways == 0 || s.table.Hops.onto(r.Ways) {
					continue
				}
				text := fmt.Sprintf("metric %d tag 0 distance 110", r.Cost)
				for _, h := range s.table.Hops.Append(nil, r.Ways, cfg.MaximumPaths) {
					text += fmt.Sprintf(" %d:%v", h.Interface, h.Address)
				}
				want[r.Prefix()] = text
			}
			if !maps.Equal(rib.routes, want) {
				t.Fatalf("the RIB has\n%v, want\n%v", rib.routes, want)
			}
			for n := range o.routes {
				if r := &o.routes[n]; r.hasSlot && r.hops == nil && u.Whole && s.state.Prefixes.uses[n] == 0 {
					t.Fatalf("a slot of %v, which nobody names", r.prefix)
				}
			}
		}
	})
}

// A prefix that goes and comes back under another number before routes are
// calculated keeps its route: the slot of the old number is freed, and not withdrawn
// when the new one has been read.
func TestOfferOfAPrefixWithAnotherNumber(t *testing.T) {
	s := triangle(0, map[wire.ID]wire.RouterFlags{2: wire.RouterB})
	cfg := DefaultConfig()
	rib, o := newRIB()
	say := func(prefix string) { s.areas[0].summary(2, prefix, 1) }
	forget := func(address string) {
		s.areas[0].install(wire.SummaryLSA, ip(address), 2, wire.MaxAge, &wire.Summary{Mask: 0xff000000, Metric: 1})
		s.areas[0].db.Sweep(start, false, func(*Entry) {})
	}
	number := func(prefix string) int32 { return s.state.Prefixes.numberOf(netip.MustParsePrefix(prefix)) }
	offer := func(numbers ...int32) {
		s.table.Calculate(&s.state)
		o.some(&offering{table: &s.table, cfg: &cfg}, numbers)
		rib.drain()
	}
	for _, p := range []string{"6.0.0.0/8", "9.0.0.0/8", "8.0.0.0/8"} {
		say(p)
		offer(number(p))
	}
	free := number("6.0.0.0/8")
	forget("6.0.0.0") // so that the first slot is free
	say("5.0.0.0/8")
	offer(free)
	was, other := number("9.0.0.0/8"), number("8.0.0.0/8")
	forget("9.0.0.0")
	forget("8.0.0.0")
	say("9.0.0.0/8")
	if number("9.0.0.0/8") != other {
		t.Fatalf("the prefix has number %d again, want %d for this test", was, other)
	}
	offer(was, other)
	if rib.routes[netip.MustParsePrefix("9.0.0.0/8")] == "" {
		t.Errorf("the RIB has no route to 9.0.0.0/8: %v", rib.routes)
	}
}
