package wire

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
)

// Address families of an entry.
const (
	familyAny  = 0 // a request for everything
	familyIPv4 = 2
	familyAuth = 0xffff
)

// decodeRIP reads a packet of version 1 or 2 (RFC 2453 §3.6, §4):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+---------------+---------------+-------------------------------+
//	|  command (1)  |  version (1)  |        must be zero (2)       |
//	+---------------+---------------+-------------------------------+
//	| address family identifier (2) |         route tag (2)         |
//	+-------------------------------+-------------------------------+
//	|                        IPv4 address (4)                       |
//	|                        subnet mask (4)                        |
//	|                         next hop (4)                          |
//	|                          metric (4)                           |
//	+---------------------------------------------------------------+
//
// In version 1 tag, mask and next hop must be zero.
func (p *Packet) decodeRIP(b []byte) error {
	if p.Version == 0 { // RFC 2453 §5
		return fmt.Errorf("%w: version 0", ErrVersion)
	}
	if p.Version == 1 && (b[2]|b[3]) != 0 {
		return fmt.Errorf("%w: %d after the version", ErrReserved, binary.BigEndian.Uint16(b[2:]))
	}
	body := b[HeaderSize:]
	most := MaxEntries
	// Only the first entry can be the authentication (RFC 2453 §4.1).
	if p.Version > 1 && len(body) >= EntrySize && binary.BigEndian.Uint16(body) == familyAuth {
		var err error
		if body, err = p.Auth.decode(b); err != nil {
			return err
		}
		most--
	}
	if len(body)%EntrySize != 0 {
		return fmt.Errorf("%w: %d octets after the header", ErrLength, len(body))
	}
	if len(body)/EntrySize > most {
		return fmt.Errorf("%w: %d octets after the header", ErrTooMany, len(body))
	}
	if p.Command == Request && len(body) == EntrySize &&
		binary.BigEndian.Uint16(body) == familyAny && binary.BigEndian.Uint32(body[16:]) == Infinity {
		p.Whole = true // RFC 2453 §3.9.1
		return p.checkReserved(body)
	}
	for i := 0; len(body) > 0; i, body = i+1, body[EntrySize:] {
		if err := p.decodeEntry(i, body[:EntrySize]); err != nil {
			return err
		}
	}
	return nil
}

// checkReserved refuses a version 1 packet with an entry whose reserved fields
// are not zero (RFC 2453 §5).
func (p *Packet) checkReserved(e []byte) error {
	tag, mask, next := binary.BigEndian.Uint16(e[2:]), binary.BigEndian.Uint32(e[8:]), binary.BigEndian.Uint32(e[12:])
	if p.Version == 1 && uint32(tag)|mask|next != 0 {
		return ErrReserved
	}
	return nil
}

func (p *Packet) decodeEntry(i int, e []byte) error {
	family := binary.BigEndian.Uint16(e)
	if family != familyIPv4 {
		if family == familyAuth && p.Version > 1 {
			return fmt.Errorf("%w: entry %d", ErrAuthPlace, i)
		}
		p.refuse(i, ErrFamily, e)
		return nil
	}
	if err := p.checkReserved(e); err != nil {
		return fmt.Errorf("%w: entry %d", err, i)
	}
	addr := netip.AddrFrom4([4]byte(e[4:8]))
	mask, metric := binary.BigEndian.Uint32(e[8:]), binary.BigEndian.Uint32(e[16:])
	entry := Entry{Tag: binary.BigEndian.Uint16(e[2:]), Metric: uint8(min(metric, 255))}
	length := bits.LeadingZeros32(^mask)
	if mask == 0 && !addr.IsUnspecified() {
		entry.NoMask, length = true, 32
	}
	if !entry.NoMask && mask<<length != 0 {
		p.refuse(i, ErrMask, e)
		return nil
	}
	entry.Prefix = netip.PrefixFrom(addr, length).Masked()
	if next := netip.AddrFrom4([4]byte(e[12:16])); !next.IsUnspecified() {
		entry.NextHop = next
	}
	p.admit(i, entry, metric, e)
	return nil
}

// admit keeps an entry if its values are valid and refuses it otherwise (RFC
// 2453 §3.9.2, RFC 2080 §2.4.2).
func (p *Packet) admit(i int, entry Entry, metric uint32, raw []byte) {
	switch {
	case !Destination(entry.Prefix):
		p.refuse(i, ErrPrefix, raw)
	case p.Command == Response && (metric < 1 || metric > Infinity):
		p.refuse(i, ErrMetric, raw)
	default:
		p.Entries = append(p.Entries, entry)
	}
}

func (p *Packet) appendRIP(dst []byte) []byte {
	if p.Whole {
		dst = append(dst, make([]byte, EntrySize-1)...)
		return append(dst, Infinity)
	}
	for i := range p.Entries {
		e := &p.Entries[i]
		var tag uint16
		var mask uint32
		var next [4]byte
		if p.Version > 1 { // in version 1 these are zero
			tag = e.Tag
			if !e.NoMask {
				mask = uint32(uint64(0xffffffff) << (32 - e.Prefix.Bits()))
			}
			if e.NextHop.Is4() {
				next = e.NextHop.As4()
			}
		}
		addr := e.Prefix.Addr().As4()
		dst = binary.BigEndian.AppendUint16(dst, familyIPv4)
		dst = binary.BigEndian.AppendUint16(dst, tag)
		dst = append(dst, addr[:]...)
		dst = binary.BigEndian.AppendUint32(dst, mask)
		dst = append(dst, next[:]...)
		dst = binary.BigEndian.AppendUint32(dst, uint32(e.Metric))
	}
	return dst
}
