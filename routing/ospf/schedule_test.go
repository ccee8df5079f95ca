package ospf

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/routing/ospf/wire"
)

var throttle = Throttle{
	InitialDelay: 5 * time.Millisecond, ShortDelay: 50 * time.Millisecond, LongDelay: 5 * time.Second,
	TimeToLearn: 500 * time.Millisecond, HoldDown: 10 * time.Second,
}

// changedAt has something happen at each of the times, in seconds, and calculates
// whenever it is due before that.
func changedAt(s *Schedule, times ...float64) (calculated []float64) {
	for _, t := range times {
		calculated = append(calculated, until(s, t)...)
		s.Changed(at(t), &throttle)
	}
	return calculated
}

// until calculates whenever it is due until the time, in seconds.
func until(s *Schedule, t float64) (calculated []float64) {
	for d := s.Deadline(); !d.IsZero() && !d.After(at(t)); d = s.Deadline() {
		if !s.Due(d) {
			return append(calculated, -1)
		}
		calculated = append(calculated, d.Sub(start).Seconds())
	}
	s.Due(at(t))
	return calculated
}

// Every transition of RFC 8405 §5.4, in its order.
func TestScheduleRows(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before []float64 // changes
		at     float64   // then it is quiet until here
		wait   Wait
		change float64 // 0: none
		due    float64 // of the calculation after that
		want   Wait
	}{
		{"1: a change while quiet", nil, 1, Quiet, 1, 1.005, ShortWait},
		{"2: one more in the short wait", []float64{1}, 1.1, ShortWait, 1.1, 1.15, ShortWait},
		{"3: the time to learn is over", []float64{1}, 1.5, LongWait, 0, 0, LongWait},
		{"4: a change in the long wait", []float64{1}, 1.6, LongWait, 1.6, 6.6, LongWait},
		{"5: the hold-down is over after the long wait", []float64{1, 2}, 12, Quiet, 12, 12.005, ShortWait},
		{"7: a calculation while quiet", []float64{1, 1.6}, 6.7, LongWait, 0, 0, LongWait},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var s Schedule
			changedAt(&s, tt.before...)
			until(&s, tt.at)
			if s.Wait() != tt.wait {
				t.Fatalf("%v before, want %v", s.Wait(), tt.wait)
			}
			if tt.change != 0 {
				s.Changed(at(tt.change), &throttle)
			}
			var due float64
			if d := s.Deadline(); !d.IsZero() {
				due = d.Sub(start).Seconds()
			}
			if due != tt.due || s.Wait() != tt.want {
				t.Errorf("due at %v, %v; want %v, %v", due, s.Wait(), tt.due, tt.want)
			}
		})
	}
}

// Transition 6 takes a hold-down that ends before the time to learn, which Check
// refuses; the learn timer must not end in a later short wait.
func TestScheduleHoldDownFirst(t *testing.T) {
	var s Schedule
	odd := throttle
	odd.HoldDown = 300 * time.Millisecond
	s.Changed(at(1), &odd)
	s.Due(at(1.3))
	if s.Wait() != Quiet {
		t.Fatalf("%v after the hold-down, want quiet", s.Wait())
	}
	s.Changed(at(1.4), &throttle)
	s.Due(at(1.6))
	if s.Wait() != ShortWait {
		t.Errorf("%v, want short-wait: the time to learn of before has no part in it", s.Wait())
	}
}

// Transitions 7 to 9: a calculation that is due leaves the state alone, also where
// the delay is longer than the hold-down.
func TestScheduleCalculates(t *testing.T) {
	slow := Throttle{InitialDelay: 20 * time.Second, ShortDelay: 20 * time.Second, LongDelay: 20 * time.Second, TimeToLearn: time.Second, HoldDown: 10 * time.Second}
	for _, tt := range []struct {
		name string
		t    Throttle
		at   float64
		want Wait
	}{
		{"7: while quiet", slow, 20, Quiet},
		{"8: in the short wait", throttle, 0.005, ShortWait},
		{"9: in the long wait", Throttle{InitialDelay: time.Second, TimeToLearn: time.Second / 2, HoldDown: 10 * time.Second}, 1, LongWait},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var s Schedule
			s.Changed(at(0), &tt.t)
			if s.Due(at(tt.at).Add(-1)) {
				t.Error("due before its time")
			}
			if !s.Due(at(tt.at)) || s.Due(at(tt.at)) {
				t.Error("not due once")
			}
			if s.Wait() != tt.want || !s.Deadline().IsZero() {
				t.Errorf("%v, deadline %v; want %v and none", s.Wait(), s.Deadline(), tt.want)
			}
		})
	}
}

