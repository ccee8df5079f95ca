package router

import (
	"context"
	"time"

	"routerd/dataplane"
	"routerd/internal/machine"
	"routerd/routing"
	"routerd/routing/fib"
	"routerd/routing/protocol"
	"routerd/routing/rib"
)

// Kind is a protocol that a router can speak.
type Kind struct {
	// Name is that of its table in the configuration, of its noun and of its
	// subscription to the RIB: "rip".
	Name string
	// Source is that of the routes that it offers; Family is theirs, 4, 6, or 0
	// for both.
	Source routing.Source
	Family int
	// Watches: it is the one that protocol.Watch asks, BFD. Its core has no use
	// for routes.
	Watches bool
	// New makes a core without interfaces and without a configuration.
	New func(protocol.Start) protocol.Core
}

// ProtocolConfig is what the configuration says of one protocol.
type ProtocolConfig struct {
	Config       any    // the core's own
	Saved        []byte // see protocol.Configure
	Redistribute []rib.Redistribution
}

// Protocol is one of the router's protocols: a core with everything that its
// effects touch. One goroutine steps it, a machine.Loop's in the daemon.
type Protocol struct {
	Kind
	Inbox *machine.Loop[protocol.Input]
	// Owner takes the effects that are the router's owner's to carry out:
	// protocol.Save, Event and Stopped, and those that only this protocol has.
	// It is called on the goroutine that steps the core, and must not wait.
	Owner func(protocol.Effect)
	// Streams carries out what the core wants of TCP; nil where there is none.
	Streams Streams

	Counters *dataplane.Counters
	Drops    *dataplane.DropRing

	router  *Router // for what other protocols are to hear of
	errands errands
	core    protocol.Core
	slots   routing.Slots
	live    *dataplane.Live
	states  *fib.States
	hearing *listening
	post    *post
	sender  sender
	out     []protocol.Effect
	streams streams
	// joined are the groups that the core takes part in: it joins each once.
	joined map[protocol.Join]bool
	// configured: the configuration has it, in the eyes of the router's owner.
	configured bool
}

// protocolInboxSize holds the whole table of a RIP neighbour with 50,000 routes.
const protocolInboxSize = 4096

func newProtocol(k Kind, seed uint64, r *Router) *Protocol {
	p := &Protocol{
		Kind:     k,
		Inbox:    machine.New[protocol.Input](protocolInboxSize),
		Owner:    func(protocol.Effect) {},
		Counters: &dataplane.Counters{},
		Drops:    &dataplane.DropRing{},
		router:   r,
		live:     &r.live,
		states:   r.HopStates(),
		hearing:  &r.listening,
		joined:   map[protocol.Join]bool{},
		streams:  streams{open: map[protocol.StreamID]bool{}},
	}
	p.post = newPost(r.mail, k.Source, &p.slots)
	p.Inbox.Taken = r.mail.poke
	p.sender = newSender(p.Counters, p.Drops, r.neighbors)
	p.sender.batch.Stream = firstProtocolStream + uint32(len(r.protocols))
	p.core = k.New(protocol.Start{Seed: seed, Slots: &p.slots})
	return p
}

// Deliver hands the core an input that must not be lost. The loop empties its
// inbox without ever waiting for the sender, so this waits at most as long as
// one step takes.
func (p *Protocol) Deliver(in protocol.Input) { _ = p.Inbox.Send(context.Background(), in) }

// question runs between two steps.
type question func(core protocol.Core, now time.Time)

// Ask runs f on the core's goroutine, between two steps, and waits until it has
// run or ctx is done; in the latter case f may still run later. What f wants to
// keep it copies.
func (p *Protocol) Ask(ctx context.Context, f func(core protocol.Core, now time.Time)) error {
	done := make(chan struct{})
	q := question(func(c protocol.Core, now time.Time) { f(c, now); close(done) })
	if err := p.Inbox.Send(ctx, q); err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Configured reports whether the configuration has the protocol. The router's
// owner alone may ask.
func (p *Protocol) Configured() bool { return p.configured }

// Core is the core itself, for who drives it by Poll and looks into it on the
// same goroutine.
func (p *Protocol) Core() protocol.Core { return p.core }

// Step implements machine.Core.
func (p *Protocol) Step(now time.Time, in protocol.Input) {
	if p.errands.waiting.Load() {
		p.runErrands(now)
	}
	switch x := in.(type) {
	case runErrands:
		return
	case question:
		x(p.core, now)
		return
	case *heard:
		p.step(now, x.Received)
		x.free()
	case *streamInput:
		if p.concerns(x.Input) {
			p.step(now, x.Input)
		}
		x.stepped()
	default:
		p.step(now, in)
	}
	p.answer(now)
}

func (p *Protocol) step(now time.Time, in protocol.Input) {
	p.out = p.core.Step(now, in, p.out[:0])
	for _, e := range p.out {
		p.carryOut(e, now)
	}
	p.sender.flush(p.live.Load(), now)
	clear(p.out) // what was sent is not kept from the collector
	p.post.publish()
}

// Tick implements machine.Core.
func (p *Protocol) Tick(now time.Time) { p.Step(now, protocol.Tick{}) }

// Deadline implements machine.Core.
func (p *Protocol) Deadline() time.Time {
	if len(p.streams.refused) > 0 {
		return p.streams.since
	}
	return p.core.Deadline()
}

// carryOut does what the core wants done.
func (p *Protocol) carryOut(effect protocol.Effect, now time.Time) {
	switch e := effect.(type) {
	case protocol.Send:
		p.sender.add(p.live.Load(), &e, now)
	case protocol.Claim:
		p.claim(e)
	case protocol.Release:
		p.release(protocol.Claim(e))
	case protocol.Join:
		p.join(e)
	case protocol.Leave:
		p.leave(protocol.Join(e))
	case protocol.HopState:
		p.states.Neighbor(e.Address, e.Link).Set(e.Cause, e.Alive)
	case protocol.Watch:
		p.router.watch(p.Name, e)
	case protocol.Unwatch:
		p.router.unwatch(p.Name, e.Path)
	case protocol.Tell:
		p.tell(e)
	case protocol.Track:
		p.post.request(rib.Track{Name: p.Name, Address: e.Address, Interface: e.Link})
	case protocol.Untrack:
		p.post.request(rib.Untrack{Name: p.Name, Address: e.Address, Interface: e.Link})
	case protocol.Mark:
		p.post.barrier(rib.Mark{Name: p.Name, Number: e.Number})
	case protocol.Stale:
		p.restart(rib.Stale{Source: p.Source, Family: p.family(e.Family)})
	case protocol.Sweep:
		p.restart(rib.Sweep{Source: p.Source, Family: p.family(e.Family)})
	case protocol.Dial, protocol.Listen, protocol.SetPeer, protocol.ForgetPeer, protocol.Write, protocol.CloseStream:
		p.stream(e)
	default:
		p.Owner(e)
	}
}

// restart asks something of the RIB that concerns all that was offered before
// it, and nothing that is offered after.
func (p *Protocol) restart(in rib.Input) {
	p.post.barrier(in)
}

// family is what the core means by a family: its own where it speaks one.
func (p *Protocol) family(of int) int {
	if of == 0 {
		return p.Family
	}
	return of
}
