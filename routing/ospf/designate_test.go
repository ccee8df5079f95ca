package ospf

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"routerd/routing/ospf/wire"
)

// roles writes what each router of the first segment is, and whom it takes for what.
func (w *network) roles() string {
	var b strings.Builder
	for _, n := range w.nodes {
		if l := n.m.links[1]; !n.off && l != nil && l.active() {
			fmt.Fprintf(&b, "%s=%v(%v,%v) ", n.name[:1], l.state, l.dr, l.bdr)
		}
	}
	return strings.TrimSpace(b.String())
}

func (w *network) wantRoles(d time.Duration, want string) {
	w.t.Helper()
	w.want(d, want, func() bool { return w.roles() == want && w.adjacent() && w.equal() })
}

func (n *station) isDesignated() bool { return n.groups["1 224.0.0.6"] }

// The BDR takes over when the DR fails, nobody that comes later does, and the groups
// go with the roles.
func TestDesignatedRouter(t *testing.T) {
	w := three(t, Broadcast, nil)
	a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
	w.begin()
	w.wantRoles(2*time.Minute, "1=dr-other(10.0.0.3,10.0.0.2) 2=backup(10.0.0.3,10.0.0.2) 3=dr(10.0.0.3,10.0.0.2)")
	if a.isDesignated() || !b.isDesignated() || !c.isDesignated() {
		t.Errorf("in the group of DRs: %v %v %v", a.isDesignated(), b.isDesignated(), c.isDesignated())
	}
	// A better one changes nothing.
	d := w.router("9.0.0.1")
	d.port(w.links[0], Broadcast, "10.0.0.9/24", func(i *InterfaceConfig) { i.Priority = 200 })
	d.begin()
	w.wantRoles(2*time.Minute, "1=dr-other(10.0.0.3,10.0.0.2) 2=backup(10.0.0.3,10.0.0.2) 3=dr(10.0.0.3,10.0.0.2) 9=dr-other(10.0.0.3,10.0.0.2)")
	since := b.m.links[1].index[ip("10.0.0.1")].since
	c.end()
	w.wantRoles(2*time.Minute, "1=dr-other(10.0.0.2,10.0.0.9) 2=dr(10.0.0.2,10.0.0.9) 9=backup(10.0.0.2,10.0.0.9)")
	if n := b.m.links[1].index[ip("10.0.0.1")]; n.since != since {
		t.Error("the adjacency with the BDR did not outlive the DR")
	}
	// The old one comes back as one of the others.
	c.begin()
	w.wantRoles(2*time.Minute, "1=dr-other(10.0.0.2,10.0.0.9) 2=dr(10.0.0.2,10.0.0.9) 3=dr-other(10.0.0.2,10.0.0.9) 9=backup(10.0.0.2,10.0.0.9)")
	if c.isDesignated() {
		t.Error("it is still in the group of DRs")
	}
	// A priority of 0 has the DR step down.
	b.reload(func(c *Config) {
		i := c.Interfaces["eth1"]
		i.Priority = 0
		c.Interfaces["eth1"] = i
	})
	w.wantRoles(2*time.Minute, "1=dr-other(10.0.0.9,10.0.0.3) 2=dr-other(10.0.0.9,10.0.0.3) 3=backup(10.0.0.9,10.0.0.3) 9=dr(10.0.0.9,10.0.0.3)")
	if b.isDesignated() || !d.isDesignated() {
		t.Error("the group of DRs did not change")
	}
	w.run(10*time.Second, nil)
	if got := a.m.area(0).db.Len(wire.NetworkLSA); got != 1 {
		t.Errorf("%d Network-LSAs", got)
	}
}

// A router that comes to a network that has a DR and a BDR does not wait.
func TestBackupSeen(t *testing.T) {
	w := three(t, Broadcast, nil)
	w.nodes[2].cfg.Interfaces = map[string]InterfaceConfig{"eth1": func() InterfaceConfig {
		i := DefaultInterface(Broadcast)
		return i
	}()}
	w.nodes[0].begin()
	w.nodes[1].begin()
	w.nodes[2].begin()
	w.nodes[2].end()
	w.run(2*time.Minute, nil)
	w.nodes[2].begin()
	w.wantRoles(20*time.Second, "1=backup(10.0.0.2,10.0.0.1) 2=dr(10.0.0.2,10.0.0.1) 3=dr-other(10.0.0.2,10.0.0.1)")
}

// Of two networks that are joined, one DR is left.
func TestNetworksJoined(t *testing.T) {
	w := three(t, Broadcast, nil)
	w.links[0].eat = func(from *port, _ *wire.Packet) bool {
		return from == w.nodes[0].ports[0] || from == w.nodes[2].ports[0]
	}
	w.begin()
	w.run(3*time.Minute, nil)
	if got := w.roles(); !strings.Contains(got, "1=dr(") || !strings.Contains(got, "3=dr(") {
		t.Fatal(got)
	}
	w.links[0].eat = nil
	w.want(5*time.Minute, "one DR", func() bool { return strings.Count(w.roles(), "=dr(") == 1 && w.adjacent() && w.equal() })
}
