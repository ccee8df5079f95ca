package router

import (
	"context"
	"encoding/binary"
	"net/netip"
	"time"

	"routerd/dataplane"
	"routerd/internal/machine"
	"routerd/internal/packet"
	"routerd/routing"
	"routerd/routing/rib"
	"routerd/routing/rip"
)

// RIPConfig is what the configuration says of RIP or RIPng.
type RIPConfig struct {
	rip.Config
	Redistribute []rib.Redistribution
}

// RIP is one of the router's two RIP machines with everything that its effects
// touch. One goroutine, a machine.Loop's, steps it.
type RIP struct {
	Inbox *machine.Loop[rip.Input]
	// Tell hears of what the router's owner has to do: rip.Save and rip.Event.
	// It must not wait.
	Tell func(rip.Effect)

	Counters *dataplane.Counters
	Drops    *dataplane.DropRing

	protocol rip.Protocol
	seed     uint64
	live     *dataplane.Live
	offers   *Offers
	machine  *rip.Machine // nil until it is configured for the first time
	batch    *dataplane.Batch
	out      []rip.Effect
	raw      []byte
	ident    uint16
	known    []rip.InterfaceUp // told before there was a machine
	early    []rip.Notices     // likewise
	active   bool              // the configuration has it, in the owner's eyes
	// interfaces are as the machine was told last, for the owner to read.
	interfaces map[string]rip.InterfaceConfig
}

// ripInboxSize holds the whole table of a neighbour with 50,000 routes.
const ripInboxSize = 4096

func newRIP(p rip.Protocol, live *dataplane.Live, offers *Offers, punter dataplane.Punter, seed uint64) *RIP {
	r := &RIP{
		Inbox:    machine.New[rip.Input](ripInboxSize),
		Tell:     func(rip.Effect) {},
		Counters: &dataplane.Counters{},
		Drops:    &dataplane.DropRing{},
		protocol: p,
		seed:     seed,
		live:     live,
		offers:   offers,
	}
	r.Inbox.Taken = offers.poke
	r.batch = dataplane.NewBatch(1, r.Counters, r.Drops)
	r.batch.Stream = ripStream + uint32(p)
	r.batch.Punts(punter)
	return r
}

// claim is what the machine hears on the interface called name, if anything.
func (c *RIPConfig) claim(r *RIP, name string) (claim dataplane.Claim, group netip.Addr, ok bool) {
	group, port := rip.Group(r.protocol)
	if c == nil {
		return claim, group, false
	}
	i, ok := c.Interfaces[name]
	claim = dataplane.Claim{
		Family: 4, Protocol: packet.ProtoUDP, Port: port, Sink: r,
		Broadcast: r.protocol == rip.RIP && i.Receive != rip.Version2,
	}
	if r.protocol == rip.RIPng {
		claim.Family = 6
	}
	return claim, group, ok
}

// configure hands over the configuration, nil for none.
func (r *RIP) configure(c *RIPConfig) {
	if c == nil && !r.active {
		return
	}
	r.active = c != nil
	cfg := rip.DefaultConfig(r.protocol)
	if c != nil {
		cfg = c.Config
	}
	cfg.Interfaces = keepPolicies(r.interfaces, cfg.Interfaces)
	r.interfaces = cfg.Interfaces
	r.must(rip.Reconfigure{Config: cfg})
}

// must hands the machine an input that must not be lost. The loop empties its
// inbox without ever waiting for the sender, so this waits at most as long as
// one step takes.
func (r *RIP) must(in rip.Input) { _ = r.Inbox.Send(context.Background(), in) }

// ripBetween is a question to the machine, which runs between two Steps.
type ripBetween struct {
	rip.Input // none: it makes this one
	ask       func(m *rip.Machine, now time.Time)
}

