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

// Protocol returns the protocol of that name, nil if the router does not
// support it.
func (r *Router) Protocol(name string) *Protocol {
	for _, p := range r.protocols {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// Protocols returns all protocols that the router supports. The slice must not
// be changed.
func (r *Router) Protocols() []*Protocol { return r.protocols }

// configureProtocols sends the protocols their configurations and subscribes
// them to the RIB.
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
		// A protocol that is removed stays subscribed, so that it learns that
		// its redistributed routes are gone.
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

// neighborLost informs the protocols that a neighbour no longer answers ARP or
// neighbour discovery, on the neighbour machine's goroutine. It never waits: a
// protocol without room now is informed the next time.
func (r *Router) neighborLost(e arp.Lost) {
	for _, p := range r.protocols {
		p.Inbox.Offer(protocol.NeighborState{Link: e.Interface, Address: e.Addr, Cause: routing.CauseNeighbor})
	}
}

// neighborAnswers informs them in the same way that it answers again.
func (r *Router) neighborAnswers(e arp.HopState) {
	for _, p := range r.protocols {
		p.Inbox.Offer(protocol.NeighborState{Link: e.Interface, Address: e.Addr, Cause: routing.CauseNeighbor, Alive: true})
	}
}

// seenKey is the key of an input about a router on a link.
type seenKey struct{ link routing.InterfaceID }

// routerSeen informs a protocol that looks for other routers on a link of one, on the
// neighbour machine's goroutine. Of several only the last is kept.
func (r *Router) routerSeen(e arp.RouterSeen) {
	if p := r.Protocol(e.Client); p != nil {
		p.setPending(seenKey{e.Interface}, protocol.RouterSeen{Link: e.Interface, Address: e.Addr})
	}
}

// updateProtocols informs the protocols of an interface.
func (r *Router) updateProtocols(l *link, up bool) {
	if l.cfg.Kind == dataplane.KindStack {
		return
	}
	var in protocol.Input = protocol.LinkDown{Link: l.id}
	if up {
		in = l.linkUp()
	}
	if r.LinkChanging != nil {
		r.LinkChanging(l.id)
	}
	for _, p := range r.protocols {
		p.Deliver(in)
	}
}

// linkUp is the input that describes the interface to the protocols.
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
