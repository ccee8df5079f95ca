package router

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"routerd/arp"
	"routerd/dataplane"
	"routerd/dataplane/port/memory"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
	"routerd/routing/protocol"
)

// Every way in which the neighbour machine drops a packet has a verdict of its
// own, and is counted as that.
func TestDroppedFates(t *testing.T) {
	want := map[arp.Reason]verdict.Verdict{
		arp.HoldFull:    verdict.NeighborQueueFull,
		arp.Throttled:   verdict.NeighborThrottled,
		arp.TableFull:   verdict.NeighborTableFull,
		arp.Evicted:     verdict.NeighborEvicted,
		arp.NotNeighbor: verdict.NotNeighbor,
		arp.NoInterface: verdict.InterfaceDown,
	}
	b, n, id := ethernet(t)
	for why := arp.Reason(0); why.String() != "unknown"; why++ {
		v, known := want[why]
		if !known {
			t.Errorf("a packet dropped for %q has no verdict here", why)
			continue
		}
		before := n.Counters.Verdict(v)
		n.carryOut(arp.Dropped{Interface: id, Reason: why, Packet: probe(t, "10.0.5.9"), Tag: waiting{in: b.router.View().Named("lan0").ID}}, now)
		if got := n.Counters.Verdict(v) - before; got != 1 {
			t.Errorf("dropped for %q: %d more counted as %s, want 1", why, got, v)
		}
		drops := n.Drops.Last(1)
		if len(drops) != 1 || drops[0].Verdict != v {
			t.Errorf("dropped for %q: the last drop is %+v, want one as %s", why, drops, v)
		}
	}
}

// The machine's bounds, each as the one who looks at the drops meets it.
func TestBoundsOfTheMachineAreToldApart(t *testing.T) {
	_, n, id := ethernet(t)
	cfg := arp.DefaultConfig()
	resolve := func(i int) {
		to := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		raw := probe(t, to.String())
		raw[15] = byte(i % 200) // of many sources, none of which asks for too much
		packet.IPv4(raw).FillChecksum()
		n.Step(now, arp.Resolve{Interface: id, Addr: to, Packet: raw})
	}
	n.Step(now, arp.InterfaceUp{Interface: id, Config: arp.InterfaceConfig{
		MAC: arp.MAC{2, 0, 0, 0, 0, 1}, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.255.1/16")},
	}})
	held := -1
	for n.Counters.Verdict(verdict.NeighborQueueFull) == 0 && held < cfg.MaxHeldEach {
		resolve(1)
		held++
	}
	resolve(0) // 10.0.0.0 is the subnet's broadcast address of old
	// One token is gone for the first of these.
	for i := range cfg.MaxIncomplete + 9 {
		resolve(2 + i)
	}
	for v, want := range map[verdict.Verdict]uint64{
		verdict.NeighborQueueFull: 1, verdict.NotNeighbor: 1, verdict.NeighborThrottled: 10,
	} {
		if got := n.Counters.Verdict(v); got != want {
			t.Errorf("%d counted as %s, want %d", got, v, want)
		}
	}
	now := now.Add(900 * time.Millisecond) // tokens for some more, before anybody is given up on
	for i := range 7 {
		to := netip.AddrFrom4([4]byte{10, 0, 9, byte(i)})
		n.Step(now, arp.Resolve{Interface: id, Addr: to, Packet: probe(t, to.String())})
	}
	// The first to go is the one for which many wait.
	if got, want := n.Counters.Verdict(verdict.NeighborEvicted), uint64(held+6); got != want {
		t.Errorf("%d counted as neighbor_evicted, want %d", got, want)
	}
	n.Step(now, arp.InterfaceDown{Interface: id})
	if got, want := n.Counters.Verdict(verdict.InterfaceDown), uint64(cfg.MaxIncomplete); got != want {
		t.Errorf("%d counted as interface_down, want the %d that waited", got, want)
	}
}

// ethernet is a bench with an Ethernet interface, eth0, whose neighbour machine
// nobody drives.
func ethernet(t *testing.T) (*bench, *Neighbors, routing.InterfaceID) {
	t.Helper()
	b := newBench(t)
	cfg := twoLANs()
	cfg.Dataplane.Interfaces = append(cfg.Dataplane.Interfaces, interfaceConfig("eth0", dataplane.KindPacket, "10.0.5.1/24"))
	b.commit(cfg)
	s := station{memory.New("eth0", 1500, memory.WithLinkHeader(14)), map[[6]byte]bool{}}
	t.Cleanup(func() { s.Close() })
	if _, err := b.router.Attach("eth0", s, now); err != nil {
		t.Fatal(err)
	}
	return b, b.router.Neighbors(), b.router.View().Named("eth0").ID
}

