package dataplane

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"routerd/dataplane/port"
	"routerd/dataplane/port/memory"
	"routerd/internal/packet"
	"routerd/internal/verdict"
)

// stream makes count packets of one TCP flow (or UDP) with size bytes of
// payload each, the last with tail, as a sender without offloads would.
func stream(t rapid.TB, proto uint8, v6 bool, count, size, tail int) [][]byte {
	var list [][]byte
	rng := rand.New(rand.NewPCG(1, uint64(size)))
	seq := uint32(0xffff_f000) // wraps on the way
	for i := range count {
		n := size
		if i == count-1 {
			n = tail
		}
		p := udp4("10.0.2.2")
		header := 28
		if v6 {
			p, header = udp6("2001:db8:2::2"), 48
		}
		if p.Proto = proto; proto == packet.ProtoTCP {
			header += 12
		}
		p.Size = header + n
		b := build(t, p)
		if !v6 {
			b = edit4(b, func(ip packet.IPv4) { ip.SetID(uint16(100 + i)) })
		}
		body := b[header:]
		for j := range body {
			body[j] = byte(rng.Uint32())
		}
		if proto == packet.ProtoTCP {
			seg := packet.TCP(b[header-20:])
			seg.SetSeq(seq)
			seg.SetFlags(packet.TCPAck)
			if i == count-1 {
				seg.SetFlags(packet.TCPAck | packet.TCPPsh)
			}
			seq += uint32(n)
		}
		list = append(list, complete(b))
	}
	return list
}

// complete fills in the transport checksum by a full count.
func complete(b []byte) []byte {
	l4, at, proto := 20, 6, b[9]
	if b[0]>>4 == 6 {
		l4, proto = 40, b[6]
	}
	if proto == packet.ProtoTCP {
		at = 16
	}
	seg := b[l4:]
	binary.BigEndian.PutUint16(seg[at:], 0)
	sum := packet.PseudoHeaderSum4(b[12:16], b[16:20], proto, len(seg))
	if l4 == 40 {
		sum = packet.PseudoHeaderSum6(b[8:24], b[24:40], proto, len(seg))
	}
	c := ^packet.Sum(seg, sum)
	if c == 0 && at == 6 {
		c = 0xffff
	}
	binary.BigEndian.PutUint16(seg[at:], c)
	return b
}

// hops gives the packets with one hop taken off, as they should leave.
func hops(list [][]byte) [][]byte {
	var out [][]byte
	for _, b := range list {
		b = slices.Clone(b)
		if b[0]>>4 == 4 {
			packet.IPv4(b).DecrementTTL()
		} else {
			b[7]--
		}
		out = append(out, b)
	}
	return out
}

func raws(list [][]byte) []memory.Packet {
	var out []memory.Packet
	for _, b := range list {
		out = append(out, raw(b))
	}
	return out
}

// unpack segments a super-packet as the kernel does, by a naive count of its
// own, so that what coalesce makes can be compared with what came in.
func unpack(t rapid.TB, p memory.Packet) [][]byte {
	if p.Offload.GSO == port.GSONone {
		return [][]byte{p.Data}
	}
	off, ip := p.Offload, p.Data
	header, size := int(off.HeaderLength), int(off.SegmentSize)
	l4 := int(off.ChecksumStart)
	proto := ip[9]
	if ip[0]>>4 == 6 {
		proto = ip[6]
	}
	partial := packet.PseudoHeaderSum4(ip[12:16], ip[16:20], proto, len(ip)-l4)
	if ip[0]>>4 == 6 {
		partial = packet.PseudoHeaderSum6(ip[8:24], ip[24:40], proto, len(ip)-l4)
	}
	if got := binary.BigEndian.Uint16(ip[l4+int(off.ChecksumOffset):]); !off.NeedsChecksum || got != partial {
		t.Errorf("partial checksum %04x (needs %v), want the pseudo-header's sum %04x", got, off.NeedsChecksum, partial)
	}
	if ip[0]>>4 == 4 && (!packet.IPv4(ip).HeaderChecksumOK() || packet.IPv4(ip).TotalLen() != len(ip)) {
		t.Errorf("unsound IPv4 header in front of %d bytes: %x", len(ip), ip[:20])
	}
	var out [][]byte
	for i, body := 0, ip[header:]; len(body) > 0; i++ {
		part := body[:min(size, len(body))]
		body = body[len(part):]
		b := slices.Concat(ip[:header], part)
		if b[0]>>4 == 4 {
			v4 := packet.IPv4(b)
			v4.SetTotalLen(len(b))
			v4.SetID(v4.ID() + uint16(i))
			v4.FillChecksum()
		} else {
			packet.IPv6(b).SetPayloadLen(len(b) - 40)
		}
		if proto == packet.ProtoTCP {
			seg := packet.TCP(b[l4:])
			seg.SetSeq(seg.Seq() + uint32(i*size))
			if len(body) > 0 {
				seg.SetFlags(seg.Flags() &^ (packet.TCPPsh | packet.TCPFin))
			}
		} else {
			packet.UDP(b[l4:]).SetLength(len(b) - l4)
		}
		out = append(out, complete(b))
	}
	return out
}

