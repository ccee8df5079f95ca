package beacon

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"routerd/routing"
	"routerd/routing/protocol"
)

// Streams says how connections with neighbours are. The router of the lower
// address dials; it says hello and, where Bulk is not 0, so many octets more, then
// a plus sign now and then. The other one says all of it back; if it does not, it
// is dialled again.
type Streams struct {
	protocol.StreamOptions
	Bulk int
}

// Stream is the connection with a neighbour.
type Stream struct {
	Up    bool
	Heard []byte // by it
	Times int    // that there was one
	Why   error  // there is none any more

	id   protocol.StreamID
	due  time.Time // when it is dialled, or given up where it is not up by then
	left []byte    // to be written when there is room
	room int
}

// streams is what the core has of connections.
type streams struct {
	last     protocol.StreamID
	of       map[protocol.StreamID]netip.Addr
	listener protocol.StreamID
	listenAt time.Time // it is tried again
	// Refused is why there is no listener.
	refused error
}

func newStreams() streams { return streams{of: map[protocol.StreamID]netip.Addr{}} }

// Refused says why the core does not listen, nil where it does.
func (c *Core) Refused() error { return c.streams.refused }

func (c *Core) number() protocol.StreamID {
	c.streams.last++
	return c.streams.last
}

// listen accepts connections as the configuration wants: from neighbours alone,
// each with the secret before it is told of.
func (c *Core) listen() {
	if c.streams.listener != 0 {
		c.emit(protocol.CloseStream{ID: c.streams.listener})
		c.streams.listener = 0
		for _, a := range c.neighbors() {
			c.part(a, c.Neighbors[a])
		}
	}
	c.streams.listenAt = time.Time{}
	if c.cfg.Streams == nil {
		return
	}
	every := netip.IPv4Unspecified()
	if c.cfg.Family == 6 {
		every = netip.IPv6Unspecified()
	}
	l := protocol.Listen{
		ID: c.number(), Local: netip.AddrPortFrom(every, Port), Link: routing.NoInterface,
		StreamOptions: protocol.StreamOptions{TTL: c.cfg.Streams.TTL, MinTTL: c.cfg.Streams.MinTTL, DSCP: c.cfg.Streams.DSCP},
	}
	c.streams.listener, c.streams.refused = l.ID, nil
	c.emit(l)
	for _, a := range c.neighbors() {
		if n := c.Neighbors[a]; n.Stream.id == 0 {
			c.meet(a, n)
		}
	}
}

// meet lets a neighbour connect, or connects with it.
func (c *Core) meet(a netip.Addr, n *Neighbor) {
	if c.cfg.Streams == nil {
		return
	}
	if c.streams.listener != 0 {
		c.emit(protocol.SetPeer{ID: c.streams.listener, StreamPeer: protocol.StreamPeer{
			Remote: netip.PrefixFrom(a, a.BitLen()), Link: n.Link, StreamOptions: c.cfg.Streams.StreamOptions,
		}})
	}
	c.call(a, n)
}

// call connects with a neighbour, if it is this router that has to.
func (c *Core) call(a netip.Addr, n *Neighbor) {
	if own, ok := c.source(n.Link); ok && c.cfg.Streams != nil && own.Less(a) {
		c.dial(a, n)
	}
}

// part ends what meet began.
func (c *Core) part(a netip.Addr, n *Neighbor) {
	if c.streams.listener != 0 {
		c.emit(protocol.ForgetPeer{ID: c.streams.listener, Remote: netip.PrefixFrom(a, a.BitLen()), Link: n.Link})
	}
	if n.Stream.id != 0 {
		delete(c.streams.of, n.Stream.id)
		c.emit(protocol.CloseStream{ID: n.Stream.id, Reset: true})
	}
	n.Stream = Stream{Times: n.Stream.Times, Why: n.Stream.Why}
}

// goodbye says the last on each connection.
func (c *Core) goodbye() {
	for _, a := range c.neighbors() {
		if s := &c.Neighbors[a].Stream; s.Up {
			c.emit(protocol.Write{ID: s.id, Data: []byte("goodbye")})
			c.emit(protocol.CloseStream{ID: s.id})
		}
	}
}

