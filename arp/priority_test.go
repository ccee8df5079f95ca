package arp

import (
	"net/netip"
	"testing"
	"time"

	"routerd/internal/bucket"
	"routerd/internal/siphash"
)

// small is a machine with room for four neighbours, two of them incomplete.
func small(t *testing.T) *bench {
	return newBench(t, func(c *Config, i *InterfaceConfig) {
		c.MaxNeighbors, c.MaxIncomplete, c.RequestRate = 4, 2, 1
		i.Addresses = append(i.Addresses, netip.MustParsePrefix("10.255.255.1/8"))
	})
}

// sends asks for the i-th neighbour and gives why a packet was dropped, if
// one was.
func (b *bench) sends(i int, index uint32, own bool) string {
	b.t.Helper()
	b.step(Resolve{Interface: eth0, Addr: nth(i, false), Index: index, Own: own, Packet: []byte{byte(i)}})
	s := ""
	for _, d := range of[Dropped](b.out) {
		s += d.Reason.String()
	}
	return s
}

func (b *bench) expect(why, got, want string) {
	b.t.Helper()
	if got != want {
		b.t.Errorf("%s: dropped %q, want %q", why, got, want)
	}
}

// What the router and its routes ask for goes before what packets passing by
// ask for: RFC 6583 §7.1.
func TestPriority(t *testing.T) {
	b := small(t)
	b.expect("first", b.sends(1, 0, false), "")
	b.expect("second", b.sends(2, 0, false), "")
	b.expect("third, beyond the burst", b.sends(3, 0, false), "throttled")
	b.expect("next hop", b.sends(4, 1, false), "evicted") // the first goes
	b.expect("own", b.sends(5, 0, true), "evicted")       // the second goes
	b.now = b.now.Add(100 * time.Millisecond)
	b.m.ifaces[eth0].budget.tokens = bucket.New(1, 2)
	b.expect("passing by, none of its like left", b.sends(6, 0, false), "table full")
	b.expect("another own", b.sends(7, 0, true), "evicted")       // the oldest of its like
	b.expect("another next hop", b.sends(8, 2, false), "evicted") // the own
	b.expect("own, none but next hops left", b.sends(9, 0, true), "table full")
	b.expect("a third next hop", b.sends(10, 3, false), "evicted") // the oldest of its like
	for i, want := range map[int]State{4: Absent, 5: Absent, 7: Absent, 8: Incomplete, 10: Incomplete} {
		if got := b.state(nth(i, false)); got != want {
			t.Errorf("neighbour %d is %v, want %v", i, got, want)
		}
	}
	if c := b.m.Counters(); c.Throttled != 1 || c.Evicted != 5 || c.Full != 2 {
		t.Errorf("counted %+v", c)
	}
}

// A neighbour becomes a next hop while it is being asked for.
func TestPromoted(t *testing.T) {
	b := small(t)
	b.sends(1, 0, false)
	b.sends(2, 0, false)
	b.expect("the first, as a next hop", b.sends(1, 9, false), "")
	b.expect("another next hop", b.sends(3, 8, false), "evicted")
	if b.state(nth(1, false)) != Incomplete || b.state(nth(2, false)) != Absent {
		t.Errorf("the next hop is %v, the other %v", b.state(nth(1, false)), b.state(nth(2, false)))
	}
	b = small(t)
	b.sends(1, 0, false)
	b.sends(2, 0, false)
	b.expect("the first, by the router itself", b.sends(1, 0, true), "")
	b.expect("a next hop", b.sends(3, 8, false), "evicted")
	if b.state(nth(1, false)) != Incomplete || b.state(nth(2, false)) != Absent {
		t.Errorf("the own destination is %v, the other %v", b.state(nth(1, false)), b.state(nth(2, false)))
	}
}

// Of a full table, first those go that never answered.
func TestIncompleteGoFirst(t *testing.T) {
	b := small(t)
	heard := func(i int) {
		mac := MAC{2, 2, 0, 0, 0, byte(i)}
		b.step(arpFrame(Broadcast, mac, OpRequest, mac, nth(i, false), MAC{}, our4))
	}
	heard(1)
	heard(2)
	heard(3)
	b.sends(4, 0, false)
	heard(5)
	for i, want := range map[int]State{1: Stale, 2: Stale, 3: Stale, 4: Absent, 5: Stale} {
		if got := b.state(nth(i, false)); got != want {
			t.Errorf("neighbour %d is %v, want %v", i, got, want)
		}
	}
	heard(6)
	if b.state(nth(1, false)) != Absent || b.state(nth(2, false)) != Stale {
		t.Error("not the oldest of the stale went")
	}
}

