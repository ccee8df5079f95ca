package sim

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"routerd/internal/beacon"
	"routerd/internal/router"
	"routerd/routing"
	"routerd/routing/protocol"
)

// beacons is a triangle of routers that speak the protocol for tests; each
// announces a network of its own, 10.9.N.0/24.
func beacons(t *testing.T, seed uint64) *Network {
	t.Helper()
	n := New(seed)
	n.Kinds = []router.Kind{{Name: "beacon", Source: routing.SourceOSPF, Family: 4, New: beacon.New}}
	for i := range 3 {
		n.Add(fmt.Sprintf("r%d", i))
	}
	for _, pair := range [][2]int{{0, 1}, {1, 2}, {0, 2}} {
		a, b := pair[0], pair[1]
		if _, err := n.Join(Faults{Delay: time.Millisecond}, fmt.Sprintf("r%d:to%d", a, b), fmt.Sprintf("r%d:to%d", b, a)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		applyBeacon(t, n, i, true)
	}
	return n
}

func beaconConfig(i int) router.Config {
	var interfaces, names []string
	for j := range 3 {
		if j != i {
			low, high := min(i, j), max(i, j)
			name := fmt.Sprintf("to%d", j)
			names = append(names, name)
			interfaces = append(interfaces, fmt.Sprintf("%s 10.1.%d.%d/24", name, 10*low+high, i+1))
		}
	}
	cfg := config(fmt.Sprintf("r%d", i), interfaces...)
	cfg.Protocols = map[string]router.ProtocolConfig{"beacon": {Config: beacon.Config{
		Interfaces: names, Interval: time.Second, Dead: 3 * time.Second,
		Announce: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 9, byte(i), 0}), 24)},
	}}}
	return cfg
}

func applyBeacon(t *testing.T, n *Network, i int, speaks bool) {
	t.Helper()
	cfg := beaconConfig(i)
	if !speaks {
		cfg.Protocols = nil
	}
	if err := n.Nodes[i].Apply(cfg); err != nil {
		t.Fatal(err)
	}
}

func beaconCore(n *Node) *beacon.Core { return n.Router.Protocol("beacon").Core().(*beacon.Core) }

// wantWay fails unless node's packets for 10.9.N.1 leave by the interface, "" =
// nowhere.
func wantWay(t *testing.T, node *Node, dst int, way string) {
	t.Helper()
	got := ""
	if e := node.Router.FIB().Lookup(netip.AddrFrom4([4]byte{10, 9, byte(dst), 1})); e != nil && e.Group != nil {
		for _, i := range node.Router.View().Interfaces {
			if i != nil && i.ID == e.Group.Pick(0).Interface {
				got = i.Name
			}
		}
	}
	if got != way {
		t.Errorf("%s sends packets for 10.9.%d.1 by %q, want %q", node.Name, dst, got, way)
	}
}

// A protocol hears, by its port and by its IP protocol, offers, tracks, saves and
// says goodbye through the driver.
func TestProtocolThroughTheDriver(t *testing.T) {
	n := beacons(t, 1)
	run(t, n, 5*time.Second)
	for i, node := range n.Nodes {
		core := beaconCore(node)
		if len(core.Neighbors) != 2 || core.Probes == 0 || core.Installed == 0 {
			t.Errorf("%s hears %d neighbours and %d probes, installed up to %d; want 2, some and some",
				node.Name, len(core.Neighbors), core.Probes, core.Installed)
		}
		for a := range core.Neighbors {
			if s := core.NextHops[a]; !s.Reachable {
				t.Errorf("%s was told of its neighbour %v: %+v, want that it is reachable", node.Name, a, s)
			}
		}
		for j := range 3 {
			if j != i {
				wantWay(t, node, j, fmt.Sprintf("to%d", j))
			}
		}
	}
	// Silence: the neighbour is lost, and its route with it.
	n.Links[0].SetSilent(true)
	run(t, n, 5*time.Second)
	wantWay(t, n.Nodes[0], 1, "")
	if len(beaconCore(n.Nodes[0]).Neighbors) != 1 {
		t.Error("r0 still has a neighbour that fell silent")
	}
	state := n.Nodes[0].Router.HopStates().Neighbor(netip.MustParseAddr("10.1.1.2"), n.Nodes[0].Router.View().Named("to1").ID)
	if c := state.Causes(); len(c) != 1 || c[0] != routing.CauseProtocol {
		t.Errorf("against the silent neighbour speaks %v, want its protocol", c)
	}
	// A carrier that comes back does not revive what the protocol has lost.
	n.Links[0].SetUp(false)
	n.Links[0].SetUp(true)
	run(t, n, time.Millisecond)
	if state.Alive() {
		t.Error("a carrier revived the neighbour that its protocol has declared dead")
	}
	n.Links[0].SetSilent(false)
	run(t, n, 2*time.Second)
	wantWay(t, n.Nodes[0], 1, "to1")
	if !state.Alive() {
		t.Errorf("the neighbour is heard again, and still speaks against it: %v", state.Causes())
	}
	n.Nodes[1].Stop()
	run(t, n, 100*time.Millisecond)
	if !n.Nodes[1].Stopped["beacon"] {
		t.Error("r1 has not said goodbye")
	}
	wantWay(t, n.Nodes[0], 1, "")
}