func (c *Core) dial(a netip.Addr, n *Neighbor) {
	s := &n.Stream
	s.id, s.due = c.number(), c.now.Add(c.cfg.Dead)
	c.streams.of[s.id] = a
	local, _ := c.source(n.Link)
	link := routing.NoInterface
	if c.cfg.Family == 6 {
		link = n.Link
	}
	c.emit(protocol.Dial{
		ID: s.id, Local: netip.AddrPortFrom(local, 0), Remote: netip.AddrPortFrom(a, Port), Link: link,
		StreamOptions: c.cfg.Streams.StreamOptions,
	})
}

// redial gives up a connection that did not come in time, and dials.
func (c *Core) redial(a netip.Addr, n *Neighbor) {
	if s := &n.Stream; s.id != 0 {
		delete(c.streams.of, s.id)
		c.emit(protocol.CloseStream{ID: s.id, Reset: true})
		*s = Stream{Times: s.Times, Why: fmt.Errorf("nothing was heard for %v", c.cfg.Dead)}
	}
	c.dial(a, n)
}

// stream follows the connections.
func (c *Core) stream(in protocol.Input) {
	switch in := in.(type) {
	case protocol.Connected:
		c.connected(in)
	case protocol.Read:
		s := c.open(in.ID)
		if s == nil {
			return
		}
		s.Heard = append(s.Heard, in.Data...)
		if in.ID&protocol.AcceptedStream == 0 {
			s.due = c.now.Add(c.cfg.Dead)
		} else {
			s.left = append(s.left, in.Data...)
			c.write(s)
		}
	case protocol.Written:
		if s := c.open(in.ID); s != nil {
			s.room = in.Room
			c.write(s)
		}
	case protocol.Closed:
		c.closed(in)
	}
}

// open gives the connection with the number, nil where it is over: the core may have
// given it up in the same step, since time comes before the input.
func (c *Core) open(id protocol.StreamID) *Stream {
	if n := c.Neighbors[c.streams.of[id]]; n != nil && n.Stream.id == id {
		return &n.Stream
	}
	return nil
}

func (c *Core) connected(in protocol.Connected) {
	a := in.Remote.Addr()
	n := c.Neighbors[a]
	if n == nil { // whom the router does not know
		c.emit(protocol.CloseStream{ID: in.ID, Reset: true})
		return
	}
	s := &n.Stream
	if s.id != in.ID && s.id != 0 { // a newer one of the same neighbour
		delete(c.streams.of, s.id)
		c.emit(protocol.CloseStream{ID: s.id, Reset: true})
	}
	c.streams.of[in.ID] = a
	*s = Stream{Up: true, Times: s.Times + 1, id: in.ID, room: in.Room}
	if in.Listener == 0 {
		s.due = c.now.Add(c.cfg.Dead)
		s.left = append([]byte("hello"), bytes.Repeat([]byte("."), c.cfg.Streams.Bulk)...)
		c.write(s)
	}
}

// keepAlive has whoever accepted a connection say something, and dials where the
// router had no address yet when it met the neighbour.
func (c *Core) keepAlive() {
	for _, a := range c.neighbors() {
		n := c.Neighbors[a]
		switch s := &n.Stream; {
		case s.Up && s.id&protocol.AcceptedStream == 0 && len(s.left) == 0:
			s.left = []byte("+")
			c.write(s)
		case s.id == 0 && s.due.IsZero():
			c.call(a, n)
		}
	}
}

// write sends what is left as far as there is room.
func (c *Core) write(s *Stream) {
	n := min(len(s.left), s.room)
	if n <= 0 {
		return
	}
	c.emit(protocol.Write{ID: s.id, Data: slices.Clone(s.left[:n])})
	s.left, s.room = s.left[n:], s.room-n
}

func (c *Core) closed(in protocol.Closed) {
	if in.ID == c.streams.listener {
		c.streams.listener, c.streams.refused, c.streams.listenAt = 0, in.Err, c.now.Add(c.cfg.Interval)
		return
	}
	if s := c.open(in.ID); s != nil {
		*s = Stream{Times: s.Times, Why: in.Err}
		if in.ID&protocol.AcceptedStream == 0 {
			s.due = c.now.Add(c.cfg.Interval)
		}
	}
	delete(c.streams.of, in.ID)
}
