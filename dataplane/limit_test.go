package dataplane

import (
	"testing"
	"time"

	"routerd/dataplane/port/memory"
	"routerd/icmp"
	"routerd/internal/verdict"
)

// flood is a batch full of p, less the room that others need.
func flood(p []byte, room int, others ...memory.Packet) []memory.Packet {
	list := make([]memory.Packet, 0, BatchSize)
	for range BatchSize - room {
		list = append(list, raw(p))
	}
	return append(list, others...)
}

// TestPathMTUInAFlood: whatever else provokes ICMP errors, the word of the
// path's MTU reaches everyone who needs it, of both families: without it a
// connection stands still (RFC 1191 §4, RFC 8201 §4).
func TestPathMTUInAFlood(t *testing.T) {
	big4, big6 := udp4("10.0.2.2"), udp6("2001:db8:2::2")
	big4.Size, big4.DontFragment, big6.Size = 1450, true, 1450
	ttl4, ttl6 := udp4("10.0.2.2"), udp6("2001:db8:2::2")
	ttl4.TTL, ttl6.TTL = 1, 1
	for name, p := range map[string]Probe{
		"TTL 1": ttl4, "hop limit 1": ttl6, "to a closed port": udp4("10.0.1.1"), "to nowhere": udp4("203.0.113.1"),
	} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t)
			n.view.Limits.ICMP = icmp.DefaultConfig
			b := NewBatch(BatchSize, &Counters{}, &DropRing{})
			told := 0
			for i := range 100 { // a second of 12,600 packets of the flood
				fill(b, lan0, flood(build(t, p), 2, raw(build(t, big4)), raw(build(t, big6)))...)
				now := testNow.Add(time.Duration(i) * 10 * time.Millisecond)
				Process(n.view, b, now)
				for _, p := range b.Packets()[BatchSize-2:] {
					if p.Verdict == verdict.TooBig && p.answer == AnswerSent {
						told++
					}
				}
				b.Transmit(now)
				n.ports[lan0].Take()
			}
			if told != 200 {
				t.Errorf("%d of 200 packets too big were answered, want all", told)
			}
			if b.counters.Answer(AnswerLimited) == 0 {
				t.Error("the flood itself was not limited")
			}
		})
	}
}

// TestRedirectsInAFlood: hosts that send everything by the wrong first hop do
// not take the other errors from others, nor the other way round.
func TestRedirectsInAFlood(t *testing.T) {
	n, b, _ := newEthernet(t)
	n.view.Limits.ICMP = icmp.Config{ErrorRate: 100, ErrorBurst: 10, Redirects: true}
	back, late := udp4("10.50.1.1"), udp4("10.0.2.2")
	late.TTL = 1
	for name, tt := range map[string]struct {
		flood, other memory.Packet
	}{
		"of redirects": {fromH5(t, back), fromH5(t, late)},
		"of TTL 1":     {fromH5(t, late), fromH5(t, back)},
	} {
		now := testNow.Add(time.Hour)
		n.runIn(t, b, eth0) // full buckets at first
		b.limits.ICMP = icmp.Config{}
		list := make([]memory.Packet, BatchSize)
		for i := range list {
			list[i] = tt.flood
		}
		list[BatchSize-1] = tt.other
		fill(b, eth0, list...)
		Process(n.view, b, now)
		if got := len(b.Made()); got != 11 {
			t.Errorf("in a flood %s %d ICMP messages are sent, want the flood's burst of 10 and the other one", name, got)
		}
		b.Transmit(now)
	}
}
