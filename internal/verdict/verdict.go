// Package verdict is the closed list of the possible fates of a packet.
//
// Every packet that routerd touches ends in exactly one Verdict. Counters,
// metrics, `show drops`, `explain packet` and the tests all use this list and
// no other, so a figure on a dashboard and the sentence on a terminal always
// mean the same.
package verdict

// Verdict is the fate of one packet.
type Verdict uint8

// The fates, in the order of the stages that decide them.
const (
	None Verdict = iota // no stage has decided yet; never counted

	// Packets that went on.
	Forwarded
	Originated

	// Packets that ended at the router itself.
	EchoReplied
	ICMPReceived
	DeliveredToStack
	FragmentHeld

	HandedToNeighbor
	HandedToProtocol
	ProbeAnswered
	Resolving

	// The frame is not for the router.
	BadLinkHeader
	VLANTagged
	OtherStation
	UnknownEtherType
	LinkBroadcast

	// The packet is malformed.
	Truncated
	BadVersion
	BadHeaderLength
	BadTotalLength
	BadHeaderChecksum
	BadOption
	BadExtensionHeader
	BadICMPChecksum
	BadOffload

	// The addresses forbid forwarding.
	MartianSource
	MartianDestination
	SpoofedSource
	SourceRouted
	LinkScope
	Multicast
	Broadcast
	BroadcastSource
	URPFStrict
	URPFLoose

	// The route or the path forbids forwarding.
	NoRoute
	Blackhole
	Unreachable
	Prohibited
	BackToPort
	HopLimit
	TooBig
	InterfaceDown

	// The packet filter drops it.
	ACLDropped
	ACLRejected
	ACLLimited
	ZoneNoPolicy

	// Address translation drops it.
	NATBadPacket
	NATNoMapping
	NATFiltered
	NATInvalidState
	NATICMPUnmatched
	NATPoolExhausted
	NATPortless
	NATSessionLimit
	NATHostLimit

	// For the router, which does not accept it.
	ProtocolUnreachable
	PortUnreachable
	ICMPIgnored
	NothingInside
	LocalPoliced
	BadUDPChecksum
	ProtocolQueueFull
	ProtocolThrottled

	// Fragments for the router, or its address translation, that could not be
	// reassembled.
	FragmentMalformed
	FragmentOverlap
	FragmentTimeout
	FragmentEvicted
	FragmentTableFull

	// The router failed to forward it.
	NoBuffer
	EgressRefused
	NeighborQueueFull
	NeighborThrottled
	NeighborTableFull
	NeighborEvicted
	NotNeighbor
	NeighborFailed

	numVerdicts
)

// Count is the number of verdicts, None included: the length of an array
// indexed by Verdict.
const Count = int(numVerdicts)

// Class says whether a verdict is a loss.
type Class uint8

const (
	Dropped Class = iota // lost, with or without an ICMP error
	Passed               // sent on by one of the router's ports
	Local                // ended at the router as its sender wished
)

// String gives the word used in metrics and JSON.
func (c Class) String() string {
	switch c {
	case Passed:
		return "passed"
	case Local:
		return "local"
	default:
		return "dropped"
	}
}

type info struct {
	label    string
	class    Class
	sentence string
}

