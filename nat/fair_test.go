package nat

import (
	"testing"
	"time"

	"routerd/flow"
	"routerd/internal/verdict"
)

// flooded is a site on which spoofed hosts, 250 of them, have begun as many
// flows as they could, and nobody has answered.
func flooded(t *testing.T, flows int, fair bool) *site {
	t.Helper()
	cfg := lanOut()
	cfg.Source[0].Match.Sources = ranges("10.0.0.0/8", "192.168.10.0/24")
	cfg.MaxSessions, cfg.MaxSessionsPerHost, cfg.NoFairShare = 1<<14, 1<<12, !fair
	s := newSite(t, cfg)
	s.now = 5000
	for i := range flows {
		s.now = 5000 + flow.Time(i/10) // ten thousand a second
		s.spoof(i)
	}
	return s
}

// spoof begins the flow with the number i, of one of 250 hosts.
func (s *site) spoof(i int) verdict.Verdict {
	p := packetOf(flow.Key{
		Proto: protoUDP, Src: 10<<24 | uint32(i%250), SrcPort: uint16(1024 + i/250%60000), Dst: 0xc0000209, DstPort: 53,
	}, lan)
	return s.pass(p, wan).Verdict
}

// A flood of unanswered flows of many inside hosts leaves sessions and ports to
// one that comes during it, and to many that come later.
func TestFloodLeavesSessionsForOthers(t *testing.T) {
	for _, c := range []struct {
		name string
		fair bool
	}{{"shared out", true}, {"first come, first served", false}} {
		t.Run(c.name, func(t *testing.T) {
			s := flooded(t, 50_000, c.fair)
			table, _ := s.n.Limits()
			if live := s.live(); live < table*9/10 {
				t.Fatalf("%d of %d sessions are taken, want a table that is short of them", live, table)
			}
			let := 0
			for i := range 400 { // by ten hosts, while the flood goes on
				s.now += 10
				for j := range 20 {
					s.spoof(50_000 + i*20 + j)
				}
				k := flow.Key{Proto: protoTCP, Src: number(addr(0xc0a80a14 + uint32(i%10))), SrcPort: uint16(2000 + i), Dst: 0xcb007109, DstPort: 443}
				if got := s.pass(packetOf(k, lan), wan); got.Verdict == verdict.None {
					let++
				}
			}
			if c.fair && let < 380 || !c.fair && let > 20 {
				t.Errorf("%d of 400 flows of other hosts are let in", let)
			}
			s.wantSound()
		})
	}
}

// The same of the ports of a pool.
func TestFloodLeavesPortsForOthers(t *testing.T) {
	cfg := poolOf(flow.PortRange{First: 2000, Last: 5999}, "203.0.113.33/32")
	cfg.Source[0].Match.Sources = ranges("10.0.0.0/8", "192.168.10.0/24")
	s := newSite(t, cfg)
	s.now = 5000
	for i := range 20_000 {
		s.now = 5000 + flow.Time(i/10)
		s.spoof(i)
	}
	state := s.n.PoolStates()[0]
	if state.UDP < 3800 || state.Refused == 0 {
		t.Fatalf("%d ports are taken and %d flows refused, want a pool that is short of ports", state.UDP, state.Refused)
	}
	let := 0
	for i := range 400 {
		s.now += 10
		for j := range 5 {
			s.spoof(20_000 + i*5 + j)
		}
		k := flow.Key{Proto: protoUDP, Src: 0xc0a80a14 + uint32(i%40), SrcPort: uint16(7000 + i), Dst: 0xcb007109, DstPort: 443}
		if got := s.pass(packetOf(k, lan), wan); got.Verdict == verdict.None {
			let++
		}
	}
	if let < 380 {
		t.Errorf("%d of 400 flows of other hosts get a port, want 380", let)
	}
	s.wantSound()
}

// What has been answered is never ended for others: not a UDP flow with an
// answer, not a connection whose handshake is complete.
func TestAnsweredFlowsOutliveAFlood(t *testing.T) {
	s := flooded(t, 0, true)
	s.want("udp 192.168.10.2:5000 > 203.0.113.9:53", lan, wan, "udp 198.51.100.2:5000 > 203.0.113.9:53")
	s.want("udp 203.0.113.9:53 > 198.51.100.2:5000", wan, lan, "udp 203.0.113.9:53 > 192.168.10.2:5000")
	there := packetOf(key("tcp 192.168.10.2:5001 > 203.0.113.9:443"), lan)
	s.pass(there, wan)
	back := packetOf(key("tcp 203.0.113.9:443 > 198.51.100.2:5001"), wan)
	back.TCP = flow.Segment{Flags: syn | ack, Seq: 9000, Ack: 1001, Window: 65535}
	s.pass(back, lan)
	there.TCP = flow.Segment{Flags: ack, Seq: 1001, Ack: 9001, Window: 65535}
	s.pass(there, wan)
	for i := range 200_000 {
		s.now += flow.Time(i % 2)
		s.spoof(i)
	}
	if got := s.n.sessions.Stats(); got.Evicted == 0 {
		t.Fatal("nothing has been ended for others: the test has shown nothing")
	}
	for _, k := range []string{"udp 192.168.10.2:5000 > 203.0.113.9:53", "tcp 192.168.10.2:5001 > 203.0.113.9:443"} {
		if s.n.sessions.Find(key(k)).Session == NoSession {
			t.Errorf("%s is gone", k)
		}
	}
}

// A flow that has only just begun is not ended for another, and one of a host
// with few sessions only after longer.
func TestPatience(t *testing.T) {
	x := flow.Session{Seen: 10_000}
	for _, c := range []struct {
		waited    time.Duration
		has, mine uint32
		answered  bool
		want      bool
	}{
		{999 * time.Millisecond, 9, 1, false, false},
		{time.Second, 2, 2, false, true},
		{time.Second, 1, 2, false, false},
		{4 * time.Second, 1, 2, false, true},
		{time.Hour, 9, 1, true, false},
	} {
		x.Answered = c.answered
		if got := x.Evictable(x.Seen+flow.Time(c.waited.Milliseconds()), c.has, c.mine); got != c.want {
			t.Errorf("after %v, %d sessions against %d, answered %t: %t, want %t", c.waited, c.has, c.mine, c.answered, got, c.want)
		}
	}
}

// Asking what would become of a flow ends nothing, and tells the truth.
func TestAskingEndsNothing(t *testing.T) {
	s := flooded(t, 50_000, true)
	s.now += 5000
	before := s.live()
	p := packetOf(key("udp 192.168.10.2:5000 > 203.0.113.9:53"), lan)
	p.Dry = true
	if got := s.pass(p, wan); got.Verdict != verdict.None || !got.New {
		t.Errorf("the flow would be refused: %s", got.Verdict)
	}
	if after := s.live(); after != before {
		t.Errorf("%d sessions are left of %d", after, before)
	}
	if p.Dry = false; s.pass(p, wan).Verdict != verdict.None {
		t.Error("the flow is refused")
	}
}
