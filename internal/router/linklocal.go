package router

import (
	"net/netip"
	"sync"
	"time"

	"routerd/dataplane"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
)

// LinkLocal connects the router's own TCP/IP stack to the links for TCP between
// link-local addresses, which are meaningless without their link and so cannot
// use the stack's one port. Any goroutine may use it.
type LinkLocal struct {
	Counters *dataplane.Counters
	Drops    *dataplane.DropRing

	live      *dataplane.Live
	listening *listening

	mu     sync.Mutex // guards sender
	sender sender
}

func newLinkLocal(r *Router) *LinkLocal {
	l := &LinkLocal{Counters: &dataplane.Counters{}, Drops: &dataplane.DropRing{}, live: &r.live, listening: &r.listening}
	l.sender = newSender(l.Counters, l.Drops, r.neighbors)
	l.sender.batch.Stream = firstProtocolStream + uint32(len(r.protocols))
	return l
}

// LinkLocal returns the stack's access to the links.
func (r *Router) LinkLocal() *LinkLocal { return r.linkLocal }

// Describe returns the name, MTU and link-local addresses of a link, and false
// if there is no link with that number.
func (l *LinkLocal) Describe(link routing.InterfaceID) (name string, mtu int, addresses []netip.Prefix, ok bool) {
	i := l.live.Load().Interface(link)
	if i == nil || i.Kind == dataplane.KindStack {
		return "", 0, nil, false
	}
	for _, a := range i.Addresses {
		if a.Addr().Is6() && a.Addr().IsLinkLocalUnicast() {
			addresses = append(addresses, a)
		}
	}
	return i.Name, i.MTU, addresses, true
}

// linkLocalSink receives the packets of one link.
type linkLocalSink struct{ take func(packet []byte) bool }

// Receive implements dataplane.Sink.
func (s *linkLocalSink) Receive(h *dataplane.Received) verdict.Verdict {
	if !s.take(h.Packet) {
		return verdict.ProtocolQueueFull
	}
	return verdict.HandedToProtocol
}

// Open passes the TCP packets for the link-local addresses of a link to take,
// until end is called. Several workers call take concurrently; it must not
// block or keep the packet, and reports whether it took it.
func (l *LinkLocal) Open(link routing.InterfaceID, take func(packet []byte) bool) (end func(), err error) {
	c := dataplane.Claim{Family: 6, Protocol: packet.ProtoTCP, LinkLocal: true, Sink: &linkLocalSink{take}}
	on := l.listening.on(link)
	if err := on.Claim(c); err != nil {
		return nil, err
	}
	return func() { on.Release(c) }, nil
}

// Send sends packets of the stack, with all checksums, on a link. It drops
// packets that are not TCP from one of the link's own link-local addresses to
// another link-local address.
func (l *LinkLocal) Send(link routing.InterfaceID, packets [][]byte, now time.Time) {
	v := l.live.Load()
	i := v.Interface(link)
	if i == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, raw := range packets {
		ip := packet.IPv6(raw)
		if !ip.Valid() || ip.NextHeader() != packet.ProtoTCP || !ip.Dst().IsLinkLocalUnicast() || !ip.Src().IsLinkLocalUnicast() || !i.Holds(ip.Src()) {
			continue
		}
		if len(l.sender.list) == sendAtOnce {
			l.sender.flush(v, now)
		}
		l.sender.list = append(l.sender.list, dataplane.OwnPacket{Out: link, Packet: raw})
	}
	l.sender.flush(v, now)
}
