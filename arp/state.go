package arp

// State is the reachability state of a neighbour (RFC 4861 §7.3.2).
type State uint8

const (
	// Absent: not in the table.
	Absent State = iota
	// Failed: a next hop that did not answer. It is requested again from time
	// to time while it is the next hop of routes, and at once for a packet.
	Failed
	// Incomplete: requested, not yet answered; packets are held.
	Incomplete
	// Reachable: confirmed within the last reachable time.
	Reachable
	// Stale: not confirmed recently; to be verified once it is used.
	Stale
	// Delay: used while stale; probed if nothing confirms it soon.
	Delay
	// Probe: being probed by unicast.
	Probe
	// Static: configured; never requested, never changed.
	Static
	numStates
)

// NumStates is the length of an array indexed by State.
const NumStates = int(numStates)

var stateNames = [NumStates]string{"absent", "failed", "incomplete", "reachable", "stale", "delay", "probe", "static"}

// String gives the name used in tables, metrics and JSON.
func (s State) String() string {
	if s >= numStates {
		return "unknown"
	}
	return stateNames[s]
}
