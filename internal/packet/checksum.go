package packet

import (
	"encoding/binary"
	"math/bits"
)

// Sum adds the 16-bit words of b to initial in one's complement arithmetic
// (RFC 1071 §1) and folds the result to 16 bits. An odd last byte counts as
// the high half of a word. It does not complement.
func Sum(b []byte, initial uint16) uint16 {
	// RFC 1071 §2(C): sum wide words and fold at the end; eight bytes a
	// step with the carry kept is the same sum.
	acc := uint64(initial)
	var carry uint64
	for len(b) >= 32 {
		acc, carry = bits.Add64(acc, binary.BigEndian.Uint64(b), carry)
		acc, carry = bits.Add64(acc, binary.BigEndian.Uint64(b[8:]), carry)
		acc, carry = bits.Add64(acc, binary.BigEndian.Uint64(b[16:]), carry)
		acc, carry = bits.Add64(acc, binary.BigEndian.Uint64(b[24:]), carry)
		b = b[32:]
	}
	for len(b) >= 8 {
		acc, carry = bits.Add64(acc, binary.BigEndian.Uint64(b), carry)
		b = b[8:]
	}
	acc, carry = bits.Add64(acc, 0, carry)
	acc += carry
	var tail uint64
	if len(b) >= 4 {
		tail += uint64(binary.BigEndian.Uint32(b))
		b = b[4:]
	}
	if len(b) >= 2 {
		tail += uint64(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		tail += uint64(b[0]) << 8
	}
	acc, carry = bits.Add64(acc, tail, 0)
	return fold(acc, carry)
}

func fold(acc, carry uint64) uint16 {
	acc = acc>>32 + acc&0xffffffff + carry
	acc = acc>>16 + acc&0xffff
	acc = acc>>16 + acc&0xffff
	acc = acc>>16 + acc&0xffff
	return uint16(acc)
}

// Checksum is the Internet checksum of b: the complement of its Sum. Over a
// header whose checksum field is filled in correctly it is zero.
func Checksum(b []byte) uint16 { return ^Sum(b, 0) }

// UpdateChecksum gives the checksum of a header in which one 16-bit word
// changed from old to new: HC' = ~(~HC + ~m + m') (RFC 1624 §3, eqn. 3, which
// also gets the 0xffff case right that RFC 1141 gets wrong).
func UpdateChecksum(checksum, old, new uint16) uint16 {
	s := uint32(^checksum) + uint32(^old) + uint32(new)
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	return ^uint16(s)
}

// PseudoHeaderSum4 is the Sum of the IPv4 pseudo-header (RFC 793 §3.1) for a
// transport packet of length bytes.
func PseudoHeaderSum4(src, dst []byte, proto uint8, length int) uint16 {
	s := Sum(src[:4], uint16(proto))
	s = Sum(dst[:4], s)
	return addWord(s, uint16(length))
}

// PseudoHeaderSum6 is the Sum of the IPv6 pseudo-header (RFC 8200 §8.1) for
// an upper-layer packet of length bytes.
func PseudoHeaderSum6(src, dst []byte, proto uint8, length int) uint16 {
	s := Sum(src[:16], uint16(proto))
	s = Sum(dst[:16], s)
	s = addWord(s, uint16(length>>16))
	return addWord(s, uint16(length))
}

// PseudoHeaderSum is PseudoHeaderSum4 or PseudoHeaderSum6, of the addresses in the IP
// header that ip begins with.
func PseudoHeaderSum(ip []byte, proto uint8, length int) uint16 {
	if ip[0]>>4 == 4 {
		return PseudoHeaderSum4(ip[12:16], ip[16:20], proto, length)
	}
	return PseudoHeaderSum6(ip[8:24], ip[24:40], proto, length)
}

func addWord(s, w uint16) uint16 {
	t := uint32(s) + uint32(w)
	return uint16(t>>16 + t&0xffff)
}
