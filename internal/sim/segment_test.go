package sim

import (
	"bytes"
	"net/netip"
	"testing"
)

// A signed segment, octet by octet, and what its digest is made of.
func TestSegment(t *testing.T) {
	for _, ends := range [][2]string{{"10.0.0.1:179", "10.0.0.2:4000"}, {"[2001:db8::1]:179", "[2001:db8::2]:4000"}} {
		s := segment{
			src: netip.MustParseAddrPort(ends[0]), dst: netip.MustParseAddrPort(ends[1]), hops: 255, dscp: 48,
			seq: 0x01020304, ack: 0x05060708, flags: flagSYN | flagACK, window: 0x1234, mss: 1400, data: []byte("update"),
		}
		raw := s.packet("secret")
		ip := 20
		if s.src.Addr().Is6() {
			ip = 40
		}
		want := []byte{
			0, 179, 0x0f, 0xa0, // ports
			1, 2, 3, 4, 5, 6, 7, 8, // sequence, acknowledgement
			44 / 4 << 4, 0x12, 0x12, 0x34, // header of 44 octets, flags, window
		}
		if !bytes.Equal(raw[ip:ip+16], want) {
			t.Errorf("header %x, want %x", raw[ip:ip+16], want)
		}
		if got := raw[ip+20 : ip+26]; !bytes.Equal(got, []byte{2, 4, 0x05, 0x78, 19, 18}) {
			t.Errorf("options %x, want the MSS and a digest", got)
		}
		back, ok := parseSegment(raw)
		if !ok || back.src != s.src || back.dst != s.dst || back.seq != s.seq || back.ack != s.ack || back.flags != s.flags ||
			back.window != s.window || back.mss != s.mss || back.hops != 255 || back.dscp != 48 || string(back.data) != "update" {
			t.Errorf("read back as %+v (%v)", back, ok)
		}
		if !back.genuine("secret") || back.genuine("another") || back.genuine("") {
			t.Error("the secret with which it was signed is right, and no other, and none is wrong")
		}
		for i := range raw {
			parseSegment(raw[:i]) // never panics
			bad := bytes.Clone(raw)
			bad[i] ^= 0x10
			if b, ok := parseSegment(bad); ok && b.genuine("secret") && (b.seq != s.seq || string(b.data) != "update") {
				t.Errorf("octet %d was changed and nobody noticed", i)
			}
		}
		plain, _ := parseSegment((&segment{src: s.src, dst: s.dst, flags: flagACK}).packet(""))
		if plain.genuine("secret") || !plain.genuine("") {
			t.Error("a segment that is not signed is right where none is wanted")
		}
	}
}
