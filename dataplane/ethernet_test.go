package dataplane

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"routerd/arp"
	"routerd/dataplane/port"
	"routerd/dataplane/port/memory"
	"routerd/flow"
	"routerd/internal/packet"
	"routerd/internal/siphash"
	"routerd/internal/verdict"
	"routerd/routing"
)

// eth0 is an Ethernet interface beside the fixture's TUNs: 10.0.5.1/24 and
// 2001:db8:5::1/64. h5 (10.0.5.2) is resolved, the gateway 10.0.5.254 by its
// dense number 1; everybody else is not.
const eth0 = lo + 1

var (
	macRouter  = arp.MAC{2, 0, 0, 0, 0, 1}
	macH5      = arp.MAC{2, 0, 0, 0, 0, 5}
	macGateway = arp.MAC{2, 0, 0, 0, 0, 0xfe}
)

// clerk takes punts like the neighbour machine, up to a number.
type clerk struct {
	room  int
	taken []Punt
}

func (c *clerk) Punt(list []Punt) {
	for i, p := range list {
		if len(c.taken) >= c.room {
			list[i].Refused = true
			continue
		}
		p.Frame = slices.Clone(p.Frame)
		c.taken = append(c.taken, p)
	}
}

func newEthernet(tb testing.TB) (*network, *Batch, *clerk) {
	n := newNetwork(tb)
	n.view.Neighbors = arp.NewTable(16, siphash.Key{1})
	p := memory.New("eth0", 1500, memory.WithLinkHeader(arp.EthernetHeader))
	tb.Cleanup(func() { p.Close() })
	n.ports[eth0] = p
	n.view.Interfaces = append(n.view.Interfaces, &Interface{
		ID: eth0, Name: "eth0", Kind: KindPacket, MTU: 1500, Up: true,
		Output: p.Queues()[0], Offloads: port.OffloadAll, LinkHeader: arp.EthernetHeader, MAC: macRouter,
		Addresses: []netip.Prefix{prefix("10.0.5.1/24"), prefix("2001:db8:5::1/64"), prefix("fe80::5:1/64")},
	})
	n.view.Own = NewOwnAddresses(n.view.Interfaces)
	n.routes()
	n.publish(arp.Reachable, "10.0.5.2", macH5, 0)
	n.publish(arp.Reachable, "2001:db8:5::2", macH5, 0)
	n.publish(arp.Reachable, "10.0.5.254", macGateway, 1)
	gateway := hopVia("10.0.5.254", eth0)
	gateway.Index = 1
	n.forward("10.50.0.0/16", routing.SourceStatic, gateway)
	c := &clerk{room: 1000}
	b := NewBatch(BatchSize, &Counters{}, &DropRing{})
	b.punter = c
	return n, b, c
}

func (n *network) publish(s arp.State, a string, mac arp.MAC, index uint32) *arp.Entry {
	e := &arp.Entry{Interface: eth0, State: s, MAC: mac, Addr: addr(a)}
	n.view.Neighbors.Apply(arp.Publish{Entry: e, Index: index})
	return e
}

func framed(dst, src arp.MAC, etherType uint16, payload []byte) memory.Packet {
	return raw(append(arp.AppendEthernet(nil, dst, src, etherType), payload...))
}

// fromH5 is a packet from h5 in a frame for the router.
func fromH5(tb testing.TB, p Probe) memory.Packet {
	p.Src = addr("10.0.5.2")
	et := uint16(arp.EtherTypeIPv4)
	if p.Dst.Is6() {
		p.Src, et = addr("2001:db8:5::2"), arp.EtherTypeIPv6
	}
	return framed(macRouter, macH5, et, build(tb, p))
}

