package router

import (
	"time"

	"routerd/dataplane"
	"routerd/routing"
	"routerd/routing/rib"
	"routerd/routing/rip"
)

// ears is the router as its workers see it: what they cannot decide
// themselves goes to the machine that it concerns.
type ears struct{ *Router }

// Punt implements dataplane.Punter.
func (e ears) Punt(list []dataplane.Punt) { e.neighbors.Punt(list) }

// Hear implements dataplane.Punter.
func (e ears) Hear(list []dataplane.Heard) {
	for i := range list {
		h := &list[i]
		switch h.Protocol {
		case dataplane.ProtocolRIP:
			h.Refused = !e.rip[rip.RIP].hear(h)
		case dataplane.ProtocolRIPng:
			h.Refused = !e.rip[rip.RIPng].hear(h)
		}
	}
}

// RIP is the machine of RIP or RIPng, for its owner to look into and to hear
// from.
func (r *Router) RIP(p rip.Protocol) *RIP { return r.rip[p] }

// configureRIP tells both machines, and the RIB what they are to hear of.
func (r *Router) configureRIP(cfg Config, now time.Time) error {
	for i, c := range []*RIPConfig{rip.RIP: cfg.RIP, rip.RIPng: cfg.RIPng} {
		p, m := rip.Protocol(i), r.rip[i]
		if c == nil {
			if m.active {
				// Not Unsubscribe: the machine stays, and has to hear that what
				// was redistributed no longer is.
				err := r.rib.Step(now, rib.Subscribe{Name: p.String(), Speaks: []routing.Source{routing.SourceRIP}})
				if err != nil {
					return err
				}
			}
			m.configure(nil)
			continue
		}
		if d := cfg.RIB.Distance[routing.SourceRIP]; d != 0 {
			with := *c
			with.Distance = d
			c = &with
		}
		m.configure(c)
		family := 4
		if p == rip.RIPng {
			family = 6
		}
		err := r.rib.Step(now, rib.Subscribe{
			Name: p.String(), Speaks: []routing.Source{routing.SourceRIP}, Family: family, Redistribute: c.Redistribute,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// claim takes up what the protocols hear on the interface.
func (l *link) claim(cfg Config) {
	l.claims = nil
	for p, c := range []*RIPConfig{rip.RIP: cfg.RIP, rip.RIPng: cfg.RIPng} {
		if claim, ok := c.claim(rip.Protocol(p), l.cfg.Name); ok {
			l.claims = append(l.claims, claim)
		}
	}
}

// tellProtocols keeps the protocols informed of an interface.
func (r *Router) tellProtocols(l *link, up bool) {
	if l.cfg.Kind == dataplane.KindStack {
		return
	}
	for _, m := range r.rip {
		if up {
			m.must(rip.InterfaceUp{Interface: l.id, Name: l.cfg.Name, Addresses: l.addresses(), MTU: l.mtu})
		} else {
			m.must(rip.InterfaceDown{Interface: l.id})
		}
	}
}
