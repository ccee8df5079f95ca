package bgp

import (
	"fmt"
	"slices"
	"testing"
)

// outcome is what an event leads to.
type outcome struct {
	to     State // numStates: the state before
	do     Action
	notice Notice
}

// allConditions are all that there are.
func allConditions() (list []Conditions) {
	for bits := range 128 {
		list = append(list, Conditions{
			DelayOpen: bits&1 != 0, DelayRunning: bits&2 != 0, NotifyWithoutOpen: bits&4 != 0, Passive: bits&8 != 0,
			Graceful: bits&16 != 0, GracefulNotification: bits&32 != 0, Unwatched: bits&64 != 0,
		})
	}
	return list
}

// What RFC 4271 §8.2.2 says of each state and event, in its order, in words of its
// own: the actions of an entry as the RFC lists them.
var wanted = []struct {
	from   State
	events []Event
	when   string // a condition, or "!" and a condition; "" = always
	want   outcome
}{
	// Idle.
	{Idle, []Event{1, 3}, "", outcome{Connect, ZeroCounter | StartRetry | Dial | StopIdle, NoNotice}},
	{Idle, []Event{2}, "", outcome{numStates, StopIdle, NoNotice}},
	{Idle, []Event{8}, "", outcome{numStates, 0, NoNotice}},
	{Idle, []Event{4, 5}, "", outcome{Active, ZeroCounter | StartRetry | StopIdle, NoNotice}},
	{Idle, []Event{6, 7}, "", outcome{numStates, HoldIdle, NoNotice}},
	{Idle, []Event{13}, "!passive", outcome{Connect, StartRetry | Dial, NoNotice}},
	{Idle, []Event{13}, "passive", outcome{Active, StartRetry, NoNotice}},
	{Idle, []Event{14, 15, 16, 17}, "", outcome{numStates, Reject, NoNotice}},
	// Connect.
	{Connect, []Event{1, 3, 4, 5, 6, 7}, "", outcome{numStates, 0, NoNotice}},
	{Connect, []Event{2}, "", outcome{Idle, Drop | StopDelay | ZeroCounter | StopRetry, NoNotice}},
	{Connect, []Event{9}, "", outcome{numStates, Drop | StartRetry | StopDelay | Dial, NoNotice}},
	{Connect, []Event{12}, "", outcome{OpenSent, SendOpen | LargeHold | StopRetry | StopDelay, NoNotice}},
	{Connect, []Event{14}, "", outcome{numStates, 0, NoNotice}},
	{Connect, []Event{15}, "", outcome{numStates, Reject, NoNotice}},
	{Connect, []Event{16, 17}, "delay", outcome{numStates, StopRetry | StartDelay, NoNotice}},
	{Connect, []Event{16, 17}, "!delay", outcome{OpenSent, StopRetry | StopDelay | SendOpen | LargeHold, NoNotice}},
	{Connect, []Event{18}, "running", outcome{Active, StartRetry | StopDelay | Drop, NoNotice}},
	{Connect, []Event{18}, "!running", outcome{Active, StartRetry | Drop, NoNotice}},
	{Connect, []Event{20}, "unwatched", outcome{OpenConfirm, StopRetry | StopDelay | SendOpen | NegotiatedHold | Collide | AwaitBFD, NoNotice}},
	{Connect, []Event{20}, "!unwatched", outcome{OpenConfirm, StopRetry | StopDelay | SendOpen | SendKeepalive | NegotiatedHold | Collide, NoNotice}},
	{Connect, []Event{21, 22}, "without", outcome{Idle, Notify | StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoticeFault}},
	{Connect, []Event{21, 22}, "!without", outcome{Idle, StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoNotice}},
	{Connect, []Event{24}, "running", outcome{Idle, StopRetry | StopDelay | Drop | HoldIdle, NoNotice}},
	{Connect, []Event{24}, "!running", outcome{Idle, StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoNotice}},
	{Connect, []Event{8, 10, 11, 13, 19, 23, 25, 26, 27, 28, 29}, "", outcome{Idle, StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoNotice}},
	// Active.
	{Active, []Event{1, 3, 4, 5, 6, 7}, "", outcome{numStates, 0, NoNotice}},
	{Active, []Event{2}, "cease", outcome{Idle, Notify | Drop | StopDelay | ZeroCounter | StopRetry, NoticeCease}},
	{Active, []Event{2}, "!cease", outcome{Idle, Drop | StopDelay | ZeroCounter | StopRetry, NoNotice}},
	{Active, []Event{9}, "passive", outcome{numStates, StartRetry, NoNotice}},
	{Active, []Event{9}, "!passive", outcome{Connect, StartRetry | Dial, NoNotice}},
	{Active, []Event{12}, "", outcome{OpenSent, StopRetry | StopDelay | SendOpen | LargeHold, NoNotice}},
	{Active, []Event{14}, "", outcome{numStates, 0, NoNotice}},
	{Active, []Event{15}, "", outcome{numStates, Reject, NoNotice}},
	{Active, []Event{16, 17}, "delay", outcome{numStates, StopRetry | StartDelay, NoNotice}},
	{Active, []Event{16, 17}, "!delay", outcome{OpenSent, StopRetry | StopDelay | SendOpen | LargeHold, NoNotice}},
	{Active, []Event{18}, "", outcome{Idle, StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoNotice}},
	{Active, []Event{20}, "unwatched", outcome{OpenConfirm, StopRetry | StopDelay | SendOpen | NegotiatedHold | Collide | AwaitBFD, NoNotice}},
	{Active, []Event{20}, "!unwatched", outcome{OpenConfirm, StopRetry | StopDelay | SendOpen | SendKeepalive | NegotiatedHold | Collide, NoNotice}},
	{Active, []Event{21, 22}, "without", outcome{Idle, Notify | StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoticeFault}},
	{Active, []Event{21, 22}, "!without", outcome{Idle, StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoNotice}},
	{Active, []Event{24}, "running", outcome{Idle, StopRetry | StopDelay | Drop | HoldIdle, NoNotice}},
	{Active, []Event{24}, "!running", outcome{Idle, StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoNotice}},
	{Active, []Event{8, 10, 11, 13, 19, 23, 25, 26, 27, 28, 29}, "", outcome{Idle, StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoNotice}},
	// OpenSent.
	{OpenSent, []Event{1, 3, 4, 5, 6, 7}, "", outcome{numStates, 0, NoNotice}},
	{OpenSent, []Event{2}, "", outcome{Idle, Notify | StopRetry | StopDelay | Drop | ZeroCounter, NoticeCease}},
	{OpenSent, []Event{8}, "", outcome{Idle, Notify | StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoticeCease}},
	{OpenSent, []Event{10}, "", outcome{Idle, Notify | StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoticeHold}},
	{OpenSent, []Event{14, 16, 17}, "", outcome{numStates, Track, NoNotice}},
	{OpenSent, []Event{15}, "", outcome{numStates, 0, NoNotice}},
	{OpenSent, []Event{18}, "", outcome{Active, Drop | StartRetry, NoNotice}},
	{OpenSent, []Event{19}, "unwatched", outcome{OpenConfirm, StopDelay | StopRetry | NegotiatedHold | Collide | AwaitBFD, NoNotice}},
	{OpenSent, []Event{19}, "!unwatched", outcome{OpenConfirm, StopDelay | StopRetry | SendKeepalive | NegotiatedHold | Collide, NoNotice}},
	{OpenSent, []Event{21, 22}, "", outcome{Idle, Notify | StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoticeFault}},
	{OpenSent, []Event{23}, "", outcome{Idle, Notify | StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoticeCollision}},
	{OpenSent, []Event{24}, "", outcome{Idle, StopRetry | StopDelay | Drop | HoldIdle, NoNotice}},
	{OpenSent, []Event{25}, "", outcome{Idle, StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoNotice}},
	{OpenSent, []Event{9, 11, 12, 13, 20, 26, 27, 28, 29}, "", outcome{Idle, Notify | StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoticeFSM}},
	// OpenConfirm.
	{OpenConfirm, []Event{1, 3, 4, 5, 6, 7}, "", outcome{numStates, 0, NoNotice}},
	{OpenConfirm, []Event{2}, "", outcome{Idle, Notify | StopRetry | StopDelay | Drop | ZeroCounter, NoticeCease}},
	{OpenConfirm, []Event{8}, "", outcome{Idle, Notify | StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoticeCease}},
	{OpenConfirm, []Event{10}, "", outcome{Idle, Notify | StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoticeHold}},
	{OpenConfirm, []Event{11}, "unwatched", outcome{numStates, RestartKeepalive, NoNotice}},
	{OpenConfirm, []Event{11}, "!unwatched", outcome{numStates, SendKeepalive | RestartKeepalive, NoNotice}},
	{OpenConfirm, []Event{14, 16, 17}, "", outcome{numStates, Track, NoNotice}},
	{OpenConfirm, []Event{15}, "", outcome{numStates, 0, NoNotice}},
	{OpenConfirm, []Event{18, 25}, "", outcome{Idle, StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoNotice}},
	{OpenConfirm, []Event{24}, "", outcome{Idle, StopRetry | StopDelay | Drop | HoldIdle, NoNotice}},
	{OpenConfirm, []Event{21, 22}, "", outcome{Idle, Notify | StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoticeFault}},
	{OpenConfirm, []Event{23}, "", outcome{Idle, Notify | StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoticeCollision}},
	{OpenConfirm, []Event{26}, "unwatched", outcome{numStates, RestartHold, NoNotice}},
	{OpenConfirm, []Event{26}, "!unwatched", outcome{Established, RestartHold, NoNotice}},
	{OpenConfirm, []Event{9, 12, 13, 19, 20, 27, 28, 29}, "", outcome{Idle, Notify | StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoticeFSM}},
	// Established.
	{Established, []Event{1, 3, 4, 5, 6, 7}, "", outcome{numStates, 0, NoNotice}},
	{Established, []Event{2}, "", outcome{Idle, Notify | LoseRoutes | StopRetry | StopDelay | Drop | ZeroCounter, NoticeCease}},
	{Established, []Event{8}, "", outcome{Idle, Notify | LoseRoutes | StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoticeCease}},
	{Established, []Event{10}, "", outcome{Idle, Notify | LoseRoutes | StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoticeHold}},
	{Established, []Event{11}, "", outcome{numStates, SendKeepalive | RestartKeepalive, NoNotice}},
	{Established, []Event{14}, "", outcome{numStates, Track, NoNotice}},
	{Established, []Event{15}, "", outcome{numStates, 0, NoNotice}},
	{Established, []Event{16, 17}, "!graceful", outcome{numStates, Track, NoNotice}},
	{Established, []Event{16, 17}, "graceful", outcome{Connect, LoseRoutes | Drop | ZeroCounter | StartRetry | Track, NoNotice}},
	{Established, []Event{23}, "", outcome{Idle, Notify | LoseRoutes | StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoticeCollision}},
	{Established, []Event{18, 24, 25}, "", outcome{Idle, LoseRoutes | StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoNotice}},
	{Established, []Event{26}, "", outcome{numStates, RestartHold, NoNotice}},
	{Established, []Event{27}, "", outcome{numStates, RestartHold | Process, NoNotice}},
	{Established, []Event{21, 28}, "", outcome{Idle, Notify | LoseRoutes | StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoticeFault}},
	{Established, []Event{29}, "", outcome{Idle, Notify | LoseRoutes | StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoticeSendHold}},
	{Established, []Event{9, 12, 13, 19, 20, 22}, "", outcome{Idle, Notify | LoseRoutes | StopRetry | StopDelay | Drop | CountUp | HoldIdle, NoticeFSM}},
}

