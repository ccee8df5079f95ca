package ospf

import (
	"net/netip"
	"slices"

	"routerd/internal/protocols/decode"
	"routerd/routing"
	"routerd/routing/ospf"
	"routerd/routing/policy"
	"routerd/routing/rib"
)

// Policy returns the policy that applies a chain to routes on their way to the
// RIB, nil for an empty chain. Only one machine may use it.
func Policy(chain policy.Chain) ospf.Policy {
	if len(chain) == 0 {
		return nil
	}
	return &chained{chain: chain}
}

type chained struct {
	chain policy.Chain
	seen  policy.Route // reused
}

// Same implements ospf.Policy.
func (p *chained) Same(o ospf.Policy) bool {
	other, ok := o.(*chained)
	return ok && p.chain.Same(other.chain)
}

// Apply implements ospf.Policy. Policies see the first next hop, as everywhere.
func (p *chained) Apply(o *ospf.Offer) bool {
	p.seen = policy.Route{Prefix: o.Prefix, Source: routing.SourceOSPF, Metric: o.Metric, Tag: o.Tag}
	if len(o.NextHops) > 0 {
		p.seen.NextHop = o.NextHops[0].Address
	}
	if !p.chain.Accepts(&p.seen) {
		return false
	}
	o.Metric, o.Tag = p.seen.Metric, p.seen.Tag
	return true
}

var defaultPrefix = netip.PrefixFrom(netip.IPv4Unspecified(), 0)

// withDefault has the machine told of the default route of any source, since it
// announces one of its own while there is one: also of sources that are not
// redistributed, and whatever their policies say of it.
func withDefault(list []rib.Redistribution) []rib.Redistribution {
	var all []rib.Redistribution
	for _, source := range decode.Redistributable {
		if source == routing.SourceOSPF {
			continue
		}
		i := slices.IndexFunc(list, func(r rib.Redistribution) bool { return r.Source == source })
		if i < 0 {
			all = append(all, rib.Redistribution{Source: source, Policy: onlyDefault})
			continue
		}
		r := list[i]
		if inner := r.Policy; inner != nil {
			r.Policy = func(rt *routing.Route) rib.Decision {
				if rt.Prefix == defaultPrefix {
					return rib.Decision{Accept: true}
				}
				return inner(rt)
			}
		}
		all = append(all, r)
	}
	return all
}

func onlyDefault(rt *routing.Route) rib.Decision {
	return rib.Decision{Accept: rt.Prefix == defaultPrefix}
}
