package arp

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// advert is a router advertisement of the peer.
func advert(src netip.Addr) Received {
	f := AppendEthernet(nil, MulticastMAC(AllNodes), peerMAC, EtherTypeIPv6)
	return Received{eth0, AppendRouterAdvertisement(f, src, AllNodes, &RouterAdvertisement{Source: peerMAC})}
}

// A subscriber hears of routers, also of those that were heard before, and the
// router advertises itself often enough that they hear of it.
func TestDiscover(t *testing.T) {
	b := newBench(t)
	peer := LinkLocal(peerMAC)
	if seen := of[RouterSeen](b.step(advert(peer))); len(seen) != 0 {
		t.Fatalf("nobody has asked, and hears %v", seen)
	}
	want := []RouterSeen{{eth0, "bgp", peer}}
	if seen := of[RouterSeen](b.step(Discover{Interface: eth0, Client: "bgp", Wanted: true})); !slices.Equal(seen, want) {
		t.Fatalf("of routers heard before: %v, want %v", seen, want)
	}
	msgs, at := adverts(b, time.Minute)
	if len(msgs) < 6 {
		t.Fatalf("%d advertisements in a minute, want one in ten seconds", len(msgs))
	}
	for i, m := range msgs {
		if m.Header.Lifetime != 0 || m.Src != ourLL || len(slices.Collect(m.Prefixes)) != 0 {
			t.Errorf("advertised %+v: hosts would use it", m)
		}
		if i > 0 && at[i].Sub(at[i-1]) > discoverMaxInterval {
			t.Errorf("advertisement %d came after %v", i, at[i].Sub(at[i-1]))
		}
	}
	b.step(Discover{Interface: eth0, Client: "other", Wanted: true})
	want = append(want, RouterSeen{eth0, "other", peer})
	if seen := of[RouterSeen](b.step(advert(peer))); !slices.Equal(seen, want) {
		t.Errorf("two who ask hear %v, want %v", seen, want)
	}
	if seen := of[RouterSeen](b.step(advert(ourLL))); len(seen) != 0 {
		t.Errorf("it hears of itself: %v", seen)
	}
	// The interface comes again: they still ask.
	b.step(InterfaceDown{Interface: eth0})
	b.step(InterfaceUp{Interface: eth0, Config: InterfaceConfig{MAC: ourMAC, Addresses: []netip.Prefix{netip.PrefixFrom(ourLL, 64)}}})
	b.pass(5 * time.Second)
	if seen := of[RouterSeen](b.step(advert(peer))); !slices.Equal(seen, want) {
		t.Errorf("after the interface was gone they hear %v, want %v", seen, want)
	}
	b.step(Discover{Interface: eth0, Client: "bgp"})
	b.step(Discover{Interface: eth0, Client: "other"})
	b.pass(10 * time.Second)
	if msgs, _ := adverts(b, time.Minute); len(msgs) != 0 {
		t.Errorf("nobody asks, and it sends %d advertisements", len(msgs))
	}
}

// What is configured to be advertised stays so, only more often.
func TestDiscoverWithAdvertisements(t *testing.T) {
	b := newBench(t, withRA)
	b.step(Discover{Interface: eth0, Client: "bgp", Wanted: true})
	msgs, at := adverts(b, time.Minute)
	if len(msgs) < 6 || msgs[5].Header.Lifetime != 1800*time.Second || msgs[5].MTU != 1400 || at[5].Sub(at[4]) > discoverMaxInterval {
		t.Errorf("%d advertisements in a minute: %+v", len(msgs), msgs)
	}
}
