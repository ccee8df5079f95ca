package offloadtest

import (
	"encoding/binary"
	"net/netip"

	"routerd/dataplane/port"
	"routerd/dataplane/port/memory"
	"routerd/internal/packet"
)

// Flow is what the frames of a flow have in common.
type Flow struct {
	Station, Host [6]byte // link addresses: the router's, the sender's
	Proto         uint8   // TCP or UDP
	Src, Dst      netip.AddrPort
}

// Shape is what frames of a flow differ in.
type Shape struct {
	Payload []byte
	Segment int   // bytes in a segment of a super-packet; 0: none
	Partial bool  // the transport checksum is partial; that of a super-packet is anyway
	Flags   uint8 // of TCP; 0: ACK
	Hops    uint8 // 0: 64
}

// headers are the lengths of the flow's IP and transport headers.
func (f *Flow) headers() (ip, transport int) {
	ip, transport = packet.IPv4MinHeader, packet.UDPHeader
	if f.Src.Addr().Is6() {
		ip = packet.IPv6Header
	}
	if f.Proto == packet.ProtoTCP {
		transport = packet.TCPMinHeader
	}
	return ip, transport
}

// Payload is what a frame of the flow carries, whichever way it went.
func (f *Flow) Payload(frame []byte) []byte {
	ip, transport := f.headers()
	return frame[linkHeader+ip+transport:]
}

// Frame makes a sound frame of the flow.
func (f *Flow) Frame(s Shape) memory.Packet {
	ip, transport := f.headers()
	b := make([]byte, linkHeader+ip+transport, linkHeader+ip+transport+len(s.Payload))
	b = append(b, s.Payload...)
	copy(b, f.Station[:])
	copy(b[6:], f.Host[:])
	f.network(b, s.Hops)
	upper := b[linkHeader+ip:]
	binary.BigEndian.PutUint16(upper, f.Src.Port())
	binary.BigEndian.PutUint16(upper[2:], f.Dst.Port())
	at := 6
	if f.Proto == packet.ProtoTCP {
		at = 16
		upper[12] = packet.TCPMinHeader / 4 << 4
		if packet.TCP(upper).SetFlags(s.Flags); s.Flags == 0 {
			packet.TCP(upper).SetFlags(packet.TCPAck)
		}
	} else {
		packet.UDP(upper).SetLength(len(upper))
	}
	sum := packet.PseudoHeaderSum(b[linkHeader:], f.Proto, len(upper))
	p := memory.Packet{Data: b}
	if s.Partial || s.Segment > 0 {
		p.Offload = port.Offload{NeedsChecksum: true, ChecksumStart: uint16(linkHeader + ip), ChecksumOffset: uint16(at)}
	} else if sum = ^packet.Sum(upper, sum); sum == 0 && f.Proto == packet.ProtoUDP {
		sum = 0xffff // RFC 768
	}
	binary.BigEndian.PutUint16(upper[at:], sum)
	if s.Segment > 0 {
		p.Offload.SegmentSize, p.Offload.HeaderLength = uint16(s.Segment), uint16(linkHeader+ip+transport)
		switch {
		case f.Proto == packet.ProtoUDP:
			p.Offload.GSO = port.GSOUDPL4
		case f.Src.Addr().Is6():
			p.Offload.GSO = port.GSOTCPv6
		default:
			p.Offload.GSO = port.GSOTCPv4
		}
	}
	return p
}

// network fills the IP header and the ethertype in.
func (f *Flow) network(b []byte, hops uint8) {
	if hops == 0 {
		hops = 64
	}
	if f.Src.Addr().Is6() {
		binary.BigEndian.PutUint16(b[12:], etherIPv6)
		ip := packet.IPv6(b[linkHeader:])
		ip.SetVersion(0, 0)
		ip.SetPayloadLen(len(b) - linkHeader - packet.IPv6Header)
		ip.SetNextHeader(f.Proto)
		ip.SetHopLimit(hops)
		ip.SetSrc(f.Src.Addr())
		ip.SetDst(f.Dst.Addr())
		return
	}
	binary.BigEndian.PutUint16(b[12:], etherIPv4)
	ip := packet.IPv4(b[linkHeader:])
	ip[0] = 4<<4 | packet.IPv4MinHeader/4
	ip.SetTotalLen(len(ip))
	ip.SetFragment(true, false, 0)
	ip.SetTTL(hops)
	ip.SetProtocol(f.Proto)
	ip.SetSrc(f.Src.Addr())
	ip.SetDst(f.Dst.Addr())
	ip.FillChecksum()
}