func TestEthernetForwards(t *testing.T) {
	for _, tt := range []struct {
		name string
		p    Probe
		to   arp.MAC
		et   uint16
	}{
		{"to a neighbour", udp4("10.0.5.2"), macH5, arp.EtherTypeIPv4},
		{"to an IPv6 neighbour", udp6("2001:db8:5::2"), macH5, arp.EtherTypeIPv6},
		{"by a gateway", udp4("10.50.0.1"), macGateway, arp.EtherTypeIPv4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, b, _ := newEthernet(t)
			n.runIn(t, b, lan0, raw(build(t, tt.p)))
			sent := n.ports[eth0].Take()
			if len(sent) != 1 {
				t.Fatalf("%d frames left (%s), want 1", len(sent), b.Packets()[0].Verdict)
			}
			tt.p.TTL = 63
			want := framed(tt.to, macRouter, tt.et, build(t, tt.p)).Data
			if !bytes.Equal(sent[0].Data, want) {
				t.Errorf("frame\n%x, want\n%x", sent[0].Data, want)
			}
			if got := b.counters.Sent(eth0).Bytes; got != uint64(len(want)) {
				t.Errorf("counted %d bytes, want %d", got, len(want))
			}
		})
	}
	t.Run("from Ethernet to a TUN", func(t *testing.T) {
		n, b, _ := newEthernet(t)
		n.runIn(t, b, eth0, fromH5(t, udp4("10.0.2.2")))
		sent := n.ports[lan1].Take()
		if len(sent) != 1 || packet.IPv4(sent[0].Data).Src() != addr("10.0.5.2") {
			t.Fatalf("sent %v (%s), want the packet without its link header", sent, b.Packets()[0].Verdict)
		}
	})
}

// Super-packets, coalesced ones and pieces all get their link header, and the
// offsets of their offloads count from it.
func TestEthernetSuperPackets(t *testing.T) {
	toH5 := func(list ...[]byte) {
		for _, b := range list {
			b[18] = 5
			packet.IPv4(b).FillChecksum()
		}
	}
	strip := func(t *testing.T, sent []memory.Packet) []memory.Packet {
		t.Helper()
		for i := range sent {
			if sent[i].Data[5] != macH5[5] {
				t.Errorf("frame %d goes to %x", i, sent[i].Data[:6])
			}
			sent[i].Data = sent[i].Data[14:]
			if off := &sent[i].Offload; off.NeedsChecksum {
				off.ChecksumStart -= 14
				off.HeaderLength -= 14
			}
		}
		return sent
	}
	t.Run("whole", func(t *testing.T) {
		n, b, _ := newEthernet(t)
		in, list := super(t, packet.ProtoTCP, false, 5, 1300, 9)
		toH5(append(list, in.Data)...)
		for _, p := range list {
			complete(p)
		}
		// The partial sum counts the address too.
		sum := packet.PseudoHeaderSum4(in.Data[12:16], in.Data[16:20], packet.ProtoTCP, len(in.Data)-20)
		in.Data[36], in.Data[37] = byte(sum>>8), byte(sum)
		n.runIn(t, b, lan0, in)
		equalPackets(t, unpackAll(t, strip(t, n.ports[eth0].Take())), hops(list))
	})
	t.Run("coalesced", func(t *testing.T) {
		n, b, _ := newEthernet(t)
		list := stream(t, packet.ProtoUDP, false, 10, 64, 64)
		toH5(list...)
		for _, p := range list {
			complete(p)
		}
		n.runIn(t, b, lan0, raws(list)...)
		sent := strip(t, n.ports[eth0].Take())
		if len(sent) != 1 {
			t.Errorf("%d frames, want one super-packet", len(sent))
		}
		equalPackets(t, unpackAll(t, sent), hops(list))
	})
	t.Run("two flows in turn", func(t *testing.T) {
		n, b, _ := newEthernet(t)
		one, two := stream(t, packet.ProtoUDP, false, 5, 64, 64), stream(t, packet.ProtoUDP, false, 5, 64, 64)
		var list [][]byte
		for i := range one {
			two[i][21]++ // another source port
			list = append(list, one[i], two[i])
		}
		toH5(list...)
		for _, p := range list {
			complete(p)
		}
		n.runIn(t, b, lan0, raws(list)...)
		equalPackets(t, unpackAll(t, strip(t, n.ports[eth0].Take())), hops(append(one, two...)))
	})
	t.Run("fragments", func(t *testing.T) {
		n, b, _ := newEthernet(t)
		p := udp4("10.0.5.2")
		p.Size = 4000
		in := build(t, p)
		n.runIn(t, b, lan0, raw(in))
		if got := fragmentsOf(t, 1500, strip(t, n.ports[eth0].Take())); !bytes.Equal(got, in[20:]) {
			t.Errorf("fragments join to %d bytes, want %d", len(got), len(in)-20)
		}
	})
	t.Run("from Ethernet", func(t *testing.T) {
		n, b, _ := newEthernet(t)
		in, list := super(t, packet.ProtoTCP, false, 5, 1300, 9)
		in.Data = append(arp.AppendEthernet(nil, macRouter, macH5, arp.EtherTypeIPv4), in.Data...)
		in.Offload.ChecksumStart += 14
		in.Offload.HeaderLength += 14
		n.runIn(t, b, eth0, in)
		equalPackets(t, unpackAll(t, n.ports[lan1].Take()), hops(list))
	})
}

