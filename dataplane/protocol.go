package dataplane

import (
	"encoding/binary"
	"net/netip"
	"time"

	"routerd/arp"
	"routerd/dataplane/port"
	"routerd/icmp"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
)

// Received is a packet for one of the router's own protocols. It is whole; a UDP
// checksum is right or, in IPv4, absent. Packet begins with the IP header and
// belongs to the batch: a Sink that keeps it copies it.
type Received struct {
	In        routing.InterfaceID
	Packet    []byte
	Protocol  uint8 // of IP
	Transport int   // offset in Packet of what is behind the IP header
	At        time.Time
}

// claimFor gives the claim that matches p, which is a whole packet or a first
// fragment; nil if none does.
func (v *View) claimFor(p *Packet) *Claim {
	in := v.Interface(p.In)
	if in == nil {
		return nil
	}
	if c := in.Listeners.load().claimFor(p); c != nil {
		return c
	}
	return v.Listeners.load().claimFor(p)
}

func (n *listening) claimFor(p *Packet) *Claim {
	if n == nil || len(n.claims) == 0 {
		return nil
	}
	var to uint16
	if p.Proto == packet.ProtoUDP {
		ip := p.ip()
		if len(ip) < p.l4+packet.UDPHeader {
			return nil
		}
		to = binary.BigEndian.Uint16(ip[p.l4+2:])
	}
	for i := range n.claims {
		if c := &n.claims[i]; c.Protocol == p.Proto && c.Port == to && c.Family == p.Family && (!c.LinkLocal || p.Dst.IsLinkLocalUnicast()) {
			return c
		}
	}
	return nil
}

// forEveryone reports whether p is a broadcast that one of the router's
// protocols takes, as RIP version 1 has to.
func (v *View) forEveryone(p *Packet) bool {
	if p.Proto != packet.ProtoUDP || p.Fragment {
		return false
	}
	c := v.claimFor(p)
	return c != nil && c.Broadcast && (p.Dst == limitedBroadcast || v.Interface(p.In).broadcasts(p.Dst))
}

// broadcasts reports whether a is the broadcast address of one of the
// interface's subnets (RFC 919 §7).
func (in *Interface) broadcasts(a netip.Addr) bool {
	for _, s := range in.Addresses {
		if _, last, ok := broadcastsOf(s); ok && last == a {
			return true
		}
	}
	return false
}

// toProtocol hands a packet for the router to the protocol that has claimed it,
// and reports whether one has.
func (p *Packet) toProtocol(v *View, b *Batch, f *port.Frame) bool {
	c := v.claimFor(p)
	if c == nil {
		return false
	}
	completeChecksum(f)
	switch {
	case p.Proto == packet.ProtoUDP && !p.soundDatagram():
		p.drop(verdict.BadUDPChecksum)
	case b.dry:
		p.drop(verdict.HandedToProtocol)
	default:
		p.drop(c.Sink.Receive(&Received{In: p.In, Packet: p.ip(), Protocol: p.Proto, Transport: p.l4, At: b.now}))
	}
	return true
}

// toMembership hands an IGMP or MLD message to the membership machine, on
// Ethernet links, and reports whether p is one. The machine verifies its
// checksum.
func (p *Packet) toMembership(v *View, b *Batch, f *port.Frame) bool {
	in, ip := v.Interface(p.In), p.ip()
	if in == nil || in.LinkHeader == 0 || v.Membership == nil {
		return false
	}
	switch {
	case p.Family == 4 && p.Proto == packet.ProtoIGMP:
	case p.Family == 6 && p.Proto == packet.ProtoICMPv6 && len(ip) > p.l4 &&
		(ip[p.l4] >= icmp.ListenerQuery6 && ip[p.l4] <= icmp.ListenerDone6 || ip[p.l4] == icmp.ListenerReport6v2):
	default:
		return false
	}
	completeChecksum(f)
	fate := verdict.HandedToProtocol
	if !b.dry {
		fate = v.Membership.Receive(&Received{In: p.In, Packet: p.ip(), Transport: p.l4, At: b.now})
	}
	p.drop(fate)
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
	if udp.Checksum() == 0 {
		return p.Family == 4
	}
	return packet.Sum(udp, packet.PseudoHeaderSum(ip, packet.ProtoUDP, len(udp))) == 0xffff
}

// Punts has the batch hand its punts to p. It is for batches without a Worker.
func (b *Batch) Punts(p Punter) { b.punter = p }

// Reaches reports whether a is a multicast group, IPv6 link-local, or in a
// subnet of the interface. On a point-to-point link everybody is at the other end.
func (i *Interface) Reaches(a netip.Addr) bool {
	if i.PointToPoint || a.IsMulticast() || a.IsLinkLocalUnicast() && a.Is6() {
		return true
	}
	for _, p := range i.Addresses {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// OwnPacket is a packet that one of the router's own protocols made, from its IP
// header on and with all checksums.
type OwnPacket struct {
	// Out is the interface that the packet leaves by; its destination is a
	// group or a host on that link. With NoInterface the packet is routed.
	Out    routing.InterfaceID
	Packet []byte
}

// SendOwn sends packets of the router's own protocols together, in order for each
// interface. It sends at most as many as the batch has frames; the rest are not
// sent. Transmit has to follow.
func SendOwn(v *View, b *Batch, list []OwnPacket, now time.Time) {
	b.begin(v)
	b.n = 0
	var direct, byTable []*Packet
	for i := range list[:min(len(list), len(b.frames))] {
		s, f := &list[i], &b.frames[i]
		if !put(f, s.Packet) {
			continue
		}
		p := b.originate(f, s.Packet[0]>>4, s.Out)
		if p == nil {
			return
		}
		p.stack = fromOwnStack
		if s.Out == routing.NoInterface {
			p.In = v.anyInterface()
			byTable = append(byTable, p)
			continue
		}
		p.Out, p.Hop = s.Out, onLink
		if i := v.Interface(s.Out); i == nil || !i.Up || i.Output == nil {
			p.drop(verdict.InterfaceDown)
			continue
		}
		direct = append(direct, p)
	}
	b.work = append(b.work[:0], byTable...)
	b.through(outbound, v, now)
	b.work = append(b.work[:0], direct...)
	fit(v, b, now)
	b.work = append(b.work[:0], byTable...)
	for _, p := range direct {
		if p.Dst.IsMulticast() {
			p.mac = arp.MulticastMAC(p.Dst)
		} else {
			b.work = append(b.work, p)
		}
	}
	neighbor(v, b, now)
	b.work = b.work[:0]
	for i := range b.made {
		b.work = append(b.work, &b.made[i])
	}
	leaveBy(v, b, now)
}
