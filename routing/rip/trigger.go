package rip

import "time"

// A triggered update that is sent takes in what changes meanwhile, as long as
// the next change comes soon, but not for ever, and each route once: so a
// neighbour's table of many packets is passed on as it comes, not in parts that
// each wait for the time between two triggered updates.
const (
	joinWithin = 100 * time.Millisecond // of what it sent last
	joinAtMost = 2 * time.Second        // from its beginning
)

// trigger says when triggered updates may be sent (RFC 2453 §3.10.1).
type trigger struct {
	// until is when the random time after the last one has passed.
	until time.Time
	// The last one has a number, a beginning, a time when it last sent, and
	// how long after that the next one may begin. joining: all of what has
	// changed since belongs to it.
	number      uint32
	began, sent time.Time
	wait        time.Duration
	joining     bool
	// A failure of our own is told without waiting for that, but within a
	// second only once: the least that the RFC allows between two updates.
	urgent      bool
	urgentUntil time.Time
}

func (t *trigger) due() time.Time {
	if t.joining {
		return t.sent.Add(pause)
	}
	if t.urgent && t.urgentUntil.Before(t.until) {
		return t.urgentUntil
	}
	return t.until
}

// closes is when nothing can join the last triggered update any more, unless
// it sends something until then.
func (t *trigger) closes() time.Time {
	if at := t.sent.Add(joinWithin); at.Before(t.began.Add(joinAtMost)) {
		return at
	}
	return t.began.Add(joinAtMost)
}

// open reports whether what changes now joins the last triggered update.
func (t *trigger) open(now time.Time) bool { return now.Before(t.closes()) }

// triggeredUpdate begins to tell everybody what has changed. The routes are
// said to be as they are when their packet is built; what changes after that
// is for the next update.
func (m *Machine) triggeredUpdate() {
	t := &m.trigger
	list := m.table.changed
	m.table.changed = nil
	if !t.joining {
		t.number++
		t.wait = 0
	}
	joining, urgent := t.joining, t.urgent
	t.joining = false
	for _, r := range list {
		r.changed, r.told = false, t.number
	}
	told := false
	for _, i := range m.order {
		for _, t := range m.targets(i) {
			told = true
			// RFC 2453 §3.10.1: not if a regular update begins anyway.
			if j := i.job(t, regular); j != nil && j.next == m.table.all.front() {
				continue
			}
			if j := i.job(t, triggered); j != nil && !urgent {
				j.joined = append(j.joined, list)
				continue
			}
			// Before what is long: that may be out of date already.
			i.jobs = append([]*job{{target: t, kind: triggered, changed: list}}, i.jobs...)
		}
	}
	if !told {
		return
	}
	if urgent {
		t.urgent, t.urgentUntil = false, m.now.Add(time.Second)
	}
	if !joining {
		t.began, t.wait = m.now, m.between(time.Second, 5*time.Second)
	}
	t.sent, t.until = m.now, m.now.Add(t.wait)
}

// closeTriggered leaves what has changed again since the last triggered update
// told it to the next one: when that takes nothing in any more, or a failure of
// our own begins the next one.
func (m *Machine) closeTriggered() {
	t := &m.trigger
	urgent := t.urgent && !m.now.Before(t.urgentUntil)
	if t.open(m.now) && !urgent {
		return
	}
	t.joining = t.joining && !urgent && len(m.table.again) == 0
	m.table.changed = append(m.table.changed, m.table.again...)
	m.table.again = nil
}