func TestEthernetFates(t *testing.T) {
	echo6 := build(t, Probe{Src: addr("fe80::5:2"), Dst: addr("ff02::1"), Proto: packet.ProtoICMPv6})
	solicitation := edit(build(t, Probe{Src: addr("2001:db8:5::2"), Dst: addr("2001:db8:5::1"), Proto: packet.ProtoICMPv6, Size: 72}),
		func(b []byte) { b[40] = 135 })
	unspecified := edit(solicitation, func(b []byte) {
		copy(b[8:24], make([]byte, 16))
		copy(b[24:40], addr("ff02::1:ff00:1").AsSlice())
	})
	tagged := fromH5(t, udp4("10.0.2.2"))
	for _, tt := range []struct {
		name string
		in   memory.Packet
		want verdict.Verdict
		punt int // kind of what the machine is handed; -1 for nothing
	}{
		{"for the router", fromH5(t, udp4("10.0.2.2")), verdict.Forwarded, -1},
		{"13 bytes", raw(make([]byte, 13)), verdict.BadLinkHeader, -1},
		{"for another station", framed(macGateway, macH5, arp.EtherTypeIPv4, build(t, udp4("10.0.2.2"))), verdict.OtherStation, -1},
		{"an unknown type", framed(macRouter, macH5, 0x88cc, make([]byte, 46)), verdict.UnknownEtherType, -1},
		{"a tag in the frame", framed(macRouter, macH5, 0x8100, append([]byte{0, 42}, make([]byte, 46)...)), verdict.VLANTagged, -1},
		{"a packet for one host to all stations", memory.Packet{Data: edit(tagged.Data, func(b []byte) { copy(b, arp.Broadcast[:]) })}, verdict.LinkBroadcast, -1},
		{"ARP", framed(arp.Broadcast, macH5, arp.EtherTypeARP, make([]byte, 46)), verdict.HandedToNeighbor, int(PuntARP)},
		{"a neighbour solicitation", framed(macRouter, macH5, arp.EtherTypeIPv6, solicitation), verdict.BadICMPChecksum, -1},
		{"a neighbour solicitation from nowhere", framed(arp.MAC{0x33, 0x33, 0xff, 0, 0, 1}, macH5, arp.EtherTypeIPv6, fixICMP6(unspecified)), verdict.HandedToNeighbor, int(PuntDiscovery)},
		{"a sound neighbour solicitation", framed(macRouter, macH5, arp.EtherTypeIPv6, fixICMP6(solicitation)), verdict.HandedToNeighbor, int(PuntDiscovery)},
		{"echo to all nodes", framed(arp.MAC{0x33, 0x33, 0, 0, 0, 1}, macH5, arp.EtherTypeIPv6, echo6), verdict.EchoReplied, int(PuntResolve)},
		{"a group of no interest", framed(arp.MAC{1, 0, 0x5e, 0, 0, 5}, macH5, arp.EtherTypeIPv4, build(t, Probe{Src: addr("10.0.5.2"), Dst: addr("224.0.0.5"), Proto: 89})), verdict.Multicast, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, b, c := newEthernet(t)
			n.runIn(t, b, eth0, tt.in)
			if got := b.Packets()[0].Verdict; got != tt.want {
				t.Fatalf("verdict %s, want %s", got, tt.want)
			}
			onLink := tt.want >= verdict.BadLinkHeader && tt.want < verdict.LinkBroadcast
			if d := b.drops.Last(1); len(d) == 1 && (d[0].Frame != onLink || onLink && !bytes.Equal(d[0].Header, tt.in.Data[:len(d[0].Header)])) {
				t.Errorf("remembered as a frame: %v, want %v; %x", d[0].Frame, onLink, d[0].Header)
			}
			switch {
			case tt.punt < 0 && len(c.taken) != 0:
				t.Errorf("handed over %+v, want nothing", c.taken)
			case tt.punt >= 0 && (len(c.taken) != 1 || int(c.taken[0].Kind) != tt.punt):
				t.Errorf("handed over %+v, want one of kind %d", c.taken, tt.punt)
			case tt.punt == int(PuntARP) || tt.punt == int(PuntDiscovery):
				if !bytes.Equal(c.taken[0].Frame, tt.in.Data) {
					t.Errorf("handed over %x, want the frame as it came %x", c.taken[0].Frame, tt.in.Data)
				}
			}
		})
	}
	t.Run("a tag that the device took out", func(t *testing.T) {
		n, b, _ := newEthernet(t)
		fill(b, eth0, tagged)
		b.frames[0].HasVLAN, b.frames[0].VLAN = true, 42
		Process(n.view, b, testNow)
		if got := b.Packets()[0].Verdict; got != verdict.VLANTagged {
			t.Errorf("verdict %s, want vlan_tagged", got)
		}
	})
}

