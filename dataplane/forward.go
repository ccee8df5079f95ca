package dataplane

import (
	"time"

	"routerd/dataplane/port"
	"routerd/internal/packet"
	"routerd/internal/verdict"
)

// hopLimit drops packets that have no hop left (RFC 1812 §5.3.1, RFC 8200 §3).
// It leaves the header as it arrived, for an ICMP error to quote; rewrite
// lowers the count of packets that go on.
func hopLimit(_ *View, b *Batch, _ time.Time) {
	for _, p := range b.work {
		if p.Verdict != verdict.None || p.ownHops {
			continue
		}
		left := p.ip()[7]
		if p.Family == 4 {
			left = p.ip()[8]
		}
		if left <= 1 {
			p.drop(verdict.HopLimit)
		}
	}
}

// fit compares the packet with its egress interface: is it "too big" for the
// MTU, and does the port take it as it is? A super-packet is as big as its
// largest segment.
func fit(v *View, b *Batch, _ time.Time) {
	for _, p := range b.work {
		if p.Verdict != verdict.None {
			continue
		}
		out := v.Interface(p.Out)
		if out == nil || out.Output == nil {
			p.drop(verdict.InterfaceDown)
			continue
		}
		off := &p.Frame.Offload
		if !out.Offloads.Takes(*off) {
			if off.GSO != port.GSONone {
				p.cut |= cutSegment
			} else {
				p.cut |= cutChecksum
			}
		}
		if p.stack == toOwnStack {
			continue // the stack's MTU limits only what the stack sends
		}
		if p.piece != 0 && int(p.piece) <= out.MTU {
			p.cut |= cutFragment // it leaves in fragments as it came, even with DF
			continue
		}
		if p.wireLen() <= out.MTU {
			continue
		}
		if !p.mayFragment() {
			p.detail = uint32(out.MTU)
			p.drop(verdict.TooBig)
			continue
		}
		if off.GSO != port.GSONone {
			p.cut |= cutSegment
		} else if off.NeedsChecksum {
			p.cut |= cutChecksum // no port can complete a checksum over fragments
		}
		p.cut |= cutFragment
	}
}

// wireLen is the length of the longest packet that p becomes on the wire.
func (p *Packet) wireLen() int {
	n := p.Frame.End - p.l3
	off := &p.Frame.Offload
	if off.GSO == port.GSONone {
		return n
	}
	return min(n, p.headerLen()+int(off.SegmentSize))
}

// headerLen is the length of the IP and transport headers of a super-packet,
// which each of its segments repeats.
func (p *Packet) headerLen() int {
	n := p.l4 + packet.UDPHeader
	if p.Proto == packet.ProtoTCP {
		n = p.l4 + packet.TCP(p.ip()[p.l4:]).HeaderLen()
	}
	return n
}

// mayFragment: routers fragment IPv4 without DF only (RFC 1812 §5.2.6,
// RFC 8200 §5); a source may fragment its own IPv6 packets.
func (p *Packet) mayFragment() bool {
	if p.Family == 4 {
		return !p.ip4().DontFragment()
	}
	return p.Made
}

// lowerHops lowers the hop count of every forwarded packet, and updates the
// IPv4 header checksum. It also fills in the options that ask routers to.
func lowerHops(v *View, b *Batch, now time.Time) {
	for _, p := range b.work {
		if p.Verdict != verdict.None || p.ownHops {
			continue
		}
		if p.Family == 6 {
			p.ip()[7]--
			continue
		}
		ip := p.ip4()
		ip.DecrementTTL()
		if p.l4 > packet.IPv4MinHeader {
			stamp(v, p, ip, now)
		}
	}
}

// stamp fills in the options that ask every router on the path to: record route
// and timestamp.
func stamp(v *View, p *Packet, ip packet.IPv4, now time.Time) {
	out := v.Interface(p.Out)
	if own, ok := v.sourceFor(out, p.Dst); ok && stampOptions(ip, own, now) {
		ip.FillChecksum()
	}
}
