package arp

import (
	"net/netip"
	"slices"
	"time"

	"routerd/internal/timers"
	"routerd/routing"
)

// Constants of RFC 5227 §1.1 and RFC 4861 §10.
const (
	announceNum      = 2
	announceInterval = 2 * time.Second
	defendInterval   = 10 * time.Second
	maxInitialDelay  = time.Second // MAX_RTR_SOLICITATION_DELAY
	// noncesKept is how many nonces of probes are kept to detect a looped-back
	// link.
	noncesKept = 4
)

// OwnState is the state of one of the router's own addresses.
type OwnState uint8

const (
	tentative OwnState = iota // IPv6 only: duplicate address detection runs
	usable
	duplicate // IPv6 only: another station has it
)

// String gives RFC 4862's word, but "usable" for preferred, since a router's
// addresses are never deprecated.
func (s OwnState) String() string {
	switch s {
	case tentative:
		return "tentative"
	case usable:
		return "usable"
	case duplicate:
		return "duplicate"
	}
	return "unknown"
}

// ownAddress is one address of the router. Before use it is checked for
// duplicates (RFC 4862 §5.4), then announced, and defended as long as it is
// used.
//
//	state      event                              does                      new state
//	-          IPv4 address configured            AddressUsable, announce   usable
//	-          IPv6 address configured            waits 0 to 1 s            tentative
//	tentative  timer, probes left                 NS from ::, with a nonce  tentative
//	tentative  NS from ::, our nonce              more probes (RFC 7527)    tentative
//	tentative  NS from ::, any other; NA for it   AddressDuplicate          duplicate
//	tentative  timer, no probes left              AddressUsable, announce   usable
//	-          IPv6 address kept                  AddressUsable, asks        usable, asked
//	asked      NS from ::, not ours; NA for it    AddressDuplicate          duplicate
//	asked      timer, no probes left              announces                 usable
//	usable     timer, announcements left          announces                 usable
//	usable     another MAC claims it              Conflict, announces once  usable
type ownAddress struct {
	timer    timers.Timer[waiting]
	iface    *iface
	prefix   netip.Prefix
	state    OwnState
	asked    bool // usable while detection still runs: see InterfaceConfig.Kept
	formed   bool // from the MAC: the link-local address
	probes   int  // still to be sent
	looped   bool
	nonces   [][nonceLen]byte
	announce int // announcements still to be sent
	defended time.Time
}

func (i *iface) owns(a netip.Addr) *ownAddress {
	for _, o := range i.own {
		if o.prefix.Addr() == a {
			return o
		}
	}
	return nil
}

// anycast reports whether a is the subnet-router anycast address of a subnet in
// which the router has a usable address (RFC 4291 §2.6.1).
func (i *iface) anycast(a netip.Addr) bool {
	return slices.ContainsFunc(i.own, func(o *ownAddress) bool {
		all, ok := routing.SubnetRouterAnycast(o.prefix)
		return ok && all == a && o.state == usable
	})
}

func (i *iface) usable(a netip.Addr) bool {
	o := i.owns(a)
	return o != nil && o.state == usable
}

// onLink reports whether a is in one of the interface's subnets.
func (i *iface) onLink(a netip.Addr) bool {
	if a.Is6() && a.IsLinkLocalUnicast() {
		return true
	}
	return slices.ContainsFunc(i.own, func(o *ownAddress) bool { return o.prefix.Contains(a) })
}

// neighborly reports whether a can be a neighbour's address. RFC 4861 §7.2:
// "address resolution is never performed on multicast addresses".
func (i *iface) neighborly(a netip.Addr) bool {
	return a.IsValid() && a.Zone() == "" && !a.IsMulticast() && !a.IsUnspecified() && !i.isBroadcast(a) && i.owns(a) == nil && !i.anycast(a)
}

// isBroadcast reports whether a is a broadcast address of the link, the old
// form of zeros (RFC 1122 §3.3.6) included. Subnets of /31 and /32 have none
// (RFC 3021 §2.2).
func (i *iface) isBroadcast(a netip.Addr) bool {
	if a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return true
	}
	for _, o := range i.own {
		if bits := o.prefix.Bits(); !a.Is4() || !o.prefix.Contains(a) || bits >= 31 {
			continue
		} else if b := a.As4(); hostBits(b, bits) == 0 || hostBits(b, bits) == 1<<(32-bits)-1 {
			return true
		}
	}
	return false
}

func hostBits(b [4]byte, bits int) uint64 {
	x := uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3])
	return x & (1<<(32-bits) - 1)
}

// acquire begins to use an address.
func (m *Machine) acquire(i *iface, p netip.Prefix, formed bool) {
	o := &ownAddress{iface: i, prefix: p, formed: formed}
	o.timer.Of = o
	i.own = append(i.own, o)
	if n := m.neighbors[key{i.id, p.Addr()}]; n != nil {
		m.forget(n, NotNeighbor)
	}
	m.begin(o)
}

func (m *Machine) begin(o *ownAddress) {
	if o.prefix.Addr().Is4() || m.cfg.DADTransmits == 0 {
		m.settle(o)
		return
	}
	if slices.Contains(o.iface.Kept, o.prefix) {
		m.resume(o)
		return
	}
	o.state, o.probes, o.looped = tentative, m.cfg.DADTransmits, false
	// RFC 4862 §5.4.2: a random delay before the first.
	m.timers.Set(&o.timer, m.now.Add(m.between(0, maxInitialDelay)))
}