// fixICMP6 makes the ICMPv6 checksum right again.
func fixICMP6(b []byte) []byte {
	return edit(b, func(b []byte) {
		m := packet.ICMP(b[40:])
		m.SetChecksum(0)
		m.SetChecksum(^packet.Sum(m, packet.PseudoHeaderSum6(b[8:24], b[24:40], packet.ProtoICMPv6, len(m))))
	})
}

// Explain makes up the frame too, and says where the neighbour is, or that it
// would be asked for.
func TestExplainOnAnEthernet(t *testing.T) {
	n, _, _ := newEthernet(t)
	p := udp4("10.0.5.2")
	p.Src = addr("10.0.5.3")
	for dst, want := range map[string]string{
		"10.0.5.2": "10.0.5.2 is at 02:00:00:00:00:05", "10.0.5.77": "10.0.5.77 is not known", "10.0.2.2": "leaves by lan1",
	} {
		p.Dst = addr(dst)
		x := Explain(n.view, eth0, build(t, p), testNow)
		said := fmt.Sprint(x.Steps)
		if !strings.Contains(said, "a frame for 02:00:00:00:00:01") || !strings.Contains(said, want) {
			t.Errorf("to %s: %s (%s), want %q in it", dst, said, x.Verdict, want)
		}
	}
}

// Explain tells of a redirect where one would be sent: not to a host that its
// packet's translation sends back to its own link.
func TestExplainRedirect(t *testing.T) {
	n, _, _ := newEthernet(t)
	n.view.Limits.ICMP.Redirects = true
	n.publish(arp.Reachable, "10.0.5.3", arp.MAC{2, 0, 0, 0, 0, 3}, 0)
	cfg := natConfig()
	cfg.Destination[0].Address = addr("10.0.5.3")
	cfg.Source[0].Match.Sources = append(cfg.Source[0].Match.Sources, flow.RangeOf(prefix("10.0.5.0/24")))
	n.translate(t, cfg)
	for dst, want := range map[string]bool{"10.0.5.3": true, "10.0.2.1": false} {
		syn := fromH5(t, Probe{Dst: addr(dst), Proto: packet.ProtoTCP, SrcPort: 4000, DstPort: 80})
		x := Explain(n.view, eth0, syn.Data[14:], testNow)
		if said := fmt.Sprint(x.Steps); x.Verdict != verdict.Forwarded || strings.Contains(said, "better first hop") != want {
			t.Errorf("to %s: %s (%s), told of a redirect should be %v", dst, said, x.Verdict, want)
		}
	}
	n.view.Limits.ICMP.Redirects = false
	x := Explain(n.view, eth0, fromH5(t, udp4("10.0.5.3")).Data[14:], testNow)
	if said := fmt.Sprint(x.Steps); strings.Contains(said, "better first hop") {
		t.Errorf("with redirects off: %s", said)
	}
}