func unpackAll(t rapid.TB, sent []memory.Packet) [][]byte {
	var out [][]byte
	for _, p := range sent {
		out = append(out, unpack(t, p)...)
	}
	return out
}

func TestCoalescedPacketsComeApartAsTheyCame(t *testing.T) {
	for _, tt := range []struct {
		name        string
		proto       uint8
		v6          bool
		count, size int
		tail        int
		supers      int
	}{
		{"UDP", packet.ProtoUDP, false, 10, 64, 64, 1},
		{"UDP with a short end", packet.ProtoUDP, false, 10, 64, 10, 1},
		{"UDP over IPv6", packet.ProtoUDP, true, 10, 64, 63, 1},
		{"TCP", packet.ProtoTCP, false, 10, 1300, 1300, 1},
		{"TCP over IPv6 with a short end", packet.ProtoTCP, true, 10, 1300, 7, 1},
		{"more than one super-packet takes", packet.ProtoUDP, false, 100, 8, 8, 2},
		{"more than 64 KiB", packet.ProtoTCP, false, 60, 1350, 1350, 2},
		{"one alone", packet.ProtoUDP, false, 1, 64, 64, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNetwork(t)
			in := stream(t, tt.proto, tt.v6, tt.count, tt.size, tt.tail)
			b := n.run(t, lan0, raws(in)...)
			sent := n.ports[lan1].Take()
			supers := 0
			for _, p := range sent {
				if p.Offload.GSO != port.GSONone {
					supers++
				}
			}
			if supers != tt.supers {
				t.Errorf("%d super-packets among %d, want %d", supers, len(sent), tt.supers)
			}
			equalPackets(t, unpackAll(t, sent), hops(in))
			for i, p := range b.Packets() {
				if p.Verdict != verdict.Forwarded {
					t.Errorf("packet %d ended as %s", i, p.Verdict)
				}
			}
			if got := b.counters.Sent(lan1); int(got.Supers) != tt.supers || int(got.Packets) != tt.count {
				t.Errorf("counted %d super-packets and %d packets, want %d and %d", got.Supers, got.Packets, tt.supers, tt.count)
			}
		})
	}
}

func equalPackets(t rapid.TB, got, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d packets came out, want %d", len(got), len(want))
	}
	for i := range got {
		if !bytes.Equal(got[i], want[i]) {
			t.Errorf("packet %d\n%x, want\n%x", i, got[i], want[i])
		}
	}
}

