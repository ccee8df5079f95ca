package sim

import (
	"fmt"
	"net/netip"
	"slices"

	"routerd/dataplane"
	"routerd/internal/router"
	"routerd/routing"
	"routerd/routing/protocol"
)

// tcpClient is the TCP of one protocol of a node.
type tcpClient struct {
	*tcp
	of *router.Protocol
}

var _ router.Streams = (*tcpClient)(nil)

// Carry implements router.Streams.
func (t *tcpClient) Carry(effect protocol.Effect) {
	switch e := effect.(type) {
	case protocol.Dial:
		t.dial(e)
	case protocol.Listen:
		t.listen(e)
	case protocol.SetPeer:
		if l := t.byID(e.ID); l != nil {
			l.forget(e.Remote, e.Link)
			l.cfg.Peers = append(l.cfg.Peers, e.StreamPeer)
			if linkLocal(e.Remote.Addr()) {
				_ = t.open(e.Link) // its segments are not heard where somebody else has them
			}
		}
	case protocol.ForgetPeer:
		if l := t.byID(e.ID); l != nil {
			l.forget(e.Remote, e.Link)
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

func (l *tcpListener) forget(remote netip.Prefix, link routing.InterfaceID) {
	link = linkOf(remote.Addr(), link)
	l.cfg.Peers = slices.DeleteFunc(slices.Clone(l.cfg.Peers), func(p protocol.StreamPeer) bool {
		return p.Remote == remote && linkOf(p.Remote.Addr(), p.Link) == link
	})
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
	case t.listener(e.Local, linkOf(e.Local.Addr(), e.Link)) != nil:
		err = fmt.Errorf("listening at %v: somebody else has the port", e.Local)
	case !e.Local.Addr().IsUnspecified() && !t.node.Holds(e.Local.Addr()):
		err = fmt.Errorf("listening at %v: the router's own stack has no such address", e.Local)
	}
	if err == nil && linkLocal(e.Local.Addr()) {
		err = t.open(e.Link)
	}
	for _, p := range e.Peers {
		if err == nil && linkLocal(p.Remote.Addr()) {
			err = t.open(p.Link)
		}
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
		local = netip.AddrPortFrom(t.source(e.Remote.Addr(), e.Link), local.Port())
	}
	if local.Port() == 0 {
		local = netip.AddrPortFrom(local.Addr(), uint16(32768+t.rand.IntN(16384)))
	}
	link := linkOf(e.Remote.Addr(), e.Link)
	var err error
	switch {
	case t.end == nil:
		err = protocol.ErrNoStack
	case !local.Addr().IsValid() || !t.node.Holds(local.Addr()):
		err = fmt.Errorf("connecting to %v from %v: the router's own stack has no such address", e.Remote, local.Addr())
	case slices.ContainsFunc(t.conns, func(c *tcpConn) bool { return c.local == local && c.remote == e.Remote && c.link == link }):
		err = fmt.Errorf("connecting to %v from %v: that connection is there already", e.Remote, local)
	}
	if err == nil && link != routing.NoInterface {
		err = t.open(link)
	}
	if err != nil {
		t.say(t.of, protocol.Closed{ID: e.ID, Err: err}, nil)
		return
	}
	c := t.begin(t, e.ID, local, e.Remote, e.StreamOptions)
	c.link = link
	c.state = synSent
	c.transmit()
}

// source is the address that the stack speaks from to a remote one: that of the
// subnet in which it is, or else the first of its family.
func (t *tcp) source(remote netip.Addr, link routing.InterfaceID) (first netip.Addr) {
	if linkLocal(remote) {
		if _, _, own, _ := t.node.Router.LinkLocal().Describe(link); len(own) > 0 {
			return own[0].Addr()
		}
		return first
	}
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
