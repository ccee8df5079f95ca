package daemon

import (
	"context"
	"time"

	"routerd/arp"
	"routerd/dataplane"
	"routerd/internal/control"
	"routerd/internal/show"
	"routerd/multicast"
	"routerd/routing"
)

// askNeighbors runs f between two steps of the neighbour machine.
func (a api) askNeighbors(ctx context.Context, f func(m *arp.Machine, now time.Time)) error {
	if err := a.d.router.Neighbors().Ask(ctx, f); err != nil {
		return show.Unavailable("asking the neighbour machine: %v", err)
	}
	return nil
}

// chosen gives the interface of a query, NoInterface for all.
func (a api) chosen(q control.NeighborQuery) (routing.InterfaceID, error) {
	if q.Interface == "" {
		return routing.NoInterface, nil
	}
	i := a.d.router.View().Named(q.Interface)
	if i == nil {
		return routing.NoInterface, show.NotFound("neighbours on %q: there is no such interface", q.Interface)
	}
	return i.ID, nil
}

// walk calls f with each neighbour that q chooses.
func walk(m *arp.Machine, now time.Time, on routing.InterfaceID, q control.NeighborQuery, f func(arp.Neighbor)) {
	m.Walk(now, func(n arp.Neighbor) bool {
		if (on == routing.NoInterface || n.Interface == on) && (!q.Address.IsValid() || n.Addr == q.Address) &&
			q.Family.Has(n.Addr) {
			f(n)
		}
		return true
	})
}

// walkOwn is the same for the router's own addresses.
func walkOwn(m *arp.Machine, on routing.InterfaceID, q control.NeighborQuery, f func(arp.Own)) {
	m.WalkOwn(func(o arp.Own) bool {
		a := o.Prefix.Addr()
		if (on == routing.NoInterface || o.Interface == on) && (!q.Address.IsValid() || a == q.Address) &&
			q.Family.Has(a) {
			f(o)
		}
		return true
	})
}

func ownAddresses(view *dataplane.View, own []arp.Own) (list []control.OwnAddress) {
	for _, o := range own {
		list = append(list, control.OwnAddress{Address: o.Prefix, Interface: interfaceName(view, o.Interface), State: o.State.String()})
	}
	return list
}

// addOwnAddresses adds to each of the interfaces what the neighbour machine knows of its addresses.
func (a api) addOwnAddresses(ctx context.Context, list []control.Interface) error {
	answer := make(chan []arp.Own, 1)
	err := a.askNeighbors(ctx, func(m *arp.Machine, _ time.Time) {
		var own []arp.Own
		walkOwn(m, routing.NoInterface, control.NeighborQuery{}, func(o arp.Own) { own = append(own, o) })
		answer <- own
	})
	if err != nil {
		return err
	}
	for _, o := range ownAddresses(a.d.router.View(), <-answer) {
		for i := range list {
			if list[i].Name == o.Interface {
				list[i].Own = append(list[i].Own, o)
			}
		}
	}
	return nil
}

// addGroups adds to each of the interfaces what the group membership machine
// knows of it.
func (a api) addGroups(ctx context.Context, list []control.Interface) error {
	answer := make(chan map[string]*control.Multicast, 1)
	view := a.d.router.View()
	err := a.d.router.Membership().Ask(ctx, func(m *multicast.Machine) {
		all := map[string]*control.Multicast{}
		for l := range m.Walk {
			all[interfaceName(view, l.Interface)] = &control.Multicast{
				// MLDv1 is IGMPv2, and MLDv2 IGMPv3.
				Groups: l.Groups, IGMP: int(l.IGMP), MLD: int(l.MLD) - 1,
				Queries: l.Queries, Refused: l.Refused, Reports: l.Reports,
			}
		}
		answer <- all
	})
	if err != nil {
		return show.Unavailable("asking what groups are listened to: %v", err)
	}
	all := <-answer
	for i := range list {
		list[i].Multicast = all[list[i].Name]
	}
	return nil
}

func (a api) Neighbors(ctx context.Context, q control.NeighborQuery) (control.NeighborList, error) {
	var out control.NeighborList
	on, err := a.chosen(q)
	if err != nil {
		return out, err
	}
	type seen struct {
		neighbors []arp.Neighbor
		own       []arp.Own
	}
	answer := make(chan seen, 1)
	err = a.askNeighbors(ctx, func(m *arp.Machine, now time.Time) {
		var s seen
		walk(m, now, on, q, func(n arp.Neighbor) { s.neighbors = append(s.neighbors, n) })
		walkOwn(m, on, q, func(o arp.Own) { s.own = append(s.own, o) })
		answer <- s
	})
	if err != nil {
		return out, err
	}
	found, view := <-answer, a.d.router.View()
	out.Own = ownAddresses(view, found.own)
	for i := range found.neighbors {
		out.Neighbors = append(out.Neighbors, shownNeighbor(view, &found.neighbors[i]))
	}
	return out, nil
}

func shownNeighbor(view *dataplane.View, n *arp.Neighbor) control.Neighbor {
	c := control.Neighbor{
		Address: n.Addr, Interface: interfaceName(view, n.Interface), State: n.State.String(),
		Age: n.Age.Seconds(), Held: n.Held, Router: n.Router,
	}
	if n.MAC.IsStation() {
		c.MAC = n.MAC.String()
	}
	return c
}

// ClearNeighbors hands the machine a Clear as any other input, between two
// looks at how many neighbours it has that a Clear may take.
func (a api) ClearNeighbors(ctx context.Context, q control.NeighborQuery) (control.ClearResult, error) {
	on, err := a.chosen(q)
	if err != nil {
		return control.ClearResult{}, err
	}
	counts := make(chan int, 1)
	err = a.askNeighbors(ctx, func(m *arp.Machine, now time.Time) {
		n := 0
		walk(m, now, on, q, func(e arp.Neighbor) {
			if e.State >= arp.Reachable && e.State != arp.Static {
				n++
			}
		})
		counts <- n
	})
	if err != nil {
		return control.ClearResult{}, err
	}
	if err := a.d.router.Neighbors().Inbox.Send(ctx, arp.Clear{Interface: on, Addr: q.Address}); err != nil {
		return control.ClearResult{}, show.Unavailable("clearing neighbours: %v", err)
	}
	// Answered only when it is done.
	err = a.askNeighbors(ctx, func(*arp.Machine, time.Time) {})
	return control.ClearResult{Cleared: <-counts}, err
}

func (a api) neighborMetrics(ctx context.Context, s *control.Snapshot) error {
	type seen struct {
		census map[routing.InterfaceID][arp.NumStates]int
		events arp.Counters
	}
	answer := make(chan seen, 1)
	if err := a.askNeighbors(ctx, func(m *arp.Machine, _ time.Time) { answer <- seen{m.Census(), m.Counters()} }); err != nil {
		return err
	}
	got, view := <-answer, a.d.router.View()
	s.NeighborEvents = got.events
	for id, counts := range got.census {
		name := interfaceName(view, id)
		if name == "" {
			continue // it went away in between
		}
		for state := arp.Failed; int(state) < arp.NumStates; state++ {
			s.Neighbors = append(s.Neighbors, control.NeighborCount{Interface: name, State: state, Count: counts[state]})
		}
	}
	return nil
}
