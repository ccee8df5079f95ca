package lab

import (
	"strings"
	"testing"
	"time"

	"routerd/internal/corpus"
)

// holoBGPLab writes the lab of a topology of BGP routers: lo is a loopback, whose address
// alone is redistributed.
func holoBGPLab(topo *corpus.BGPTopology) string {
	var b strings.Builder
	line := line(&b)
	line("name = \"NAME\"")
	addresses := map[string]string{}
	for _, r := range topo.Routers {
		at := "node." + r.Name + ".config"
		line("[node.%s]\nkind = \"router\"", r.Name)
		for _, i := range r.Interfaces {
			addresses[r.Name+":"+i.Name] = list(i.Addresses)
			if i.Name == "lo" {
				line("[%s.interface.lo]\nkind = \"loopback\"\naddresses = %s", at, list(i.Addresses))
			}
		}
		if len(r.OSPF) > 0 {
			line("[%s.ospf]\nrouter-id = %q", at, r.ID)
		}
		for _, name := range r.OSPF {
			line("[%s.ospf.interface.%s]\narea = 0", at, name)
			if name == "lo" {
				line("passive = true")
			} else {
				line("network = \"point-to-point\"\nhello-interval = \"1s\"")
			}
		}
		line("[%s.policy.prefix-set]\nown = [{ ip-prefix = \"%s/32\" }]", at, r.ID)
		line("[[%s.policy.definition.own.statement]]\nmatch = { prefix-set = \"own\" }\naction = \"accept\"", at)
		line("[%s.bgp]\nas = %d\nrouter-id = %q\nredistribute.connected = { policy = [\"own\"] }", at, r.AS, r.ID)
		for _, n := range r.Neighbors {
			line("[%s.bgp.neighbor.%q]\npeer-as = %d\nconnect-retry = \"1s\"\nimport-policy = []\nexport-policy = []", at, n.Address, n.AS)
			if n.Local.IsValid() {
				line("local-address = %q", n.Local)
			}
		}
	}
	for _, l := range topo.Links {
		line("[[link]]\nendpoints = %s\n[link.addresses]", list(l[:]))
		for _, end := range l {
			line("%q = %s", end, addresses[end])
		}
	}
	return b.String()
}

// Routers in the places of another implementation's choose what those chose, over eBGP in
// a ring, and over iBGP between loopbacks that OSPF joins.
func TestHoloBGPTopology(t *testing.T) {
	t.Parallel()
	topo := corpus.ReadBGPTopology(t, "holo-bgp-topo1-1")
	p := &bgpPlan{}
	want := map[string]bgpTable{}
	for _, r := range topo.Routers {
		p.seats = append(p.seats, bgpSeat{name: r.Name, make: makeRouterd})
		want[r.Name] = bgpTable{}
		for _, c := range r.Chosen {
			if c.NextHop.IsValid() {
				want[r.Name][c.Prefix.String()] = bgpKnown{Path: c.Path, Hop: c.NextHop.String(), Origin: c.Origin}
			}
		}
		if len(want[r.Name]) == 0 {
			t.Fatalf("nothing is expected of %s", r.Name)
		}
	}
	b := &bgpBench{bench: newRIPBench(t, holoBGPLab(topo)), plan: p}
	b.up()
	b.settleBGP(60*time.Second, want)
}
