package arp

import (
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/icmp"
	"routerd/internal/packet"
	"routerd/routing"
)

// TestAnycastIsAnswered: a solicitation for the address of all routers of a
// subnet is answered by each of them, and overrides none (RFC 4861 §7.2.4, §7.2.7).
func TestAnycastIsAnswered(t *testing.T) {
	for target, want := range map[string]bool{
		"2001:db8::": true, "fe80::": true, "2001:db8:1::": false, "2001:db8::2": false,
	} {
		b, up := fresh(t, "2001:db8::1/64")
		b.step(up)
		b.pass(time.Minute)
		a := netip.MustParseAddr(target)
		group := SolicitedNode(a)
		f := AppendEthernet(nil, MulticastMAC(group), peerMAC, EtherTypeIPv6)
		out := b.step(Received{eth0, AppendSolicitation(f, peer6, group, a, peerMAC, nil)})
		answered := false
		for _, e := range of[SendFrame](out) {
			m, err := Parse(packet.IPv6(Ethernet(e.Frame).Payload()))
			if err != nil || m.Type != icmp.NeighborAdvertisement6 || m.Target != a {
				continue
			}
			answered = true
			if m.Override || !m.Solicited || !m.Router || m.LinkAddress != ourMAC || m.Dst != peer6 {
				t.Errorf("%s: answered by %+v, want a solicited advertisement that overrides none", target, m)
			}
		}
		if answered != want {
			t.Errorf("%s: answered %v, want %v", target, answered, want)
		}
	}
}

// What RFC 826 lets be learned, and what is left of it: each line a frame,
// and what is known of the peer after it, first while nobody knew it and then
// while it was reachable at peerMAC.
func TestLearnARP(t *testing.T) {
	off := netip.MustParseAddr("198.51.100.9")
	zero := netip.IPv4Unspecified()
	const absent = "absent"
	for _, c := range []struct {
		name          string
		frame         Received
		known, before string
		answered      bool
	}{
		{"broadcast request for us", arpFrame(Broadcast, newMAC, OpRequest, newMAC, peer4, MAC{}, our4), "stale new", "stale new", true},
		{"unicast request for us", arpFrame(ourMAC, newMAC, OpRequest, newMAC, peer4, ourMAC, our4), "stale new", "stale new", true},
		{"broadcast request for another", arpFrame(Broadcast, newMAC, OpRequest, newMAC, peer4, MAC{}, netip.MustParseAddr("192.0.2.77")), absent, "stale new", false},
		{"unicast request for another", arpFrame(ourMAC, newMAC, OpRequest, newMAC, peer4, MAC{}, netip.MustParseAddr("192.0.2.77")), absent, "reachable old", false},
		{"unsolicited unicast reply", arpReply(newMAC), absent, "reachable old", false},
		{"unsolicited broadcast reply", arpFrame(Broadcast, newMAC, OpReply, newMAC, peer4, ourMAC, our4), absent, "reachable old", false},
		{"broadcast announcement, a request", arpFrame(Broadcast, newMAC, OpRequest, newMAC, peer4, MAC{}, peer4), absent, "stale new", false},
		{"broadcast announcement, a reply", arpFrame(Broadcast, newMAC, OpReply, newMAC, peer4, newMAC, peer4), absent, "stale new", false},
		{"unicast announcement", arpFrame(ourMAC, newMAC, OpReply, newMAC, peer4, ourMAC, peer4), absent, "reachable old", false},
		{"probe for our address", arpFrame(Broadcast, newMAC, OpRequest, newMAC, zero, MAC{}, our4), absent, "reachable old", true},
		{"for another station", arpFrame(newMAC, newMAC, OpRequest, newMAC, peer4, MAC{}, our4), absent, "reachable old", false},
		{"from a group", arpFrame(Broadcast, newMAC, OpRequest, Broadcast, peer4, MAC{}, our4), absent, "reachable old", false},
		{"unknown operation", arpFrame(Broadcast, newMAC, 3, newMAC, peer4, MAC{}, our4), absent, "reachable old", false},
		{"from our own MAC", arpFrame(Broadcast, newMAC, OpRequest, ourMAC, peer4, MAC{}, our4), absent, "reachable old", false},
		{"from the subnet's broadcast address", arpFrame(Broadcast, newMAC, OpRequest, newMAC, netip.MustParseAddr("192.0.2.255"), MAC{}, our4), absent, "reachable old", false},
		{"from another subnet", arpFrame(Broadcast, newMAC, OpRequest, newMAC, off, MAC{}, our4), absent, "reachable old", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, from := range []State{Absent, Reachable} {
				b, want := newBench(t), c.known
				if from == Reachable {
					want = c.before
				}
				four.bring(b, from)
				b.step(c.frame)
				got := b.state(peer4).String()
				if e := b.tab.Lookup(eth0, peer4); e != nil {
					got += map[MAC]string{peerMAC: " old", newMAC: " new"}[e.MAC]
				}
				if got != want {
					t.Errorf("after %v: %s, want %s", from, got, want)
				}
				if answers := len(of[SendFrame](b.out)); (answers == 1) != c.answered {
					t.Errorf("after %v: %d answers, answered should be %v", from, answers, c.answered)
				}
				for _, a := range []netip.Addr{off, zero, netip.MustParseAddr("192.0.2.255")} {
					if s := b.state(a); s != Absent {
						t.Errorf("learned %v: %v", a, s)
					}
				}
			}
		})
	}
}

