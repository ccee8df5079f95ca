package arp

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"routerd/icmp"
	"routerd/internal/packet"
	"routerd/internal/siphash"
)

// fresh is a machine whose interface has not come up yet.
func fresh(t testing.TB, addresses ...string) (*bench, InterfaceUp) {
	b := &bench{t: t, m: New(DefaultConfig(), 1), tab: NewTable(16, siphash.Key{1}), now: someday}
	up := InterfaceUp{eth0, InterfaceConfig{MAC: ourMAC}}
	for _, a := range addresses {
		up.Config.Addresses = append(up.Config.Addresses, netip.MustParsePrefix(a))
	}
	return b, up
}

func usableNow(all []Effect) (s []string) {
	for _, u := range of[AddressUsable](all) {
		s = append(s, u.Prefix.String())
	}
	return s
}

// announcements gives the addresses of the ARP announcements among the
// effects (RFC 5227 §2.3).
func announcements(t *testing.T, all []Effect) (s []netip.Addr) {
	for _, e := range of[SendFrame](all) {
		f := Ethernet(e.Frame)
		p := Packet(f.Payload())
		if f.Type() != EtherTypeARP || p.SenderAddr() != p.TargetAddr() {
			continue
		}
		if f.Dst() != Broadcast || p.Op() != OpRequest || p.TargetMAC() != (MAC{}) || p.SenderMAC() != f.Src() {
			t.Errorf("not an announcement: % x", e.Frame)
		}
		s = append(s, p.SenderAddr())
	}
	return s
}

func TestAnnounceOnStart(t *testing.T) {
	b, up := fresh(t, "192.0.2.1/24")
	b.step(up)
	if got := usableNow(b.out); !slices.Equal(got, []string{"192.0.2.1/24"}) {
		t.Errorf("usable at once: %v", got)
	}
	if got := announcements(t, b.out); !slices.Equal(got, []netip.Addr{our4}) {
		t.Errorf("announced %v at once, want %v", got, our4)
	}
	if got := announcements(t, b.pass(announceInterval)); len(got) != 1 {
		t.Errorf("announced %v after %v, want the second", got, announceInterval)
	}
	if got := announcements(t, b.pass(time.Hour)); len(got) != 0 {
		t.Errorf("announced %v after that", got)
	}
}

func TestAnnounceChange(t *testing.T) {
	b := newBench(t)
	second := netip.MustParsePrefix("192.0.2.2/24")
	c := InterfaceConfig{MAC: ourMAC, Addresses: append([]netip.Prefix{second}, b.m.ifaces[eth0].Addresses...)}
	b.step(InterfaceUp{eth0, c})
	if got := announcements(t, b.out); !slices.Equal(got, []netip.Addr{second.Addr()}) {
		t.Errorf("with a new address announced %v", got)
	}
	b.pass(10 * time.Second)
	c.MAC = newMAC
	b.step(InterfaceUp{eth0, c})
	if got := announcements(t, b.out); len(got) != 2 {
		t.Errorf("with a new MAC announced %v, want both addresses", got)
	}
	msgs, _ := parsed(t, b.out)
	if len(msgs) != 1 || msgs[0].Target != our6 || msgs[0].LinkAddress != newMAC || msgs[0].Solicited || !msgs[0].Override {
		t.Errorf("with a new MAC advertised %+v (RFC 4861 §7.2.6)", msgs)
	}
	if all := b.pass(3 * time.Second); !slices.Contains(usableNow(all), LinkLocal(newMAC).String()+"/64") {
		t.Errorf("with a new MAC usable: %v, want its link-local address", usableNow(all))
	}
	if b.step(arpFrame(Broadcast, peerMAC, OpRequest, peerMAC, peer4, MAC{}, our4)); Ethernet(of[SendFrame](b.out)[0].Frame).Src() != newMAC {
		t.Error("answers with the old MAC")
	}
	c.Addresses = c.Addresses[1:]
	b.step(InterfaceUp{eth0, c})
	if b.step(arpFrame(Broadcast, peerMAC, OpRequest, peerMAC, peer4, MAC{}, second.Addr())); len(of[SendFrame](b.out)) != 0 {
		t.Error("answers for an address that was taken away")
	}
}

