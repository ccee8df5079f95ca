package siphash

import "testing"

// CPython hashes bytes by SipHash-1-3 with a key of zeroes under
// PYTHONHASHSEED=0; these are its values.
func TestSumIsCPythons(t *testing.T) {
	var k Key
	for _, c := range []struct{ a, b, want uint64 }{
		{0x0706050403020100, 0x0f0e0d0c0b0a0908, 0x8972188433a5c5b7}, // bytes(range(16))
		{0x6b6a696867666564, 0x737271706f6e6d6c, 0x1a2b8f844456dfb0}, // bytes(range(100, 116))
	} {
		if got := k.Sum(c.a, c.b); got != c.want {
			t.Errorf("%#x, %#x: %#x, want %#x", c.a, c.b, got, c.want)
		}
	}
}

// Every bit of the key and of the input turns about half of the sum's bits.
func TestEveryBitCounts(t *testing.T) {
	k := Key{0x0123456789abcdef, 0xfedcba9876543210}
	sum := k.Sum(1, 2)
	for bit := range 64 {
		one := uint64(1) << bit
		a, b := k, k
		a[0] ^= one
		b[1] ^= one
		for name, other := range map[string]uint64{"key 0": a.Sum(1, 2), "key 1": b.Sum(1, 2), "a": k.Sum(1^one, 2), "b": k.Sum(1, 2^one)} {
			turned := 0
			for x := sum ^ other; x != 0; x &= x - 1 {
				turned++
			}
			if turned < 10 || turned > 54 {
				t.Errorf("bit %d of %s turns %d bits of the sum, want about 32", bit, name, turned)
			}
		}
	}
}

func BenchmarkSum(b *testing.B) {
	k, x := Key{1, 2}, uint64(0)
	for b.Loop() {
		x = k.Sum(x, 7)
	}
}
