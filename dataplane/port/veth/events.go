package veth

import (
	"time"

	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
)

// settle is how long Open waits for the carrier of a new pair. The kernel gives it
// at once, but on a thread of its own.
const settle = 500 * time.Millisecond

// ends are the states of the two ends.
type ends struct {
	near, host         port.Event
	nearEvents, others <-chan port.Event
}

// link is the state of the link: up if both ends are, with the smaller MTU, since
// a veth drops what is longer than its peer's; gone with either.
func (e *ends) link() port.Event {
	gone := e.near.Gone || e.host.Gone
	return port.Event{Up: e.near.Up && e.host.Up && !gone, MTU: min(e.near.MTU, e.host.MTU), Gone: gone}
}

// next waits for news of an end until the limit, which may be nil. It is false when
// there will be none, or none in time. The router's end also says when something
// has changed that its state does not show, see port.Carriable.
func (e *ends) next(limit <-chan time.Time) bool {
	for e.nearEvents != nil || e.others != nil {
		select {
		case now, open := <-e.nearEvents:
			if open {
				e.near = now
				return true
			}
			e.nearEvents = nil
		case now, open := <-e.others:
			if open {
				e.host = now
				return true
			}
			e.others = nil
		case <-limit:
			return false
		}
	}
	return false
}

// await gives the ends time to come up.
func (e *ends) await() {
	limit := time.NewTimer(settle)
	defer limit.Stop()
	for now := e.link(); !now.Up && !now.Gone; now = e.link() {
		if !e.next(limit.C) {
			return
		}
	}
}

// follow reports what becomes of the link until both ends are closed.
func (p *Port) follow(e *ends) {
	defer close(p.followed)
	defer close(p.events)
	for gone := false; e.next(nil); {
		if !gone {
			now := e.link()
			device.Latest(p.events, now)
			gone = now.Gone
		}
	}
}
