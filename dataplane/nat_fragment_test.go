package dataplane

import (
	"bytes"
	"testing"
	"time"

	"routerd/arp"
	"routerd/dataplane/port"
	"routerd/dataplane/port/memory"
	"routerd/internal/corpus"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
)

// TestNATFragments: fragments are translated in whatever order they come,
// and leave in pieces no larger than they came in (RFC 4787 REQ-14).
func TestNATFragments(t *testing.T) {
	whole := probe(t, "udp 10.0.1.2:4000 > 10.0.2.2:53", 2100)
	pieces := func(size int, df bool) []memory.Packet {
		var list []memory.Packet
		for at := 0; at < len(whole)-20; at += size {
			n := min(size, len(whole)-20-at)
			list = append(list, raw(edit4(cut4(whole, at, at+n, at+n < len(whole)-20), func(p packet.IPv4) {
				p.SetFragment(df, p.MoreFragments(), p.FragmentOffset())
			})))
		}
		return list
	}
	reversed := func(list []memory.Packet) []memory.Packet {
		for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
			list[i], list[j] = list[j], list[i]
		}
		return list
	}
	for _, tt := range []struct {
		name   string
		pieces []memory.Packet
		mtu    int // that the pieces have to keep to
		df     bool
	}{
		{"in order", pieces(800, false), 820, false},
		{"the last one first", reversed(pieces(800, false)), 820, false},
		{"with DF", pieces(800, true), 820, true},
		{"larger than the MTU of the way out", pieces(1480, false), 1400, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNATNetwork(t)
			b := n.run(t, lan0, tt.pieces...)
			for i, p := range b.Packets() {
				if want := map[bool]verdict.Verdict{true: verdict.Forwarded, false: verdict.FragmentHeld}[i == len(tt.pieces)-1]; p.Verdict != want {
					t.Fatalf("piece %d: %s, want %s", i, p.Verdict, want)
				}
			}
			sent := n.ports[lan1].Take()
			for _, p := range sent {
				if ip := packet.IPv4(p.Data); ip.DontFragment() != tt.df || len(ip) > tt.mtu {
					t.Errorf("a piece of %d bytes, DF %v; want at most %d, DF %v", len(ip), ip.DontFragment(), tt.mtu, tt.df)
				}
			}
			payload := fragmentsOf(t, tt.mtu, sent)
			got := append(bytes.Clone(sent[0].Data[:20]), payload...)
			packet.IPv4(got).SetTotalLen(len(got))
			packet.IPv4(got).SetFragment(false, false, 0)
			packet.IPv4(got).FillChecksum()
			sound(t, got)
			if ends(got) != "udp 10.0.2.1:4000 > 10.0.2.2:53" || !bytes.Equal(got[28:], whole[28:]) {
				t.Errorf("arrives as %s with %d bytes, want it translated whole", ends(got), len(got))
			}
		})
	}
	t.Run("with DF and larger than the MTU of the way out", func(t *testing.T) {
		n := newNATNetwork(t)
		b := n.run(t, lan0, pieces(1480, true)...)
		if got := b.Packets()[1].Verdict; got != verdict.TooBig {
			t.Errorf("verdict %s, want %s", got, verdict.TooBig)
		}
		if sent := n.ports[lan0].Take(); len(sent) != 1 || sent[0].Data[20] != 3 || sent[0].Data[21] != 4 {
			t.Errorf("sent back %v, want frag needed", sent)
		}
	})
	t.Run("for the router's own stack", func(t *testing.T) {
		n := newStackNetwork(t).translate(t, natConfig())
		whole = probe(t, "udp 10.0.2.2:53 > 10.0.2.1:4000", 2100)
		n.run(t, lan1, pieces(800, false)...)
		if sent := n.ports[stackID].Take(); len(sent) != 1 || !bytes.Equal(sent[0].Data[20:], whole[20:]) {
			t.Errorf("the stack got %d packets, want the whole one", len(sent))
		}
	})
}

// TestNATFragmentTimeout: nobody is told of a packet in transit that never
// became whole.
func TestNATFragmentTimeout(t *testing.T) {
	n := newNATNetwork(t)
	b := n.run(t, lan0, raw(cut4(probe(t, "udp 10.0.1.2:4000 > 10.0.2.2:53", 1000), 0, 800, true)))
	Expire(n.view, b, testNow.Add(2*time.Minute))
	b.Transmit(testNow)
	if got := b.counters.Verdict(verdict.FragmentTimeout); got != 1 {
		t.Errorf("counted %d timeouts, want one", got)
	}
	for id, p := range n.ports {
		if sent := p.Take(); len(sent) > 0 {
			t.Errorf("%x left by %s", sent[0].Data, n.view.Interface(id).Name)
		}
	}
}

