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

// ends gives the links of a connection between link-local addresses, and the address that
// it comes from where the one who dials leaves that to the stack.
func (w *network) ends(r, o *router, e *protocol.Dial) (links [2]routing.InterfaceID) {
	links = [2]routing.InterfaceID{routing.NoInterface, routing.NoInterface}
	for k, x := range [...]*router{r, o} {
		for _, l := range x.links {
			for _, p := range l.Addresses {
				switch {
				case k == 0 && !e.Local.Addr().IsValid() && (l.Link == e.Link || e.Link == routing.NoInterface && p.Contains(e.Remote.Addr())):
					e.Local = netip.AddrPortFrom(p.Addr(), e.Local.Port())
				case k == 1 && p.Addr() == e.Remote.Addr() && e.Link != routing.NoInterface:
					links[1] = l.Link
				}
			}
		}
	}
	links[0] = e.Link
	return links
}

// joined makes two routers unnumbered neighbours, by a link with the addresses that are
// given.
func joined(t testing.TB, of ...string) (w *network, list []*router) {
	w = newNetwork(t, 1)
	for i, address := range of {
		r := w.router(65001 + uint32(i))
		r.config.Listen[wire.IPv6Unicast] = netip.AddrPortFrom(netip.IPv6Unspecified(), wire.Port)
		r.links = append(r.links, protocol.LinkUp{
			Link: routing.InterfaceID(5 + i), Name: "eth0", MTU: 1500, Addresses: []netip.Prefix{netip.MustParsePrefix(address)},
		})
		c := NeighborConfig{Unnumbered: true, Interface: "eth0", Link: routing.NoInterface, AnyExternal: true, HoldTime: 90, ExtendedNextHop: true}
		for f := range c.Families {
			c.Families[f] = FamilyConfig{Enabled: true, Import: Policy{Given: true}, Export: Policy{Given: true}}
		}
		r.config.Neighbors = []NeighborConfig{c}
		list = append(list, r)
	}
	return w, list
}

// advertise has a router hear that the other one is on its link.
func (w *network) advertise(r, other *router) {
	l := r.links[len(r.links)-1]
	w.step(r, protocol.RouterSeen{Link: l.Link, Address: other.links[len(other.links)-1].Addresses[0].Addr()})
}

func (r *router) asks(e protocol.Effect) bool { return slices.Contains(r.watches, e) }

func TestUnnumbered(t *testing.T) {
	w, list := joined(t, "fe80::1/64", "fe80::2/64")
	a, b := list[0], list[1]
	a.config.Neighbors[0].BFD = &BFD{}
	w.start()
	w.run(time.Minute)
	if !a.asks(protocol.Discover{Link: 5}) || !b.asks(protocol.Discover{Link: 6}) {
		t.Fatalf("%v and %v were asked: want who is on the link", a.watches, b.watches)
	}
	if n := a.machine.Neighbors()[0]; n.State != Idle || n.Address.IsValid() {
		t.Errorf("before anybody is heard it is %v at %v", n.State, n.Address)
	}
	w.advertise(a, b) // b learns who it is by the connection
	w.run(time.Minute)
	w.established()
	if n := b.machine.Neighbors()[0]; n.Address != netip.MustParseAddr("fe80::1") || n.Interface != "eth0" || n.AS != 65001 {
		t.Errorf("neighbour %v on %q of AS %d", n.Address, n.Interface, n.AS)
	}
	// Routes of IPv4 with a next hop of IPv6 (RFC 8950), on the link.
	w.want(a, ownPrefix(1), "65002", "fe80::2")
	if h := a.offered[ownPrefix(1)].NextHops[0]; h.Interface != 5 {
		t.Errorf("next hop %+v, want it on link 5", h)
	}
	path := protocol.Path{Link: 5, Address: netip.MustParseAddr("fe80::2")}
	if !a.asks(protocol.Watch{Path: path}) {
		t.Errorf("BFD was asked for %v", a.watches)
	}
	w.step(a, protocol.NeighborState{Link: 5, Address: path.Address, Cause: routing.CauseBFD})
	if a.downs() != 1 {
		t.Error("BFD finds it dead, and the session stays")
	}
	w.run(time.Minute)
	w.established()
	// Another router on the link is none while they speak, and the configuration changes
	// nothing.
	w.step(a, protocol.RouterSeen{Link: 5, Address: netip.MustParseAddr("fe80::99")})
	w.configure(a)
	w.run(time.Minute)
	w.established()
	if a.downs() != 1 {
		t.Fatalf("events %v", a.events)
	}
	// It has another address when it comes back.
	w.vanish(b)
	w.run(time.Minute)
	b.links[1].Addresses = []netip.Prefix{netip.MustParsePrefix("fe80::22/64")}
	for _, l := range b.links {
		w.step(b, l)
	}
	w.configure(b)
	w.advertise(a, b)
	w.advertise(b, a)
	w.run(3 * time.Minute)
	w.established()
	w.want(a, ownPrefix(1), "65002", "fe80::22")
	a.config.Neighbors[0].Shutdown = true
	w.configure(a)
	if !a.asks(protocol.Undiscover{Link: 5}) || a.downs() != 3 {
		t.Errorf("shut down, it is still looked for: %v; down %d times", a.watches, a.downs())
	}
}

