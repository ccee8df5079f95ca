package router

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"routerd/arp"
	"routerd/dataplane"
	"routerd/dataplane/flowcache"
	"routerd/dataplane/port"
	"routerd/internal/machine"
	"routerd/internal/verdict"
	"routerd/multicast"
	"routerd/routing"
	"routerd/routing/fib"
)

// The random streams of batches that belong to no worker, numbered after those
// of the workers.
const (
	neighborStream      = 1<<31 + iota
	firstProtocolStream // the other protocols' follow it
)

// Neighbors is the router's neighbour machine (ARP and neighbour discovery) and
// the state that its effects change: the published table, the ports, and a
// batch for packets that were held. One goroutine steps it, that of a
// machine.Loop; the rest of the router only reads the table.
type Neighbors struct {
	Inbox *machine.Loop[arp.Input]
	// Owner is called with the effects for the router's owner: addresses that
	// became usable or turned out to be duplicates. It must not block.
	Owner func(arp.Effect)
	// Lost is called for neighbours that no longer answer, Answers for next
	// hops that answer again. Neither may block.
	Lost    func(arp.Lost)
	Answers func(arp.HopState)
	// Seen is called for other routers on links, which a protocol looks for. It must not
	// block.
	Seen func(arp.RouterSeen)
	// Changed is called when a neighbour is not what it was. It must not block.
	Changed func(link routing.InterfaceID, address netip.Addr)

	Counters *dataplane.Counters
	Drops    *dataplane.DropRing

	live    *dataplane.Live
	states  *fib.States
	table   *arp.Table
	carried atomic.Pointer[flowcache.Cache] // nil: the kernel carries nothing
	machine *arp.Machine
	intake  intake
	batch   *dataplane.Batch
	out     []arp.Effect
	frame   [1]port.Frame
	write   [1]*port.Frame
}

func newNeighbors(live *dataplane.Live, states *fib.States, random rand.Source) *Neighbors {
	cfg := arp.DefaultConfig()
	cfg.Proxy = func(in routing.InterfaceID, target netip.Addr) bool { return leavesElsewhere(live.Load(), in, target) }
	cfg.Routed = func(link routing.InterfaceID, a netip.Addr) bool { return states.Routed(a, link) }
	n := &Neighbors{
		Inbox:    machine.New[arp.Input](inboxSize),
		Owner:    func(arp.Effect) {},
		Changed:  func(routing.InterfaceID, netip.Addr) {},
		Counters: &dataplane.Counters{},
		Drops:    &dataplane.DropRing{},
		live:     live,
		states:   states,
		table:    arp.NewTable(cfg.MaxNeighbors, drawKey(random)),
	}
	cfg.Changed = func(link routing.InterfaceID, address netip.Addr) { n.Changed(link, address) }
	n.table.Observe(func(link routing.InterfaceID, address netip.Addr) {
		if c := n.carried.Load(); c != nil {
			c.NeighborChanged(link, address)
		}
	})
	n.machine = arp.New(cfg, random.Uint64())
	n.intake.key = drawKey(random)
	n.batch = dataplane.NewUnread(1, n.Counters, n.Drops)
	n.batch.Stream = neighborStream
	n.frame[0].Buf = make([]byte, port.BufferSize)
	n.write[0] = &n.frame[0]
	return n
}

// leavesElsewhere reports whether packets for target that arrive on the
// interface in would leave by another one. Only then may proxy ARP answer (RFC
// 1027 §2.1).
func leavesElsewhere(v *dataplane.View, in routing.InterfaceID, target netip.Addr) bool {
	i := v.Interface(in)
	if i == nil {
		return false
	}
	e := v.FIB(i).Lookup(target)
	return e != nil && e.Action == routing.Forward && !e.Group.LeavesBy(in)
}

// must sends the machine an input that must not be lost.
func (n *Neighbors) must(in arp.Input) {
	// The loop never waits for a sender, so this waits no longer than one step
	// takes.
	_ = n.Inbox.Send(context.Background(), in)
}

// between is a function that runs on the machine's goroutine between two Steps.
type between struct {
	arp.Input // nil; makes this type an input
	ask       func(m *arp.Machine, now time.Time)
}

