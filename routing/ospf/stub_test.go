package ospf

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// square is routers 1 and 4 with two ways between them, by 2 and by 3, of which the
// first is the better one.
func square(t *testing.T) *network {
	w := newNetwork(t, 1)
	for i := range 4 {
		w.router(fmt.Sprintf("%d.0.0.1", i+1))
	}
	for i, ends := range [][2]int{{0, 1}, {1, 3}, {0, 2}, {2, 3}} {
		l := w.segment()
		for _, at := range ends {
			w.nodes[at].port(l, PointToPoint, fmt.Sprintf("10.0.%d.%d/24", i, at+1), func(c *InterfaceConfig) { c.Cost = uint16(1 + i/2) })
		}
	}
	for i, n := range w.nodes {
		n.port(nil, Broadcast, fmt.Sprintf("192.0.2.%d/32", i+1), nil)
	}
	return w
}

// by gives the next hops of a station's route.
func (n *station) by(prefix string) string {
	r := n.m.table.Find(netip.MustParsePrefix(prefix))
	if r == nil {
		return "none"
	}
	return strings.Join(ways(&n.m.table.Hops, r.Ways), " ")
}

// A router that offers itself for no transit is gone round, and is reached itself: for
// ever, after its start, and before its end (RFC 6987).
func TestStubRouter(t *testing.T) {
	const by2, by3 = "1:10.0.0.2", "2:10.0.2.3"
	for _, tt := range []struct {
		name string
		set  func(c *Config)
		do   func(w *network, n *station)
		want []string // after the start, 2 minutes later, and after do
	}{
		{"never", func(*Config) {}, func(*network, *station) {}, []string{by2, by2, by2}},
		{"always", func(c *Config) { c.StubRouter.Always = true }, func(_ *network, n *station) {
			n.reload(func(c *Config) { c.StubRouter.Always = false })
		}, []string{by3, by3, by2}},
		{"on startup", func(c *Config) { c.StubRouter.OnStartup = 2 * time.Minute }, func(*network, *station) {}, []string{by3, by2, by2}},
		{"on startup, which a reload ends", func(c *Config) { c.StubRouter.OnStartup = 20 * time.Minute }, func(_ *network, n *station) {
			n.reload(func(c *Config) { c.StubRouter.OnStartup = 0 })
		}, []string{by3, by3, by2}},
		{"on shutdown", func(c *Config) { c.StubRouter.OnShutdown = time.Minute }, func(w *network, n *station) {
			w.step(n, protocol.Stop{})
		}, []string{by2, by2, by3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := square(t)
			n := w.nodes[1]
			tt.set(&n.cfg)
			w.begin()
			w.want(90*time.Second, "full", func() bool { return w.adjacent() && w.equal() })
			w.run(20*time.Second, nil)
			check := func(when, want string) {
				t.Helper()
				if got := w.nodes[0].by("192.0.2.4/32"); got != want {
					t.Errorf("%s: by %s, want %s; the router says %s", when, got, want, n.said(backbone))
				}
				if got := w.nodes[0].by("192.0.2.2/32"); got != by2 {
					t.Errorf("%s: the router itself by %s, want %s", when, got, by2)
				}
			}
			check("after the start", tt.want[0])
			w.run(2*time.Minute, nil)
			check("two minutes later", tt.want[1])
			tt.do(w, n)
			w.run(20*time.Second, nil)
			check("at last", tt.want[2])
			if n.off {
				t.Error("it has stopped already")
			}
		})
	}
	links := []wire.Link{p2p(1, 1, 5), stubNet(1, 1, 5), lan(1, 1, 5), {Type: wire.LinkVirtual, Cost: 5}}
	discourage(links)
	for i, want := range []uint16{wire.MaxLinkCost, 5, wire.MaxLinkCost, wire.MaxLinkCost} {
		if links[i].Cost != want {
			t.Errorf("link %d costs %d, want %d", i, links[i].Cost, want)
		}
	}
}
