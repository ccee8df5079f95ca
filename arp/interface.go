package arp

import (
	"net/netip"
	"slices"
)

const linkLocalBits = 64

// up handles an interface that came up or changed.
func (m *Machine) up(x InterfaceUp) {
	c := x.Config
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	i := m.ifaces[x.Interface]
	if i == nil {
		i = &iface{id: x.Interface}
		m.ifaces[x.Interface] = i
	}
	moved := i.MAC != c.MAC
	if moved {
		i.disabled = false
	}
	i.InterfaceConfig = c
	m.readdress(i, moved)
	m.restock(i)
	m.reconfigureRA(i)
}

// down drops everything about an interface.
func (m *Machine) down(x InterfaceDown) {
	i := m.ifaces[x.Interface]
	if i == nil {
		return
	}
	if x.Announce {
		m.ceaseRA(i)
	}
	m.stopRA(i)
	for _, n := range m.sorted() {
		if n.iface == i {
			m.forget(n, NoInterface)
		}
	}
	for _, o := range i.own {
		m.timers.Stop(&o.timer)
	}
	delete(m.ifaces, x.Interface)
}

// readdress changes the interface's addresses to the configured ones. With a
// new MAC all of them are announced again, and the link-local address is a new
// one.
func (m *Machine) readdress(i *iface, moved bool) {
	want := slices.Clone(i.Addresses)
	explicit := slices.ContainsFunc(want, func(p netip.Prefix) bool {
		return p.Addr().Is6() && p.Addr().IsLinkLocalUnicast()
	})
	var formed netip.Prefix
	if !explicit && !i.disabled {
		formed = netip.PrefixFrom(LinkLocal(i.MAC), linkLocalBits)
		want = append(want, formed)
	}
	for _, o := range slices.Clone(i.own) {
		if !slices.Contains(want, o.prefix) {
			m.relinquish(o)
		} else if moved && o.state == usable {
			o.announce = announceNum
			o.expire(m)
		} else if moved {
			m.begin(o)
		}
	}
	for _, p := range want {
		if !slices.ContainsFunc(i.own, func(o *ownAddress) bool { return o.prefix == p }) &&
			!(i.disabled && p.Addr().Is6()) {
			m.acquire(i, p, p == formed)
		}
	}
}

// restock sets the static neighbours to the configured ones, and forgets
// neighbours that are no longer on the link.
func (m *Machine) restock(i *iface) {
	for _, n := range m.sorted() {
		if n.iface != i {
			continue
		}
		static := slices.ContainsFunc(i.Static, func(s StaticNeighbor) bool { return s.Addr == n.addr })
		if n.state == Static && !static || n.state != Static && n.rank != rankNextHop && !i.onLink(n.addr) {
			m.forget(n, NotNeighbor)
		}
	}
	for _, s := range i.Static {
		if i.owns(s.Addr) != nil {
			continue
		}
		n := m.neighbors[key{i.id, s.Addr}]
		if n == nil {
			n = m.create(i, s.Addr)
		}
		n.mac, n.learned = s.MAC, m.now
		m.enter(n, Static)
		m.publish(n)
		m.release(n)
	}
}

// disable6 ends IPv6 on an interface whose MAC somebody else has too (RFC
// 4862 §5.4.5).
func (m *Machine) disable6(i *iface) {
	i.disabled = true
	m.stopRA(i)
	for _, o := range slices.Clone(i.own) {
		if o.prefix.Addr().Is6() {
			m.relinquish(o)
		}
	}
	for _, n := range m.sorted() {
		if n.iface == i && n.addr.Is6() {
			m.forget(n, NoInterface)
		}
	}
}