// Ask runs f on the machine's goroutine, between two Steps, and waits until it
// has run or ctx is done; in the latter case f may still run later. f must copy
// what it keeps.
func (n *Neighbors) Ask(ctx context.Context, f func(m *arp.Machine, now time.Time)) error {
	done := make(chan struct{})
	q := between{ask: func(m *arp.Machine, now time.Time) { f(m, now); close(done) }}
	if err := n.Inbox.Send(ctx, q); err != nil {
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
func (n *Neighbors) Step(now time.Time, in arp.Input) {
	switch q := in.(type) {
	case between:
		q.ask(n.machine, now)
		return
	case unresolved:
		n.intake.leave(q)
		in = q.Resolve
	}
	n.out = n.machine.Step(now, in, n.out[:0])
	for _, e := range n.out {
		n.carryOut(e, now)
	}
	clear(n.out) // frames and packets are not kept from the collector
}

// Tick implements machine.Core.
func (n *Neighbors) Tick(now time.Time) { n.Step(now, arp.Tick{}) }

// Deadline implements machine.Core.
func (n *Neighbors) Deadline() time.Time { return n.machine.Deadline() }

func (n *Neighbors) carryOut(effect arp.Effect, now time.Time) {
	v := n.live.Load()
	switch e := effect.(type) {
	case arp.Publish, arp.Unpublish:
		n.table.Apply(e)
	case arp.HopState:
		n.states.Neighbor(e.Addr, e.Interface).Set(routing.CauseNeighbor, e.Alive)
		if e.Alive {
			n.Answers(e)
		}
	case arp.Lost:
		n.Lost(e)
	case arp.RouterSeen:
		n.Seen(e)
	case arp.SendFrame:
		n.send(v, e)
	case arp.Release:
		dataplane.Release(v, n.batch, held(e.Interface, e.Packet, e.Tag), e.MAC, now)
	case arp.Unreachable:
		dataplane.Refuse(v, n.batch, held(e.Interface, e.Packet, e.Tag), verdict.NeighborFailed, now)
	case arp.Dropped:
		dataplane.Refuse(v, n.batch, held(e.Interface, e.Packet, e.Tag), fates[e.Reason], now)
	default:
		n.Owner(e)
	}
}

// fates are the verdicts for packets that the machine drops.
var fates = [...]verdict.Verdict{
	arp.HoldFull:    verdict.NeighborQueueFull,
	arp.Throttled:   verdict.NeighborThrottled,
	arp.TableFull:   verdict.NeighborTableFull,
	arp.Evicted:     verdict.NeighborEvicted,
	arp.NotNeighbor: verdict.NotNeighbor,
	arp.NoInterface: verdict.InterfaceDown,
}

func (n *Neighbors) send(v *dataplane.View, e arp.SendFrame) {
	out := v.Interface(e.Interface)
	if out == nil || out.Output == nil {
		return
	}
	f := &n.frame[0]
	f.Reset()
	f.End = f.Start + copy(f.Buf[f.Start:], e.Frame)
	_, _ = out.Output.Write(n.write[:]) // a request that the device refuses is sent again in a second
}

// Farewell says goodbye on the Ethernet links of the named interfaces, or on
// all if there are no names: a last router advertisement says that the router
// is no default router any more (RFC 4861 §6.2.5), and the multicast groups are
// left. Call it before detaching the ports, while both machines are being
// driven. It returns when all is sent or ctx is done.
func (r *Router) Farewell(ctx context.Context, names ...string) error {
	for name, l := range r.links {
		if !l.told || len(names) > 0 && !slices.Contains(names, name) {
			continue
		}
		if err := r.neighbors.Inbox.Send(ctx, arp.InterfaceDown{Interface: l.id, Announce: true}); err != nil {
			return fmt.Errorf("taking interface %s off its link: %w", name, err)
		}
		if err := r.membership.Inbox.Send(ctx, multicast.InterfaceDown{Interface: l.id, Announce: true}); err != nil {
			return fmt.Errorf("leaving the groups of interface %s: %w", name, err)
		}
		l.told, l.reported, l.linkLocal = false, nil, netip.Addr{}
	}
	if err := r.membership.Ask(ctx, func(*multicast.Machine) {}); err != nil {
		return fmt.Errorf("leaving the groups of interfaces: %w", err)
	}
	if err := r.neighbors.Ask(ctx, func(*arp.Machine, time.Time) {}); err != nil {
		return fmt.Errorf("taking interfaces off their links: %w", err)
	}
	return nil
}

// waiting is the data kept with a packet that is held.
type waiting struct {
	offload port.Offload
	in      routing.InterfaceID
}

func held(out routing.InterfaceID, packet []byte, tag any) dataplane.Held {
	h := dataplane.Held{Packet: packet, Out: out, In: out}
	if w, ok := tag.(waiting); ok {
		h.In, h.Offload = w.in, w.offload
	}
	return h
}

// Punt implements dataplane.Punter: it copies the batch's packets and never
// waits. Each worker calls it once per batch.
func (n *Neighbors) Punt(list []dataplane.Punt) {
	for i := range list {
		list[i].Refused = !n.take(&list[i])
	}
}

func (n *Neighbors) take(p *dataplane.Punt) bool {
	switch p.Kind {
	case dataplane.PuntUsed:
		return n.Inbox.Offer(arp.Used{Entry: p.Entry})
	case dataplane.PuntResolve:
		x, ok := n.intake.admit(p)
		if ok && !n.Inbox.Offer(x) {
			n.intake.leave(x)
			ok = false
		}
		return ok
	}
	return n.Inbox.Offer(arp.Received{Interface: p.In, Frame: append([]byte(nil), p.Frame...)})
}