// TestNATUnresolved: who sent a packet that waited in vain for its neighbour
// is told about it as it sent it.
func TestNATUnresolved(t *testing.T) {
	n, b, c := newEthernet(t)
	cfg := natConfig()
	cfg.Source[0].Match.Outbound = nil
	n.translate(t, cfg)
	sent := probe(t, "udp 10.0.1.2:4000 > 10.0.5.77:53", 30)
	n.runIn(t, b, lan0, raw(sent))
	if len(c.taken) != 1 || packet.IPv4(c.taken[0].Frame).Src() != addr("10.0.5.1") {
		t.Fatalf("handed over %+v, want the translated packet", c.taken)
	}
	h := Held{Packet: c.taken[0].Frame, Offload: c.taken[0].Offload, In: lan0, Out: c.taken[0].Out}
	Release(n.view, b, h, arp.MAC{2, 5}, testNow)
	if out := n.ports[h.Out].Take(); len(out) != 1 || ends(out[0].Data[arp.EthernetHeader:]) != "udp 10.0.5.1:4000 > 10.0.5.77:53" {
		t.Errorf("released %v, want it as it was translated", out)
	}
	Refuse(n.view, b, h, verdict.NeighborFailed, testNow)
	back := n.ports[lan0].Take()
	if len(back) != 1 {
		t.Fatalf("%d packets went back, want the ICMP error", len(back))
	}
	sound(t, back[0].Data)
	quoted := packet.IPv4(back[0].Data[28:])
	if packet.IPv4(back[0].Data).Dst() != addr("10.0.1.2") || ends(quoted) != ends(sent) || !quoted.HeaderChecksumOK() {
		t.Errorf("%s is told of %s, want 10.0.1.2 of %s", packet.IPv4(back[0].Data).Dst(), ends(quoted), ends(sent))
	}
	sound(t, quoted)
}

// TestNATNoRedirect: a host that went around the router would go around its
// translation.
func TestNATNoRedirect(t *testing.T) {
	n, b, _ := newEthernet(t)
	n.view.Limits.ICMP.Redirects = true
	cfg := natConfig()
	cfg.Source[0].Match.Outbound, cfg.Source[0].Match.Sources = nil, nil
	sent := probe(t, "udp 10.0.5.9:4000 > 10.0.5.77:53", 30)
	frame := framed(macRouter, macH5, arp.EtherTypeIPv4, sent)
	for _, translated := range []bool{false, true} {
		if translated {
			n.translate(t, cfg)
		}
		n.runIn(t, b, eth0, frame)
		if got := len(b.Made()) > 0; got == translated {
			t.Errorf("translated %v: redirected %v", translated, got)
		}
	}
}

// FuzzNAT throws packets at a translating router from inside, outside and its
// own stack: no panic, one verdict, and whatever came in with right checksums
// leaves with right ones.
func FuzzNAT(f *testing.F) {
	seeds := [][]byte{
		probe(f, "udp 10.0.1.2:4000 > 10.0.2.2:53", 10), probe(f, "udp 10.0.2.2:53 > 10.0.2.1:4000", 10),
		probe(f, "tcp 10.0.1.2:4000 > 10.0.2.2:80", 10), probe(f, "tcp 10.0.2.2:9 > 10.0.2.1:80", 10),
		probe(f, "tcp 10.0.1.2:6000 > 10.0.2.1:80", 10), probe(f, "icmp 10.0.1.2:9 > 10.0.2.2:0", 10),
	}
	seeds = append(seeds, errorAbout(f, "10.0.2.9", "10.0.2.1", 11, 0, probe(f, "udp 10.0.2.1:4000 > 10.0.2.2:53", 10), 28))
	for _, name := range []string{"icmpv4", "ipv4-options", "ipv4-fragments"} {
		seeds = append(seeds, corpus.Hex(f, name)...)
	}
	for _, s := range seeds {
		for in := range uint8(3) {
			f.Add(s, in)
		}
	}
	translating := func() *network { return newStackNetwork(f).translate(f, natConfig()) }
	plain, mirrored := translating(), cached(f, translating)
	b, b2 := NewBatch(8, &Counters{}, &DropRing{}), NewBatch(8, &Counters{}, &DropRing{})
	f.Fuzz(func(t *testing.T, data []byte, in uint8) {
		if len(data) > port.MaxFrame-18 || len(data) == 0 || data[0]>>4 != 4 {
			return
		}
		from := [...]routing.InterfaceID{lan0, lan1, stackID}[in%3]
		fuzzNAT(t, plain, b, from, data)
		for range 2 { // the first has the flow cached
			fuzzNAT(t, mirrored, b2, from, data)
		}
	})
}

func fuzzNAT(t *testing.T, n *network, b *Batch, in routing.InterfaceID, data []byte) {
	ip := packet.IPv4(data)
	right := ip.Valid() && !ip.IsFragment() && transportRight(data)
	n.runIn(t, b, in, raw(data))
	if v := b.Packets()[0].Verdict; v == verdict.None || int(v) >= verdict.Count {
		t.Errorf("verdict %d", v)
	}
	for id, p := range n.ports {
		out := n.view.Interface(id)
		for _, sent := range p.Take() {
			checkSent(t, out, sent)
			if left := sent.Data[out.LinkHeader:]; right && !packet.IPv4(left).IsFragment() && !transportRight(left) {
				t.Errorf("%x\nleft by %s with a wrong checksum:\n%x", data, out.Name, left)
			}
		}
	}
}
