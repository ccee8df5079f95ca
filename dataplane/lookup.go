package dataplane

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"time"

	"routerd/internal/packet"
	"routerd/internal/siphash"
	"routerd/internal/verdict"
	"routerd/routing"
	"routerd/routing/fib"
)

// urpf checks the reverse path: it looks up the route to the source, on
// interfaces configured to (RFC 3704 §2.2, §2.4).
func urpf(v *View, b *Batch, _ time.Time) {
	for _, p := range b.work {
		if p.Verdict != verdict.None {
			continue
		}
		in := v.Interface(p.In)
		if in == nil || in.URPF == URPFOff || p.Src.IsLinkLocalUnicast() || p.Way != nil {
			continue
		}
		table := v.FIB(in)
		if b.asks(table) {
			b.judgeSources(v)
		}
		b.ask(p, table)
		if p.Family == 4 {
			b.query.Add4(p.ip()[12:])
		} else {
			b.query.Add6(p.ip()[8:])
		}
	}
	b.judgeSources(v)
}

// judgeSources looks up what was asked and lets pass who may.
func (b *Batch) judgeSources(v *View) {
	for i, p := range b.find() {
		judgeSource(v, p, b.query.Way(i))
	}
	b.query.Forget()
}

// judgeSource decides by the route to its source whether p may pass.
func judgeSource(v *View, p *Packet, way *fib.Way) {
	p.source = way
	switch v.Interface(p.In).URPF {
	case URPFStrict:
		if !leadsBack(way, p.In) {
			p.drop(verdict.URPFStrict)
		}
	case URPFLoose:
		// RFC 3704 §2.4: the default route must not count, or all would pass.
		if way == nil || way.Default || way.Action != routing.Forward {
			p.drop(verdict.URPFLoose)
		}
	}
}

func leadsBack(way *fib.Way, in routing.InterfaceID) bool {
	return way != nil && way.Action == routing.Forward && way.Group.LeavesBy(in)
}

// asks reports whether the addresses asked for so far have to be looked up before
// another one in this table.
func (b *Batch) asks(table *fib.FIB) bool { return b.query.Full() || table != b.table }

// ask says whose the address is that is added to the query next.
func (b *Batch) ask(p *Packet, table *fib.FIB) {
	b.table = table
	b.asked = append(b.asked, p)
}

// find looks up what was asked, and gives whose addresses they were.
func (b *Batch) find() []*Packet {
	asked := b.asked
	if len(asked) > 0 {
		b.table.Find(b.query)
		b.query.Reset()
		b.asked, b.table = asked[:0], nil
	}
	return asked
}

// lookup finds the longest matching route and one of its next hops.
func lookup(v *View, b *Batch, _ time.Time) {
	for _, p := range b.work {
		if p.Verdict != verdict.None {
			continue
		}
		if p.Way != nil {
			continue // for a group that the router is a member of
		}
		in := v.Interface(p.In)
		if in == nil {
			p.drop(verdict.InterfaceDown)
			continue
		}
		table := v.FIB(in)
		if b.asks(table) {
			b.followWays(v)
		}
		if p.Family == 4 {
			b.ask(p, table)
			b.query.Add4(p.ip()[16:])
			continue
		}
		if p.Dst.IsLinkLocalUnicast() {
			lookupLink(p, in)
			continue
		}
		b.ask(p, table)
		b.query.Add6(p.ip()[24:])
	}
	b.followWays(v)
}

// followWays looks up what was asked and has each packet follow its route.
func (b *Batch) followWays(v *View) {
	for i, p := range b.find() {
		follow(v, p, b.query.Way(i))
	}
	b.query.Forget()
}

// follow does what the route to its destination says of p.
func follow(v *View, p *Packet, way *fib.Way) {
	p.Way = way
	if way == nil {
		p.drop(verdict.NoRoute)
		return
	}
	switch way.Action {
	case routing.Forward:
		if p.Dst == way.Anycast {
			p.Way = anycastAddress
			return
		}
		choose(v, p)
	case routing.Local:
		// deliver handles it
	case routing.Broadcast:
		// RFC 2644: directed broadcasts are not passed on.
		p.drop(verdict.Broadcast)
	case routing.Blackhole:
		p.drop(verdict.Blackhole)
	case routing.Unreachable:
		p.drop(verdict.Unreachable)
	case routing.Prohibit:
		p.drop(verdict.Prohibited)
	}
}

