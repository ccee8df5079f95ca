package dataplane

import (
	"net/netip"
	"slices"
	"time"

	"routerd/arp"
	"routerd/dataplane/port"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
)

// link reads and removes the link header, on interfaces that have one: is the
// frame for this station, and what does it carry? From here to egress a frame
// begins with its IP header, and the offsets of its Offload count from there.
func link(v *View, b *Batch, _ time.Time) {
	if len(b.work) == 0 {
		return
	}
	in := v.Interface(b.work[0].In) // one batch comes from one queue
	if in == nil || in.LinkHeader == 0 {
		if in != nil && in == v.Stack {
			fromStack(b.work)
		}
		return
	}
	for _, p := range b.work {
		p.linked = true
		e := arp.Ethernet(p.Frame.Bytes())
		if !e.Valid() {
			p.drop(verdict.BadLinkHeader)
			continue
		}
		if p.Frame.HasVLAN || e.Type() == etherTypeVLAN || e.Type() == etherTypeServiceVLAN {
			if v := p.untag(); v != verdict.None {
				p.drop(v)
				continue
			}
			e = arp.Ethernet(p.Frame.Bytes())
		}
		switch {
		case e.Dst() != in.MAC && e.Dst()[0]&1 == 0:
			p.drop(verdict.OtherStation)
			continue
		}
		p.group = e.Dst()[0]&1 != 0
		switch e.Type() {
		case arp.EtherTypeIPv4, arp.EtherTypeIPv6:
			p.takeOffLink()
		case arp.EtherTypeARP:
			b.hand(Punt{Kind: PuntARP, In: in.ID, Frame: e}, p)
		default:
			p.drop(verdict.UnknownEtherType)
		}
	}
}

func (p *Packet) takeOffLink() {
	f := p.Frame
	f.Start += arp.EthernetHeader
	p.l3, p.linked = f.Start, false
	if off := &f.Offload; off.NeedsChecksum {
		off.ChecksumStart -= min(off.ChecksumStart, arp.EthernetHeader)
		off.HeaderLength -= min(off.HeaderLength, arp.EthernetHeader)
	}
}

// putOnLink writes the Ethernet header in front of a packet whose next hop is
// known.
func (p *Packet) putOnLink(out *Interface, f *port.Frame) {
	etherType := uint16(arp.EtherTypeIPv4)
	if p.Family == 6 {
		etherType = arp.EtherTypeIPv6
	}
	f.Start -= arp.EthernetHeader
	arp.AppendEthernet(f.Buf[f.Start:f.Start], p.mac, out.MAC, etherType)
	if off := &f.Offload; off.NeedsChecksum {
		off.ChecksumStart += arp.EthernetHeader
		off.HeaderLength += arp.EthernetHeader
	}
}

// neighbor finds the link-layer address of the next hop, on interfaces that
// need one. If it is not known, the packet waits with the neighbour machine.
func neighbor(v *View, b *Batch, _ time.Time) {
	for _, p := range b.work {
		if p.Verdict != verdict.None {
			continue
		}
		out := v.Interface(p.Out)
		if out.LinkHeader == 0 {
			continue
		}
		target := p.Hop.Address
		var e *arp.Entry
		if target.IsValid() && p.Hop.Index != 0 {
			e = v.Neighbors.ByIndex(p.Hop.Index)
		} else {
			if !target.IsValid() {
				target = p.Dst
			}
			e = v.Neighbors.Lookup(out.ID, target)
		}
		if e == nil {
			b.hand(Punt{
				Kind: PuntResolve, In: p.In, Out: out.ID, Target: target, Index: p.Hop.Index,
				Frame: p.ip(), Offload: p.Frame.Offload, Own: p.stack == fromOwnStack,
			}, p)
			continue
		}
		p.mac = e.MAC
		if !b.dry && e.Use() {
			b.used(out.ID, target, e)
		}
	}
}

// isDiscovery reports whether p is a neighbour discovery message on an Ethernet
// link: such messages have source and destination addresses that no other
// packet may have (RFC 4861 §4). The neighbour machine validates them, hop
// limit included.
func (p *Packet) isDiscovery(in *Interface, ip packet.IPv6) bool {
	next := ip.NextHeader()
	if in == nil || in.LinkHeader == 0 || next != packet.ProtoICMPv6 && !packet.IsExtension(next) {
		return false
	}
	at := packet.IPv6Header
	if next != packet.ProtoICMPv6 {
		e := packet.WalkExtensions(ip)
		if e.Upper != packet.ProtoICMPv6 || e.Truncated || e.Fragment >= 0 { // RFC 6980 §5
			return false
		}
		at = e.Offset
	}
	if at+packet.ICMPHeader > ip.TotalLen() {
		return false
	}
	if t := packet.ICMP(ip[at:]).Type(); t < firstDiscovery || t > lastDiscovery || !p.Dst.IsMulticast() && !in.Holds(p.Dst) {
		return false
	}
	p.Proto, p.l4 = packet.ProtoICMPv6, at
	return true
}

// The types of neighbour discovery (RFC 4861 §4): router solicitation to redirect.
const (
	firstDiscovery = 133
	lastDiscovery  = 137
)

// listens reports whether the router is a member of a multicast group: on
// Ethernet all nodes, all routers and the solicited-node groups of its
// addresses, on any link the groups that its own protocols have joined.
func listens(in *Interface, group netip.Addr) bool {
	if in == nil {
		return false
	}
	if n := in.Listeners.load(); n != nil && n.member(group) >= 0 {
		return true
	}
	return in.LinkHeader > 0 && (group == allNodes || group == allRouters || group == allHosts4 || in.solicited(group))
}

// solicited reports whether group is the solicited-node group of one of the
// interface's addresses (RFC 4291 §2.7.1, §2.8).
func (in *Interface) solicited(group netip.Addr) bool {
	if !solicitedNodes.Contains(group) {
		return false
	}
	return slices.ContainsFunc(in.Addresses, func(p netip.Prefix) bool {
		if !p.Addr().Is6() {
			return false
		}
		all, ok := routing.SubnetRouterAnycast(p)
		return arp.SolicitedNode(p.Addr()) == group || ok && arp.SolicitedNode(all) == group
	})
}

var (
	allNodes   = netip.MustParseAddr("ff02::1")
	allRouters = netip.MustParseAddr("ff02::2")
	allHosts4  = netip.MustParseAddr("224.0.0.1")

	solicitedNodes = netip.MustParsePrefix("ff02::1:ff00:0/104")
)