func holds(when string, c Conditions) bool {
	if when == "" {
		return true
	}
	not := when[0] == '!'
	if not {
		when = when[1:]
	}
	return map[string]bool{
		"passive": c.Passive, "delay": c.DelayOpen, "running": c.DelayRunning, "without": c.NotifyWithoutOpen,
		"graceful": c.Graceful, "cease": c.DelayRunning && c.NotifyWithoutOpen, "unwatched": c.Unwatched,
	}[when] != not
}

// Every entry, under all conditions; what is not in it changes nothing.
func TestStates(t *testing.T) {
	type input struct {
		from  State
		event Event
		when  Conditions
	}
	said := map[input]bool{}
	for _, w := range wanted {
		t.Run(fmt.Sprintf("%v on %v %s", w.from, w.events, w.when), func(t *testing.T) {
			for _, e := range w.events {
				for _, c := range allConditions() {
					if !holds(w.when, c) {
						continue
					}
					if said[input{w.from, e, c}] {
						t.Fatalf("%v on %v is in the test twice", w.from, e)
					}
					said[input{w.from, e, c}] = true
					want := w.want
					if want.to == numStates {
						want.to = w.from
					}
					to, do, n, ok := w.from.Next(e, c)
					if got := (outcome{to, do, n}); got != want || !ok {
						t.Errorf("%v, %+v: %+v, %v; want %+v", e, c, got, ok, want)
					}
				}
			}
		})
	}
	for s := range numStates {
		for e := ManualStart; e < numEvents; e++ {
			for _, c := range allConditions() {
				to, do, n, ok := s.Next(e, c)
				if !said[input{s, e, c}] && (to != s || do != 0 || n != NoNotice || ok) {
					t.Errorf("%v on %v without an entry: %v, %b", s, e, to, do)
				}
				// A connection without a NOTIFICATION has no code for one.
				if (do&Notify != 0) != (n != NoNotice) {
					t.Errorf("%v on %v: notify %v, notice %d", s, e, do&Notify != 0, n)
				}
				// A session that goes to Idle without the operator's wish is tried again.
				if s != Idle && to == Idle && (do&HoldIdle == 0) != (e == ManualStop) {
					t.Errorf("%v on %v: tried again %v", s, e, do&HoldIdle != 0)
				}
			}
		}
	}
}