// A subnet of IPv4 with room for two says who the other one is.
func TestUnnumberedByAddress(t *testing.T) {
	for _, test := range [][2]string{{"10.7.0.0/31", "10.7.0.1/31"}, {"10.7.0.5/30", "10.7.0.6/30"}} {
		w, list := joined(t, test[0], test[1])
		a, b := list[0], list[1]
		w.start()
		w.run(time.Minute)
		w.established()
		other := netip.MustParsePrefix(test[1]).Addr()
		if n := a.machine.Neighbors()[0]; n.Address != other || a.asks(protocol.Discover{Link: 5}) {
			t.Errorf("neighbour %v, want %v; asked for %v", n.Address, other, a.watches)
		}
		w.want(a, ownPrefix(1), "65002", other.String())
		w.configure(a)
		w.run(time.Minute)
		if a.downs() != 0 || b.downs() != 0 {
			t.Errorf("the same configuration ends the session: %v", a.events)
		}
	}
	for own, want := range map[string]string{
		"10.0.0.0/30": "", "10.0.0.3/30": "", "10.0.0.1/30": "10.0.0.2", "10.0.0.2/30": "10.0.0.1", "10.0.0.254/31": "10.0.0.255",
		"10.0.0.1/24": "", "10.0.0.1/32": "", "2001:db8::1/127": "",
	} {
		if got := otherEnd([]netip.Prefix{netip.MustParsePrefix(own)}); got != (netip.Addr{}) && got.String() != want || got == (netip.Addr{}) && want != "" {
			t.Errorf("beside %s is %v, want %q", own, got, want)
		}
	}
}

// A stranger on the link does not become a neighbour.
func TestUnnumberedStrangers(t *testing.T) {
	w, list := joined(t, "fe80::1/64", "fe80::2/64")
	a, b := list[0], list[1]
	w.start()
	w.advertise(a, b)
	w.advertise(b, a)
	w.run(time.Minute)
	w.established()
	for i, in := range []protocol.Connected{
		{Link: 5, Remote: netip.MustParseAddrPort("[fe80::99]:1")}, // while the neighbour is there
		{Link: 9, Remote: netip.MustParseAddrPort("[fe80::2]:1")},
		{Link: routing.NoInterface, Remote: netip.MustParseAddrPort("10.7.0.1:1")},
	} {
		w.next++
		in.ID, in.Listener, in.Room = w.next, a.listeners[netip.AddrPortFrom(netip.IPv6Unspecified(), wire.Port)], protocol.StreamRoom
		w.step(a, in)
		if a.machine.strangers != uint64(i+1) {
			t.Errorf("%v on link %d is no stranger", in.Remote, in.Link)
		}
	}
	w.run(time.Minute)
	if a.downs() != 0 {
		t.Errorf("strangers end sessions: %v", a.events)
	}
}

func TestUnnumberedCheck(t *testing.T) {
	for want, change := range map[string]func(*NeighborConfig){
		"want an interface":              func(n *NeighborConfig) { n.Interface = "" },
		"and no address of it":           func(n *NeighborConfig) { n.Address = netip.MustParseAddr("fe80::2") },
		"or of this router":              func(n *NeighborConfig) { n.Local = netip.MustParseAddr("fe80::2") },
		"want 1 to 4294967295 but 23456": func(n *NeighborConfig) { n.AnyExternal = false },
	} {
		_, list := joined(t, "fe80::1/64")
		c := &list[0].config
		if err := c.Check(); err != nil {
			t.Fatal(err)
		}
		change(&c.Neighbors[0])
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