// lookupLink keeps a link-local destination on the link that the packet came in
// by: a link-local address does not say which link it is on.
func lookupLink(p *Packet, in *Interface) {
	switch {
	case !p.Made:
		p.Way = ownAddress // validate has dropped all but our own address
	case in.Up:
		p.Out = in.ID
		p.Hop = onLink
	default:
		p.drop(verdict.InterfaceDown)
	}
}

// ownAddress is the Way of a packet for the router that was not looked up.
var ownAddress = &fib.Way{Action: routing.Local}

// anycastAddress is the Way of the subnet-router anycast address of a
// connected subnet (RFC 4291 §2.6.1). The FIB has no entry for it: one beside
// the router's own address would make the lookup of every neighbour with a low
// interface identifier walk all bytes of its address.
var anycastAddress = &fib.Way{Action: routing.Local}

// Anycast reports whether e, the route to a, is that of a connected subnet and
// a its subnet-router anycast address, and so the router's.
func Anycast(e *fib.Entry, a netip.Addr) bool { return a.IsValid() && e.Way().Anycast == a }

var onLink = &fib.NextHop{Weight: 1}

// choose picks the next hop for the packet's flow and makes the checks that
// depend on it.
func choose(v *View, p *Packet) {
	if p.Hop = p.Way.Group.Only(); p.Hop == nil {
		p.Hop = p.Way.Group.Pick(flowHash(p, &v.Secrets.Flows))
	}
	p.Out = p.Hop.Interface
	out := v.Interface(p.Out)
	switch {
	case out == nil || !out.Up || out.Output == nil:
		p.drop(verdict.InterfaceDown)
	case p.Src.IsLinkLocalUnicast() && p.Family == 6 && !p.Made:
		// RFC 4291 §2.5.6; RFC 4443 §3.1 code 2 tells the sender.
		p.drop(verdict.LinkScope)
	case out.PointToPoint && p.Out == p.In && !p.Hop.Address.IsValid() && !p.Made && !p.turned():
		// RFC 4443 §3.1: on a point-to-point link the packet would come back
		// until its hop limit is used up. A hairpinned packet is another
		// matter: it goes to another inside host.
		p.drop(verdict.BackToPort)
	}
}

// flowHash hashes what all packets of a flow have in common. Only the first
// fragment has ports, so no fragment is hashed by them (RFC 2992 §2).
func flowHash(p *Packet, key *siphash.Key) uint32 {
	ip := p.ip()
	by := key[1]
	h := key[0] ^ uint64(p.Proto)
	if p.Family == 4 {
		h = mix(h^binary.BigEndian.Uint64(ip[12:]), by)
	} else {
		h = mix(h^binary.BigEndian.Uint64(ip[8:]), by)
		h = mix(h^binary.BigEndian.Uint64(ip[16:]), by)
		h = mix(h^binary.BigEndian.Uint64(ip[24:]), by)
		h = mix(h^binary.BigEndian.Uint64(ip[32:]), by)
	}
	if (p.Proto == packet.ProtoTCP || p.Proto == packet.ProtoUDP) && !p.Fragment && len(ip) >= p.l4+4 {
		h = mix(h^uint64(binary.BigEndian.Uint32(ip[p.l4:])), by)
	}
	return uint32(h>>32) ^ uint32(h)
}

// mix spreads every bit of x over the result by one wide multiplication with a
// secret factor. Every packet pays for this hash, so it is cheap; a sender sees
// of it only which path its packets take.
func mix(x, by uint64) uint64 {
	hi, lo := bits.Mul64(x^0x9e3779b97f4a7c15, (by^0xd6e8feb86659fd93)|1)
	return hi ^ lo
}
