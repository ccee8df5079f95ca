package arp

import (
	"net/netip"

	"routerd/icmp"
	"routerd/internal/packet"
)

// receiveND handles a frame with a neighbour discovery message.
func (m *Machine) receiveND(i *iface, f Ethernet) {
	p := packet.IPv6(f.Payload())
	if i.disabled || !p.Valid() {
		return
	}
	msg, err := Parse(p)
	switch err {
	case nil:
	case ErrNotDiscovery:
		return // for another node
	default:
		m.counters.Malformed++
		return
	}
	switch msg.Type {
	case icmp.NeighborSolicitation6:
		m.solicited(i, f, &msg)
	case icmp.NeighborAdvertisement6:
		m.advertised(i, &msg)
	case icmp.RouterSolicitation6:
		m.learnND(i, &msg, news{mac: msg.LinkAddress, hasRouter: true})
		m.routerSolicited(i)
	case icmp.RouterAdvertisement6:
		m.learnND(i, &msg, news{mac: msg.LinkAddress, hasRouter: true, router: true})
		m.routerSeen(i, msg.Src)
	case icmp.Redirect6:
		m.counters.Redirects++ // RFC 4861 §8.2: a router must not follow it
	}
}

// solicited handles a neighbour solicitation (RFC 4861 §7.2.3).
func (m *Machine) solicited(i *iface, f Ethernet, msg *Message) {
	own := i.owns(msg.Target)
	switch {
	case own == nil && i.anycast(msg.Target): // shared by all routers, so nobody probes for it
	case own == nil || own.state == duplicate:
		return
	case own.asked && msg.Src.IsUnspecified(): // RFC 4429 §3.3
		m.contested(own, msg, f.Src())
		return
	case own.state == tentative:
		// RFC 4862 §5.4.3: never answered; a probe of another node for the same
		// address makes it a duplicate.
		if msg.Src.IsUnspecified() {
			m.contested(own, msg, f.Src())
		}
		return
	case msg.Src.IsUnspecified() && own.sentNonce(msg.Nonce):
		return // our own, delayed
	}
	m.learnND(i, msg, news{mac: msg.LinkAddress})
	m.answer(i, f, msg)
}

// learnND learns the sender's link-layer address from a solicitation or router
// advertisement (RFC 4861 §7.2.3, §6.2.6, Appendix C).
func (m *Machine) learnND(i *iface, msg *Message, what news) {
	if msg.Src.IsUnspecified() || i.owns(msg.Src) != nil {
		return
	}
	n := m.neighbors[key{i.id, msg.Src}]
	if n != nil && what.hasRouter && n.state != Static {
		// §6.2.6: IsRouter is set even without a link-layer address.
		n.router = what.router
		if n.entry != nil {
			m.publish(n)
		}
	}
	if what.mac == (MAC{}) {
		return
	}
	if n == nil {
		if !i.onLink(msg.Src) || !m.makeRoom() {
			return
		}
		n = m.create(i, msg.Src)
		n.router = what.router
	}
	e := heardOther
	if n.mac == what.mac {
		e = heardSame
	}
	m.eventWith(n, e, what)
}

// answer sends the advertisement that a solicitation asks for (RFC 4861
// §7.2.4).
func (m *Machine) answer(i *iface, f Ethernet, msg *Message) {
	const router = true
	override := i.owns(msg.Target) != nil // not an anycast address, which others have too (§7.2.4)
	if msg.Src.IsUnspecified() {
		b := AppendEthernet(nil, MulticastMAC(AllNodes), i.MAC, EtherTypeIPv6)
		m.emit(SendFrame{i.id, AppendAdvertisement(b, msg.Target, AllNodes, msg.Target, i.MAC, router, false, override)})
		return
	}
	n := m.neighbors[key{i.id, msg.Src}]
	to := msg.LinkAddress
	if n != nil && n.state >= Reachable {
		to = n.mac
	}
	if to == (MAC{}) {
		// Its link-layer address has to be resolved first: §7.2.4, last
		// paragraph.
		m.sendOwn(i, msg.Src, AppendAdvertisement(nil, msg.Target, msg.Src, msg.Target, i.MAC, router, true, override))
		return
	}
	b := AppendEthernet(nil, to, i.MAC, EtherTypeIPv6)
	m.emit(SendFrame{i.id, AppendAdvertisement(b, msg.Target, msg.Src, msg.Target, i.MAC, router, true, override)})
}

// sendOwn sends a packet that the machine made to a neighbour that has to be
// resolved first.
func (m *Machine) sendOwn(i *iface, to netip.Addr, p []byte) {
	n := m.neighbors[key{i.id, to}]
	if n == nil {
		if _, ok := m.admit(i, rankPassing, p); !ok {
			return
		}
		n = m.create(i, to)
	}
	m.send(n, held{packet: p, silent: true})
}

// advertised handles a neighbour advertisement (RFC 4861 §7.2.5).
func (m *Machine) advertised(i *iface, msg *Message) {
	if own := i.owns(msg.Target); own != nil {
		switch {
		case msg.LinkAddress == i.MAC: // an echo of our own
		case own.state == tentative, own.asked: // RFC 4862 §5.4.4
			m.duplicated(own, msg.LinkAddress)
		case own.state == usable:
			m.conflict(own, msg.LinkAddress)
		}
		return
	}
	n := m.neighbors[key{i.id, msg.Target}]
	if n == nil {
		m.counters.Ignored++
		return
	}
	m.eventWith(n, advertisement(n.mac, msg), news{msg.LinkAddress, msg.Router, true})
}

// advertisement gives the event of an advertisement for a neighbour whose
// cached address is mac.
func advertisement(mac MAC, msg *Message) event {
	same, none := msg.LinkAddress == mac, msg.LinkAddress == MAC{}
	switch {
	case msg.Solicited && none:
		return solicitedNone
	case msg.Solicited && msg.Override:
		return solicitedOverride
	case msg.Solicited && same:
		return solicitedSame
	case msg.Solicited:
		return solicitedOther
	case none:
		return unsolicitedNone
	case msg.Override && same:
		return unsolicitedOverrideSame
	case msg.Override:
		return unsolicitedOverride
	case same:
		return unsolicitedSame
	default:
		return unsolicitedOther
	}
}
