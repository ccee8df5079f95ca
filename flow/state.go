package flow

// State is the state of a session. A session of another protocol than TCP is
// always Idle.
type State uint8

const (
	Idle State = iota

	SynForward  // the initiator has sent a SYN
	SynReply    // only the responder has: it reopens the connection
	SynBoth     // both have, neither has acknowledged: simultaneous open (RFC 5382 REQ-2)
	AckForward  // both have, and the initiator has acknowledged
	AckReply    // both have, and the responder has acknowledged: SYN-RECEIVED
	PickedUp    // first seen in mid-stream and not answered yet
	Established // both have acknowledged
	FinForward  // the initiator has sent its FIN
	FinReply    // the responder has
	TimeWait    // both have
	Reset       // an RST was in the window

	states
)

// String gives the state's name, as tables and JSON have it.
func (s State) String() string {
	return [...]string{
		"idle", "syn-sent", "syn-sent-reply", "syn-crossed", "ack-sent", "syn-received", "picked-up",
		"established", "fin-wait", "fin-wait-reply", "time-wait", "reset",
	}[s]
}

// open reports whether the handshake is complete and one side at least has not
// closed the connection.
func (s State) open() bool { return s == Established || s == FinForward || s == FinReply }
