package dataplane

import (
	"bytes"
	"encoding/binary"

	"routerd/dataplane/port"
	"routerd/internal/packet"
	"routerd/internal/siphash"
)

// A small packet costs a system call; 64 of one flow in a super-packet cost
// little more than one. So packets of a flow that leave by the same port in the
// same batch are chained into a super-packet, without copying, if segmenting it
// gives back exactly the packets that came in: same headers and TCP options,
// all but the last of one size, sequence numbers consecutive.

const (
	flowSlots    = 16 // heads that may still grow, per egress; a power of two
	maxCoalesced = 64 // the least that any kernel takes of UDP segments
	maxSuper     = 65535
)

// burst is a super-packet in the making.
type burst struct {
	head, tail *port.Frame
	packet     *Packet // the head's
	index      int32   // of head in the egress list
	header     int     // IP and transport header together
	segment    int     // payload of every packet but the last
	total      int     // length so far
	count      int
	seq        uint32 // TCP sequence number that has to come next
	id         uint16 // IPv4 identification that came last
	verified   bool
}

// coalesce appends p to the super-packet of its flow, or starts one with it. It
// reports false, with nothing changed, if p cannot be coalesced.
func (e *egress) coalesce(p *Packet, key *siphash.Key) bool {
	header, ok := p.coalescable(e.out.Offloads)
	if !ok {
		return false
	}
	fl := &e.flows[flowHash(p, key)&(flowSlots-1)]
	if fl.head != nil && fl.takes(p, header) {
		fl.join(p)
		e.owners = append(e.owners, owner{p, fl.index})
		e.bytes += p.Frame.Len()
		e.packets++
		if fl.count == 2 {
			e.supers++
		}
		if p.closes(fl) {
			fl.seal()
		}
		return true
	}
	fl.seal()
	e.add(p, p.Frame)
	p.pieces = 1
	ip := p.ip()
	*fl = burst{
		head: p.Frame, tail: p.Frame, packet: p, index: int32(len(e.frames) - 1),
		header: header, segment: len(ip) - header, total: len(ip), count: 1,
	}
	fl.step(p)
	if p.Proto == packet.ProtoTCP && packet.TCP(ip[p.l4:]).Flags()&packet.TCPPsh != 0 {
		fl.head = nil // a PSH ends the burst
	}
	return true
}

// coalescable says whether p could be part of a super-packet for a port with
// these offloads, and how long its headers are.
func (p *Packet) coalescable(o port.Offloads) (header int, ok bool) {
	plain := packet.IPv4MinHeader
	want := port.OffloadTCP4
	if p.Family == 6 {
		plain, want = packet.IPv6Header, port.OffloadTCP6
	}
	off := &p.Frame.Offload
	if off.GSO != port.GSONone || p.Fragment || p.l4 != plain {
		return 0, false
	}
	if off.NeedsChecksum && int(off.ChecksumStart) != p.l3-p.Frame.Start+p.l4 {
		return 0, false // the partial checksum is that of an inner header, in a tunnel
	}
	ip := p.ip()
	switch p.Proto {
	case packet.ProtoTCP:
		t := packet.TCP(ip[p.l4:])
		if !o.Has(want) || !t.Valid() || t.Flags()&^packet.TCPPsh != packet.TCPAck {
			return 0, false
		}
		header = p.l4 + t.HeaderLen()
	case packet.ProtoUDP:
		u := packet.UDP(ip[p.l4:])
		// A zero checksum means that there is none (RFC 768), which a
		// super-packet cannot express.
		if !o.Has(port.OffloadUDP) || !u.Valid() || u.Checksum() == 0 || u.Length() != len(u) {
			return 0, false
		}
		header = p.l4 + packet.UDPHeader
	default:
		return 0, false
	}
	return header, len(ip) > header
}

