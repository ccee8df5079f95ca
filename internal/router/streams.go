package router

import (
	"context"
	"fmt"
	"time"

	"routerd/routing/protocol"
)

// Streams carries out the TCP effects of one protocol: protocol.Dial, Listen,
// SetPeer, ForgetPeer, Write and CloseStream. It never waits. Their results are
// inputs given to Protocol.HearStream or OfferStream, for each connection and
// listener in order.
type Streams interface {
	Carry(e protocol.Effect)
}

// streams is the driver's state of a protocol's connections and listeners. Only
// the goroutine that steps the core uses it.
type streams struct {
	// open are those that the core has not closed and whose end it was not
	// told.
	open map[protocol.StreamID]bool
	// refused is what the core has to hear of its own effects: after the step, or
	// where it has asked for more meanwhile, at the time since.
	refused []protocol.Closed
	since   time.Time
}

// streamInput is an input about a connection or listener on its way to the core.
type streamInput struct {
	protocol.Input
	stepped func()
}

// HearStream sends the core a Connected, Read, Written or Closed, or a protocol.Late that
// gives one, and waits for room until ctx is done, whose error it returns then. It calls stepped when
// the core has processed the input or no longer has the stream; stepped must
// not block. Any goroutine but the core's own may call HearStream.
func (p *Protocol) HearStream(ctx context.Context, in protocol.Input, stepped func()) error {
	return p.Inbox.Send(ctx, &streamInput{in, stepped})
}

// OfferStream is HearStream without waiting: it reports whether there was room.
func (p *Protocol) OfferStream(in protocol.Input, stepped func()) bool {
	return p.Inbox.Offer(&streamInput{in, stepped})
}

// concerns reports whether the core still has the stream of an input. It may
// have closed it while the input was on its way.
func (p *Protocol) concerns(in protocol.Input) bool {
	switch in := in.(type) {
	case protocol.Connected:
		if in.Listener == 0 {
			return p.streams.open[in.ID]
		}
		if !p.streams.open[in.Listener] {
			p.Streams.Carry(protocol.CloseStream{ID: in.ID, Reset: true})
			return false
		}
		p.streams.open[in.ID] = true
		return true
	case protocol.Read:
		return p.streams.open[in.ID]
	case protocol.Written:
		return p.streams.open[in.ID]
	case protocol.Closed:
		open := p.streams.open[in.ID]
		delete(p.streams.open, in.ID)
		return open
	}
	return true
}

// stream passes a TCP effect to Streams.
func (p *Protocol) stream(effect protocol.Effect) {
	switch e := effect.(type) {
	case protocol.Dial:
		if !p.begin(e.ID) {
			return
		}
	case protocol.Listen:
		if !p.begin(e.ID) {
			return
		}
	case protocol.CloseStream:
		if !p.streams.open[e.ID] {
			return
		}
		delete(p.streams.open, e.ID)
	case protocol.Write:
		if !p.streams.open[e.ID] {
			return
		}
	case protocol.SetPeer:
		if !p.streams.open[e.ID] {
			return
		}
	case protocol.ForgetPeer:
		if !p.streams.open[e.ID] {
			return
		}
	}
	p.Streams.Carry(effect)
}

// begin notes the number of a connection or listener that the core asks for, or
// reports to the core why there is none.
func (p *Protocol) begin(id protocol.StreamID) bool {
	var err error
	switch {
	case p.Streams == nil:
		err = protocol.ErrNoStack
	case p.streams.open[id]:
		err = fmt.Errorf("stream number %d is in use", id)
	case id == 0 || id&protocol.AcceptedStream != 0:
		err = fmt.Errorf("stream number %#x: 1 to %#x are wanted", uint64(id), uint64(protocol.AcceptedStream-1))
	default:
		p.streams.open[id] = true
		return true
	}
	p.streams.refused = append(p.streams.refused, protocol.Closed{ID: id, Err: err})
	return false
}

// answer tells the core what it was refused. One round: what it asks for then
// is answered the next time, so that a core that asks again and again for what
// cannot be had does not hold up the rest.
func (p *Protocol) answer(now time.Time) {
	list := p.streams.refused
	p.streams.refused, p.streams.since = nil, now
	for _, in := range list {
		p.step(now, in)
	}
}
