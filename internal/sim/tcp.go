package sim

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"routerd/dataplane"
	"routerd/dataplane/port/memory"
	"routerd/internal/router"
	"routerd/routing"
	"routerd/routing/protocol"
)

// tcp is a node's own TCP, which stands behind a port of the router's own stack as
// the kernel's does in the daemon: a small one, without selective acknowledgements
// and congestion control, whose segments find their way by the routers alone.
type tcp struct {
	node      *Node
	rand      *rand.Rand
	end       *End // the stack's port; nil where the configuration has none
	conns     []*tcpConn
	listeners []*tcpListener
	accepted  protocol.StreamID
	news      []tcpNews
	// links are those on which somebody talks between link-local addresses, and
	// arrived what came by them.
	links   map[routing.InterfaceID]bool
	arrived []segment
}

// tcpNews is an input that a protocol has not been handed yet.
type tcpNews struct {
	to      *router.Protocol
	in      protocol.Input
	stepped func()
}

type tcpListener struct {
	client *tcpClient
	cfg    protocol.Listen
}

var errStackAnew = errors.New("the router's own stack was made anew")

// newTCP makes the TCP of a node's new life. Its chance is of its own, so that a
// network without connections is what it would be without it.
func newTCP(n *Node) *tcp {
	place := uint64(len(n.net.Nodes))<<48 ^ uint64(n.net.clock.now.UnixNano())
	return &tcp{node: n, links: map[routing.InterfaceID]bool{}, rand: rand.New(rand.NewPCG(n.net.Seed, place))}
}

// prepareStack gives the stack of a configuration the default limits, and takes
// one away that a new configuration has not.
func (n *Node) prepareStack(cfg *router.Config) error {
	for _, ic := range cfg.Dataplane.Interfaces {
		if ic.Kind == dataplane.KindStack {
			if cfg.Dataplane.Stack.Rate == 0 {
				cfg.Dataplane.Stack = dataplane.StackConfig{Rate: 50_000, Burst: 5_000}
			}
			return nil
		}
	}
	if e := n.tcp.end; e != nil {
		n.tcp.attach(nil)
		delete(n.workers, e)
		e.port = nil
		return n.Router.Detach(e.Interface, n.net.clock.now)
	}
	return nil
}

// say hands a protocol an input when it has room.
func (t *tcp) say(to *router.Protocol, in protocol.Input, stepped func()) {
	if stepped == nil {
		stepped = func() {}
	}
	t.news = append(t.news, tcpNews{to, in, stepped})
}

// attach puts the stack behind a port, or takes it away with nil.
func (t *tcp) attach(e *End) {
	t.end = e
	if e != nil {
		return
	}
	t.reset(protocol.ErrNoStack)
	for _, l := range t.listeners {
		t.say(l.client.of, protocol.Closed{ID: l.cfg.ID, Err: protocol.ErrNoStack}, nil)
	}
	t.listeners = nil
}

// reset ends all connections without a word to their other ends.
func (t *tcp) reset(why error) {
	for _, c := range slices.Clone(t.conns) {
		c.fail(why)
	}
}

// RemakeStack has the router's own stack be deleted and made anew at once:
// connections end, listeners are there again.
func (n *Node) RemakeStack() {
	n.net.note("%s: its own stack is made anew", n.Name)
	n.tcp.reset(errStackAnew)
	n.wake()
}

// take takes what came for the stack, and reports whether there was anything.
func (t *tcp) take() bool {
	came := t.end.port.Take()
	for _, p := range came {
		if s, ok := parseSegment(p.Data); ok {
			s.link = routing.NoInterface
			t.receive(&s)
		}
	}
	return len(came) > 0
}

// open has the stack hear what comes for the link-local addresses of a link.
func (t *tcp) open(link routing.InterfaceID) error {
	if t.links[link] {
		return nil
	}
	_, err := t.node.Router.LinkLocal().Open(link, func(packet []byte) bool {
		if s, ok := parseSegment(slices.Clone(packet)); ok && t.end != nil {
			s.link = link
			t.arrived = append(t.arrived, s)
		}
		return true
	})
	if err == nil {
		t.links[link] = true
	}
	return err
}

// linkLocal reports whether an address has to be told with its link.
func linkLocal(a netip.Addr) bool { return a.Is6() && a.IsLinkLocalUnicast() }