// A packet whose next hop is not known waits, and then goes or is refused.
func TestUnresolved(t *testing.T) {
	n, b, c := newEthernet(t)
	n.runIn(t, b, lan0, raw(build(t, udp4("10.0.5.77"))))
	if got := b.Packets()[0].Verdict; got != verdict.Resolving {
		t.Fatalf("verdict %s, want resolving", got)
	}
	if len(c.taken) != 1 || c.taken[0].Target != addr("10.0.5.77") || c.taken[0].Out != eth0 || c.taken[0].In != lan0 {
		t.Fatalf("handed over %+v, want 10.0.5.77 asked for on eth0", c.taken)
	}
	if got := b.counters.Verdict(verdict.Resolving); got != 0 {
		t.Errorf("counted as resolving %d times: it has not ended yet", got)
	}
	h := Held{Packet: c.taken[0].Frame, Offload: c.taken[0].Offload, In: lan0, Out: eth0}

	Release(n.view, b, h, macH5, testNow)
	p := udp4("10.0.5.77")
	p.TTL = 63
	want := framed(macH5, macRouter, arp.EtherTypeIPv4, build(t, p)).Data
	if sent := n.ports[eth0].Take(); len(sent) != 1 || !bytes.Equal(sent[0].Data, want) {
		t.Errorf("released %v, want %x", sent, want)
	}
	if got := b.counters.Verdict(verdict.Forwarded); got != 1 {
		t.Errorf("counted as forwarded %d times, want once", got)
	}

	Refuse(n.view, b, h, verdict.NeighborFailed, testNow)
	sent := n.ports[lan0].Take()
	if len(sent) != 1 {
		t.Fatalf("%d packets went back, want the ICMP error", len(sent))
	}
	if m := packet.ICMP(packet.IPv4(sent[0].Data).Payload()); m.Type() != 3 || m.Code() != 1 {
		t.Errorf("ICMP type %d code %d, want host unreachable", m.Type(), m.Code())
	}
	if got := b.counters.Verdict(verdict.NeighborFailed); got != 1 {
		t.Errorf("counted as failed %d times, want once", got)
	}
}

// A batch full of packets for neighbours that are not known hands over them
// all, so that none is lost for those in front of it; what the machine does not
// take is dropped.
func TestWholeBatchIsHandedOver(t *testing.T) {
	flood := func(t *testing.T, n *network, b *Batch) (waiting, refused int) {
		t.Helper()
		var in []memory.Packet
		for i := range BatchSize {
			p := udp4("10.0.5.77")
			p.Dst = netip.AddrFrom4([4]byte{10, 0, 5, byte(100 + i)})
			in = append(in, raw(build(t, p)))
		}
		n.runIn(t, b, lan0, in...)
		for _, p := range b.Packets() {
			switch p.Verdict {
			case verdict.Resolving:
				waiting++
			case verdict.NeighborQueueFull:
				refused++
			}
		}
		return waiting, refused
	}
	n, b, _ := newEthernet(t)
	if waiting, refused := flood(t, n, b); waiting != BatchSize || refused != 0 {
		t.Errorf("%d wait and %d are refused, want %d and none", waiting, refused, BatchSize)
	}
	n, b, c := newEthernet(t)
	c.room = 5 // the machine is behind
	if waiting, refused := flood(t, n, b); waiting != 5 || refused != BatchSize-5 {
		t.Errorf("%d wait and %d are refused, want 5 and %d", waiting, refused, BatchSize-5)
	}
}

