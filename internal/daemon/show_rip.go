package daemon

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"routerd/internal/control"
	"routerd/routing"
	"routerd/routing/protocol"
	"routerd/routing/rip"
)

// ripAsked is one question about RIP: the protocol, the interface asked about
// (NoInterface for all), and the names of interfaces.
type ripAsked struct {
	a        api
	protocol rip.Protocol
	on       routing.InterfaceID
}

// rip begins a question. It returns NotFound if the protocol is not configured.
func (a api) rip(ctx context.Context, protocol string, q control.RIPQuery) (ripAsked, error) {
	asked := ripAsked{a: a, protocol: rip.RIP, on: routing.NoInterface}
	if protocol == rip.RIPng.String() {
		asked.protocol = rip.RIPng
	}
	spoken := false
	err := a.on(ctx, func() {
		_, spoken = a.d.cfg.Protocols[protocol]
	})
	if err != nil {
		return asked, err
	}
	if !spoken {
		return asked, control.NotFound("%s is not spoken here: the configuration has no [%s]", protocol, protocol)
	}
	if q.Interface != "" {
		i := a.d.router.View().Named(q.Interface)
		if i == nil {
			return asked, control.NotFound("%s on %q: there is no such interface", protocol, q.Interface)
		}
		asked.on = i.ID
	}
	return asked, nil
}

// answered runs f between two steps of the protocol's machine and gives what
// it returned.
func answered[T any](ctx context.Context, asked ripAsked, f func(m *rip.Machine, now time.Time) T) (T, error) {
	answer := make(chan T, 1)
	err := asked.a.d.router.Protocol(asked.protocol.String()).Ask(ctx, func(c protocol.Core, now time.Time) {
		answer <- f(c.(*rip.Machine), now)
	})
	if err != nil {
		var zero T
		return zero, control.Unavailable("asking %s: %v", asked.protocol, err)
	}
	return <-answer, nil
}

// wants reports whether the query chooses what was heard from a neighbour.
func (r *ripAsked) wants(q control.RIPQuery, on routing.InterfaceID, from netip.Addr) bool {
	return (r.on == routing.NoInterface || r.on == on) && (!q.Neighbor.IsValid() || q.Neighbor == from)
}

func (r *ripAsked) name(id routing.InterfaceID) string {
	return interfaceName(r.a.d.router.View(), id)
}

func (a api) RIPRoutes(ctx context.Context, protocol string, q control.RIPQuery) (page control.RIPRoutePage, err error) {
	asked, err := a.rip(ctx, protocol, q)
	if err != nil {
		return page, err
	}
	type seen struct {
		routes []rip.RouteInfo
		now    time.Time
	}
	limit := pageLimit(q.Limit)
	got, err := answered(ctx, asked, func(m *rip.Machine, now time.Time) seen {
		if !q.Prefix.IsValid() {
			return seen{m.Routes(q.After, limit), now}
		}
		s := seen{now: now}
		if one, ok := m.Route(q.Prefix); ok {
			s.routes = append(s.routes, one)
		}
		return s
	})
	if err != nil {
		return page, err
	}
	if n := len(got.routes); n == limit && !q.Prefix.IsValid() {
		page.Next = got.routes[n-1].Prefix
	}
	for i := range got.routes {
		r := &got.routes[i]
		if (q.Interface != "" || q.Neighbor.IsValid()) && !slices.ContainsFunc(r.Paths, func(p rip.PathInfo) bool {
			return asked.wants(q, p.Interface, p.Neighbor)
		}) {
			continue
		}
		page.Routes = append(page.Routes, asked.route(r, got.now))
	}
	return page, nil
}

func (r *ripAsked) route(x *rip.RouteInfo, now time.Time) control.RIPRoute {
	c := control.RIPRoute{
		Prefix: x.Prefix, State: x.State, Source: x.Source.String(), Metric: int(x.Metric), Tag: int(x.Tag), Since: x.Since.UTC(),
	}
	if !x.Expires.IsZero() {
		c.Expires = max(x.Expires.Sub(now), 0).Seconds()
	}
	for _, p := range x.Paths {
		c.Paths = append(c.Paths, control.RIPPath{
			Neighbor: p.Neighbor, NextHop: p.NextHop, Interface: r.name(p.Interface), Tag: int(p.Tag), Age: now.Sub(p.Heard).Seconds(),
		})
	}
	return c
}

func (a api) RIPNeighbors(ctx context.Context, protocol string, q control.RIPQuery) (list control.RIPNeighborList, err error) {
	asked, err := a.rip(ctx, protocol, q)
	if err != nil {
		return list, err
	}
	list.Neighbors, err = answered(ctx, asked, func(m *rip.Machine, now time.Time) (found []control.RIPNeighbor) {
		for _, n := range m.Neighbors() {
			if !asked.wants(q, n.Interface, n.Address) {
				continue
			}
			heard := n.Heard
			if heard.IsZero() {
				heard = n.Since
			}
			found = append(found, control.RIPNeighbor{
				Address: n.Address, Interface: n.Name, Version: int(n.Version), Routes: n.Routes,
				Since: n.Since.UTC(), Age: now.Sub(heard).Seconds(),
				Packets: n.Packets, BadPackets: n.BadPackets, BadEntries: n.BadEntries,
				MaximumPrefix: n.MaximumPrefix, BeyondMaximum: n.Beyond,
			})
		}
		return found
	})
	return list, err
}

