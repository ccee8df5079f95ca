package dataplane

import (
	"encoding/binary"
	"net/netip"
	"time"

	"routerd/arp"
	"routerd/dataplane/port"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
)

// Claim says that one of the router's own protocols hears, on the interface
// that has the Claim, what is sent to a UDP port: to the router's addresses,
// to the protocol's group, and where Broadcast is set to everybody on the link.
type Claim struct {
	Protocol  Protocol
	Port      uint16
	Group     netip.Addr // invalid: none
	Broadcast bool
}

// Protocol is one of the router's own protocols that the dataplane hands
// datagrams to.
type Protocol uint8

const (
	ProtocolRIP Protocol = iota
	ProtocolRIPng
	NumProtocols
)

// Heard is a datagram for one of the router's own protocols: whole, with a
// checksum that is right or, in IPv4, absent. Packet begins with the IP header,
// belongs to the batch, and is copied by whoever keeps it. Whoever cannot take
// it sets Refused.
type Heard struct {
	Protocol  Protocol
	In        routing.InterfaceID
	Packet    []byte
	Transport int // offset of the UDP header in Packet
	Refused   bool
}

// heardFor gives the claim that p, a datagram in one piece or the first piece
// of one, is for; nil where no protocol hears it.
func (in *Interface) heardFor(p *Packet) *Claim {
	ip := p.ip()
	if p.Proto != packet.ProtoUDP || len(ip) < p.l4+packet.UDPHeader {
		return nil
	}
	to := binary.BigEndian.Uint16(ip[p.l4+2:])
	for i := range in.Claims {
		if c := &in.Claims[i]; c.Port == to && (c.Group.Is4() || !c.Group.IsValid()) == (p.Family == 4) {
			return c
		}
	}
	return nil
}

// forEveryone reports whether p is for all stations of the link and a protocol
// of the router's hears such packets, as RIP version 1 has to.
func (in *Interface) forEveryone(p *Packet) bool {
	if in == nil || len(in.Claims) == 0 || p.Proto != packet.ProtoUDP {
		return false
	}
	c := in.heardFor(p)
	return c != nil && c.Broadcast && !p.Fragment && (p.Dst == limitedBroadcast || in.broadcasts(p.Dst))
}

// broadcasts reports whether a is the broadcast address of one of the
// interface's subnets (RFC 919 §7).
func (in *Interface) broadcasts(a netip.Addr) bool {
	for _, s := range in.Addresses {
		if !s.Addr().Is4() || s.Bits() > 30 || !s.Contains(a) {
			continue
		}
		v, host := a.As4(), uint32(1)<<(32-s.Bits())-1
		if binary.BigEndian.Uint32(v[:])&host == host {
			return true
		}
	}
	return false
}

// toProtocol hands a datagram for the router to the protocol that hears its
// port on the interface, or reports that none does.
func (p *Packet) toProtocol(v *View, b *Batch, f *port.Frame) bool {
	in := v.Interface(p.In)
	if in == nil || len(in.Claims) == 0 {
		return false
	}
	c := in.heardFor(p)
	if c == nil {
		return false
	}
	completeChecksum(f)
	switch {
	case !p.soundDatagram():
		p.drop(verdict.BadUDPChecksum)
	case len(b.heard) == cap(b.heard) || b.punter == nil:
		p.drop(verdict.ProtocolQueueFull)
	default:
		b.heard = append(b.heard, Heard{Protocol: c.Protocol, In: p.In, Packet: p.ip(), Transport: p.l4})
		b.hearers = append(b.hearers, p)
		p.drop(verdict.HandedToProtocol)
	}
	return true
}

// soundDatagram checks the UDP length and checksum (RFC 1122 §4.1.3.4,
// RFC 8200 §8.1).
func (p *Packet) soundDatagram() bool {
	ip := p.ip()
	udp := packet.UDP(ip[p.l4:])
	if n := udp.Length(); n < packet.UDPHeader || n > len(udp) {
		return false
	}
	udp = udp[:udp.Length()]
	if p.Family == 4 {
		return udp.Checksum() == 0 || packet.Sum(udp, packet.PseudoHeaderSum4(ip[12:16], ip[16:20], packet.ProtoUDP, len(udp))) == 0xffff
	}
	return udp.Checksum() != 0 && packet.Sum(udp, packet.PseudoHeaderSum6(ip[8:24], ip[24:40], packet.ProtoUDP, len(udp))) == 0xffff
}

// tell hands what the protocols are to hear to the punter; what is refused is
// dropped.
func (b *Batch) tell() {
	if len(b.heard) == 0 {
		return
	}
	b.punter.Hear(b.heard)
	for i := range b.heard {
		if b.heard[i].Refused {
			b.hearers[i].Verdict = verdict.ProtocolQueueFull
		}
	}
}

// Punts has the batch hand what it punts to p; for whoever makes a batch of
// its own.
func (b *Batch) Punts(p Punter) { b.punter = p }

// Reaches reports whether a is a group or in a subnet of the interface's own.
func (i *Interface) Reaches(a netip.Addr) bool {
	if a.IsMulticast() || a.IsLinkLocalUnicast() && a.Is6() {
		return true
	}
	for _, p := range i.Addresses {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Speak sends a packet that one of the router's own protocols made, from its
// IP header on and with all checksums, by the interface out: its destination
// is a group or a host on that link, and the table is not asked. With
// NoInterface it is. Transmit has to follow.
func Speak(v *View, b *Batch, out routing.InterfaceID, raw []byte, now time.Time) {
	b.begin(v)
	b.n = 0
	f := &b.frames[0]
	f.Reset()
	if len(raw) == 0 || len(raw) > len(f.Buf)-port.Headroom {
		return
	}
	f.End = f.Start + copy(f.Buf[f.Start:], raw)
	p := b.originate(f, raw[0]>>4, out)
	if p == nil {
		return
	}
	p.stack = fromOwnStack
	if out == routing.NoInterface {
		p.In = v.anyInterface()
		b.send(v, now)
		return
	}
	p.Out, p.Hop = out, onLink
	b.work = append(b.work[:0], p)
	if i := v.Interface(out); i == nil || !i.Up || i.Output == nil {
		p.drop(verdict.InterfaceDown)
		return
	}
	fit(v, b, now)
	if !p.Dst.IsMulticast() {
		neighbor(v, b, now)
	} else {
		p.mac = arp.MulticastMAC(p.Dst)
	}
	leaveBy(v, b, now)
}
