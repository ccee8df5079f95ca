package router

import (
	"context"
	"time"

	"routerd/arp"
	"routerd/dataplane"
	"routerd/internal/machine"
	"routerd/internal/siphash"
	"routerd/routing"
	"routerd/routing/fib"
	"routerd/routing/protocol"
	"routerd/routing/rib"
)

// Kind is a protocol that a router can speak.
type Kind struct {
	// Name is the name of its table in the configuration, of its show command
	// and of its subscription to the RIB: "rip".
	Name string
	// Source is the source of its routes; Family is their address family, 4, 6,
	// or 0 for both.
	Source routing.Source
	Family int
	// Watches: it is the one that protocol.Watch asks, BFD. Its core has no use
	// for routes.
	Watches bool
	// Streams: its core has TCP connections, so that the router has a stack of its own.
	Streams bool
	// New returns a core without interfaces or configuration.
	New func(protocol.Start) protocol.Core
}

// ProtocolConfig is the configuration of one protocol.
type ProtocolConfig struct {
	Config       any    // the core's own
	Saved        []byte // see protocol.Configure
	Redistribute []rib.Redistribution
}

// Protocol is one of the router's protocols: a core and the state that its
// effects change. One goroutine steps it, in the daemon that of a machine.Loop.
type Protocol struct {
	Kind
	Inbox *machine.Loop[protocol.Input]
	// Owner is called with the effects that the router's owner carries out:
	// protocol.Save, Event and Stopped, and those that only this protocol has.
	// It runs on the goroutine that steps the core and must not block.
	Owner func(protocol.Effect)
	// Streams carries out the core's TCP effects; nil if there is no TCP.
	Streams Streams

	Counters *dataplane.Counters
	Drops    *dataplane.DropRing

	router    *Router // for what other protocols are to hear of
	pending   pending
	core      protocol.Core
	slots     routing.Slots
	live      *dataplane.Live
	states    *fib.States
	hearing   *listening
	admission *admission
	post      *post
	sender    sender
	out       []protocol.Effect
	streams   streams
	// joined are the groups that the core has joined.
	joined map[protocol.Join]bool
	// configured: the protocol is in the configuration. Only the router's owner
	// uses it.
	configured bool
}

// protocolInboxSize holds the whole table of a RIP neighbour with 80,000 routes,
// which may take half of what packets may take.
const protocolInboxSize = 8192

func newProtocol(k Kind, seed uint64, key siphash.Key, r *Router) *Protocol {
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

		admission: newAdmission(protocolInboxSize, key),
	}
	p.post = newPost(r.mail, k.Source, &p.slots)
	p.Inbox.Taken = r.mail.poke
	p.sender = newSender(p.Counters, p.Drops, r.neighbors)
	p.sender.batch.Stream = firstProtocolStream + uint32(len(r.protocols))
	p.core = k.New(protocol.Start{Seed: seed, Slots: &p.slots})
	return p
}

// Deliver sends the core an input that must not be lost. The loop never waits
// for a sender, so this waits no longer than one step takes.
func (p *Protocol) Deliver(in protocol.Input) { _ = p.Inbox.Send(context.Background(), in) }

// question is a function that runs between two steps.
type question func(core protocol.Core, now time.Time)

// Ask runs f on the core's goroutine, between two steps, and waits until it has
// run or ctx is done; in the latter case f may still run later. f must copy
// what it keeps.
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

// Configured reports whether the configuration has the protocol. Only the
// router's owner may call it.
func (p *Protocol) Configured() bool { return p.configured }

// Core returns the core itself, for an owner that drives it with Poll and reads
// it on the same goroutine.
func (p *Protocol) Core() protocol.Core { return p.core }

// Step implements machine.Core.
func (p *Protocol) Step(now time.Time, in protocol.Input) {
	if p.pending.waiting.Load() {
		p.stepPending(now)
	}
	switch x := in.(type) {
	case takePending:
		return
	case question:
		x(p.core, now)
		return
	case *delivery:
		p.admission.leave(x.share, len(x.buf))
		p.step(now, x.Received)
		x.free()
	case *streamInput:
		in := x.Input
		if late, ok := in.(protocol.Late); ok {
			in = late()
		}
		if p.concerns(in) {
			p.step(now, in)
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
	p.admission.publish()
	p.sender.flush(p.live.Load(), now)
	clear(p.out) // let packets that were sent be collected
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

// carryOut carries out an effect.
func (p *Protocol) carryOut(effect protocol.Effect, now time.Time) {
	switch e := effect.(type) {
	case protocol.Send:
		p.sender.add(p.live.Load(), &e, now)
	case protocol.Claim:
		p.claim(e)
	case protocol.Release:
		p.release(protocol.Claim(e))
	case protocol.Expect:
		p.admission.expect(e)
	case protocol.Unexpect:
		p.admission.unexpect(protocol.Expect(e))
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
	case protocol.Discover:
		p.router.neighbors.must(arp.Discover{Interface: e.Link, Client: p.Name, Wanted: true})
	case protocol.Undiscover:
		p.router.neighbors.must(arp.Discover{Interface: e.Link, Client: p.Name})
	case protocol.Tell:
		p.answerClient(e)
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
	case protocol.Stopped:
		// The owner may close the ports when it hears of it: the goodbyes leave first.
		p.sender.flush(p.live.Load(), now)
		p.Owner(e)
	default:
		p.Owner(e)
	}
}

// restart sends the RIB a request that concerns all routes offered before it
// and none offered after it.
func (p *Protocol) restart(in rib.Input) {
	p.post.barrier(in)
}

// family returns the family that an effect of the core means: the core's own if
// it has only one.
func (p *Protocol) family(of int) int {
	if of == 0 {
		return p.Family
	}
	return of
}
