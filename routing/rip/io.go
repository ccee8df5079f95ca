package rip

import (
	"log/slog"
	"net/netip"

	"routerd/routing"
	"routerd/routing/protocol"
)

// Clear is an [protocol.Input] of this protocol's own: it forgets what was
// learned from a neighbour, or from all of an interface, or of all: an invalid
// Address and NoInterface stand for any. The neighbours are asked at once for
// what they have.
type Clear struct {
	Interface routing.InterfaceID
	Address   netip.Addr
}

// EventKind is what an event is about.
type EventKind uint8

const (
	NeighborSeen EventKind = iota // for the first time, or again
	NeighborGone                  // silent until its last route timed out
	PacketRefused
	EntryRefused
	AuthFailed
	KeyExpired // no key is valid any more: the last one goes on (RFC 4822 §5.1)
	TableFull
	NeighborFull // it has as many routes as it may
	NeighborsFull
	StateLost    // what was saved cannot be read
	NeighborDead // its BFD session went down
	NeighborBack
)

// Neighbors that come and go are news. What somebody has to do something about
// is a warning; what others send amiss is for who looks for it.
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

// String gives the kind in words, as protocol.Event says it.
func (k EventKind) String() string {
	if int(k) >= len(eventKinds) {
		return "unknown"
	}
	return eventKinds[k].text
}

// on makes the event that says so of a link and a neighbour.
func (k EventKind) on(link routing.InterfaceID, neighbor netip.Addr, err error) protocol.Event {
	return protocol.Event{Level: eventKinds[k].level, What: k.String(), Link: link, Neighbor: neighbor, Err: err}
}
