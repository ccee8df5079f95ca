package dataplane

import (
	"net/netip"
	"time"

	"routerd/dataplane/port"
	"routerd/internal/packet"
	"routerd/internal/verdict"
)

// validate is the first stage: is this an IP packet at all, and may a packet
// with these addresses pass through a router?
func validate(v *View, b *Batch, _ time.Time) {
	for _, p := range b.work {
		if p.Verdict != verdict.None {
			continue
		}
		raw := p.ip()
		if len(raw) == 0 {
			p.drop(verdict.Truncated)
			continue
		}
		switch raw[0] >> 4 {
		case 4:
			validate4(v, p, raw)
		case 6:
			validate6(v, p, raw)
		default:
			p.drop(verdict.BadVersion)
			continue
		}
		if off := &p.Frame.Offload; p.Verdict == verdict.None && (off.NeedsChecksum || off.GSO != port.GSONone) {
			validateOffload(p, off)
		}
	}
}

// validateOffload checks the device's offload information against the packet's
// headers, so that no later stage reads or writes beyond them. A partial
// checksum may be that of an inner header, in a tunnel, but may not lie before
// the transport header.
func validateOffload(p *Packet, off *port.Offload) {
	size, start := len(p.ip()), int(off.ChecksumStart)-(p.l3-p.Frame.Start)
	if off.NeedsChecksum && (start < p.l4 || start+int(off.ChecksumOffset)+2 > size) {
		p.drop(verdict.BadOffload)
		return
	}
	switch off.GSO {
	case port.GSONone:
		return
	case port.GSOTCPv4, port.GSOTCPv6:
		if p.Proto == packet.ProtoTCP && (off.GSO == port.GSOTCPv4) == (p.Family == 4) && p.l4 <= size &&
			packet.TCP(p.ip()[p.l4:]).Valid() && p.segmentable(off, start) {
			return
		}
	case port.GSOUDPL4:
		if p.Proto == packet.ProtoUDP && p.l4+packet.UDPHeader <= size && p.segmentable(off, start) {
			return
		}
	}
	p.drop(verdict.BadOffload)
}

// segmentable reports whether a super-packet is complete, has a segment size,
// and has a partial checksum.
func (p *Packet) segmentable(off *port.Offload, start int) bool {
	return !p.Fragment && off.SegmentSize > 0 && off.NeedsChecksum && start == p.l4
}

// validate4 makes the checks of RFC 1812 §5.2.2 in its order, then those of
// §5.3.7 on the addresses and §5.2.4.1 on source routes.
func validate4(v *View, p *Packet, raw []byte) {
	if len(raw) < packet.IPv4MinHeader {
		p.drop(verdict.Truncated)
		return
	}
	ip := packet.IPv4(raw)
	header, total := ip.HeaderLen(), ip.TotalLen()
	switch {
	case header < packet.IPv4MinHeader || header > len(raw):
		p.drop(verdict.BadHeaderLength)
		return
	case total < header || total > len(raw):
		p.drop(verdict.BadTotalLength)
		return
	case !ip.HeaderChecksumOK():
		p.drop(verdict.BadHeaderChecksum)
		return
	}
	// RFC 1812 §5.2.2: what lies beyond the total length is link padding.
	p.Frame.End = p.l3 + total
	p.Family, p.Proto, p.l4 = 4, ip.Protocol(), header
	p.Src, p.Dst = ip.Src(), ip.Dst()
	p.Fragment = ip.IsFragment()

	switch {
	case v.Martians.source.has4(p.Src, raw[12]) && !p.membershipFromNowhere():
		p.drop(verdict.MartianSource)
	case p.fromWrongSide(v, raw[15]):
	case raw[16]&0xf0 == 0xe0:
		p.validateGroup(v)
	case (p.group || p.Dst == limitedBroadcast) && v.forEveryone(p):
		p.Way = ownAddress
	case p.Dst == limitedBroadcast:
		p.drop(verdict.Broadcast)
	case v.Martians.destination.has4(p.Dst, raw[16]):
		p.drop(verdict.MartianDestination)
	case p.group:
		// RFC 1812 §5.3.4: a link-layer broadcast of a packet for one host.
		p.drop(verdict.LinkBroadcast)
	}
	if p.Verdict == verdict.None && header > packet.IPv4MinHeader {
		validateOptions(p, ip)
	}
}

