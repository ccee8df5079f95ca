package beacon

import (
	"maps"
	"net/netip"
	"slices"

	"routerd/routing"
	"routerd/routing/protocol"
)

// follow begins or ends to speak on a link.
func (c *Core) follow(id routing.InterfaceID) {
	l, up := c.links[id]
	wanted := up && slices.Contains(c.cfg.Interfaces, l.Name)
	if wanted == c.speaking[id] {
		return
	}
	if wanted {
		c.speaking[id] = true
		c.hear()
		return
	}
	delete(c.speaking, id)
	c.hear()
	for _, a := range c.neighbors() {
		if n := c.Neighbors[a]; n.Link == id {
			c.lose(a, n)
		}
	}
}

// hear claims packets and joins groups as the configuration and the links are
// now, and gives up what is not wanted any more.
func (c *Core) hear() {
	var wanted []protocol.Effect
	claim := func(id routing.InterfaceID) {
		wanted = append(wanted,
			protocol.Claim{Link: id, Family: c.cfg.Family, Protocol: udp, Port: Port},
			protocol.Claim{Link: id, Family: c.cfg.Family, Protocol: Probe})
	}
	if c.cfg.Wide && len(c.speaking) > 0 {
		claim(routing.NoInterface)
	}
	for _, id := range slices.Sorted(maps.Keys(c.speaking)) {
		if !c.cfg.Wide {
			claim(id)
		}
		for _, g := range c.cfg.Groups {
			wanted = append(wanted, protocol.Join{Link: id, Group: g})
		}
	}
	for _, e := range c.held {
		if slices.Contains(wanted, e) {
			continue
		}
		switch e := e.(type) {
		case protocol.Claim:
			c.emit(protocol.Release(e))
		case protocol.Join:
			c.emit(protocol.Leave(e))
		}
	}
	for _, e := range wanted {
		if !slices.Contains(c.held, e) {
			c.emit(e)
		}
	}
	c.held = wanted
}

// source is the address that the router speaks with on a link.
func (c *Core) source(id routing.InterfaceID) (netip.Addr, bool) {
	for _, p := range c.links[id].Addresses {
		if a := p.Addr(); c.cfg.Family == 4 && a.Is4() || c.cfg.Family == 6 && a.Is6() && a.IsLinkLocalUnicast() {
			return a, true
		}
	}
	return netip.Addr{}, false
}
