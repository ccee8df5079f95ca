package ospf

import "time"

// Wait is the state of the delay of calculations (RFC 8405 §5.2).
type Wait uint8

const (
	// Quiet: nothing has happened for long, and a change is acted on at once.
	Quiet Wait = iota
	// ShortWait: something has just failed, and the other routers beside it will
	// say so soon too.
	ShortWait
	// LongWait: changes go on and on.
	LongWait
	numWaits
)

var waits = [...]string{"quiet", "short-wait", "long-wait"}

// String gives the name used in tables and JSON.
func (w Wait) String() string {
	if w >= numWaits {
		return "unknown"
	}
	return waits[w]
}

// Schedule says when routes are calculated, so that one change is acted on at once
// and many together (RFC 8405). The zero Schedule is quiet.
type Schedule struct {
	wait  Wait
	timer [numScheduleTimers]time.Time // zero: not running
	held  bool                         // a calculation is awaited by Hold alone
}

type scheduleTimer uint8

const (
	spfTimer scheduleTimer = iota
	learnTimer
	holdDownTimer
	numScheduleTimers
)

// scheduleRow is a transition of RFC 8405 §5.4: an event, or where changed is false
// the end of a timer.
type scheduleRow struct {
	from    Wait
	changed bool
	ends    scheduleTimer
	to      Wait
	delay   func(*Throttle) time.Duration
	learn   bool // starts the learn timer
	unlearn bool // stops it
	hold    bool // starts the hold-down timer anew
}

// scheduleRows is RFC 8405 §5.4, in its order. Transitions 7 to 9, which calculate
// and stay in the state, are Due.
var scheduleRows = []scheduleRow{
	{from: Quiet, changed: true, to: ShortWait, delay: func(t *Throttle) time.Duration { return t.InitialDelay }, learn: true, hold: true},
	{from: ShortWait, changed: true, to: ShortWait, delay: func(t *Throttle) time.Duration { return t.ShortDelay }, hold: true},
	{from: ShortWait, ends: learnTimer, to: LongWait},
	{from: LongWait, changed: true, to: LongWait, delay: func(t *Throttle) time.Duration { return t.LongDelay }, hold: true},
	{from: LongWait, ends: holdDownTimer, to: Quiet},
	{from: ShortWait, ends: holdDownTimer, to: Quiet, unlearn: true},
}

// Wait is the state of the delay at the time of the last call.
func (s *Schedule) Wait() Wait { return s.wait }

// Deadline is when Due has to be called at the latest, the zero Time if nothing is
// due. Only the calculation itself has to be in time: the states follow by
// themselves.
func (s *Schedule) Deadline() time.Time { return s.timer[spfTimer] }

// Changed says that something has happened at the time now that routes depend on.
func (s *Schedule) Changed(now time.Time, t *Throttle) {
	s.elapse(now)
	for i := range scheduleRows {
		if r := &scheduleRows[i]; r.changed && r.from == s.wait {
			s.enter(r, now, t)
			return
		}
	}
}

// Hold says that something has happened of which more follows at once, and then a
// change: routes are calculated with it, and after LongDelay in any case. It is no event
// of a failure, so the states do not follow from it.
func (s *Schedule) Hold(now time.Time, t *Throttle) {
	if s.timer[spfTimer].IsZero() {
		s.timer[spfTimer], s.held = now.Add(t.LongDelay), true
	}
}

// Held reports whether a calculation is due by Hold alone.
func (s *Schedule) Held() bool { return s.held }

// Due reports whether routes have to be calculated at the time now; they are, and
// it is over then.
func (s *Schedule) Due(now time.Time) bool {
	s.elapse(now)
	at := s.timer[spfTimer]
	if at.IsZero() || at.After(now) {
		return false
	}
	s.timer[spfTimer], s.held = time.Time{}, false
	return true
}

// Reset forgets that anything has changed.
func (s *Schedule) Reset() { *s = Schedule{} }

// elapse follows the timers that have ended by the time now and change the state.
func (s *Schedule) elapse(now time.Time) {
	for {
		next := numScheduleTimers
		for t := learnTimer; t < numScheduleTimers; t++ {
			at := s.timer[t]
			if !at.IsZero() && !at.After(now) && (next == numScheduleTimers || at.Before(s.timer[next])) {
				next = t
			}
		}
		if next == numScheduleTimers {
			return
		}
		at := s.timer[next]
		s.timer[next] = time.Time{}
		for i := range scheduleRows {
			if r := &scheduleRows[i]; !r.changed && r.ends == next && r.from == s.wait {
				s.enter(r, at, nil)
				break
			}
		}
	}
}

// enter does what the row says.
func (s *Schedule) enter(r *scheduleRow, now time.Time, t *Throttle) {
	if r.delay != nil {
		if at := now.Add(r.delay(t)); s.timer[spfTimer].IsZero() || s.held && at.Before(s.timer[spfTimer]) {
			s.timer[spfTimer] = at
		}
		s.held = false
	}
	if r.learn {
		s.timer[learnTimer] = now.Add(t.TimeToLearn)
	}
	if r.unlearn {
		s.timer[learnTimer] = time.Time{}
	}
	if r.hold {
		s.timer[holdDownTimer] = now.Add(t.HoldDown)
	}
	s.wait = r.to
}
