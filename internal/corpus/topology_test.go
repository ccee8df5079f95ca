package corpus

import (
	"net/netip"
	"testing"
)

func TestReadTopology(t *testing.T) {
	for name, hop := range map[string]string{"holo-ripv2-topo1-1": "10.0.1.2", "holo-ripng-topo1-1": "fe80::83e:a2ff:fee4:a5bb"} {
		topo := ReadTopology(t, name)
		if len(topo.Routers) != 4 || len(topo.Links) != 4 {
			t.Fatalf("%s: %d routers and %d links, want 4 of each", name, len(topo.Routers), len(topo.Links))
		}
		if want := [2]string{"rt1:eth-rt2", "rt2:eth-rt1"}; topo.Links[0] != want {
			t.Errorf("%s: the first link is %v, want %v", name, topo.Links[0], want)
		}
		r := topo.Routers[0]
		if len(r.Interfaces) != 3 || len(r.Interfaces[0].Addresses) != 2 {
			t.Errorf("%s: interfaces %v, want 3 with 2 addresses each", name, r.Interfaces)
		}
		if r.Neighbors[0] != netip.MustParseAddr(hop) || len(r.Neighbors) != 2 {
			t.Errorf("%s: neighbours %v, want 2, the first %s", name, r.Neighbors, hop)
		}
		for _, list := range [][]TopologyRoute{r.Installed, r.Table} {
			learned := 0
			for _, x := range list {
				if !x.Prefix.IsValid() || x.Metric == 0 || x.Interface == "" {
					t.Errorf("%s: route %+v, want a prefix, a metric and an interface", name, x)
				}
				if x.Type == "rip" && x.NextHop.IsValid() {
					learned++
				}
			}
			if want := len(r.Installed); learned != want || want < 3 {
				t.Errorf("%s: %d learned routes in %v, want %d and at least 3", name, learned, list, want)
			}
		}
	}
}

func TestReadTopologyOfAreas(t *testing.T) {
	topo := ReadTopology(t, "holo-ospfv2-topo1-1")
	if len(topo.Routers) != 7 || len(topo.Links) != 6 {
		t.Fatalf("%d routers and %d links, want 7 and 6", len(topo.Routers), len(topo.Links))
	}
	r := topo.Routers[5]
	if r.RouterID != netip.MustParseAddr("6.6.6.6") || len(r.Areas) != 2 || len(r.Installed) != 10 {
		t.Fatalf("the sixth router is %+v, want 6.6.6.6 with two areas and ten routes", r)
	}
	if a := r.Areas[0]; a.ID != netip.MustParseAddr("0.0.0.3") || !a.Stub || !a.NoSummary || len(a.Interfaces) != 2 {
		t.Errorf("its first area is %+v, want 0.0.0.3, totally stubby, with two interfaces", a)
	}
}

func TestReadBGPTopology(t *testing.T) {
	topo := ReadBGPTopology(t, "holo-bgp-topo1-1")
	if len(topo.Routers) != 4 || len(topo.Links) != 4 {
		t.Fatalf("%d routers and %d links, want 4 of each", len(topo.Routers), len(topo.Links))
	}
	for _, r := range topo.Routers {
		if len(r.Interfaces) != 3 || len(r.Neighbors) != 2 || len(r.Chosen) != 4 || r.AS == 0 {
			t.Errorf("%+v: want three interfaces, two neighbours, four routes and an AS", r)
		}
		for _, i := range r.Interfaces {
			if !i.Addresses[0].IsValid() {
				t.Errorf("%s of %s has no address", i.Name, r.Name)
			}
		}
	}
	r := topo.Routers[2]
	if got, want := r.Neighbors[1], (BGPNeighbor{netip.MustParseAddr("4.4.4.4"), netip.MustParseAddr("3.3.3.3"), 65000}); got != want {
		t.Errorf("the second neighbour of rt3 is %v, want %v", got, want)
	}
	want := BGPPath{netip.MustParsePrefix("2.2.2.2/32"), netip.MustParseAddr("10.0.2.1"), "65100 65101", "incomplete"}
	if r.Chosen[1] != want || len(r.OSPF) != 2 {
		t.Errorf("rt3 has chosen %v and runs OSPF on %v, want %v and two interfaces", r.Chosen[1], r.OSPF, want)
	}
}
