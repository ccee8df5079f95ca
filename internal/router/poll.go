package router

import (
	"errors"
	"time"

	"routerd/routing/protocol"
	"routerd/routing/rib"
)

// Protocols and the RIB speak to each other like this, each on a goroutine of
// its own in the daemon:
//
//	protocol --slots, the latest of each prefix---> RIB --> FIB
//	protocol <--notices, one batch at a time------- RIB's outbox
//
// Neither ever waits for the other: what is not taken up yet is kept once for
// each prefix, on either side.

// noticesAtOnce bounds what a protocol is told between two of its other inputs.
const noticesAtOnce = 256

// Waiting signals that Poll has something to do.
func (r *Router) Waiting() <-chan struct{} { return r.mail.signal }

// calm is how long a table of so many prefixes stays as it is after a change
// that copied it all, which takes some 80 ns for each of them: a burst of routes
// that comes in many pieces is not to cost a copy for each piece. The first of
// them never waits, nor does the failure of a next hop, which copies nothing.
func calm(prefixes int) time.Duration {
	return min(time.Duration(prefixes)*3*time.Microsecond, 200*time.Millisecond)
}

// What the owner does at once, so that carriers and questions are never kept
// waiting for more than about a millisecond, whatever a protocol brings.
const (
	routesAtOnce  = 1000
	settledAtOnce = 2000 // see rib.RIB.Settle
)

// Poll does a slice of what there is to do: it takes up what the protocols have
// offered and what is due, has the RIB settle it, publishes what follows from
// it once all of it is settled, and tells the protocols what they are to hear.
// It reports whether there was anything; Waiting signals that there is more.
func (r *Router) Poll(now time.Time) (bool, error) {
	r.translator.poll(now)
	var errs error
	worked := false
	if !r.rib.Settling() { // else it would have to keep what it is told
		if worked, errs = r.takeSlice(now); r.taking {
			r.mail.poke()
			return true, errs
		}
	}
	if !r.rib.Unsettled() {
		return r.deliver() || worked, errs
	}
	complete, copied, err := r.settle(settledAtOnce)
	if complete {
		r.publishRoutes()
	}
	if copied {
		f := r.table.FIB
		r.calm = now.Add(calm(f.Len4() + f.Len6()))
	}
	if r.rib.Unsettled() {
		r.mail.poke()
	}
	return true, errors.Join(errs, err)
}

// takeSlice takes up some of what is due and of what the protocols have left, and
// reports whether there was anything. It notes whether there is more of what was
// there when it began with it.
func (r *Router) takeSlice(now time.Time) (worked bool, errs error) {
	if d := r.rib.Deadline(); !d.IsZero() && !d.After(now) {
		errs = r.rib.Step(now, rib.Tick{})
		worked = true
	}
	if !r.taking {
		if !worked && now.Before(r.calm) {
			return worked, errs
		}
		for _, p := range r.protocols {
			requests := p.post.open()
			errs = errors.Join(errs, r.takeUp(requests, now))
			worked = worked || len(requests) > 0
		}
	}
	left := routesAtOnce
	r.taking = false
	for _, p := range r.protocols {
		n, err := p.post.read(left, r.rib, now)
		errs = errors.Join(errs, err)
		left -= n
		worked = worked || n > 0
		r.taking = r.taking || p.post.unread > 0
	}
	return worked, errs
}

// takeUp does what a protocol has asked for, in order.
func (r *Router) takeUp(requests []any, now time.Time) error {
	var errs []error
	for _, q := range requests {
		switch x := q.(type) {
		case groupsChanged:
			for _, l := range r.links {
				if l.id == x.link {
					errs = append(errs, l.join())
					r.tellMembership(l)
				}
			}
		case rib.Input:
			errs = append(errs, r.rib.Step(now, x))
		}
	}
	return errors.Join(errs...)
}

// Deadline is when Poll has something to do at the latest, the zero Time
// while nothing is due.
func (r *Router) Deadline() (due time.Time) {
	sooner := func(t time.Time) {
		if due.IsZero() || !t.IsZero() && t.Before(due) {
			due = t
		}
	}
	sooner(r.rib.Deadline())
	sooner(r.translator.deadline())
	if r.mail.waiting() {
		sooner(r.calm)
	}
	return due
}

// deliver tells the protocols what the RIB has for them, a bounded number each,
// and reports whether there was anything. Who is not done with what it was told
// last comes back for more.
func (r *Router) deliver() bool {
	worked := false
	for _, name := range r.rib.Waiting() {
		if p := r.Protocol(name); p != nil && p.Inbox.Ready() {
			n, _ := r.rib.Drain(name, noticesAtOnce)
			p.Inbox.Notify(protocol.Notices{Notices: n})
			worked = true
		}
	}
	return worked
}
