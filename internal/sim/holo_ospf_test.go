package sim

import (
	"testing"
	"time"

	"routerd/internal/corpus"
	"routerd/internal/router"
	"routerd/routing"
	"routerd/routing/ospf"
	"routerd/routing/ospf/wire"
)

// Seven routers in four areas, two of them stubs and one of these totally so, know
// what those of another implementation knew.
func TestHoloOSPFTopology(t *testing.T) {
	topo := corpus.ReadTopology(t, "holo-ospfv2-topo1-1")
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
		for _, i := range r.Interfaces {
			line := i.Name
			for _, a := range i.Addresses {
				line += " " + a.String()
			}
			interfaces = append(interfaces, line)
		}
		c := ospf.DefaultConfig()
		c.RouterID = wire.IDOf(r.RouterID)
		for _, a := range r.Areas {
			area := ospf.DefaultArea()
			area.DefaultCost = 10 // theirs
			if area.NoSummaries = a.NoSummary; a.Stub {
				area.Type = ospf.Stub
			}
			c.Areas[wire.IDOf(a.ID)] = area
			for _, name := range a.Interfaces {
				i := ospf.DefaultInterface(ospf.PointToPoint)
				if name == "lo" {
					i = ospf.DefaultInterface(ospf.NetworkByKind)
				}
				i.Area = wire.IDOf(a.ID)
				c.Interfaces[name] = i
			}
		}
		cfg := config(r.Name, interfaces...)
		cfg.Protocols = map[string]router.ProtocolConfig{"ospf": {Config: c}}
		if err := n.Node(r.Name).Apply(cfg); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Quiet(time.Minute, time.Minute, time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, r := range topo.Routers {
		for _, w := range installed(n.Node(r.Name), routing.SourceOSPF, r.Installed) {
			t.Errorf("%s: %s", r.Name, w)
		}
	}
	if t.Failed() {
		t.Log(n.Report())
	}
}
