package bgp

import (
	"slices"

	"routerd/routing/bgp/wire"
)

// read takes octets of the stream, and the messages in them.
func (c *connection) read(data []byte) {
	b := data
	if len(c.in) > 0 {
		c.in = append(c.in, data...)
		b = c.in
	}
	stream := c.stream
	for len(b) > 0 {
		longest := wire.MaxMessage
		if c.state == Established {
			longest = c.agreed.Longest()
		}
		m, rest, r := wire.Split(b, longest)
		if !r.OK() {
			c.refused(r)
			c.fire(HeaderError)
			return
		}
		if m.Octets == nil {
			break
		}
		c.message(m)
		if c.stream != stream {
			return // it has ended
		}
		b = rest
	}
	c.in = append(c.in[:0], b...)
}

// refused notes what is wrong with the message that is dealt with.
func (c *connection) refused(r wire.Refusal) {
	r.Data = slices.Clone(r.Data) // the message is not kept
	c.fault = r
}

// message takes one message.
func (c *connection) message(m wire.Message) {
	c.heard = c.session.now
	switch m.Type {
	case wire.TypeOpen:
		c.open(m.Body())
	case wire.TypeUpdate:
		c.updated(m.Body())
	case wire.TypeNotification:
		n := wire.DecodeNotification(m.Body())
		n.Data = slices.Clone(n.Data)
		c.received = n
		if n.VersionError() {
			c.fire(NotificationVersionError)
			return
		}
		c.fire(NotificationReceived)
	case wire.TypeKeepalive:
		c.fire(KeepaliveReceived)
	case wire.TypeRouteRefresh:
		c.refresh(m)
	}
}

func (c *connection) open(body []byte) {
	s := c.session
	if c.state >= OpenConfirm { // a second one
		c.fire(OpenReceived)
		return
	}
	// It is kept, the message is not.
	body = slices.Clone(body)
	r := wire.DecodeOpen(body, &c.theirs)
	if r.OK() {
		c.agreed, r = wire.Negotiate(&s.config.Open, &c.theirs, s.config.Expected)
	}
	if !r.OK() {
		c.refused(r)
		c.fire(OpenError)
		return
	}
	c.agreed.KeepASSets = s.config.KeepASSets
	if s.config.CheckFirstAS {
		c.agreed.FirstAS = c.theirs.AS
	}
	if c.delay.timer.IsSet() {
		c.fire(OpenWhileDelaying)
		return
	}
	c.fire(OpenReceived)
}

func (c *connection) updated(body []byte) {
	s := c.session
	if c.state == Established {
		wire.DecodeUpdate(body, &c.agreed, s.update)
		// A family that had to be disabled ends the session, which RFC 7606 §3 (j)
		// allows, and other routers do.
		if s.update.Approach >= wire.DisableFamily {
			c.refused(s.update.Strongest())
			c.fire(UpdateError)
			return
		}
	}
	c.fire(UpdateReceived)
}

func (c *connection) refresh(m wire.Message) {
	s := c.session
	if c.state != Established {
		c.fire(UpdateReceived) // as unexpected as one
		return
	}
	d, r := wire.DecodeRefresh(m, c.agreed.EnhancedRefresh)
	if !r.OK() {
		c.refused(r)
		c.fire(HeaderError)
		return
	}
	if d.Ignore || !c.agreed.RouteRefresh || !c.agreed.Families.Has(d.Family) {
		return
	}
	s.owner.Refresh(s, d)
}
