package bgp

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"routerd/dataplane"
	"routerd/internal/protocols/decode"
	"routerd/internal/router"
	"routerd/internal/tomltext"
	"routerd/routing"
	"routerd/routing/bgp"
	"routerd/routing/bgp/wire"
	"routerd/routing/policy"
	"routerd/routing/rib"
)

// decoder reads [bgp].
type decoder struct {
	*decode.Context
	cfg bgp.Config
}

// Decode reads the table of the protocol, and what it redistributes.
func Decode(c *decode.Context, s *tomltext.Section) router.ProtocolConfig {
	d := &decoder{Context: c}
	before := d.Mistakes()
	d.cfg.AS = tomltext.Get(s, "as", 0, asReading)
	if !s.Has("as") {
		d.WrongKey(s.At, fmt.Sprintf("%s has no as", s.At), "as = the number of this router's AS: 65001, say")
	}
	d.decodeRouterID(s)
	if id := tomltext.Get(s, "cluster-id", netip.Addr{}, decode.RouterID); id.IsValid() {
		d.cfg.ClusterID = routerID(id)
	}
	d.decodeDecision(s.Section("decision"))
	d.decodeMultipath(s.Section("multipath"))
	d.decodeListen(s)
	d.cfg.Distance, d.cfg.InternalDistance = c.Distance[routing.SourceEBGP], c.Distance[routing.SourceIBGP]
	d.cfg.GracefulShutdown = tomltext.Get(s, "graceful-shutdown", false, tomltext.Bool)
	d.decodeNetworks(s)
	d.decodeAggregates(s)
	redistributed := d.decodeRedistribute(s.Section("redistribute"))
	d.decodeNeighbors(s)
	s.Done()
	if d.Mistakes() == before {
		if err := d.cfg.Check(); err != nil {
			d.Wrong(s.At, fmt.Sprintf("%s cannot be as it is: %v", s.At, err), "")
		}
	}
	return router.ProtocolConfig{Config: d.cfg, Redistribute: withNetworks(redistributed, d.cfg.Networks)}
}

// decodeRouterID reads the router ID, or chooses one: the highest address of a loopback
// interface, else of any.
func (d *decoder) decodeRouterID(s *tomltext.Section) {
	id := tomltext.Get(s, "router-id", d.RouterID, decode.RouterID)
	if !id.IsValid() {
		id, d.cfg.RouterIDChosen = d.chosenID(), true
	}
	if !id.IsValid() {
		d.WrongKey(s.At, fmt.Sprintf("%s has no router-id, and no interface an IPv4 address to take one from", s.At), `router-id = "192.0.2.1", say`)
		return
	}
	d.cfg.RouterID = routerID(id)
}

func (d *decoder) chosenID() (best netip.Addr) {
	loopback := false
	for _, i := range d.Interfaces {
		is := i.Kind == dataplane.KindLoopback
		for _, p := range i.Addresses {
			a := p.Addr()
			if a.Is4() && (!best.IsValid() || is && !loopback || is == loopback && best.Less(a)) {
				best, loopback = a, is
			}
		}
	}
	return best
}

func routerID(a netip.Addr) wire.RouterID {
	b := a.As4()
	return wire.RouterID(uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3]))
}

// decodeDecision reads the switches of the decision between routes of one prefix.
func (d *decoder) decodeDecision(s *tomltext.Section) {
	r := &d.cfg.Rules
	r.AlwaysCompareMED = tomltext.Get(s, "always-compare-med", false, tomltext.Bool)
	r.SequentialMED = !tomltext.Get(s, "deterministic-med", true, tomltext.Bool)
	r.MissingMEDWorst = tomltext.Get(s, "med-missing-as-worst", false, tomltext.Bool)
	r.PreferOldest = !tomltext.Get(s, "compare-router-id", true, tomltext.Bool)
	r.IgnorePathLength = tomltext.Get(s, "ignore-as-path-length", false, tomltext.Bool)
	r.IgnoreMetric = tomltext.Get(s, "ignore-next-hop-metric", false, tomltext.Bool)
	s.Done()
}

func (d *decoder) decodeMultipath(s *tomltext.Section) {
	r := &d.cfg.Rules
	paths := tomltext.Whole(1, routing.MaxNextHops)
	r.MultipathExternal = tomltext.Get(s, "ebgp", 1, paths)
	r.MultipathInternal = tomltext.Get(s, "ibgp", 1, paths)
	r.MultipathRelax = tomltext.Get(s, "as-path-relax", false, tomltext.Bool)
	s.Done()
}

