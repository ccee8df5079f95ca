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
// Neither ever waits for the other: each side keeps only the latest change of
// each prefix until the other takes it.

// noticesAtOnce bounds how many notices a protocol gets between two of its
// other inputs.
const noticesAtOnce = 256

// Waiting signals that Poll has something to do.
func (r *Router) Waiting() <-chan struct{} { return r.mail.signal }

// OnWaiting has ring be called, on any goroutine, when Waiting has signalled. It is
// to be called before the machines run.
func (r *Router) OnWaiting(ring func()) { r.mail.ring = ring }

// gatherTime is how long changes are gathered after a settling that copied a good part of the
// table, which takes some 80 ns for each prefix, so that a burst of routes that arrives in
// many pieces does not cost a copy for each piece. They are taken meanwhile, while their
// protocol is at the next ones, and are settled as soon as nothing has come for an eighth of
// the time, so that the last piece of a burst does not wait for more. The first piece never
// waits, nor does the failure of a next hop, which copies nothing.
func gatherTime(prefixes int) time.Duration {
	return min(time.Duration(prefixes)*time.Microsecond, 100*time.Millisecond)
}

// gathering is the changes that have been taken and wait to be settled together.
type gathering struct {
	until time.Time     // they wait no longer than until then,
	quiet time.Duration // nor for longer than that after the last
	last  time.Time
	some  bool // there are some, and nothing else is to be settled
}

// due is when they are settled.
func (g *gathering) due() time.Time {
	if quiet := g.last.Add(g.quiet); quiet.Before(g.until) {
		return quiet
	}
	return g.until
}

// begin begins to gather after a copy of a table of so many prefixes.
func (g *gathering) begin(now time.Time, prefixes int) {
	wait := gatherTime(prefixes)
	g.until, g.quiet = now.Add(wait), wait/8
}

// The bounds of one slice of the owner's work, so that carrier changes and show
// commands never wait for more than about a millisecond, however much a
// protocol offers.
const (
	routesAtOnce  = 1000
	settledAtOnce = 2000 // see rib.RIB.Settle
)

// Poll does a slice of the work: it takes what the protocols have offered and
// what is due, has the RIB settle it, publishes the result once all of it is
// settled, and sends the protocols their notices. It reports whether there was
// any work; Waiting signals that there is more.
func (r *Router) Poll(now time.Time) (bool, error) {
	r.translator.poll(now, r.carriage.idleBy(now))
	more := r.reviewSessions(now)
	worked, err := r.pollRoutes(now)
	return worked || more, err
}

// pollRoutes is Poll for all that concerns routes.
func (r *Router) pollRoutes(now time.Time) (bool, error) {
	var errs error
	worked := false
	if !r.rib.Settling() { // else the RIB would have to store the input
		alone := r.gathered.some || !r.rib.Unsettled()
		if worked, errs = r.takeSlice(now); r.taking {
			r.gathered.some = alone
			r.mail.poke()
			return true, errs
		}
		if r.gathered.some = alone && r.rib.Unsettled() && now.Before(r.gathered.due()); r.gathered.some {
			return r.deliver() || worked, errs
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
		r.gathered.begin(now, f.Len4()+f.Len6())
	}
	if r.rib.Unsettled() || r.mail.waiting() {
		r.mail.poke()
	}
	return true, errors.Join(errs, err)
}

// takeSlice takes some of what is due and of the protocols' changes, and
// reports whether there was any. It notes whether some of those present when it
// began are left.
func (r *Router) takeSlice(now time.Time) (worked bool, errs error) {
	if d := r.rib.Deadline(); !d.IsZero() && !d.After(now) {
		errs = r.rib.Step(now, rib.Tick{})
		worked = true
	}
	if !r.taking {
		for _, p := range r.protocols {
			requests := p.post.open()
			errs = errors.Join(errs, r.takeUp(requests, now))
			r.heardOf(p, len(requests))
			worked = worked || len(requests) > 0
		}
	}
	left := routesAtOnce
	r.taking = false
	for _, p := range r.protocols {
		n, err := p.post.read(left, r.rib, now)
		errs = errors.Join(errs, err)
		r.heardOf(p, n)
		left -= n
		worked = worked || n > 0
		r.taking = r.taking || p.post.unread > 0
	}
	if worked {
		r.gathered.last = now
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
					r.updateMembership(l)
				}
			}
		case rib.Input:
			errs = append(errs, r.rib.Step(now, x))
		}
	}
	return errors.Join(errs...)
}

// Deadline is when Poll must be called at the latest, the zero Time if nothing
// is due.
func (r *Router) Deadline() (due time.Time) {
	sooner := func(t time.Time) {
		if due.IsZero() || !t.IsZero() && t.Before(due) {
			due = t
		}
	}
	sooner(r.rib.Deadline())
	sooner(r.translator.deadline())
	sooner(r.review.again)
	if r.gathered.some {
		sooner(r.gathered.due())
	}
	return due
}

// deliver sends the RIB's notices to the protocols, a bounded number to each,
// and reports whether there were any. A protocol that has not processed its
// last batch gets the next one when it has.
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
