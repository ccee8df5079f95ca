package packet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"routerd/dataplane/port"
	"routerd/dataplane/port/porttest"
	"routerd/internal/packet"
)

// ipOver puts an IP header of the family in front of a payload.
func ipOver(family, proto uint8, payload []byte) []byte {
	if family == 4 {
		b := append(make([]byte, packet.IPv4MinHeader), payload...)
		h := packet.IPv4(b)
		b[0] = 0x45
		h.SetTotalLen(len(b))
		h.SetTTL(64)
		h.SetProtocol(proto)
		copy(b[12:], []byte{198, 18, 0, 2, 198, 18, 9, 9})
		h.SetID(0xfffe) // so that it wraps
		h.FillChecksum()
		return b
	}
	b := append(make([]byte, packet.IPv6Header), payload...)
	b[0], b[6], b[7] = 0x60, proto, 64
	packet.IPv6(b).SetPayloadLen(len(payload))
	b[8], b[24], b[39] = 0x20, 0x20, 9
	return b
}

func udpOver(port uint16, checksum uint16, payload []byte) []byte {
	b := append(make([]byte, packet.UDPHeader), payload...)
	binary.BigEndian.PutUint16(b[2:], port)
	packet.UDP(b).SetLength(len(b))
	packet.UDP(b).SetChecksum(checksum)
	return b
}

// innerTCP is an unfinished TCP segment with FIN, PSH, CWR and ACK.
func innerTCP(payload []byte) []byte {
	b := append(make([]byte, packet.TCPMinHeader), payload...)
	b[12] = 5 << 4
	packet.TCP(b).SetSeq(0xffffff00)
	packet.TCP(b).SetFlags(packet.TCPFin | packet.TCPPsh | packet.TCPCwr | 0x10)
	return b
}

// received is a frame in a buffer that can be read into again.
func received(b []byte) port.Frame {
	f := porttest.Buffers(1)[0]
	f.Reset()
	f.End += copy(f.Buf[f.Start:], b)
	return f
}

// super is a frame of a tunnel's super-packet whose inner transport header
// begins before the last length bytes.
func super(etherType uint16, ip []byte, gso port.GSOType, size uint16, length int) port.Frame {
	b := append(porttest.Ethernet(routerMAC, hostMAC, etherType), ip...)
	f := received(b)
	start := len(b) - length
	f.Offload = port.Offload{NeedsChecksum: true, GSO: gso, SegmentSize: size, ChecksumStart: uint16(start), ChecksumOffset: 16}
	f.Offload.HeaderLength = uint16(start + packet.TCPMinHeader)
	if gso == port.GSOUDPL4 {
		f.Offload.ChecksumOffset, f.Offload.HeaderLength = 6, uint16(start+packet.UDPHeader)
	}
	return f
}