func TestConflict(t *testing.T) {
	b := newBench(t)
	four.bring(b, Reachable)
	claim := arpFrame(Broadcast, newMAC, OpRequest, newMAC, our4, MAC{}, peer4)
	b.step(claim)
	c := of[Conflict](b.out)
	if len(c) != 1 || c[0].Addr != our4 || c[0].MAC != newMAC {
		t.Fatalf("reported %v", c)
	}
	if len(announcements(t, b.out)) != 1 {
		t.Error("not defended")
	}
	b.pass(defendInterval - time.Second)
	if b.step(claim); len(b.out) != 0 {
		t.Errorf("did %v within %v (RFC 5227 §2.4 (c))", b.out, defendInterval)
	}
	b.pass(time.Second)
	if b.step(claim); len(of[Conflict](b.out)) != 1 || len(announcements(t, b.out)) != 1 {
		t.Errorf("did %v after %v, want a report and an announcement", b.out, defendInterval)
	}
	if b.state(our4) != Absent {
		t.Error("learned its own address")
	}
	b.step(na(our6, newMAC, false, true))
	if c := of[Conflict](b.out); len(c) != 1 || c[0].Addr != our6 {
		t.Errorf("an advertisement for our address: did %v", b.out)
	}
}

func TestDuplicateAddressDetection(t *testing.T) {
	b, up := fresh(t, "2001:db8::1/64")
	b.step(up)
	if n := len(usableNow(b.out)); n != 0 {
		t.Fatalf("%d IPv6 addresses usable at once", n)
	}
	all := b.pass(maxInitialDelay)
	msgs, to := parsed(t, all)
	if len(msgs) != 2 {
		t.Fatalf("sent %v within %v, want one probe for each address", msgs, maxInitialDelay)
	}
	for i, m := range msgs {
		if m.Type != icmp.NeighborSolicitation6 || m.Src != nobody || m.Dst != SolicitedNode(m.Target) ||
			to[i] != MulticastMAC(m.Dst) || len(m.Nonce) != nonceLen || m.LinkAddress != (MAC{}) {
			t.Errorf("probe %+v to %v", m, to[i])
		}
	}
	if b.step(ns(peer6, peerMAC)); len(b.out) != 0 || b.state(peer6) != Absent {
		t.Errorf("did %v about a solicitation for a tentative address (RFC 4862 §5.4.3)", b.out)
	}
	got := usableNow(b.pass(retransTimer))
	slices.Sort(got)
	if want := []string{"2001:db8::1/64", ourLL.String() + "/64"}; !slices.Equal(got, want) {
		t.Errorf("usable %v, want %v", got, want)
	}
}

