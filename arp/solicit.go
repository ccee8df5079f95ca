package arp

import "net/netip"

// solicit sends a request or solicitation for n, to all, or by unicast to the
// neighbour itself, which RFC 1122 §2.3.2.1 (2) calls a unicast poll.
func (m *Machine) solicit(n *neighbor, direct bool) {
	n.tries++
	src, ok := n.iface.sourceFor(n)
	if !ok {
		return // none of our addresses is usable yet; the next try may have one
	}
	i := n.iface
	if n.addr.Is4() {
		to, target := Broadcast, MAC{}
		if direct {
			to, target = n.mac, n.mac
		}
		b := make([]byte, 0, EthernetHeader+PacketLen)
		b = AppendEthernet(b, to, i.MAC, EtherTypeARP)
		m.emit(SendFrame{i.id, AppendPacket(b, OpRequest, i.MAC, src, target, n.addr)})
		return
	}
	dst, to := n.addr, n.mac
	if !direct {
		dst = SolicitedNode(n.addr)
		to = MulticastMAC(dst)
	}
	b := AppendEthernet(nil, to, i.MAC, EtherTypeIPv6)
	m.emit(SendFrame{i.id, AppendSolicitation(b, src, dst, n.addr, i.MAC, nil)})
}

// sourceFor chooses the source address of a request for n: that of the packet
// that caused it (RFC 4861 §7.2.2), or one of n's subnet, or any of its family,
// a link-local one first.
func (i *iface) sourceFor(n *neighbor) (netip.Addr, bool) {
	if n.source.IsValid() && i.usable(n.source) {
		return n.source, true
	}
	var best netip.Addr
	for _, o := range i.own {
		a := o.prefix.Addr()
		switch {
		case o.state != usable || a.Is4() != n.addr.Is4():
		case o.prefix.Contains(n.addr):
			return a, true
		case !best.IsValid() || a.IsLinkLocalUnicast() && !best.IsLinkLocalUnicast():
			best = a
		}
	}
	return best, best.IsValid()
}
