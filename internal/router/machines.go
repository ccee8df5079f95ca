package router

import (
	"context"
	"time"

	"routerd/arp"
	"routerd/internal/machine"
	"routerd/multicast"
	"routerd/routing/protocol"
)

// Machine is one of the router's machines with its inbox. The router's owner
// drives each with Run on a goroutine of its own, or all of them with Poll on
// the owner's clock, but never the same one with both.
type Machine interface {
	// Name is the machine's name in logs.
	Name() string
	// Run drives the machine until ctx is done, or returns why it cannot.
	Run(ctx context.Context, clock func() time.Time) error
	// Poll does the work there is at the time now, and reports whether there
	// was any.
	Poll(now time.Time) bool
	// Deadline is when Poll must be called at the latest, the zero Time if
	// nothing is due.
	Deadline() time.Time
}

// Machines returns the router's machines. They are always the same; one that is
// not configured has nothing to do. The slice must not be changed.
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

func (d driven[Input]) Run(ctx context.Context, clock func() time.Time) error {
	return d.loop.Run(ctx, d.core, clock)
}
