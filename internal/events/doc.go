// Package events keeps what happens in the router as one ring of events, and
// speaks the frames by which clients follow it.
//
// # The ring
//
// Every event has a number, its position. The [Ring] holds the latest 65,536
// events, in at most 16 MiB; each is encoded once, for all who read it. A client
// is no more than the position that it has read to, so no client has a queue of its
// own, and the publisher never waits. A client that falls behind so far that events
// are overwritten is told exactly which positions it has lost.
//
// An event carries its whole new object, so that a reader who has missed earlier
// ones has no need of them. It names the event that caused it, and the place in
// the configuration that the object is from.
//
// Events of a topic that may come in great number (routes, neighbours, drops) are
// recorded only while somebody listens, and for a minute after that. While nobody
// does, they are counted: they take positions, of which a reader is told as of
// overwritten ones.
//
// A cursor is the epoch of the ring, which begins when the router starts, and a
// position: "7f3a9c21:184460". A cursor that the ring cannot resume from is
// answered by a gap and, where wanted, by a snapshot.
//
// # Snapshots
//
// A topic either has objects (interface, neighbor, route, the sessions of each
// protocol) or is a list of what happened (drop, config, audit, log, nat). The
// objects of a topic can be had as a snapshot, in pages. It is stamped with the
// position that was read before the walk: it contains all changes up to there,
// perhaps later ones too, which then come as events also. Since events carry
// whole objects, a client that stores what comes, by topic and key, ends with
// what the router has.
//
// # Frames
//
// [Session] is the protocol of one client as a value: frames of the client and
// pages of snapshots in, frames for the client out. It does no input or output,
// so that a WebSocket and a plain HTTP answer speak the same.
//
// [Desk] is where the parts of the router say what happened, from any goroutine,
// without waiting. It gives each report a [Token], by which later reports name
// it as their cause.
//
// Files: topic.go, ring.go, cursor.go; frame.go what clients are sent, subscribe.go
// what they send, session.go and snapshot.go; desk.go.
package events