// resume goes on using an address that the router had a moment ago. Duplicate
// address detection runs all the same, at once (RFC 4429 §3.3), and the address
// is announced, which overrides others' caches, only after it.
func (m *Machine) resume(o *ownAddress) {
	o.state, o.asked, o.probes, o.looped = usable, true, m.cfg.DADTransmits, false
	m.emit(AddressUsable{o.iface.id, o.prefix})
	o.expire(m)
	if o.prefix.Addr().IsLinkLocalUnicast() {
		m.advertise(o.iface)
	}
}

// settle starts to use an address and announces it.
func (m *Machine) settle(o *ownAddress) {
	o.state, o.announce = usable, announceNum
	m.emit(AddressUsable{o.iface.id, o.prefix})
	o.expire(m)
	if o.prefix.Addr().IsLinkLocalUnicast() && o.prefix.Addr().Is6() {
		m.advertise(o.iface)
	}
}

func (o *ownAddress) expire(m *Machine) {
	switch {
	case o.asked && o.probes == 0:
		o.asked, o.announce = false, announceNum
		o.expire(m)
	case (o.state == tentative || o.asked) && o.probes > 0:
		o.probes--
		m.probe(o)
		m.timers.Set(&o.timer, m.now.Add(retransTimer))
	case o.state == tentative:
		m.settle(o)
	case o.state == usable && o.announce > 0:
		o.announce--
		m.announce(o)
		if o.announce > 0 {
			m.timers.Set(&o.timer, m.now.Add(announceInterval))
		}
	}
}

// announce announces an address on the link: RFC 5227 §2.3, and RFC 4861
// §7.2.6.
func (m *Machine) announce(o *ownAddress) {
	i, a := o.iface, o.prefix.Addr()
	if a.Is4() {
		// A request and not a reply, for the reasons in RFC 5227 §3.
		b := AppendEthernet(nil, Broadcast, i.MAC, EtherTypeARP)
		m.emit(SendFrame{i.id, AppendPacket(b, OpRequest, i.MAC, a, MAC{}, a)})
		return
	}
	b := AppendEthernet(nil, MulticastMAC(AllNodes), i.MAC, EtherTypeIPv6)
	m.emit(SendFrame{i.id, AppendAdvertisement(b, a, AllNodes, a, i.MAC, true, false, true)})
}

// probe sends a probe for an address (RFC 4862 §5.4.2), with a nonce that tells
// our own probes from others' (RFC 7527 §4.1).
func (m *Machine) probe(o *ownAddress) {
	var nonce [nonceLen]byte
	r := m.rand.Uint64()
	for j := range nonce {
		nonce[j] = byte(r >> (8 * j))
	}
	if len(o.nonces) == noncesKept {
		o.nonces = slices.Delete(o.nonces, 0, 1)
	}
	o.nonces = append(o.nonces, nonce)
	group := SolicitedNode(o.prefix.Addr())
	b := AppendEthernet(nil, MulticastMAC(group), o.iface.MAC, EtherTypeIPv6)
	b = AppendSolicitation(b, netip.IPv6Unspecified(), group, o.prefix.Addr(), MAC{}, nonce[:])
	m.emit(SendFrame{o.iface.id, b})
}

func (o *ownAddress) sentNonce(nonce []byte) bool {
	return len(nonce) == nonceLen && slices.Contains(o.nonces, [nonceLen]byte(nonce))
}

// contested handles a received probe for an address that is tentative here.
func (m *Machine) contested(o *ownAddress, msg *Message, from MAC) {
	if !o.sentNonce(msg.Nonce) {
		m.duplicated(o, from)
		return
	}
	if !o.looped { // RFC 7527 §4.1: MAX_MULTICAST_SOLICIT more
		o.looped, o.probes = true, o.probes+maxMulticastSolicit
		m.emit(LoopedBack{o.iface.id, o.prefix.Addr()})
	}
}

// duplicated stops using an address that another station has (RFC 4862 §5.4.5).
func (m *Machine) duplicated(o *ownAddress, mac MAC) {
	o.state, o.asked = duplicate, false
	m.timers.Stop(&o.timer)
	m.emit(AddressDuplicate{o.iface.id, o.prefix, mac, o.formed})
	if o.formed {
		m.disable6(o.iface)
	}
}

// conflict acts as RFC 5227 §2.4 (c): a router keeps its address and announces
// it, with a rate limit. Case 2 of RFC 4862 §5.4.4 is treated the same.
func (m *Machine) conflict(o *ownAddress, mac MAC) {
	m.counters.Conflicts++
	if !o.defended.IsZero() && m.now.Sub(o.defended) < defendInterval {
		return
	}
	o.defended = m.now
	m.emit(Conflict{o.iface.id, o.prefix.Addr(), mac, m.now})
	m.announce(o)
}

// relinquish removes an address.
func (m *Machine) relinquish(o *ownAddress) {
	m.timers.Stop(&o.timer)
	i := o.iface
	i.own = slices.DeleteFunc(i.own, func(x *ownAddress) bool { return x == o })
}
