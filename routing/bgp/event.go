package bgp

import (
	"log/slog"
	"net/netip"

	"routerd/routing"
	"routerd/routing/protocol"
)

// EventKind says what an event is about.
type EventKind uint8

const (
	SessionUp      EventKind = iota // routes may come and go
	SessionDown                     // it was up, and is no longer
	PrefixWarning                   // a neighbour has nearly as many routes as it may have
	PrefixLimit                     // a neighbour has more routes than it may have
	ListenerLost                    // nobody listens at an address
	UpdateRefused                   // an UPDATE had a fault, and its routes are withdrawn
	RefreshIgnored                  // a neighbour has begun one too early
	LongLivedStale                  // routes of a neighbour that does not come back are kept
)

var eventKinds = [...]struct {
	text  string
	level slog.Level
}{
	SessionUp:      {"session up", slog.LevelInfo},
	SessionDown:    {"session down", slog.LevelWarn},
	PrefixWarning:  {"nearly too many prefixes", slog.LevelWarn},
	PrefixLimit:    {"too many prefixes", slog.LevelWarn},
	ListenerLost:   {"not listening", slog.LevelWarn},
	UpdateRefused:  {"routes of an update refused", slog.LevelDebug},
	RefreshIgnored: {"refresh ignored", slog.LevelDebug},
	LongLivedStale: {"long-lived stale routes", slog.LevelWarn},
}

// String returns the kind in words, for protocol.Event.
func (k EventKind) String() string {
	if int(k) >= len(eventKinds) {
		return "unknown"
	}
	return eventKinds[k].text
}

// event notes an event of a neighbour's session.
func (n *neighbor) event(k EventKind, err error) {
	n.machine.emit(protocol.Event{
		Level: eventKinds[k].level, What: k.String(), Link: n.link, Neighbor: n.cfg.Address, Err: err, Configured: !n.dynamic.IsValid(),
	})
}

// event notes an event, which leaves with the effects of the step.
func (m *Machine) event(k EventKind, link routing.InterfaceID, neighbor netip.Addr, err error) {
	m.emit(protocol.Event{Level: eventKinds[k].level, What: k.String(), Link: link, Neighbor: neighbor, Err: err})
}