// Ask runs f on the machine's goroutine, between two Steps, and waits until it
// has run or ctx is done; in the latter case f may still run later. The
// machine is nil while the protocol was never configured.
func (r *RIP) Ask(ctx context.Context, f func(m *rip.Machine, now time.Time)) error {
	done := make(chan struct{})
	q := ripBetween{ask: func(m *rip.Machine, now time.Time) { f(m, now); close(done) }}
	if err := r.Inbox.Send(ctx, q); err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Machine is the machine itself, nil while the protocol was never configured,
// for who drives it by Poll and looks into it on the same goroutine.
func (r *RIP) Machine() *rip.Machine { return r.machine }

// Step implements machine.Core.
func (r *RIP) Step(now time.Time, in rip.Input) {
	if q, ok := in.(ripBetween); ok {
		q.ask(r.machine, now)
		return
	}
	if r.machine == nil {
		r.begin(now, in)
		return
	}
	r.out = r.machine.Step(now, in, r.out[:0])
	for _, e := range r.out {
		r.carryOut(e, now)
	}
	clear(r.out) // what was sent is not kept from the collector
}

// begin keeps what interfaces there are until the first configuration comes,
// and makes the machine then: most routers never speak RIP. What the RIB tells
// because of that configuration may come before it, beside the inbox.
func (r *RIP) begin(now time.Time, in rip.Input) {
	switch in := in.(type) {
	case rip.InterfaceUp:
		r.forget(in.Interface)
		r.known = append(r.known, in)
	case rip.InterfaceDown:
		r.forget(in.Interface)
	case rip.Reconfigure:
		r.machine = rip.New(in.Config, r.seed)
		for _, i := range r.known {
			r.Step(now, i)
		}
		for _, n := range r.early {
			r.Step(now, n)
		}
		r.known, r.early = nil, nil
	case rip.Notices:
		r.early = append(r.early, in)
	}
}

func (r *RIP) forget(id routing.InterfaceID) {
	kept := r.known[:0]
	for _, i := range r.known {
		if i.Interface != id {
			kept = append(kept, i)
		}
	}
	r.known = kept
}

// Tick implements machine.Core.
func (r *RIP) Tick(now time.Time) { r.Step(now, rip.Tick{}) }

// Deadline implements machine.Core.
func (r *RIP) Deadline() time.Time {
	if r.machine == nil {
		return time.Time{}
	}
	return r.machine.Deadline()
}

func (r *RIP) carryOut(effect rip.Effect, now time.Time) {
	switch e := effect.(type) {
	case rip.Send:
		r.send(&e, now)
	case rip.Deltas:
		r.offers.Add(e.Deltas)
	default:
		r.Tell(e)
	}
}

func (r *RIP) send(e *rip.Send, now time.Time) {
	v := r.live.Load()
	r.ident++
	_, port := rip.Group(r.protocol)
	d := datagram{
		Src: netip.AddrPortFrom(e.Src, port), Dst: netip.AddrPortFrom(e.Dst, e.DstPort),
		Protocol: packet.ProtoUDP, Hops: e.HopLimit, ID: r.ident, Payload: e.Payload,
	}
	r.raw = d.append(r.raw[:0])
	out := e.Interface
	if i := v.Interface(out); i != nil && !i.Reaches(e.Dst) {
		out = routing.NoInterface // beyond a router: by the table
	}
	dataplane.Speak(v, r.batch, []dataplane.Spoken{{Out: out, Packet: r.raw}}, now)
	r.batch.Transmit(now)
}

// Hear implements dataplane.Sink: it copies a datagram to the inbox, if there
// is room.
func (r *RIP) Hear(h *dataplane.Heard) bool {
	udp := packet.UDP(h.Packet[h.Transport:])
	in := rip.Received{
		Interface: h.In, SrcPort: binary.BigEndian.Uint16(udp),
		Payload: append([]byte(nil), udp[packet.UDPHeader:udp.Length()]...),
	}
	if h.Packet[0]>>4 == 4 {
		ip := packet.IPv4(h.Packet)
		in.Src, in.Dst, in.HopLimit = ip.Src(), ip.Dst(), ip.TTL()
	} else {
		ip := packet.IPv6(h.Packet)
		in.Src, in.Dst, in.HopLimit = ip.Src(), ip.Dst(), ip.HopLimit()
	}
	return r.Inbox.Offer(in)
}
