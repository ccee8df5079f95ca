package daemon

import (
	"net/netip"
	"sync"
	"time"

	"routerd/internal/events"
	"routerd/routing"
)

// path is a neighbour as the key of a cause.
type path struct {
	link    routing.InterfaceID
	address netip.Addr
}

// causeTime is how long a report can be the cause of another of which nobody has
// said what it follows from.
const causeTime = 2 * time.Second

// causes are the latest reports about a link (routing.InterfaceID), a neighbour
// (path), or of a protocol (its name). It is safe for concurrent use.
type causes struct {
	mu     sync.Mutex
	at     map[any]cause
	routes [64]routeCause // the latest events about routes, a circle
	next   int
}

// routeCause is an event about the routes for a prefix.
type routeCause struct {
	prefix netip.Prefix
	number uint64
	time   time.Time
}

// routeTime is how long a change of routes is taken for the cause of packets that
// are dropped.
const routeTime = 10 * time.Second

// noteRoute notes the number of an event about the routes for a prefix.
func (c *causes) noteRoute(prefix string, number uint64, now time.Time) {
	p, err := netip.ParsePrefix(prefix)
	if err != nil {
		return // the key of such an event is a prefix
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.routes[c.next%len(c.routes)] = routeCause{p, number, now}
	c.next++
}

// routeFor returns the number of the latest event about routes for an address, 0
// for none.
func (c *causes) routeFor(a netip.Addr, now time.Time) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := 1; i <= min(c.next, len(c.routes)); i++ {
		r := &c.routes[(c.next-i)%len(c.routes)]
		if now.Sub(r.time) > routeTime {
			return 0
		}
		if r.prefix.Contains(a) {
			return r.number
		}
	}
	return 0
}

type cause struct {
	token events.Token
	time  time.Time
}

// mostCauses bounds what is remembered, most of which is too old soon.
const mostCauses = 4096

func (c *causes) note(about any, token events.Token, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.at) >= mostCauses {
		clear(c.at)
	}
	c.at[about] = cause{token, now}
}

// heldPlace is a place at the desk for a report about an interface, and what the
// latest report about it was before.
type heldPlace struct {
	token  events.Token
	before cause
}

// linkChanging keeps a place, on the loop, for the report that tellInterfaces will make
// of an interface: protocols hear of it before that, and what they report follows from
// it.
func (t *teller) linkChanging(link routing.InterfaceID) {
	if _, ok := t.held[link]; ok {
		return
	}
	token := t.desk.Hold()
	t.held[link] = heldPlace{token, t.causes.replace(link, cause{token, time.Now()})}
}

// reportLink reports an interface, at its place if one is kept.
func (t *teller) reportLink(link routing.InterfaceID, r events.Report) events.Token {
	token := t.desk.Fill(t.held[link].token, r)
	delete(t.held, link)
	return token
}

// dropHeld gives up the places of interfaces of which there is nothing to tell.
func (t *teller) dropHeld() {
	for link, h := range t.held {
		t.desk.Drop(h.token)
		t.causes.replace(link, h.before)
		delete(t.held, link)
	}
}

// replace notes a report, and returns the one that was noted before.
func (c *causes) replace(about any, by cause) (before cause) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before = c.at[about]
	c.at[about] = by
	return before
}

// of returns the latest report about the first of these that has any.
func (c *causes) of(now time.Time, about ...any) events.Token {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range about {
		if x, ok := c.at[a]; ok && now.Sub(x.time) <= causeTime {
			return x.token
		}
	}
	return 0
}
