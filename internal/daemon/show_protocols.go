package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"routerd/config"
	"routerd/internal/control"
	"routerd/internal/protocols"
	"routerd/internal/protocols/running"
	"routerd/internal/router"
	"routerd/internal/show"
	"routerd/routing"
	"routerd/routing/protocol"
)

// spoken is a protocol of the router for the API.
type spoken struct {
	d *Daemon
	p *router.Protocol
}

var _ running.Protocol = spoken{}

// Protocol implements control.Router.
func (a api) Protocol(ctx context.Context, name string) (running.Protocol, error) {
	s := spoken{d: a.d}
	err := a.on(ctx, func() {
		if p := a.d.router.Protocol(name); p != nil && p.Configured() {
			s.p = p
		}
	})
	if err == nil && s.p == nil {
		err = show.NotFound("%s is not spoken here: the configuration has no [%s]", name, name)
	}
	return s, err
}

// Ask implements running.Protocol.
func (s spoken) Ask(ctx context.Context, f func(core protocol.Core, now time.Time)) error {
	return s.p.Ask(ctx, f)
}

// Send implements running.Protocol.
func (s spoken) Send(ctx context.Context, in protocol.Input) error { return s.p.Inbox.Send(ctx, in) }

// InterfaceName implements running.Protocol.
func (s spoken) InterfaceName(id routing.InterfaceID) string {
	return interfaceName(s.d.router.View(), id)
}

// InterfaceNamed implements running.Protocol.
func (s spoken) InterfaceNamed(name string) (routing.InterfaceID, bool) {
	if i := s.d.router.View().Named(name); i != nil {
		return i.ID, true
	}
	return routing.NoInterface, false
}

// effects are what a configuration would do to the protocols that run.
func (a api) effects(ctx context.Context, next *config.Config) ([]control.Effect, error) {
	list := []control.Effect{}
	for _, p := range protocols.All() {
		c, spoken := next.Protocols[p.Name]
		if p.Effects == nil || !spoken {
			continue
		}
		core, err := a.Protocol(ctx, p.Name)
		var e *show.Error
		if errors.As(err, &e) && e.Status == http.StatusNotFound {
			continue // it does not run yet
		}
		var lines []string
		if err == nil {
			lines, err = p.Effects(ctx, core, c.Config)
		}
		if err != nil {
			return nil, fmt.Errorf("asking %s what a reload would do to it: %w", p.Name, err)
		}
		for _, text := range lines {
			list = append(list, control.Effect{Protocol: p.Name, Text: text})
		}
	}
	return list, nil
}
