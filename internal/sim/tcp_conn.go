package sim

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"routerd/routing"
	"routerd/routing/protocol"
)

type tcpState uint8

const (
	synSent tcpState = iota
	synReceived
	established
)

const (
	tcpWindow  = 64<<10 - 1
	tcpMSS     = 1400
	readAtOnce = 32 << 10
	// As the kernel's: a first segment is sent seven times within two minutes,
	// others until a quarter of an hour has passed.
	synTimeout, mostSyn   = time.Second, 6
	dataTimeout, mostData = 200 * time.Millisecond, 15
	longestTimeout        = 2 * time.Minute
	tcpLinger             = 5 * time.Second
)

// tcpConn is a connection.
type tcpConn struct {
	tcp      *tcp
	client   *tcpClient
	id       protocol.StreamID
	listener protocol.StreamID
	local    netip.AddrPort
	remote   netip.AddrPort
	link     routing.InterfaceID // of link-local addresses, else NoInterface
	options  protocol.StreamOptions
	state    tcpState
	mss      int

	// What is sent: first is the oldest sequence number that was not acknowledged,
	// next the one to send next, buffer what begins at first.
	first, next uint32
	most        uint32 // the highest that next ever was
	buffer      []byte
	ending      bool // a FIN follows the buffer
	window      uint32
	repeats     int // of the same acknowledgement
	timer       time.Time
	tries       int
	pressed     bool

	// What is heard: heard is the sequence number that is awaited.
	heard    uint32
	received []byte
	ended    bool // the other side has said all
	reading  bool // the protocol deals with what was read last
	closed   bool // by the protocol, which hears nothing any more
	known    bool // the protocol was told of it
	until    time.Time
}

func (t *tcp) begin(client *tcpClient, id protocol.StreamID, local, remote netip.AddrPort, o protocol.StreamOptions) *tcpConn {
	c := &tcpConn{
		tcp: t, client: client, id: id, local: local, remote: remote, options: o, mss: tcpMSS,
		link: routing.NoInterface, first: t.rand.Uint32(), window: tcpWindow,
	}
	if remote.Addr().Is6() {
		c.mss -= 20
	}
	c.next, c.most = c.first, c.first
	t.conns = append(t.conns, c)
	return c
}

func (c *tcpConn) end() {
	c.tcp.conns = slices.DeleteFunc(c.tcp.conns, func(o *tcpConn) bool { return o == c })
}

// fail ends the connection, and tells its protocol why.
func (c *tcpConn) fail(why error) {
	c.end()
	if !c.closed && (c.known || c.listener == 0) {
		if !c.known {
			why = fmt.Errorf("connecting to %v: %w", c.remote, why)
		}
		c.tcp.say(c.client.of, protocol.Closed{ID: c.id, Err: why}, nil)
	}
	c.closed = true
}

func (c *tcpConn) segment(flags uint8, seq uint32, data []byte) {
	o := c.options
	if o.TTL == 0 {
		o.TTL = 64
	}
	s := segment{
		link: c.link, src: c.local, dst: c.remote, hops: o.TTL, dscp: o.DSCP, flags: flags, seq: seq, data: data,
		window: uint16(tcpWindow - min(len(c.received), tcpWindow)),
	}
	if flags&flagSYN != 0 {
		s.mss = uint16(c.mss)
	}
	if c.state != synSent {
		s.flags, s.ack = s.flags|flagACK, c.heard
	}
	c.tcp.send(&s, o.Secret)
}

