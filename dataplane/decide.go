package dataplane

import (
	"encoding/binary"
	"net/netip"
	"time"

	"routerd/acl"
	"routerd/dataplane/port"
	"routerd/flow"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/nat"
	"routerd/routing"
)

// Decider asks the stages how packets of flows leave. It keeps the memory for
// that. The zero Decider is ready; one goroutine at a time may use it.
type Decider struct {
	b   *Batch
	raw [packet.IPv6Header + packet.TCPMinHeader]byte
}

// Decide runs a packet of the flow that o is of through the stages under v, as
// Explain does: nothing is sent or counted, and no session and no neighbour
// notices. It says how the flow's packets leave, and Carriable if every later
// packet leaves so too, as long as neither v nor anything else changes that the
// Carriage names, and as that packet is one that the kernel may carry at all:
// whole, without options, no larger than the MTU of Out, and of TCP a segment
// with ACK and without SYN, FIN and RST. Otherwise the Carriage says what was
// found out before the reason.
//
// Whoever changes the rules of address translation has to have all of its flows
// decided anew: sessions that are to end are not found from then on, and end
// some time later.
func (d *Decider) Decide(v *View, o *Offer, now time.Time) (Carriage, Uncarried) {
	raw := o.packet(&d.raw)
	if raw == nil {
		return Carriage{In: v.Interface(o.In), Proto: o.Proto, Src: o.Src, Dst: o.Dst}, UncarriedProtocol
	}
	return d.decide(v, o.In, raw, o, now)
}

// DecidePacket is Decide for the flow of the packet raw, an IP packet that would
// come in by the interface in, and for that packet itself: it is not Carriable
// if the kernel would leave it to the stages.
func (d *Decider) DecidePacket(v *View, in routing.InterfaceID, raw []byte, now time.Time) (Carriage, Uncarried) {
	why := shape(raw)
	if why != Carriable {
		return Carriage{In: v.Interface(in)}, why
	}
	return d.decide(v, in, raw, &Offer{In: in, Length: len(raw)}, now)
}

// shape says whether the kernel may carry a packet with such headers.
func shape(raw []byte) Uncarried {
	at, proto := packet.IPv4MinHeader, uint8(0)
	switch {
	case len(raw) >= packet.IPv4MinHeader && raw[0]>>4 == 4:
		ip := packet.IPv4(raw)
		if ip.IsFragment() {
			return UncarriedFragment
		}
		if ip.HeaderLen() != packet.IPv4MinHeader {
			return UncarriedOptions
		}
		proto = ip.Protocol()
	case len(raw) >= packet.IPv6Header && raw[0]>>4 == 6:
		at, proto = packet.IPv6Header, packet.IPv6(raw).NextHeader()
		if proto == packet.ProtoFragment {
			return UncarriedFragment
		}
		if packet.IsExtension(proto) {
			return UncarriedOptions
		}
	}
	switch {
	case proto == packet.ProtoUDP && len(raw) >= at+packet.UDPHeader:
	case proto != packet.ProtoTCP || len(raw) < at+packet.TCPMinHeader:
		return UncarriedProtocol
	case !goesOn(packet.TCP(raw[at:]).Flags()):
		return UncarriedSegment
	}
	return Carriable
}

// goesOn reports whether a segment with the flags neither begins nor ends a
// connection.
func goesOn(flags uint8) bool {
	return flags&(packet.TCPAck|packet.TCPSyn|packet.TCPFin|packet.TCPRst) == packet.TCPAck
}

// decide runs raw, the beginning of the packet that o describes, through the
// stages and concludes.
func (d *Decider) decide(v *View, in routing.InterfaceID, raw []byte, o *Offer, now time.Time) (Carriage, Uncarried) {
	if d.b == nil {
		d.b = NewBatch(1, &Counters{}, nil)
		d.b.dry, d.b.punter = true, nobody{}
	}
	c := Carriage{In: v.Interface(in)}
	if c.In == nil || c.In.Carried == nil {
		return c, UncarriedIn
	}
	d.b.hold(c.In, raw, o)
	d.b.Received(1, in)
	Process(v, d.b, now)
	p := &d.b.packets[0]
	c.follow(v, p, raw)
	if why := c.way(v, p); why != Carriable {
		return c, why
	}
	return c, c.settle(v, p)
}

// hold has the batch's only frame hold the beginning of a packet, and be as long
// as the whole of it. What is behind the headers is of no matter to the stages.
func (b *Batch) hold(in *Interface, raw []byte, o *Offer) {
	f := &b.frames[0]
	f.Reset()
	f.End = f.Start
	if in.LinkHeader > 0 {
		f.End += copy(f.Buf[f.Start:], in.frameFor(raw))
	}
	l3 := f.End
	f.End += copy(f.Buf[l3:], raw)
	f.End = min(l3+max(o.Length, len(raw)), len(f.Buf))
	if o.Segment > 0 {
		f.Offload = o.offload(l3-f.Start, raw)
	}
}

// follow notes how p, whose headers were raw, has gone through the stages.
func (c *Carriage) follow(v *View, p *Packet, raw []byte) {
	c.Proto = p.Proto
	if p.l4 == 0 || p.Family == 0 {
		return
	}
	if p.Family == 4 {
		c.Src, c.Dst = arrivedAt(netip.AddrFrom4([4]byte(raw[12:16])), netip.AddrFrom4([4]byte(raw[16:20])), raw[p.l4:])
	} else {
		c.Src, c.Dst = arrivedAt(netip.AddrFrom16([16]byte(raw[8:24])), netip.AddrFrom16([16]byte(raw[24:40])), raw[p.l4:])
	}
	c.NewSrc, c.NewDst = arrivedAt(p.Src, p.Dst, p.Frame.Buf[p.l3+p.l4:])
	c.Out = v.Interface(p.Out)
	c.Way, c.Hop, c.Source = p.Way, p.Hop, p.source
}