var tunnels = []struct {
	name  string
	frame func(payload []byte) port.Frame
}{
	{"TCP in VXLAN over IPv4", func(p []byte) port.Frame {
		inner := ipOver(4, packet.ProtoTCP, innerTCP(p))
		eth := append(append(make([]byte, 8), porttest.Ethernet(hostMAC, routerMAC, 0x0800)...), inner...)
		return super(0x0800, ipOver(4, packet.ProtoUDP, udpOver(4789, 0, eth)), port.GSOTCPv4, 1000, len(p)+20)
	}},
	{"TCP over IPv6 in VXLAN over IPv6, with checksums", func(p []byte) port.Frame {
		inner := ipOver(6, packet.ProtoTCP, innerTCP(p))
		eth := append(append(make([]byte, 8), porttest.Ethernet(hostMAC, routerMAC, 0x86dd)...), inner...)
		return super(0x86dd, ipOver(6, packet.ProtoUDP, udpOver(4789, 0x1234, eth)), port.GSOTCPv6, 1000, len(p)+20)
	}},
	{"UDP in VXLAN over IPv4", func(p []byte) port.Frame {
		inner := ipOver(4, packet.ProtoUDP, udpOver(443, 0, p))
		eth := append(append(make([]byte, 8), porttest.Ethernet(hostMAC, routerMAC, 0x0800)...), inner...)
		return super(0x0800, ipOver(4, packet.ProtoUDP, udpOver(4789, 0, eth)), port.GSOUDPL4, 1000, len(p)+8)
	}},
	{"TCP in GRE", func(p []byte) port.Frame {
		return super(0x0800, ipOver(4, protoGRE, append([]byte{0, 0, 0x08, 0}, ipOver(4, packet.ProtoTCP, innerTCP(p))...)), port.GSOTCPv4, 1000, len(p)+20)
	}},
	{"TCP in GRE with checksum", func(p []byte) port.Frame {
		return super(0x0800, ipOver(4, protoGRE, append([]byte{0x80, 0, 0x08, 0, 1, 2, 0, 0}, ipOver(4, packet.ProtoTCP, innerTCP(p))...)), port.GSOTCPv4, 1000, len(p)+20)
	}},
	{"TCP in IP in IP", func(p []byte) port.Frame {
		return super(0x0800, ipOver(4, protoIPv4, ipOver(4, packet.ProtoTCP, innerTCP(p))), port.GSOTCPv4, 1000, len(p)+20)
	}},
	{"TCP over IPv6 in IPv4", func(p []byte) port.Frame {
		return super(0x0800, ipOver(4, protoIPv6, ipOver(6, packet.ProtoTCP, innerTCP(p))), port.GSOTCPv6, 1000, len(p)+20)
	}},
	{"TCP in IPv6 with an encapsulation limit", func(p []byte) port.Frame {
		option := []byte{protoIPv4, 0, 4, 1, 4, 1, 0, 0} // RFC 2473 §4.1.1
		return super(0x86dd, ipOver(6, 60, append(option, ipOver(4, packet.ProtoTCP, innerTCP(p))...)), port.GSOTCPv4, 1000, len(p)+20)
	}},
	{"behind a priority tag", func(p []byte) port.Frame {
		ip := ipOver(4, protoIPv4, ipOver(4, packet.ProtoTCP, innerTCP(p)))
		return super(0x8100, append([]byte{0xa0, 0, 0x08, 0}, ip...), port.GSOTCPv4, 1000, len(p)+20)
	}},
}

// checkSegment takes a segment apart as its receivers would, outermost first,
// and gives the payload of the innermost.
func checkSegment(t *testing.T, f *port.Frame, n int) []byte {
	t.Helper()
	if f.Offload != (port.Offload{}) {
		t.Errorf("segment %d says %+v, want nothing left to do", n, f.Offload)
	}
	at, _, _, ok := outerHeader(f.Bytes())
	if !ok {
		t.Fatalf("segment %d: its outer header's length is not its own", n)
	}
	b := f.Bytes()[at:]
	for range 8 {
		var proto uint8
		src := b
		if b[0]>>4 == 4 {
			h := packet.IPv4(b)
			if !h.Valid() || h.TotalLen() != len(b) || !h.HeaderChecksumOK() || h.ID() != 0xfffe+uint16(n) {
				t.Errorf("segment %d: IPv4 header % x in %d bytes", n, b[:20], len(b))
			}
			proto, b = h.Protocol(), b[20:]
		} else {
			h := packet.IPv6(b)
			if h.TotalLen() != len(b) {
				t.Errorf("segment %d: IPv6 payload length %d in %d bytes", n, h.PayloadLen(), len(b))
			}
			proto, b = h.NextHeader(), b[40:]
			if proto == 60 {
				proto, b = b[0], b[8:]
			}
		}
		switch proto {
		case packet.ProtoTCP:
			if packet.Sum(b, packet.PseudoHeaderSum(src, proto, len(b))) != 0xffff {
				t.Errorf("segment %d: wrong TCP checksum", n)
			}
			return b[20:]
		case packet.ProtoUDP:
			u := packet.UDP(b)
			if u.Length() != len(b) || u.Checksum() != 0 && packet.Sum(b, packet.PseudoHeaderSum(src, proto, len(b))) != 0xffff {
				t.Errorf("segment %d: UDP length %d in %d bytes, or a wrong checksum", n, u.Length(), len(b))
			}
			if u.DstPort() == 443 {
				if u.Checksum() == 0 {
					t.Errorf("segment %d: the inner checksum is left out", n)
				}
				return b[8:]
			}
			b = b[8+8+14:] // UDP, VXLAN, Ethernet
		case protoGRE:
			header := 4
			if b[0]&greChecksum != 0 {
				header = 8
				if packet.Sum(b, 0) != 0xffff {
					t.Errorf("segment %d: wrong GRE checksum", n)
				}
			}
			b = b[header:]
		}
	}
	t.Fatalf("segment %d: no transport found", n)
	return nil
}

