package dataplane

import (
	"bytes"
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/dataplane/port"
	"routerd/dataplane/port/memory"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
)

func TestForwardedPacketChangesOnlyItsHopCount(t *testing.T) {
	for _, p := range []Probe{udp4("10.0.2.2"), udp6("2001:db8:2::2")} {
		n := newNetwork(t)
		in := build(t, p)
		n.run(t, lan0, raw(in))
		sent := n.ports[lan1].Take()
		if len(sent) != 1 {
			t.Fatalf("%d packets left by lan1, want 1", len(sent))
		}
		p.TTL = 63 // made anew with every checksum computed in full
		if want := build(t, p); !bytes.Equal(sent[0].Data, want) {
			t.Errorf("sent\n%x, want\n%x", sent[0].Data, want)
		}
	}
}

func TestLinkPaddingIsCutOff(t *testing.T) {
	n := newNetwork(t)
	in := build(t, udp4("10.0.2.2"))
	n.run(t, lan0, raw(append(in, 0, 0, 0)))
	if sent := n.ports[lan1].Take(); len(sent) != 1 || len(sent[0].Data) != len(in) {
		t.Errorf("sent %+v, want one packet of %d bytes", sent, len(in))
	}
}

func TestRecordRouteAndTimestamp(t *testing.T) {
	n := newNetwork(t)
	u := build(t, udp4("10.0.2.2"))
	ms := uint32((3*3600 + 4*60 + 5) * 1000) // testNow
	for _, tt := range []struct {
		name          string
		options, want []byte
	}{
		{"record route", []byte{7, 7, 4, 0, 0, 0, 0, 0}, []byte{7, 7, 8, 10, 0, 2, 1, 0}},
		{"record route that is full", []byte{7, 7, 8, 1, 2, 3, 4, 0}, []byte{7, 7, 8, 1, 2, 3, 4, 0}},
		{"timestamp", []byte{68, 8, 5, 0, 0, 0, 0, 0}, []byte{68, 8, 9, 0, byte(ms >> 24), byte(ms >> 16), byte(ms >> 8), byte(ms)}},
		{
			"timestamp with address",
			[]byte{68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0},
			[]byte{68, 12, 13, 1, 10, 0, 2, 1, byte(ms >> 24), byte(ms >> 16), byte(ms >> 8), byte(ms)},
		},
		{"timestamp for another router", []byte{68, 12, 5, 3, 9, 9, 9, 9, 0, 0, 0, 0}, []byte{68, 12, 5, 3, 9, 9, 9, 9, 0, 0, 0, 0}},
		{"timestamp without room counts up", []byte{68, 8, 9, 0, 1, 1, 1, 1}, []byte{68, 8, 9, 0x10, 1, 1, 1, 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n.run(t, lan0, raw(withOptions(u, tt.options...)))
			sent := n.ports[lan1].Take()
			if len(sent) != 1 {
				t.Fatalf("%d packets sent, want 1", len(sent))
			}
			ip := packet.IPv4(sent[0].Data)
			if !ip.HeaderChecksumOK() {
				t.Error("the header checksum is wrong afterwards")
			}
			if !bytes.Equal(ip.Options(), tt.want) {
				t.Errorf("options %x, want %x", ip.Options(), tt.want)
			}
		})
	}
}

func TestWeightedFlowsStayOnTheirNextHop(t *testing.T) {
	n := newNetwork(t)
	ways := map[routing.InterfaceID]int{}
	const flows = 2000
	for i := range flows {
		p := udp4("10.20.0.1")
		p.SrcPort = uint16(1000 + i)
		raw2 := raw(build(t, p))
		b := n.run(t, lan0, raw2, raw2)
		if a, b := b.Packets()[0].Out, b.Packets()[1].Out; a != b {
			t.Fatalf("one flow left by %d and %d", a, b)
		}
		ways[b.Packets()[0].Out]++
	}
	// The weights are 1 and 3; five standard deviations of chance are 97.
	if got := ways[lan1]; got < flows/4-97 || got > flows/4+97 {
		t.Errorf("%d of %d flows took the next hop with a quarter of the weight", got, flows)
	}
}

