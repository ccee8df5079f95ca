package ospf

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"routerd/routing/ospf/wire"
)

// An area that is attached to the backbone through another one, by a virtual link: who
// says what, and packets get there and back (RFC 2328 §15).
func TestOriginationOverAVirtualLink(t *testing.T) {
	w := newNetwork(t, 1)
	in := func(id wire.ID) func(*InterfaceConfig) {
		return func(i *InterfaceConfig) { i.Area, i.Cost = id, 10 }
	}
	edge, a, mid, b, far := w.router("9.0.0.9"), w.router("1.0.0.1"), w.router("2.0.0.2"), w.router("3.0.0.3"), w.router("4.0.0.4")
	for i, s := range []struct {
		from, to *station
		area     wire.ID
	}{{edge, a, 0}, {a, mid, 1}, {mid, b, 1}, {b, far, 2}} {
		l := w.segment()
		net := string(rune('0' + i))
		s.from.port(l, PointToPoint, "10.0."+net+".1/24", in(s.area))
		s.to.port(l, PointToPoint, "10.0."+net+".2/24", in(s.area))
	}
	far.port(nil, Broadcast, "192.0.2.4/32", in(2))
	edge.port(nil, Broadcast, "192.0.2.9/32", in(0))
	for _, x := range []struct {
		n    *station
		peer string
	}{{a, "3.0.0.3"}, {b, "1.0.0.1"}} {
		cfg := DefaultArea()
		cfg.Virtual = map[wire.ID]VirtualConfig{ip(x.peer): {Timers: DefaultTimers(Virtual)}}
		x.n.cfg.Areas[1] = cfg
	}
	for _, n := range w.nodes {
		n.cfg.FastReroute = true
	}
	w.begin()
	w.want(10*time.Minute, "a way from end to end", func() bool {
		return edge.by("192.0.2.4/32") != "none" && far.by("192.0.2.9/32") != "none"
	})
	w.run(time.Minute, nil)
	if got := b.said(0); !strings.Contains(got, "virtual 1.0.0.1 by 10.0.2.2/20") || !strings.HasSuffix(got, " B") {
		t.Errorf("into the backbone: %q", got)
	}
	for _, n := range []*station{a, b} {
		if got := n.said(1); !strings.HasSuffix(got, " B V") {
			t.Errorf("%s into the transit area: %q", n.name, got)
		}
	}
	if got := far.said(2); strings.Contains(got, " B") {
		t.Errorf("a router of one area: %q", got)
	}
	if r := edge.m.table.Find(netip.MustParsePrefix("192.0.2.4/32")); r.Type != InterArea || r.Cost != 10+20+10 {
		t.Errorf("%+v", r)
	}
	if r := b.m.table.Find(netip.MustParsePrefix("192.0.2.9/32")); r.Type != IntraArea || r.Cost != 30 || b.by("192.0.2.9/32") != "1:10.0.2.1" {
		t.Errorf("%+v by %s", r, b.by("192.0.2.9/32"))
	}
	// What is reached through the transit area is not said into it.
	if got := b.summarized(1); strings.Contains(got, "192.0.2.9/32") || !strings.Contains(got, "192.0.2.4/32") {
		t.Errorf("into the transit area: %q", got)
	}
	// Nothing of a backbone with virtual links has an alternate.
	if got := edge.m.calc.alternates.Of(edge.m.prefixes.numberOf(netip.MustParsePrefix("192.0.2.4/32"))); got.Why != VirtualLinks {
		t.Errorf("%+v", got)
	}
	// A stub router's virtual link is no transit either.
	b.reload(func(c *Config) { c.StubRouter.Always = true })
	w.run(time.Minute, nil)
	if got := b.said(0); !strings.Contains(got, "virtual 1.0.0.1 by 10.0.2.2/65535") {
		t.Errorf("as a stub router: %q", got)
	}
}
