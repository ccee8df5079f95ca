package bgp

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// hub is a router that takes neighbours of other ASes from 10.0.0.0/8, and so many others
// that dial it.
func hub(t testing.TB, others int) (w *network, a *router) {
	w = newNetwork(t, 1)
	a = w.router(65001)
	for i := range others {
		w.peer(a, w.router(65002+uint32(i)), nil)
	}
	template := NeighborConfig{Link: routing.NoInterface, AnyExternal: true, HoldTime: 90}
	template.Families[wire.IPv4Unicast] = FamilyConfig{Enabled: true, Import: Policy{Given: true}, Export: Policy{Given: true}}
	a.config.Neighbors = nil
	a.config.ListenRanges = []ListenRange{{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Neighbor: template}}
	return w, a
}

// up is how many sessions of a router are up, of how many neighbours.
func (r *router) up() (up, all int) {
	list := r.machine.Neighbors()
	for i := range list {
		if list[i].State == Established {
			up++
		}
	}
	return up, len(list)
}

func TestDynamicNeighbors(t *testing.T) {
	w, a := hub(t, 2)
	b, c := w.routers[1], w.routers[2]
	w.start()
	w.run(time.Minute)
	w.established()
	w.want(a, ownPrefix(1), "65002", "10.0.1.2")
	w.want(c, ownPrefix(1), "65001 65002", "10.0.2.1")
	for i, n := range a.machine.Neighbors() {
		if n.AS != 65002+uint32(i) && n.AS != 65003-uint32(i) || n.Dynamic != netip.MustParsePrefix("10.0.0.0/8") {
			t.Errorf("neighbour %v: AS %d, of range %v", n.Address, n.AS, n.Dynamic)
		}
	}
	// It is gone with its session, and comes back.
	b.config.Neighbors[0].Shutdown = true
	w.configure(b)
	w.run(time.Second)
	if up, all := a.up(); up != 1 || all != 1 {
		t.Errorf("%d of %d neighbours are up, want the other one alone", up, all)
	}
	w.want(c, ownPrefix(1), "none", "")
	b.config.Neighbors[0].Shutdown = false
	w.configure(b)
	w.run(time.Minute)
	w.established()
	w.want(c, ownPrefix(1), "65001 65002", "10.0.2.1")
	if len(a.machine.streams) != 2 || len(a.machine.neighbors) != 2 {
		t.Errorf("%d streams of %d neighbours, want 2 of 2", len(a.machine.streams), len(a.machine.neighbors))
	}
}

// One of the own AS is none of the range's, where these are of other ASes.
func TestDynamicOfOwnAS(t *testing.T) {
	w, a := hub(t, 1)
	b := w.routers[1]
	b.config.AS = 65001
	b.config.Neighbors[0].AS = 65001
	w.start()
	w.run(time.Minute)
	if up, _ := a.up(); up != 0 {
		t.Error("a session with a neighbour of the own AS")
	}
	if last := b.machine.Neighbors()[0].Last; !last.Received || last.Notification.Code != wire.CodeOpen || last.Notification.Subcode != wire.OpenBadPeerAS {
		t.Errorf("it ended by %+v, want bad peer AS", last)
	}
}

// connect is a connection to a router from an address, without the other side.
func (w *network) connect(r *router, from string) protocol.StreamID {
	w.next++
	w.step(r, protocol.Connected{
		ID: w.next, Listener: r.listeners[netip.AddrPortFrom(netip.IPv4Unspecified(), wire.Port)],
		Local: netip.MustParseAddrPort("10.0.1.1:179"), Remote: netip.AddrPortFrom(netip.MustParseAddr(from), 40000),
		Link: routing.NoInterface, Room: protocol.StreamRoom,
	})
	return w.next
}

// Strangers who connect and say nothing, or only their OPEN, are bounded, and neighbours
// that are up do not notice.
func TestDynamicFlood(t *testing.T) {
	w, a := hub(t, 3)
	a.config.ListenRanges[0].Limit = 5
	w.start()
	w.run(time.Minute)
	w.established()
	for i := range 2000 {
		from := netip.AddrFrom4([4]byte{10, 99, byte(i >> 8), byte(i)})
		id := w.connect(a, from.String())
		if i%2 == 0 {
			open := wire.Open{AS: 65099, ID: wire.RouterID(1000 + i), HoldTime: 90, Capabilities: wire.Capabilities{Families: wire.Of(wire.IPv4Unicast), FourOctetAS: true}}
			w.step(a, protocol.Read{ID: id, Data: open.Append(nil)})
		}
		if _, all := a.up(); all > 5 || len(a.machine.neighbors) > 5 || len(a.machine.streams) > 5 {
			t.Fatalf("after %d strangers there are %d neighbours, %d streams", i+1, all, len(a.machine.streams))
		}
	}
	if up, _ := a.up(); up != 3 || a.downs() != 0 {
		t.Errorf("%d sessions are up, want 3: %v", up, a.events)
	}
	if got := a.machine.Status().Crowded; got != 1998 {
		t.Errorf("%d had to go for others, want 1998", got)
	}
	strangers := a.machine.strangers
	w.connect(a, "192.0.2.1")
	if a.machine.strangers != strangers+1 {
		t.Error("who connects from outside the range is no stranger")
	}
	w.run(5 * time.Minute)
	if up, all := a.up(); up != 3 || all != 3 {
		t.Errorf("later %d of %d are up, want 3 of 3", up, all)
	}
	// All places taken by sessions: nobody goes.
	a.config.ListenRanges[0].Limit = 3
	w.configure(a)
	w.connect(a, "10.99.0.1")
	if up, all := a.up(); up != 3 || all != 3 || a.machine.strangers != strangers+2 {
		t.Errorf("%d of %d are up, %d strangers", up, all, a.machine.strangers-strangers)
	}
}

