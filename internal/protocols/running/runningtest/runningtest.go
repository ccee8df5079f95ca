// Package runningtest is a protocol at one moment, for tests of what is shown of it: nothing
// runs. What it answers is its core's.
package runningtest

import (
	"context"
	"slices"
	"sync"
	"time"

	"routerd/internal/protocols/running"
	"routerd/routing"
	"routerd/routing/protocol"
)

// Began is the time of all events. It is not in UTC, as a careless core would have it.
var Began = time.Date(2026, 3, 1, 13, 0, 0, 0, time.FixedZone("CET", 3600))

// Now is the time of all questions, an hour later.
var Now = Began.Add(time.Hour)

// names are those of the interfaces, by number.
var names = []string{1: "lan0", 2: "core0", 3: "core1"}

// Protocol implements running.Protocol.
type Protocol struct {
	core protocol.Core
	err  error

	mu   sync.Mutex
	sent []protocol.Input
}

var _ running.Protocol = (*Protocol)(nil)

// New returns a protocol with a core.
func New(core protocol.Core) *Protocol { return &Protocol{core: core} }

// Failing has all that the protocol is asked and sent fail with an error.
func (p *Protocol) Failing(err error) *Protocol {
	p.err = err
	return p
}

// Ask implements running.Protocol.
func (p *Protocol) Ask(_ context.Context, f func(core protocol.Core, now time.Time)) error {
	if p.err == nil {
		f(p.core, Now)
	}
	return p.err
}

// Send implements running.Protocol.
func (p *Protocol) Send(_ context.Context, in protocol.Input) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, in)
	return p.err
}

// Sent are the inputs that were sent.
func (p *Protocol) Sent() []protocol.Input {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.sent)
}

// InterfaceName implements running.Protocol.
func (*Protocol) InterfaceName(id routing.InterfaceID) string {
	if int(id) >= len(names) {
		return ""
	}
	return names[id]
}

// InterfaceNamed implements running.Protocol.
func (*Protocol) InterfaceNamed(name string) (routing.InterfaceID, bool) {
	if i := slices.Index(names, name); i > 0 {
		return routing.InterfaceID(i), true
	}
	return routing.NoInterface, false
}

// Still is the part of a core that does nothing.
type Still struct{}

// Step implements protocol.Core.
func (Still) Step(_ time.Time, _ protocol.Input, out []protocol.Effect) []protocol.Effect { return out }

// Deadline implements protocol.Core.
func (Still) Deadline() time.Time { return time.Time{} }