func (a api) RIPInterfaces(ctx context.Context, protocol string, q control.RIPQuery) (list control.RIPInterfaceList, err error) {
	asked, err := a.rip(ctx, protocol, q)
	if err != nil {
		return list, err
	}
	list.Interfaces, err = answered(ctx, asked, func(m *rip.Machine, now time.Time) (found []control.RIPInterface) {
		for _, i := range m.Interfaces() {
			if asked.on == routing.NoInterface || asked.on == i.Interface {
				found = append(found, ripInterface(asked.protocol, &i, now))
			}
		}
		return found
	})
	slices.SortFunc(list.Interfaces, func(x, y control.RIPInterface) int { return strings.Compare(x.Name, y.Name) })
	return list, err
}

func ripInterface(p rip.Protocol, i *rip.InterfaceInfo, now time.Time) control.RIPInterface {
	c := control.RIPInterface{
		Name: i.Name, Addresses: i.Sources, Passive: i.Config.Passive,
		Metric: int(i.Config.Metric), OffsetOut: int(i.Config.OffsetOut), SplitHorizon: i.Config.SplitHorizon.String(),
		AllowedNeighbors: i.Config.AllowedNeighbors, MaximumPrefix: i.Config.MaximumPrefix,
		Neighbors: i.Neighbors, Routes: i.Routes, Sending: i.Sending,
	}
	if p == rip.RIP {
		c.ReceiveVersion = i.Config.Receive.String()
	}
	if len(i.Config.Auth.Keys) > 0 {
		c.Auth = i.Config.Auth.Algorithm.String()
		for _, k := range i.Config.Auth.Keys {
			c.Keys = append(c.Keys, int(k.ID))
		}
	}
	if !i.NextUpdate.IsZero() {
		c.NextUpdate = max(i.NextUpdate.Sub(now), 0).Seconds()
	}
	c.Sent, c.Received, c.Refused = ripCounts(&i.Counters)
	return c
}

// ripCounts names what an interface counts; the names are labels of metrics.
func ripCounts(n *rip.Counters) (sent, received, refused []control.RIPCount) {
	sent = []control.RIPCount{
		{Kind: "regular", Count: n.Updates[0]},
		{Kind: "triggered", Count: n.Updates[1]},
		{Kind: "answer", Count: n.Updates[2]},
		{Kind: "goodbye", Count: n.Updates[3]},
		{Kind: "request", Count: n.Asked},
	}
	received = []control.RIPCount{{Kind: "request", Count: n.Requests}, {Kind: "response", Count: n.Responses}}
	refused = []control.RIPCount{
		{Kind: "own", Count: n.Own},
		{Kind: "malformed", Count: n.Malformed},
		{Kind: "version", Count: n.Version},
		{Kind: "source_port", Count: n.SourcePort},
		{Kind: "off_link", Count: n.OffLink},
		{Kind: "hop_limit", Count: n.HopLimit},
		{Kind: "authentication", Count: n.Unauthentic},
		{Kind: "unanswered", Count: n.Unanswered},
		{Kind: "entry", Count: n.BadEntries},
		{Kind: "table_full", Count: n.TableFull},
		{Kind: "not_allowed", Count: n.NotAllowed},
		{Kind: "maximum_prefix", Count: n.MaximumPrefix},
	}
	return sent, received, refused
}

// ClearRIP hands the machine a Clear as any other input, after a look at how
// much it takes.
func (a api) ClearRIP(ctx context.Context, protocol string, q control.RIPQuery) (out control.RIPClearResult, err error) {
	asked, err := a.rip(ctx, protocol, q)
	if err != nil {
		return out, err
	}
	out.Cleared, err = answered(ctx, asked, func(m *rip.Machine, _ time.Time) (n int) {
		for _, x := range m.Neighbors() {
			if asked.wants(q, x.Interface, x.Address) {
				n += x.Routes
			}
		}
		return n
	})
	if err != nil {
		return out, err
	}
	if err := a.d.router.Protocol(asked.protocol.String()).Inbox.Send(ctx, rip.Clear{Interface: asked.on, Address: q.Neighbor}); err != nil {
		return out, control.Unavailable("clearing %s: %v", protocol, err)
	}
	// Answered only when it is done.
	_, err = answered(ctx, asked, func(*rip.Machine, time.Time) bool { return true })
	return out, err
}

func (a api) ripMetrics(ctx context.Context) (list []control.RIPSnapshot, err error) {
	var spoken []rip.Protocol
	err = a.on(ctx, func() {
		for _, p := range []rip.Protocol{rip.RIP, rip.RIPng} {
			if _, speaks := a.d.cfg.Protocols[p.String()]; speaks {
				spoken = append(spoken, p)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	for _, p := range spoken {
		s, err := answered(ctx, ripAsked{a: a, protocol: p}, func(m *rip.Machine, now time.Time) control.RIPSnapshot {
			n := m.Summary()
			s := control.RIPSnapshot{Protocol: p.String(), Routes: []control.RIPCount{
				{Kind: "learned", Count: uint64(n.Learned)},
				{Kind: "own", Count: uint64(max(n.Routes-n.Learned-n.Dying, 0))},
				{Kind: "dying", Count: uint64(n.Dying)},
			}}
			for _, i := range m.Interfaces() {
				s.Interfaces = append(s.Interfaces, ripInterface(p, &i, now))
			}
			return s
		})
		if err != nil {
			return nil, err
		}
		if s.Protocol != "" {
			list = append(list, s)
		}
	}
	return list, nil
}