// Another node that wants or has a tentative address ends it: RFC 4862 §5.4.3,
// §5.4.4.
func TestDuplicate(t *testing.T) {
	probe := func(a netip.Addr, nonce []byte) Received {
		group := SolicitedNode(a)
		f := AppendEthernet(nil, MulticastMAC(group), newMAC, EtherTypeIPv6)
		return Received{eth0, AppendSolicitation(f, nobody, group, a, MAC{}, nonce)}
	}
	for name, c := range map[string]struct {
		when time.Duration
		in   Received
	}{
		"probe before ours":                 {0, probe(our6, nil)},
		"probe after ours":                  {maxInitialDelay, probe(our6, nil)},
		"probe with a nonce of its own":     {maxInitialDelay, probe(our6, []byte("abcdef"))},
		"advertisement":                     {maxInitialDelay, na(our6, newMAC, false, true)},
		"advertisement of the link-local":   {maxInitialDelay, na(ourLL, newMAC, false, true)},
		"probe for the link-local, ours on": {maxInitialDelay, probe(ourLL, nil)},
	} {
		t.Run(name, func(t *testing.T) {
			b, up := fresh(t, "2001:db8::1/64", "192.0.2.1/24")
			b.step(up)
			b.pass(c.when)
			b.step(c.in)
			dup := of[AddressDuplicate](b.out)
			msg, _ := Parse(packet.IPv6(Ethernet(c.in.Frame).Payload()))
			linkLocal := msg.Target == ourLL
			if len(dup) != 1 || dup[0].Prefix.Addr() != msg.Target || dup[0].MAC != newMAC || dup[0].Disabled != linkLocal {
				t.Fatalf("reported %+v", dup)
			}
			all := b.pass(time.Minute)
			for _, p := range usableNow(all) {
				if linkLocal || p == "2001:db8::1/64" {
					t.Errorf("%s became usable", p)
				}
			}
			b.step(ns(peer6, peerMAC))
			if len(b.out) != 0 {
				t.Errorf("answers %v for an address that is somebody else's", b.out)
			}
			if b.step(Resolve{Interface: eth0, Addr: peer4}); asked(b.out) != "all" {
				t.Error("IPv4 stopped too")
			}
			b.step(Resolve{Interface: eth0, Addr: LinkLocal(peerMAC), Packet: []byte("packet")})
			if drops := of[Dropped](b.out); (len(drops) == 1 && drops[0].Reason == NoInterface) != linkLocal {
				t.Errorf("IPv6 to a neighbour: %v", b.out)
			}
		})
	}
}

// RFC 7527: a link that brings our probes back is not another router.
func TestLoopedBack(t *testing.T) {
	b, up := fresh(t, "2001:db8::1/64")
	b.step(up)
	var ours []Received
	for _, s := range of[SendFrame](b.pass(maxInitialDelay)) {
		ours = append(ours, Received{eth0, s.Frame})
	}
	for _, in := range ours {
		if b.step(in); len(of[AddressDuplicate](b.out)) != 0 || len(of[LoopedBack](b.out)) != 1 {
			t.Errorf("did %v about its own probe", b.out)
		}
	}
	all := b.pass(time.Minute)
	probes := 0
	msgs, _ := parsed(t, all)
	for _, m := range msgs {
		if m.Type == icmp.NeighborSolicitation6 && m.Target == our6 {
			probes++
		}
	}
	if probes != maxMulticastSolicit {
		t.Errorf("%d more probes, want %d (RFC 7527 §4.1)", probes, maxMulticastSolicit)
	}
	if got := usableNow(all); len(got) != 2 {
		t.Errorf("usable %v, want both", got)
	}
	for _, in := range ours {
		if b.step(in); len(b.out) != 0 {
			t.Errorf("did %v about a late echo", b.out)
		}
	}
}

func TestEchoOfOwn(t *testing.T) {
	b := newBench(t)
	b.step(arpFrame(Broadcast, ourMAC, OpRequest, ourMAC, our4, MAC{}, our4))
	b.step(na(our6, ourMAC, false, true))
	f := AppendEthernet(nil, MulticastMAC(SolicitedNode(our6)), ourMAC, EtherTypeIPv6)
	b.step(Received{eth0, AppendSolicitation(f, ourLL, SolicitedNode(our6), our6, ourMAC, nil)})
	if n := b.m.Counters().Conflicts; n != 0 || b.state(ourLL) != Absent {
		t.Errorf("%d conflicts with itself; knows itself as %v", n, b.state(ourLL))
	}
}

func TestInterfaceDown(t *testing.T) {
	b := newBench(t)
	four.bring(b, Reachable)
	six.bring(b, Incomplete)
	b.step(InterfaceDown{Interface: eth0})
	if b.tab.Lookup(eth0, peer4) != nil {
		t.Error("a neighbour outlives its interface")
	}
	if d := of[Dropped](b.out); len(d) != 1 || d[0].Reason != NoInterface {
		t.Errorf("dropped %v, want the packet held", d)
	}
	if all, _ := b.m.Len(); all != 0 || !b.m.Deadline().IsZero() || b.m.HeldBytes() != 0 {
		t.Errorf("%d neighbours, deadline %v, %d bytes left", all, b.m.Deadline(), b.m.HeldBytes())
	}
	b.step(Resolve{Interface: eth0, Addr: peer4, Packet: []byte("late")})
	if d := of[Dropped](b.out); len(d) != 1 || d[0].Reason != NoInterface {
		t.Errorf("dropped %v", d)
	}
}

