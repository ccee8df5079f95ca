package routing

// Cause is a reason why a next hop is dead. Each has one writer; a next hop is
// alive while no cause is set.
type Cause uint8

const (
	CauseCarrier   Cause = iota // the device of the link has no carrier
	CauseInterface              // the interface is down, or removed
	CauseNeighbor               // the neighbour does not answer ARP or neighbour discovery
	CauseBFD                    // its BFD session is down (RFC 5882 §3.2)
	CauseProtocol               // a routing protocol has lost it as a neighbour
	NumCauses
)

var causes = [NumCauses]string{"carrier", "interface", "neighbor", "bfd", "protocol"}

// String gives the name used in tables and JSON.
func (c Cause) String() string {
	if c >= NumCauses {
		return "unknown"
	}
	return causes[c]
}
