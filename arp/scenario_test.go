package arp

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/internal/siphash"
	"routerd/routing"
)

var (
	ourMAC  = MAC{0x02, 0, 0, 0, 0, 0x01}
	peerMAC = MAC{0x02, 0, 0, 0, 0, 0x0a}
	newMAC  = MAC{0x02, 0, 0, 0, 0, 0x0b}

	our4    = netip.MustParseAddr("192.0.2.1")
	peer4   = netip.MustParseAddr("192.0.2.10")
	our6    = netip.MustParseAddr("2001:db8::1")
	peer6   = netip.MustParseAddr("2001:db8::10")
	ourLL   = LinkLocal(ourMAC)
	nobody  = netip.IPv6Unspecified()
	someday = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

const eth0 = routing.InterfaceID(3)

// bench is a machine with its table and clock, and what it last wanted done.
type bench struct {
	t   rapid.TB
	m   *Machine
	tab *Table
	now time.Time
	out []Effect
}

// newBench is a router with one interface whose addresses are all usable.
func newBench(t rapid.TB, change ...func(*Config, *InterfaceConfig)) *bench {
	t.Helper()
	cfg := DefaultConfig()
	ic := InterfaceConfig{
		MAC:       ourMAC,
		Addresses: []netip.Prefix{netip.PrefixFrom(our4, 24), netip.PrefixFrom(our6, 64)},
	}
	for _, f := range change {
		f(&cfg, &ic)
	}
	b := &bench{t: t, m: New(cfg, 1), tab: NewTable(cfg.MaxNeighbors, siphash.Key{1}), now: someday}
	b.step(InterfaceUp{eth0, ic})
	b.pass(5 * time.Second)
	b.out = nil
	return b
}

// step hands in an input; effects are applied to the table and kept in out.
func (b *bench) step(in Input) []Effect {
	b.t.Helper()
	b.out = b.m.Step(b.now, in, nil)
	for _, e := range b.out {
		b.tab.Apply(e)
	}
	return b.out
}

// pass lets time go by, deadline by deadline, and gives all effects.
func (b *bench) pass(d time.Duration) []Effect {
	b.t.Helper()
	end := b.now.Add(d)
	var all []Effect
	for {
		next := b.m.Deadline()
		if next.IsZero() || next.After(end) {
			break
		}
		if next.Before(b.now) {
			b.t.Fatalf("deadline %v is before %v", next, b.now)
		}
		b.now = next
		all = append(all, b.step(Tick{})...)
	}
	b.now = end
	b.out = all
	return all
}

func (b *bench) state(a netip.Addr) State {
	for n := range walk(b.m, b.now) {
		if n.Addr == a {
			return n.State
		}
	}
	return Absent
}

func walk(m *Machine, now time.Time) func(func(Neighbor) bool) {
	return func(yield func(Neighbor) bool) { m.Walk(now, yield) }
}

func arpFrame(dst, src MAC, op uint16, sha MAC, spa netip.Addr, tha MAC, tpa netip.Addr) Received {
	f := AppendPacket(AppendEthernet(nil, dst, src, EtherTypeARP), op, sha, spa, tha, tpa)
	return Received{eth0, append(f, make([]byte, 60-len(f))...)} // padded, as on a wire
}

func arpReply(mac MAC) Received {
	return arpFrame(ourMAC, mac, OpReply, mac, peer4, ourMAC, our4)
}

// of picks the effects of one type.
func of[E Effect](all []Effect) []E {
	var some []E
	for _, e := range all {
		if x, ok := e.(E); ok {
			some = append(some, x)
		}
	}
	return some
}

func TestResolveReply(t *testing.T) {
	b := newBench(t)
	b.step(Resolve{Interface: eth0, Addr: peer4, Index: 7, Packet: []byte("one"), Tag: 1})
	frames := of[SendFrame](b.out)
	if len(frames) != 1 {
		t.Fatalf("%d frames for a packet to an unknown neighbour, want one request", len(frames))
	}
	want := string(AppendPacket(AppendEthernet(nil, Broadcast, ourMAC, EtherTypeARP), OpRequest, ourMAC, our4, MAC{}, peer4))
	if got := string(frames[0].Frame); got != want {
		t.Errorf("sent % x, want % x", got, want)
	}
	if b.tab.Lookup(eth0, peer4) != nil || b.tab.ByIndex(7) != nil {
		t.Error("a neighbour that did not answer is in the table")
	}
	b.step(arpReply(peerMAC))
	released := of[Release](b.out)
	if len(released) != 1 || string(released[0].Packet) != "one" || released[0].Tag != 1 || released[0].MAC != peerMAC {
		t.Errorf("released %v, want the packet that was held", released)
	}
	for _, e := range []*Entry{b.tab.Lookup(eth0, peer4), b.tab.ByIndex(7)} {
		if e == nil || e.MAC != peerMAC || e.State != Reachable {
			t.Errorf("table says %+v, want %v", e, peerMAC)
		}
	}
}

// A neighbour that falls silent, and a next hop that never answers, are told
// once; an address of a scan is not, nor is one that went unused.
func TestLost(t *testing.T) {
	lost := func(b *bench, after time.Duration) (list []netip.Addr) {
		for end := b.now.Add(after); !b.now.After(end); {
			for _, e := range of[Lost](b.pass(time.Second)) {
				list = append(list, e.Addr)
			}
		}
		return list
	}
	for _, f := range []*family{&six, &four} {
		b := newBench(t)
		f.bring(b, Probe)
		if got := lost(b, 10*time.Second); !slices.Equal(got, []netip.Addr{f.addr}) {
			t.Errorf("%v fell silent, and lost were %v", f.addr, got)
		}
		b = newBench(t)
		b.step(Resolve{Interface: eth0, Addr: f.addr, Index: 7, Packet: []byte("held")})
		if got := lost(b, 10*time.Second); !slices.Equal(got, []netip.Addr{f.addr}) {
			t.Errorf("the next hop %v never answered, and lost were %v", f.addr, got)
		}
		b = newBench(t)
		b.step(Resolve{Interface: eth0, Addr: f.addr, Packet: []byte("held")})
		if got := lost(b, 10*time.Second); len(got) > 0 {
			t.Errorf("%v was never heard of and is no next hop, and lost were %v", f.addr, got)
		}
		b = newBench(t)
		f.bring(b, Stale)
		if got := lost(b, 2*time.Hour); len(got) > 0 {
			t.Errorf("%v went unused, and lost were %v", f.addr, got)
		}
	}
}
