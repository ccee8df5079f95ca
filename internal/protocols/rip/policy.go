package rip

import (
	"routerd/routing/policy"
	"routerd/routing/rip"
)

// Policy returns the policy that applies a chain to routes that RIP receives or
// sends, nil for an empty chain. Only one machine may use it.
func Policy(chain policy.Chain) rip.Policy {
	if len(chain) == 0 {
		return nil
	}
	return &chained{chain: chain}
}

type chained struct {
	chain policy.Chain
	seen  policy.Route // reused
}

// Same implements rip.Policy.
func (p *chained) Same(o rip.Policy) bool {
	other, ok := o.(*chained)
	return ok && p.chain.Same(other.chain)
}

// Apply implements rip.Policy.
func (p *chained) Apply(o *rip.Offer) bool {
	p.seen = policy.Route{Prefix: o.Prefix, Source: o.Source, NextHop: o.NextHop, Metric: uint32(o.Metric), Tag: uint32(o.Tag)}
	if !p.chain.Accepts(&p.seen) {
		return false
	}
	o.Metric = rip.CapMetric(p.seen.Metric)
	if o.Tag = uint16(p.seen.Tag); p.seen.Tag > 0xffff {
		o.Tag = 0 // too large for RIP
	}
	return true
}
