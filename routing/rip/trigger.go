package rip

import "time"

// While a triggered update is being sent, routes that change meanwhile join it:
// each route once, while changes follow each other closely, and not for ever.
// So a neighbour's table of many packets is passed on as it arrives, and not in
// parts that each wait for the time between two triggered updates.
const (
	joinWithin = 100 * time.Millisecond // after its last packet
	joinAtMost = 2 * time.Second        // after its start
)

// trigger says when triggered updates may be sent (RFC 2453 §3.10.1).
type trigger struct {
	// until is the end of the random time after the last one.
	until time.Time
	// The last one: its number, its start, when it last sent, and how long
	// after that the next one may start. joining: all changes since then belong
	// to it.
	number      uint32
	began, sent time.Time
	wait        time.Duration
	joining     bool
	// A failure of the router's own links is announced without waiting for
	// that, but at most once a second, which is the least time that the RFC
	// allows between two updates.
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

// closes returns when the last triggered update stops taking in changes, unless
// it sends something before.
func (t *trigger) closes() time.Time {
	if at := t.sent.Add(joinWithin); at.Before(t.began.Add(joinAtMost)) {
		return at
	}
	return t.began.Add(joinAtMost)
}

// open reports whether a change now joins the last triggered update.
func (t *trigger) open(now time.Time) bool { return now.Before(t.closes()) }

// triggeredUpdate starts sending the changed routes to all neighbours. Each
// packet has the routes as they are when it is built; later changes belong to
// the next update.
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
			// Before long jobs, whose routes may be out of date already.
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

// closeTriggered moves the routes that have changed again since the last
// triggered update sent them to the next one: when the last one is closed, or
// when a failure of the router's own links starts the next one.
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