// linkOf is the link of a connection or peer: none, unless its address is
// link-local.
func linkOf(a netip.Addr, link routing.InterfaceID) routing.InterfaceID {
	if linkLocal(a) {
		return link
	}
	return routing.NoInterface
}

// poll does what is due and hands on what protocols are to hear; it reports
// whether there was anything.
func (t *tcp) poll(now time.Time) bool {
	worked := len(t.arrived) > 0
	arrived := t.arrived
	t.arrived = nil
	for i := range arrived {
		t.receive(&arrived[i])
	}
	for _, c := range slices.Clone(t.conns) {
		if !c.timer.IsZero() && !c.timer.After(now) || !c.until.IsZero() && !c.until.After(now) {
			worked = true
			c.expire(now)
		}
	}
	for len(t.news) > 0 && t.news[0].to.OfferStream(t.news[0].in, t.news[0].stepped) {
		t.news = t.news[1:]
		worked = true
	}
	return worked
}

func (t *tcp) deadline() (next time.Time) {
	for _, c := range t.conns {
		for _, at := range []time.Time{c.timer, c.until} {
			if !at.IsZero() && (next.IsZero() || at.Before(next)) {
				next = at
			}
		}
	}
	return next
}

// send has the router send a segment of the stack.
func (t *tcp) send(s *segment, secret string) {
	switch {
	case t.end == nil || t.end.port == nil:
		return
	case s.link != routing.NoInterface:
		t.node.Router.LinkLocal().Send(s.link, [][]byte{s.packet(secret)}, t.node.net.clock.now)
	default:
		t.end.port.Inject(memory.Packet{Data: s.packet(secret)})
	}
	t.node.wake()
}

// receive hands a segment to the connection or listener that it is for, or says
// that there is none.
func (t *tcp) receive(s *segment) {
	for _, c := range t.conns {
		if c.local == s.dst && c.remote == s.src && c.link == s.link {
			if s.hops >= c.options.MinTTL && s.genuine(c.options.Secret) {
				c.receive(s)
			}
			return
		}
	}
	if s.flags&(flagSYN|flagACK|flagRST) == flagSYN {
		if l := t.listener(s.dst, s.link); l != nil {
			l.accept(s)
			return
		}
	}
	if s.flags&flagRST == 0 {
		t.refuse(s)
	}
}

// refuse answers a segment that nobody waits for (RFC 9293 §3.10.7.1).
func (t *tcp) refuse(s *segment) {
	r := segment{link: s.link, src: s.dst, dst: s.src, hops: 64, flags: flagRST, seq: s.ack}
	if s.flags&flagACK == 0 {
		r.flags, r.seq, r.ack = flagRST|flagACK, 0, s.seq+s.length()
	}
	t.send(&r, "")
}

// listener gives the one at an address, or at all.
func (t *tcp) listener(at netip.AddrPort, link routing.InterfaceID) *tcpListener {
	for _, l := range t.listeners {
		a := l.cfg.Local
		same := a.Addr() == at.Addr() && linkOf(a.Addr(), l.cfg.Link) == link
		if a.Port() == at.Port() && a.Addr().Is4() == at.Addr().Is4() && (same || a.Addr().IsUnspecified()) {
			return l
		}
	}
	return nil
}

// optionsFor gives what holds for a remote address on a link.
func (l *tcpListener) optionsFor(a netip.Addr, link routing.InterfaceID) protocol.StreamOptions {
	o, best := l.cfg.StreamOptions, -1
	for _, p := range l.cfg.Peers {
		if linkOf(p.Remote.Addr(), p.Link) == link && p.Remote.Contains(a) && p.Remote.Bits() > best {
			o, best = p.StreamOptions, p.Remote.Bits()
		}
	}
	return o
}

// accept begins a connection with who sent a first segment, if that is as the
// protocol wants it.
func (l *tcpListener) accept(s *segment) {
	o := l.optionsFor(s.src.Addr(), s.link)
	if s.hops < o.MinTTL || !s.genuine(o.Secret) {
		return
	}
	t := l.client.tcp
	t.accepted++
	c := t.begin(l.client, t.accepted|protocol.AcceptedStream, s.dst, s.src, o)
	c.link = s.link
	c.listener, c.state = l.cfg.ID, synReceived
	c.heard = s.seq + 1
	c.hears(s)
	c.transmit()
}
