package wire

import (
	"encoding/binary"
	"net/netip"
)

// NLRI is prefixes as they are in a message, checked.
type NLRI struct {
	Family Family
	// Paths: each prefix has a path identifier (RFC 7911 §3).
	Paths  bool
	Octets []byte
}

// All yields the prefixes, masked, with their path identifiers, 0 where they have
// none.
func (n NLRI) All(yield func(path uint32, p netip.Prefix) bool) {
	for b := n.Octets; len(b) > 0; {
		path := uint32(0)
		if n.Paths {
			path, b = binary.BigEndian.Uint32(b), b[4:]
		}
		bits := int(b[0])
		size := (bits + 7) / 8
		p := n.prefix(b[1:1+size], bits)
		b = b[1+size:]
		if !yield(path, p) {
			return
		}
	}
}

// Plain is a prefix as numbers.
type Plain struct {
	// High and Low are the address, masked; one of IPv4 is in High alone.
	High, Low uint64
	Path      uint32 // 0 if it has none
	Bits      uint8
}

// Read gives as many prefixes in list as there are and it has room for, and how many these are.
// What it has given is no longer in n.
func (n *NLRI) Read(list []Plain) (count int) {
	b, six := n.Octets, n.Family != IPv4Unicast
	for ; len(b) > 0 && count < len(list); count++ {
		p := &list[count]
		p.Path = 0
		if n.Paths {
			p.Path, b = binary.BigEndian.Uint32(b), b[4:]
		}
		p.Bits = b[0]
		size := (int(b[0]) + 7) / 8
		if six {
			var a [16]byte
			copy(a[:], b[1:1+size])
			p.High = binary.BigEndian.Uint64(a[:]) & mask(int(p.Bits))
			p.Low = binary.BigEndian.Uint64(a[8:]) & mask(int(p.Bits)-64)
		} else {
			word := uint64(0)
			for i, o := range b[1 : 1+size] {
				word |= uint64(o) << (24 - 8*i)
			}
			p.High, p.Low = word&(mask(int(p.Bits))>>32), 0
		}
		b = b[1+size:]
	}
	n.Octets = b
	return count
}

// Prefix is the prefix of a family.
func (p *Plain) Prefix(f Family) netip.Prefix {
	var b [16]byte
	if f == IPv4Unicast {
		binary.BigEndian.PutUint32(b[:], uint32(p.High))
		return netip.PrefixFrom(netip.AddrFrom4([4]byte(b[:4])), int(p.Bits))
	}
	binary.BigEndian.PutUint64(b[:], p.High)
	binary.BigEndian.PutUint64(b[8:], p.Low)
	return netip.PrefixFrom(netip.AddrFrom16(b), int(p.Bits))
}

// mask has so many leading ones, none if there would be less.
func mask(bits int) uint64 {
	if bits <= 0 {
		return 0
	}
	return ^uint64(0) << max(0, 64-bits)
}

// Destination is what [Destination] says of the prefix of a family.
func (p *Plain) Destination(f Family) bool {
	switch {
	case p.Bits == 0:
		return true
	case f == IPv4Unicast:
		first := p.High >> 24
		return first != 0 && first != 127 && first < 224
	case p.High == 0:
		return p.Low > 1
	}
	return p.High>>56 != 0xff && p.High>>54 != 0xfe80>>6
}

// prefix reads the octets of a prefix. Bits behind its length mean nothing (RFC
// 4271 §4.3).
func (n NLRI) prefix(b []byte, bits int) netip.Prefix {
	if n.Family == IPv4Unicast {
		var word uint32
		for i, o := range b {
			word |= uint32(o) << (24 - 8*i)
		}
		word &= uint32(uint64(0xffffffff) << (32 - bits))
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(word >> 24), byte(word >> 16), byte(word >> 8), byte(word)}), bits)
	}
	var a [16]byte
	copy(a[:], b)
	if bits%8 != 0 {
		a[bits/8] &= byte(0xff << (8 - bits%8))
	}
	return netip.PrefixFrom(netip.AddrFrom16(a), bits)
}

// Len is how many prefixes there are.
func (n NLRI) Len() (count int) {
	head := 1
	if n.Paths {
		head = 5
	}
	for b := n.Octets; len(b) > 0; count++ {
		b = b[head+(int(b[head-1])+7)/8:]
	}
	return count
}

// check gives the length in bits of a prefix that cannot be (RFC 7606 §5.3), -1 if
// there is none, and with path identifiers that the field ends within one, as 0.
func (n NLRI) check() int {
	b, most := n.Octets, families[n.Family].bits
	for len(b) > 0 {
		if n.Paths {
			if len(b) < 5 {
				return 0
			}
			b = b[4:]
		}
		bits := int(b[0])
		size := 1 + (bits+7)/8
		if bits > most || size > len(b) {
			return bits
		}
		b = b[size:]
	}
	return -1
}

// appendPrefix appends a prefix of RFC 4271 §4.3.
func appendPrefix(dst []byte, p netip.Prefix) []byte {
	bits := p.Bits()
	dst = append(dst, byte(bits))
	if p.Addr().Is4() {
		a := p.Addr().As4()
		return append(dst, a[:(bits+7)/8]...)
	}
	a := p.Addr().As16()
	return append(dst, a[:(bits+7)/8]...)
}

// Destination reports whether packets can have a destination in the prefix as a
// whole: it is neither multicast nor loopback nor of a link, nor reserved. RFC 4271
// §6.3 has others ignored.
func Destination(p netip.Prefix) bool {
	a := p.Addr()
	if p.Bits() == 0 {
		return true // the default route
	}
	if a.Is4() {
		first := a.As4()[0]
		return first != 0 && first != 127 && first < 224
	}
	return !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast() && !a.IsLinkLocalUnicast()
}
