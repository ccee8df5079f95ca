package porttest

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"routerd/dataplane/port"
	"routerd/internal/packet"
)

// Prefixes parses prefixes.
func Prefixes(s ...string) (ps []netip.Prefix) {
	for _, p := range s {
		ps = append(ps, netip.MustParsePrefix(p))
	}
	return ps
}

// Buffers makes n frames to read into.
func Buffers(n int) []port.Frame {
	fs := make([]port.Frame, n)
	for i := range fs {
		fs[i].Buf = make([]byte, port.BufferSize)
	}
	return fs
}

// Frame puts bytes into a frame with just the headroom that Write wants.
func Frame(b []byte) *port.Frame {
	f := &port.Frame{Buf: make([]byte, port.Headroom+len(b))}
	f.Reset()
	f.End += copy(f.Buf[f.Start:], b)
	return f
}

// ReadUntil reads until want accepts a frame.
func ReadUntil(t testing.TB, q port.Queue, what string, want func(*port.Frame) bool) {
	t.Helper()
	if err := q.SetReadDeadline(time.Now().Add(Patience)); err != nil {
		t.Fatal(err)
	}
	defer q.SetReadDeadline(time.Time{})
	fs := Buffers(4)
	for seen := 0; ; {
		n, err := q.Read(fs)
		if err != nil {
			t.Fatalf("waiting for %s: %v after %d other frames", what, err, seen)
		}
		for i := range fs[:n] {
			if want(&fs[i]) {
				return
			}
			seen++
		}
	}
}

// Partial is the Offload of a packet that UDP4 made with a partial checksum.
var Partial = port.Offload{NeedsChecksum: true, ChecksumStart: packet.IPv4MinHeader, ChecksumOffset: 6}

// UDP4 is an IPv4 UDP packet between two address:port. With partial set its
// checksum is what NeedsChecksum wants: the pseudo-header's sum,
// uncomplemented.
func UDP4(from, to, payload string, partial bool) []byte {
	src, dst := netip.MustParseAddrPort(from), netip.MustParseAddrPort(to)
	b := make([]byte, packet.IPv4MinHeader+packet.UDPHeader+len(payload))
	h := packet.IPv4(b)
	b[0] = 0x45
	h.SetTotalLen(len(b))
	h.SetTTL(64)
	h.SetProtocol(packet.ProtoUDP)
	h.SetSrc(src.Addr())
	h.SetDst(dst.Addr())
	h.FillChecksum()
	u := packet.UDP(b[packet.IPv4MinHeader:])
	binary.BigEndian.PutUint16(u, src.Port())
	binary.BigEndian.PutUint16(u[2:], dst.Port())
	u.SetLength(len(u))
	copy(u[packet.UDPHeader:], payload)
	sum := packet.PseudoHeaderSum4(h.SrcBytes(), h.DstBytes(), packet.ProtoUDP, len(u))
	if !partial {
		sum = ^packet.Sum(u, sum)
	}
	u.SetChecksum(sum)
	return b
}

// EtherIPv4 is the ethertype of IPv4.
const EtherIPv4 = 0x0800

// Ethernet is a link header.
func Ethernet(to, from [6]byte, ethertype uint16) []byte {
	return binary.BigEndian.AppendUint16(append(append([]byte(nil), to[:]...), from[:]...), ethertype)
}