func TestDynamicReload(t *testing.T) {
	w, a := hub(t, 2)
	b, c := w.routers[1], w.routers[2]
	w.start()
	w.run(time.Minute)
	w.established()
	template := a.config.ListenRanges[0].Neighbor
	r := &a.config.ListenRanges[0].Neighbor.Families[wire.IPv4Unicast]
	r.Import = rejecting(t, netip.MustParsePrefix("100.1.0.0/16"))
	w.configure(a)
	w.run(time.Minute)
	w.want(a, ownPrefix(1), "none", "")
	w.want(a, ownPrefix(2), "65003", "10.0.2.2")
	if a.downs() != 0 {
		t.Fatalf("a policy ends sessions: %v", a.events)
	}
	// A longer range for one of them, with nothing else: it goes on. Then one that differs
	// in what the session depends on.
	a.config.ListenRanges = append(a.config.ListenRanges, ListenRange{Prefix: netip.MustParsePrefix("10.0.1.0/24"), Neighbor: template})
	w.configure(a)
	w.run(time.Minute)
	w.want(a, ownPrefix(1), "65002", "10.0.1.2")
	if a.downs() != 0 {
		t.Fatalf("another range ends a session that is the same: %v", a.events)
	}
	a.config.ListenRanges[1].Neighbor.HoldTime = 30
	w.configure(a)
	w.run(2 * time.Minute)
	w.established()
	if a.downs() != 1 || c.downs() != 0 {
		t.Errorf("another hold time: %v", a.events)
	}
	// It is configured by its address: no longer dynamic.
	n := template
	n.Address, n.AnyExternal, n.AS = netip.MustParseAddr("10.0.1.2"), false, 65002
	a.config.Neighbors = []NeighborConfig{n}
	w.configure(a)
	w.run(2 * time.Minute)
	w.established()
	if x := a.machine.Neighbors()[0]; x.Dynamic.IsValid() || x.AS != 65002 {
		t.Errorf("configured, it is %+v", x)
	}
	a.config.ListenRanges = nil
	w.configure(a)
	w.run(time.Minute)
	if up, all := a.up(); up != 1 || all != 1 || c.machine.Neighbors()[0].State == Established {
		t.Errorf("without ranges %d of %d are up", up, all)
	}
	if !slices.Contains(c.events, "session down received cease: peer de-configured") {
		t.Errorf("events of the one that is none any more: %v", c.events)
	}
	w.want(b, ownPrefix(0), "65001", "10.0.1.1")
}

func TestRangeCheck(t *testing.T) {
	for want, change := range map[string]func(*ListenRange){
		"without host bits":      func(r *ListenRange) { r.Prefix = netip.MustParsePrefix("10.0.0.1/8") },
		"link-local":             func(r *ListenRange) { r.Prefix = netip.MustParsePrefix("fe80::/64") },
		"an address or a link":   func(r *ListenRange) { r.Neighbor.Address = netip.MustParseAddr("10.0.0.1") },
		"of the other family":    func(r *ListenRange) { r.Neighbor.Local = netip.MustParseAddr("2001:db8::1") },
		"a limit of -1":          func(r *ListenRange) { r.Limit = -1 },
		"AS number 65002":        func(r *ListenRange) { r.Neighbor.AS = 65002 },
		"AS number 0":            func(r *ListenRange) { r.Neighbor.AnyExternal = false },
		"hold time 1 s":          func(r *ListenRange) { r.Neighbor.HoldTime = 1 },
		"range 10.0.0.0/8 is th": func(*ListenRange) {},
	} {
		_, a := hub(t, 0)
		if err := a.config.Check(); err != nil {
			t.Fatal(err)
		}
		change(&a.config.ListenRanges[0])
		if strings.HasSuffix(want, "is th") {
			a.config.ListenRanges = append(a.config.ListenRanges, a.config.ListenRanges[0])
		}
		if err := a.config.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