// transmit sends what the window has room for, and sees to it that it is sent
// again where it is not acknowledged.
func (c *tcpConn) transmit() {
	if c.state != established {
		flags := uint8(flagSYN)
		c.segment(flags, c.first, nil)
		c.next = c.first + 1
		c.arm(synTimeout)
		return
	}
	for {
		at := c.next - c.first
		room := max(int64(min(c.window, tcpWindow))-int64(at), 0)
		if at > uint32(len(c.buffer)) {
			break // all of it, and the FIN
		}
		n := min(len(c.buffer)-int(at), c.mss, int(room))
		if n > 0 {
			c.segment(flagPSH, c.next, c.buffer[at:int(at)+n])
			c.next += uint32(n)
			continue
		}
		if c.ending && int(at) == len(c.buffer) {
			c.segment(flagFIN, c.next, nil)
			c.next++
		}
		break
	}
	if int32(c.next-c.most) > 0 {
		c.most = c.next
	}
	if c.next != c.first || len(c.buffer) > 0 {
		c.arm(dataTimeout)
	}
}

// arm sets the timer, unless it runs.
func (c *tcpConn) arm(first time.Duration) {
	if c.timer.IsZero() {
		c.timer = c.tcp.node.net.clock.now.Add(min(first<<c.tries, longestTimeout))
	}
}

// expire sends again what was not acknowledged in time, or gives up.
func (c *tcpConn) expire(now time.Time) {
	if !c.until.IsZero() && !c.until.After(now) {
		c.segment(flagRST, c.next, nil)
		c.end()
		return
	}
	most := mostData
	if c.state != established {
		most = mostSyn
	}
	if c.timer = (time.Time{}); c.tries >= most {
		c.fail(protocol.ErrStreamTimeout)
		return
	}
	c.tries++
	c.again()
}

// again goes back to the oldest octet that was not acknowledged. Where the other
// side has no room, one octet asks whether it has by now.
func (c *tcpConn) again() {
	c.next = c.first
	if c.state == established && c.window == 0 && len(c.buffer) > 0 {
		c.segment(flagPSH, c.first, c.buffer[:1])
		c.next++
		if int32(c.next-c.most) > 0 {
			c.most = c.next
		}
		c.arm(dataTimeout)
		return
	}
	c.transmit()
}

// receive takes a segment of the connection.
func (c *tcpConn) receive(s *segment) {
	if c.state == synSent {
		c.answered(s)
		return
	}
	switch {
	case s.flags&flagRST != 0:
		if s.seq-c.heard < tcpWindow {
			c.fail(protocol.ErrStreamReset)
		}
		return
	case s.flags&flagSYN != 0: // sent again: the answer was lost
		c.segment(c.synAgain(), c.first, nil)
		return
	case s.flags&flagACK == 0:
		return
	}
	if c.state == synReceived && s.ack == c.first+1 {
		c.connected(s)
	}
	c.acknowledged(s)
	c.take(s)
}

// synAgain is what answers a first segment: a SYN as long as that was not
// acknowledged.
func (c *tcpConn) synAgain() uint8 {
	if c.state == synReceived {
		return flagSYN
	}
	return 0
}

// answered takes the answer to the connection's own first segment.
func (c *tcpConn) answered(s *segment) {
	switch {
	case s.flags&flagACK == 0 || s.ack != c.first+1:
	case s.flags&flagRST != 0:
		c.fail(protocol.ErrStreamRefused)
	case s.flags&flagSYN != 0:
		c.heard = s.seq + 1
		c.hears(s)
		c.connected(s)
		c.segment(0, c.next, nil)
		c.transmit()
	}
}

// hears notes what the other side takes.
func (c *tcpConn) hears(s *segment) {
	c.window = uint32(s.window)
	if s.mss != 0 {
		c.mss = min(c.mss, int(s.mss))
	}
}

func (c *tcpConn) connected(s *segment) {
	c.state, c.first, c.tries, c.timer = established, s.ack, 0, time.Time{}
	c.next, c.most = c.first, c.first
	c.known = true
	c.tcp.say(c.client.of, protocol.Connected{
		ID: c.id, Listener: c.listener, Local: c.local, Remote: c.remote, Link: c.link, Room: protocol.StreamRoom,
	}, nil)
}

