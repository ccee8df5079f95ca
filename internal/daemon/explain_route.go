package daemon

import (
	"context"
	"net/netip"
	"slices"

	"routerd/dataplane"
	"routerd/internal/control"
	"routerd/routing"
	"routerd/routing/fib"
	"routerd/routing/rib"
)

// ExplainRoute asks the tables first, and then the neighbour machine about the
// neighbours that these name.
func (a api) ExplainRoute(ctx context.Context, target netip.Addr) (x control.RouteExplanation, err error) {
	target = target.WithZone("")
	err = a.on(ctx, func() { x = a.d.explainRoute(target) })
	if err != nil {
		return x, err
	}
	for i := range x.Neighbors {
		n := &x.Neighbors[i]
		if n.State == control.NeighborUnneeded {
			continue
		}
		list, err := a.Neighbors(ctx, control.NeighborQuery{Interface: n.Interface, Address: n.Address})
		if err != nil {
			return x, err
		}
		for _, found := range list.Neighbors {
			n.State, n.MAC, n.Age = found.State, found.MAC, found.Age
		}
	}
	return x, nil
}

func (d *Daemon) explainRoute(target netip.Addr) control.RouteExplanation {
	view := d.router.View()
	from := d.router.RIB().Explain(target)
	x := control.RouteExplanation{
		Address: target, Prefixes: []control.PrefixDecision{}, Shorter: from.Shorter,
		Resolution: []control.ResolutionStep{}, Redistributed: []control.Redistributed{}, Neighbors: []control.RouteNeighbor{},
	}
	for _, p := range from.Prefixes {
		decision := control.PrefixDecision{Prefix: p.Prefix, Used: p.Used, Decided: p.Decided, Routes: []control.Route{}}
		for i := range p.Candidates {
			decision.Routes = append(decision.Routes, d.route(view, &p.Candidates[i]))
		}
		x.Prefixes = append(x.Prefixes, decision)
	}
	for _, s := range from.Resolution {
		x.Resolution = append(x.Resolution, d.resolutionStep(s))
	}
	for _, r := range from.Redistributed {
		x.Redistributed = append(x.Redistributed, control.Redistributed{
			To: r.To, Offered: r.Offered, Pending: r.Pending, Metric: r.Metric, Tag: r.Tag, Policy: r.Policy, WhyNot: r.WhyNot,
		})
	}
	e := d.router.FIB().Lookup(target)
	if e == nil {
		return x
	}
	if dataplane.Anycast(e, target) {
		local := *e
		local.Action, local.Interface, local.Group = routing.Local, e.Group.Hops()[0].Interface, nil
		e = &local
	}
	entry := d.entry(view, e)
	x.Entry = &entry
	if e.Group != nil {
		for _, h := range slices.Concat(e.Group.Hops(), e.Group.Backups()) {
			x.Neighbors = append(x.Neighbors, d.routeNeighbor(h, target))
		}
	}
	return x
}

func (d *Daemon) resolutionStep(s rib.ResolutionStep) control.ResolutionStep {
	out := control.ResolutionStep{
		Depth: s.Depth, Address: s.NextHop.Address, Interface: interfaceName(d.router.View(), s.NextHop.Interface),
		Backup: s.NextHop.Backup, WhyNot: s.WhyNot,
	}
	if s.Via.IsValid() {
		out.Via, out.Source = s.Via, s.Source.String()
	}
	if s.Action != routing.Forward {
		out.Action = s.Action.String()
	}
	return out
}

// routeNeighbor gives the neighbour that packets for target go to by h, without
// its state.
func (d *Daemon) routeNeighbor(h fib.NextHop, target netip.Addr) control.RouteNeighbor {
	view := d.router.View()
	n := control.RouteNeighbor{Address: h.Address, Interface: interfaceName(view, h.Interface), State: control.NeighborUnknown}
	if !n.Address.IsValid() {
		n.Address = target
	}
	if out := view.Interface(h.Interface); out == nil || out.LinkHeader == 0 {
		n.State = control.NeighborUnneeded
	}
	return n
}