var table = [Count]info{
	None: {"none", Dropped, "no stage has decided yet"},

	Forwarded:  {"forwarded", Passed, "sent on towards its next hop"},
	Originated: {"originated", Passed, "made by the router itself and sent"},

	EchoReplied:      {"echo_replied", Local, "an echo request for the router, which answered it"},
	ICMPReceived:     {"icmp_received", Local, "an ICMP message for the router, which read it"},
	DeliveredToStack: {"delivered_to_stack", Local, "for the router itself, handed to its own TCP/IP stack"},
	FragmentHeld:     {"fragment_held", Local, "a fragment for the router or its address translation, kept until the rest of its packet arrives"},

	HandedToNeighbor: {"handed_to_neighbor", Local, "an ARP or neighbour discovery message, handed to the router's neighbour machine"},
	HandedToProtocol: {"handed_to_protocol", Local, "a message of a routing protocol or about multicast groups, handed to the router's own"},
	ProbeAnswered:    {"probe_answered", Local, "the answer to a probe that the router itself has sent"},
	Resolving:        {"resolving", Local, "held until the link-layer address of its next hop is known"},

	BadLinkHeader:    {"bad_link_header", Dropped, "shorter than an Ethernet header"},
	VLANTagged:       {"vlan_tagged", Dropped, "it carries a VLAN tag, and no interface stands on that VLAN"},
	OtherStation:     {"other_station", Dropped, "its frame is addressed to another station on the link"},
	UnknownEtherType: {"unknown_ether_type", Dropped, "its frame carries neither IP nor ARP"},
	LinkBroadcast:    {"link_broadcast", Dropped, "a packet for one host in a frame for many stations, which a router does not pass on"},

	Truncated:          {"truncated", Dropped, "shorter than an IP header"},
	BadVersion:         {"bad_version", Dropped, "neither IPv4 nor IPv6 by its version field"},
	BadHeaderLength:    {"bad_header_length", Dropped, "its IPv4 header length is below 20 bytes or beyond the packet"},
	BadTotalLength:     {"bad_total_length", Dropped, "its length field does not fit the bytes that arrived"},
	BadHeaderChecksum:  {"bad_header_checksum", Dropped, "its IPv4 header checksum is wrong"},
	BadOption:          {"bad_option", Dropped, "an IPv4 option in it is malformed"},
	BadExtensionHeader: {"bad_extension_header", Dropped, "an IPv6 extension header or option in it is malformed or asks to be refused when unknown"},
	BadICMPChecksum:    {"bad_icmp_checksum", Dropped, "an ICMP message for the router with a wrong checksum or length"},
	BadOffload:         {"bad_offload", Dropped, "the device described its segments or checksum in a way that its headers contradict; where the sender has a tunnel in a tunnel, turn off its tx-udp_tnl-segmentation and tx-gre-segmentation (ethtool -K)"},

	MartianSource:      {"martian_source", Dropped, "its source address can never be the source of a forwarded packet"},
	MartianDestination: {"martian_destination", Dropped, "its destination address must never leave a host"},
	SpoofedSource:      {"spoofed_source", Dropped, "it came in from outside with one of the router's own addresses as its source"},
	SourceRouted:       {"source_routed", Dropped, "it asks to be source routed, which the router refuses"},
	LinkScope:          {"link_scope", Dropped, "a link-local address in it must not leave its link"},
	Multicast:          {"multicast", Dropped, "sent to a multicast group that nobody on the router listens to"},
	Broadcast:          {"broadcast", Dropped, "sent to a broadcast address, which the router does not pass on"},
	BroadcastSource:    {"broadcast_source", Dropped, "its source is the broadcast address of one of the router's subnets, which no host can have"},
	URPFStrict:         {"urpf_strict", Dropped, "the route back to its source does not leave by the interface it came in by (urpf strict)"},
	URPFLoose:          {"urpf_loose", Dropped, "there is no route back to its source (urpf loose)"},

	NoRoute:       {"no_route", Dropped, "no route covers its destination"},
	Blackhole:     {"blackhole", Dropped, "the route to its destination is a blackhole"},
	Unreachable:   {"unreachable", Dropped, "the route to its destination says unreachable"},
	Prohibited:    {"prohibited", Dropped, "the route to its destination says prohibited"},
	BackToPort:    {"back_to_port", Dropped, "it would go back out of the point-to-point port it came in by, into that port's own subnet"},
	HopLimit:      {"hop_limit", Dropped, "its TTL or hop limit ran out here"},
	TooBig:        {"too_big", Dropped, "larger than the MTU of its way out and not allowed to be fragmented"},
	InterfaceDown: {"interface_down", Dropped, "the interface on its way out is down"},

	ACLDropped:   {"acl_dropped", Dropped, "a rule of the packet filter, or the default action of a list, drops it"},
	ACLRejected:  {"acl_rejected", Dropped, "a rule of the packet filter, or the default action of a list, rejects it with an answer"},
	ACLLimited:   {"acl_limited", Dropped, "a new flow beyond a limit of the packet filter's rule that accepts it"},
	ZoneNoPolicy: {"zone_no_policy", Dropped, "no zone policy is for its way: from one zone to another, or between a zone and an interface in no zone"},

	NATBadPacket:     {"nat_bad_packet", Dropped, "its transport header is cut short or contradicts itself, so that address translation cannot tell its flow"},
	NATNoMapping:     {"nat_no_mapping", Dropped, "for an outside address of address translation, where no mapping leads to an inside host"},
	NATFiltered:      {"nat_filtered", Dropped, "for a mapping of address translation that does not let this remote endpoint in"},
	NATInvalidState:  {"nat_invalid_state", Dropped, "it belongs to no session of address translation and is none that could begin one"},
	NATICMPUnmatched: {"nat_icmp_unmatched", Dropped, "an ICMP error through address translation about a packet of no session that exists"},
	NATPoolExhausted: {"nat_pool_exhausted", Dropped, "a new flow while every port of the outside addresses for it is taken"},
	NATPortless:      {"nat_portless", Dropped, "a new flow of a protocol without ports, whose answers could not be told from those to another inside host: of each remote address, one at a time has an outside address for it"},
	NATSessionLimit:  {"nat_session_limit", Dropped, "a new flow while the table of sessions has as many as it may have in all"},
	NATHostLimit:     {"nat_host_limit", Dropped, "a new flow of a host that has as many sessions as one host may have"},

	ProtocolUnreachable: {"protocol_unreachable", Dropped, "for the router, in a protocol that nothing on the router speaks"},
	PortUnreachable:     {"port_unreachable", Dropped, "for the router, to a port that nothing on the router listens to"},
	ICMPIgnored:         {"icmp_ignored", Dropped, "an ICMP message for the router of a type that it does not answer"},
	NothingInside:       {"nothing_inside", Dropped, "for the router, with no next header and so nothing to read"},
	LocalPoliced:        {"local_policed", Dropped, "for the router's own TCP/IP stack, beyond the rate that it is protected by"},
	BadUDPChecksum:      {"bad_udp_checksum", Dropped, "a message for one of the router's own protocols with a wrong UDP checksum or length"},
	ProtocolQueueFull:   {"protocol_queue_full", Dropped, "a message for one of the router's own protocols, which has enough of them waiting already"},
	ProtocolThrottled:   {"protocol_throttled", Dropped, "a message for one of the router's own protocols from none of its neighbours, and as many of those are taken as may be in a second"},

	FragmentMalformed: {"fragment_malformed", Dropped, "a fragment to be put together here, with an impossible offset or length"},
	FragmentOverlap:   {"fragment_overlap", Dropped, "a fragment to be put together here, which overlaps another one; the whole packet is given up"},
	FragmentTimeout:   {"fragment_timeout", Dropped, "a fragment to be put together here, whose missing parts did not arrive in time"},
	FragmentEvicted:   {"fragment_evicted", Dropped, "a fragment to be put together here, whose packet was given up unfinished to make room for newer ones"},
	FragmentTableFull: {"fragment_table_full", Dropped, "a fragment to be put together here, which takes more room than one source may have"},

	NoBuffer:          {"no_buffer", Dropped, "the batch ran out of buffers to cut it into pieces"},
	EgressRefused:     {"egress_refused", Dropped, "the device on its way out did not take it"},
	NeighborQueueFull: {"neighbor_queue_full", Dropped, "the link-layer address of its next hop is not known, and enough packets wait for one already"},
	NeighborThrottled: {"neighbor_throttled", Dropped, "its next hop is a station never heard of, and as many of those are being asked for as may be in a second"},
	NeighborTableFull: {"neighbor_table_full", Dropped, "its next hop is a station never heard of, and the neighbour table has no room for one more"},
	NeighborEvicted:   {"neighbor_evicted", Dropped, "it waited for the link-layer address of its next hop, which was given up to make room for another neighbour"},
	NotNeighbor:       {"not_neighbor", Dropped, "no station on the link can have the address of its next hop"},
	NeighborFailed:    {"neighbor_failed", Dropped, "its next hop did not answer ARP or neighbour discovery"},
}

// Label is the verdict's name in metrics and JSON: lower case, underscores.
func (v Verdict) Label() string { return table[v.index()].label }

// Sentence describes the fate in words. It begins in lower case and has no full
// stop.
func (v Verdict) Sentence() string { return table[v.index()].sentence }

// Class says whether the packet was passed on, ended here as wished, or lost.
func (v Verdict) Class() Class { return table[v.index()].class }

// String is the Label, so that a Verdict reads well in a test's failure.
func (v Verdict) String() string { return v.Label() }

// All calls yield with every verdict but None, in order.
func All(yield func(Verdict) bool) {
	for v := None + 1; v < numVerdicts; v++ {
		if !yield(v) {
			return
		}
	}
}

func (v Verdict) index() Verdict {
	if v >= numVerdicts {
		return None
	}
	return v
}
