package offload

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"routerd/arp"
	"routerd/dataplane"
	"routerd/dataplane/port"
	"routerd/dataplane/port/packet"
	"routerd/dataplane/port/porttest"
	"routerd/internal/corpus"
	pkt "routerd/internal/packet"
	"routerd/internal/verdict"
)

// pass sends the frame of h0's twice: once without an entry, so that the router's
// socket gets it and the stages decide, and once with an entry that says what
// they decided, or, of a packet that they do not forward because of its headers,
// that it goes on. Then exactly one of the socket and h1 has it: h1 what the
// stages would have sent, bit for bit, if it is a plain packet; else the socket
// what came in.
func (s *site) pass(t rapid.TB, v *dataplane.View, h0, h1 *packet.Port, sent frame) (carried bool) {
	t.Helper()
	if !sends(h0, sent) && sent.offload != (port.Offload{}) {
		return false // the sender's kernel does not take a super-packet of such headers
	}
	in, missed := either(t, s.r0, h1)
	if !missed {
		t.Fatalf("without an entry it is carried: % x", in.data)
	}
	out, fate := stages(t, v, lan0, in)
	if fate != verdict.Forwarded {
		if !byHeader[fate] {
			return false // of these packets, whatever their headers, there is never an entry
		}
		out = in
	}
	k, d, ok := s.decided(in, out)
	if !ok || k.Src.Addr().Is4() != d.Src.Addr().Is4() {
		return false
	}
	f, err := s.cache.Put(k, d, s.cache.Ref(0))
	if err != nil {
		t.Fatalf("%v: %v", k, err)
	}
	s.ready(f)
	send(t, h0, sent)
	got, missed := either(t, s.r0, h1)
	counted := s.cache.Counters(f)
	if err := s.cache.Remove(f); err != nil {
		t.Fatalf("%v", err)
	}
	if in.offload.GSO == port.GSONone {
		out.offload.HeaderLength = 0 // a hint that the kernel gives with super-packets alone
	}
	switch want := isPlain(in, s.mtu); {
	case want && fate != verdict.Forwarded:
		t.Fatalf("a plain packet has the verdict %v: % x", fate, in.data)
	case missed == want:
		t.Fatalf("plain %v, carried %v (%v): %+v\n% x", want, !missed, fate, in.offload, in.data)
	case missed && (!bytes.Equal(got.data, in.data) || got.offload != in.offload):
		t.Fatalf("the socket has\n%+v % x, want\n%+v % x", got.offload, got.data, in.offload, in.data)
	case !missed && (!bytes.Equal(got.data, out.data) || got.offload != out.offload):
		t.Fatalf("h1 has\n%+v % x, the stages say\n%+v % x", got.offload, got.data, out.offload, out.data)
	}
	wanted := Counters{Last: counted.Last}
	if !missed {
		wanted.Frames, wanted.Packets, wanted.Bytes = 1, 1, uint64(len(out.data))
		if n := in.offload.SegmentSize; n > 0 {
			payload := len(in.data) - int(in.offload.ChecksumStart) - pkt.TCP(in.data[in.offload.ChecksumStart:]).HeaderLen()
			wanted.Packets, wanted.Supers = uint64((payload+int(n)-1)/int(n)), 1
		}
	}
	if counted != wanted || (counted.Last != 0) == missed {
		t.Fatalf("counted %+v, want %+v", counted, wanted)
	}
	return !missed
}

// byHeader are verdicts on what is in the headers, apart from addresses and
// ports.
var byHeader = map[verdict.Verdict]bool{
	verdict.None: true, verdict.Truncated: true, verdict.BadVersion: true, verdict.BadHeaderLength: true, verdict.BadTotalLength: true,
	verdict.BadHeaderChecksum: true, verdict.BadOption: true, verdict.HopLimit: true, verdict.TooBig: true, verdict.OtherStation: true,
	verdict.BadExtensionHeader: true, verdict.NATBadPacket: true, verdict.NATInvalidState: true, verdict.BadOffload: true,
}