func TestFragmentsOfAFlowTakeOneWay(t *testing.T) {
	n := newNetwork(t)
	for port := range uint16(200) {
		p := udp4("10.20.0.1")
		p.SrcPort = port
		whole := build(t, p)
		first := edit4(whole, func(p packet.IPv4) { p.SetFragment(false, true, 0) })
		second := edit4(whole, func(p packet.IPv4) { p.SetFragment(false, false, 80) })
		b := n.run(t, lan0, raw(first), raw(second))
		if a, b := b.Packets()[0].Out, b.Packets()[1].Out; a != b {
			t.Fatalf("fragments of one packet left by %d and %d", a, b)
		}
	}
}

func TestEgressRefused(t *testing.T) {
	n := newNetwork(t)
	n.ports[lan1].SetRoom(1)
	u := udp4("10.0.2.2")
	v := udp4("10.0.2.2")
	v.Proto = packet.ProtoTCP // two flows that cannot be coalesced
	b := n.run(t, lan0, raw(build(t, u)), raw(build(t, v)))
	if got := []verdict.Verdict{b.Packets()[0].Verdict, b.Packets()[1].Verdict}; got[0] != verdict.Forwarded || got[1] != verdict.EgressRefused {
		t.Errorf("verdicts %v, want forwarded and egress_refused", got)
	}
	if got := b.counters.Sent(lan1); got.Packets != 1 || got.Bytes != 100 {
		t.Errorf("counted %+v as sent, want 1 packet of 100 bytes", got)
	}
}

func TestNoBuffer(t *testing.T) {
	n := newNetwork(t)
	n.view.Interfaces[lan1].MTU = packet.IPv4MinMTU // 48 bytes a fragment
	p := udp4("10.0.2.2")
	p.Size = 65535
	var in []memory.Packet
	for range 4 { // 4 * 65515 / 48 fragments are more than a batch has frames for
		in = append(in, raw(build(t, p)))
	}
	b := n.run(t, lan0, in...)
	if first, last := b.Packets()[0].Verdict, b.Packets()[3].Verdict; first != verdict.Forwarded || last != verdict.NoBuffer {
		t.Errorf("verdicts %s and %s, want forwarded and no_buffer", first, last)
	}
	// What was cut is whole: no half packets left.
	sent := n.ports[lan1].Take()
	if got := (65535 - 20 + 47) / 48; len(sent)%got != 0 {
		t.Errorf("%d fragments sent, want a multiple of %d", len(sent), got)
	}
}

// fragmentsOf joins what was sent, as the receiver would.
func fragmentsOf(t interface{ Fatalf(string, ...any) }, mtu int, sent []memory.Packet) []byte {
	var whole []byte
	for i, f := range sent {
		p := packet.IPv4(f.Data)
		if !p.Valid() || !p.HeaderChecksumOK() || len(p) > mtu {
			t.Fatalf("fragment %d is unsound or longer than %d: %x", i, mtu, f.Data)
		}
		if p.FragmentOffset() != len(whole) || p.MoreFragments() != (i < len(sent)-1) {
			t.Fatalf("fragment %d at offset %d, more %v; have %d bytes so far", i, p.FragmentOffset(), p.MoreFragments(), len(whole))
		}
		whole = append(whole, p.Payload()...)
	}
	return whole
}

func TestFragmentsJoinToTheWhole(t *testing.T) {
	n := newNetwork(t)
	b := NewBatch(BatchSize, &Counters{}, nil)
	rapid.Check(t, func(t *rapid.T) {
		mtu := rapid.IntRange(packet.IPv4MinMTU, 1500).Draw(t, "mtu")
		n.view.Interfaces[lan1].MTU = mtu
		p := udp4("10.0.2.2")
		p.Size = rapid.IntRange(28, 4000).Draw(t, "size")
		in, err := p.Build()
		if err != nil {
			t.Fatal(err)
		}
		fill(b, lan0, raw(in))
		Process(n.view, b, testNow)
		b.Transmit(testNow)
		if got := fragmentsOf(t, mtu, n.ports[lan1].Take()); !bytes.Equal(got, in[20:]) {
			t.Fatalf("fragments join to %x, want %x", got, in[20:])
		}
	})
}

