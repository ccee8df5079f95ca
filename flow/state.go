package flow

// State is how far a session has got. A session of another protocol than TCP
// is Idle all its life.
type State uint8

const (
	Idle State = iota

	SynForward  // the one side has sent a SYN
	SynReply    // only the other one has: a connection reopened from there
	SynBoth     // both have, neither has acknowledged: simultaneous open (RFC 5382 REQ-2)
	AckForward  // both have, and the side that began has acknowledged
	AckReply    // both have, and the other side has acknowledged: SYN-RECEIVED
	PickedUp    // first seen in mid-stream and not answered yet
	Established // both have acknowledged
	FinForward  // the side that began has sent its FIN
	FinReply    // the other side has
	TimeWait    // both have
	Reset       // an RST was in the window

	states
)

// String gives the state's name for people and JSON.
func (s State) String() string {
	return [...]string{
		"idle", "syn-sent", "syn-sent-reply", "syn-crossed", "ack-sent", "syn-received", "picked-up",
		"established", "fin-wait", "fin-wait-reply", "time-wait", "reset",
	}[s]
}
