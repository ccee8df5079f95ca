package dataplane

import (
	"testing"

	"routerd/arp"
	"routerd/icmp"
	"routerd/internal/packet"
	"routerd/internal/verdict"
)

// witness is a ProbeWatcher that remembers.
type witness struct {
	ended   []ProbeFate
	answers int
}

func (w *witness) ProbeEnded(f ProbeFate)    { w.ended = append(w.ended, f) }
func (w *witness) ProbeAnswered(r *Received) { w.answers++ }

// probe sends a probe and gives the packet that left.
func (n *network) probe(t *testing.T, p Probe, w *witness) (fate ProbeFate, left []byte, stop func()) {
	t.Helper()
	n.view.Probes = &Probes{}
	b := NewUnread(1, &Counters{}, &DropRing{})
	fate, stop = SendProbe(n.view, b, build(t, p), w, testNow)
	if i := n.view.Interface(fate.Out); i != nil {
		for _, sent := range n.ports[i.ID].Take() {
			left = sent.Data
		}
	}
	return fate, left, stop
}

// TestProbeAnswers: what answers a probe ends as its answer, and nothing else does, nor
// anything once the probe is forgotten.
func TestProbeAnswers(t *testing.T) {
	tcp := Probe{Src: addr("10.0.1.1"), Dst: addr("10.0.2.2"), Proto: packet.ProtoTCP, SrcPort: 17000, DstPort: 80, Sequence: 1000}
	udp := Probe{Src: addr("10.0.1.1"), Dst: addr("10.0.2.2"), Proto: packet.ProtoUDP, SrcPort: 17000, DstPort: 80}
	echo := Probe{Src: addr("10.0.1.1"), Dst: addr("10.0.2.2"), Proto: packet.ProtoICMP, Ident: 7, Sequence: 9}
	echo6 := Probe{Src: addr("2001:db8:1::1"), Dst: addr("2001:db8:2::2"), Proto: packet.ProtoICMPv6, Ident: 7, Sequence: 9}
	reply := func(raw []byte) []byte { icmp.EchoReply4(packet.IPv4(raw)); return raw }
	quoted := func(raw []byte) []byte {
		return icmp.AppendError4(nil, raw, addr("10.0.2.9"), icmp.Error{Type: icmp.TimeExceeded})
	}
	segment := func(from Probe, ack uint32, flags uint8) func([]byte) []byte {
		return func([]byte) []byte {
			from.Src, from.Dst, from.SrcPort, from.DstPort = from.Dst, from.Src, from.DstPort, from.SrcPort
			raw := build(t, from)
			s := packet.TCP(raw[packet.IPv4MinHeader:])
			s.SetFlags(flags)
			s[8], s[9], s[10], s[11] = byte(ack>>24), byte(ack>>16), byte(ack>>8), byte(ack)
			s.SetChecksum(0)
			s.SetChecksum(^packet.Sum(s, packet.PseudoHeaderSum4(raw[12:16], raw[16:20], packet.ProtoTCP, len(s))))
			return raw
		}
	}
	damaged := func(f func([]byte) []byte) func([]byte) []byte {
		return func(raw []byte) []byte { raw = f(raw); raw[len(raw)-1] ^= 0xff; return raw }
	}
	const synAck, rstAck, ack = packet.TCPSyn | packet.TCPAck, packet.TCPRst | packet.TCPAck, packet.TCPAck
	other, later, port := echo, echo, tcp
	other.Ident, later.Sequence, port.DstPort = 8, 10, 81
	for _, tt := range []struct {
		name   string
		probe  Probe
		answer func(left []byte) []byte
		want   bool
	}{
		{"echo reply", echo, reply, true},
		{"echo reply of another identifier", echo, func([]byte) []byte { return reply(build(t, other)) }, false},
		{"echo reply of another number", echo, func([]byte) []byte { return reply(build(t, later)) }, false},
		{"echo reply of IPv6", echo6, func(left []byte) []byte { return icmp.EchoReply6(packet.IPv6(left), packet.IPv6Header) }, true},
		{"time exceeded about an echo request", echo, quoted, true},
		{"time exceeded about a SYN", tcp, quoted, true},
		{"time exceeded about another SYN", tcp, func([]byte) []byte { return quoted(build(t, port)) }, false},
		{"time exceeded, damaged", tcp, damaged(quoted), false},
		{"SYN and ACK", tcp, segment(tcp, 1001, synAck), true},
		{"RST", tcp, segment(tcp, 1001, rstAck), true},
		{"an ACK of a connection", tcp, segment(tcp, 1001, ack), false},
		{"RST of a connection", tcp, segment(tcp, 555, rstAck), false},
		{"SYN and ACK from another port", tcp, segment(port, 1001, synAck), false},
		{"SYN and ACK, damaged", tcp, damaged(segment(tcp, 1001, synAck)), false},
		{"a datagram", udp, func([]byte) []byte {
			return build(t, Probe{Src: udp.Dst, Dst: udp.Src, Proto: packet.ProtoUDP, SrcPort: 80, DstPort: 17000, Size: 40})
		}, true},
		{"a datagram from elsewhere", udp, func([]byte) []byte {
			return build(t, Probe{Src: addr("10.0.2.3"), Dst: udp.Src, Proto: packet.ProtoUDP, SrcPort: 80, DstPort: 17000})
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, w := newNetwork(t), &witness{}
			fate, left, stop := n.probe(t, tt.probe, w)
			if fate.Verdict != verdict.Originated || fate.Out != lan1 || left == nil {
				t.Fatalf("sent: %+v, %x", fate, left)
			}
			answer := tt.answer(left)
			again := append([]byte(nil), answer...)
			got := n.run(t, lan1, raw(answer)).Packets()[0].Verdict
			if (got == verdict.ProbeAnswered) != tt.want || (w.answers == 1) != tt.want {
				t.Errorf("%s, and %d answers", got, w.answers)
			}
			stop()
			if got := n.run(t, lan1, raw(again)).Packets()[0].Verdict; got == verdict.ProbeAnswered {
				t.Error("a probe that was forgotten is answered")
			}
		})
	}
}