// acknowledged notes what the other side has.
func (c *tcpConn) acknowledged(s *segment) {
	if c.state != established {
		return
	}
	n := s.ack - c.first
	if n > c.most-c.first {
		return // old, or of what was never sent
	}
	opened := c.window == 0 && s.window > 0
	c.window = uint32(s.window)
	if n == 0 {
		if c.window == 0 {
			c.tries = 0 // it lives, and has no room
		}
		if c.next != c.first && len(s.data) == 0 && s.flags&flagFIN == 0 {
			if c.repeats++; c.repeats == 3 { // something was lost (RFC 5681 §3.2)
				c.again()
			}
		}
		if opened {
			c.transmit()
		}
		return
	}
	c.repeats, c.tries, c.timer = 0, 0, time.Time{}
	octets := min(n, uint32(len(c.buffer)))
	c.buffer = c.buffer[octets:]
	c.first = s.ack
	if int32(c.next-c.first) < 0 { // it went back before this came
		c.next = c.first
	}
	if n > octets { // the FIN too
		c.buffer, c.ending = nil, false
		if c.ended {
			c.end()
			return
		}
	}
	c.tell(int(octets))
	if len(c.buffer) > 0 || c.ending {
		c.transmit()
	}
}

// tell says how much room there is.
func (c *tcpConn) tell(octets int) {
	waiting := len(c.buffer)
	if octets == 0 || c.closed || waiting > 0 && (!c.pressed || waiting > protocol.StreamRoom/2) {
		return
	}
	c.pressed = false
	c.tcp.say(c.client.of, protocol.Late(func() protocol.Input {
		return protocol.Written{ID: c.id, Room: protocol.StreamRoom - len(c.buffer)}
	}), nil)
}

// take takes what a segment brings, if it is what is awaited.
func (c *tcpConn) take(s *segment) {
	if s.length() == 0 || c.state != established {
		return
	}
	behind := c.heard - s.seq // octets that were heard before
	if behind < s.length() && len(c.received)+len(s.data) <= tcpWindow {
		fresh := s.data[min(int(behind), len(s.data)):]
		c.heard += uint32(len(fresh))
		if !c.closed {
			c.received = append(c.received, fresh...)
		}
		if s.flags&flagFIN != 0 {
			c.heard++
			c.ended = true
		}
	}
	c.segment(0, c.next, nil)
	if c.ended && c.closed && !c.ending && len(c.buffer) == 0 {
		c.end()
		return
	}
	c.read()
}

// read hands the protocol what came, one Read after another, and then the end.
func (c *tcpConn) read() {
	if c.reading || c.closed {
		return
	}
	if n := min(len(c.received), readAtOnce); n > 0 {
		full := len(c.received) > tcpWindow/2
		data := c.received[:n:n]
		c.received, c.reading = c.received[n:], true
		c.tcp.say(c.client.of, protocol.Read{ID: c.id, Data: data}, func() {
			if c.reading = false; full && !c.closed {
				c.segment(0, c.next, nil) // there is room again
			}
			c.read()
		})
		return
	}
	if c.ended {
		c.tcp.say(c.client.of, protocol.Closed{ID: c.id, Err: protocol.ErrStreamEnd}, nil)
		c.close(false)
	}
}

// write is the protocol's.
func (c *tcpConn) write(data []byte) {
	if c.closed {
		return
	}
	c.buffer = append(c.buffer, data...)
	if len(c.buffer) > 2*protocol.StreamRoom {
		c.segment(flagRST, c.next, nil)
		c.fail(fmt.Errorf("%d octets wait to be sent: the other side does not read", len(c.buffer)))
		return
	}
	c.pressed = c.pressed || len(c.buffer) > protocol.StreamRoom/2
	if c.state == established {
		c.transmit()
	}
}

// close is the protocol's: what waits is still sent, for some seconds.
func (c *tcpConn) close(reset bool) {
	if c.closed {
		return
	}
	c.closed = true
	if reset || c.state != established {
		if c.state != synSent {
			c.segment(flagRST, c.next, nil)
		}
		c.end()
		return
	}
	c.ending, c.received = true, nil
	c.until = c.tcp.node.net.clock.now.Add(tcpLinger)
	c.transmit()
}