func arrivedAt(src, dst netip.Addr, transport []byte) (netip.AddrPort, netip.AddrPort) {
	return netip.AddrPortFrom(src, binary.BigEndian.Uint16(transport)), netip.AddrPortFrom(dst, binary.BigEndian.Uint16(transport[2:]))
}

// way says whether the flow leaves as the kernel may send, and finds its neighbour.
func (c *Carriage) way(v *View, p *Packet) Uncarried {
	switch {
	case p.Verdict == verdict.Resolving:
		return UncarriedNeighbor
	case p.Verdict == verdict.TooBig:
		return UncarriedSize
	case p.Verdict != verdict.Forwarded || c.Out == nil || c.Hop == nil:
		return UncarriedFate
	case c.Out.Carried == nil:
		return UncarriedOut
	case c.Out == c.In:
		return UncarriedHairpin
	case p.cut&cutFragment != 0:
		return UncarriedSize
	case p.cut != 0:
		return UncarriedCut
	}
	c.Target = c.Hop.Address
	if !c.Target.IsValid() {
		c.Target = p.Dst
	}
	if c.Neighbor = v.Neighbors.Lookup(c.Out.ID, c.Target); c.Neighbor == nil {
		return UncarriedNeighbor
	}
	c.MAC = c.Neighbor.MAC
	return Carriable
}

// settle finds the flow's session, and says whether all later packets will be
// treated as this one for it.
func (c *Carriage) settle(v *View, p *Packet) Uncarried {
	t := p.track
	switch {
	case p.Family == 4 && v.NAT != nil:
		if p.nat == nil {
			return UncarriedFate
		}
		if p.nat.to.Session == nat.NoSession || p.nat.to.New {
			return unsettled(t, p.nat.to.New)
		}
		c.Sessions = v.NAT.Sessions()
		p.nat.to.Found(&c.Hit)
	case p.Family == 6 && v.ACL != nil:
		if t == nil || t.state != acl.Established {
			return unsettled(t, t != nil && t.made)
		}
		c.Sessions = v.Sessions6
		if !v.Sessions6.FindWide(&t.key, &t.wide, t.hash, &c.Hit) {
			return UncarriedNew
		}
	default:
		return Carriable
	}
	s, ok := c.Sessions.Session(c.Hit.Session)
	switch {
	case !ok || s.Generation != c.Hit.Generation:
		return UncarriedNew
	case p.Proto == packet.ProtoTCP && s.State != flow.Established && s.State != flow.FinForward && s.State != flow.FinReply:
		return UncarriedNotOpen
	}
	return Carriable
}

// unsettled says why a flow without a session, of which t is what the filter
// knows, is not carried. Made: its packet makes one.
func unsettled(t *tracking, made bool) Uncarried {
	switch {
	case made:
		return UncarriedNew
	case t != nil:
		return UncarriedFiltered
	}
	return UncarriedUntracked
}

// packet writes the headers of a packet of the flow to b, nil if none can be made.
func (o *Offer) packet(b *[packet.IPv6Header + packet.TCPMinHeader]byte) []byte {
	upper := packet.UDPHeader
	if o.Proto == packet.ProtoTCP {
		upper = packet.TCPMinHeader
	} else if o.Proto != packet.ProtoUDP {
		return nil
	}
	src, dst := o.Src.Addr(), o.Dst.Addr()
	if !src.IsValid() || !dst.IsValid() || src.Is4() != dst.Is4() {
		return nil
	}
	header := packet.IPv4MinHeader
	if dst.Is6() {
		header = packet.IPv6Header
	}
	raw, total := b[:header+upper], max(o.Length, header+upper)
	clear(raw)
	body := putIP(raw, src.AsSlice(), dst.AsSlice(), o.Proto, offeredHops)
	if dst.Is4() {
		ip := packet.IPv4(raw)
		ip.SetTotalLen(total)
		ip.SetFragment(true, false, 0)
		ip.FillChecksum()
	} else {
		packet.IPv6(raw).SetPayloadLen(total - header)
	}
	putPorts(body, o.Src.Port(), o.Dst.Port())
	if o.Proto == packet.ProtoUDP {
		packet.UDP(body).SetLength(total - header)
		return raw
	}
	body[12] = packet.TCPMinHeader / 4 << 4
	packet.TCP(body).SetFlags(packet.TCPAck)
	return raw
}

// offeredHops is a hop count that is enough.
const offeredHops = 64

// offload describes the super-packet whose headers are raw, behind a link header.
func (o *Offer) offload(link int, raw []byte) port.Offload {
	l4, gso, at := packet.IPv4MinHeader, port.GSOTCPv4, uint16(16)
	if raw[0]>>4 == 6 {
		l4, gso = packet.IPv6Header, port.GSOTCPv6
	}
	if o.Proto == packet.ProtoUDP {
		gso, at = port.GSOUDPL4, 6
	}
	return port.Offload{
		NeedsChecksum: true, GSO: gso, SegmentSize: uint16(o.Segment), HeaderLength: uint16(link + len(raw)),
		ChecksumStart: uint16(link + l4), ChecksumOffset: at,
	}
}
