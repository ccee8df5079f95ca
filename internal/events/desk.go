package events

import (
	"slices"
	"sync"
	"time"
)

// Token names a report at a Desk, before the event that it becomes has a number.
// The zero Token is no report.
type Token uint64

// Report is what a part of the router says has happened. Who publishes it turns
// Item into the JSON of the object.
type Report struct {
	Topic  TopicID
	Time   time.Time
	Action Action
	Key    string
	Item   any
	Why    string
	Cause  Token
	Origin string
}

// MaxReports is how many reports wait at a Desk; more are only counted.
const MaxReports = 8192

// remembered is of how many reports a Desk knows the numbers of their events: a
// power of two.
const remembered = 1 << 14

// Desk takes reports from any goroutine, in their order, and never lets anybody
// wait. One goroutine takes them off and publishes them.
type Desk struct {
	mu     sync.Mutex
	list   []Taken
	token  Token
	missed map[TopicID]uint64 // reports that found no room
	held   int                // places of the list that are not filled
	signal chan struct{}

	numbers [remembered]struct { // of the goroutine that takes them off
		token  Token
		number uint64
	}
}

// Taken is a report taken off a Desk.
type Taken struct {
	Report
	Token Token
	held  bool // there is no report yet
}

// NewDesk makes an empty desk.
func NewDesk() *Desk {
	return &Desk{missed: map[TopicID]uint64{}, signal: make(chan struct{}, 1)}
}

// Report leaves a report and returns its token, 0 if there is no room.
func (d *Desk) Report(r Report) Token {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.add(r, false)
}

// Hold keeps a place for a report that follows, and returns its token, 0 if there is
// no room. What is reported meanwhile is behind it and may name it as its cause;
// nobody can take that before Fill or Drop.
func (d *Desk) Hold() Token {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.list) >= MaxReports {
		return 0 // the report itself is counted, if it finds no room either
	}
	return d.add(Report{}, true)
}

// Fill leaves the report that a place was kept for, and returns its token. Where no
// place is kept it is like Report.
func (d *Desk) Fill(t Token, r Report) Token {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := d.holding(t)
	if i < 0 {
		return d.add(r, false)
	}
	d.list[i] = Taken{Report: r, Token: t}
	d.opened()
	return t
}

// Drop keeps a place no longer: there is no report.
func (d *Desk) Drop(t Token) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i := d.holding(t); i >= 0 {
		d.list = slices.Delete(d.list, i, i+1)
		d.opened()
	}
}

// holding is where in the list a place is kept, -1 for nowhere.
func (d *Desk) holding(t Token) int {
	return slices.IndexFunc(d.list, func(x Taken) bool { return x.held && x.Token == t })
}

// opened signals that what is behind a place may be taken.
func (d *Desk) opened() {
	d.held--
	select {
	case d.signal <- struct{}{}:
	default: // it has been signalled
	}
}

func (d *Desk) add(r Report, held bool) Token {
	if len(d.list) == 0 {
		select {
		case d.signal <- struct{}{}:
		default: // it has been signalled
		}
	}
	if len(d.list) >= MaxReports {
		d.missed[r.Topic]++
		return 0
	}
	d.token++
	d.list = append(d.list, Taken{r, d.token, held})
	if held {
		d.held++
	}
	return d.token
}

// Room is how many reports there is room for.
func (d *Desk) Room() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return MaxReports - len(d.list)
}

// Waiting signals that there are reports.
func (d *Desk) Waiting() <-chan struct{} { return d.signal }

// Take takes all reports off up to a place that is kept, and how many of each topic
// had no room behind them.
func (d *Desk) Take() (list []Taken, missed map[TopicID]uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.held > 0 {
		n := slices.IndexFunc(d.list, func(x Taken) bool { return x.held })
		list, d.list = d.list[:n:n], slices.Clone(d.list[n:])
		return list, nil
	}
	list, missed = d.list, d.missed
	d.list = nil
	if len(missed) > 0 {
		d.missed = map[TopicID]uint64{}
	} else {
		missed = nil
	}
	return list, missed
}

// Became notes the number of a report's event. Only the goroutine that takes reports
// off calls Became and Number.
func (d *Desk) Became(t Token, number uint64) {
	n := &d.numbers[t%remembered]
	n.token, n.number = t, number
}

// Number is the number of the event that a report became, 0 if it became none or
// is too long ago.
func (d *Desk) Number(t Token) uint64 {
	if n := &d.numbers[t%remembered]; t != 0 && n.token == t {
		return n.number
	}
	return 0
}
