package arp

// receive handles a frame that the port received.
func (m *Machine) receive(x Received) {
	i := m.ifaces[x.Interface]
	f := Ethernet(x.Frame)
	switch {
	case i == nil:
		return
	case !f.Valid() || !f.Src().IsStation():
		m.counters.Malformed++
		return
	case f.Dst() != i.MAC && f.Dst()[0]&1 == 0:
		return // a promiscuous port receives frames for others
	}
	switch f.Type() {
	case EtherTypeARP:
		m.receiveARP(i, f)
	case EtherTypeIPv6:
		m.receiveND(i, f)
	}
}

// receiveARP is "Packet Reception" of RFC 826, restricted: doc.go says what is
// learned from which packets.
func (m *Machine) receiveARP(i *iface, f Ethernet) {
	p := Packet(f.Payload())
	if !p.Valid() || p.Op() != OpRequest && p.Op() != OpReply || !p.SenderMAC().IsStation() {
		m.counters.Malformed++
		return
	}
	if p.SenderMAC() == i.MAC {
		return // a loop of our own
	}
	sender, target := p.SenderAddr(), p.TargetAddr()
	if own := i.owns(sender); own != nil {
		// RFC 5227 §2.4: do not answer, learn nothing.
		m.conflict(own, p.SenderMAC())
		return
	}
	if sender.IsMulticast() || i.isBroadcast(sender) {
		m.counters.Malformed++
		return
	}
	// RFC 826: "?Am I the target protocol address?"
	own := i.owns(target)
	forUs := own != nil || m.proxies(i, p)
	if !sender.IsUnspecified() { // RFC 5227 §2.1: a probe has no sender address
		m.learnARP(i, f, p, forUs)
	}
	if p.Op() == OpRequest && forUs {
		m.replyARP(i, p)
	}
}

// learnARP maps an ARP packet to the event of the same message in neighbour
// discovery.
func (m *Machine) learnARP(i *iface, f Ethernet, p Packet, forUs bool) {
	n := m.neighbors[key{i.id, p.SenderAddr()}]
	broadcast := f.Dst() == Broadcast
	e := heardOther
	switch {
	case p.SenderAddr() == p.TargetAddr():
		// An announcement (RFC 5227 §2.3), request or reply. RFC 826: only
		// the target adds a sender that is not in the table.
		if n == nil || !broadcast {
			m.counters.Ignored++
			return
		}
		e = unsolicitedOverride
		if n.mac == p.SenderMAC() {
			e = unsolicitedOverrideSame
		}
	case p.Op() == OpReply:
		// Only a reply to a pending request: anybody can send unsolicited
		// replies.
		if n == nil || n.state != Incomplete && n.state != Probe || i.owns(p.TargetAddr()) == nil {
			m.counters.Ignored++
			return
		}
		e = solicitedOverride
	case !forUs && !broadcast:
		m.counters.Ignored++
		return
	case n == nil && (!forUs || !i.onLink(p.SenderAddr())):
		return
	case n == nil:
		if !m.makeRoom() {
			return
		}
		n = m.create(i, p.SenderAddr())
	case n.mac == p.SenderMAC():
		e = heardSame
	}
	m.event(n, e, p.SenderMAC())
}

// proxies reports whether the router answers a request for a target of address
// translation, or one that it reaches by another interface (RFC 1027 §2.4).
func (m *Machine) proxies(i *iface, p Packet) bool {
	sender, target := p.SenderAddr(), p.TargetAddr()
	if p.Op() != OpRequest ||
		!i.onLink(sender) || sender == target || // neither a probe nor an announcement
		target.IsUnspecified() || target.IsMulticast() ||
		i.isBroadcast(target) { // RFC 1027 §2.4: a broadcast address must elicit no reply
		return false
	}
	for _, r := range i.Proxied {
		if r.Has(target) && i.onLink(target) {
			return true
		}
	}
	return i.ProxyARP && m.cfg.Proxy != nil && m.cfg.Proxy(i.id, target)
}

// replyARP answers a request: "swap hardware and protocol fields, putting the
// local hardware and protocol addresses in the sender fields" (RFC 826).
func (m *Machine) replyARP(i *iface, p Packet) {
	b := make([]byte, 0, EthernetHeader+PacketLen)
	b = AppendEthernet(b, p.SenderMAC(), i.MAC, EtherTypeARP)
	b = AppendPacket(b, OpReply, i.MAC, p.TargetAddr(), p.SenderMAC(), p.SenderAddr())
	m.emit(SendFrame{i.id, b})
}
