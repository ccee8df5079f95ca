package rip

import (
	"strings"
	"testing"
	"time"

	"routerd/routing/protocol"
)

// The first change is told at once; what else changes within a moment joins it;
// what has been told and changes again, and what changes later, is told
// together 1 to 5 s after that (RFC 2453 §3.10.1), and only the changes.
func TestTriggered(t *testing.T) {
	for seed := range uint64(20) {
		b := newBed(t, nil)
		b.m.rand = New(RIP, protocol.Start{Seed: seed}).rand
		b.m.trigger = trigger{}
		for _, i := range b.m.order {
			b.m.updates.Set(&i.nextUpdate, b.now.Add(time.Minute))
		}
		b.hear(eth0, peer, entry(netA, 1))
		b.sent("eth1 224.0.0.9 response 198.51.100.0/24=2")
		later := pfx("192.0.2.0/24")
		b.hear(eth0, peer, entry(netB, 1))
		b.hear(eth0, peer, entry(netA, 5))
		b.sent()
		b.advance(pause)
		b.sent("eth1 224.0.0.9 response 203.0.113.0/24=2")
		changed := b.now
		b.advance(joinWithin)
		b.hear(eth0, peer, entry(later, 1))
		b.advance(changed.Add(time.Second - 1).Sub(b.now))
		b.sent()
		for len(b.sends()) == 0 {
			b.now = b.m.Deadline()
			b.step(protocol.Tick{})
		}
		if d := b.now.Sub(changed); d < time.Second || d > 5*time.Second {
			t.Errorf("the next triggered update came after %v", d)
		}
		b.sent("eth1 224.0.0.9 response 192.0.2.0/24=2 198.51.100.0/24=6")
	}
}

// A table that comes in many packets is passed on as it comes, each route once,
// but an update that goes on and on ends.
func TestTriggeredJoins(t *testing.T) {
	b := newBed(t, nil)
	for _, i := range b.m.order {
		b.m.updates.Set(&i.nextUpdate, b.now.Add(time.Minute))
	}
	began, told := b.now, map[string]time.Duration{}
	note := func() {
		for _, line := range b.sends() {
			for _, word := range strings.Fields(line)[3:] {
				if _, again := told[word]; again {
					t.Errorf("%s is told twice", word)
				}
				told[word] = b.now.Sub(began)
			}
		}
		b.clear()
	}
	const packets, apart = 300, 10 * time.Millisecond
	for n := range packets {
		b.hear(eth0, peer, many(n, 1)...)
		note()
		b.advance(apart)
		note()
	}
	soon, late := 0, 0
	for _, at := range told {
		if at < joinAtMost+apart {
			soon++
		} else {
			late++
		}
	}
	if most := int(joinAtMost / apart); soon < most-1 || soon > most+1 {
		t.Errorf("%d routes are told within %v, want about %d", soon, joinAtMost, most)
	}
	b.advance(10 * time.Second)
	note()
	if len(told) != packets {
		t.Errorf("%d routes are told in all, %d late, want %d", len(told), late, packets)
	}
}

// A failure of our own is told at once also of routes that an update under way
// has told, and not held back until that has ended.
func TestFailureWhileTriggeredIsOpen(t *testing.T) {
	b := newBed(t, nil)
	b.hear(eth0, peer, entry(netA, 1))
	b.advance(pause)
	b.hear(eth0, peer, entry(netB, 1))
	b.clear()
	b.step(protocol.LinkDown{Link: eth0})
	b.advance(pause) // behind the packet that was sent just now
	b.sent("eth1 224.0.0.9 request all", "eth1 224.0.0.9 response 10.0.0.0/24=16 198.51.100.0/24=16 203.0.113.0/24=16")
}

// A triggered update is not sent where a regular one begins just then.
func TestTriggeredSuppressed(t *testing.T) {
	b := newBed(t, nil)
	b.hear(eth0, peer, entry(netA, 1))
	b.clear()
	b.now = b.m.interfaces[eth1].nextUpdate.At()
	b.m.updates.Set(&b.m.interfaces[eth0].nextUpdate, b.now.Add(time.Minute))
	b.m.trigger.until = b.now
	b.hear(eth0, peer, entry(netB, 1))
	b.sent("eth1 224.0.0.9 response 10.0.0.0/24=1 198.51.100.0/24=2 203.0.113.0/24=2")
}
