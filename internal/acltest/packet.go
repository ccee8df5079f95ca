package acltest

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"routerd/dataplane"
	"routerd/icmp"
	"routerd/internal/packet"
)

// build makes the packet as it comes in, in as many pieces as it is described.
func (p *Packet) build() (pieces [][]byte, err error) {
	probe := dataplane.Probe{
		Src: p.Src, Dst: p.Dst, Proto: p.protocol(), SrcPort: p.SrcPort, DstPort: p.DstPort,
		TCPFlags: p.TCPFlags, ICMP: p.ICMP, DSCP: p.DSCP, TTL: p.TTL, Size: p.Length, Ident: firstIdent,
	}
	if p.Fragments && p.Length == 0 {
		probe.Size = cut + packet.IPv6Header + packet.TCPMinHeader
	}
	raw, err := probe.Build()
	if err != nil {
		return nil, err
	}
	if !p.Fragments {
		return [][]byte{raw}, nil
	}
	return fragment(raw)
}

// firstIdent is the identifier of the echo requests, and of fragmented packets.
const firstIdent = 1

// protocol is the packet's protocol: without one, ICMP.
func (p *Packet) protocol() uint8 { return cmp.Or(p.Protocol, p.ICMPProtocol()) }

// ICMPProtocol is the ICMP of the packet's family.
func (p *Packet) ICMPProtocol() uint8 {
	if p.Dst.Is6() {
		return packet.ProtoICMPv6
	}
	return packet.ProtoICMP
}

// cut is how many bytes behind the IP header the first of two fragments has: all
// of a TCP header.
const cut = 24

// fragment cuts a packet in two (RFC 791 §3.2, RFC 8200 §4.5).
func fragment(raw []byte) ([][]byte, error) {
	six := raw[0]>>4 == 6
	header := packet.IPv4MinHeader
	if six {
		header = packet.IPv6Header
	}
	if len(raw) <= header+cut {
		return nil, fmt.Errorf("cutting a packet of %d bytes in two fragments: want %d at least", len(raw), header+cut+1)
	}
	piece := func(part []byte, offset int) []byte {
		more := offset == 0
		out := append([]byte(nil), raw[:header]...)
		if six {
			f := make(packet.FragmentHeader, packet.IPv6FragmentHeader)
			f.Set(raw[6], offset, more, firstIdent)
			ip := packet.IPv6(append(append(out, f...), part...))
			ip.SetNextHeader(packet.ProtoFragment)
			ip.SetPayloadLen(len(ip) - header)
			return ip
		}
		ip := packet.IPv4(append(out, part...))
		ip.SetTotalLen(len(ip))
		ip.SetFragment(false, more, offset)
		ip.FillChecksum()
		return ip
	}
	return [][]byte{piece(raw[header:header+cut], 0), piece(raw[header+cut:], cut)}, nil
}

// errNoAnswer is why a packet cannot be answered.
var errNoAnswer = errors.New("this protocol has no answers that could be made up; want tcp, udp or an echo")

// answer makes the answer to a packet, sent, that has left the router. An ICMP
// error is from src or, if that is not valid, from where the packet went.
func (a Answer) answer(sent []byte, src netip.Addr) ([]byte, error) {
	p := dataplane.Probe{Ident: firstIdent}
	var upper []byte
	six := sent[0]>>4 == 6
	if ip := packet.IPv6(sent); six {
		p.Src, p.Dst, p.Proto, upper = ip.Dst(), ip.Src(), ip.NextHeader(), sent[packet.IPv6Header:]
	} else {
		ip := packet.IPv4(sent)
		p.Src, p.Dst, p.Proto, upper = ip.Dst(), ip.Src(), ip.Protocol(), sent[ip.HeaderLen():]
	}
	if src.IsValid() && src.Is6() != six {
		return nil, fmt.Errorf("an answer from %s: want an address of the family of what it answers, a packet to %s", src, p.Src)
	}
	switch {
	case a == Reply:
		return reply(p, upper)
	case !src.IsValid():
		src = p.Src
	}
	if six {
		return icmp.AppendError6(nil, sent, src, a.error(true)), nil
	}
	return icmp.AppendError4(nil, sent, src, a.error(false)), nil
}

// reply makes the reply p, whose addresses are known, to what is behind the IP
// header of a packet.
func reply(p dataplane.Probe, upper []byte) ([]byte, error) {
	if len(upper) < packet.UDPHeader {
		return nil, errNoAnswer
	}
	switch p.Proto {
	case packet.ProtoTCP, packet.ProtoUDP:
		p.SrcPort, p.DstPort = binary.BigEndian.Uint16(upper[2:]), binary.BigEndian.Uint16(upper)
	}
	switch {
	case p.Proto == packet.ProtoTCP && packet.TCP(upper).Flags()&(packet.TCPSyn|packet.TCPAck) == packet.TCPSyn:
		p.TCPFlags = packet.TCPSyn | packet.TCPAck
	case p.Proto == packet.ProtoTCP:
		p.TCPFlags = packet.TCPAck
	case p.Proto == packet.ProtoUDP:
	case p.Proto == packet.ProtoICMP && upper[0] == icmp.EchoRequest:
		p.ICMP, p.Ident = &dataplane.ICMPType{Type: icmp.EchoReply}, binary.BigEndian.Uint16(upper[4:])
	case p.Proto == packet.ProtoICMPv6 && upper[0] == icmp.EchoRequest6:
		p.ICMP, p.Ident = &dataplane.ICMPType{Type: icmp.EchoReply6Type}, binary.BigEndian.Uint16(upper[4:])
	default:
		return nil, errNoAnswer
	}
	return p.Build()
}

// error is the ICMP error that an answer is.
func (a Answer) error(six bool) icmp.Error {
	four, of6 := icmp.Error{Type: icmp.DestUnreachable, Code: icmp.CodePortUnreachable}, icmp.Error{Type: icmp.DestUnreachable6, Code: icmp.CodePortUnreachable6}
	switch a {
	case TooBig:
		four, of6 = icmp.Error{Type: icmp.DestUnreachable, Code: icmp.CodeFragmentationNeeded}.WithMTU4(packet.IPv6MinMTU), icmp.Error{Type: icmp.PacketTooBig6, Rest: packet.IPv6MinMTU}
	case TimeExceeded:
		four, of6 = icmp.Error{Type: icmp.TimeExceeded}, icmp.Error{Type: icmp.TimeExceeded6}
	}
	if six {
		return of6
	}
	return four
}
