package dataplane

import (
	"fmt"
	"net/netip"

	"routerd/arp"
	"routerd/flow"
	"routerd/routing/fib"
)

// Carried says of an interface that the kernel may carry flows that come in by
// it or leave by it. Interfaces whose port has no Ethernet device of the kernel
// have none, nor has one where that is switched off or not possible.
type Carried struct {
	Device int // index of the device in the router's own namespace
	// Peer: the device is a veth whose other end is up in another namespace of
	// this machine. Frames may be handed to that end if the next hop has its
	// link address, PeerMAC.
	Peer    bool
	PeerMAC arp.MAC
	// A flow that comes in by the interface is offered as soon as so many frames
	// or bytes of it have been forwarded within one OfferInterval; with Frames = 1
	// every flow is, and with both 0 too. With Again it is offered by its second
	// frame within about a second as well.
	Frames, Bytes uint32
	Again         bool
}

// Carriage is how the packets of a flow leave, as the stages have concluded for
// one of them.
type Carriage struct {
	In, Out        *Interface // Out is nil if it does not leave
	Proto          uint8
	Src, Dst       netip.AddrPort // as they arrive
	NewSrc, NewDst netip.AddrPort // as they leave
	Target         netip.Addr     // the next hop, or the destination on the link
	MAC            arp.MAC        // of Target
	Neighbor       *arp.Entry     // of Target
	Way            *fib.Way       // by the route to NewDst.Addr()
	Hop            *fib.NextHop   // of Way
	Source         *fib.Way       // by the route to Src.Addr(); nil where the interface does not check that
	// Sessions is the table that has the flow's session, and Hit that session and
	// the direction; nil where nothing is translated or filtered, so that there
	// are none.
	Sessions *flow.Table
	Hit      flow.Hit
}

// Uncarried says why the kernel may not carry a flow.
type Uncarried uint8

const (
	Carriable Uncarried = iota // it may

	UncarriedIn        // the interface that it comes in by has no Carried
	UncarriedProtocol  // neither TCP nor UDP
	UncarriedOptions   // IPv4 options or IPv6 extension headers
	UncarriedFragment  // a fragment
	UncarriedSegment   // a segment that begins or ends a connection
	UncarriedFate      // the stages do not forward it
	UncarriedNeighbor  // the link address of its next hop is not known
	UncarriedSize      // larger than the MTU
	UncarriedOut       // the interface that it leaves by has no Carried
	UncarriedHairpin   // it leaves by the interface that it came in by
	UncarriedCut       // the port has it cut or summed by the stages
	UncarriedNew       // it has no session yet
	UncarriedFiltered  // the filter decides about each of its packets
	UncarriedUntracked // address translation looks at each of its packets
	UncarriedNotOpen   // the connection is not open, or not any more

	NumUncarried
)

// uncarried is a word for each, for counters, and a sentence for users, in
// which %s, if there is one, stands for the interface that is the cause.
var uncarried = [NumUncarried]struct{ word, sentence string }{
	Carriable:          {"carriable", "the kernel may carry it"},
	UncarriedIn:        {"ingress", "comes in by %s"},
	UncarriedProtocol:  {"protocol", "is neither TCP nor UDP"},
	UncarriedOptions:   {"options", "has options or extension headers"},
	UncarriedFragment:  {"fragment", "is a fragment"},
	UncarriedSegment:   {"segment", "begins or ends a connection"},
	UncarriedFate:      {"fate", "is not forwarded"},
	UncarriedNeighbor:  {"neighbor", "waits for the link-layer address of its next hop"},
	UncarriedSize:      {"size", "is larger than the MTU of %s"},
	UncarriedOut:       {"egress", "leaves by %s"},
	UncarriedHairpin:   {"hairpin", "leaves by %s, which it came in by"},
	UncarriedCut:       {"cut", "leaves in pieces, or with a checksum that the router completes, by %s"},
	UncarriedNew:       {"new", "has no session yet"},
	UncarriedFiltered:  {"filtered", "has no session, so the filter decides about each of its packets"},
	UncarriedUntracked: {"untracked", "has no session, so address translation looks at each of its packets"},
	UncarriedNotOpen:   {"not-open", "is of a connection that is not open yet, or not any more"},
}

// String gives a word for u, as counters and JSON have it.
func (u Uncarried) String() string { return uncarried[u].word }

// Sentence says about the flow of c, to somebody who knows the router but not
// this program, why the kernel does not carry it.
func (u Uncarried) Sentence(c *Carriage) string {
	var cause string
	switch u {
	case UncarriedIn:
		cause = c.In.uncarriable()
	case UncarriedOut:
		cause = c.Out.uncarriable()
	case UncarriedSize, UncarriedHairpin, UncarriedCut:
		cause = c.Out.named()
	default:
		return uncarried[u].sentence
	}
	return fmt.Sprintf(uncarried[u].sentence, cause)
}

func (i *Interface) named() string {
	if i == nil {
		return "no interface"
	}
	return i.Name
}

// uncarriable names the interface, which has no Carried, and says why.
func (i *Interface) uncarriable() string {
	if i == nil {
		return "no interface"
	}
	switch i.Kind {
	case KindTUN:
		return i.Name + ", a TUN: the kernel carries between Ethernet devices alone"
	case KindTAP:
		return i.Name + ", a TAP: its other end belongs to this program, not to the kernel"
	case KindStack:
		return i.Name + ", the router's own TCP/IP stack"
	case KindLoopback:
		return i.Name + ", a loopback"
	}
	return i.Name + ", whose device has no flow cache"
}