// isPlain is which packets the cache may carry, written down once more, without
// haste.
func isPlain(f frame, mtu int) bool {
	if arp.MAC(f.data[:6]) != macR0 || len(f.data) < 14+20 {
		return false
	}
	raw, ethertype := f.data[14:], int(f.data[12])<<8|int(f.data[13])
	var total, header, hops int
	var proto uint8
	switch {
	case ethertype == unix.ETH_P_IP:
		ip := pkt.IPv4(raw)
		if !ip.Valid() || ip.HeaderLen() != 20 || ip.IsFragment() || !ip.HeaderChecksumOK() {
			return false
		}
		total, header, hops, proto = ip.TotalLen(), 20, int(ip.TTL()), ip.Protocol()
	case ethertype == unix.ETH_P_IPV6 && len(raw) >= 40 && raw[0]>>4 == 6:
		ip := pkt.IPv6(raw)
		total, header, hops, proto = ip.TotalLen(), 40, int(ip.HopLimit()), ip.NextHeader()
	default:
		return false
	}
	if total > len(raw) || hops <= 1 || f.offload.GSO != port.GSONone && total != len(raw) {
		return false
	}
	upper := raw[header:total]
	switch proto {
	case pkt.ProtoUDP:
		u := pkt.UDP(upper)
		return f.offload.GSO == port.GSONone && u.Valid() && u.Length() >= 8 && u.Length() <= len(upper) && total <= mtu
	case pkt.ProtoTCP:
		seg := pkt.TCP(upper)
		if !seg.Valid() || seg.Flags()&(pkt.TCPSyn|pkt.TCPFin|pkt.TCPRst|pkt.TCPAck) != pkt.TCPAck {
			return false
		}
		if f.offload.GSO != port.GSONone {
			return min(total, header+seg.HeaderLen()+int(f.offload.SegmentSize)) <= mtu
		}
		return total <= mtu
	}
	return false
}

// jumbo lets packets in that are too big for r1.
func (s *site) jumbo(t testing.TB) {
	porttest.IP(t, "-n", s.router, "link", "set", "dev", "r0", "mtu", "9000")
	porttest.IP(t, "-n", s.near, "link", "set", "dev", "h0", "mtu", "9000")
}

// Captured packets, as they are and with the hop limit that those of one link
// lack.
func TestCorporaPass(t *testing.T) {
	s := newSite(t)
	s.jumbo(t)
	h0, h1 := s.hosts(t)
	v := s.view(t, false)
	var list [][]byte
	for _, name := range []string{"ipv4-fragments", "ipv4-malformed", "ipv4-options", "ipv6-exthdr", "ipv6-malformed"} {
		list = append(list, corpus.Hex(t, name)...)
	}
	list = append(list, corpus.Packets(t)...)
	sent, carried := 0, 0
	for _, b := range list {
		if len(b) == 0 || len(b) > 8000 || b[0]>>4 != 4 && b[0]>>4 != 6 {
			continue
		}
		ethertype := uint16(unix.ETH_P_IP)
		if b[0]>>4 == 6 {
			ethertype = unix.ETH_P_IPV6
		}
		for _, raised := range []bool{false, true} {
			if ip := pkt.IPv4(b); raised && ip.Valid() && ip.HeaderChecksumOK() {
				ip.SetTTL(64)
				ip.FillChecksum()
			} else if raised && b[0]>>4 == 6 && len(b) > 7 {
				b[7] = 64
			}
			sent++
			if s.pass(t, v, h0, h1, frame{data: append(porttest.Ethernet(macR0, macH0, ethertype), b...)}) {
				carried++
			}
			if len(s.cache.ended) > 900 {
				s.reap(t)
			}
		}
	}
	t.Logf("%d packets, %d carried", sent, carried)
	if carried < 100 {
		t.Errorf("of %d packets %d were carried: too few to compare", sent, carried)
	}
}

// reap frees what was removed.
func (s *site) reap(t rapid.TB) {
	t.Helper()
	if err := s.cache.Reap(func(Flow, Key, Counters) {}); err != nil {
		t.Fatalf("%v", err)
	}
}

// Packets of every kind of header, whole and with one thing changed.
func TestPacketsPass(t *testing.T) {
	for _, translated := range []bool{false, true} {
		t.Run(fmt.Sprintf("translated %v", translated), func(t *testing.T) {
			s := newSite(t)
			s.jumbo(t)
			h0, h1 := s.hosts(t)
			v := s.view(t, translated)
			drawn, carried, supers, partial := 0, 0, 0, 0
			rapid.Check(t, func(t *rapid.T) {
				drawn++
				f := draw(t)
				if s.pass(t, v, h0, h1, f) {
					carried++
					if f.offload.GSO != port.GSONone {
						supers++
					} else if f.offload.NeedsChecksum {
						partial++
					}
				}
				if len(s.cache.ended) > 900 {
					s.reap(t)
				}
			})
			if drawn >= 100 && (carried == 0 || supers == 0 || partial == 0) {
				t.Errorf("%d carried, %d of them super-packets, %d with partial checksums: want some of each", carried, supers, partial)
			}
		})
	}
}

