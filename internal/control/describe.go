package control

import (
	"fmt"
	"net/netip"
	"strings"

	"routerd/icmp"
	"routerd/internal/packet"
)

// Describe describes a packet in one line, from its first bytes and its whole
// length:
//
//	IPv4 10.0.1.2:5353 > 224.0.0.251:5353 UDP, TTL 1, 120 bytes
//	IPv6 2001:db8:1::2 > 2001:db8:2::2 ICMPv6 echo request, hop limit 64, 104 bytes
//
// The packet may be of any kind and malformed: everything readable is
// described, also contradictions. Describe does not keep header.
func Describe(header []byte, length int) string {
	if len(header) == 0 {
		return count(length)
	}
	switch version := header[0] >> 4; {
	case version == 4 && len(header) >= packet.IPv4MinHeader:
		return describe4(header, length)
	case version == 6 && len(header) >= packet.IPv6Header:
		return describe6(header, length)
	case version == 4 || version == 6:
		return fmt.Sprintf("IPv%d, cut off in its header, %s: % x", version, count(length), start(header))
	default:
		return fmt.Sprintf("IP version %d, %s: % x", version, count(length), start(header))
	}
}

func describe4(b packet.IPv4, length int) string {
	l := line{version: 4, src: b.Src(), dst: b.Dst(), protocol: b.Protocol()}
	h := b.HeaderLen()
	switch {
	case h < packet.IPv4MinHeader:
		l.note("header length %d", h)
	case b.FragmentOffset() == 0 && h <= len(b):
		l.readTransport(b[h:])
	}
	if b.IsFragment() {
		l.fragment(b.FragmentOffset(), b.MoreFragments(), uint32(b.ID()))
	}
	l.note("TTL %d", b.TTL())
	l.length(length, b.TotalLen())
	return l.String()
}

func describe6(b packet.IPv6, length int) string {
	l := line{version: 6, src: b.Src(), dst: b.Dst(), protocol: b.NextHeader()}
	rest := []byte(b[packet.IPv6Header:])
	first := true
	for range packet.MaxExtensions {
		n, ok := packet.ExtensionLen(l.protocol, rest)
		if !packet.IsExtension(l.protocol) || !ok {
			break
		}
		if l.protocol == packet.ProtoFragment {
			f := packet.FragmentHeader(rest)
			l.fragment(f.Offset(), f.MoreFragments(), f.ID())
			first = f.Offset() == 0
		}
		l.protocol, rest = rest[0], rest[n:]
		if !first {
			break
		}
	}
	if first && !packet.IsExtension(l.protocol) {
		l.readTransport(rest)
	}
	l.note("hop limit %d", b.HopLimit())
	l.length(length, b.TotalLen())
	return l.String()
}

// line is the description of a packet in parts.
type line struct {
	version          int
	src, dst         netip.Addr
	protocol         uint8
	ports            bool
	srcPort, dstPort uint16
	what             string   // after the protocol: flags or an ICMP type
	notes            []string // after that, each preceded by a comma
}

func (l *line) note(format string, args ...any) {
	l.notes = append(l.notes, fmt.Sprintf(format, args...))
}

func (l *line) fragment(offset int, more bool, id uint32) {
	which := "last fragment"
	switch {
	case offset == 0 && !more:
		which = "the only fragment" // RFC 6946
	case offset == 0:
		which = "first fragment"
	case more:
		which = "fragment"
	}
	l.note("%s at %d of %#x", which, offset, id)
}

func (l *line) length(actual, said int) {
	l.note("%s", count(actual))
	if said != actual {
		l.note("which says it has %d", said)
	}
}

// readTransport reads the transport header b, which may be truncated.
func (l *line) readTransport(b []byte) {
	switch l.protocol {
	case packet.ProtoTCP, packet.ProtoUDP:
		if len(b) >= 4 { // both begin with their ports
			l.ports = true
			l.srcPort, l.dstPort = packet.UDP(b).SrcPort(), packet.UDP(b).DstPort()
		}
		if l.protocol == packet.ProtoTCP && len(b) >= packet.TCPMinHeader {
			l.what = tcpFlags(packet.TCP(b).Flags())
		}
	case packet.ProtoICMP, packet.ProtoICMPv6:
		if m := packet.ICMP(b); m.Valid() {
			l.what = icmpWords(l.protocol, m)
		}
	}
}

func (l *line) String() string {
	var s strings.Builder
	src, dst := l.src.String(), l.dst.String()
	if l.ports {
		src = netip.AddrPortFrom(l.src, l.srcPort).String()
		dst = netip.AddrPortFrom(l.dst, l.dstPort).String()
	}
	fmt.Fprintf(&s, "IPv%d %s > %s %s", l.version, src, dst, protocolName(l.protocol))
	if l.what != "" {
		s.WriteString(" " + l.what)
	}
	for _, n := range l.notes {
		s.WriteString(", " + n)
	}
	return s.String()
}

