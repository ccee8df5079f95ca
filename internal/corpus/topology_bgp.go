package corpus

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// BGPTopology is a network of another implementation's tests of BGP, with what its routers
// have chosen after convergence.
type BGPTopology struct {
	Routers []BGPRouter
	Links   [][2]string // "rt1:eth-rt2", "rt2:eth-rt1"
}

// BGPRouter is one router of a [BGPTopology]. It announces the address of its "lo" alone,
// which is its ID.
type BGPRouter struct {
	Name       string
	AS         uint32
	ID         netip.Addr
	Interfaces []TopologyInterface // by name
	OSPF       []string            // those of its one area: "lo", and others as point-to-point
	Neighbors  []BGPNeighbor
	Chosen     []BGPPath // its own included
}

// BGPNeighbor is a neighbour as a router is told of it. Local is invalid where it is
// spoken to from the address of the link.
type BGPNeighbor struct {
	Address, Local netip.Addr
	AS             uint32
}

// BGPPath is a route that a router has chosen.
type BGPPath struct {
	Prefix  netip.Prefix
	NextHop netip.Addr // invalid for its own
	Path    string     // AS numbers
	Origin  string     // igp, egp or incomplete
}

type bgpTopologyFile struct {
	Routers map[string]struct {
		RouterID  netip.Addr `json:"router_id"`
		Addresses []struct {
			Ifname string
			Addr   netip.Prefix
		}
		Config struct {
			Interfaces struct {
				Interface []struct{ Name string }
			} `json:"ietf-interfaces:interfaces"`
			Routing bgpTopologyRouting `json:"ietf-routing:routing"`
		}
		State struct {
			Routing bgpTopologyRouting `json:"ietf-routing:routing"`
		} `json:"expected_state"`
	}
}

// bgpTopologyRouting is the configuration and the state: each has its part of it.
type bgpTopologyRouting struct {
	Protocols struct {
		List []struct {
			OSPF topologyOSPF `json:"ietf-ospf:ospf"`
			BGP  struct {
				Global    struct{ AS uint32 }
				Neighbors struct {
					Neighbor []struct {
						Remote    netip.Addr `json:"remote-address"`
						AS        uint32     `json:"peer-as"`
						Transport struct {
							Local netip.Addr `json:"local-address"`
						}
					}
				}
				RIB bgpTopologyRIB
			} `json:"ietf-bgp:bgp"`
		} `json:"control-plane-protocol"`
	} `json:"control-plane-protocols"`
}

type bgpTopologyRIB struct {
	Sets struct {
		Set []struct {
			Index      string
			Attributes struct {
				Origin string
				Path   struct {
					Segment []struct{ Member []uint32 }
				} `json:"as-path"`
				NextHop netip.Addr `json:"next-hop"`
			}
		} `json:"attr-set"`
	} `json:"attr-sets"`
	Families struct {
		Family []struct {
			IPv4 struct {
				Chosen struct {
					Routes struct {
						Route []struct {
							Prefix netip.Prefix
							Set    string `json:"attr-index"`
						}
					}
				} `json:"loc-rib"`
			} `json:"ipv4-unicast"`
		} `json:"afi-safi"`
	} `json:"afi-safis"`
}

// ReadBGPTopology reads topologies/NAME.json. An interface eth-rt2 leads to rt2; its
// address is the one that rt2 has a neighbour at.
func ReadBGPTopology(tb testing.TB, name string) *BGPTopology {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join(Dir(tb), "topologies", name+".json"))
	if err != nil {
		tb.Fatalf("read topology %q: %v", name, err)
	}
	var f bgpTopologyFile
	if err := json.Unmarshal(text, &f); err != nil {
		tb.Fatalf("read topology %q: %v", name, err)
	}
	t := &BGPTopology{}
	for _, name := range slices.Sorted(maps.Keys(f.Routers)) {
		t.Routers = append(t.Routers, f.router(name))
	}
	for i := range t.Routers {
		r := &t.Routers[i]
		r.Interfaces = append(r.Interfaces, TopologyInterface{"lo", []netip.Prefix{netip.PrefixFrom(r.ID, 32)}})
		for _, x := range f.Routers[r.Name].Config.Interfaces.Interface {
			if other, ok := strings.CutPrefix(x.Name, "eth-"); ok {
				r.Interfaces = append(r.Interfaces, TopologyInterface{x.Name, []netip.Prefix{f.address(t, r, other)}})
				if r.Name < other {
					t.Links = append(t.Links, [2]string{r.Name + ":" + x.Name, other + ":eth-" + r.Name})
				}
			}
		}
	}
	return t
}

// address is the address of a router's interface to another one.
func (f *bgpTopologyFile) address(t *BGPTopology, r *BGPRouter, other string) netip.Prefix {
	for _, a := range f.Routers[r.Name].Addresses {
		if a.Ifname == "eth-"+other {
			return a.Addr
		}
	}
	at := &t.Routers[slices.IndexFunc(t.Routers, func(x BGPRouter) bool { return x.Name == other })]
	for _, theirs := range at.Neighbors {
		for _, mine := range r.Neighbors {
			p := netip.PrefixFrom(theirs.Address, 24)
			if theirs.AS == r.AS && mine.AS == at.AS && p.Contains(mine.Address) {
				return p
			}
		}
	}
	return netip.Prefix{}
}

func (f *bgpTopologyFile) router(name string) BGPRouter {
	from := f.Routers[name]
	r := BGPRouter{Name: name, ID: from.RouterID}
	for _, p := range from.Config.Routing.Protocols.List {
		for _, a := range p.OSPF.Areas.Area {
			for _, i := range a.Interfaces.Interface {
				r.OSPF = append(r.OSPF, i.Name)
			}
		}
		r.AS = max(r.AS, p.BGP.Global.AS)
		for _, n := range p.BGP.Neighbors.Neighbor {
			r.Neighbors = append(r.Neighbors, BGPNeighbor{n.Remote, n.Transport.Local, n.AS})
		}
	}
	for _, p := range from.State.Routing.Protocols.List {
		r.Chosen = append(r.Chosen, p.BGP.RIB.chosen()...)
	}
	return r
}

func (b *bgpTopologyRIB) chosen() (list []BGPPath) {
	sets := map[string]BGPPath{}
	for _, s := range b.Sets.Set {
		p := BGPPath{NextHop: s.Attributes.NextHop, Origin: s.Attributes.Origin}
		for _, segment := range s.Attributes.Path.Segment {
			p.Path = strings.TrimSpace(p.Path + " " + strings.Trim(fmt.Sprint(segment.Member), "[]"))
		}
		sets[s.Index] = p
	}
	for _, family := range b.Families.Family {
		for _, x := range family.IPv4.Chosen.Routes.Route {
			p := sets[x.Set]
			p.Prefix = x.Prefix
			list = append(list, p)
		}
	}
	return list
}
