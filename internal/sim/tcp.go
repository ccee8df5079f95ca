package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"routerd/dataplane"
	"routerd/dataplane/port/memory"
	"routerd/internal/router"
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

// tcpClient is the TCP of one protocol of a node.
type tcpClient struct {
	*tcp
	of *router.Protocol
}

var _ router.Streams = (*tcpClient)(nil)

var errStackAnew = errors.New("the router's own stack was made anew")

// newTCP makes the TCP of a node's new life. Its chance is of its own, so that a
// network without connections is what it would be without it.
func newTCP(n *Node) *tcp {
	place := uint64(len(n.net.Nodes))<<48 ^ uint64(n.net.clock.now.UnixNano())
	return &tcp{node: n, rand: rand.New(rand.NewPCG(n.net.Seed, place))}
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
			t.receive(&s)
		}
	}
	return len(came) > 0
}

// poll does what is due and hands on what protocols are to hear; it reports
// whether there was anything.
func (t *tcp) poll(now time.Time) bool {
	worked := false
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
	if t.end != nil && t.end.port != nil {
		t.end.port.Inject(memory.Packet{Data: s.packet(secret)})
		t.node.wake()
	}
}

// receive hands a segment to the connection or listener that it is for, or says
// that there is none.
func (t *tcp) receive(s *segment) {
	for _, c := range t.conns {
		if c.local == s.dst && c.remote == s.src {
			if s.hops >= c.options.MinTTL && s.genuine(c.options.Secret) {
				c.receive(s)
			}
			return
		}
	}
	if s.flags&(flagSYN|flagACK|flagRST) == flagSYN {
		if l := t.listener(s.dst); l != nil {
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
	r := segment{src: s.dst, dst: s.src, hops: 64, flags: flagRST, seq: s.ack}
	if s.flags&flagACK == 0 {
		r.flags, r.seq, r.ack = flagRST|flagACK, 0, s.seq+s.length()
	}
	t.send(&r, "")
}

// listener gives the one at an address, or at all.
func (t *tcp) listener(at netip.AddrPort) *tcpListener {
	for _, l := range t.listeners {
		if a := l.cfg.Local; a.Port() == at.Port() && a.Addr().Is4() == at.Addr().Is4() && (a.Addr() == at.Addr() || a.Addr().IsUnspecified()) {
			return l
		}
	}
	return nil
}

// optionsFor gives what holds for a remote address.
func (l *tcpListener) optionsFor(a netip.Addr) protocol.StreamOptions {
	o, best := l.cfg.StreamOptions, -1
	for _, p := range l.cfg.Peers {
		if p.Remote.Contains(a) && p.Remote.Bits() > best {
			o, best = p.StreamOptions, p.Remote.Bits()
		}
	}
	return o
}

// accept begins a connection with who sent a first segment, if that is as the
// protocol wants it.
func (l *tcpListener) accept(s *segment) {
	o := l.optionsFor(s.src.Addr())
	if s.hops < o.MinTTL || !s.genuine(o.Secret) {
		return
	}
	t := l.client.tcp
	t.accepted++
	c := t.begin(l.client, t.accepted|protocol.AcceptedStream, s.dst, s.src, o)
	c.listener, c.state = l.cfg.ID, synReceived
	c.heard = s.seq + 1
	c.hears(s)
	c.transmit()
}

// Carry implements router.Streams.
func (t *tcpClient) Carry(effect protocol.Effect) {
	switch e := effect.(type) {
	case protocol.Dial:
		t.dial(e)
	case protocol.Listen:
		t.listen(e)
	case protocol.SetPeer:
		if l := t.byID(e.ID); l != nil {
			l.forget(e.Remote)
			l.cfg.Peers = append(l.cfg.Peers, e.StreamPeer)
		}
	case protocol.ForgetPeer:
		if l := t.byID(e.ID); l != nil {
			l.forget(e.Remote)
		}
	case protocol.Write:
		if c := t.conn(e.ID); c != nil {
			c.write(e.Data)
		}
	case protocol.CloseStream:
		if c := t.conn(e.ID); c != nil {
			c.close(e.Reset)
		}
		t.listeners = slices.DeleteFunc(t.listeners, func(l *tcpListener) bool { return l.client == t && l.cfg.ID == e.ID })
	}
	t.node.wake()
}

func (l *tcpListener) forget(remote netip.Prefix) {
	l.cfg.Peers = slices.DeleteFunc(slices.Clone(l.cfg.Peers), func(p protocol.StreamPeer) bool { return p.Remote == remote })
}

func (t *tcpClient) byID(id protocol.StreamID) *tcpListener {
	for _, l := range t.listeners {
		if l.client == t && l.cfg.ID == id {
			return l
		}
	}
	return nil
}

func (t *tcpClient) conn(id protocol.StreamID) *tcpConn {
	for _, c := range t.conns {
		if c.client == t && c.id == id {
			return c
		}
	}
	return nil
}

func (t *tcpClient) listen(e protocol.Listen) {
	var err error
	switch {
	case t.end == nil:
		err = protocol.ErrNoStack
	case t.listener(e.Local) != nil:
		err = fmt.Errorf("listening at %v: somebody else has the port", e.Local)
	case !e.Local.Addr().IsUnspecified() && !t.node.Holds(e.Local.Addr()):
		err = fmt.Errorf("listening at %v: the router's own stack has no such address", e.Local)
	}
	if err != nil {
		t.say(t.of, protocol.Closed{ID: e.ID, Err: err}, nil)
		return
	}
	t.listeners = append(t.listeners, &tcpListener{t, e})
}

func (t *tcpClient) dial(e protocol.Dial) {
	local := e.Local
	if !local.Addr().IsValid() {
		local = netip.AddrPortFrom(t.source(e.Remote.Addr()), local.Port())
	}
	if local.Port() == 0 {
		local = netip.AddrPortFrom(local.Addr(), uint16(32768+t.rand.IntN(16384)))
	}
	var err error
	switch {
	case t.end == nil:
		err = protocol.ErrNoStack
	case !local.Addr().IsValid() || !t.node.Holds(local.Addr()):
		err = fmt.Errorf("connecting to %v from %v: the router's own stack has no such address", e.Remote, local.Addr())
	case slices.ContainsFunc(t.conns, func(c *tcpConn) bool { return c.local == local && c.remote == e.Remote }):
		err = fmt.Errorf("connecting to %v from %v: that connection is there already", e.Remote, local)
	}
	if err != nil {
		t.say(t.of, protocol.Closed{ID: e.ID, Err: err}, nil)
		return
	}
	c := t.begin(t, e.ID, local, e.Remote, e.StreamOptions)
	c.state = synSent
	c.transmit()
}

// source is the address that the stack speaks from to a remote one: that of the
// subnet in which it is, or else the first of its family.
func (t *tcp) source(remote netip.Addr) (first netip.Addr) {
	for _, i := range t.node.Config.Dataplane.Interfaces {
		if i.Kind == dataplane.KindStack {
			continue
		}
		for _, a := range i.Addresses {
			if a.Prefix.Contains(remote) {
				return a.Prefix.Addr()
			}
			if !first.IsValid() && a.Prefix.Addr().Is4() == remote.Is4() {
				first = a.Prefix.Addr()
			}
		}
	}
	return first
}