// What was offered before a restart forwards until the core has offered anew or
// has swept; what is saved comes back.
func TestProtocolRestarts(t *testing.T) {
	n := beacons(t, 2)
	run(t, n, 10*time.Second)
	was := beaconCore(n.Nodes[0]).Sequence
	n.Nodes[0].Crash()
	run(t, n, 100*time.Millisecond)
	applyBeacon(t, n, 0, true)
	run(t, n, 5*time.Second)
	if now := beaconCore(n.Nodes[0]).Sequence; now <= was || was < 9 {
		t.Errorf("announcement %d follows %d, want that the count goes on", now, was)
	}
	wantWay(t, n.Nodes[0], 1, "to1")
	// Taken out of the configuration it falls silent, and hears nothing.
	applyBeacon(t, n, 1, false)
	run(t, n, 5*time.Second)
	wantWay(t, n.Nodes[0], 1, "")
	if core := beaconCore(n.Nodes[1]); len(core.Neighbors) != 0 {
		t.Errorf("r1 does not speak the protocol any more and has neighbours %v", core.Neighbors)
	}
	if g := n.Nodes[1].Router.View().Named("to0").Listeners.Groups(); len(g) != 0 {
		t.Errorf("r1 is still in the groups %v", g)
	}
}

// A protocol that does not join the group hears nothing by it.
func TestProtocolThatDoesNotJoinHearsNothing(t *testing.T) {
	n := New(3)
	n.Kinds = []router.Kind{{Name: "beacon", Source: routing.SourceOSPF, Family: 4, New: func(s protocol.Start) protocol.Core {
		return deaf{beacon.New(s)}
	}}}
	for i := range 3 {
		n.Add(fmt.Sprintf("r%d", i))
	}
	if _, err := n.Join(Faults{Delay: time.Millisecond}, "r0:to1", "r1:to0"); err != nil {
		t.Fatal(err)
	}
	applyBeacon(t, n, 0, true)
	applyBeacon(t, n, 1, true)
	run(t, n, 5*time.Second)
	for _, node := range n.Nodes[:2] {
		if core := node.Router.Protocol("beacon").Core().(deaf).Core.(*beacon.Core); len(core.Neighbors) != 0 {
			t.Errorf("%s never joined %v and hears %v", node.Name, beacon.Group, core.Neighbors)
		}
	}
}

// deaf is a core whose joins never happen.
type deaf struct{ protocol.Core }

func (d deaf) Step(now time.Time, in protocol.Input, out []protocol.Effect) []protocol.Effect {
	kept := out
	for _, e := range d.Core.Step(now, in, nil) {
		if _, joins := e.(protocol.Join); !joins {
			kept = append(kept, e)
		}
	}
	return kept
}

func TestUnknownProtocolIsRefused(t *testing.T) {
	cfg := beaconConfig(0)
	cfg.Protocols["babel"] = router.ProtocolConfig{}
	n := beacons(t, 4)
	if err := n.Nodes[0].Apply(cfg); err == nil || !strings.Contains(err.Error(), "babel") {
		t.Errorf("a protocol that the router does not speak: %v", err)
	}
}
