package sim

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"routerd/internal/corpus"
	"routerd/routing"
	"routerd/routing/rip"
)

// holo makes a network of a topology of the corpora, without delay or loss.
func holo(t *testing.T, topo *corpus.Topology, p rip.Protocol) *Network {
	t.Helper()
	n := New(1)
	for _, r := range topo.Routers {
		n.Add(r.Name)
	}
	for _, l := range topo.Links {
		if _, err := n.Join(Faults{Delay: time.Millisecond}, l[0], l[1]); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range topo.Routers {
		var interfaces []string
		spoken := rip.DefaultConfig(p)
		for _, i := range r.Interfaces {
			line := i.Name
			for _, a := range i.Addresses {
				line += " " + a.String()
			}
			interfaces = append(interfaces, line)
			ic := rip.DefaultInterface()
			ic.Passive = i.Name == "lo"
			spoken.Interfaces[i.Name] = ic
		}
		cfg := config(r.Name, interfaces...)
		speak(&cfg, spoken)
		if err := n.Node(r.Name).Apply(cfg); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// Routers in the places of another implementation's know what those knew:
// what they forward by, the protocol's table, the neighbours. Where ways are
// equal the others kept one, of which ours has to be part.
func TestHoloTopologies(t *testing.T) {
	for name, p := range map[string]rip.Protocol{"holo-ripv2-topo1-1": rip.RIP, "holo-ripng-topo1-1": rip.RIPng} {
		t.Run(name, func(t *testing.T) {
			topo := corpus.ReadTopology(t, name)
			n := holo(t, topo, p)
			if err := n.Quiet(ripFlush, 2*ripUpdate, time.Hour); err != nil {
				t.Fatal(err)
			}
			for _, r := range topo.Routers {
				node := n.Node(r.Name)
				wrong := slices.Concat(installed(node, routing.SourceRIP, r.Installed), table(node, p, r.Table), neighbors(node, p, r.Neighbors))
				for _, w := range wrong {
					t.Errorf("%s: %s", r.Name, w)
				}
			}
			if t.Failed() {
				t.Log(n.Report())
			}
		})
	}
}

// installed compares what the node forwards by and a protocol has found with want.
func installed(n *Node, source routing.Source, want []corpus.TopologyRoute) (wrong []string) {
	left := map[netip.Prefix]bool{}
	for _, e := range n.Router.FIB().Walk(netip.Prefix{}, 1<<20) {
		if e.Source == source {
			left[e.Prefix] = true
		}
	}
	for _, w := range want {
		delete(left, w.Prefix)
		e := n.Router.FIB().Get(w.Prefix)
		if e == nil || e.Source != source || e.Metric != w.Metric {
			wrong = append(wrong, fmt.Sprintf("forwards %v by %+v, want %v with metric %d", w.Prefix, e, source, w.Metric))
			continue
		}
		found := false
		for _, h := range e.Group.Hops() {
			found = found || h.Address == w.NextHop && n.Router.View().Interface(h.Interface).Name == w.Interface
		}
		if !found {
			wrong = append(wrong, fmt.Sprintf("forwards %v by %v, want %v %s among them", w.Prefix, e.Group.Hops(), w.NextHop, w.Interface))
		}
	}
	for p := range left {
		wrong = append(wrong, fmt.Sprintf("forwards %v, which it is not to know", p))
	}
	return wrong
}

// table compares the protocol's table with want.
func table(n *Node, p rip.Protocol, want []corpus.TopologyRoute) (wrong []string) {
	m := machineOf(n, p)
	if got := m.Summary().Routes; got != len(want) {
		wrong = append(wrong, fmt.Sprintf("knows %d routes, want %d", got, len(want)))
	}
	for _, w := range want {
		got, ok := m.Route(w.Prefix)
		state := w.Type
		if state == "rip" {
			state = "learned"
		}
		known := !w.NextHop.IsValid() || slices.ContainsFunc(got.Paths, func(x rip.PathInfo) bool {
			return x.NextHop == w.NextHop && n.Router.View().Interface(x.Interface).Name == w.Interface
		})
		if !ok || got.State != state || uint32(got.Metric) != w.Metric || !known {
			wrong = append(wrong, fmt.Sprintf("knows %v as %+v, want it %s with metric %d by %v %s", w.Prefix, got, state, w.Metric, w.NextHop, w.Interface))
		}
	}
	return wrong
}

// neighbors compares who the node hears with want.
func neighbors(n *Node, p rip.Protocol, want []netip.Addr) []string {
	var got []netip.Addr
	for _, x := range machineOf(n, p).Neighbors() {
		got = append(got, x.Address)
	}
	slices.SortFunc(got, netip.Addr.Compare)
	want = slices.SortedFunc(slices.Values(want), netip.Addr.Compare)
	if !slices.Equal(got, want) {
		return []string{fmt.Sprintf("has the neighbours %v, want %v", got, want)}
	}
	return nil
}
