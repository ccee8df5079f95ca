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

// withDefaults has the machine told of default routes where they count. A
// redistribution without a policy leaves them out, as in FRR: a default route that
// nobody has thought of would draw the traffic of a whole network. Where the router
// announces one of its own while there is one, that of any source counts; and for
// what it announces to all, whatever the policies of redistributions say of it.
func withDefaults(list []rib.Redistribution, cfg *ospf.Config) []rib.Redistribution {
	depends := func(o *ospf.Origination) bool { return o != nil && !o.Always }
	all := depends(cfg.DefaultInformation)
	some := all
	for _, a := range cfg.Areas {
		some = some || depends(a.DefaultInformation)
	}
	var out []rib.Redistribution
	for _, source := range decode.Redistributable {
		i := slices.IndexFunc(list, func(r rib.Redistribution) bool { return r.Source == source })
		switch {
		case source == routing.SourceOSPF:
		case i < 0 && some:
			out = append(out, rib.Redistribution{Source: source, Policy: onlyDefault, Trace: saying("accepted: default-information depends on it")})
		case i < 0:
		case list[i].Policy == nil && some:
			out = append(out, list[i])
		case list[i].Policy == nil:
			r := list[i]
			r.Policy, r.Trace = noDefault, saying("rejected: without a policy that accepts it, a default route is announced by default-information alone")
			out = append(out, r)
		case all:
			r := list[i]
			inner := r.Policy
			r.Policy = func(rt *routing.Route) rib.Decision {
				if rt.Prefix == defaultPrefix {
					return rib.Decision{Accept: true}
				}
				return inner(rt)
			}
			out = append(out, r)
		default:
			out = append(out, list[i])
		}
	}
	return out
}

func onlyDefault(rt *routing.Route) rib.Decision {
	return rib.Decision{Accept: rt.Prefix == defaultPrefix}
}

func noDefault(rt *routing.Route) rib.Decision {
	return rib.Decision{Accept: rt.Prefix != defaultPrefix}
}

// saying explains what becomes of a default route, and nothing of others.
func saying(text string) func(*routing.Route) []string {
	return func(rt *routing.Route) []string {
		if rt.Prefix != defaultPrefix {
			return nil
		}
		return []string{text}
	}
}