// A run of changes: each one waits at most as long as its state says, and many are
// taken together.
func TestScheduleOfABurst(t *testing.T) {
	var s Schedule
	got := changedAt(&s, 1, 1.001, 1.010, 1.020, 1.4, 1.6, 3, 6)
	got = append(got, until(&s, 60)...)
	want := []float64{1.005, 1.06, 1.45, 6.6}
	if len(got) != len(want) {
		t.Fatalf("calculated at %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("calculated at %v, want %v", got, want)
		}
	}
	if s.Wait() != Quiet {
		t.Errorf("%v at last, want quiet", s.Wait())
	}
}

// Whatever happens when, no change waits longer than the longest delay, and none is
// forgotten; what is due is the same however often it is asked.
func TestScheduleForgetsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s, often Schedule
		now, waiting := start, time.Time{}
		for range rapid.IntRange(1, 40).Draw(t, "events") {
			step := time.Duration(rapid.OneOf(rapid.IntRange(0, 60), rapid.IntRange(0, 12000)).Draw(t, "ms")) * time.Millisecond
			for end := now.Add(step); now.Before(end); now = now.Add(time.Millisecond) {
				if often.Due(now) {
					if !s.Due(now) {
						t.Fatal("due only when asked often")
					}
					waiting = time.Time{}
				}
				if d := s.Deadline(); !d.IsZero() && d.Before(now) {
					t.Fatalf("deadline %v at %v", d, now)
				}
				if !waiting.IsZero() && now.Sub(waiting) > throttle.LongDelay {
					t.Fatalf("a change of %v waits at %v", waiting, now)
				}
			}
			s.Changed(now, &throttle)
			often.Changed(now, &throttle)
			if waiting.IsZero() {
				waiting = now
			}
			if s != often {
				t.Fatalf("%+v, asked often %+v", s, often)
			}
		}
	})
}

func TestThrottleCheck(t *testing.T) {
	c := DefaultConfig()
	if err := c.Check(); err != nil {
		t.Error(err)
	}
	c.SPF.HoldDown = c.SPF.TimeToLearn
	if err := c.Check(); err == nil || !strings.Contains(err.Error(), "hold-down 500ms") {
		t.Errorf("%v, want the hold-down refused", err)
	}
	c = DefaultConfig()
	c.SPF.ShortDelay = -1
	if err := c.Check(); err == nil {
		t.Error("a delay below 0 is accepted")
	}
}

// What a neighbour was asked for is calculated with when it is adjacent, as soon as
// after a first change however long that took, and a few times while it takes long.
func TestLearnedTogether(t *testing.T) {
	x := newPeer(t, PointToPoint, "9.0.0.9", nil)
	var all []wire.LSA
	var headers []wire.Header
	for i := range 20 {
		l := lsa(fmt.Sprintf("7.0.0.%d", i+1), 1, 1, 10)
		all, headers = append(all, l), append(headers, l.Header())
	}
	x.w.run(20*time.Second, nil) // it is quiet
	x.exchange(headers...)
	before := x.n.m.calc.count
	for _, l := range all {
		x.w.run(100*time.Millisecond, nil)
		x.update(l)
	}
	if x.state() != NeighborFull {
		t.Fatalf("%v when all has come, want full", x.state())
	}
	learning := x.n.m.calc.count - before
	if least, most := uint64(3), uint64(4); learning < least || learning > most { // of 500 ms each
		t.Errorf("%d calculations in 2 s, want %d to %d", learning, least, most)
	}
	throttle := x.n.m.cfg.SPF
	if x.w.run(throttle.InitialDelay+time.Millisecond, nil); x.n.m.calc.count-before != learning+1 {
		t.Errorf("%d calculations %v after all has come, want one", x.n.m.calc.count-before-learning, throttle.InitialDelay)
	}
	if x.w.run(throttle.LongDelay, nil); x.n.m.calc.count-before != learning+1 {
		t.Errorf("%d calculations for the same changes, want one", x.n.m.calc.count-before-learning)
	}
}
