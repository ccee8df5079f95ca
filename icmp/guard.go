package icmp

import (
	"net/netip"

	"routerd/internal/packet"
)

// MayAnswer4 reports whether an ICMP error may be sent about p, which Valid
// accepted (RFC 1812 §4.3.2.7). Two things the packet does not show are left
// to the caller: that a destination is a subnet's broadcast address, and that
// the frame was a link-layer broadcast.
func MayAnswer4(p packet.IPv4) bool {
	if p.FragmentOffset() != 0 {
		return false // only the first fragment
	}
	if d := p.DstBytes(); d[0]&0xf0 == 0xe0 || [4]byte(d) == [4]byte{255, 255, 255, 255} {
		return false // multicast, limited broadcast
	}
	// A source on network 0 or 127, multicast, class E or the limited
	// broadcast address is no single host (RFC 1812 §5.3.7).
	if s := p.SrcBytes(); s[0] == 0 || s[0] == 127 || s[0] >= 0xe0 {
		return false
	}
	if p.Protocol() != packet.ProtoICMP {
		return true
	}
	m := p.Payload()
	return len(m) > 0 && !isError4(m[0])
}

// isError4 reports whether an ICMP type is an error's. Types that nobody
// knows are not held to be errors: RFC 1812 forbids answers to errors only.
func isError4(t uint8) bool {
	switch t {
	case DestUnreachable, SourceQuench, Redirect, TimeExceeded, ParameterProblem:
		return true
	}
	return false
}

// MayAnswer6 reports whether the ICMPv6 error e may be sent about p, which
// Valid accepted (RFC 4443 §2.4 e). That a frame was a link-layer multicast
// is left to the caller.
func MayAnswer6(p packet.IPv6, e Error) bool {
	if p.DstBytes()[0] == 0xff && !aboutMulticast(p, e) {
		return false // e.3
	}
	// e.6: a source that is not one node.
	s := p.SrcBytes()
	if s[0] == 0xff || s[0] == 0 && notANode(netip.AddrFrom16([16]byte(s))) {
		return false
	}
	x := packet.WalkExtensions(p)
	// Where the packet does not show what it carries, the error is sent: it
	// may say just that (RFC 7112 §5, RFC 8200 §4.5), and an ICMPv6 error
	// always fits one packet, so a later fragment is not of one.
	if x.Upper != packet.ProtoICMPv6 || x.NonFirst {
		return true
	}
	if x.Offset >= p.TotalLen() {
		return false
	}
	t := p[x.Offset]
	return t >= informational6 && t != Redirect6 // e.1, e.2
}

// aboutMulticast holds the two exceptions of e.3: packet too big, and an
// unknown option whose type begins with the bits 10.
func aboutMulticast(p packet.IPv6, e Error) bool {
	switch e.Type {
	case PacketTooBig6:
		return true
	case ParameterProblem6:
		return e.Code == CodeOption6 && int64(e.Rest) < int64(p.TotalLen()) &&
			packet.Action(p[e.Rest]>>6) == packet.ActionReport
	}
	return false
}

func notANode(a netip.Addr) bool {
	return a.IsUnspecified() || a.IsLoopback() || a.Is4In6()
}
