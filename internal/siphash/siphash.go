// Package siphash is SipHash-1-3 (Aumasson and Bernstein, 2012) of sixteen
// bytes, for hash tables whose keys are chosen by untrusted senders. Without
// the Key nobody can tell which inputs collide, nor find the Key from the
// behaviour of the table.
package siphash

import "math/bits"

// Key is a secret of 128 bits. It should come from crypto/rand and be used for
// one table only.
type Key [2]uint64

// Sum hashes sixteen bytes: a and b, least significant byte first.
func (k *Key) Sum(a, b uint64) uint64 {
	v0, v1 := k[0]^0x736f6d6570736575, k[1]^0x646f72616e646f6d
	v2, v3 := k[0]^0x6c7967656e657261, k[1]^0x7465646279746573
	const length = 16 << 56
	v3 ^= a
	v0, v1, v2, v3 = round(v0, v1, v2, v3)
	v0, v3 = v0^a, v3^b
	v0, v1, v2, v3 = round(v0, v1, v2, v3)
	v0, v3 = v0^b, v3^length
	v0, v1, v2, v3 = round(v0, v1, v2, v3)
	v0, v2 = v0^length, v2^0xff
	v0, v1, v2, v3 = round(v0, v1, v2, v3)
	v0, v1, v2, v3 = round(v0, v1, v2, v3)
	v0, v1, v2, v3 = round(v0, v1, v2, v3)
	return v0 ^ v1 ^ v2 ^ v3
}

func round(v0, v1, v2, v3 uint64) (uint64, uint64, uint64, uint64) {
	v0 += v1
	v2 += v3
	v1 = bits.RotateLeft64(v1, 13) ^ v0
	v3 = bits.RotateLeft64(v3, 16) ^ v2
	v0 = bits.RotateLeft64(v0, 32) + v3
	v2 += v1
	v1 = bits.RotateLeft64(v1, 17) ^ v2
	v3 = bits.RotateLeft64(v3, 21) ^ v0
	return v0, v1, bits.RotateLeft64(v2, 32), v3
}