func TestReplyBytes(t *testing.T) {
	b := newBench(t)
	b.step(arpFrame(Broadcast, peerMAC, OpRequest, peerMAC, peer4, MAC{}, our4))
	const want = "\x02\x00\x00\x00\x00\x0a\x02\x00\x00\x00\x00\x01\x08\x06" + // to the asker, from us, ARP
		"\x00\x01\x08\x00\x06\x04\x00\x02" + // Ethernet, IPv4, lengths, reply
		"\x02\x00\x00\x00\x00\x01\xc0\x00\x02\x01" + // ours
		"\x02\x00\x00\x00\x00\x0a\xc0\x00\x02\x0a" // theirs
	if got := string(of[SendFrame](b.out)[0].Frame); got != want {
		t.Errorf("reply % x, want % x", got, want)
	}
}

func TestTranslatedAddressesAreAnsweredFor(t *testing.T) {
	ask := func(sender, target string) int {
		b := newBench(t, func(_ *Config, i *InterfaceConfig) {
			i.Proxied = []Range{
				{netip.MustParseAddr("192.0.2.64"), netip.MustParseAddr("192.0.2.79")},
				{netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.1")},
			}
		})
		return len(of[SendFrame](b.step(arpFrame(
			Broadcast, peerMAC, OpRequest, peerMAC, netip.MustParseAddr(sender), MAC{}, netip.MustParseAddr(target)))))
	}
	for _, tt := range []struct {
		sender, target string
		want           int
	}{
		{"192.0.2.10", "192.0.2.64", 1},
		{"192.0.2.10", "192.0.2.79", 1},
		{"192.0.2.10", "192.0.2.63", 0},
		{"192.0.2.10", "192.0.2.80", 0},
		{"192.0.2.10", "198.51.100.1", 0}, // not on the link: it is routed here, or not at all
		{"192.0.2.64", "192.0.2.64", 0},   // somebody else has it
		{"203.0.113.1", "192.0.2.64", 0},
	} {
		if got := ask(tt.sender, tt.target); got != tt.want {
			t.Errorf("%s asks for %s: %d answers, want %d", tt.sender, tt.target, got, tt.want)
		}
	}
}

func TestProxyARP(t *testing.T) {
	far := netip.MustParseAddr("198.51.100.9")
	ask := func(target netip.Addr) Received {
		return arpFrame(Broadcast, peerMAC, OpRequest, peerMAC, peer4, MAC{}, target)
	}
	answers := func(on bool, in Received) int {
		b := newBench(t, func(c *Config, i *InterfaceConfig) {
			i.ProxyARP = on
			c.Proxy = func(in routing.InterfaceID, a netip.Addr) bool { return in == eth0 && a != our4 }
		})
		return len(of[SendFrame](b.step(in)))
	}
	if answers(false, ask(far)) != 0 {
		t.Error("proxy ARP answers while off")
	}
	if answers(true, ask(far)) != 1 {
		t.Error("proxy ARP does not answer for what another interface leads to")
	}
	for name, in := range map[string]Received{
		"subnet broadcast":   ask(netip.MustParseAddr("192.0.2.255")),
		"limited broadcast":  ask(netip.MustParseAddr("255.255.255.255")),
		"probe":              arpFrame(Broadcast, peerMAC, OpRequest, peerMAC, netip.IPv4Unspecified(), MAC{}, far),
		"announcement":       arpFrame(Broadcast, peerMAC, OpRequest, peerMAC, peer4, MAC{}, peer4),
		"another subnet":     arpFrame(Broadcast, peerMAC, OpRequest, peerMAC, netip.MustParseAddr("203.0.113.1"), MAC{}, far),
		"a multicast target": ask(netip.MustParseAddr("224.0.0.5")),
	} {
		if n := answers(true, in); n != 0 {
			t.Errorf("%s: %d answers, want none (RFC 1027 §2.4)", name, n)
		}
	}
}

// parsed gives the discovery messages among the frames sent.
func parsed(t rapid.TB, all []Effect) (msgs []Message, to []MAC) {
	t.Helper()
	for _, s := range of[SendFrame](all) {
		f := Ethernet(s.Frame)
		if f.Type() != EtherTypeIPv6 {
			continue
		}
		m, err := Parse(packet.IPv6(f.Payload()))
		if err != nil {
			t.Fatalf("sent what it would refuse: %v: % x", err, s.Frame)
		}
		msgs, to = append(msgs, m), append(to, f.Dst())
	}
	return msgs, to
}

func TestAnswerSolicitation(t *testing.T) {
	t.Run("from a neighbour", func(t *testing.T) {
		b := newBench(t)
		b.step(ns(peer6, peerMAC))
		msgs, to := parsed(t, b.out)
		if len(msgs) != 1 || to[0] != peerMAC {
			t.Fatalf("sent %v to %v, want one advertisement to the asker", msgs, to)
		}
		m := msgs[0]
		if !m.Solicited || !m.Router || !m.Override || m.Target != our6 || m.Dst != peer6 || m.LinkAddress != ourMAC {
			t.Errorf("answered %+v (RFC 4861 §7.2.4)", m)
		}
	})
	t.Run("duplicate address detection", func(t *testing.T) {
		b := newBench(t)
		b.step(ns(nobody, MAC{}))
		msgs, to := parsed(t, b.out)
		if len(msgs) != 1 || to[0] != MulticastMAC(AllNodes) {
			t.Fatalf("sent %v to %v, want one advertisement to all", msgs, to)
		}
		if m := msgs[0]; m.Solicited || m.Dst != AllNodes || m.LinkAddress != ourMAC {
			t.Errorf("answered %+v (RFC 4861 §7.2.4)", m)
		}
	})
	t.Run("without a link-layer address", func(t *testing.T) {
		b := newBench(t)
		f := AppendEthernet(nil, ourMAC, peerMAC, EtherTypeIPv6)
		b.step(Received{eth0, AppendSolicitation(f, peer6, our6, our6, MAC{}, nil)})
		if asked(b.out) != "all" {
			t.Fatalf("sent %v, want the asker to be resolved first", b.out)
		}
		b.step(na(peer6, peerMAC, true, true))
		if r := of[Release](b.out); len(r) != 1 || r[0].MAC != peerMAC {
			t.Errorf("released %v, want the advertisement", r)
		}
	})
	t.Run("for another", func(t *testing.T) {
		b := newBench(t)
		group := SolicitedNode(peer6)
		f := AppendEthernet(nil, MulticastMAC(group), newMAC, EtherTypeIPv6)
		src := netip.MustParseAddr("2001:db8::77")
		b.step(Received{eth0, AppendSolicitation(f, src, group, peer6, newMAC, nil)})
		if len(b.out) != 0 || b.state(src) != Absent {
			t.Errorf("did %v about a solicitation for another", b.out)
		}
	})
	t.Run("off link", func(t *testing.T) {
		b := newBench(t)
		src := netip.MustParseAddr("2001:db8:ffff::1")
		b.step(ns(src, newMAC))
		if len(of[SendFrame](b.out)) != 1 || b.state(src) != Absent {
			t.Errorf("did %v, want an answer and nothing learned", b.out)
		}
	})
}

func TestAdvertisementCreatesNothing(t *testing.T) {
	b := newBench(t)
	for _, solicited := range []bool{true, false} {
		if b.step(na(peer6, peerMAC, solicited, true)); b.state(peer6) != Absent {
			t.Errorf("solicited %v: an advertisement nobody asked for made an entry (RFC 4861 §7.2.5)", solicited)
		}
	}
}

func TestRouterFlag(t *testing.T) {
	b := newBench(t)
	six.bring(b, Reachable)
	if !b.tab.Lookup(eth0, peer6).Router {
		t.Error("the advertisement's router flag is lost")
	}
	f := AppendEthernet(nil, MulticastMAC(AllRouters), peerMAC, EtherTypeIPv6)
	b.step(Received{eth0, AppendRouterSolicitation(f, peer6, AllRouters, peerMAC)})
	if b.tab.Lookup(eth0, peer6).Router {
		t.Error("who solicits routers is none (RFC 4861 §6.2.6)")
	}
	ll := LinkLocal(newMAC)
	f = AppendEthernet(nil, MulticastMAC(AllNodes), newMAC, EtherTypeIPv6)
	b.step(Received{eth0, AppendRouterAdvertisement(f, ll, AllNodes, &RouterAdvertisement{Source: newMAC})})
	if e := b.tab.Lookup(eth0, ll); e == nil || !e.Router || e.State != Stale {
		t.Errorf("a router that advertises itself is %+v, want stale and a router", e)
	}
}

func TestRedirectIsIgnored(t *testing.T) {
	b := newBench(t)
	six.bring(b, Reachable)
	dst := netip.MustParseAddr("2001:db8:1::1")
	f := AppendEthernet(nil, ourMAC, newMAC, EtherTypeIPv6)
	b.step(Received{eth0, AppendRedirect(f, LinkLocal(newMAC), our6, LinkLocal(newMAC), dst, newMAC, nil)})
	if len(b.out) != 0 || b.m.Counters().Redirects != 1 {
		t.Errorf("did %v, counted %d redirects", b.out, b.m.Counters().Redirects)
	}
}

func TestStatic(t *testing.T) {
	b := newBench(t, func(_ *Config, i *InterfaceConfig) {
		i.Static = []StaticNeighbor{{peer4, peerMAC}, {peer6, peerMAC}}
	})
	b.step(arpFrame(Broadcast, newMAC, OpRequest, newMAC, peer4, MAC{}, peer4))
	b.step(ns(peer6, newMAC))
	b.step(Clear{Interface: routing.NoInterface})
	b.pass(time.Hour)
	for _, a := range []netip.Addr{peer4, peer6} {
		if e := b.tab.Lookup(eth0, a); e == nil || e.MAC != peerMAC || e.State != Static {
			t.Errorf("static %v is %+v", a, e)
		}
	}
	b.step(InterfaceUp{eth0, InterfaceConfig{MAC: ourMAC, Addresses: b.m.ifaces[eth0].Addresses}})
	if b.tab.Lookup(eth0, peer4) != nil {
		t.Error("a static neighbour outlives its configuration")
	}
	b.step(Resolve{Interface: eth0, Addr: peer4, Packet: []byte("held")})
	b.step(InterfaceUp{eth0, InterfaceConfig{
		MAC: ourMAC, Addresses: b.m.ifaces[eth0].Addresses, Static: []StaticNeighbor{{peer4, newMAC}},
	}})
	if r := of[Release](b.out); len(r) != 1 || r[0].MAC != newMAC {
		t.Errorf("released %v, want what waited for the neighbour now configured", r)
	}
}

func TestClear(t *testing.T) {
	b := newBench(t)
	six.bring(b, Reachable)
	four.bring(b, Reachable)
	b.step(Clear{Interface: eth0, Addr: peer4})
	if b.tab.Lookup(eth0, peer4) != nil || b.tab.Lookup(eth0, peer6) == nil {
		t.Error("clear of one address cleared another, or not it")
	}
	b.step(Clear{Interface: eth0 + 1})
	if b.tab.Lookup(eth0, peer6) == nil {
		t.Error("clear of another interface cleared this one")
	}
	b.step(Clear{Interface: routing.NoInterface})
	if b.tab.Lookup(eth0, peer6) != nil {
		t.Error("clear left a neighbour")
	}
}

// The source of a solicitation: RFC 4861 §7.2.2.
func TestSolicitationSource(t *testing.T) {
	second := netip.MustParseAddr("203.0.113.1")
	b := newBench(t, func(_ *Config, i *InterfaceConfig) {
		i.Addresses = append(i.Addresses, netip.PrefixFrom(second, 24))
	})
	ip := packet.IPv4(make([]byte, 20))
	ip[0] = 0x45
	ip.SetTotalLen(20)
	ip.SetSrc(second)
	ip.SetDst(peer4)
	source := func() netip.Addr { return Packet(Ethernet(of[SendFrame](b.out)[0].Frame).Payload()).SenderAddr() }
	b.step(Resolve{Interface: eth0, Addr: peer4, Packet: ip})
	if source() != second {
		t.Errorf("asked from %v, want the packet's own source", source())
	}
	b.step(Resolve{Interface: eth0, Addr: netip.MustParseAddr("203.0.113.9")})
	if source() != second {
		t.Errorf("asked from %v, want the address of the target's subnet", source())
	}
	b.step(Resolve{Interface: eth0, Addr: LinkLocal(newMAC)})
	if msgs, _ := parsed(t, b.out); msgs[0].Src != ourLL || msgs[0].Type != icmp.NeighborSolicitation6 {
		t.Errorf("asked for a link-local address from %v", msgs[0].Src)
	}
}
