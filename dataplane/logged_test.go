package dataplane

import (
	"bytes"
	"testing"
	"time"

	"routerd/acl"
	"routerd/dataplane/port/memory"
	"routerd/flow"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/nat"
	"routerd/routing"
)

// logging is guard with rules in front that log: TCP to port 22 and the default
// action; what comes from 10.0.2.9 is logged and then decided about as without.
func logging() acl.Config {
	cfg := guard(
		acl.Rule{Name: "watched", Sources: []flow.AddressRange{flow.RangeOf(prefix("10.0.2.9/32"))}, Action: acl.Log},
		acl.Rule{Name: "ssh", Protocols: []uint8{packet.ProtoTCP}, DestinationPorts: []flow.PortRange{{First: 22, Last: 22}}, Action: acl.Accept, Log: true},
	)
	cfg.Lists[0].LogDefault = true
	return cfg
}

// TestFilterLogs: a rule that logs tells of its packets, whatever its action is,
// and none but "log" changes what becomes of them.
func TestFilterLogs(t *testing.T) {
	n := newNetwork(t).filter(t, logging(), nat.Config{})
	ring := &DropRing{}
	b := NewBatch(BatchSize, &Counters{}, ring)
	for _, tt := range []struct {
		text string
		want verdict.Verdict
		told []string
	}{
		{"tcp 10.0.2.2:4000 > 10.0.1.2:80", verdict.Forwarded, nil},
		{"tcp 10.0.2.2:4001 > 10.0.1.2:22", verdict.Forwarded, []string{"ssh"}},
		{"tcp 10.0.2.2:4001 > 10.0.1.2:22", verdict.Forwarded, nil}, // it belongs to the session
		{"tcp 10.0.2.9:4000 > 10.0.1.2:80", verdict.Forwarded, []string{"watched"}},
		{"tcp 10.0.2.9:4001 > 10.0.1.2:22", verdict.Forwarded, []string{"watched", "ssh"}},
		{"udp 10.0.2.9:4001 > 10.0.1.2:23", verdict.ACLRejected, []string{"watched"}},
		{"udp [2001:db8:2::2]:4000 > [2001:db8:1::2]:53", verdict.ACLDropped, []string{""}},
	} {
		p := segment(t, tt.text, flagSyn)
		n.runIn(t, b, lan1, raw(p))
		if got := b.Packets()[0].Verdict; got != tt.want {
			t.Errorf("%s: %s, want %s", tt.text, got, tt.want)
		}
		told := ring.Logged.Take()
		if len(told) != len(tt.told) {
			t.Fatalf("%s: told by %d rules, want %q", tt.text, len(told), tt.told)
		}
		for i, l := range told {
			place, _ := n.view.ACL.Place(l.Rule)
			if place.Rule != tt.told[i] || l.In != lan1 || l.Out != routing.NoInterface || l.Packets != 1 || l.Length != len(p) || !l.Time.Equal(testNow) {
				t.Errorf("%s: told %+v by %q, want it of rule %q", tt.text, l, place.Rule, tt.told[i])
			}
			if !bytes.Equal(l.Header, p[:min(len(p), logHeader)]) {
				t.Errorf("%s: told as % x, want % x", tt.text, l.Header, p)
			}
		}
	}
}

// TestFilterLogsAFlood: of a flood a few packets are told, all are counted, the
// others' rules still have room, and nothing is allocated.
func TestFilterLogsAFlood(t *testing.T) {
	n := newNetwork(t).filter(t, logging(), nat.Config{})
	ring, counters := &DropRing{}, &Counters{}
	b := NewBatch(BatchSize, counters, ring)
	packets, now := []memory.Packet{raw(segment(t, "udp 10.0.2.2:4000 > 10.0.1.2:53", 0))}, testNow
	run := func() {
		fill(b, lan1, packets...)
		Process(n.view, b, now)
	}
	for range 1000 {
		run()
	}
	if told := ring.Logged.Take(); len(told) != LogBurst {
		t.Errorf("%d packets are told of a flood at one moment, want %d", len(told), LogBurst)
	}
	var counted uint64
	for _, number := range n.view.ACL.Logged() {
		counted += counters.Rule(number).Packets
	}
	if counted != 1000 {
		t.Errorf("%d packets are counted, want 1000", counted)
	}
	now = now.Add(3 * time.Second)
	for range 1000 {
		run()
	}
	if told := ring.Logged.Take(); len(told) != 3*LogRate {
		t.Errorf("%d packets are told after three seconds, want %d", len(told), 3*LogRate)
	}
	n.runIn(t, b, lan1, raw(segment(t, "tcp 10.0.2.2:4001 > 10.0.1.2:22", flagSyn)))
	if told := ring.Logged.Take(); len(told) != 1 {
		t.Errorf("beside the flood another rule tells %d packets, want 1", len(told))
	}
	if allocs := testing.AllocsPerRun(100, func() { now = now.Add(time.Second / 2); run() }); allocs != 0 {
		t.Errorf("%.0f allocations for a packet that is logged, want none", allocs)
	}
}

// TestLogRingIsFull: what is told beyond its room is left out, and what was taken
// makes room again.
func TestLogRingIsFull(t *testing.T) {
	var r LogRing
	if got := r.Take(); got != nil {
		t.Fatalf("an empty ring gives %v", got)
	}
	n := newNetwork(t)
	p := &n.run(t, lan1, raw(segment(t, "udp 10.0.2.2:4000 > 10.0.1.2:53", 0))).Packets()[0]
	for round := range 3 {
		for i := range logRingSize + 5 {
			r.tell(p, uint32(i), testNow)
		}
		got := r.Take()
		if len(got) != logRingSize {
			t.Fatalf("round %d: %d are told, want %d", round, len(got), logRingSize)
		}
		for i, l := range got {
			if l.Rule != uint32(i) {
				t.Fatalf("round %d: place %d has rule %d", round, i, l.Rule)
			}
		}
	}
}

// TestLogRingTwoGoroutines: what one goroutine writes another one reads whole and
// in order.
func TestLogRingTwoGoroutines(t *testing.T) {
	var r LogRing
	n := newNetwork(t)
	p := &n.run(t, lan1, raw(segment(t, "udp 10.0.2.2:4000 > 10.0.1.2:53", 0))).Packets()[0]
	const most = 20000
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := uint32(1); i <= most; i++ {
			r.tell(p, i, testNow.Add(time.Duration(i)))
		}
	}()
	last, ended := uint32(0), false
	for !ended {
		select {
		case <-done:
			ended = true
		default:
		}
		for _, l := range r.Take() {
			if l.Rule <= last || !l.Time.Equal(testNow.Add(time.Duration(l.Rule))) {
				t.Fatalf("rule %d at %v comes behind %d", l.Rule, l.Time, last)
			}
			last = l.Rule
		}
	}
	if last == 0 {
		t.Fatal("nothing was read")
	}
}
