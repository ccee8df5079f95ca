package corpus

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Topology is a network of another implementation's tests, with the routes of
// its routers after convergence.
type Topology struct {
	Protocol string // "ripv2", "ripng" or "ospfv2"
	Routers  []TopologyRouter
	Links    [][2]string // "rt1:eth-rt2", "rt2:eth-rt1"
}

// TopologyRouter is one router of a [Topology].
type TopologyRouter struct {
	Name       string
	Interfaces []TopologyInterface // by name; "lo" is a loopback
	// Installed are the routes that it forwards by, Table those of its
	// protocol, its own included. Of equal-cost routes each has one.
	Installed, Table []TopologyRoute
	Neighbors        []netip.Addr
	// Of OSPF, whose interfaces are point-to-point but for "lo".
	RouterID netip.Addr
	Areas    []TopologyArea
}

// TopologyArea is what a router is told of an area.
type TopologyArea struct {
	ID         netip.Addr
	Stub       bool
	NoSummary  bool
	Interfaces []string
}

// TopologyInterface is an interface with its addresses, host bits included.
type TopologyInterface struct {
	Name      string
	Addresses []netip.Prefix
}

// TopologyRoute is a route that a router has.
type TopologyRoute struct {
	Prefix    netip.Prefix
	Type      string // "connected" or "rip", of either version
	Metric    uint32
	Tag       uint32
	NextHop   netip.Addr // invalid for connected routes
	Interface string
}

// topologyFile is the content of topologies/NAME.json, as far as it is read.
type topologyFile struct {
	Protocol string
	Routers  map[string]struct {
		Addresses []struct {
			Ifname string
			Addr   netip.Prefix
		}
		Interfaces map[string]struct{ Ifindex int }
		Config     struct {
			Routing struct {
				Protocols struct {
					List []struct {
						OSPF topologyOSPF `json:"ietf-ospf:ospf"`
					} `json:"control-plane-protocol"`
				} `json:"control-plane-protocols"`
			} `json:"ietf-routing:routing"`
		}
		Installed []struct {
			Prefix      netip.Prefix
			Metric, Tag uint32
			Nexthops    []struct {
				Address struct {
					Ifindex int
					Addr    netip.Addr
				}
			}
		} `json:"expected_installed_routes"`
		State struct {
			Routing struct {
				Protocols struct {
					List []struct {
						RIP struct{ IPv4, IPv6 topologyState } `json:"ietf-rip:rip"`
					} `json:"control-plane-protocol"`
				} `json:"control-plane-protocols"`
			} `json:"ietf-routing:routing"`
		} `json:"expected_state"`
	}
}

type topologyOSPF struct {
	RouterID netip.Addr `json:"explicit-router-id"`
	Areas    struct {
		Area []struct {
			ID         netip.Addr `json:"area-id"`
			Type       string     `json:"area-type"`
			Summary    *bool
			Interfaces struct{ Interface []struct{ Name string } }
		}
	}
}

type topologyState struct {
	Neighbors struct {
		Neighbor []struct {
			IPv4 netip.Addr `json:"ipv4-address"`
			IPv6 netip.Addr `json:"ipv6-address"`
		}
	}
	Routes struct {
		Route []struct {
			IPv4      netip.Prefix `json:"ipv4-prefix"`
			IPv6      netip.Prefix `json:"ipv6-prefix"`
			NextHop   netip.Addr   `json:"next-hop"`
			Interface string
			Type      string `json:"route-type"`
			Metric    uint32
		}
	}
}

// ReadTopology reads topologies/NAME.json. An interface eth-rt2 leads to rt2.
func ReadTopology(tb testing.TB, name string) *Topology {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join(Dir(tb), "topologies", name+".json"))
	if err != nil {
		tb.Fatalf("read topology %q: %v", name, err)
	}
	var f topologyFile
	if err := json.Unmarshal(text, &f); err != nil {
		tb.Fatalf("read topology %q: %v", name, err)
	}
	t := &Topology{Protocol: f.Protocol}
	for _, name := range slices.Sorted(maps.Keys(f.Routers)) {
		t.Routers = append(t.Routers, f.router(name))
		for _, i := range t.Routers[len(t.Routers)-1].Interfaces {
			if other, ok := strings.CutPrefix(i.Name, "eth-"); ok && name < other {
				t.Links = append(t.Links, [2]string{name + ":" + i.Name, other + ":eth-" + name})
			}
		}
	}
	return t
}

func (f *topologyFile) router(name string) TopologyRouter {
	from, r := f.Routers[name], TopologyRouter{Name: name}
	addresses := map[string][]netip.Prefix{}
	for _, a := range from.Addresses {
		addresses[a.Ifname] = append(addresses[a.Ifname], a.Addr)
	}
	for _, i := range slices.Sorted(maps.Keys(addresses)) {
		r.Interfaces = append(r.Interfaces, TopologyInterface{i, addresses[i]})
	}
	names := map[int]string{}
	for i, x := range from.Interfaces {
		names[x.Ifindex] = i
	}
	for _, x := range from.Installed {
		hop := x.Nexthops[0].Address
		r.Installed = append(r.Installed, TopologyRoute{x.Prefix, "rip", x.Metric, x.Tag, hop.Addr, names[hop.Ifindex]})
	}
	for _, p := range from.Config.Routing.Protocols.List {
		r.RouterID = p.OSPF.RouterID
		for _, a := range p.OSPF.Areas.Area {
			area := TopologyArea{ID: a.ID, Stub: a.Type == "ietf-ospf:stub-area", NoSummary: a.Summary != nil && !*a.Summary}
			for _, i := range a.Interfaces.Interface {
				area.Interfaces = append(area.Interfaces, i.Name)
			}
			r.Areas = append(r.Areas, area)
		}
	}
	for _, p := range from.State.Routing.Protocols.List {
		for _, s := range []topologyState{p.RIP.IPv4, p.RIP.IPv6} {
			for _, n := range s.Neighbors.Neighbor {
				r.Neighbors = append(r.Neighbors, cmp.Or(n.IPv4, n.IPv6))
			}
			for _, x := range s.Routes.Route {
				r.Table = append(r.Table, TopologyRoute{cmp.Or(x.IPv4, x.IPv6), x.Type, x.Metric, 0, x.NextHop, x.Interface})
			}
		}
	}
	return r
}
