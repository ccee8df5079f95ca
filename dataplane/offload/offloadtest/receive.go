package offloadtest

import (
	"encoding/binary"
	"net/netip"

	"routerd/dataplane/offload"
	"routerd/dataplane/port"
	"routerd/dataplane/port/memory"
)

// What of the headers counts here.
const (
	linkHeader = 14
	etherIPv4  = 0x0800
	etherIPv6  = 0x86dd
	protoTCP   = 6
	protoUDP   = 17

	flagFIN, flagSYN, flagRST, flagACK = 1, 2, 4, 16
)

// Egress is how a frame leaves: by a device's queue, or to its other end.
type Egress struct {
	Device int
	Peer   bool
}

// parsed is a packet as the kernel's side reads it.
type parsed struct {
	six       bool
	upper     int // offset of the transport header in the frame
	length    int // of the frame without padding
	pieces    int // packets that a super-packet carries, 0 for one that is none
	wire      int // the longest packet that it becomes on a wire
	proto     uint8
	src, dst  netip.AddrPort
	frame     []byte
	saysSum   bool // a transport checksum is there
	isPartial bool // and holds the sum of the pseudo-header, no more
}

// Receive is what becomes of a frame that comes in by the device: it is carried,
// and leaves as out, or the device's socket gets it. The bytes of out are the
// caller's.
func (k *Kernel) Receive(device int, in memory.Packet) (out memory.Packet, by Egress, carried bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p, plain := parse(in)
	f, found := k.flows[offload.Key{Ingress: device, Proto: p.proto, Src: p.src, Dst: p.dst}]
	w := k.way(device)
	if !found || !k.carries(&k.slots[f], &p, plain, w) {
		w.passed++
		if found {
			k.slots[f].after = w.passed // no later one may overtake it
		}
		return out, by, false
	}
	s := &k.slots[f]
	s.counters.Frames++
	s.counters.Packets += uint64(max(p.pieces, 1))
	s.counters.Bytes += uint64(p.length)
	s.counters.Last = k.clock()
	if p.pieces > 0 {
		s.counters.Supers++
	}
	return memory.Packet{Data: p.leaves(&s.decision), Offload: in.Offload}, Egress{s.decision.Egress, s.decision.Peer}, true
}

// carries reports whether a packet of the entry's flow is carried.
func (k *Kernel) carries(s *slot, p *parsed, plain bool, w *way) bool {
	return plain && [6]byte(p.frame[:6]) == s.decision.Station && p.wire <= s.decision.MTU && !s.stopped && k.stands(s) && w.finished >= s.after
}

// parse reads a frame. It is false of one that is not plain: of another network,
// damaged, with options or extension headers, in pieces, at the end of its hops,
// or one that begins or ends a connection.
func parse(in memory.Packet) (p parsed, plain bool) {
	b := in.Data
	if len(b) < linkHeader {
		return p, false
	}
	p.frame = b
	switch binary.BigEndian.Uint16(b[12:]) {
	case etherIPv4:
		plain = p.four(b[linkHeader:])
	case etherIPv6:
		plain = p.parse6(b[linkHeader:])
	}
	super := in.Offload.GSO != port.GSONone
	if !plain || p.length > len(b) || super && p.length != len(b) {
		return p, false
	}
	size := 0
	if super {
		size = int(in.Offload.SegmentSize)
	}
	p.isPartial = in.Offload.NeedsChecksum // also if it is that of a packet inside, which the programs cannot see
	switch p.proto {
	case protoTCP:
		return p, p.tcp(b[p.upper:p.length], size)
	case protoUDP:
		return p, p.udp(b[p.upper:p.length]) && size == 0
	}
	return p, false
}

// four reads an IPv4 header. A packet that is damaged in it, or would run out of
// hops, is not plain.
func (p *parsed) four(ip []byte) bool {
	if len(ip) < 20 || ip[0] != 0x45 {
		return false
	}
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum = plus(sum, uint32(binary.BigEndian.Uint16(ip[i:])))
	}
	moreOrOffset := binary.BigEndian.Uint16(ip[6:]) & 0x3fff
	if sum != 0xffff || moreOrOffset != 0 || ip[8] < 2 {
		return false
	}
	p.upper, p.length, p.proto = linkHeader+20, linkHeader+int(binary.BigEndian.Uint16(ip[2:])), ip[9]
	p.src = netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[12:])), 0)
	p.dst = netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[16:])), 0)
	return p.length >= p.upper
}

