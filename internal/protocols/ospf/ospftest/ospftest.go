// Package ospftest is OSPF at one moment, for tests of what is shown of it: nothing
// runs, every answer is the same.
package ospftest

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"routerd/internal/protocols/running"
	"routerd/routing"
	"routerd/routing/protocol"
)

// Names are those of the interfaces, by number.
var Names = []string{1: "lan0", 2: "core0", 3: "core1"}

var (
	// Began is not in UTC, as a careless core would have it.
	Began = time.Date(2026, 3, 1, 13, 0, 0, 0, time.FixedZone("CET", 3600))
	now   = Began.Add(time.Hour)
	pfx   = netip.MustParsePrefix
	addr  = netip.MustParseAddr
)

// Protocol implements running.Protocol.
type Protocol struct {
	Err error // what it fails with, nil for nothing

	mu   sync.Mutex
	sent []protocol.Input
}

var _ running.Protocol = (*Protocol)(nil)

// Ask implements running.Protocol.
func (p *Protocol) Ask(_ context.Context, f func(core protocol.Core, now time.Time)) error {
	if p.Err == nil {
		f(core{}, now)
	}
	return p.Err
}

// Send implements running.Protocol.
func (p *Protocol) Send(_ context.Context, in protocol.Input) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, in)
	return p.Err
}

// Sent are the inputs that were sent.
func (p *Protocol) Sent() []protocol.Input {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.sent)
}

// InterfaceName implements running.Protocol.
func (*Protocol) InterfaceName(id routing.InterfaceID) string { return Names[id] }

// InterfaceNamed implements running.Protocol.
func (*Protocol) InterfaceNamed(name string) (routing.InterfaceID, bool) {
	at := slices.Index(Names, name)
	return routing.InterfaceID(max(at, 0)), at > 0
}

// core has the methods of ospf.Machine that the nouns use.
type core struct{}

func (core) Step(_ time.Time, _ protocol.Input, out []protocol.Effect) []protocol.Effect { return out }

func (core) Deadline() time.Time { return time.Time{} }
