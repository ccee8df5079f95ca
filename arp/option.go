package arp

import (
	"encoding/binary"
	"net/netip"
	"time"

	"routerd/icmp"
)

// Types of neighbour discovery options (RFC 4861 §4.6; nonce RFC 3971
// §5.3.2; recursive DNS servers RFC 8106 §5.1).
const (
	OptionSourceLinkAddress = 1
	OptionTargetLinkAddress = 2
	OptionPrefixInformation = 3
	OptionRedirectedHeader  = 4
	OptionMTU               = 5
	OptionNonce             = 14
	OptionRDNSS             = 25
)

const (
	optionUnit = 8 // the length field counts units of 8 octets
	nonceLen   = 6 // fills one unit

	prefixFlagOnLink     = 0x80
	prefixFlagAutonomous = 0x40
)

// Infinite is the infinite lifetime (RFC 4861 §4.6.2).
const Infinite = time.Duration(0xffffffff) * time.Second

// PrefixInformation is one prefix of a router advertisement (RFC 4861
// §4.6.2). Lifetimes are in whole seconds up to Infinite.
type PrefixInformation struct {
	Prefix             netip.Prefix
	OnLink, Autonomous bool
	Valid, Preferred   time.Duration
}

// Options calls yield with each option's type and whole bytes, type and
// length included.
func (m *Message) Options(yield func(kind uint8, option []byte) bool) {
	for b := m.options; len(b) >= 2; {
		n := int(b[1]) * optionUnit
		if n == 0 || n > len(b) || !yield(b[0], b[:n]) {
			return
		}
		b = b[n:]
	}
}

// readOptions walks the options, all of which have to be complete and of a
// length above zero, and keeps those with a single value. The first of a kind
// counts; unknown options, and those that do not belong to the message, are
// ignored.
func (m *Message) readOptions() error {
	link := uint8(OptionSourceLinkAddress)
	if m.Type == icmp.NeighborAdvertisement6 || m.Type == icmp.Redirect6 {
		link = OptionTargetLinkAddress
	}
	for b := m.options; len(b) > 0; {
		if len(b) < optionUnit {
			return ErrOption
		}
		n := int(b[1]) * optionUnit
		if n == 0 || n > len(b) {
			return ErrOption
		}
		switch {
		case b[0] == link && m.LinkAddress == MAC{}:
			// RFC 2464 §6: one unit, an Ethernet address.
			if n != optionUnit || !MAC(b[2:8]).IsStation() {
				return ErrOption
			}
			m.LinkAddress = MAC(b[2:8])
		case b[0] == OptionNonce && m.Nonce == nil:
			m.Nonce = b[2:n]
		case b[0] == OptionMTU && m.MTU == 0 && n == optionUnit:
			m.MTU = binary.BigEndian.Uint32(b[4:])
		}
		b = b[n:]
	}
	return nil
}

// Prefixes calls yield with each well-formed prefix information option.
func (m *Message) Prefixes(yield func(PrefixInformation) bool) {
	for kind, o := range m.Options {
		if kind != OptionPrefixInformation || len(o) != 32 || o[2] > 128 {
			continue
		}
		p := PrefixInformation{
			Prefix:     netip.PrefixFrom(netip.AddrFrom16([16]byte(o[16:32])), int(o[2])).Masked(),
			OnLink:     o[3]&prefixFlagOnLink != 0,
			Autonomous: o[3]&prefixFlagAutonomous != 0,
			Valid:      time.Duration(binary.BigEndian.Uint32(o[4:])) * time.Second,
			Preferred:  time.Duration(binary.BigEndian.Uint32(o[8:])) * time.Second,
		}
		if !yield(p) {
			return
		}
	}
}

// RDNSS calls yield with each recursive DNS server and its lifetime.
func (m *Message) RDNSS(yield func(netip.Addr, time.Duration) bool) {
	for kind, o := range m.Options {
		if kind != OptionRDNSS || len(o) < 24 {
			continue
		}
		lifetime := time.Duration(binary.BigEndian.Uint32(o[4:])) * time.Second
		for b := o[8:]; len(b) >= 16; b = b[16:] {
			if !yield(netip.AddrFrom16([16]byte(b[:16])), lifetime) {
				return
			}
		}
	}
}

// RedirectedHeader gives the redirected packet, perhaps truncated, of a
// redirect; nil if there is none. Padding may follow it.
func (m *Message) RedirectedHeader() []byte {
	for kind, o := range m.Options {
		if kind == OptionRedirectedHeader {
			return o[8:]
		}
	}
	return nil
}

func appendLinkAddress(b []byte, kind uint8, m MAC) []byte {
	if m == (MAC{}) {
		return b
	}
	return append(append(b, kind, 1), m[:]...)
}

func appendMTU(b []byte, mtu uint32) []byte {
	if mtu == 0 {
		return b
	}
	return binary.BigEndian.AppendUint32(append(b, OptionMTU, 1, 0, 0), mtu)
}

func appendPrefix(b []byte, p PrefixInformation) []byte {
	var flags byte
	if p.OnLink {
		flags |= prefixFlagOnLink
	}
	if p.Autonomous {
		flags |= prefixFlagAutonomous
	}
	b = append(b, OptionPrefixInformation, 4, byte(p.Prefix.Bits()), flags)
	b = binary.BigEndian.AppendUint32(b, seconds(p.Valid))
	b = binary.BigEndian.AppendUint32(b, seconds(p.Preferred))
	a := p.Prefix.Masked().Addr().As16() // RFC 4861 §4.6.2: bits after the prefix are zero
	return append(append(b, 0, 0, 0, 0), a[:]...)
}

func appendRDNSS(b []byte, servers []netip.Addr, lifetime time.Duration) []byte {
	if len(servers) == 0 {
		return b
	}
	b = append(b, OptionRDNSS, byte(1+2*len(servers)), 0, 0)
	b = binary.BigEndian.AppendUint32(b, seconds(lifetime))
	for _, s := range servers {
		a := s.As16()
		b = append(b, a[:]...)
	}
	return b
}

func seconds(d time.Duration) uint32 {
	return uint32(min(max(d, 0)/time.Second, Infinite/time.Second))
}