func TestStaleNeighbourIsReportedOnce(t *testing.T) {
	n, b, c := newEthernet(t)
	n.publish(arp.Stale, "10.0.5.2", macH5, 0)
	u := raw(build(t, udp4("10.0.5.2")))
	n.runIn(t, b, lan0, u, u)
	n.runIn(t, b, lan0, u)
	if len(c.taken) != 1 || c.taken[0].Kind != PuntUsed {
		t.Errorf("handed over %+v, want the use of a stale neighbour once", c.taken)
	}
	c.room = 0
	n.publish(arp.Stale, "10.0.5.2", macH5, 0)
	n.runIn(t, b, lan0, u)
	c.room = 2
	n.runIn(t, b, lan0, u)
	if len(c.taken) != 2 {
		t.Errorf("a use that was not taken is not reported again")
	}
}

func TestEthernetAllocatesNothing(t *testing.T) {
	n, b, _ := newEthernet(t)
	n.view.Interfaces[eth0].Output = sink{}
	p := raw(build(t, udp4("10.0.5.2")))
	run := func() {
		fill(b, lan0, p, p, p)
		Process(n.view, b, testNow)
		b.Transmit(testNow)
	}
	run()
	if got := testing.AllocsPerRun(50, run); got != 0 {
		t.Errorf("%v allocations per batch, want none", got)
	}
}

// A packet that goes back out to its own link is forwarded, and its sender told.
func TestRedirect(t *testing.T) {
	n, b, _ := newEthernet(t)
	n.view.Limits.ICMP.Redirects = true
	n.publish(arp.Reachable, "10.0.5.3", arp.MAC{2, 0, 0, 0, 0, 3}, 0)
	n.publish(arp.Reachable, "2001:db8:5::3", arp.MAC{2, 0, 0, 0, 0, 3}, 0)
	for _, tt := range []struct {
		name    string
		dst     string
		gateway string // "" for no redirect
	}{
		{"by a gateway on the subnet", "10.50.0.1", "10.0.5.254"},
		{"to a neighbour of the sender", "10.0.5.3", "10.0.5.3"},
		{"to another link", "10.0.2.2", ""},
		{"IPv6 to a neighbour of the sender", "2001:db8:5::3", "2001:db8:5::3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n.runIn(t, b, eth0, fromH5(t, Probe{Dst: addr(tt.dst), Proto: packet.ProtoUDP, DstPort: 9}))
			if got := b.Packets()[0].Verdict; got != verdict.Forwarded {
				t.Fatalf("verdict %s, want forwarded all the same", got)
			}
			var got []byte
			for _, f := range n.ports[eth0].Take() {
				if arp.MAC(f.Data[:6]) == macH5 {
					got = f.Data[14:]
				}
			}
			n.ports[lan1].Take()
			switch {
			case tt.gateway == "":
				if got != nil {
					t.Errorf("redirected by %x, want nothing said", got)
				}
			case got == nil:
				t.Error("nothing said")
			case got[0]>>4 == 4:
				m := packet.ICMP(packet.IPv4(got).Payload())
				if m.Type() != 5 || m.Code() != 1 || netip.AddrFrom4([4]byte(m[4:8])) != addr(tt.gateway) {
					t.Errorf("ICMP type %d code %d, gateway %v", m.Type(), m.Code(), m[4:8])
				}
			default:
				m, err := arp.Parse(packet.IPv6(got))
				if err != nil || m.Type != 137 || m.Target != addr(tt.gateway) {
					t.Errorf("message %+v (%v), want a redirect to %s", m, err, tt.gateway)
				}
			}
		})
	}
	n.view.Limits.ICMP.Redirects = false
	n.runIn(t, b, eth0, fromH5(t, udp4("10.50.0.1")))
	if sent := n.ports[eth0].Take(); len(sent) != 1 {
		t.Errorf("%d frames with redirects off, want the packet alone", len(sent))
	}
}
