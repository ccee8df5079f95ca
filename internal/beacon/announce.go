package beacon

import (
	"cmp"
	"crypto/hmac"
	"encoding/binary"
	"log/slog"
	"maps"
	"net/netip"
	"slices"

	"routerd/routing"
	"routerd/routing/keys"
	"routerd/routing/protocol"
)

// An announcement is a sequence number of 8 octets, prefixes (length of the
// address, address, bits) and, where it is signed, the number of the key and the
// HMAC of all before.

// announce says on every link what this router has, and probes its neighbours.
func (c *Core) announce(prefixes []netip.Prefix) {
	b := binary.BigEndian.AppendUint64(nil, c.Sequence)
	for _, p := range prefixes {
		a := p.Addr().AsSlice()
		b = append(append(append(b, byte(len(a))), a...), byte(p.Bits()))
	}
	if len(c.cfg.Keys) > 0 {
		k, _ := c.cfg.Keys.Sending(c.now)
		if k == nil {
			return
		}
		b = append(append(b, 0, k.ID), signature(k, b)...)
	}
	for _, id := range slices.Sorted(maps.Keys(c.speaking)) {
		src, ok := c.source(id)
		for _, g := range c.cfg.Groups {
			if ok {
				c.emit(protocol.Send{
					Link: id, Src: src, Dst: g, Protocol: udp, SrcPort: Port, DstPort: Port, HopLimit: 1, Payload: slices.Clone(b),
				})
			}
		}
	}
	for _, a := range c.neighbors() {
		n := c.Neighbors[a]
		if src, ok := c.source(n.Link); ok {
			c.emit(protocol.Send{Link: n.Link, Src: src, Dst: a, Protocol: Probe, HopLimit: 1, Payload: []byte("probe")})
		}
	}
}

func signature(k *keys.Key, b []byte) []byte {
	h := hmac.New(k.Algorithm.New, k.Secret)
	h.Write(b)
	return h.Sum(nil)
}

func (c *Core) receive(in protocol.Received) {
	if !c.speaking[in.Link] || len(in.Payload) == 0 {
		return
	}
	if in.Protocol == Probe {
		c.Probes++
		return
	}
	prefixes, tail, ok := decode(in.Payload)
	if !ok || !c.genuine(in.Payload, tail) {
		c.Forged++
		return
	}
	n := c.Neighbors[in.Src]
	if n == nil {
		n = &Neighbor{Link: in.Link, slots: map[netip.Prefix]routing.SlotID{}}
		c.Neighbors[in.Src] = n
		c.emit(protocol.Event{Level: slog.LevelInfo, What: "neighbor seen", Link: in.Link, Neighbor: in.Src})
		c.emit(protocol.HopState{Link: in.Link, Address: in.Src, Cause: routing.CauseProtocol, Alive: true})
		c.emit(protocol.Track{Address: in.Src, Link: in.Link})
		c.meet(in.Src, n)
	}
	n.Heard, n.Sequence = c.now, binary.BigEndian.Uint64(in.Payload)
	for _, p := range prefixes {
		c.offer(in.Src, n, p)
	}
	for _, p := range slices.SortedFunc(maps.Keys(n.slots), comparePrefixes) {
		if !slices.Contains(prefixes, p) {
			c.withdraw(n, p)
		}
	}
	c.marks++
	c.emit(protocol.Mark{Number: c.marks})
}

// decode gives the prefixes of an announcement and where its signature begins,
// its end without one.
func decode(b []byte) (list []netip.Prefix, tail int, ok bool) {
	for at := 8; ; {
		if at >= len(b) || b[at] == 0 {
			return list, at, at <= len(b)
		}
		size := int(b[at])
		if len(b) < at+size+2 {
			return nil, 0, false
		}
		a, ok := netip.AddrFromSlice(b[at+1 : at+1+size])
		p := netip.PrefixFrom(a, int(b[at+1+size]))
		if !ok || !p.IsValid() {
			return nil, 0, false
		}
		list = append(list, p.Masked())
		at += size + 2
	}
}

// genuine reports whether an announcement is signed as the configuration wants.
func (c *Core) genuine(b []byte, tail int) bool {
	if len(c.cfg.Keys) == 0 {
		return tail == len(b)
	}
	if len(b) < tail+2 {
		return false
	}
	k := c.cfg.Keys.Accepting(b[tail+1], c.now)
	return k != nil && hmac.Equal(b[tail+2:], signature(k, b[:tail]))
}

func (c *Core) offer(a netip.Addr, n *Neighbor, p netip.Prefix) {
	id, ok := n.slots[p]
	if !ok {
		id = c.start.Slots.Take(p)
		n.slots[p] = id
	}
	s := c.start.Slots.At(id)
	if len(s.NextHops) == 0 {
		s.NextHops = []routing.NextHop{{Address: a, Interface: n.Link}}
	}
	s.Metric = 1
	c.start.Slots.Offer(id)
}

func (c *Core) withdraw(n *Neighbor, p netip.Prefix) {
	c.start.Slots.Free(n.slots[p])
	delete(n.slots, p)
}

func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}