// What one header differs in must keep packets apart.
func TestNotCoalesced(t *testing.T) {
	for _, tt := range []struct {
		name  string
		proto uint8
		edit  func(second []byte)
	}{
		{"another TOS", packet.ProtoUDP, func(b []byte) { b[1] = 4 }},
		{"another TTL", packet.ProtoUDP, func(b []byte) { b[8] = 9 }},
		{"another port", packet.ProtoUDP, func(b []byte) { b[23]++ }},
		{"identification out of step without DF", packet.ProtoUDP, func(b []byte) { b[5] += 9 }},
		{"a gap in the sequence", packet.ProtoTCP, func(b []byte) { b[27]++ }},
		{"another acknowledgement", packet.ProtoTCP, func(b []byte) { b[31]++ }},
		{"another window", packet.ProtoTCP, func(b []byte) { b[35]++ }},
		{"FIN", packet.ProtoTCP, func(b []byte) { b[33] |= packet.TCPFin }},
		{"SYN", packet.ProtoTCP, func(b []byte) { b[33] |= packet.TCPSyn }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNetwork(t)
			in := stream(t, tt.proto, false, 2, 64, 64)
			tt.edit(in[1])
			packet.IPv4(in[1]).FillChecksum()
			complete(in[1])
			n.run(t, lan0, raws(in)...)
			sent := n.ports[lan1].Take()
			if len(sent) != 2 {
				t.Errorf("%d packets left, want both apart", len(sent))
			}
		})
	}
	t.Run("a wrong checksum is neither hidden nor spread", func(t *testing.T) {
		for bad := range 2 {
			n := newNetwork(t)
			in := stream(t, packet.ProtoUDP, false, 2, 64, 64)
			in[bad][30] ^= 1
			n.run(t, lan0, raws(in)...)
			equalPackets(t, unpackAll(t, n.ports[lan1].Take()), hops(in))
		}
	})
	t.Run("a UDP checksum of zero stays zero", func(t *testing.T) {
		n := newNetwork(t)
		in := stream(t, packet.ProtoUDP, false, 2, 64, 64)
		for _, b := range in {
			b[26], b[27] = 0, 0
		}
		n.run(t, lan0, raws(in)...)
		equalPackets(t, unpackAll(t, n.ports[lan1].Take()), hops(in))
	})
}

// Any mixture of flows, in any order, comes out with every flow's packets as
// they came in and in their order.
func TestCoalesceProperty(t *testing.T) {
	n := newNetwork(t)
	b := NewBatch(BatchSize, &Counters{}, nil)
	rapid.Check(t, func(rt *rapid.T) {
		var flows [][][]byte
		for i := range rapid.IntRange(1, 5).Draw(rt, "flows") {
			proto := rapid.SampledFrom([]uint8{packet.ProtoTCP, packet.ProtoUDP}).Draw(rt, "proto")
			size := rapid.IntRange(1, 200).Draw(rt, "size")
			f := stream(rt, proto, rapid.Bool().Draw(rt, "v6"), rapid.IntRange(1, 12).Draw(rt, "count"), size, rapid.IntRange(1, size).Draw(rt, "tail"))
			for _, p := range f {
				l4 := 20
				if p[0]>>4 == 6 {
					l4 = 40
				}
				p[l4+1] = byte(i) // tells the flows apart
				complete(p)
			}
			flows = append(flows, f)
		}
		var in []memory.Packet
		var want [][][]byte
		for _, f := range flows {
			want = append(want, hops(f))
		}
		for left := true; left; {
			left = false
			i := rapid.IntRange(0, len(flows)-1).Draw(rt, "next")
			for k := range flows {
				j := (i + k) % len(flows)
				if len(flows[j]) > 0 {
					in, flows[j] = append(in, raw(flows[j][0])), flows[j][1:]
					left = true
					break
				}
			}
		}
		fill(b, lan0, in...)
		Process(n.view, b, testNow)
		b.Transmit(testNow)
		got := make([][][]byte, len(flows))
		for _, p := range unpackAll(rt, n.ports[lan1].Take()) {
			l4 := 20
			if p[0]>>4 == 6 {
				l4 = 40
			}
			got[p[l4+1]] = append(got[p[l4+1]], p)
		}
		for i := range want {
			equalPackets(rt, got[i], want[i])
		}
	})
}

