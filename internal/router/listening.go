package router

import (
	"encoding/binary"
	"log/slog"
	"sync"

	"routerd/dataplane"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
	"routerd/routing/protocol"
)

// listening finds the listeners of an interface by its number, for protocols on
// their own goroutines. Listeners live as long as the router: an interface that
// is removed and comes back still has the claims made before.
type listening struct {
	mu    sync.Mutex
	links map[routing.InterfaceID]*dataplane.Listeners
}

// on returns the listeners of an interface; those of NoInterface receive from
// all.
func (l *listening) on(link routing.InterfaceID) *dataplane.Listeners {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.links == nil {
		l.links = map[routing.InterfaceID]*dataplane.Listeners{}
	}
	if l.links[link] == nil {
		l.links[link] = &dataplane.Listeners{}
	}
	return l.links[link]
}

// groupsChanged asks the router's owner to have the device of an interface
// receive the multicast groups that the protocols have joined by now.
type groupsChanged struct{ link routing.InterfaceID }

func (p *Protocol) claim(c protocol.Claim) {
	if err := p.hearing.on(c.Link).Claim(p.claimOf(c)); err != nil {
		p.Owner(protocol.Event{Level: slog.LevelError, What: "packets not heard", Link: c.Link, Err: err})
	}
}

func (p *Protocol) release(c protocol.Claim) { p.hearing.on(c.Link).Release(p.claimOf(c)) }

func (p *Protocol) claimOf(c protocol.Claim) dataplane.Claim {
	return dataplane.Claim{
		Family: uint8(c.Family), Protocol: c.Protocol, Port: c.Port, Broadcast: c.Broadcast, Sink: p,
	}
}

// join joins a multicast group: the dataplane accepts its packets from now on,
// and the owner informs the device and, by IGMP or MLD, the link's other
// routers.
func (p *Protocol) join(j protocol.Join) {
	if p.joined[j] {
		return
	}
	p.joined[j] = true
	p.hearing.on(j.Link).Join(j.Group)
	p.post.request(groupsChanged{j.Link})
}

func (p *Protocol) leave(j protocol.Join) {
	if !p.joined[j] {
		return
	}
	delete(p.joined, j)
	p.hearing.on(j.Link).Leave(j.Group)
	p.post.request(groupsChanged{j.Link})
}

// delivery is a packet on its way from a worker to the core. They are reused.
type delivery struct {
	protocol.Received
	buf   []byte
	share *share // of the inbox
}

var deliveries = sync.Pool{New: func() any { return &delivery{} }}

func (h *delivery) free() { deliveries.Put(h) }

// Receive implements dataplane.Sink: it copies the packet to the inbox if there is
// room for one of its sender.
func (p *Protocol) Receive(h *dataplane.Received) verdict.Verdict {
	r := protocol.Received{Link: h.In}
	if h.Packet[0]>>4 == 4 {
		ip := packet.IPv4(h.Packet)
		r.Src, r.Dst, r.HopLimit, r.Protocol = ip.Src(), ip.Dst(), ip.TTL(), ip.Protocol()
	} else {
		ip := packet.IPv6(h.Packet)
		r.Src, r.Dst, r.HopLimit, r.Protocol = ip.Src(), ip.Dst(), ip.HopLimit(), h.Protocol
	}
	share, refused := p.admission.admit(source{r.Link, r.Src}, r.HopLimit, len(h.Packet)-h.Transport, h.At)
	if share == nil {
		return refused
	}
	in := deliveries.Get().(*delivery)
	in.buf = append(in.buf[:0], h.Packet[h.Transport:]...)
	in.Received, in.Payload, in.share = r, in.buf, share
	if in.Protocol == packet.ProtoUDP {
		udp := packet.UDP(in.buf)
		in.SrcPort, in.DstPort = binary.BigEndian.Uint16(udp), binary.BigEndian.Uint16(udp[2:])
		in.Payload = udp[packet.UDPHeader:udp.Length()]
	}
	if !p.Inbox.Offer(in) {
		p.admission.leave(share, len(in.buf))
		in.free()
		return verdict.ProtocolQueueFull
	}
	return verdict.HandedToProtocol
}
