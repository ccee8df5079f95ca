package acl

import (
	"net/netip"
	"slices"

	"routerd/flow"
	"routerd/internal/packet"
)

// handshake is the TCP flags that tell the first segment of a connection.
const handshake = packet.TCPSyn | packet.TCPAck | packet.TCPRst | packet.TCPFin

// Shuts reports whether the list certainly refuses every TCP connection to a
// port of an address, from whoever it comes, and which of its rules does so, -1
// being the default action. An unspecified address stands for all of its family,
// that of IPv6 for all of both. Of sets it assumes that they have what an accept
// rule wants.
func (l *List) Shuts(to netip.Addr, port uint16) (rule int, shut bool) {
	first := Rule{
		States: []State{New}, Protocols: []uint8{packet.ProtoTCP}, DestinationPorts: []flow.PortRange{{First: port, Last: port}},
		TCPFlags: Flags{Of: handshake, Set: packet.TCPSyn},
	}
	if !to.IsUnspecified() {
		first.Family, first.Destinations = 6, []flow.AddressRange{{First: to, Last: to}}
	}
	if to.Is4() {
		first.Family = 4
	}
	for i := range l.Rules {
		switch r := &l.Rules[i]; {
		case !r.Action.decides():
		case r.Action == Accept && r.mayMatch(&first):
			return 0, false
		case r.Action != Accept && r.contradicts() == "" && r.covers(&first):
			return i, true
		}
	}
	return -1, l.Default != Accept
}

// mayMatch reports whether r may match some packet that the rule first, which
// has no conditions but those of Shuts, matches.
func (r *Rule) mayMatch(first *Rule) bool {
	of := func(list []flow.AddressRange) bool {
		return len(list) == 0 || slices.ContainsFunc(list, func(a flow.AddressRange) bool { return first.Family == 0 || a.First.Is4() == (first.Family == 4) })
	}
	to := func(a flow.AddressRange) bool {
		return len(first.Destinations) == 0 || a.First.BitLen() == first.Destinations[0].First.BitLen() &&
			!first.Destinations[0].First.Less(a.First) && !a.Last.Less(first.Destinations[0].First)
	}
	return (r.Family == 0 || first.Family == 0 || r.Family == first.Family) && r.matches()[New] &&
		(len(r.Protocols) == 0 || slices.Contains(r.Protocols, packet.ProtoTCP)) &&
		(len(r.SourceSets) > 0 || of(r.Sources)) &&
		(len(r.DestinationSets) > 0 || len(r.Destinations) == 0 || of(r.Destinations) && slices.ContainsFunc(r.Destinations, to)) &&
		(len(r.DestinationPorts) == 0 || slices.ContainsFunc(r.DestinationPorts, func(p flow.PortRange) bool { return p.Holds(first.DestinationPorts[0]) })) &&
		r.TCPFlags.Set&handshake == first.TCPFlags.Set&r.TCPFlags.Of&handshake
}
