// Package running gives the nouns and the metrics of a protocol access to the
// protocol that runs in a router.
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
	// and waits until it has run or ctx is done; in the latter case f may still
	// run later. f must copy what it keeps.
	Ask(ctx context.Context, f func(core protocol.Core, now time.Time)) error
	// Send sends the core an input.
	Send(ctx context.Context, in protocol.Input) error
	// InterfaceName returns the name of an interface, "" if it does not exist
	// any more; InterfaceNamed does the reverse.
	InterfaceName(id routing.InterfaceID) string
	InterfaceNamed(name string) (id routing.InterfaceID, ok bool)
}

// Noun is a noun of a protocol.
type Noun = show.Noun[Protocol]

// Bounds of one answer, in prefixes.
const (
	MaxPage     = 10_000
	DefaultPage = 1_000
)

// Limit returns how many prefixes a page has if a query asks for that many; 0
// asks for the default.
func Limit(asked int) int {
	if asked <= 0 {
		return DefaultPage
	}
	return min(asked, MaxPage)
}

// Ask runs f between two steps of the core and returns its result. The name is
// that of the protocol, for the error.
func Ask[C, T any](ctx context.Context, p Protocol, name string, f func(core C, now time.Time) T) (T, error) {
	answer := make(chan T, 1)
	if err := p.Ask(ctx, func(c protocol.Core, now time.Time) { answer <- f(c.(C), now) }); err != nil {
		var none T
		return none, show.Unavailable("asking %s: %v", name, err)
	}
	return <-answer, nil
}

// Tell sends the core an input, and waits until the core has processed it.
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

// Question is a query to a core, between two steps.
type Question[Q Query] struct {
	Protocol
	Query Q
	On    routing.InterfaceID // the interface of the query; NoInterface for all
	Now   time.Time
}

// Chooses reports whether the query selects things on an interface.
func (q *Question[Q]) Chooses(on routing.InterfaceID) bool {
	return q.On == routing.NoInterface || q.On == on
}

// Answered makes a noun's Ask from a function that runs between two steps of
// the core. The name is that of the protocol. A query for an unknown interface
// returns NotFound.
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

// on returns the interface of a query, NoInterface for none. It returns
// NotFound if there is no such interface.
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

// Heard selects learned routes by where they were learned. The zero Heard
// selects all.
type Heard struct {
	Interface string     `query:"interface,complete=interface" help:"only what was heard on the interface <NAME>"`
	Neighbor  netip.Addr `query:"neighbor" help:"only what was heard from this <address>"`
}

// From reports whether the query selects what was learned from a neighbour.
func (h Heard) From(neighbor netip.Addr) bool { return !h.Neighbor.IsValid() || h.Neighbor == neighbor }

// OnInterface implements Query.
func (h Heard) OnInterface() string { return h.Interface }

// Derive returns what each next hop of the protocol's route to a prefix follows
// from; nothing if it has no route to it.
type Derive func(ctx context.Context, p Protocol, to netip.Prefix) ([]Derivation, error)

// Derivation is what a next hop follows from.
type Derivation struct {
	Path  string   `json:"path"`  // the next hop in words: "10.0.0.2 on core0"
	Steps []string `json:"steps"` // sentences in lower case, in order from the router on
}

// Effects says what the protocol that runs would do with another configuration, in
// sentences: "the session with 10.0.0.2 ends". It changes nothing.
type Effects func(ctx context.Context, p Protocol, config any) ([]string, error)

// Metrics are a protocol's metrics for Prometheus. None has a label for a
// prefix or neighbour, so their number depends on the configuration alone.
type Metrics struct {
	Families []*Family
	// Read emits all values.
	Read func(ctx context.Context, p Protocol, emit Emit) error
}

// Emit emits a value of a family, with the values of its labels in order.
type Emit func(f *Family, value float64, labels ...string)

// Family is a metric. Its name and labels are part of the contract.
type Family struct {
	Name    string // without the common prefix: "rip_routes"
	Help    string
	Counter bool // a counter; otherwise a gauge
	Labels  []string
}
