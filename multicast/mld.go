package multicast

import (
	"encoding/binary"
	"net/netip"
	"time"

	"routerd/icmp"
	"routerd/internal/packet"
)

// MLD's groups (RFC 4291 §2.7.1, RFC 3810 §5.2.14).
var (
	allNodes    = netip.MustParseAddr("ff02::1")
	allRouters6 = netip.MustParseAddr("ff02::2")
	allMLDv2    = netip.MustParseAddr("ff02::16")
)

const (
	mldLen  = 24 // of version 1
	mldLen2 = 28 // of version 2's query without sources
)

// parseMLD reads the MLD message of p, which Valid accepted.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|     Type      |     Code      |           Checksum            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|    Maximum Response Code      |           Reserved            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                     Multicast Address, 16                     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Resv  |S| QRV |     QQIC      |     Number of Sources (N)     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                     Source Address [1..N]                     |
func parseMLD(p packet.IPv6) (Message, error) {
	e := packet.WalkExtensions(p)
	if e.Truncated || e.Fragment >= 0 || e.Upper != packet.ProtoICMPv6 {
		return Message{}, ErrType
	}
	b := p[e.Offset:p.TotalLen()]
	if len(b) < packet.ICMPHeader {
		return Message{}, ErrLength
	}
	m := Message{Src: p.Src(), Group: netip.IPv6Unspecified()}
	switch packet.ICMP(b).Type() {
	case icmp.ListenerQuery6:
		m.Kind = Query
	case icmp.ListenerReport6:
		m.Kind, m.Version = Report, 2
	case icmp.ListenerDone6:
		m.Kind, m.Version = Leave, 2
	case icmp.ListenerReport6v2:
		m.Kind, m.Version = Change, 3
	default:
		return Message{}, ErrType
	}
	sum := packet.PseudoHeaderSum6(p.SrcBytes(), p.DstBytes(), packet.ProtoICMPv6, len(b))
	switch {
	case m.Kind != Change && len(b) < mldLen:
		return Message{}, ErrLength
	case packet.Sum(b, sum) != 0xffff:
		return Message{}, ErrChecksum
	case p.HopLimit() != 1: // RFC 3810 §6.2
		return Message{}, ErrHopLimit
	case !e.RouterAlert:
		return Message{}, ErrRouterAlert
	case m.Kind == Change:
		return m, nil
	}
	m.Group = netip.AddrFrom16([16]byte(b[8:24]))
	if m.Kind == Query {
		if err := m.readMLDQuery(b); err != nil {
			return Message{}, err
		}
	}
	switch {
	case m.Kind == Query && !m.Src.IsLinkLocalUnicast(),
		!m.Src.IsLinkLocalUnicast() && !m.Src.IsUnspecified(): // RFC 3590 §4
		return Message{}, ErrSource
	case m.Kind == Query && m.Group.IsUnspecified():
		if p.Dst() != allNodes {
			return Message{}, ErrDestination
		}
	case !m.Group.IsMulticast():
		return Message{}, ErrGroup
	}
	return m, nil
}

// readMLDQuery determines the version as RFC 3810 §8.1 says.
func (m *Message) readMLDQuery(b []byte) error {
	code := uint32(binary.BigEndian.Uint16(b[4:]))
	switch {
	case len(b) == mldLen:
		m.Version, m.MaxResponse = 2, time.Duration(code)*time.Millisecond
		return nil
	case len(b) < mldLen2:
		return ErrLength
	}
	sources := int(binary.BigEndian.Uint16(b[26:])) * 16
	if len(b) < mldLen2+sources {
		return ErrLength
	}
	m.Version = 3
	m.MaxResponse = time.Duration(floating(code, 16)) * time.Millisecond
	m.Robustness, m.Interval = int(b[24]&7), time.Duration(floating(uint32(b[25]), 8))*time.Second
	m.sources = b[mldLen2 : mldLen2+sources]
	return nil
}

// beginMLD appends an IPv6 header with hop limit 1, a hop-by-hop header with a
// router alert for MLD (RFC 3810 §5, RFC 2711 §2.1), and the type of a message;
// finishMLD fills in length and checksum.
func beginMLD(b []byte, src, dst netip.Addr, kind uint8) []byte {
	at := len(b)
	b = append(b, make([]byte, packet.IPv6Header)...)
	p := packet.IPv6(b[at:])
	p.SetVersion(0, 0)
	p.SetNextHeader(packet.ProtoHopByHop)
	p.SetHopLimit(1)
	p.SetSrc(src)
	p.SetDst(dst)
	// Router alert of value 0, then PadN.
	b = append(b, packet.ProtoICMPv6, 0, 5, 2, 0, 0, 1, 0)
	return append(b, kind, 0, 0, 0)
}

const hopByHopLen = 8

func finishMLD(b []byte, at int) []byte {
	p := packet.IPv6(b[at:])
	p.SetPayloadLen(len(p) - packet.IPv6Header)
	body := packet.ICMP(p[packet.IPv6Header+hopByHopLen:])
	sum := packet.PseudoHeaderSum6(p.SrcBytes(), p.DstBytes(), packet.ProtoICMPv6, len(body))
	body.SetChecksum(^packet.Sum(body, sum))
	return b
}

func appendMLD(b []byte, kind Kind, src, group netip.Addr) []byte {
	at, dst, t := len(b), group, uint8(icmp.ListenerReport6)
	if kind == Leave {
		dst, t = allRouters6, icmp.ListenerDone6
	}
	b = append(beginMLD(b, src, dst, t), 0, 0, 0, 0)
	return finishMLD(append(b, group.AsSlice()...), at)
}

func appendMLD2(b []byte, src netip.Addr, records []record) []byte {
	at := len(b)
	b = append(beginMLD(b, src, allMLDv2, icmp.ListenerReport6v2), 0, 0)
	return finishMLD(appendRecords(b, records), at)
}
