package dataplane

import (
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"routerd/arp"
	"routerd/dataplane/offload/offloadtest"
	"routerd/dataplane/port/memory"
	"routerd/internal/corpus"
	"routerd/internal/packet"
	"routerd/nat"
	"routerd/routing"
	"routerd/routing/fib"
)

// Captured packets, each as it is and with a hop limit that is enough, sent
// three times: plain, translated and filtered, the cache changes nothing.
func TestCorporaCached(t *testing.T) {
	list := corpus.Packets(t)
	for _, name := range []string{"ipv4-fragments", "ipv4-malformed", "ipv4-options", "ipv6-exthdr", "ipv6-malformed", "icmpv4", "icmpv6"} {
		list = append(list, corpus.Hex(t, name)...)
	}
	for _, fate := range fates(t) {
		list = append(list, fate.packet)
	}
	for name, make := range cacheable(t) {
		t.Run(name, func(t *testing.T) {
			n := cached(t, make)
			b := NewBatch(8, &Counters{}, nil)
			for i, data := range list {
				if len(data) == 0 || len(data) > 9000 {
					continue
				}
				in := routing.InterfaceID(i % 2)
				for times := range 4 {
					if raised := slices.Clone(data); times > 0 && raise(raised) {
						data = raised
					}
					n.runIn(t, b, in, raw(data))
				}
				for _, p := range n.ports {
					p.Take()
				}
			}
			n.mirror.same(t, n)
			t.Logf("of 4 × %d packets %d were carried", len(list), n.mirror.carried)
			if n.mirror.carried < 100 {
				t.Errorf("%d packets were carried: too few to compare", n.mirror.carried)
			}
		})
	}
}

// cacheable makes networks of which the kernel may carry much.
func cacheable(tb testing.TB) map[string]func() *network {
	masquerade := nat.Config{Source: []nat.SourceRule{{Name: "out", Match: nat.Match{Outbound: []string{"lan1"}}}}}
	return map[string]func() *network{
		"plain":      func() *network { return routed(newNetwork(tb)) },
		"translated": func() *network { return routed(newNetwork(tb).translate(tb, masquerade)) },
		"filtered":   func() *network { return routed(newFilterNetwork(tb)) },
	}
}

// Frames of all kinds, of a few flows: with super-packets, partial checksums and
// damaged headers.
func TestAnyCached(t *testing.T) {
	for name, make := range cacheable(t) {
		t.Run(name, func(t *testing.T) {
			n := cached(t, make)
			b := NewBatch(8, &Counters{}, nil)
			var flows []offloadtest.Flow
			for _, ends := range [][2]string{
				{"10.0.1.2:4000", "10.0.2.2:5000"}, {"10.0.1.3:4000", "100.64.0.5:80"}, {"[2001:db8:1::2]:7", "[2001:db8:2::2]:53"},
			} {
				for _, proto := range []uint8{packet.ProtoTCP, packet.ProtoUDP} {
					flows = append(flows, offloadtest.Flow{Proto: proto, Src: netip.MustParseAddrPort(ends[0]), Dst: netip.MustParseAddrPort(ends[1])})
				}
			}
			for i := range flows {
				n.connect(t, b, &flows[i])
			}
			rapid.Check(t, func(t *rapid.T) {
				for range 10 {
					p := flows[rapid.IntRange(0, len(flows)-1).Draw(t, "flow")].Any(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choice") })
					if name == "translated" && ofInside(p) {
						continue
					}
					n.runIn(t, b, lan0, bare(p))
					for _, p := range n.ports {
						p.Take()
					}
				}
			})
			n.mirror.same(t, n)
			if n.mirror.carried < 10 {
				t.Errorf("%d packets were carried: too few to compare", n.mirror.carried)
			}
		})
	}
}

// ofInside reports whether a partial checksum is that of a packet inside. Such
// packets are not translated as the stages would: see the deviations of package
// offload.
func ofInside(p memory.Packet) bool {
	return p.Offload.NeedsChecksum && p.Offload.ChecksumStart > arp.EthernetHeader+packet.IPv6Header
}

// bare takes the link header off a frame.
func bare(p memory.Packet) memory.Packet {
	p.Data = p.Data[arp.EthernetHeader:]
	p.Offload.ChecksumStart -= min(p.Offload.ChecksumStart, arp.EthernetHeader)
	p.Offload.HeaderLength -= min(p.Offload.HeaderLength, arp.EthernetHeader)
	return p
}

// connect has both ends of a flow send, TCP with a handshake of numbers that are
// always 0 or 1 later. The flow is from lan0 to lan1.
func (n *network) connect(tb testing.TB, b *Batch, f *offloadtest.Flow) {
	for _, flags := range []uint8{packet.TCPSyn, packet.TCPSyn | packet.TCPAck, packet.TCPAck} {
		if flags != packet.TCPSyn|packet.TCPAck {
			n.runIn(tb, b, lan0, bare(f.Frame(offloadtest.Shape{Flags: flags})))
			continue
		}
		// The answer goes back to where the flow has arrived from.
		sent := n.ports[lan1].Take()
		arrived := sent[len(sent)-1].Data
		back := *f
		back.Src, back.Dst = f.Dst, offloadtest.Source(arrived)
		answer := bare(back.Frame(offloadtest.Shape{Flags: flags}))
		n.runIn(tb, b, lan1, answer)
	}
	for _, p := range n.ports {
		p.Take()
	}
}

// routed gives a network routes to everywhere.
func routed(n *network) *network {
	for of, hop := range map[string]fib.NextHop{
		"0.0.0.0/1": hopVia("10.0.2.2", lan1), "128.0.0.0/1": hopVia("10.0.1.2", lan0),
		"::/2": hopVia("2001:db8:2::2", lan1), "c000::/2": hopVia("2001:db8:1::2", lan0), "8000::/2": hopVia("2001:db8:1::2", lan0),
	} {
		n.forward(of, routing.SourceStatic, hop)
	}
	return n
}

// raise gives a packet a usual hop limit, if its header is right.
func raise(b []byte) bool {
	if ip := packet.IPv4(b); ip.Valid() && ip.HeaderChecksumOK() {
		ip.SetTTL(64)
		ip.FillChecksum()
		return true
	}
	if ip := packet.IPv6(b); ip.Valid() {
		ip.SetHopLimit(64)
		return true
	}
	return false
}