// super makes the super-packet that a sender with offloads would hand over.
func super(t rapid.TB, proto uint8, v6 bool, count, size, tail int) (memory.Packet, [][]byte) {
	list := stream(t, proto, v6, count, size, tail)
	l4, gso, at := 20, port.GSOTCPv4, 16
	if v6 {
		l4, gso = 40, port.GSOTCPv6
	}
	header := l4 + 20
	if proto == packet.ProtoUDP {
		header, gso, at = l4+8, port.GSOUDPL4, 6
	}
	data := slices.Clone(list[0])
	for _, b := range list[1:] {
		data = append(data, b[header:]...)
	}
	if v6 {
		packet.IPv6(data).SetPayloadLen(len(data) - 40)
	} else {
		packet.IPv4(data).SetTotalLen(len(data))
		packet.IPv4(data).FillChecksum()
	}
	sum := packet.PseudoHeaderSum4(data[12:16], data[16:20], proto, len(data)-l4)
	if v6 {
		sum = packet.PseudoHeaderSum6(data[8:24], data[24:40], proto, len(data)-l4)
	}
	if proto == packet.ProtoUDP {
		packet.UDP(data[l4:]).SetLength(len(data) - l4)
	} else if count > 0 {
		packet.TCP(data[l4:]).SetFlags(packet.TCPAck | packet.TCPPsh)
	}
	binary.BigEndian.PutUint16(data[l4+at:], sum)
	return memory.Packet{Data: data, Offload: port.Offload{
		NeedsChecksum: true, GSO: gso, HeaderLength: uint16(header), SegmentSize: uint16(size),
		ChecksumStart: uint16(l4), ChecksumOffset: uint16(at),
	}}, list
}

func TestSuperPackets(t *testing.T) {
	for _, tt := range []struct {
		name     string
		proto    uint8
		v6       bool
		size     int
		out      string
		want     verdict.Verdict
		whole    bool // leaves as it came
		dontFrag bool
	}{
		{"longer than the MTU, its segments are not", packet.ProtoTCP, false, 1300, "lan1", verdict.Forwarded, true, true},
		{"UDP whole", packet.ProtoUDP, false, 1300, "lan1", verdict.Forwarded, true, false},
		{"IPv6 whole", packet.ProtoTCP, true, 1300, "lan1", verdict.Forwarded, true, false},
		{"segments too big with DF", packet.ProtoTCP, false, 1400, "lan1", verdict.TooBig, false, true},
		{"IPv6 segments too big", packet.ProtoTCP, true, 1400, "lan1", verdict.TooBig, false, false},
		{"IPv6 UDP segments too big", packet.ProtoUDP, true, 1400, "lan1", verdict.TooBig, false, false},
		{"TCP to a port without offloads", packet.ProtoTCP, false, 1300, "bare0", verdict.Forwarded, false, true},
		{"IPv6 TCP to a port without offloads", packet.ProtoTCP, true, 1300, "bare0", verdict.Forwarded, false, false},
		{"UDP to a port without offloads", packet.ProtoUDP, false, 700, "bare0", verdict.Forwarded, false, false},
		{"IPv6 UDP to a port without offloads", packet.ProtoUDP, true, 700, "bare0", verdict.Forwarded, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNetwork(t)
			out := n.ports[lan1]
			in, list := super(t, tt.proto, tt.v6, 5, tt.size, 9)
			if tt.out == "bare0" {
				out = n.ports[bare0]
				in, list = readdress(in, list)
			}
			if tt.dontFrag {
				for _, b := range append([][]byte{in.Data}, list...) {
					packet.IPv4(b).SetFragment(true, false, 0)
					packet.IPv4(b).FillChecksum()
				}
			}
			b := n.run(t, lan0, in)
			if got := b.Packets()[0].Verdict; got != tt.want {
				t.Fatalf("verdict %s, want %s", got, tt.want)
			}
			sent := out.Take()
			if tt.want != verdict.Forwarded {
				return
			}
			if tt.whole != (len(sent) == 1) {
				t.Errorf("left in %d pieces", len(sent))
			}
			if !tt.whole {
				equalPackets(t, unpackAll(t, sent), hops(list))
			} else if off := sent[0].Offload; off != in.Offload {
				t.Errorf("offload %+v, want it as it came %+v", off, in.Offload)
			}
		})
	}
}

// readdress sends the packets to bare0's subnet instead.
func readdress(in memory.Packet, list [][]byte) (memory.Packet, [][]byte) {
	for _, b := range append([][]byte{in.Data}, list...) {
		if b[0]>>4 == 4 {
			b[18] = 4
			packet.IPv4(b).FillChecksum()
		} else {
			b[24+5] = 4
		}
	}
	for _, b := range list {
		complete(b)
	}
	return in, list
}