func TestKeeps(t *testing.T) {
	for _, test := range []struct {
		event Event
		want  [3]bool // without, with graceful restart, with its notifications
	}{
		{TCPConnectionFails, [3]bool{false, true, true}},
		{TCPConnectionConfirmed, [3]bool{false, true, true}},
		{HoldTimerExpires, [3]bool{false, false, true}},
		{NotificationReceived, [3]bool{false, false, true}},
		{UpdateError, [3]bool{false, false, true}},
		{ManualStop, [3]bool{}},
		{AutomaticStop, [3]bool{}},
		{OpenCollisionDump, [3]bool{}},
	} {
		for i, c := range []Conditions{{}, {Graceful: true}, {Graceful: true, GracefulNotification: true}} {
			if got := c.Keeps(test.event); got != test.want[i] {
				t.Errorf("%v, %+v: %v", test.event, c, got)
			}
		}
	}
}

func TestStateWords(t *testing.T) {
	var seen []string
	for s := range numStates {
		seen = append(seen, s.String())
	}
	for e := ManualStart; e < numEvents; e++ {
		seen = append(seen, e.String())
	}
	slices.Sort(seen)
	if n := len(slices.Compact(slices.Clone(seen))); n != len(seen) || slices.Contains(seen, "unknown") || slices.Contains(seen, "") {
		t.Errorf("words %q", seen)
	}
	if numStates.String() != "unknown" || numEvents.String() != "unknown" || Event(0).String() != "unknown" {
		t.Error("what there is not has a word")
	}
}
