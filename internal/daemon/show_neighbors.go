package daemon

import (
	"context"
	"time"

	"routerd/arp"
	"routerd/internal/control"
	"routerd/routing"
)

// askNeighbors runs f between two steps of the neighbour machine.
func (a api) askNeighbors(ctx context.Context, f func(m *arp.Machine, now time.Time)) error {
	if err := a.d.router.Neighbors().Ask(ctx, f); err != nil {
		return control.Unavailable("asking the neighbour machine: %v", err)
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
		return routing.NoInterface, control.NotFound("neighbours on %q: there is no such interface", q.Interface)
	}
	return i.ID, nil
}

// walk calls f with each neighbour that q chooses.
func walk(m *arp.Machine, now time.Time, on routing.InterfaceID, q control.NeighborQuery, f func(arp.Neighbor)) {
	m.Walk(now, func(n arp.Neighbor) bool {
		if (on == routing.NoInterface || n.Interface == on) && (!q.Address.IsValid() || n.Addr == q.Address) &&
			(q.Family == 0 || n.Addr.Is4() == (q.Family == 4)) {
			f(n)
		}
		return true
	})
}

func (a api) Neighbors(ctx context.Context, q control.NeighborQuery) (control.NeighborList, error) {
	var out control.NeighborList
	on, err := a.chosen(q)
	if err != nil {
		return out, err
	}
	found := make(chan []arp.Neighbor, 1)
	err = a.askNeighbors(ctx, func(m *arp.Machine, now time.Time) {
		var list []arp.Neighbor
		walk(m, now, on, q, func(n arp.Neighbor) { list = append(list, n) })
		found <- list
	})
	if err != nil {
		return out, err
	}
	view := a.d.router.View()
	for _, n := range <-found {
		c := control.Neighbor{
			Address: n.Addr, Interface: interfaceName(view, n.Interface), State: n.State.String(),
			Age: n.Age.Seconds(), Held: n.Held, Router: n.Router,
		}
		if n.MAC.IsStation() {
			c.MAC = n.MAC.String()
		}
		out.Neighbors = append(out.Neighbors, c)
	}
	return out, nil
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
			if e.State != arp.Static && e.State != arp.Incomplete {
				n++
			}
		})
		counts <- n
	})
	if err != nil {
		return control.ClearResult{}, err
	}
	if err := a.d.router.Neighbors().Inbox.Send(ctx, arp.Clear{Interface: on, Addr: q.Address}); err != nil {
		return control.ClearResult{}, control.Unavailable("clearing neighbours: %v", err)
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
		for state := arp.Incomplete; int(state) < arp.NumStates; state++ {
			s.Neighbors = append(s.Neighbors, control.NeighborCount{Interface: name, State: state, Count: counts[state]})
		}
	}
	return nil
}
