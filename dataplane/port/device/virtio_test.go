package device

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"routerd/dataplane/port"
)

// header builds a virtio-net header in the machine's byte order.
func header(flags, gso byte, words ...uint16) (h [HeaderLen]byte) {
	h[0], h[1] = flags, gso
	for i, w := range words {
		native.PutUint16(h[2+2*i:], w)
	}
	return h
}

// tcp4 is an IPv4 TCP packet with n bytes of payload and a TCP header of
// 32 bytes; only the fields that the codec looks at are filled in.
func tcp4(n int) []byte {
	b := make([]byte, 52+n)
	b[0] = 0x45
	b[20+12] = 8 << 4 // data offset
	return b
}

func udp6(n int) []byte {
	b := make([]byte, 48+n)
	b[0] = 0x60
	return b
}

func TestDecodeHeader(t *testing.T) {
	badTCP := tcp4(100)
	badTCP[20+12] = 15 << 4 // a data offset beyond...
	badTCP = badTCP[:60]    // ...the packet
	tests := []struct {
		name  string
		h     [HeaderLen]byte
		frame []byte
		want  port.Offload
		ok    bool
	}{
		{"plain", header(0, 0), tcp4(0), port.Offload{}, true},
		{"plain with leftovers", header(0, 0, 1, 2, 3, 4), nil, port.Offload{}, true},
		{"data valid", header(2, 0), tcp4(0), port.Offload{ChecksumValid: true}, true},
		{"partial checksum", header(1, 0, 0, 0, 20, 16), tcp4(0), port.Offload{NeedsChecksum: true, ChecksumStart: 20, ChecksumOffset: 16}, true},
		{"checksum ends with the frame", header(1, 0, 0, 0, 50, 0), tcp4(0), port.Offload{NeedsChecksum: true, ChecksumStart: 50}, true},
		{"checksum beyond the frame", header(1, 0, 0, 0, 50, 1), tcp4(0), port.Offload{}, false},
		{"checksum offsets that overflow", header(1, 0, 0, 0, 0xffff, 0xffff), tcp4(0), port.Offload{}, false},
		{"tcp4, kernel's header length not believed", header(1, 1, 9999, 1448, 20, 16), tcp4(3000), port.Offload{
			NeedsChecksum: true, GSO: port.GSOTCPv4, HeaderLength: 52, SegmentSize: 1448, ChecksumStart: 20, ChecksumOffset: 16,
		}, true},
		{"tcp4 with ecn", header(1, 0x81, 52, 1448, 20, 16), tcp4(3000), port.Offload{
			NeedsChecksum: true, GSO: port.GSOTCPv4, ECN: true, HeaderLength: 52, SegmentSize: 1448, ChecksumStart: 20, ChecksumOffset: 16,
		}, true},
		{"udp6", header(1, 5, 48, 1200, 40, 6), udp6(2400), port.Offload{
			NeedsChecksum: true, GSO: port.GSOUDPL4, HeaderLength: 48, SegmentSize: 1200, ChecksumStart: 40, ChecksumOffset: 6,
		}, true},
		{"super-packet with a whole checksum", header(2, 4, 60, 1000), make([]byte, 3000), port.Offload{
			ChecksumValid: true, GSO: port.GSOTCPv6, HeaderLength: 60, SegmentSize: 1000,
		}, true},
		{"the same, header length beyond the frame", header(2, 4, 60, 1000), make([]byte, 59), port.Offload{}, false},
		{"the same, no header length", header(2, 4, 0, 1000), make([]byte, 3000), port.Offload{}, false},
		{"no segment size", header(1, 1, 52, 0, 20, 16), tcp4(3000), port.Offload{}, false},
		{"tcp header beyond the frame", header(1, 1, 52, 1448, 20, 16), badTCP, port.Offload{}, false},
		{"udp header beyond the frame", header(1, 5, 48, 1200, 40, 0), udp6(0)[:47], port.Offload{}, false},
		{"udp fragmentation offload, never asked for", header(1, 3, 48, 1200, 40, 6), udp6(2400), port.Offload{}, false},
		{"unknown kind", header(0, 0x42), tcp4(0), port.Offload{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := DecodeHeader(&tt.h, tt.frame)
			if got != tt.want || ok != tt.ok {
				t.Errorf("got %+v, %v\nwant %+v, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestDecodeEveryTruncation(t *testing.T) {
	for _, tt := range []struct {
		h     [HeaderLen]byte
		frame []byte
		need  int
	}{
		{header(1, 1, 52, 1448, 20, 16), tcp4(100), 52},
		{header(1, 5, 48, 1200, 40, 6), udp6(100), 48},
		{header(1, 0, 0, 0, 20, 16), tcp4(100), 38},
	} {
		for n := range tt.frame {
			if _, ok := DecodeHeader(&tt.h, tt.frame[:n]); ok != (n >= tt.need) {
				t.Errorf("% x with %d bytes of frame: accepted %v, want from %d on", tt.h, n, ok, tt.need)
			}
		}
	}
}

func TestEncodeHeader(t *testing.T) {
	tests := []struct {
		name  string
		off   port.Offload
		frame []byte
		want  [HeaderLen]byte
	}{
		{"plain", port.Offload{}, tcp4(0), header(0, 0)},
		{"data valid is not for sending", port.Offload{ChecksumValid: true}, tcp4(0), header(0, 0)},
		{"partial checksum", port.Offload{NeedsChecksum: true, ChecksumStart: 20, ChecksumOffset: 16}, tcp4(0), header(1, 0, 0, 0, 20, 16)},
		{"header length follows the headers", port.Offload{
			NeedsChecksum: true, GSO: port.GSOTCPv4, ECN: true, HeaderLength: 40, SegmentSize: 1448, ChecksumStart: 20, ChecksumOffset: 16,
		}, tcp4(3000), header(1, 0x81, 52, 1448, 20, 16)},
		{"udp", port.Offload{
			NeedsChecksum: true, GSO: port.GSOUDPL4, SegmentSize: 1200, ChecksumStart: 40, ChecksumOffset: 6,
		}, udp6(1200), header(1, 5, 48, 1200, 40, 6)},
		{"no checksum to go by: the hint, within the frame", port.Offload{GSO: port.GSOTCPv6, HeaderLength: 100, SegmentSize: 9}, make([]byte, 80), header(0, 4, 80, 9)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := header(0xff, 0xff, 1, 2, 3, 4) // what was there does not matter
			EncodeHeader(&h, &tt.off, tt.frame)
			if h != tt.want {
				t.Errorf("got  % x\nwant % x", h, tt.want)
			}
		})
	}
}

// What was read and is written unchanged says the same to the kernel.
func TestHeaderRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		frame := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "frame")
		h := [HeaderLen]byte(rapid.SliceOfN(rapid.Byte(), 10, 10).Draw(t, "header"))
		h[0] &= 3
		h[1] = rapid.SampledFrom([]byte{0, 1, 3, 4, 5, 0x80, 0x81, 0x84, 0x85, 0x20}).Draw(t, "gso")
		for i := 2; i < 10; i += 2 {
			native.PutUint16(h[i:], native.Uint16(h[i:])%256)
		}
		off, ok := DecodeHeader(&h, frame)
		if !ok {
			return
		}
		var again [HeaderLen]byte
		EncodeHeader(&again, &off, frame)
		back, ok := DecodeHeader(&again, frame)
		back.ChecksumValid = off.ChecksumValid
		if !ok || back != off {
			t.Fatalf("decoded %+v\nencoded % x\ndecoded again %+v, %v", off, again, back, ok)
		}
	})
}

