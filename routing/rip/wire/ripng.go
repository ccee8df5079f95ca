package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// nextHopMetric marks an entry that names the next hop of those after it
// (RFC 2080 §2.1.1).
const nextHopMetric = 0xff

// decodeRIPng reads a packet of RIPng (RFC 2080 §2.1):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+---------------+---------------+-------------------------------+
//	|  command (1)  |  version (1)  |        must be zero (2)       |
//	+---------------+---------------+-------------------------------+
//	~                        IPv6 prefix (16)                       ~
//	+-------------------------------+---------------+---------------+
//	|         route tag (2)         | prefix len (1)|  metric (1)   |
//	+-------------------------------+---------------+---------------+
func (p *Packet) decodeRIPng(b []byte) error {
	if p.Version != 1 {
		return fmt.Errorf("%w: version %d, want 1", ErrVersion, p.Version)
	}
	body := b[HeaderSize:]
	if len(body)%EntrySize != 0 {
		return fmt.Errorf("%w: %d octets after the header", ErrLength, len(body))
	}
	if p.Command == Request && len(body) == EntrySize && [16]byte(body) == [16]byte{} && body[18] == 0 && body[19] == Infinity {
		p.Whole = true // RFC 2080 §2.4.1
		return nil
	}
	var next netip.Addr
	for i := 0; len(body) > 0; i, body = i+1, body[EntrySize:] {
		e := body[:EntrySize]
		addr, length, metric := netip.AddrFrom16([16]byte(e)), int(e[18]), e[19]
		if metric == nextHopMetric {
			// RFC 2080 §2.1.1: an address that is not link-local counts as
			// unspecified, which means the sender.
			next = netip.Addr{}
			if addr.IsLinkLocalUnicast() {
				next = addr
			}
			continue
		}
		if length > 128 {
			p.refuse(i, ErrBits, e)
			continue
		}
		entry := Entry{
			Prefix:  netip.PrefixFrom(addr, length).Masked(),
			NextHop: next,
			Tag:     binary.BigEndian.Uint16(e[16:]),
			Metric:  metric,
		}
		p.admit(i, entry, uint32(metric), e)
	}
	return nil
}

func (p *Packet) appendRIPng(dst []byte) []byte {
	if p.Whole {
		dst = append(dst, make([]byte, EntrySize-1)...)
		return append(dst, Infinity)
	}
	var next netip.Addr
	for i := range p.Entries {
		e := &p.Entries[i]
		if e.NextHop != next {
			next = e.NextHop
			var addr [16]byte
			if next.IsValid() {
				addr = next.As16()
			}
			dst = append(dst, addr[:]...)
			dst = append(dst, 0, 0, 0, nextHopMetric)
		}
		addr := e.Prefix.Addr().As16()
		dst = append(dst, addr[:]...)
		dst = binary.BigEndian.AppendUint16(dst, e.Tag)
		dst = append(dst, byte(e.Prefix.Bits()), e.Metric)
	}
	return dst
}
