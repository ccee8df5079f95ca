package router

import (
	"context"
	"time"

	"routerd/arp"
	"routerd/internal/machine"
	"routerd/multicast"
	"routerd/routing/protocol"
)

// Machine is one of the router's machines with the inbox that feeds it. The
// router's owner drives each by Run, on a goroutine of its own, or all of them
// by Poll, on a clock of its own; never the same one by both.
type Machine interface {
	// Name is the word for logs.
	Name() string
	// Run drives the machine until ctx is done.
	Run(ctx context.Context, clock func() time.Time)
	// Poll does what there is to do at the time now, and reports whether
	// there was anything.
	Poll(now time.Time) bool
	// Deadline is when Poll has something to do at the latest, the zero Time
	// while nothing is due.
	Deadline() time.Time
}

// Machines gives the router's machines. There are always the same ones: what
// is not configured has nothing to do. The slice is only to be read.
func (r *Router) Machines() []Machine { return r.machines }

func (r *Router) listMachines() []Machine {
	list := []Machine{
		driven[arp.Input]{"neighbors", r.neighbors.Inbox, r.neighbors},
		driven[multicast.Input]{"multicast", r.membership.Inbox, r.membership},
	}
	for _, p := range r.protocols {
		list = append(list, driven[protocol.Input]{p.Name, p.Inbox, p})
	}
	return list
}

type driven[Input any] struct {
	name string
	loop *machine.Loop[Input]
	core machine.Core[Input]
}

func (d driven[Input]) Name() string            { return d.name }
func (d driven[Input]) Poll(now time.Time) bool { return d.loop.Poll(d.core, now) }
func (d driven[Input]) Deadline() time.Time     { return d.core.Deadline() }

func (d driven[Input]) Run(ctx context.Context, clock func() time.Time) {
	d.loop.Run(ctx, d.core, clock)
}