// Nothing that a header says may lead outside the frame.
func FuzzDecodeHeader(f *testing.F) {
	for _, frame := range [][]byte{nil, tcp4(0), tcp4(3000), udp6(2400)} {
		for _, h := range [][HeaderLen]byte{
			header(0, 0),
			header(1, 0, 0, 0, 20, 16),
			header(1, 1, 52, 1448, 20, 16),
			header(1, 0x84, 72, 1440, 40, 16),
			header(1, 5, 48, 1200, 40, 6),
			header(2, 0x25, 0xffff, 0xffff, 0xffff, 0xffff),
		} {
			f.Add(append(h[:], frame...))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < HeaderLen {
			return
		}
		h, frame := (*[HeaderLen]byte)(b), b[HeaderLen:]
		before := bytes.Clone(frame)
		off, ok := DecodeHeader(h, frame)
		if !ok {
			if off != (port.Offload{}) {
				t.Fatalf("refused, but says %+v", off)
			}
			return
		}
		if off.NeedsChecksum {
			_ = frame[int(off.ChecksumStart)+int(off.ChecksumOffset) : int(off.ChecksumStart)+int(off.ChecksumOffset)+2]
		}
		_ = frame[:off.HeaderLength]
		if off.GSO != port.GSONone && (off.SegmentSize == 0 || off.HeaderLength == 0) {
			t.Fatalf("a super-packet without sizes: %+v", off)
		}
		EncodeHeader(h, &off, frame)
		if !bytes.Equal(before, frame) {
			t.Fatal("the frame was changed")
		}
	})
}
