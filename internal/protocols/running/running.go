// Package running is what the nouns and the metrics of a protocol are answered
// from: the protocol as it runs in a router.
package running

import (
	"context"
	"net/netip"
	"time"

	"routerd/internal/show"
	"routerd/routing"
	"routerd/routing/protocol"
)

// Protocol is a protocol that runs in a router. It is safe for concurrent use.
type Protocol interface {
	// Ask runs f between two steps of the core, on the goroutine that steps it,
	// and waits until it has run or ctx is done; then f may still run later. What
	// f wants to keep it copies.
	Ask(ctx context.Context, f func(core protocol.Core, now time.Time)) error
	// Send hands the core an input.
	Send(ctx context.Context, in protocol.Input) error
	// InterfaceName gives the name of an interface, "" where there is none any
	// more; InterfaceNamed the other way round.
	InterfaceName(id routing.InterfaceID) string
	InterfaceNamed(name string) (id routing.InterfaceID, ok bool)
}

// Noun is a noun of a protocol.
type Noun = show.Noun[Protocol]

// Bounds of what one answer holds, in prefixes.
const (
	MaxPage     = 10_000
	DefaultPage = 1_000
)

// Limit is how many prefixes a page has where a query asks for so many; 0 asks
// for as many as is good.
func Limit(asked int) int {
	if asked <= 0 {
		return DefaultPage
	}
	return min(asked, MaxPage)
}

// Ask gives what f returns between two steps of the core. The name is that of
// the protocol, for the error.
func Ask[C, T any](ctx context.Context, p Protocol, name string, f func(core C, now time.Time) T) (T, error) {
	answer := make(chan T, 1)
	if err := p.Ask(ctx, func(c protocol.Core, now time.Time) { answer <- f(c.(C), now) }); err != nil {
		var none T
		return none, show.Unavailable("asking %s: %v", name, err)
	}
	return <-answer, nil
}

// Tell hands the core an input, and waits until it has taken it.
func Tell(ctx context.Context, p Protocol, name string, in protocol.Input) error {
	err := p.Send(ctx, in)
	if err == nil {
		err = p.Ask(ctx, func(protocol.Core, time.Time) {})
	}
	if err != nil {
		return show.Unavailable("telling %s: %v", name, err)
	}
	return nil
}

// Query is a query that may name an interface.
type Query interface {
	OnInterface() string // "" for all
}

// Question is a query as it is put to a core, between two steps.
type Question[Q Query] struct {
	Protocol
	Query Q
	On    routing.InterfaceID // that the query names; NoInterface for all
	Now   time.Time
}

// Chooses reports whether the query chooses what is on an interface.
func (q *Question[Q]) Chooses(on routing.InterfaceID) bool {
	return q.On == routing.NoInterface || q.On == on
}

// Answered makes a noun's Ask of a function that runs between two steps of the
// core. The name is that of the protocol. A query for an interface that there is
// not is NotFound.
func Answered[C any, Q Query, A any](name string, f func(core C, q *Question[Q]) A) func(context.Context, Protocol, Q) (A, error) {
	return func(ctx context.Context, p Protocol, query Q) (answer A, err error) {
		q := &Question[Q]{Protocol: p, Query: query}
		if q.On, err = on(p, name, query.OnInterface()); err != nil {
			return answer, err
		}
		return Ask(ctx, p, name, func(c C, now time.Time) A {
			q.Now = now
			return f(c, q)
		})
	}
}

// on gives the interface that a query names, NoInterface for none. It is NotFound
// where there is no such interface.
func on(p Protocol, protocol, name string) (routing.InterfaceID, error) {
	if name == "" {
		return routing.NoInterface, nil
	}
	id, ok := p.InterfaceNamed(name)
	if !ok {
		return routing.NoInterface, show.NotFound("%s on %q: there is no such interface", protocol, name)
	}
	return id, nil
}

// Heard chooses what a protocol has learned by where it was heard. The zero
// Heard is all of it.
type Heard struct {
	Interface string     `query:"interface,complete=interface" help:"only what was heard on the interface <NAME>"`
	Neighbor  netip.Addr `query:"neighbor" help:"only what was heard from this <address>"`
}

// From reports whether the query chooses what was heard from a neighbour.
func (h Heard) From(neighbor netip.Addr) bool { return !h.Neighbor.IsValid() || h.Neighbor == neighbor }

// OnInterface implements Query.
func (h Heard) OnInterface() string { return h.Interface }

// Metrics are what a protocol counts, for Prometheus. None is labelled by prefix
// or neighbour: their number depends on the configuration alone.
type Metrics struct {
	Families []*Family
	// Read gives every value that there is to emit.
	Read func(ctx context.Context, p Protocol, emit Emit) error
}

// Emit takes a value of a family, with the values of its labels in their order.
type Emit func(f *Family, value float64, labels ...string)

// Family is a metric. Its name and its labels are a contract.
type Family struct {
	Name    string // without the prefix that all have: "rip_routes"
	Help    string
	Counter bool // it only grows; others are gauges
	Labels  []string
}