func count(n int) string {
	if n == 1 {
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", n)
}

// start returns the part of a header that is printed raw.
func start(b []byte) []byte { return b[:min(len(b), 16)] }

// protocolNames has the IANA keywords of common protocols.
var protocolNames = map[uint8]string{
	packet.ProtoHopByHop: "hop-by-hop options", packet.ProtoICMP: "ICMP", packet.ProtoIGMP: "IGMP",
	4: "IPIP", packet.ProtoTCP: "TCP", packet.ProtoUDP: "UDP", 41: "IPv6-in-IP",
	packet.ProtoRouting: "routing header", packet.ProtoFragment: "fragment header", 47: "GRE",
	packet.ProtoESP: "ESP", packet.ProtoAH: "AH", packet.ProtoICMPv6: "ICMPv6",
	packet.ProtoNoNextHeader: "no next header", packet.ProtoDestOptions: "destination options",
	packet.ProtoOSPF: "OSPF", 103: "PIM", 112: "VRRP", 132: "SCTP",
}

func protocolName(p uint8) string {
	if n, ok := protocolNames[p]; ok {
		return n
	}
	return fmt.Sprintf("protocol %d", p)
}

func tcpFlags(f uint8) string {
	var set []string
	for i, name := range [...]string{"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"} {
		if f&(1<<i) != 0 {
			set = append(set, name)
		}
	}
	if set == nil {
		return "no flags"
	}
	return strings.Join(set, "+")
}

// Names of ICMP types, and of codes that are more specific.
var (
	icmpTypes = map[uint8]string{
		icmp.EchoReply: "echo reply", icmp.DestUnreachable: "destination unreachable",
		icmp.SourceQuench: "source quench", icmp.Redirect: "redirect", icmp.EchoRequest: "echo request",
		9: "router advertisement", 10: "router solicitation", icmp.TimeExceeded: "time exceeded",
		icmp.ParameterProblem: "parameter problem", 13: "timestamp request", 14: "timestamp reply",
	}
	icmpUnreachable = map[uint8]string{
		icmp.CodeNetUnreachable: "net unreachable", icmp.CodeHostUnreachable: "host unreachable",
		icmp.CodeProtocolUnreachable: "protocol unreachable", icmp.CodePortUnreachable: "port unreachable",
		icmp.CodeFragmentationNeeded: "fragmentation needed", icmp.CodeSourceRouteFailed: "source route failed",
		icmp.CodeNetProhibited: "net prohibited", icmp.CodeHostProhibited: "host prohibited",
		icmp.CodeProhibited: "administratively prohibited",
	}
	icmp6Types = map[uint8]string{
		icmp.DestUnreachable6: "destination unreachable", icmp.PacketTooBig6: "packet too big",
		icmp.TimeExceeded6: "time exceeded", icmp.ParameterProblem6: "parameter problem",
		icmp.EchoRequest6: "echo request", icmp.EchoReply6Type: "echo reply",
		130: "multicast listener query", 131: "multicast listener report", 132: "multicast listener done",
		icmp.RouterSolicitation6: "router solicitation", icmp.RouterAdvertisement6: "router advertisement",
		icmp.NeighborSolicitation6: "neighbour solicitation", icmp.NeighborAdvertisement6: "neighbour advertisement",
		icmp.Redirect6: "redirect", 143: "multicast listener report v2",
	}
	icmp6Unreachable = map[uint8]string{
		icmp.CodeNoRoute6: "no route", icmp.CodeProhibited6: "administratively prohibited",
		icmp.CodeBeyondScope6: "beyond scope of source", icmp.CodeAddressUnreachable6: "address unreachable",
		icmp.CodePortUnreachable6: "port unreachable", icmp.CodeSourcePolicy6: "source address failed policy",
		icmp.CodeRejectRoute6: "rejected by route",
	}
)

func icmpWords(protocol uint8, m packet.ICMP) string {
	types, unreachable, codes := icmpTypes, uint8(icmp.DestUnreachable), icmpUnreachable
	if protocol == packet.ProtoICMPv6 {
		types, unreachable, codes = icmp6Types, icmp.DestUnreachable6, icmp6Unreachable
	}
	name, known := types[m.Type()]
	if !known {
		return fmt.Sprintf("type %d code %d", m.Type(), m.Code())
	}
	if code, ok := codes[m.Code()]; ok && m.Type() == unreachable {
		name = code
	}
	switch {
	case protocol == packet.ProtoICMP && m.Type() == icmp.DestUnreachable && m.Code() == icmp.CodeFragmentationNeeded:
		name += fmt.Sprintf(" (MTU %d)", uint16(m.Rest())) // RFC 1191 §4
	case protocol == packet.ProtoICMPv6 && m.Type() == icmp.PacketTooBig6:
		name += fmt.Sprintf(" (MTU %d)", m.Rest())
	}
	return name
}
