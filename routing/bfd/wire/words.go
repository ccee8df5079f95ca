package wire

// State is that of a session, as RFC 5880 §4.1 numbers it.
type State uint8

// The states.
const (
	AdminDown State = iota
	Down
	Init
	Up
)

var states = [...]string{AdminDown: "admin-down", Down: "down", Init: "init", Up: "up"}

// String gives the name used in tables and JSON.
func (s State) String() string {
	if int(s) >= len(states) {
		return "unknown"
	}
	return states[s]
}

// Diagnostic is why a session last changed its state, as RFC 5880 §4.1 numbers
// it; there are 32 of them.
type Diagnostic uint8

// The diagnostics.
const (
	NoDiagnostic Diagnostic = iota
	DetectionTimeExpired
	EchoFailed
	NeighborSignaledDown
	ForwardingPlaneReset
	PathDown
	ConcatenatedPathDown
	AdministrativelyDown
	ReverseConcatenatedPathDown
)

var diagnostics = [...]string{
	NoDiagnostic:                "none",
	DetectionTimeExpired:        "control detection time expired",
	EchoFailed:                  "echo function failed",
	NeighborSignaledDown:        "neighbor signaled session down",
	ForwardingPlaneReset:        "forwarding plane reset",
	PathDown:                    "path down",
	ConcatenatedPathDown:        "concatenated path down",
	AdministrativelyDown:        "administratively down",
	ReverseConcatenatedPathDown: "reverse concatenated path down",
}

// String gives the diagnostic in words.
func (d Diagnostic) String() string {
	if int(d) >= len(diagnostics) {
		return "unknown"
	}
	return diagnostics[d]
}
