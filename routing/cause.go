package routing

// Cause is who found out that a next hop is dead. Each has one writer; a next
// hop lives while no cause says otherwise.
type Cause uint8

const (
	CauseCarrier   Cause = iota // the link has no carrier, says who watches the device
	CauseInterface              // the routing table has the interface as down, or as gone
	CauseNeighbor               // the neighbour does not answer ARP or neighbour discovery
	CauseBFD                    // its BFD session is down (RFC 5882 §3.2)
	CauseProtocol               // a routing protocol that speaks with it has lost it
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
