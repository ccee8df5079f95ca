package dataplane

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"routerd/dataplane/port/memory"
	"routerd/flow"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
)

// rowFlows are flows from either side: of both protocols and families, with
// translation and without.
var rowFlows = [2][]string{
	{
		"udp 10.0.1.2:4000 > 10.0.2.2:53", "udp 10.0.1.2:4000 > 10.0.4.2:53", "udp 10.0.1.2:4001 > 10.0.4.2:53", "tcp 10.0.1.2:4000 > 10.0.4.2:80",
		"tcp 10.0.1.3:4000 > 10.0.4.2:80", "icmp 10.0.1.2:4000 > 10.0.4.2:0", "udp [2001:db8:1::2]:4000 > [2001:db8:2::2]:53",
		"udp [2001:db8:1::3]:4000 > [2001:db8:2::2]:53", "tcp [2001:db8:1::2]:4000 > [2001:db8:2::2]:80",
	},
	{
		"udp 10.0.2.2:53 > 10.0.1.2:4000", "tcp 10.0.2.2:4000 > 10.0.1.2:80", "tcp 10.0.2.2:4000 > 10.0.2.1:80", "udp 10.0.2.2:4000 > 10.0.1.2:23",
		"udp [2001:db8:2::2]:53 > [2001:db8:1::2]:4000", "tcp [2001:db8:2::2]:4000 > [2001:db8:1::2]:80", "tcp [2001:db8:2::2]:4000 > [2001:db8:1::2]:81",
	},
}

// rowBatch is a batch of packets that come one flow behind the other, some of
// which are damaged.
func rowBatch(t *rapid.T, flows []string) (list []memory.Packet) {
	for len(list) < 20 && (len(list) == 0 || rapid.Bool().Draw(t, "more")) {
		text := rapid.SampledFrom(flows).Draw(t, "flow")
		for range rapid.IntRange(1, 4).Draw(t, "in a row") {
			b := segment(t, text, rapid.SampledFrom([]uint8{flagSyn, flagAck, flagAck, packet.TCPFin | flagAck, flagRst}).Draw(t, "flags"))
			upper := map[uint8]int{4: packet.IPv4MinHeader, 6: packet.IPv6Header}[b[0]>>4]
			switch rapid.IntRange(0, 9).Draw(t, "damage") {
			case 0: // a wrong length of UDP, a wrong window of TCP
				b[upper+4], b[upper+5] = 0xff, 0xff
			case 1: // an impossible header of TCP, a wrong checksum of UDP
				b[upper+min(12, len(b)-upper-1)] = 0
			case 2:
				b = b[:upper+2]
				if upper == packet.IPv6Header {
					packet.IPv6(b).SetPayloadLen(2)
				} else {
					packet.IPv4(b).SetTotalLen(len(b))
					packet.IPv4(b).FillChecksum()
				}
			}
			list = append(list, raw(b))
		}
	}
	return list
}

// Packets that come in a row are judged, translated, tracked and counted as
// they are when each of them is looked up, as it is when a batch is explained.
func TestRowsChangeNothing(t *testing.T) {
	nets := [2]*network{newNetwork(t), newNetwork(t)}
	cfg := natConfig()
	cfg.MaxSessions = 6 // so that sessions end in favour of others
	rapid.Check(t, func(r *rapid.T) {
		for _, n := range nets {
			n.filter(r, guard(), cfg)
		}
		rows := NewBatch(BatchSize, &Counters{}, nil)
		single := NewBatch(BatchSize, &Counters{}, nil)
		single.trace = func(*stage, *View, *Packet) {}
		for range rapid.IntRange(1, 8).Draw(r, "batches") {
			in := rapid.SampledFrom([]routing.InterfaceID{lan0, lan1}).Draw(r, "in")
			packets := rowBatch(r, rowFlows[in])
			var verdicts [2][]verdict.Verdict
			var sent [2][]memory.Packet
			var sessions [2][]flow.Session
			for k, b := range []*Batch{rows, single} {
				nets[k].runIn(r, b, in, packets...)
				for i := range b.Packets() {
					verdicts[k] = append(verdicts[k], b.Packets()[i].Verdict)
				}
				for _, id := range []routing.InterfaceID{lan0, lan1, bare0} {
					sent[k] = append(sent[k], nets[k].ports[id].Take()...)
				}
				for _, table := range []*flow.Table{nets[k].view.NAT.Sessions(), nets[k].view.Sessions6} {
					table.Each(func(s *flow.Session) { sessions[k] = append(sessions[k], *s) })
				}
			}
			for what, diff := range map[string]string{
				"verdicts": cmp.Diff(verdicts[1], verdicts[0]), "packets": cmp.Diff(sent[1], sent[0]), "sessions": cmp.Diff(sessions[1], sessions[0]),
			} {
				if diff != "" {
					r.Fatalf("%s of packets in a row: -looked up one by one +in rows\n%s", what, diff)
				}
			}
		}
	})
}

// A packet in a row is neither translated nor tracked, whatever its family: the
// test above would say nothing otherwise.
func TestRowsAreFound(t *testing.T) {
	for _, text := range []string{"udp 10.0.1.2:4000 > 10.0.4.2:53", "tcp 10.0.1.2:4000 > 10.0.4.2:80", "udp [2001:db8:1::2]:4000 > [2001:db8:2::2]:53", "tcp [2001:db8:1::2]:4000 > [2001:db8:2::2]:80"} {
		n := newNetwork(t).filter(t, guard(), natConfig())
		p := segment(t, text, flagSyn)
		n.run(t, lan0, raw(p))
		b := n.run(t, lan0, raw(p), raw(p), raw(p))
		for i := range b.Packets()[1:] {
			if p := &b.Packets()[1+i]; !p.inRow || p.nat != nil || p.track != nil || p.Verdict != verdict.Forwarded {
				t.Errorf("%s: packet %d of a row: in it %v, translated %v, tracked %v, %v", text, i+1, p.inRow, p.nat != nil, p.track != nil, p.Verdict)
			}
		}
	}
}
