package ospf

import (
	"log/slog"
	"net/netip"

	"routerd/routing"
	"routerd/routing/protocol"
)

// EventKind says what an event is about.
type EventKind uint8

const (
	AdjacencyUp   EventKind = iota // a neighbour is in Full
	AdjacencyDown                  // it was, and no longer is
	NeighborDead                   // its BFD session went down
	MTUDiffers                     // a neighbour's packets are larger than the interface takes
	PacketRefused
	AuthFailed
	KeyExpired    // no key is valid any more; the last one stays in use
	RouterIDTwice // another router has this one's ID
	RouterChosen
	DatabaseFull // max-lsa
	StateLost    // what was saved cannot be read
	Damaged      // an LSA in memory has lost its checksum
	GraceBegun   // a neighbour restarts, and the router helps
	GraceEnded
	GraceRefused // it does not help
)

var eventKinds = [...]struct {
	text  string
	level slog.Level
}{
	AdjacencyUp:   {"adjacency up", slog.LevelInfo},
	AdjacencyDown: {"adjacency down", slog.LevelWarn},
	NeighborDead:  {"neighbour dead", slog.LevelWarn},
	MTUDiffers:    {"MTU differs", slog.LevelWarn},
	PacketRefused: {"packet refused", slog.LevelDebug},
	AuthFailed:    {"authentication failed", slog.LevelWarn},
	KeyExpired:    {"last key expired", slog.LevelWarn},
	RouterIDTwice: {"router ID of this router used by another", slog.LevelWarn},
	RouterChosen:  {"router ID chosen", slog.LevelInfo},
	DatabaseFull:  {"too many LSAs", slog.LevelWarn},
	StateLost:     {"what was saved is lost", slog.LevelWarn},
	GraceBegun:    {"helping a neighbour to restart", slog.LevelInfo},
	GraceEnded:    {"no longer helping a neighbour to restart", slog.LevelInfo},
	GraceRefused:  {"not helping a neighbour to restart", slog.LevelWarn},
	Damaged:       {"an LSA in memory is damaged", slog.LevelError},
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