// parse6 reads an IPv6 header.
func (p *parsed) parse6(ip []byte) bool {
	if len(ip) < 40 || ip[0]>>4 != 6 || ip[7] < 2 {
		return false
	}
	p.six, p.upper, p.length, p.proto = true, linkHeader+40, linkHeader+40+int(binary.BigEndian.Uint16(ip[4:])), ip[6]
	p.src = netip.AddrPortFrom(netip.AddrFrom16([16]byte(ip[8:])), 0)
	p.dst = netip.AddrPortFrom(netip.AddrFrom16([16]byte(ip[24:])), 0)
	return true
}

// ports reads the ends, which TCP and UDP have at the same place.
func (p *parsed) ports(b []byte) {
	p.src = netip.AddrPortFrom(p.src.Addr(), binary.BigEndian.Uint16(b))
	p.dst = netip.AddrPortFrom(p.dst.Addr(), binary.BigEndian.Uint16(b[2:]))
}

// tcp reads a segment, or as many as a super-packet of such a size has.
func (p *parsed) tcp(b []byte, size int) bool {
	if len(b) < 20 {
		return false
	}
	p.ports(b)
	header := int(b[12]>>4) * 4
	if header < 20 || header > len(b) || b[13]&(flagSYN|flagFIN|flagRST|flagACK) != flagACK {
		return false
	}
	p.saysSum = true
	p.wire = p.length - linkHeader
	if size > 0 {
		for left := len(b) - header; left > 0; left -= size {
			p.pieces++
		}
		p.wire = min(p.wire, p.upper-linkHeader+header+size)
		return p.pieces > 0
	}
	return true
}

// udp reads a datagram.
func (p *parsed) udp(b []byte) bool {
	if len(b) < 8 {
		return false
	}
	if n := int(binary.BigEndian.Uint16(b[4:])); n < 8 || n > len(b) {
		return false
	}
	p.ports(b)
	p.saysSum = binary.BigEndian.Uint16(b[6:]) != 0 || p.six
	p.wire = p.length - linkHeader
	return true
}

// leaves gives the frame as it was decided to leave.
func (p *parsed) leaves(d *offload.Decision) []byte {
	out := append([]byte(nil), p.frame[:p.length]...)
	copy(out, d.To[:])
	copy(out[6:], d.From[:])
	ip, upper := out[linkHeader:], out[p.upper:]
	if p.six {
		ip[7]--
		return out
	}
	before := append([]byte(nil), out...)
	ip[8]--
	copy(ip[12:], d.Src.Addr().AsSlice())
	copy(ip[16:], d.Dst.Addr().AsSlice())
	binary.BigEndian.PutUint16(upper, d.Src.Port())
	binary.BigEndian.PutUint16(upper[2:], d.Dst.Port())
	addresses, ports := changed(before, out, linkHeader+12, linkHeader+20), changed(before, out, p.upper, p.upper+4)
	// The protocol stands beside the TTL, and does not change.
	p.update(ip[10:], plus(changed(before, out, linkHeader+8, linkHeader+10), addresses), false)
	if !p.saysSum {
		return out
	}
	sum := upper[6:]
	if p.proto == protoTCP {
		sum = upper[16:]
	}
	if p.isPartial {
		p.update(sum, addresses, true)
	} else {
		p.update(sum, plus(addresses, ports), false)
	}
	if p.proto == protoUDP && sum[0] == 0 && sum[1] == 0 {
		sum[0], sum[1] = 0xff, 0xff // RFC 768: zero would mean that there is none
	}
	return out
}

// changed is the sum of ~m + m' over the words between two offsets (RFC 1624
// §3): 0 if they are the same.
func changed(before, after []byte, from, to int) (sum uint32) {
	for i := from; i < to; i += 2 {
		m, as := binary.BigEndian.Uint16(before[i:]), binary.BigEndian.Uint16(after[i:])
		if m != as {
			sum = plus(sum, plus(uint32(^m), uint32(as)))
		}
	}
	return sum
}

// update adds to a checksum what has changed below it. A partial one is the sum
// itself, a whole one its complement.
func (p *parsed) update(at []byte, by uint32, partial bool) {
	if by == 0 {
		return
	}
	sum := uint32(binary.BigEndian.Uint16(at))
	if partial {
		sum = plus(sum, by)
	} else {
		sum = 0xffff ^ plus(0xffff^sum, by)
	}
	binary.BigEndian.PutUint16(at, uint16(sum))
}

// plus adds 16-bit words with the carry added at the end (RFC 1071 §1).
func plus(a, b uint32) uint32 {
	s := a + b
	return s>>16 + s&0xffff
}
