package flow

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"
)

// tally counts sessions by phase.
type tally [Ended + 1]atomic.Int64

func (c *tally) Turned(_ uint64, from, to Phase) { c[from].Add(-1); c[to].Add(1) }

func (c *tally) String() string {
	return fmt.Sprintf("%d opening, %d open, %d closed, %d ended", c[Opening].Load(), c[Open].Load(), c[Closed].Load(), c[Ended].Load())
}

// TestHolding: a limiter is told of each phase that a session comes to, until it
// ends, whatever ends it.
func TestHolding(t *testing.T) {
	var c tally
	tab := New(Config{MaxSessions: 16})
	now := Time(1000)
	forward := Key{Src: 1, Dst: 2, SrcPort: 3, DstPort: 4, Proto: protoTCP}
	begin := func(brief bool) (number uint32) {
		t.Helper()
		number, refusal := tab.Insert(forward, forward.Reverse(), 0, 0, 1, &Segment{Flags: FlagSYN}, now)
		if refusal != Accepted {
			t.Fatal(refusal)
		}
		c[Opening].Add(1) // as its maker counts it
		tab.Hold(number, &Holding{Tickets: [3]Ticket{{Limiter: &c}}, Phase: Opening, Brief: brief}, now)
		return number
	}
	send := func(k Key, s Segment) {
		t.Helper()
		if hit := tab.Find(k); !tab.Packet(&hit, &s, now) {
			t.Fatalf("the session is gone before %+v", s)
		}
	}
	want := func(what, count string) {
		t.Helper()
		if c.String() != count {
			t.Fatalf("%s: %s, want %s", what, c.String(), count)
		}
	}
	open := func() {
		send(forward.Reverse(), Segment{Flags: FlagSYN | FlagACK, Ack: 1, Window: 100})
		send(forward, Segment{Flags: FlagACK, Seq: 1, Ack: 1, Window: 100})
	}
	number := begin(false)
	want("a SYN", "1 opening, 0 open, 0 closed, 0 ended")
	open()
	want("a handshake", "0 opening, 1 open, 0 closed, 0 ended")
	send(forward, Segment{Flags: FlagFIN | FlagACK, Seq: 1, Ack: 1, Window: 100})
	want("one FIN", "0 opening, 1 open, 0 closed, 0 ended")
	send(forward.Reverse(), Segment{Flags: FlagFIN | FlagACK, Seq: 1, Ack: 2, Window: 100})
	want("both FINs", "0 opening, 0 open, 1 closed, 0 ended")
	send(forward, Segment{Flags: FlagSYN, Seq: 9})
	want("a SYN that reopens it", "1 opening, 0 open, 0 closed, 0 ended")
	tab.Delete(number, nil)
	want("it is ended", "0 opening, 0 open, 0 closed, 1 ended")

	c[Opening].Add(1)
	tab.Hold(number, &Holding{Tickets: [3]Ticket{{Limiter: &c}}, Phase: Opening}, now)
	want("it had ended before", "0 opening, 0 open, 0 closed, 2 ended")

	tick := func(after time.Duration) {
		now += Time(after / time.Millisecond)
		tab.Tick(now, 1000, nil)
	}
	begin(true)
	tick(9 * time.Second)
	want("nine seconds half-open", "1 opening, 0 open, 0 closed, 2 ended")
	tick(2 * time.Second)
	want("eleven seconds half-open", "0 opening, 0 open, 0 closed, 3 ended")
	begin(true)
	open()
	tick(time.Hour)
	want("an hour open", "0 opening, 1 open, 0 closed, 3 ended")
	tab.Clear(func(*Session) bool { return true }, nil)
	begin(false)
	tick(time.Minute)
	want("a minute half-open, where that is not limited", "1 opening, 0 open, 0 closed, 4 ended")
	if len(tab.held) != 1 {
		t.Errorf("%d sessions are held, want the one that there is", len(tab.held))
	}
}
