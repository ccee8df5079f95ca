package multicast

import (
	"encoding/binary"
	"net/netip"
	"time"

	"routerd/internal/packet"
)

// IGMP's groups (RFC 3376 §4.2.14, RFC 2236 §9).
var (
	allHosts     = netip.AddrFrom4([4]byte{224, 0, 0, 1})
	allRouters4  = netip.AddrFrom4([4]byte{224, 0, 0, 2})
	allVersion3s = netip.AddrFrom4([4]byte{224, 0, 0, 22})
)

// Message types of IGMP (RFC 3376 §4, RFC 2236 §2.1).
const (
	igmpQuery   = 0x11
	igmpReport1 = 0x12
	igmpReport2 = 0x16
	igmpLeave   = 0x17
	igmpReport3 = 0x22
)

const (
	igmpLen  = 8  // of versions 1 and 2
	igmpLen3 = 12 // of version 3's query without sources
	// igmpDelay1 is the longest delay of an answer to a query of version 1,
	// which has no field for it (RFC 3376 §4.1.1, RFC 2236 §4).
	igmpDelay1 = 10 * time.Second
)

// parseIGMP reads the IGMP message of p, which Valid accepted.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|     Type      | Max Resp Code |           Checksum            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         Group Address                         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Resv  |S| QRV |     QQIC      |     Number of Sources (N)     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                       Source Address [1..N]                   |
func parseIGMP(p packet.IPv4) (Message, error) {
	b := p.Payload()
	if p.Protocol() != packet.ProtoIGMP || p.IsFragment() {
		return Message{}, ErrType
	}
	if len(b) < igmpLen {
		return Message{}, ErrLength
	}
	m := Message{Src: p.Src(), Group: netip.AddrFrom4([4]byte(b[4:8]))}
	switch b[0] {
	case igmpQuery:
		m.Kind = Query
	case igmpReport1:
		m.Kind, m.Version = Report, 1
	case igmpReport2:
		m.Kind, m.Version = Report, 2
	case igmpLeave:
		m.Kind, m.Version = Leave, 2
	case igmpReport3:
		m.Kind, m.Version, m.Group = Change, 3, netip.IPv4Unspecified()
	default:
		return Message{}, ErrType
	}
	switch {
	case packet.Sum(b, 0) != 0xffff:
		return Message{}, ErrChecksum
	case p.TTL() != 1:
		return Message{}, ErrHopLimit
	}
	if m.Kind == Query {
		if err := m.readIGMPQuery(b); err != nil {
			return Message{}, err
		}
	}
	switch {
	case m.Kind == Query && m.Version > 1 && !packet.WalkOptions(p).RouterAlert:
		return Message{}, ErrRouterAlert // RFC 3376 §9.1
	case m.Kind == Query && m.Group.IsUnspecified():
		if p.Dst() != allHosts {
			return Message{}, ErrDestination // RFC 3376 §9.1
		}
	case m.Kind != Change && !m.Group.IsMulticast():
		return Message{}, ErrGroup
	}
	return m, nil
}

// readIGMPQuery determines the version as RFC 3376 §7.1 says.
func (m *Message) readIGMPQuery(b []byte) error {
	switch {
	case len(b) == igmpLen && b[1] == 0:
		m.Version, m.MaxResponse = 1, igmpDelay1
		m.Group = netip.IPv4Unspecified() // RFC 1112 Appendix I: only general queries
		return nil
	case len(b) == igmpLen: // RFC 3376 §7.2.1: linear in version 2
		m.Version, m.MaxResponse = 2, time.Duration(b[1])*time.Second/10
		return nil
	case len(b) < igmpLen3:
		return ErrLength
	}
	sources := int(binary.BigEndian.Uint16(b[10:])) * 4
	if len(b) < igmpLen3+sources {
		return ErrLength
	}
	m.Version = 3
	m.MaxResponse = time.Duration(floating(uint32(b[1]), 8)) * time.Second / 10
	m.Robustness, m.Interval = int(b[8]&7), time.Duration(floating(uint32(b[9]), 8))*time.Second
	m.sources = b[igmpLen3 : igmpLen3+sources]
	return nil
}

// beginIGMP appends an IPv4 header with a router alert (RFC 2113), TTL 1 and
// the precedence of internetwork control (RFC 3376 §4); finishIGMP fills in
// lengths and checksums.
func beginIGMP(b []byte, src, dst netip.Addr) []byte {
	const header = packet.IPv4MinHeader + 4
	at := len(b)
	b = append(b, make([]byte, header)...)
	p := packet.IPv4(b[at:])
	p[0], p[1] = 0x40|header/4, 0xc0
	p.SetFragment(true, false, 0)
	p.SetTTL(1)
	p.SetProtocol(packet.ProtoIGMP)
	p.SetSrc(src)
	p.SetDst(dst)
	copy(p[packet.IPv4MinHeader:], []byte{packet.OptionRouterAlert, 4, 0, 0})
	return b
}

func finishIGMP(b []byte, at int) []byte {
	p := packet.IPv4(b[at:])
	p.SetTotalLen(len(p))
	p.FillChecksum()
	body := p.Payload()
	binary.BigEndian.PutUint16(body[2:], ^packet.Sum(body, 0))
	return b
}

func appendIGMP(b []byte, kind Kind, v Version, src, group netip.Addr) []byte {
	at, dst, t := len(b), group, byte(igmpReport2)
	switch {
	case kind == Leave:
		dst, t = allRouters4, igmpLeave
	case v == 1:
		t = igmpReport1
	}
	b = append(beginIGMP(b, src, dst), t, 0, 0, 0)
	return finishIGMP(append(b, group.AsSlice()...), at)
}

func appendIGMP3(b []byte, src netip.Addr, records []record) []byte {
	at := len(b)
	b = append(beginIGMP(b, src, allVersion3s), igmpReport3, 0, 0, 0, 0, 0)
	return finishIGMP(appendRecords(b, records), at)
}

// appendRecords appends the number of records and the records, which have the
// same form in both families (RFC 3376 §4.2, RFC 3810 §5.2).
func appendRecords(b []byte, records []record) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(records)))
	for _, r := range records {
		b = append(b, byte(r.kind), 0)
		b = binary.BigEndian.AppendUint16(b, uint16(len(r.sources)))
		b = append(b, r.group.AsSlice()...)
		for _, s := range r.sources {
			b = append(b, s.AsSlice()...)
		}
	}
	return b
}