// A learned neighbour is given its number by the first packet that needs it.
func TestNumber(t *testing.T) {
	b := newBench(t)
	four.bring(b, Stale)
	if b.step(Resolve{Interface: eth0, Addr: peer4, Index: 5, Packet: []byte("packet")}); len(of[Release](b.out)) != 1 {
		t.Errorf("did %v, want the packet sent at once", b.out)
	}
	if e := b.tab.ByIndex(5); e == nil || e != b.tab.Lookup(eth0, peer4) || e.State != Delay {
		t.Errorf("number 5 is %+v", e)
	}
	if b.step(Resolve{Interface: eth0, Addr: peer4, Index: 5}); len(b.out) != 0 {
		t.Errorf("the same number again: did %v", b.out)
	}
	b.step(arpFrame(Broadcast, newMAC, OpRequest, newMAC, peer4, MAC{}, peer4))
	if e := b.tab.ByIndex(5); e == nil || e.MAC != newMAC {
		t.Errorf("after it moved number 5 is %+v", e)
	}
	b.step(Clear{Interface: eth0})
	if b.tab.ByIndex(5) != nil {
		t.Error("number 5 outlives its neighbour")
	}
	// A fresh one too, which sending does not change.
	four.bring(b, Reachable)
	if b.step(Resolve{Interface: eth0, Addr: peer4, Index: 5}); b.tab.ByIndex(5) == nil {
		t.Error("a reachable neighbour did not get its number")
	}
}

// Links that come and go leave nothing in the table.
func TestTableForgets(t *testing.T) {
	tab := NewTable(16, siphash.Key{1})
	for i := range 1000 {
		tab.Apply(Publish{&Entry{Interface: eth0, Addr: nth(i, false)}, 0})
		tab.Apply(Unpublish{eth0, nth(i, false), 0})
	}
	for i := range tab.buckets {
		if tab.buckets[i].Load() != nil {
			t.Fatal("an empty table has chains")
		}
	}
}

func TestOffLinkAfterChange(t *testing.T) {
	b := newBench(t)
	four.bring(b, Reachable)
	six.bring(b, Reachable)
	c := b.m.ifaces[eth0].InterfaceConfig
	c.Addresses = []netip.Prefix{netip.MustParsePrefix("203.0.113.1/24"), c.Addresses[1]}
	b.step(InterfaceUp{eth0, c})
	if b.tab.Lookup(eth0, peer4) != nil || b.tab.Lookup(eth0, peer6) == nil {
		t.Error("neighbours are to go with their subnet, and others to stay")
	}
	c.Addresses = append(c.Addresses, netip.PrefixFrom(peer6, 64))
	if b.step(InterfaceUp{eth0, c}); b.tab.Lookup(eth0, peer6) != nil {
		t.Error("an address that is now the router's own is still a neighbour's")
	}
}

// A /31 has no broadcast address: RFC 3021 §2.2. RFC 6164 says as much of a
// /127.
func TestPointToPointSubnets(t *testing.T) {
	b := newBench(t, func(_ *Config, i *InterfaceConfig) {
		i.Addresses = []netip.Prefix{netip.MustParsePrefix("203.0.113.1/31"), netip.MustParsePrefix("2001:db8:1::1/127")}
	})
	for _, s := range []string{"203.0.113.0", "2001:db8:1::"} {
		if b.step(Resolve{Interface: eth0, Addr: netip.MustParseAddr(s)}); asked(b.out) != "all" {
			t.Errorf("%s: did %v, want it asked for", s, b.out)
		}
	}
	other := netip.MustParseAddr("203.0.113.0")
	b.step(arpFrame(Broadcast, peerMAC, OpRequest, peerMAC, other, MAC{}, netip.MustParseAddr("203.0.113.1")))
	if b.state(other) != Stale {
		t.Errorf("the other end is %v", b.state(other))
	}
}

// What a solicitation says of its sender does not move a static neighbour,
// nor where the answer goes.
func TestAnswerToStatic(t *testing.T) {
	b := newBench(t, func(_ *Config, i *InterfaceConfig) { i.Static = []StaticNeighbor{{peer6, peerMAC}} })
	b.step(ns(peer6, newMAC))
	if _, to := parsed(t, b.out); len(to) != 1 || to[0] != peerMAC {
		t.Errorf("answered to %v, want %v", to, peerMAC)
	}
}

// An advertisement that waits for a neighbour that never answers goes
// without a word: nobody is to be told.
func TestOwnPacketsFailSilently(t *testing.T) {
	b := newBench(t)
	f := AppendEthernet(nil, ourMAC, peerMAC, EtherTypeIPv6)
	b.step(Received{eth0, AppendSolicitation(f, peer6, our6, our6, MAC{}, nil)})
	all := b.pass(time.Minute)
	if len(of[Unreachable](all))+len(of[Dropped](all)) != 0 || b.m.HeldBytes() != 0 || b.state(peer6) != Absent {
		t.Errorf("did %v, %d bytes held", all, b.m.HeldBytes())
	}
}

// RFC 4861 §6.2.6: whether or not the solicitation says a link-layer address.
func TestRouterFlagWithoutAddress(t *testing.T) {
	b := newBench(t)
	six.bring(b, Reachable)
	if b.step(rs(peer6, MAC{})); b.tab.Lookup(eth0, peer6).Router {
		t.Error("who solicits routers is none")
	}
}