// TestProbeWaits: a probe whose next hop is not known waits, and its watcher hears how
// that ends, also where the answer is that it does not leave.
func TestProbeWaits(t *testing.T) {
	p := Probe{Src: addr("10.0.5.1"), Dst: addr("10.0.5.77"), Proto: packet.ProtoICMP, Ident: 7}
	for _, answers := range []bool{true, false} {
		n, b, c := newEthernet(t)
		n.view.Probes = &Probes{}
		w := &witness{}
		sender := NewUnread(1, &Counters{}, &DropRing{})
		sender.Punts(c)
		if x := ExplainProbe(n.view, build(t, p), testNow); x.Verdict != verdict.Resolving || x.Out != eth0 || len(c.taken) != 0 {
			t.Errorf("explained as %+v with %d punts, want resolving and none", x, len(c.taken))
		}
		fate, stop := SendProbe(n.view, sender, build(t, p), w, testNow)
		if fate.Verdict != verdict.Resolving || fate.NextHop != p.Dst || len(c.taken) != 1 {
			t.Fatalf("%+v with %d punts, want that it waits for %s", fate, len(c.taken), p.Dst)
		}
		h := Held{Packet: c.taken[0].Frame, In: c.taken[0].In, Out: eth0}
		want := ProbeFate{Verdict: verdict.NeighborFailed, Out: eth0, NextHop: p.Dst, At: testNow}
		if answers {
			want.Verdict, want.MAC = verdict.Originated, macH5
			Release(n.view, b, h, macH5, testNow)
		} else {
			Refuse(n.view, b, h, verdict.NeighborFailed, testNow)
		}
		if len(w.ended) != 1 || w.ended[0] != want {
			t.Errorf("ended as %+v, want %+v", w.ended, want)
		}
		stop()
		Release(n.view, b, h, arp.MAC{}, testNow)
		if len(w.ended) != 1 {
			t.Error("a probe that was forgotten is told of")
		}
	}
}

// TestProbeDestinations: a probe goes to one host beyond the router, from an address of it.
func TestProbeDestinations(t *testing.T) {
	n := newNetwork(t)
	for a, want := range map[string]bool{
		"10.0.2.2": true, "192.0.2.77": true, "2001:db8:2::2": true,
		"10.0.1.1": false, "2001:db8:1::1": false, "2001:db8:1::": false, "0.0.0.0": false, "127.0.0.1": false, "::1": false,
		"224.0.0.5": false, "ff02::5": false, "255.255.255.255": false, "fe80::2": false,
	} {
		if got := n.view.ProbeDestination(addr(a)); got != want {
			t.Errorf("to %s: %v, want %v", a, got, want)
		}
	}
	for a, want := range map[string]bool{"10.0.1.1": true, "2001:db8:1::1": true, "10.0.1.2": false, "fe80::1": false} {
		if got := n.view.MayProbeFrom(addr(a)); got != want {
			t.Errorf("from %s: %v, want %v", a, got, want)
		}
	}
	if a, ok := n.view.ProbeSource(addr("10.0.2.2")); !ok || a != addr("10.0.2.1") {
		t.Errorf("from %s (%v) to 10.0.2.2, want 10.0.2.1", a, ok)
	}
}

// TestProbeIsRefused: a probe that waited for its next hop and that the device then does
// not take has not left.
func TestProbeIsRefused(t *testing.T) {
	n, b, c := newEthernet(t)
	n.view.Probes = &Probes{}
	w := &witness{}
	sender := NewUnread(1, &Counters{}, &DropRing{})
	sender.Punts(c)
	raw := build(t, Probe{Src: addr("10.0.5.1"), Dst: addr("10.0.5.77"), Proto: packet.ProtoICMP, Ident: 7})
	_, stop := SendProbe(n.view, sender, raw, w, testNow)
	defer stop()
	if len(c.taken) != 1 {
		t.Fatalf("%d punts, want that it waits", len(c.taken))
	}
	n.ports[eth0].Close()
	Release(n.view, b, Held{Packet: c.taken[0].Frame, In: c.taken[0].In, Out: eth0}, macH5, testNow)
	if len(w.ended) != 1 || w.ended[0].Verdict != verdict.EgressRefused {
		t.Errorf("ended as %+v, want that the device refused it", w.ended)
	}
}
