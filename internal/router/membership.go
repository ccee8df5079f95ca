package router

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"routerd/dataplane"
	"routerd/dataplane/port"
	"routerd/internal/machine"
	"routerd/internal/verdict"
	"routerd/multicast"
)

// membershipInbox is how many inputs may wait for the group membership machine.
const membershipInbox = 1024

// Membership is the router's group membership machine (IGMP and MLD) and the
// state that its effects change. One goroutine steps it, that of a
// machine.Loop.
type Membership struct {
	Inbox *machine.Loop[multicast.Input]

	Counters *dataplane.Counters
	Drops    *dataplane.DropRing

	live    *dataplane.Live
	machine *multicast.Machine
	batch   *dataplane.Batch
	out     []multicast.Send
	own     [1]dataplane.OwnPacket
}

func newMembership(live *dataplane.Live, seed uint64) *Membership {
	l := &Membership{
		Inbox:    machine.New[multicast.Input](membershipInbox),
		Counters: &dataplane.Counters{},
		Drops:    &dataplane.DropRing{},
		live:     live,
		machine:  multicast.New(seed),
	}
	l.batch = dataplane.NewUnread(1, l.Counters, l.Drops)
	return l
}

// Membership is the router's group membership machine, for its owner to run.
func (r *Router) Membership() *Membership { return r.membership }

// must sends the machine an input that must not be lost; see Neighbors.must.
func (m *Membership) must(in multicast.Input) { _ = m.Inbox.Send(context.Background(), in) }

// Receive implements dataplane.Sink: it copies the message to the inbox if there
// is room.
func (m *Membership) Receive(h *dataplane.Received) verdict.Verdict {
	if !m.Inbox.Offer(multicast.Received{Interface: h.In, Packet: append([]byte(nil), h.Packet...)}) {
		return verdict.ProtocolQueueFull
	}
	return verdict.HandedToProtocol
}

// membershipBetween is a function that runs on the machine's goroutine between
// two Steps.
type membershipBetween struct {
	multicast.Input // nil; makes this type an input
	ask             func(m *multicast.Machine)
}

// Ask runs f on the machine's goroutine, between two Steps, and waits until it
// has run or ctx is done; in the latter case f may still run later.
func (m *Membership) Ask(ctx context.Context, f func(m *multicast.Machine)) error {
	done := make(chan struct{})
	q := membershipBetween{ask: func(x *multicast.Machine) { f(x); close(done) }}
	if err := m.Inbox.Send(ctx, q); err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Step implements machine.Core.
func (m *Membership) Step(now time.Time, in multicast.Input) {
	if q, ok := in.(membershipBetween); ok {
		q.ask(m.machine)
		return
	}
	m.out = m.machine.Step(now, in, m.out[:0])
	v := m.live.Load()
	for _, s := range m.out {
		m.own[0] = dataplane.OwnPacket{Out: s.Interface, Packet: s.Packet}
		dataplane.SendOwn(v, m.batch, m.own[:], now)
		m.batch.Transmit(now)
	}
	clear(m.out) // packets are not kept from the collector
}

// Tick implements machine.Core.
func (m *Membership) Tick(now time.Time) { m.Step(now, multicast.Tick{}) }

// Deadline implements machine.Core.
func (m *Membership) Deadline() time.Time { return m.machine.Deadline() }

// updateMembership informs the machine of the groups that the router has joined
// on an Ethernet interface, and of its source address there.
func (r *Router) updateMembership(l *link) {
	if _, ethernet := l.port.(port.Ethernet); !ethernet || !l.up {
		if l.reported != nil {
			l.reported, l.linkLocal = nil, netip.Addr{}
			r.membership.must(multicast.InterfaceDown{Interface: l.id})
		}
		return
	}
	in := multicast.InterfaceUp{Interface: l.id, MTU: l.mtu, Source6: l.linkLocal, Groups: l.listensTo()}
	for _, a := range l.addresses() {
		if a.Addr().Is4() {
			in.Source4 = a.Addr()
			break
		}
	}
	if was := l.reported; was != nil && was.MTU == in.MTU && was.Source4 == in.Source4 && was.Source6 == in.Source6 &&
		slices.Equal(was.Groups, in.Groups) {
		return
	}
	l.reported = &in
	r.membership.must(in)
}