// Super-packets of every kind of tunnel are cut into the packets that they
// stand for, in their place among the other frames, however few frames a Read
// is asked for.
func TestTunnelsAreCutUp(t *testing.T) {
	payload := make([]byte, 3500)
	for i := range payload {
		payload[i] = byte(i * 7)
	}
	for _, tt := range tunnels {
		for _, room := range []int{1, 2, 3, 16} {
			t.Run(fmt.Sprintf("%s, %d frames at once", tt.name, room), func(t *testing.T) {
				var h held
				for _, f := range []port.Frame{tt.frame(payload), received(ethernet(0x88b5, []byte("between"))), tt.frame(payload[:1])} {
					h.keep(&f)
				}
				var got []byte
				frames := porttest.Buffers(room)
				segments, plain := 0, 0
				for rounds := 0; h.any(); rounds++ {
					n := h.release(frames, 0)
					if n == 0 || rounds > 20 {
						t.Fatalf("round %d releases %d frames and holds more", rounds, n)
					}
					for i := range frames[:n] {
						if bytes.HasSuffix(frames[i].Bytes(), []byte("between")) {
							plain++
							if segments != 4 {
								t.Errorf("the frame behind came after %d segments, want 4", segments)
							}
							segments = 0
							continue
						}
						part := checkSegment(t, &frames[i], segments)
						if want := min(1000, len(payload)-1000*segments); plain == 0 && len(part) != want {
							t.Errorf("segment %d has %d bytes, want %d", segments, len(part), want)
						}
						got = append(got, part...)
						segments++
					}
				}
				if plain != 1 || !bytes.Equal(got, append(append([]byte(nil), payload...), payload[0])) {
					t.Errorf("%d plain frames and %d bytes of payload, or other ones; want 1 and %d", plain, len(got), len(payload)+1)
				}
			})
		}
	}
}

// The TCP flags and sequence numbers of segments.
func TestTunnelSegmentsOfTCP(t *testing.T) {
	f := tunnels[5].frame(make([]byte, 2500))
	var tu tunnel
	if !tunnelled(&f) || !tu.begin(&f) {
		t.Fatal("not taken for a tunnel's super-packet")
	}
	for n, flags := range []uint8{packet.TCPCwr | 0x10, 0x10, packet.TCPFin | packet.TCPPsh | 0x10} {
		g := porttest.Buffers(1)[0]
		tu.next(&g)
		h := packet.TCP(g.Bytes()[14+20+20:])
		if h.Flags() != flags || h.Seq() != 0xffffff00+uint32(1000*n) || tu.done() != (n == 2) {
			t.Errorf("segment %d: flags %#02x, sequence number %#x, done %v", n, h.Flags(), h.Seq(), tu.done())
		}
	}
}

// What is no tunnel is left alone, and what is one of a kind that cannot be
// cut here is handed over as it is. Damaged headers are never read beyond
// their end.
func TestNoTunnel(t *testing.T) {
	plain := super(0x0800, ipOver(4, packet.ProtoTCP, innerTCP(make([]byte, 3000))), port.GSOTCPv4, 1000, 3020)
	if tunnelled(&plain) {
		t.Error("a TCP super-packet is taken for a tunnel's")
	}
	whole := super(0x0800, ipOver(4, protoIPv4, ipOver(4, packet.ProtoTCP, innerTCP(nil))), port.GSONone, 0, 20)
	if tunnelled(&whole) {
		t.Error("a packet that is no super-packet is taken for one")
	}
	nested := super(0x0800, ipOver(4, protoIPv4, ipOver(4, protoIPv4, ipOver(4, packet.ProtoTCP, innerTCP(make([]byte, 3000))))), port.GSOTCPv4, 1000, 3020)
	var tu tunnel
	if !tunnelled(&nested) || tu.begin(&nested) {
		t.Error("a tunnel in a tunnel: it was to be told and not cut")
	}
	var h held
	want, off := append([]byte(nil), nested.Bytes()...), nested.Offload
	h.keep(&nested)
	out := porttest.Buffers(2)
	if n := h.release(out, 0); n != 1 || h.any() || out[0].Offload != off || !bytes.Equal(out[0].Bytes(), want) {
		t.Errorf("a tunnel in a tunnel became %d frames", n)
	}
	for _, tt := range tunnels {
		f := tt.frame(make([]byte, 2500))
		for n := linkHeader; n < f.Len(); n++ {
			cut := *porttest.Frame(f.Bytes()[:n])
			cut.Offload = f.Offload
			if tunnelled(&cut) && tu.begin(&cut) {
				t.Fatalf("%s: taken with %d of %d bytes", tt.name, n, f.Len())
			}
		}
	}
}

