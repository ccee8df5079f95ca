package packet

import "encoding/binary"

// Sizes of the transport headers.
const (
	TCPMinHeader = 20
	UDPHeader    = 8
	ICMPHeader   = 8
)

// TCP flags.
const (
	TCPFin = 1 << iota
	TCPSyn
	TCPRst
	TCPPsh
	TCPAck
	TCPUrg
	TCPEce
	TCPCwr
)

// FirstDynamicPort is the first of the ports that are nobody's (RFC 6335 §6): the
// source port of clients that are made up.
const FirstDynamicPort = 49152

// TCP is a view of a TCP segment (RFC 9293 §3.1).
type TCP []byte

// Valid reports whether t holds the whole header with its options.
func (t TCP) Valid() bool {
	return len(t) >= TCPMinHeader && t.HeaderLen() >= TCPMinHeader && t.HeaderLen() <= len(t)
}

func (t TCP) SrcPort() uint16      { return binary.BigEndian.Uint16(t) }
func (t TCP) DstPort() uint16      { return binary.BigEndian.Uint16(t[2:]) }
func (t TCP) Seq() uint32          { return binary.BigEndian.Uint32(t[4:]) }
func (t TCP) Ack() uint32          { return binary.BigEndian.Uint32(t[8:]) }
func (t TCP) HeaderLen() int       { return int(t[12]>>4) * 4 }
func (t TCP) Flags() uint8         { return t[13] }
func (t TCP) Checksum() uint16     { return binary.BigEndian.Uint16(t[16:]) }
func (t TCP) SetSeq(s uint32)      { binary.BigEndian.PutUint32(t[4:], s) }
func (t TCP) SetFlags(f uint8)     { t[13] = f }
func (t TCP) SetChecksum(c uint16) { binary.BigEndian.PutUint16(t[16:], c) }

// UDP is a view of a UDP datagram (RFC 768).
type UDP []byte

// Valid reports whether u holds the whole header.
func (u UDP) Valid() bool { return len(u) >= UDPHeader }

func (u UDP) SrcPort() uint16      { return binary.BigEndian.Uint16(u) }
func (u UDP) DstPort() uint16      { return binary.BigEndian.Uint16(u[2:]) }
func (u UDP) Length() int          { return int(binary.BigEndian.Uint16(u[4:])) }
func (u UDP) Checksum() uint16     { return binary.BigEndian.Uint16(u[6:]) }
func (u UDP) SetLength(n int)      { binary.BigEndian.PutUint16(u[4:], uint16(n)) }
func (u UDP) SetChecksum(c uint16) { binary.BigEndian.PutUint16(u[6:], c) }

// ICMP is a view of an ICMP (RFC 792) or ICMPv6 (RFC 4443 §2.1) message:
// type, code, checksum and four bytes whose meaning the type gives.
type ICMP []byte

// Valid reports whether m has at least eight bytes.
func (m ICMP) Valid() bool { return len(m) >= ICMPHeader }

func (m ICMP) Type() uint8          { return m[0] }
func (m ICMP) Code() uint8          { return m[1] }
func (m ICMP) Checksum() uint16     { return binary.BigEndian.Uint16(m[2:]) }
func (m ICMP) Rest() uint32         { return binary.BigEndian.Uint32(m[4:]) }
func (m ICMP) SetType(t uint8)      { m[0] = t }
func (m ICMP) SetCode(c uint8)      { m[1] = c }
func (m ICMP) SetChecksum(c uint16) { binary.BigEndian.PutUint16(m[2:], c) }
func (m ICMP) SetRest(r uint32)     { binary.BigEndian.PutUint32(m[4:], r) }