func TestFragmentsCarryTheirOptions(t *testing.T) {
	n := newNetwork(t)
	n.view.Interfaces[lan1].MTU = 100
	p := udp4("10.0.2.2")
	p.Size = 300
	in := withOptions(build(t, p), 148, 4, 0, 0, 7, 3, 4, 0) // router alert is copied, record route is not
	n.run(t, lan0, raw(in))
	sent := n.ports[lan1].Take()
	if got := fragmentsOf(t, 100, sent); !bytes.Equal(got, in[28:]) {
		t.Fatalf("fragments join to %x, want %x", got, in[28:])
	}
	for i, f := range sent {
		want := []byte{148, 4, 0, 0}
		if i == 0 {
			want = []byte{148, 4, 0, 0, 7, 3, 4, 0}
		}
		if got := packet.IPv4(f.Data).Options(); !bytes.Equal(got, want) {
			t.Errorf("fragment %d has options %x, want %x", i, got, want)
		}
	}
}

func TestFragmentsForTheRouter(t *testing.T) {
	for _, tt := range []struct {
		name string
		p    Probe
		cut  func([]byte, int, int, bool) []byte
	}{
		{"IPv4", Probe{Src: addr("10.0.1.2"), Dst: addr("10.255.0.1"), Proto: packet.ProtoICMP, Size: 3000}, cut4},
		{"IPv6", Probe{Src: addr("2001:db8:1::2"), Dst: addr("2001:db8:ff::1"), Proto: packet.ProtoICMPv6, Size: 3000}, cut6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNetwork(t)
			whole := build(t, tt.p)
			parts := []memory.Packet{
				raw(tt.cut(whole, 1600, 3000, false)), // the last one comes first
				raw(tt.cut(whole, 0, 800, true)),
				raw(tt.cut(whole, 800, 1600, true)),
			}
			b := n.run(t, lan0, parts...)
			want := []verdict.Verdict{verdict.FragmentHeld, verdict.FragmentHeld, verdict.EchoReplied}
			for i, p := range b.Packets() {
				if p.Verdict != want[i] {
					t.Errorf("fragment %d: %s, want %s", i, p.Verdict, want[i])
				}
			}
			// The reply is as large as the request, so it leaves in pieces too.
			sent := n.ports[lan0].Take()
			if len(sent) != 3 {
				t.Fatalf("the reply left in %d pieces, want 3", len(sent))
			}
			for _, f := range sent {
				if len(f.Data) > 1500 {
					t.Errorf("a piece of %d bytes, want at most 1500", len(f.Data))
				}
			}
		})
	}
	t.Run("overlap", func(t *testing.T) {
		n := newNetwork(t)
		whole := build(t, Probe{Src: addr("2001:db8:1::2"), Dst: addr("2001:db8:ff::1"), Proto: packet.ProtoICMPv6, Size: 3000})
		b := n.run(t, lan0, raw(cut6(whole, 0, 800, true)), raw(cut6(whole, 792, 1600, true)))
		if got := b.Packets()[1].Verdict; got != verdict.FragmentOverlap {
			t.Errorf("verdict %s, want fragment_overlap (RFC 5722 §3)", got)
		}
	})
	t.Run("table full", func(t *testing.T) {
		n := newNetwork(t)
		n.view.Limits.Reassembly.Packets = 2
		b := n.run(t, lan0, firsts(t, 3)...)
		if got := b.Packets()[2].Verdict; got != verdict.FragmentHeld {
			t.Errorf("verdict %s, want fragment_held: the oldest makes room", got)
		}
		if got := b.counters.Verdict(verdict.FragmentEvicted); got != 1 {
			t.Errorf("counted %d times as fragment_evicted, want once", got)
		}
	})
	t.Run("no table", func(t *testing.T) {
		n := newNetwork(t)
		n.view.Limits.Reassembly.Packets = 0
		if got := n.run(t, lan0, firsts(t, 1)...).Packets()[0].Verdict; got != verdict.FragmentTableFull {
			t.Errorf("verdict %s, want fragment_table_full", got)
		}
	})
}

// firsts gives the first fragments of n packets to the router.
func firsts(t *testing.T, n uint16) []memory.Packet {
	whole := build(t, Probe{Src: addr("10.0.1.2"), Dst: addr("10.255.0.1"), Proto: packet.ProtoICMP, Size: 3000})
	var in []memory.Packet
	for id := range n {
		in = append(in, raw(edit4(cut4(whole, 0, 800, true), func(p packet.IPv4) { p.SetID(id + 1) })))
	}
	return in
}