// membershipFromNowhere reports whether p is an IGMP message from 0.0.0.0: a
// snooping switch without an address sends queries from it, and a host without
// one its reports (RFC 3376 §4.2.13, RFC 4541 §2.1.1).
func (p *Packet) membershipFromNowhere() bool {
	return p.Proto == packet.ProtoIGMP && p.Src.IsUnspecified() && p.Dst.IsMulticast()
}

var limitedBroadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// validateGroup accepts packets for multicast groups that the router itself is
// a member of. It forwards none.
func (p *Packet) validateGroup(v *View) {
	if listens(v.Interface(p.In), p.Dst) {
		p.Way = ownAddress
		return
	}
	p.drop(verdict.Multicast)
}

// validateOptions reads the options far enough to drop malformed ones and
// source routes (RFC 6274 §4.4; a setting in RFC 1812 §5.3.13.4). Others are
// forwarded unchanged (RFC 1812 §5.3.13.1).
func validateOptions(p *Packet, ip packet.IPv4) {
	o := packet.WalkOptions(ip)
	switch {
	case o.BadPointer >= 0:
		p.detail = uint32(o.BadPointer)
		p.drop(verdict.BadOption)
	case o.SourceRoute:
		p.drop(verdict.SourceRouted)
	}
}

// validate6 makes the checks of RFC 8200 §3 and §4 and RFC 4291 §2.5.6, §2.7.
func validate6(v *View, p *Packet, raw []byte) {
	if len(raw) < packet.IPv6Header {
		p.drop(verdict.Truncated)
		return
	}
	ip := packet.IPv6(raw)
	total := ip.TotalLen()
	if total > len(raw) {
		p.drop(verdict.BadTotalLength)
		return
	}
	p.Frame.End = p.l3 + total
	p.Family, p.Proto, p.l4 = 6, ip.NextHeader(), packet.IPv6Header
	p.Src, p.Dst = ip.Src(), ip.Dst()

	if p.isDiscovery(v.Interface(p.In), ip) {
		p.Way = ownAddress
		return
	}
	switch {
	case v.Martians.source.has6(p.Src, raw[8]):
		p.drop(verdict.MartianSource)
	case p.fromWrongSide(v, raw[23]):
	case raw[24] == 0xff:
		if p.validateGroup(v); p.Verdict == verdict.None && packet.IsExtension(p.Proto) {
			validateExtensions(p, ip)
		}
	case v.Martians.destination.has6(p.Dst, raw[24]):
		p.drop(verdict.MartianDestination)
	case p.group:
		p.drop(verdict.LinkBroadcast)
	}
	if p.Verdict == verdict.None && packet.IsExtension(p.Proto) {
		validateExtensions(p, ip)
	}
	if p.Verdict == verdict.None {
		validateScope(v, p)
	}
}

// validateExtensions finds the upper-layer header. A router on the path looks
// at the hop-by-hop header alone (RFC 8200 §4); deliver judges the others if
// the packet is for the router.
func validateExtensions(p *Packet, ip packet.IPv6) {
	e := packet.WalkExtensions(ip)
	p.Proto, p.l4, p.Fragment = e.Upper, e.Offset, e.Fragment >= 0
	switch {
	case e.HopByHop.Action != packet.ActionSkip:
		p.refuseExtension(e.HopByHop)
	case e.Truncated && e.Upper == packet.ProtoHopByHop:
		p.refuseExtension(e.AtDestination)
	}
}

// refuseExtension drops the packet for an extension header, with the
// parameter problem that it asks for, or none (RFC 8200 §4.2).
func (p *Packet) refuseExtension(why packet.Problem) {
	p.code, p.detail = why.Code, why.Pointer
	p.quiet = why.Action == packet.ActionDiscard
	p.drop(verdict.BadExtensionHeader)
}

// validateScope keeps packets with link-local addresses on their link (RFC 4291
// §2.5.6): the router accepts them for itself and does not forward them.
func validateScope(v *View, p *Packet) {
	src, dst := p.Src.IsLinkLocalUnicast(), p.Dst.IsLinkLocalUnicast()
	if !src && !dst {
		return
	}
	if in := v.Interface(p.In); dst && (in == nil || !in.Holds(p.Dst) && !in.anycast(p.Dst)) {
		p.drop(verdict.LinkScope)
	}
}