// decodeListen reads where connections are accepted: at all addresses, unless the key says
// otherwise.
func (d *decoder) decodeListen(s *tomltext.Section) {
	port := uint16(tomltext.Get(s, "port", wire.Port, tomltext.Whole(1, 65535)))
	list := tomltext.Distinct(s, "listen", tomltext.Address)
	if s.Default("listen", "0.0.0.0 ::"); !s.Has("listen") {
		list = []tomltext.Item[netip.Addr]{{Value: netip.IPv4Unspecified()}, {Value: netip.IPv6Unspecified()}}
	}
	for _, a := range list {
		f := wire.FamilyFor(netip.PrefixFrom(a.Value, 0))
		if d.cfg.Listen[f].IsValid() {
			d.Wrong(a.At, fmt.Sprintf("%s is %s, beside another address of its family", a.At, a.Value), "one of IPv4 and one of IPv6 at most")
			continue
		}
		d.cfg.Listen[f] = netip.AddrPortFrom(a.Value, port)
	}
}

// decodeNetworks reads the prefixes that the router originates.
func (d *decoder) decodeNetworks(s *tomltext.Section) {
	var text []string
	seen := map[netip.Prefix]bool{}
	for _, v := range s.Elements("networks") {
		t, isTable := s.Inner("networks", v)
		var n bgp.Network
		if isTable {
			n.Prefix = tomltext.Get(t, "prefix", netip.Prefix{}, tomltext.Subnet)
			n.Always = tomltext.Get(t, "always", false, tomltext.Bool)
			if t.Done(); !t.Has("prefix") {
				d.Wrong(v.At, fmt.Sprintf("%s has no prefix", v.At), `{ prefix = "203.0.113.0/24", always = true }, say`)
			}
		} else {
			n.Prefix, _ = tomltext.Read(s, v, tomltext.Subnet)
		}
		switch {
		case !n.Prefix.IsValid():
			continue
		case !wire.Destination(n.Prefix):
			d.Wrong(v.At, fmt.Sprintf("%s is %s, where no packet goes", v.At, n.Prefix), "a network of unicast addresses")
			continue
		case seen[n.Prefix]:
			d.Wrong(v.At, fmt.Sprintf("%s is %s, which the list has already", v.At, n.Prefix), "each network once")
			continue
		}
		seen[n.Prefix] = true
		d.cfg.Networks = append(d.cfg.Networks, n)
		word := n.Prefix.String()
		if n.Always {
			word += " always"
		}
		text = append(text, word)
	}
	s.Record("networks", joined(text))
}

func joined(words []string) (text string) {
	for i, w := range words {
		if i > 0 {
			text += ", "
		}
		text += w
	}
	return text
}

// own are the sources of the protocol's own routes.
var own = []routing.Source{routing.SourceEBGP, routing.SourceIBGP}

// decodeRedistribute reads what is redistributed. Routes keep their metrics, which become
// their MEDs, unless the table has another.
func (d *decoder) decodeRedistribute(s *tomltext.Section) []rib.Redistribution {
	return d.Redistribute(s, own, func(t *tomltext.Section) (rib.Redistribution, policy.Chain) {
		metric := tomltext.Get(t, "metric", 0, tomltext.Whole(0, 1<<32-1))
		t.Default("metric", "that of the route")
		return rib.Redistribution{Metric: uint32(metric), KeepMetric: !t.Has("metric")}, d.Chain(t, "policy")
	})
}

// withNetworks has the machine told also of the routes of its networks, of any source and
// whatever the policies of redistributions say of them.
func withNetworks(list []rib.Redistribution, networks []bgp.Network) []rib.Redistribution {
	if len(networks) == 0 {
		return list
	}
	is := make(map[netip.Prefix]bool, len(networks))
	for _, n := range networks {
		is[n.Prefix] = true
	}
	for _, source := range decode.Redistributable {
		if slices.Contains(own, source) {
			continue
		}
		i := slices.IndexFunc(list, func(r rib.Redistribution) bool { return r.Source == source })
		if i < 0 {
			i = len(list)
			list = append(list, rib.Redistribution{
				Source: source, KeepMetric: true,
				Policy: func(*routing.Route) rib.Decision { return rib.Decision{} },
				Trace: func(rt *routing.Route) []string {
					return []string{fmt.Sprintf("rejected: %s is not among the networks, and %s is not redistributed", rt.Prefix, source)}
				},
			})
		}
		list[i] = withNetwork(list[i], is)
	}
	slices.SortFunc(list, func(a, b rib.Redistribution) int { return cmp.Compare(a.Source, b.Source) })
	return list
}

func withNetwork(r rib.Redistribution, is map[netip.Prefix]bool) rib.Redistribution {
	policy, trace := r.Policy, r.Trace
	r.Policy = func(rt *routing.Route) rib.Decision {
		switch {
		case is[rt.Prefix]:
			return rib.Decision{Accept: true, MetricSet: true} // it keeps its own
		case policy == nil:
			return rib.Decision{Accept: true}
		}
		return policy(rt)
	}
	r.Trace = func(rt *routing.Route) []string {
		switch {
		case is[rt.Prefix]:
			return []string{"accepted: it is among the networks"}
		case trace == nil:
			return nil
		}
		return trace(rt)
	}
	return r
}