// draw makes a packet of h0's, of which one thing may be unusual.
func draw(t *rapid.T) frame {
	p := dataplane.Probe{
		Src: netip.MustParseAddr("198.18.0.2"), Dst: netip.MustParseAddr("203.0.113.9"),
		Proto:   rapid.SampledFrom([]uint8{pkt.ProtoTCP, pkt.ProtoUDP}).Draw(t, "proto"),
		SrcPort: rapid.Uint16().Draw(t, "src"), DstPort: rapid.Uint16().Draw(t, "dst"),
		DontFragment: true,
	}
	at, ethertype, six := 20, uint16(unix.ETH_P_IP), rapid.Bool().Draw(t, "six")
	if six {
		p.Src, p.Dst, at, ethertype = netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("2001:db8:9::9"), 40, unix.ETH_P_IPV6
	}
	header := 8
	if p.Proto == pkt.ProtoTCP {
		header = 20
	}
	segment := rapid.SampledFrom([]int{0, 0, 0, 100, 1400, 1440, 1460}).Draw(t, "segment")
	p.Size = at + header + rapid.SampledFrom([]int{0, 1, 2, 5, 6, 46, 100, 1440, 1452, 1472, 1473, 3000}).Draw(t, "payload")
	if segment > 0 {
		p.Size = at + header + segment*rapid.IntRange(1, 20).Draw(t, "segments") + rapid.IntRange(0, segment-1).Draw(t, "rest")
	}
	b, err := p.Build()
	if err != nil {
		t.Fatalf("%v", err)
	}
	for i := at + header; i < len(b); i++ {
		b[i] = byte(i * 7)
	}
	f := frame{}
	sum := at + 6
	if p.Proto == pkt.ProtoTCP {
		sum = at + 16
		pkt.TCP(b[at:]).SetFlags(pkt.TCPAck)
	}
	pseudo := pkt.PseudoHeaderSum(b, p.Proto, len(b)-at)
	b[sum], b[sum+1] = 0, 0
	whole := ^pkt.Sum(b[at:], pseudo)
	if segment > 0 || rapid.Bool().Draw(t, "partial") {
		whole = pseudo
		f.offload = port.Offload{NeedsChecksum: true, ChecksumStart: uint16(14 + at), ChecksumOffset: uint16(sum - at)}
	}
	b[sum], b[sum+1] = byte(whole>>8), byte(whole)
	if segment > 0 {
		f.offload.SegmentSize, f.offload.HeaderLength = uint16(segment), uint16(14+at+header)
		f.offload.GSO = port.GSOUDPL4
		if p.Proto == pkt.ProtoTCP {
			f.offload.GSO = map[bool]port.GSOType{false: port.GSOTCPv4, true: port.GSOTCPv6}[six]
		}
	}
	f.data = append(porttest.Ethernet(macR0, macH0, ethertype), b...)
	unusual(t, &f, at, six)
	return f
}

// unusual changes one thing of the frame, or nothing.
func unusual(t *rapid.T, f *frame, at int, six bool) {
	b, right := f.data[14:], true // the IPv4 checksum is to be right
	upper := b[at:]
	switch rapid.SampledFrom([]string{"", "", "", "hops", "tos", "upper", "length", "fragment", "options", "sum", "no sum", "padding", "station", "version"}).Draw(t, "unusual") {
	case "hops":
		b[map[bool]int{false: 8, true: 7}[six]] = rapid.SampledFrom([]byte{0, 1, 2, 255}).Draw(t, "hops")
	case "tos":
		b[1] = rapid.Byte().Draw(t, "tos")
	case "upper": // flags, lengths, ports
		upper[rapid.IntRange(0, min(len(upper), 14)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
	case "length":
		b[map[bool]int{false: 3, true: 5}[six]] += rapid.SampledFrom([]byte{1, 0xff, 0xf0, 0x80}).Draw(t, "by")
	case "fragment":
		if !six {
			b[6], b[7] = rapid.SampledFrom([]byte{0, 0x20, 0x40, 0x80, 0x1f}).Draw(t, "flags"), rapid.SampledFrom([]byte{0, 0, 1}).Draw(t, "offset")
		}
	case "options":
		if !six {
			b[0] = 0x40 | rapid.ByteRange(0, 15).Draw(t, "words")
		}
	case "sum":
		right = false
		b[10] ^= 1
	case "no sum":
		if len(upper) > 7 && b[9] == pkt.ProtoUDP && !six && !f.offload.NeedsChecksum {
			upper[6], upper[7] = 0, 0
		}
	case "padding":
		f.data = append(f.data, make([]byte, rapid.IntRange(1, 46).Draw(t, "padding"))...)
	case "station":
		f.data[rapid.IntRange(0, 5).Draw(t, "at")] ^= 2
	case "version":
		b[0] ^= 0x20
	}
	if !six && right {
		pkt.IPv4(b[:20]).SetChecksum(0)
		pkt.IPv4(b[:20]).SetChecksum(pkt.Checksum(b[:20]))
	}
}
