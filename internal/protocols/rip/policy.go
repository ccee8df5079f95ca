package rip

import (
	"routerd/routing/policy"
	"routerd/routing/rip"
)

// Policy asks the policies about what RIP hears or says; nil without any. One
// machine may have it.
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
		o.Tag = 0 // which RIP cannot say
	}
	return true
}