func TestSuperPacketIsSegmentedThenFragmented(t *testing.T) {
	n := newNetwork(t)
	in, list := super(t, packet.ProtoUDP, false, 3, 1390, 1390) // 1418-byte segments, MTU 1400, no DF
	n.run(t, lan0, in)
	sent := n.ports[lan1].Take()
	if len(sent) != 6 {
		t.Fatalf("left in %d pieces, want two fragments of each of three segments", len(sent))
	}
	for i := range list {
		if got := fragmentsOf(t, 1400, sent[2*i:2*i+2]); !bytes.Equal(got, list[i][20:]) {
			t.Errorf("segment %d joins to %x, want %x", i, got, list[i][20:])
		}
	}
}

func TestPartialChecksumIsCompleted(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		n := newNetwork(t)
		in, list := super(t, packet.ProtoUDP, v6, 1, 100, 100)
		in, list = readdress(in, list)
		in.Offload.GSO, in.Offload.SegmentSize = port.GSONone, 0
		if v6 {
			// readdress has changed the address below the partial sum
			binary.BigEndian.PutUint16(in.Data[46:], packet.PseudoHeaderSum6(in.Data[8:24], in.Data[24:40], packet.ProtoUDP, len(in.Data)-40))
		} else {
			binary.BigEndian.PutUint16(in.Data[26:], packet.PseudoHeaderSum4(in.Data[12:16], in.Data[16:20], packet.ProtoUDP, len(in.Data)-20))
		}
		n.run(t, lan0, in)
		equalPackets(t, unpackAll(t, n.ports[bare0].Take()), hops(list))
	}
}

func TestErrorAboutASuperPacket(t *testing.T) {
	n := newNetwork(t)
	in, _ := super(t, packet.ProtoTCP, false, 5, 1300, 9)
	in.Data[8] = 1
	packet.IPv4(in.Data).FillChecksum()
	n.run(t, lan0, in)
	sent := n.ports[lan0].Take()
	if len(sent) != 1 || len(sent[0].Data) > 576 {
		t.Fatalf("sent %d packets, want one error of at most 576 bytes (RFC 1812 §4.3.2.3)", len(sent))
	}
}

// What the device says of a packet is believed only where the headers agree.
func TestOffloadsThatContradictTheHeaders(t *testing.T) {
	tcp, _ := super(t, packet.ProtoTCP, false, 3, 100, 100)
	udp, _ := super(t, packet.ProtoUDP, true, 3, 100, 100)
	for _, tt := range []struct {
		name string
		in   memory.Packet
		edit func(*port.Offload)
		want verdict.Verdict
	}{
		{"sound TCP", tcp, func(*port.Offload) {}, verdict.Forwarded},
		{"sound UDP", udp, func(*port.Offload) {}, verdict.Forwarded},
		{"a checksum inside the IP header", tcp, func(o *port.Offload) { o.ChecksumStart = 2 }, verdict.BadOffload},
		{"a checksum beyond the end", tcp, func(o *port.Offload) { o.ChecksumOffset = 60000 }, verdict.BadOffload},
		{"segments of no size", tcp, func(o *port.Offload) { o.SegmentSize = 0 }, verdict.BadOffload},
		{"UDP segments of TCP", tcp, func(o *port.Offload) { o.GSO = port.GSOUDPL4 }, verdict.BadOffload},
		{"IPv6 segments of IPv4", tcp, func(o *port.Offload) { o.GSO = port.GSOTCPv6 }, verdict.BadOffload},
		{"TCP segments of UDP", udp, func(o *port.Offload) { o.GSO = port.GSOTCPv6 }, verdict.BadOffload},
		{"an unknown kind of segments", udp, func(o *port.Offload) { o.GSO = 3 }, verdict.BadOffload},
		{"segments with whole checksums", udp, func(o *port.Offload) { o.NeedsChecksum = false }, verdict.BadOffload},
		{"a partial checksum of an inner header", udp, func(o *port.Offload) { *o = port.Offload{NeedsChecksum: true, ChecksumStart: 60, ChecksumOffset: 16} }, verdict.Forwarded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNetwork(t)
			tt.edit(&tt.in.Offload)
			if got := n.run(t, lan0, tt.in).Packets()[0].Verdict; got != tt.want {
				t.Errorf("verdict %s, want %s", got, tt.want)
			}
		})
	}
}
