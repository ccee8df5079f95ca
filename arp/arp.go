package arp

import (
	"encoding/binary"
	"net/netip"
)

// Packet is a view of an ARP packet for IPv4 over Ethernet (RFC 826, "Packet
// format"). Its methods may be used only on a view that Valid accepted.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|    ar$hrd = 1 (Ethernet)      |    ar$pro = 0x0800 (IPv4)     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  ar$hln = 6   |  ar$pln = 4   |            ar$op              |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  ar$sha, 6 bytes | ar$spa, 4 | ar$tha, 6 bytes | ar$tpa, 4    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Packet []byte

// PacketLen is the length of an ARP packet for IPv4 over Ethernet.
const PacketLen = 28

// Operations (RFC 826).
const (
	OpRequest = 1
	OpReply   = 2
)

const hardwareEthernet = 1

// Valid reports whether p is a complete ARP packet for IPv4 over Ethernet.
// Bytes after it are padding.
func (p Packet) Valid() bool {
	return len(p) >= PacketLen &&
		binary.BigEndian.Uint16(p) == hardwareEthernet &&
		binary.BigEndian.Uint16(p[2:]) == EtherTypeIPv4 &&
		p[4] == 6 && p[5] == 4
}

func (p Packet) Op() uint16             { return binary.BigEndian.Uint16(p[6:]) }
func (p Packet) SenderMAC() MAC         { return MAC(p[8:14]) }
func (p Packet) SenderAddr() netip.Addr { return netip.AddrFrom4([4]byte(p[14:18])) }
func (p Packet) TargetMAC() MAC         { return MAC(p[18:24]) }
func (p Packet) TargetAddr() netip.Addr { return netip.AddrFrom4([4]byte(p[24:28])) }

// AppendPacket appends an ARP packet to b. Both addresses are IPv4.
func AppendPacket(b []byte, op uint16, senderMAC MAC, sender netip.Addr, targetMAC MAC, target netip.Addr) []byte {
	b = append(b, 0, hardwareEthernet, EtherTypeIPv4>>8, EtherTypeIPv4&0xff, 6, 4, byte(op>>8), byte(op))
	s, t := sender.As4(), target.As4()
	b = append(b, senderMAC[:]...)
	b = append(b, s[:]...)
	b = append(b, targetMAC[:]...)
	return append(b, t[:]...)
}