// cut4 makes a fragment of the payload bytes from:to of whole.
func cut4(whole []byte, from, to int, more bool) []byte {
	to = min(to, len(whole)-20)
	out := append(append([]byte(nil), whole[:20]...), whole[20+from:20+to]...)
	return edit4(out, func(p packet.IPv4) { p.SetTotalLen(len(out)); p.SetFragment(false, more, from) })
}

func cut6(whole []byte, from, to int, more bool) []byte {
	to = min(to, len(whole)-40)
	var h [8]byte
	packet.FragmentHeader(h[:]).Set(whole[6], from, more, 77)
	out := append(append(append([]byte(nil), whole[:40]...), h[:]...), whole[40+from:40+to]...)
	p := packet.IPv6(out)
	p.SetNextHeader(packet.ProtoFragment)
	p.SetPayloadLen(len(out) - 40)
	return out
}

func TestFragmentTimeout(t *testing.T) {
	n := newNetwork(t)
	var live Live
	live.Publish(n.view)
	w := NewWorker(&live, lan0, 0, BatchSize, n.ports[lan0].Queues()[0], nil)
	n.ports[lan0].Inject(raw(cut4(build(t, Probe{
		Src: addr("10.0.1.2"), Dst: addr("10.255.0.1"), Proto: packet.ProtoICMP, Size: 3000,
	}), 0, 800, true)))
	// The queue's deadline runs on the real clock, so this one begins long ago:
	// the fragment's time is up as soon as it is held.
	start := time.Now().Add(-time.Hour)
	first := true
	clock := func() time.Time {
		if first {
			first = false
			return start
		}
		return time.Now()
	}
	done := make(chan error, 1)
	go func() { done <- w.Run(clock) }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	sent, err := n.ports[lan0].Wait(ctx, 1)
	n.ports[lan0].Close()
	if err := <-done; err != nil {
		t.Errorf("worker: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	m := packet.ICMP(packet.IPv4(sent[0].Data).Payload())
	if m.Type() != 11 || m.Code() != 1 {
		t.Errorf("ICMP type %d code %d, want time exceeded in reassembly, 11 code 1", m.Type(), m.Code())
	}
	if got := w.Counters.Verdict(verdict.FragmentTimeout); got != 1 {
		t.Errorf("counted %d timeouts, want 1", got)
	}
}

func TestDropRing(t *testing.T) {
	n := newNetwork(t)
	ring := &DropRing{}
	b := NewBatch(BatchSize, &Counters{}, ring)
	n.runIn(t, b, lan0, raw(build(t, udp4("203.0.113.1"))), raw(build(t, udp4("10.0.2.2"))), raw(build(t, udp4("10.9.0.1"))))
	got := ring.Last(10)
	if len(got) != 2 || got[0].Verdict != verdict.Blackhole || got[1].Verdict != verdict.NoRoute {
		t.Fatalf("remembered %+v, want the blackhole and before it the missing route", got)
	}
	if d := got[0]; d.In != lan0 || d.Length != 100 || !d.Time.Equal(testNow) || len(d.Header) != dropHeader {
		t.Errorf("remembered %+v", d)
	}
	for range dropRingSize { // the ring forgets, and keeps its order
		n.runIn(t, b, lan0, raw(build(t, udp4("224.0.0.1"))))
	}
	if got := ring.Last(dropRingSize * 2); len(got) != dropRingSize || got[dropRingSize-1].Verdict != verdict.Multicast {
		t.Errorf("%d remembered, the oldest a %s", len(got), got[len(got)-1].Verdict)
	}
}

func TestLinkLocalDestinationOfAReply(t *testing.T) {
	n := newNetwork(t)
	p := ping6("2001:db8:1::1")
	p.Src = addr("fe80::2")
	n.run(t, lan0, raw(build(t, p)))
	if sent := n.ports[lan0].Take(); len(sent) != 1 || packet.IPv6(sent[0].Data).Dst() != p.Src {
		t.Errorf("sent %+v, want a reply to %s on the link it came from", sent, p.Src)
	}
}

var _ port.Port = (*memory.Port)(nil)
