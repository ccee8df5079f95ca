package rip

import (
	"log/slog"
	"net/netip"

	"routerd/routing"
	"routerd/routing/protocol"
)

// Clear is a [protocol.Input] that only this protocol has. It forgets the
// routes learned from one neighbour, from all neighbours of an interface, or
// from all; an invalid Address and NoInterface stand for any. The neighbours
// are then asked for their tables at once.
type Clear struct {
	Interface routing.InterfaceID
	Address   netip.Addr
}

// EventKind says what an event is about.
type EventKind uint8

const (
	NeighborSeen EventKind = iota // for the first time, or after it was gone
	NeighborGone                  // its last route timed out
	PacketRefused
	EntryRefused
	AuthFailed
	KeyExpired // no key is valid any more; the last one stays in use (RFC 4822 §5.1)
	TableFull
	NeighborFull // its number of routes reached MaximumPrefix
	NeighborsFull
	StateLost    // what was saved cannot be read
	NeighborDead // its BFD session went down
	NeighborBack
)

// Neighbours that come and go are logged as information, conditions that need
// action as warnings, and invalid packets from others at debug level.
var eventKinds = [...]struct {
	text  string
	level slog.Level
}{
	NeighborSeen:  {"neighbour seen", slog.LevelInfo},
	NeighborGone:  {"neighbour gone", slog.LevelInfo},
	PacketRefused: {"packet refused", slog.LevelDebug},
	EntryRefused:  {"entry refused", slog.LevelDebug},
	AuthFailed:    {"authentication failed", slog.LevelWarn},
	KeyExpired:    {"last key expired", slog.LevelWarn},
	TableFull:     {"too many routes", slog.LevelWarn},
	NeighborFull:  {"too many routes of one neighbor", slog.LevelWarn},
	NeighborsFull: {"too many neighbours", slog.LevelWarn},
	StateLost:     {"what was saved is lost", slog.LevelWarn},
	NeighborDead:  {"neighbour dead", slog.LevelWarn},
	NeighborBack:  {"neighbour alive again", slog.LevelInfo},
}

// String returns the kind in words, for protocol.Event.
func (k EventKind) String() string {
	if int(k) >= len(eventKinds) {
		return "unknown"
	}
	return eventKinds[k].text
}

// on makes an event of this kind about a link and a neighbour.
func (k EventKind) on(link routing.InterfaceID, neighbor netip.Addr, err error) protocol.Event {
	return protocol.Event{Level: eventKinds[k].level, What: k.String(), Link: link, Neighbor: neighbor, Err: err}
}
