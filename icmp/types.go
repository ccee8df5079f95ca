package icmp

// ICMP types (RFC 792; router discovery, timestamps and the like are left
// out: the router does not speak them).
const (
	EchoReply        = 0
	DestUnreachable  = 3
	SourceQuench     = 4 // deprecated by RFC 6633; still an error that must not be answered
	Redirect         = 5
	EchoRequest      = 8
	TimeExceeded     = 11
	ParameterProblem = 12
)

// Codes of DestUnreachable (RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1).
const (
	CodeNetUnreachable      = 0
	CodeHostUnreachable     = 1
	CodeProtocolUnreachable = 2
	CodePortUnreachable     = 3
	CodeFragmentationNeeded = 4
	CodeSourceRouteFailed   = 5
	CodeNetProhibited       = 9
	CodeHostProhibited      = 10
	CodeProhibited          = 13
)

// CodeRedirectHost is the code of Redirect that RFC 1812 §5.2.7.2 has routers
// use.
const CodeRedirectHost = 1

// Codes of TimeExceeded, the same for ICMP and ICMPv6 (RFC 792, RFC 4443 §3.3).
const (
	CodeHopLimitExceeded   = 0
	CodeReassemblyExceeded = 1
)

// ICMPv6 types (RFC 4443 §2.1; neighbour discovery RFC 4861 §4).
const (
	DestUnreachable6       = 1
	PacketTooBig6          = 2
	TimeExceeded6          = 3
	ParameterProblem6      = 4
	EchoRequest6           = 128
	EchoReply6Type         = 129
	RouterSolicitation6    = 133
	RouterAdvertisement6   = 134
	NeighborSolicitation6  = 135
	NeighborAdvertisement6 = 136
	Redirect6              = 137
)

// Group membership in ICMPv6 (RFC 2710 §3.1, RFC 3810 §5).
const (
	ListenerQuery6    = 130
	ListenerReport6   = 131 // version 1
	ListenerDone6     = 132 // version 1
	ListenerReport6v2 = 143
)

// informational6 is the lowest ICMPv6 type that is not an error (RFC 4443 §2.1).
const informational6 = 128

// Codes of DestUnreachable6 (RFC 4443 §3.1).
const (
	CodeNoRoute6            = 0
	CodeProhibited6         = 1
	CodeBeyondScope6        = 2
	CodeAddressUnreachable6 = 3
	CodePortUnreachable6    = 4
	CodeSourcePolicy6       = 5
	CodeRejectRoute6        = 6
)

// Codes of ParameterProblem6 (RFC 4443 §3.4, RFC 7112 §5) are those of
// packet.Problem, repeated here for the readers of ICMP messages.
const (
	CodeErroneousField6 = 0
	CodeNextHeader6     = 1
	CodeOption6         = 2
	CodeFirstChain6     = 3
)
