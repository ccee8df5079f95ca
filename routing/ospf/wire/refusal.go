package wire

import "fmt"

// Reason is why a packet or an LSA is refused.
type Reason uint8

// The reasons.
const (
	Accepted       Reason = iota
	Short                 // not even a header
	Version               //
	PacketType            //
	PacketLength          // the header's length is below its own or beyond what came
	Instance              // RFC 6549: of another instance
	AuthUnknown           // a type of authentication that there is not
	AuthLength            // authentication data beyond what came
	Checksum              //
	BodyLength            // not a length that a packet of its type has
	LSACount              // not as many LSAs as announced
	LSALength             // an LSA ends beyond the packet or within its header
	LSAChecksum           //
	LSAType               // a type of LSA that there is not
	LSASequence           // the sequence number that RFC 2328 §12.1.6 reserves
	LSABody               // a body that is not as long as it says
	AuthDiffers           // authenticated in another way
	KeyID                 // with another key
	Password              //
	DigestLength          // by another algorithm
	Digest                //
	Sequence              // replayed
	NetworkMask           //
	HelloInterval         //
	DeadInterval          //
	OptionEDiffers        // a stub area for one of both alone
	OptionNDiffers        // an NSSA for one of both alone

	// These are found out by what the router knows beside the packet.
	Area                // of another area than the interface
	Source              // from an address that is not on the network
	Destination         // for another group or address than those of the interface
	OwnRouter           // of the router ID that this router has
	UnknownNeighbor     // of a router that no Hello came from
	NotConfigured       // of a neighbour that is not configured, where they have to be
	NeighborsFull       // of more neighbours than a Hello has room for
	NeighborState       // of a neighbour that is not that far
	NeighborDead        // of a neighbour that BFD holds dead
	MTU                 // larger than the interface's
	DescriptionSequence // not the Description that comes next
	RequestUnknown      // for an LSA that is not there
	NoKey               // no key is valid
	LSAScope            // an LSA that its area does not take
	LSATooSoon          // MinLSArrival
	LSAWrapping         // its sequence is being flushed
	DatabaseFull        // max-lsa
	AckUnknown          // an acknowledgement of what was not sent
	numReasons
)

// NumReasons is the length of an array indexed by Reason.
const NumReasons = int(numReasons)

// How the values of a Refusal are written.
const (
	bare = iota // there are none
	number
	hexadecimal
	dotted
	authType
	theirs // a number of theirs; ours means nothing
	theirsDotted
)

var reasons = [NumReasons]struct {
	word, text string
	form       int
}{
	Accepted:       {"accepted", "accepted", bare},
	Short:          {"short", "octets in a packet, want a header of 24", theirs},
	Version:        {"version", "OSPF version", number},
	PacketType:     {"packet-type", "unknown type of packet", theirs},
	PacketLength:   {"packet-length", "packet length in the header, and octets that came", number},
	Instance:       {"instance", "instance", number},
	AuthUnknown:    {"auth-unknown", "unknown type of authentication", theirs},
	AuthLength:     {"auth-length", "authentication data in octets, and those that came", number},
	Checksum:       {"checksum", "checksum", hexadecimal},
	BodyLength:     {"body-length", "packet length that no packet of its type has", theirs},
	LSACount:       {"lsa-count", "LSAs announced, and those that came", number},
	LSALength:      {"lsa-length", "length of an LSA, and octets left", number},
	LSAChecksum:    {"lsa-checksum", "checksum of an LSA", hexadecimal},
	LSAType:        {"lsa-type", "unknown type of LSA", theirs},
	LSASequence:    {"lsa-sequence", "reserved sequence number of an LSA", bare},
	LSABody:        {"lsa-body", "length of an LSA that its type or body contradicts", theirs},
	AuthDiffers:    {"auth-type", "authentication", authType},
	KeyID:          {"key-id", "key", number},
	Password:       {"password", "password differs", bare},
	DigestLength:   {"digest-length", "length of the digest", number},
	Digest:         {"digest", "digest differs: another secret or algorithm, or the packet was changed", bare},
	Sequence:       {"sequence", "cryptographic sequence number, and the last one heard", number},
	NetworkMask:    {"network-mask", "network mask", dotted},
	HelloInterval:  {"hello-interval", "hello interval in seconds", number},
	DeadInterval:   {"dead-interval", "dead interval in seconds", number},
	OptionEDiffers: {"option-e", "external routes in the area (option E)", number},
	OptionNDiffers: {"option-n", "NSSA (option N)", number},

	Area:                {"area", "area", dotted},
	Source:              {"source", "source address, and the interface's", dotted},
	Destination:         {"destination", "destination address, and the interface's", dotted},
	OwnRouter:           {"own-router", "router ID, which is this router's own", theirsDotted},
	UnknownNeighbor:     {"unknown-neighbor", "router that no Hello came from", theirsDotted},
	NotConfigured:       {"not-configured", "neighbour that is not configured", bare},
	NeighborsFull:       {"neighbors-full", "neighbours, and how many a Hello has room for", number},
	NeighborState:       {"neighbor-state", "the neighbour is not that far", bare},
	NeighborDead:        {"neighbor-dead", "BFD holds the neighbour dead", bare},
	MTU:                 {"mtu", "MTU", number},
	DescriptionSequence: {"description-sequence", "sequence of Database Descriptions", number},
	RequestUnknown:      {"request-unknown", "request for an LSA that is not there, of type", theirs},
	NoKey:               {"no-key", "no key is valid", bare},
	LSAScope:            {"lsa-scope", "LSA that the area does not take, of type", theirs},
	LSATooSoon:          {"lsa-too-soon", "LSA that came again within MinLSArrival", bare},
	LSAWrapping:         {"lsa-wrapping", "LSA whose sequence is being flushed", bare},
	DatabaseFull:        {"database-full", "LSAs of others (max-lsa)", number},
	AckUnknown:          {"ack-unknown", "acknowledgement of what was not sent", bare},
}

// String gives the word used in metrics and JSON.
func (r Reason) String() string {
	if r >= numReasons {
		return "unknown"
	}
	return reasons[r].word
}

// Refusal says what is wrong with a packet or an LSA; the zero Refusal is that
// nothing is. Theirs and Ours are the values of the field where it has any: Ours
// is what was wanted.
type Refusal struct {
	Reason       Reason
	Theirs, Ours uint64
}

// OK reports that nothing was refused.
func (r Refusal) OK() bool { return r.Reason == Accepted }

// String says it in words: the field, what came, what was wanted.
func (r Refusal) String() string {
	if r.Reason >= numReasons {
		return "unknown"
	}
	row := &reasons[r.Reason]
	switch row.form {
	case number:
		return fmt.Sprintf("%s: theirs %d, ours %d", row.text, r.Theirs, r.Ours)
	case hexadecimal:
		return fmt.Sprintf("%s: theirs %#04x, ours %#04x", row.text, r.Theirs, r.Ours)
	case dotted:
		return fmt.Sprintf("%s: theirs %v, ours %v", row.text, ID(r.Theirs), ID(r.Ours))
	case authType:
		return fmt.Sprintf("%s: theirs %v, ours %v", row.text, AuthType(r.Theirs), AuthType(r.Ours))
	case theirsDotted:
		return fmt.Sprintf("%s: %v", row.text, ID(r.Theirs))
	case theirs:
		return fmt.Sprintf("%s: %d", row.text, r.Theirs)
	}
	return row.text
}

func refuse(r Reason, theirs, ours int) Refusal {
	return Refusal{Reason: r, Theirs: uint64(theirs), Ours: uint64(ours)}
}