func probe(t *testing.T, to string) []byte {
	t.Helper()
	raw, err := dataplane.Probe{
		Src: netip.MustParseAddr("10.0.1.2"), Dst: netip.MustParseAddr(to), Proto: packet.ProtoUDP, DstPort: 9,
	}.Build()
	if err != nil {
		t.Fatal(fmt.Errorf("making a packet: %w", err))
	}
	return raw
}

// A worker that is given more than the machine takes in the meantime drops what
// is for a neighbour that much is waiting for, or too many bytes, and neither a
// packet for another neighbour nor what neighbours say.
func TestInboxIsShared(t *testing.T) {
	_, n, id := ethernet(t)
	punt := func(p dataplane.Punt) bool {
		list := []dataplane.Punt{p}
		n.Punt(list)
		return !list[0].Refused
	}
	to := func(i, size int) dataplane.Punt {
		return dataplane.Punt{
			Kind: dataplane.PuntResolve, Out: id, Target: netip.AddrFrom4([4]byte{10, 0, byte(5 + i>>8), byte(i)}), Frame: make([]byte, size),
		}
	}
	taken := 0
	for range 2 * inboxSize {
		if punt(to(1, 100)) {
			taken++
		}
	}
	if taken != neighborShare {
		t.Errorf("%d packets for one neighbour wait, want %d", taken, neighborShare)
	}
	if !punt(to(2, 100)) {
		t.Error("a packet for another neighbour is refused")
	}
	for i := range 2 * inboxSize {
		punt(to(3+i, 100))
	}
	if punt(to(9000, 100)) {
		t.Errorf("more than %d packets wait", unresolvedShare)
	}
	if !punt(dataplane.Punt{Kind: dataplane.PuntARP, In: id, Frame: make([]byte, 42)}) {
		t.Error("what a neighbour says is refused")
	}
	n.drain()
	for i := 0; i < unresolvedBytes/65000+1; i++ {
		if !punt(to(i, 65000)) {
			t.Fatalf("packet %d is refused", i)
		}
	}
	if punt(to(9000, 65000)) {
		t.Errorf("more than %d bytes wait", unresolvedBytes)
	}
	n.drain()
	if n.intake.count.Load() != 0 || n.intake.bytes.Load() != 0 {
		t.Errorf("%d packets of %d bytes are counted in an empty inbox", n.intake.count.Load(), n.intake.bytes.Load())
	}
	for i := range n.intake.places {
		if w := n.intake.places[i].Load(); w != 0 {
			t.Fatalf("%d packets are counted at place %d of an empty inbox", w, i)
		}
	}
}

func (n *Neighbors) drain() {
	for n.Inbox.Poll(n, now) {
	}
}

// hearer is a protocol that keeps what it is told of neighbours.
type hearer struct{ heard []protocol.NeighborState }

func (h *hearer) Deadline() time.Time { return time.Time{} }

func (h *hearer) Step(_ time.Time, in protocol.Input, out []protocol.Effect) []protocol.Effect {
	if s, ok := in.(protocol.NeighborState); ok {
		h.heard = append(h.heard, s)
	}
	return out
}

// What the neighbour machine finds out of a next hop is stored at once where
// packets look, by its own cause alone, and protocols hear of it.
func TestHopStatesAreStoredAndTold(t *testing.T) {
	h := &hearer{}
	r := New(rand.NewPCG(1, 2), Kind{Name: "hearer", New: func(protocol.Start) protocol.Core { return h }})
	a, link := netip.MustParseAddr("10.0.5.2"), routing.InterfaceID(3)
	state := r.HopStates().Neighbor(a, link)
	state.Set(routing.CauseBFD, false)
	for _, step := range []struct {
		effects []arp.Effect
		causes  []routing.Cause
		heard   []protocol.NeighborState
	}{
		{
			[]arp.Effect{arp.HopState{Interface: link, Addr: a}, arp.Lost{Interface: link, Addr: a}},
			[]routing.Cause{routing.CauseNeighbor, routing.CauseBFD},
			[]protocol.NeighborState{{Link: link, Address: a, Cause: routing.CauseNeighbor}},
		},
		{
			[]arp.Effect{arp.HopState{Interface: link, Addr: a, Alive: true}},
			[]routing.Cause{routing.CauseBFD},
			[]protocol.NeighborState{{Link: link, Address: a, Cause: routing.CauseNeighbor, Alive: true}},
		},
	} {
		for _, e := range step.effects {
			r.Neighbors().carryOut(e, now)
		}
		if got := state.Causes(); !slices.Equal(got, step.causes) {
			t.Errorf("after %v, %v speak against the next hop, want %v", step.effects, got, step.causes)
		}
		h.heard = nil
		for _, m := range r.Machines() {
			m.Poll(now)
		}
		if !slices.Equal(h.heard, step.heard) {
			t.Errorf("after %v the protocol hears %v, want %v", step.effects, h.heard, step.heard)
		}
	}
}