func FuzzTunnel(f *testing.F) {
	for _, tt := range tunnels {
		s := tt.frame(make([]byte, 100))
		f.Add(s.Bytes(), s.Offload.ChecksumStart, s.Offload.HeaderLength, uint16(10), uint8(s.Offload.GSO))
	}
	f.Fuzz(func(t *testing.T, b []byte, start, header, size uint16, gso uint8) {
		if len(b) < linkHeader || len(b) > 4096 || size < 8 {
			return
		}
		s := *porttest.Frame(b)
		s.Offload = port.Offload{NeedsChecksum: true, GSO: port.GSOType(gso), SegmentSize: size, ChecksumStart: start, ChecksumOffset: 16, HeaderLength: header}
		if s.Offload.HeaderLength != 0 && int(header) > len(b) || int(start)+18 > len(b) {
			return // device.DecodeHeader lets none through
		}
		var tu tunnel
		if !tunnelled(&s) || !tu.begin(&s) {
			return
		}
		g := porttest.Buffers(1)[0]
		total := 0
		for !tu.done() {
			tu.next(&g)
			total += g.Len() - tu.payload
		}
		if total != len(b)-tu.payload {
			t.Errorf("%d bytes of payload were cut off, want %d", total, len(b)-tu.payload)
		}
	})
}

// A kernel's own tunnel: TCP in VXLAN from the host's namespace reaches a far
// one through two packet ports, its super-packets cut up.
func TestVXLANOverVeth(t *testing.T) {
	near, far := newWire(t), newWire(t)
	for _, w := range []struct {
		wire
		local, remote, inside string
	}{{near, "198.18.0.2", "198.18.0.3", "203.0.113.1/24"}, {far, "198.18.0.3", "198.18.0.2", "203.0.113.2/24"}} {
		if out, err := exec.Command("ip", "-n", w.host, "link", "add", "tn", "type", "vxlan", "id", "7", "local", w.local, "remote", w.remote, "dstport", "4789").CombinedOutput(); err != nil {
			t.Skipf("needs VXLAN devices: %v: %s", err, out)
		}
		porttest.IP(t, "-n", w.host, "address", "flush", "dev", "h0", "scope", "global")
		porttest.IP(t, "-n", w.host, "address", "add", w.local+"/24", "dev", "h0")
		porttest.IP(t, "-n", w.host, "neigh", "replace", w.remote, "lladdr", mac(hostMAC), "dev", "h0")
		porttest.IP(t, "-n", w.host, "address", "add", w.inside, "dev", "tn")
		porttest.IP(t, "-n", w.host, "link", "set", "dev", "tn", "up")
	}
	a, b := openPort(t, near.config()), openPort(t, far.config())
	cut := make(chan int, 2)
	for _, p := range [][2]*Port{{a, b}, {b, a}} {
		go func() { cut <- pump(p[0], p[1]) }()
	}
	l := porttest.Inside(t, far.host, func() (net.Listener, error) { return net.Listen("tcp", "203.0.113.2:7000") })
	defer l.Close()
	l.(*net.TCPListener).SetDeadline(time.Now().Add(porttest.Patience))
	c := porttest.Inside(t, near.host, func() (net.Conn, error) {
		return net.DialTimeout("tcp", "203.0.113.2:7000", porttest.Patience)
	})
	defer c.Close()
	c.SetDeadline(time.Now().Add(porttest.Patience))
	r, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.SetDeadline(time.Now().Add(porttest.Patience))
	data := []byte(strings.Repeat("through the tunnel ", 200000))
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(data)
		sent <- errors.Join(err, c.(*net.TCPConn).CloseWrite())
	}()
	got, err := io.ReadAll(r)
	if err := errors.Join(err, <-sent); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes of %d arrived: %v", len(got), len(data), err)
	}
	a.Close()
	b.Close()
	if n := <-cut + <-cut; n == 0 {
		t.Error("no super-packet came through the tunnel: the test shows nothing")
	}
}

// pump carries whatever comes by one port to the other, until it is closed,
// and gives how many frames came that a super-packet was cut into.
func pump(from, to *Port) (cut int) {
	fs := porttest.Buffers(64)
	out := make([]*port.Frame, 0, len(fs))
	for {
		held := from.queues[0].held.any()
		n, err := from.Queues()[0].Read(fs)
		if err != nil {
			return cut
		}
		out = out[:0]
		for i := range fs[:n] {
			out = append(out, &fs[i])
		}
		if held || from.queues[0].held.any() {
			cut += n
		}
		to.Queues()[0].Write(out)
	}
}
