package flow

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// expiring ticks the table on to the moment until, step by step, and gives the
// sessions that ended and when.
func expiring(tab *Table, from, until, step Time) map[uint32]Time {
	ended := map[uint32]Time{}
	for now := from; int32(until-now) >= 0; now += step {
		for tab.Tick(now, 10, func(s *Session) { ended[s.Number] = now }) == 10 {
		}
	}
	return ended
}

// Sessions end by the timeout of their protocol and state, not before it and
// not long after it, also where the clock wraps.
func TestExpiry(t *testing.T) {
	for _, start := range []Time{0, 77_777, 1<<32 - 30_000, 1<<31 - 100, 3 << 30} {
		for _, tt := range []struct {
			name  string
			proto uint8
			way   []from
			want  time.Duration
		}{
			{"udp", protoUDP, nil, 5 * time.Minute},
			{"icmp", protoICMP, nil, time.Minute},
			{"gre", 47, nil, 10 * time.Minute},
			{"tcp opening", protoTCP, []from{synF}, 4 * time.Minute},
			{"tcp established", protoTCP, open, 124 * time.Minute},
			{"tcp half closed", protoTCP, ways[FinReply], 4 * time.Minute},
			{"tcp closed", protoTCP, closed, 4 * time.Minute},
			{"tcp reset", protoTCP, dead, 4 * time.Minute},
		} {
			t.Run(tt.name, func(t *testing.T) {
				tab := New(Config{})
				forward, reply := keys(tt.proto, 1, 1, 1)
				var s *Segment
				if tt.way != nil {
					s = &tt.way[0].s
				}
				number := mustInsert(t, tab, forward, reply, host(1), s, start)
				for i := range tt.way {
					hit := tab.Find([]Key{forward, reply}[tt.way[i].d])
					tab.Packet(&hit, &tt.way[i].s, start)
				}
				ended := expiring(tab, start, start+Time(tt.want/time.Millisecond)+2000, 250)
				at, ok := ended[number]
				if !ok {
					t.Fatalf("not ended 2 s after its timeout of %v", tt.want)
				}
				if got := at.Sub(start); got < tt.want || got > tt.want+time.Second {
					t.Errorf("begun at %d, ended after %v, want %v to a second later", start, got, tt.want)
				}
				if tab.Len() != 0 || tab.wheel.count != 0 || tab.wheel.bits != [wheelLevels]uint64{} {
					t.Errorf("%d sessions left, %d on the wheel, slots %x", tab.Len(), tab.wheel.count, tab.wheel.bits)
				}
			})
		}
	}
}

// A packet puts the end off although it does not touch the wheel, and a state
// with a shorter timeout brings it forward.
func TestExpiryMoves(t *testing.T) {
	tab := New(Config{Timeouts: Timeouts{TCPReset: 2 * time.Second}})
	forward, reply := keys(protoUDP, 1, 1, 1)
	udp := mustInsert(t, tab, forward, reply, host(1), nil, 0)
	ended := expiring(tab, 0, 299_000, 1000)
	hit := tab.Find(forward)
	tab.Packet(&hit, nil, 299_000)
	for k, v := range expiring(tab, 299_000, 598_000, 1000) {
		ended[k] = v
	}
	if len(ended) != 0 {
		t.Fatalf("ended in use: %v", ended)
	}
	if at := expiring(tab, 598_000, 700_000, 1000)[udp]; at < 599_000 || at > 600_000 {
		t.Errorf("ended at %d, want 599000 to 600000", at)
	}

	forward, reply = keys(protoTCP, 1, 1, 1)
	tcp := mustInsert(t, tab, forward, reply, host(1), &open[0].s, 700_000)
	for _, s := range append(open[1:3:3], rstR) {
		hit := tab.Find([]Key{forward, reply}[s.d])
		tab.Packet(&hit, &s.s, 710_000)
	}
	if at := expiring(tab, 710_000, 720_000, 250)[tcp]; at < 712_000 || at > 713_000 {
		t.Errorf("ended at %d, want 712000 to 713000", at)
	}
}

// Many sessions that are due at once end over as many calls as the budget
// makes of them, while new ones are made in between.
func TestTickBudget(t *testing.T) {
	const n, budget = 5000, 64
	tab := New(Config{})
	for i := range n {
		forward, reply := keys(protoUDP, i, 1, uint16(i+1))
		mustInsert(t, tab, forward, reply, host(i), nil, 0)
	}
	ended, calls := 0, 0
	now := Time(302_000)
	for more := true; more; calls++ {
		if calls > 2*n {
			t.Fatalf("%d calls, %d sessions of %d ended", calls, ended, n)
		}
		before := ended
		visited := tab.Tick(now, budget, func(*Session) { ended++ })
		if visited > budget || ended-before > visited {
			t.Fatalf("%d visited and %d ended in a call with a budget of %d", visited, ended-before, budget)
		}
		more = visited == budget
		if calls%10 == 0 {
			forward, reply := keys(protoICMP, calls, 1, uint16(calls+1))
			mustInsert(t, tab, forward, reply, host(calls), nil, now)
		}
	}
	if ended != n {
		t.Errorf("%d sessions ended, want %d", ended, n)
	}
	if left := tab.Len(); left != (calls+9)/10 {
		t.Errorf("%d sessions left, want %d", left, (calls+9)/10)
	}
}

// Whatever is filed comes up at its time, whatever the hand did before.
func TestWheel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tab := New(Config{MaxSessions: 64})
		tab.reserve(1)
		tab.used = 64
		w := &tab.wheel
		w.hand = rapid.Uint32Range(0, tickMask).Draw(t, "hand")
		filed := map[uint32]uint32{} // the tick that each is filed for
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			number := rapid.Uint32Range(1, 20).Draw(t, "number")
			if _, ok := filed[number]; ok {
				tab.unfile(number)
				delete(filed, number)
			} else {
				ahead := rapid.OneOf(rapid.IntRange(-5, 70), rapid.IntRange(0, 10*24*3600*4)).Draw(t, "ahead")
				when := (w.hand + uint32(ahead)) & tickMask
				tab.file(number, Time(when<<tickBits))
				// What is overdue comes up next.
				filed[number] = (w.hand + uint32(max(ahead, 0)) + 1) & tickMask
			}
			if rapid.Bool().Draw(t, "turn") {
				slot, when, ok := w.next()
				if ok != (len(filed) > 0) {
					t.Fatalf("the wheel has a slot to empty: %t, with %d filed", ok, len(filed))
				}
				if !ok {
					continue
				}
				for number, due := range filed {
					if (due-when)&tickMask > tickMask/2 {
						t.Fatalf("the hand goes to %d past session %d, due at %d", when, number, due)
					}
				}
				w.hand = when
				for w.heads[slot] != 0 {
					number := w.heads[slot]
					tab.unfile(number)
					if due := filed[number]; due == when {
						delete(filed, number)
					} else {
						tab.file(number, Time((due-1)&tickMask<<tickBits))
					}
				}
			}
			if w.count != len(filed) {
				t.Fatalf("%d on the wheel, want %d", w.count, len(filed))
			}
		}
	})
}
