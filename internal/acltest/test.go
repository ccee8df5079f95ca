package acltest

import (
	"net/netip"

	"routerd/acl"
	"routerd/dataplane"
	"routerd/internal/origin"
	"routerd/internal/verdict"
)

// Test is packets that come one after the other, to a router without sessions.
type Test struct {
	Name  string
	Steps []Step
}

// Step is one packet and what is wanted to become of it.
type Step struct {
	Packet Packet
	Want   Want
	Place  origin.Place // in the file of tests
}

// Packet describes one packet.
type Packet struct {
	// Answers, unless it is None, makes it an answer to the packet of the step
	// before, as that left the router. Then In and Src, if they are not given,
	// follow from that, and the rest is not looked at.
	Answers  Answer
	In       string // the interface that it comes in by
	Src, Dst netip.Addr
	Protocol uint8 // 0 = ICMP or ICMPv6
	SrcPort  uint16
	DstPort  uint16
	TCPFlags uint8               // 0 = SYN
	ICMP     *dataplane.ICMPType // nil = echo request
	DSCP     uint8
	TTL      uint8 // or hop limit; 0 = 64
	Length   int   // bytes of the whole packet; 0 = as small as it can be
	// Fragments has it come in two fragments.
	Fragments bool
}

// Answer is what a packet has to do with the one before it.
type Answer uint8

// The answers. All but Reply are ICMP errors.
const (
	None         Answer = iota
	Reply               // of the host that it was for
	Unreachable         // its port is unreachable
	TooBig              // it is larger than the path's MTU
	TimeExceeded        // its TTL or hop limit ran out
)

// Want is what is wanted to become of a packet. What is not said may be any.
type Want struct {
	Outcome Outcome         // Any if Verdict says it
	Verdict verdict.Verdict // None = any that is of the Outcome
	State   *acl.State
	List    string // a list that decided; "" = any
	Rule    string // its rule, or DefaultAction; "" = any
	Out     string // the interface that it leaves by; "" = any
}

// DefaultAction stands for the default action of a list where the name of a rule
// may stand.
const DefaultAction = "(default)"

// Outcome is what becomes of a packet, as far as the filter is concerned.
type Outcome uint8

// The outcomes.
const (
	Any    Outcome = iota
	Accept         // it goes on, or to the router itself
	Drop           // the filter drops it, without a word
	Reject         // the filter drops it and tells its sender
)

var outcomes = [...]string{"any", "accept", "drop", "reject"}

// String gives the configuration's word.
func (o Outcome) String() string { return outcomes[o] }