// Choose gives a number from 0 to n-1: a test draws it by chance, or from bytes.
type Choose func(n int) int

// Any makes some frame of the flow: small or large, with a whole or a partial
// checksum, a super-packet; and one in two has something unusual in its headers.
func (f *Flow) Any(choose Choose) memory.Packet {
	sizes := []int{0, 1, 2, 5, 6, 46, 100, 1000, 1372, 1440, 1452, 1472, 1473, 3000}
	s := Shape{Partial: choose(2) == 0}
	n := sizes[choose(len(sizes))]
	if choose(3) == 0 {
		s.Segment = []int{100, 1000, 1400, 1440, 1460}[choose(5)]
		n = s.Segment*(1+choose(20)) + choose(s.Segment)
	}
	s.Payload = make([]byte, n)
	for i := range s.Payload {
		s.Payload[i] = byte(i * 7)
	}
	p := f.Frame(s)
	if choose(2) == 0 {
		f.unusual(&p, choose)
	}
	return p
}

// unusual changes one thing of a frame's headers.
func (f *Flow) unusual(p *memory.Packet, choose Choose) {
	header, _ := f.headers()
	b, six, right := p.Data[linkHeader:], header == packet.IPv6Header, true
	upper := b[header:]
	switch choose(13) {
	case 0: // hops
		b[map[bool]int{false: 8, true: 7}[six]] = []byte{0, 1, 2, 255}[choose(4)]
	case 1: // type of service, traffic class
		b[1] = byte(choose(256))
	case 2: // flags, lengths, ports
		upper[choose(min(len(upper), 14))] = byte(choose(256))
	case 3: // length
		b[map[bool]int{false: 3, true: 5}[six]] += []byte{1, 0xff, 0xf0, 0x80}[choose(4)]
	case 4: // fragments, and bits beside
		if !six {
			b[6], b[7] = []byte{0, 0x20, 0x40, 0x80, 0x1f}[choose(5)], byte(choose(2))
		}
	case 5: // options
		if !six {
			b[0] = 0x40 | byte(choose(16))
		}
	case 6: // a damaged header
		right = false
		b[10] ^= 1
	case 7: // no checksum
		if f.Proto == packet.ProtoUDP && !six && !p.Offload.NeedsChecksum {
			upper[6], upper[7] = 0, 0
		}
	case 8: // padding
		p.Data = append(p.Data, make([]byte, 1+choose(46))...)
	case 9: // a frame for somebody else
		p.Data[choose(6)] ^= 2
	case 10: // version
		b[0] ^= 0x20
	case 11: // a damaged transport checksum
		upper[map[uint8]int{packet.ProtoTCP: 16, packet.ProtoUDP: 6}[f.Proto]] ^= 0x55
	case 12: // a tunnel's: the partial checksum is of a packet inside
		if len(upper) > 90 && p.Offload.GSO == port.GSONone {
			p.Offload = port.Offload{NeedsChecksum: true, ChecksumStart: uint16(linkHeader + header + 50), ChecksumOffset: 16}
		}
	}
	if !six && right {
		h := packet.IPv4(b[:packet.IPv4MinHeader])
		h.SetChecksum(0)
		h.SetChecksum(packet.Checksum(h))
	}
}

// Source is the source of a sound frame.
func Source(frame []byte) netip.AddrPort {
	ip := frame[linkHeader:]
	if ip[0]>>4 == 6 {
		return netip.AddrPortFrom(packet.IPv6(ip).Src(), binary.BigEndian.Uint16(ip[packet.IPv6Header:]))
	}
	return netip.AddrPortFrom(packet.IPv4(ip).Src(), binary.BigEndian.Uint16(ip[packet.IPv4(ip).HeaderLen():]))
}