// takes reports whether p may follow what fl holds.
func (fl *burst) takes(p *Packet, header int) bool {
	ip, first := p.ip(), fl.packet.ip()
	size := len(ip) - header
	if header != fl.header || p.Family != fl.packet.Family || p.Proto != fl.packet.Proto ||
		size > fl.segment || fl.count == maxCoalesced || fl.total+size > maxSuper {
		return false
	}
	if p.Family == 4 {
		a, b := packet.IPv4(first), packet.IPv4(ip)
		// The version, TOS, flags, TTL, protocol and addresses have to agree.
		// Segmentation numbers the pieces consecutively, so without DF the
		// identifications have to be consecutive (RFC 6864 §4.1: with DF they
		// mean nothing).
		if a.TOS() != b.TOS() || !bytes.Equal(a[6:10], b[6:10]) || !bytes.Equal(a[12:20], b[12:20]) ||
			(!b.DontFragment() && b.ID() != fl.id+1) {
			return false
		}
	} else if !bytes.Equal(first[:4], ip[:4]) || !bytes.Equal(first[6:40], ip[6:40]) {
		return false
	}
	a, b := first[p.l4:header], ip[p.l4:header]
	if p.Proto == packet.ProtoUDP {
		return bytes.Equal(a[:4], b[:4]) && fl.sound(p)
	}
	// Ports; acknowledgement and data offset; window; urgent pointer and options.
	return packet.TCP(b).Seq() == fl.seq && bytes.Equal(a[:4], b[:4]) && bytes.Equal(a[8:13], b[8:13]) &&
		bytes.Equal(a[14:16], b[14:16]) && bytes.Equal(a[18:], b[18:]) && fl.sound(p)
}

// sound verifies the checksums, which coalescing replaces.
func (fl *burst) sound(p *Packet) bool {
	if !fl.verified {
		if !fl.packet.transportSound() {
			return false
		}
		fl.verified = true
	}
	return p.transportSound()
}

// transportSound reports whether the transport checksum is right, partial, or
// was verified by the device.
func (p *Packet) transportSound() bool {
	off := &p.Frame.Offload
	if off.NeedsChecksum || off.ChecksumValid {
		return true
	}
	return packet.Sum(p.ip()[p.l4:], p.pseudoSum(len(p.ip())-p.l4)) == 0xffff
}

// pseudoSum is the sum of the pseudo-header for length bytes of transport.
func (p *Packet) pseudoSum(length int) uint16 {
	return packet.PseudoHeaderSum(p.ip(), p.Proto, length)
}

func (fl *burst) join(p *Packet) {
	f := p.Frame
	fl.step(p)
	f.Start = p.l3 + fl.header
	fl.tail.Next = f
	fl.tail = f
	fl.total += f.Len()
	fl.count++
	if p.Proto == packet.ProtoTCP {
		// If the last packet has PSH, the head gets it: segmentation puts it on
		// the last segment.
		first := packet.TCP(fl.packet.ip()[fl.packet.l4:])
		first.SetFlags(first.Flags() | f.Buf[p.l3+p.l4+13])
	}
}

// step records what the packet after p has to look like.
func (fl *burst) step(p *Packet) {
	ip := p.ip()
	if p.Family == 4 {
		fl.id = packet.IPv4(ip).ID()
	}
	if p.Proto == packet.ProtoTCP {
		fl.seq = packet.TCP(ip[p.l4:]).Seq() + uint32(len(ip)-fl.header)
	}
}

// closes reports whether p ends the burst: it is shorter than the others, or
// has PSH.
func (p *Packet) closes(fl *burst) bool {
	pushed := p.Proto == packet.ProtoTCP && p.Frame.Buf[p.l3+p.l4+13]&packet.TCPPsh != 0
	return pushed || p.Frame.Len() < fl.segment
}

func (e *egress) seal() {
	for i := range e.flows {
		e.flows[i].seal()
	}
}

// seal writes the lengths and the partial checksum of the super-packet into
// the headers of its head, and describes it to the port.
func (fl *burst) seal() {
	if fl.head == nil || fl.count < 2 {
		fl.head = nil
		return
	}
	p := fl.packet
	// Not p.ip(), which ends with the head's own bytes.
	ip := p.Frame.Buf[p.l3:]
	transport := ip[p.l4:]
	at := uint16(16)
	gso := port.GSOTCPv4
	if p.Family == 4 {
		packet.IPv4(ip).SetTotalLen(fl.total)
		packet.IPv4(ip).FillChecksum()
	} else {
		packet.IPv6(ip).SetPayloadLen(fl.total - packet.IPv6Header)
		gso = port.GSOTCPv6
	}
	if p.Proto == packet.ProtoUDP {
		packet.UDP(transport).SetLength(fl.total - p.l4)
		at, gso = 6, port.GSOUDPL4
	}
	binary.BigEndian.PutUint16(transport[at:], p.pseudoSum(fl.total-p.l4))
	start := p.l3 - p.Frame.Start + p.l4
	p.Frame.Offload = port.Offload{
		NeedsChecksum: true, GSO: gso,
		HeaderLength: uint16(start - p.l4 + fl.header), SegmentSize: uint16(fl.segment),
		ChecksumStart: uint16(start), ChecksumOffset: at,
	}
	fl.head = nil
}
