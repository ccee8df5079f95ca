package router

import (
	"net/netip"
	"sync"
	"time"

	"routerd/dataplane"
	"routerd/internal/packet"
	"routerd/routing"
)

// LinkLocal is what the router's own TCP/IP stack has of the links: TCP between
// link-local addresses, which mean nothing without their link and so cannot go
// by the one port of the stack. Any goroutine may use it.
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

// LinkLocal gives the way of the stack to the links.
func (r *Router) LinkLocal() *LinkLocal { return r.linkLocal }

// Describe gives the name, MTU and link-local addresses of a link, and whether
// there is one of that number.
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

// linkLocalSink takes the packets of one link.
type linkLocalSink struct{ take func(packet []byte) bool }

// Hear implements dataplane.Sink.
func (s *linkLocalSink) Hear(h *dataplane.Heard) bool { return s.take(h.Packet) }

// Open hands take the TCP packets for the link-local addresses of a link, until
// end is called. Several workers call it, it must not wait, keeps nothing of the
// packet, and reports whether it took it.
func (l *LinkLocal) Open(link routing.InterfaceID, take func(packet []byte) bool) (end func(), err error) {
	c := dataplane.Claim{Family: 6, Protocol: packet.ProtoTCP, LinkLocal: true, Sink: &linkLocalSink{take}}
	on := l.listening.on(link)
	if err := on.Claim(c); err != nil {
		return nil, err
	}
	return func() { on.Release(c) }, nil
}

// Send sends packets of the stack, with all checksums, by a link. What is not TCP
// from one of the link's own link-local addresses to another is not sent.
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
		l.sender.list = append(l.sender.list, dataplane.Spoken{Out: link, Packet: raw})
	}
	l.sender.flush(v, now)
}
