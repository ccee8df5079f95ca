package sim

import (
	"net/netip"
	"testing"
	"time"

	"routerd/internal/corpus"
	"routerd/internal/router"
	"routerd/routing"
	"routerd/routing/bgp"
	bgpwire "routerd/routing/bgp/wire"
	"routerd/routing/ospf"
	"routerd/routing/ospf/wire"
	"routerd/routing/policy"
	"routerd/routing/rib"
)

// Four routers of three ASes in a ring, two of them inside one AS and joined by OSPF,
// choose what those of another implementation chose.
func TestHoloBGPTopology(t *testing.T) {
	topo := corpus.ReadBGPTopology(t, "holo-bgp-topo1-1")
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
		interfaces := []string{"stack"}
		for _, i := range r.Interfaces {
			interfaces = append(interfaces, i.Name+" "+i.Addresses[0].String())
		}
		cfg := config(r.Name, interfaces...)
		own := netip.PrefixFrom(r.ID, 32)
		cfg.Protocols = map[string]router.ProtocolConfig{"bgp": {Config: holoBGP(&r), Redistribute: []rib.Redistribution{{
			Source: routing.SourceConnected,
			Policy: func(rt *routing.Route) rib.Decision { return rib.Decision{Accept: rt.Prefix == own} },
		}}}}
		if len(r.OSPF) > 0 {
			c := ospf.DefaultConfig()
			c.RouterID = wire.IDOf(r.ID)
			c.Areas[0] = ospf.DefaultArea()
			for _, name := range r.OSPF {
				i := ospf.DefaultInterface(ospf.PointToPoint)
				if name == "lo" {
					i = ospf.DefaultInterface(ospf.NetworkByKind)
				}
				c.Interfaces[name] = i
			}
			cfg.Protocols["ospf"] = router.ProtocolConfig{Config: c}
		}
		if err := n.Node(r.Name).Apply(cfg); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Quiet(time.Minute, time.Minute, time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, r := range topo.Routers {
		m := n.Node(r.Name).Router.Protocol("bgp").Core().(*bgp.Machine)
		for _, want := range r.Chosen {
			found := false
			for _, s := range m.Routes(want.Prefix) {
				a := &s.Attributes
				if !s.Best || a.ASPath.String() != want.Path || a.Origin.String() != want.Origin || s.From.IsValid() != want.NextHop.IsValid() {
					continue
				}
				found = !want.NextHop.IsValid() || a.NextHop.Address == want.NextHop
			}
			if !found {
				t.Errorf("%s: of %s it has %+v, want %+v as the best", r.Name, want.Prefix, m.Routes(want.Prefix), want)
			}
		}
	}
	if t.Failed() {
		t.Log(n.Report())
	}
}

// holoBGP is what a router is told of its neighbours.
func holoBGP(r *corpus.BGPRouter) bgp.Config {
	id := r.ID.As4()
	c := bgp.Config{AS: r.AS, RouterID: bgpwire.RouterID(uint32(id[0])<<24 | uint32(id[1])<<16 | uint32(id[2])<<8 | uint32(id[3]))}
	c.Listen[bgpwire.IPv4Unicast] = netip.AddrPortFrom(netip.IPv4Unspecified(), bgpwire.Port)
	for _, x := range r.Neighbors {
		s := bgp.NeighborConfig{
			Address: x.Address, Link: routing.NoInterface, AS: x.AS, Local: x.Local, HoldTime: 9, Keepalive: 3 * time.Second, ConnectRetry: 5 * time.Second,
		}
		all := bgp.Policy{Given: true, Chain: policy.Chain{}}
		s.Families[bgpwire.IPv4Unicast] = bgp.FamilyConfig{Enabled: true, Import: all, Export: all}
		c.Neighbors = append(c.Neighbors, s)
	}
	return c
}
