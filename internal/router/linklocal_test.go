package router

import (
	"net/netip"
	"testing"
	"time"

	"routerd/dataplane"
	"routerd/dataplane/port/memory"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
)

// What is TCP to a link-local address goes to who has opened the link, and what
// that one says leaves by the link; nothing else does either.
func TestLinkLocal(t *testing.T) {
	b := newBench(t)
	cfg := twoLANs()
	for i, name := range []string{"lan0", "lan1"} {
		cfg.Dataplane.Interfaces[i] = interfaceConfig(name, dataplane.KindTUN, "fe80::1/64", "2001:db8:"+string(rune('1'+i))+"::1/64")
	}
	b.commit(cfg)
	l := b.router.LinkLocal()
	id := b.router.View().Named("lan0").ID
	name, mtu, own, ok := l.Describe(id)
	if name != "lan0" || mtu != 1500 || len(own) != 1 || own[0] != netip.MustParsePrefix("fe80::1/64") || !ok {
		t.Errorf("lan0 is %q with an MTU of %d and the addresses %v (%v)", name, mtu, own, ok)
	}
	if _, _, _, ok := l.Describe(99); ok {
		t.Error("there is a link of the number 99")
	}
	var heard [][]byte
	end, err := l.Open(id, func(p []byte) bool { heard = append(heard, append([]byte(nil), p...)); return true })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Open(id, func([]byte) bool { return true }); err == nil {
		t.Error("a link was opened twice")
	}
	tcp := func(src, dst string) []byte {
		raw, err := dataplane.Probe{Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst), Proto: packet.ProtoTCP, DstPort: 179}.Build()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	come := func(name string, raw []byte) {
		b.ports[name].Inject(memory.Packet{Data: raw})
		if err := b.worker[name].Once(func() time.Time { return now }); err != nil {
			t.Fatal(err)
		}
	}
	come("lan0", tcp("fe80::2", "fe80::1"))
	if len(heard) != 1 || packet.IPv6(heard[0]).Src() != netip.MustParseAddr("fe80::2") {
		t.Errorf("heard %d packets, want the one from fe80::2", len(heard))
	}
	come("lan1", tcp("fe80::2", "fe80::1"))
	come("lan0", tcp("2001:db8:1::2", "2001:db8:1::1"))
	if len(heard) != 1 {
		t.Errorf("of another link, or to another address, %d packets were heard", len(heard)-1)
	}
	for _, p := range b.ports {
		p.Take()
	}
	udp, err := dataplane.Probe{Src: own[0].Addr(), Dst: netip.MustParseAddr("fe80::2"), Proto: packet.ProtoUDP, DstPort: 9}.Build()
	if err != nil {
		t.Fatal(err)
	}
	l.Send(id, [][]byte{
		tcp("fe80::1", "fe80::2"), tcp("fe80::9", "fe80::2"), tcp("fe80::1", "2001:db8:1::2"), tcp("2001:db8:1::1", "fe80::2"), udp, {0x60}, nil,
	}, now)
	sent := b.ports["lan0"].Take()
	if len(sent) != 1 || packet.IPv6(sent[0].Data).Dst() != netip.MustParseAddr("fe80::2") || len(b.ports["lan1"].Take()) != 0 {
		t.Errorf("%d packets left, want the one from fe80::1 to fe80::2, by lan0", len(sent))
	}
	l.Send(routing.NoInterface, [][]byte{tcp("fe80::1", "fe80::2")}, now)
	end()
	v := b.router.View()
	if got := dataplane.Explain(v, id, tcp("fe80::2", "fe80::1"), now).Verdict; got != verdict.PortUnreachable {
		t.Errorf("after the end a packet is %s, want that nobody listens", got)
	}
}
