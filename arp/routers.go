package arp

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"routerd/routing"
)

// Discover asks, for a client, to be told of the other routers on a link, by their router
// advertisements, or no longer. As long as somebody asks, the router advertises itself
// there at least every ten seconds, also without a configuration of advertisements; then
// it is no default router for hosts.
type Discover struct {
	Interface routing.InterfaceID // that may come later
	Client    string
	Wanted    bool
}

// RouterSeen says that another router has advertised itself on a link, or has done so
// before the client asked. It comes again with each advertisement.
type RouterSeen struct {
	Interface routing.InterfaceID
	Client    string
	Addr      netip.Addr // link-local
}

func (Discover) input()    {}
func (RouterSeen) effect() {}

// Intervals of advertisements among routers that look for each other. RFC 4861 §6.2.1 has
// 4 s as the least maximum.
const (
	discoverMaxInterval = 10 * time.Second
	discoverMinInterval = 3300 * time.Millisecond
)

// discover takes in what a client asks for.
func (m *Machine) discover(x Discover) {
	clients := m.discoverers[x.Interface]
	if x.Wanted == clients[x.Client] {
		return
	}
	if !x.Wanted {
		if delete(clients, x.Client); len(clients) == 0 {
			delete(m.discoverers, x.Interface)
		}
	} else {
		if clients == nil {
			clients = map[string]bool{}
			m.discoverers[x.Interface] = clients
		}
		clients[x.Client] = true
	}
	i := m.ifaces[x.Interface]
	if i == nil {
		return
	}
	m.reconfigureRA(i)
	if !x.Wanted {
		return
	}
	for _, n := range m.sorted() {
		if n.iface == i && n.router && n.addr.IsLinkLocalUnicast() {
			m.emit(RouterSeen{i.id, x.Client, n.addr})
		}
	}
}

// routerSeen tells those who ask of a router's advertisement.
func (m *Machine) routerSeen(i *iface, from netip.Addr) {
	if !from.IsLinkLocalUnicast() || i.owns(from) != nil { // RFC 4861 §6.1.2
		return
	}
	for _, client := range slices.Sorted(maps.Keys(m.discoverers[i.id])) {
		m.emit(RouterSeen{i.id, client, from})
	}
}

// advertising is what the interface advertises, nil if nothing.
func (m *Machine) advertising(i *iface) *RAConfig {
	if len(m.discoverers[i.id]) == 0 {
		return i.RA
	}
	c := RAConfig{CurHopLimit: 64, MinInterval: discoverMinInterval, MaxInterval: discoverMaxInterval}
	if i.RA != nil {
		c = *i.RA
		c.MaxInterval = min(c.MaxInterval, discoverMaxInterval)
		c.MinInterval = min(c.MinInterval, discoverMinInterval)
	}
	return &c
}