func TestNotNeighbors(t *testing.T) {
	b := newBench(t)
	for _, a := range []netip.Addr{
		our4, our6, nobody, AllNodes, netip.MustParseAddr("224.0.0.5"), netip.IPv4Unspecified(),
		{},
		ourLL.WithZone("eth0"),
		netip.MustParseAddr("192.0.2.255"), netip.MustParseAddr("255.255.255.255"),
	} {
		b.step(Resolve{Interface: eth0, Addr: a, Packet: []byte("packet")})
		if d := of[Dropped](b.out); len(d) != 1 || d[0].Reason != NotNeighbor || len(b.out) != 1 {
			t.Errorf("%v: did %v", a, b.out)
		}
	}
}

// Frames that are nobody's, and what an interface that lost IPv6 forgets.
func TestFramesRefused(t *testing.T) {
	b := newBench(t)
	six.bring(b, Stale)
	for name, c := range map[string]struct {
		frame   []byte
		counted uint64
	}{
		"empty":             {nil, 1},
		"short":             {make([]byte, EthernetHeader-1), 1},
		"from a group":      {AppendEthernet(nil, ourMAC, Broadcast, EtherTypeARP), 1},
		"ARP without body":  {AppendEthernet(nil, ourMAC, peerMAC, EtherTypeARP), 1},
		"IPv6 without body": {AppendEthernet(nil, ourMAC, peerMAC, EtherTypeIPv6), 0},
		"another type":      {AppendEthernet(nil, ourMAC, peerMAC, 0x88cc), 0},
		"a bad checksum":    {func() []byte { f := ns(peer6, peerMAC).Frame; f[len(f)-1]++; return f }(), 1},
		"an echo request": {func() []byte {
			p := beginND(AppendEthernet(nil, ourMAC, peerMAC, EtherTypeIPv6), peer6, our6, icmp.EchoRequest6)
			return finishND(append(p, 0, 0, 0, 0), EthernetHeader)
		}(), 0},
	} {
		before := b.m.Counters().Malformed
		b.step(Received{eth0, c.frame})
		if n := b.m.Counters().Malformed - before; n != c.counted || len(b.out) != 0 {
			t.Errorf("%s: counted %d, did %v; want %d and nothing", name, n, b.out, c.counted)
		}
	}
	if b.step(Received{eth0 + 1, arpReply(peerMAC).Frame}); len(b.out) != 0 {
		t.Errorf("a frame of an interface that there is not: did %v", b.out)
	}
	c := b.m.ifaces[eth0].InterfaceConfig
	c.MAC = newMAC
	b.step(InterfaceUp{eth0, c})
	f := AppendEthernet(nil, MulticastMAC(AllNodes), peerMAC, EtherTypeIPv6)
	b.step(Received{eth0, AppendAdvertisement(f, LinkLocal(newMAC), AllNodes, LinkLocal(newMAC), peerMAC, false, false, true)})
	if d := of[AddressDuplicate](b.out); len(d) != 1 || !d[0].Disabled || b.tab.Lookup(eth0, peer6) != nil {
		t.Errorf("did %v, want IPv6 off and its neighbours forgotten", b.out)
	}
	// Told of it again nothing changes; another MAC is another matter.
	if b.step(InterfaceUp{eth0, c}); len(b.out) != 0 {
		t.Errorf("did %v", b.out)
	}
	c.MAC = ourMAC
	b.step(InterfaceUp{eth0, c})
	if got := usableNow(b.pass(5 * time.Second)); len(got) != 2 {
		t.Errorf("with another MAC usable: %v, want both IPv6 addresses", got)
	}
}
