package packet

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// naiveSum adds word by word and folds after every step (RFC 1071 §1).
func naiveSum(b []byte, initial uint16) uint16 {
	sum := uint32(initial)
	for i := 0; i < len(b); i += 2 {
		w := uint32(b[i]) << 8
		if i+1 < len(b) {
			w |= uint32(b[i+1])
		}
		sum += w
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

func TestSum(t *testing.T) {
	tests := []struct {
		b    []byte
		want uint16
	}{
		{nil, 0},
		{[]byte{0x12}, 0x1200},
		{[]byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}, 0xddf2}, // RFC 1071 §3
		{[]byte{0xff, 0xff}, 0xffff},
		{[]byte{0xff, 0xff, 0x00, 0x01}, 0x0001}, // the carry comes round
	}
	for _, test := range tests {
		if got := Sum(test.b, 0); got != test.want {
			t.Errorf("Sum(% x) = %#04x, want %#04x", test.b, got, test.want)
		}
		if got := Checksum(test.b); got != ^test.want {
			t.Errorf("Checksum(% x) = %#04x, want %#04x", test.b, got, ^test.want)
		}
	}
}

func TestSumModel(t *testing.T) {
	// Bytes of ones make carries, which random bytes seldom do.
	octet := rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte{0x00, 0xff}))
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(octet, 0, 200).Draw(t, "bytes")
		initial := rapid.OneOf(rapid.Uint16(), rapid.Just(uint16(0xffff))).Draw(t, "initial")
		if got, want := Sum(b, initial), naiveSum(b, initial); got != want {
			t.Fatalf("Sum(% x, %#04x) = %#04x, want %#04x", b, initial, got, want)
		}
		// In two parts, the first of even length.
		cut := rapid.IntRange(0, len(b)/2).Draw(t, "cut") * 2
		if got, want := Sum(b[cut:], Sum(b[:cut], initial)), naiveSum(b, initial); got != want {
			t.Fatalf("in two parts, cut at %d: %#04x, want %#04x", cut, got, want)
		}
	})
	long := make([]byte, 65535)
	for i := range long {
		long[i] = 0xff
	}
	for n := range 70 {
		if got, want := Sum(long[n:], 0xffff), naiveSum(long[n:], 0xffff); got != want {
			t.Errorf("Sum of %d bytes of ones = %#04x, want %#04x", len(long)-n, got, want)
		}
	}
}

// TestUpdateChecksum changes a word of a header and compares with a new count.
func TestUpdateChecksum(t *testing.T) {
	// RFC 1624 §4: the sum of the rest is 0xcd7a, 0x5555 becomes 0x3285.
	if got := UpdateChecksum(0xdd2f, 0x5555, 0x3285); got != 0x0000 {
		t.Errorf("the example of RFC 1624 §4: %#04x, want 0", got)
	}
	word := rapid.OneOf(rapid.Uint16(), rapid.SampledFrom([]uint16{0, 1, 0xfffe, 0xffff}))
	rapid.Check(t, func(t *rapid.T) {
		header := make([]byte, 20)
		for i := 0; i < len(header); i += 2 {
			binary.BigEndian.PutUint16(header[i:], word.Draw(t, "word"))
		}
		header[0] = 0x45 // an IP header is never all zeros
		header[10], header[11] = 0, 0
		before := Checksum(header)
		at := rapid.SampledFrom([]int{2, 4, 6, 8, 12, 14, 16, 18}).Draw(t, "offset")
		old, new := binary.BigEndian.Uint16(header[at:]), word.Draw(t, "new")
		binary.BigEndian.PutUint16(header[at:], new)
		if got, want := UpdateChecksum(before, old, new), Checksum(header); got != want {
			t.Fatalf("%#04x with %#04x for %#04x: %#04x, want %#04x", before, new, old, got, want)
		}
	})
}

func TestPseudoHeader(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		addresses := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "addresses")
		proto := rapid.Byte().Draw(t, "protocol")
		length := rapid.IntRange(0, 65535+40).Draw(t, "length")

		v6 := append([]byte{}, addresses...)
		v6 = binary.BigEndian.AppendUint32(v6, uint32(length))
		v6 = append(v6, 0, 0, 0, proto) // RFC 8200 §8.1
		if got, want := PseudoHeaderSum6(addresses[:16], addresses[16:], proto, length), naiveSum(v6, 0); got != want {
			t.Fatalf("IPv6: %#04x, want %#04x", got, want)
		}
		length &= 0xffff
		v4 := append([]byte{}, addresses[:8]...)
		v4 = append(v4, 0, proto, byte(length>>8), byte(length)) // RFC 793 §3.1
		if got, want := PseudoHeaderSum4(addresses[:4], addresses[4:8], proto, length), naiveSum(v4, 0); got != want {
			t.Fatalf("IPv4: %#04x, want %#04x", got, want)
		}
	})
}

func TestDecrementTTL(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := IPv4(rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(t, "header"))
		p[0] = 0x45
		p.SetTTL(max(p.TTL(), 1))
		p.FillChecksum()
		ttl := p.TTL()
		p.DecrementTTL()
		got := p.Checksum()
		if p.FillChecksum(); p.TTL() != ttl-1 || got != p.Checksum() {
			t.Fatalf("TTL %d to %d, checksum %#04x, want %#04x", ttl, p.TTL(), got, p.Checksum())
		}
	})
}

func TestSetAddresses(t *testing.T) {
	a4, b4 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.2")
	p := make(IPv4, 20)
	p.SetSrc(a4)
	p.SetDst(b4)
	if p.Src() != a4 || p.Dst() != b4 {
		t.Errorf("IPv4 addresses %v, %v; want %v, %v", p.Src(), p.Dst(), a4, b4)
	}
	a6, b6 := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	q := make(IPv6, 40)
	q.SetSrc(a6)
	q.SetDst(b6)
	if q.Src() != a6 || q.Dst() != b6 {
		t.Errorf("IPv6 addresses %v, %v; want %v, %v", q.Src(), q.Dst(), a6, b6)
	}
}

var sink uint16

func BenchmarkChecksum(b *testing.B) {
	for _, n := range []int{20, 40, 1480, 65515} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			data := make([]byte, n)
			b.SetBytes(int64(n))
			for b.Loop() {
				sink = Checksum(data)
			}
		})
	}
}

func BenchmarkChecksumUpdate(b *testing.B) {
	p := make(IPv4, 20)
	p[0] = 0x45
	for b.Loop() {
		p.SetTTL(64)
		p.DecrementTTL()
	}
}

func TestPseudoHeaderSum(t *testing.T) {
	v4 := []byte{0x45, 12: 10, 13: 1, 15: 2, 16: 192, 18: 2, 19: 7}
	if got, want := PseudoHeaderSum(v4, ProtoTCP, 33), PseudoHeaderSum4(v4[12:16], v4[16:20], ProtoTCP, 33); got != want {
		t.Errorf("IPv4: %#04x, want %#04x", got, want)
	}
	v6 := []byte{0x60, 8: 0x20, 9: 1, 23: 1, 24: 0xfe, 25: 0x80, 39: 9}
	if got, want := PseudoHeaderSum(v6, ProtoUDP, 1234), PseudoHeaderSum6(v6[8:24], v6[24:40], ProtoUDP, 1234); got != want {
		t.Errorf("IPv6: %#04x, want %#04x", got, want)
	}
}
