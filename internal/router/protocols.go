package router

import (
	"fmt"
	"time"

	"routerd/arp"
	"routerd/dataplane"
	"routerd/dataplane/port"
	"routerd/routing"
	"routerd/routing/protocol"
	"routerd/routing/rib"
)

// Protocol gives the protocol of that name, nil if the router cannot speak it.
func (r *Router) Protocol(name string) *Protocol {
	for _, p := range r.protocols {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// Protocols gives all that the router can speak, to be read only.
func (r *Router) Protocols() []*Protocol { return r.protocols }

// configureProtocols tells the protocols what cfg says of them, and the RIB
// what they are to hear of.
func (r *Router) configureProtocols(cfg Config, now time.Time) error {
	for name := range cfg.Protocols {
		if r.Protocol(name) == nil {
			return fmt.Errorf("configuring %s: this router does not speak it", name)
		}
	}
	for _, p := range r.protocols {
		c, wanted := cfg.Protocols[p.Name]
		if !wanted && !p.configured {
			continue
		}
		// A protocol that is taken out stays subscribed: it has to hear that
		// what was redistributed no longer is.
		err := r.rib.Step(now, rib.Subscribe{
			Name: p.Name, Speaks: []routing.Source{p.Source}, Family: p.Family, Redistribute: c.Redistribute,
		})
		if err != nil {
			return err
		}
		p.configured = wanted
		p.Deliver(protocol.Configure{Config: c.Config, Saved: c.Saved})
	}
	return nil
}

// neighborLost tells the protocols that a neighbour does not answer ARP or
// neighbour discovery any more, on the goroutine that found out. It never
// waits: one that has no room now hears of it the next time.
func (r *Router) neighborLost(e arp.Lost) {
	for _, p := range r.protocols {
		p.Inbox.Offer(protocol.NeighborState{Link: e.Interface, Address: e.Addr, Cause: routing.CauseNeighbor})
	}
}

// neighborAnswers tells them that it does again, in the same way.
func (r *Router) neighborAnswers(e arp.HopState) {
	for _, p := range r.protocols {
		p.Inbox.Offer(protocol.NeighborState{Link: e.Interface, Address: e.Addr, Cause: routing.CauseNeighbor, Alive: true})
	}
}

// tellProtocols keeps the protocols informed of an interface.
func (r *Router) tellProtocols(l *link, up bool) {
	if l.cfg.Kind == dataplane.KindStack {
		return
	}
	var in protocol.Input = protocol.LinkDown{Link: l.id}
	if up {
		in = l.linkUp()
	}
	for _, p := range r.protocols {
		p.Deliver(in)
	}
}

// linkUp is what the protocols are to know of the interface.
func (l *link) linkUp() protocol.LinkUp {
	kind := protocol.Broadcast
	switch l.cfg.Kind {
	case dataplane.KindLoopback:
		kind = protocol.Loopback
	case dataplane.KindTUN:
		kind = protocol.PointToPoint
	}
	in := protocol.LinkUp{Link: l.id, Name: l.cfg.Name, Kind: kind, Addresses: l.addresses(), MTU: l.mtu}
	if p, ok := l.port.(port.Rated); ok {
		in.Speed = p.Speed()
	}
	return in
}
