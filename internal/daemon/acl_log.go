package daemon

import (
	"cmp"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"routerd/acl"
	"routerd/dataplane"
	"routerd/internal/control"
	"routerd/routing"
)

// aclLogLook is how often the packets are looked at that rules of the filter
// have logged. Where no rule logs nobody looks.
const aclLogLook = 250 * time.Millisecond

// aclLog tells, as an event and as a line of the log, of the packets that rules
// of the filter log: of each rule a few at once and then one a second, and how
// many there were besides. The zero aclLog has told nothing. One goroutine uses
// it.
type aclLog struct {
	due   time.Time  // when to look; zero while no rule logs
	of    *acl.Rules // what is followed
	rules map[uint32]*aclLogged
}

// aclLogged is what has been told of one rule that logs.
type aclLogged struct {
	limit     *rate.Limiter
	accounted uint64 // packets that it has matched and that were told, or counted among those that were not
	waiting   uint64 // packets of earlier looks that are not accounted for
}

// aclLogItem is the object of an event about a packet that a rule logs; without
// a header it only says how many there were.
type aclLogItem struct {
	List      string `json:"list"`
	Rule      string `json:"rule"` // "" = the default action of the list
	Action    string `json:"action"`
	Interface string `json:"interface,omitempty"`     // it came in by
	Out       string `json:"out_interface,omitempty"` // it leaves by, if that is known
	Header    string `json:"header,omitempty"`
	Length    int    `json:"length,omitempty"`
	Untold    uint64 `json:"untold"` // packets that the rule has matched since the last event about it, and of which none tells
}

// follow has it look, or not, as the rules of a new configuration say. Of a rule
// that did not log before it tells what is matched from now on.
func (l *aclLog) follow(now time.Time, rules *acl.Rules, hits func(uint32) uint64) {
	told := l.rules
	l.of, l.rules, l.due = rules, nil, time.Time{}
	if rules == nil || len(rules.Logged()) == 0 {
		return
	}
	l.rules, l.due = map[uint32]*aclLogged{}, now.Add(aclLogLook)
	for _, number := range rules.Logged() {
		x := told[number] // no other rule has ever had the number
		if x == nil {
			x = &aclLogged{limit: rate.NewLimiter(dataplane.LogRate, dataplane.LogBurst), accounted: hits(number)}
		}
		l.rules[number] = x
	}
}

// look tells what was logged since the last look. packets are those that workers
// have told, hits is how many a rule has matched in all.
func (l *aclLog) look(now time.Time, packets []dataplane.Logged, hits func(uint32) uint64, tell func(number uint32, p *dataplane.Logged, untold uint64)) {
	l.due = now.Add(aclLogLook)
	slices.SortStableFunc(packets, func(x, y dataplane.Logged) int { return x.Time.Compare(y.Time) })
	for i := range packets {
		p := &packets[i]
		x := l.rules[p.Rule]
		if x == nil || !x.limit.AllowN(now, 1) {
			continue // it logs no longer, or is counted below
		}
		tell(p.Rule, p, x.waiting)
		x.accounted += uint64(p.Packets) + x.waiting
		x.waiting = 0
	}
	for number, x := range l.rules {
		matched := hits(number)
		x.accounted = min(x.accounted, matched) // a packet may be told a moment before it is counted
		// What has waited since the look before is not told by a worker any more.
		if x.waiting > 0 && x.limit.AllowN(now, 1) {
			tell(number, nil, x.waiting)
			x.accounted += x.waiting
		}
		x.waiting = matched - min(x.accounted, matched)
	}
}

// lookAtLogged tells what rules of the filter have logged, if it is time.
func (d *Daemon) lookAtLogged(now time.Time) {
	view := d.router.View()
	if view.ACL != d.aclLog.of {
		d.aclLog.follow(now, view.ACL, d.rulePackets)
	}
	if d.aclLog.due.IsZero() || now.Before(d.aclLog.due) {
		return
	}
	var packets []dataplane.Logged
	for _, w := range d.counted {
		if w.drops != nil {
			packets = append(packets, w.drops.Logged.Take()...)
		}
	}
	d.aclLog.look(now, packets, d.rulePackets, func(number uint32, p *dataplane.Logged, untold uint64) {
		d.tellLogged(view, number, p, untold, now)
	})
}

func (d *Daemon) rulePackets(number uint32) uint64 { return d.ruleHits(number).Packets }

// tellLogged tells of a packet that a rule has logged, or with p nil that there
// were untold packets.
func (d *Daemon) tellLogged(view *dataplane.View, number uint32, p *dataplane.Logged, untold uint64, now time.Time) {
	place, _ := view.ACL.Place(number) // it is followed, so it is there
	item := aclLogItem{List: place.List, Rule: place.Rule, Action: place.Action.String(), Untold: untold}
	at, origin := now, d.place(place.Origin)
	about := []any{"list", place.List, "rule", cmp.Or(place.Rule, "(default)"), "action", item.Action}
	if p != nil {
		at, item.Header, item.Length = p.Time, control.Describe(p.Header, p.Length), p.Length
		item.Interface = interfaceName(view, p.In)
		about = append(about, "packet", item.Header, "in", item.Interface)
		if p.Out != routing.NoInterface {
			item.Out = interfaceName(view, p.Out)
			about = append(about, "out", item.Out)
		}
	}
	about = append(about, "untold", untold, "place", origin)
	what := "a packet that a rule of the packet filter logs"
	if p == nil {
		what = "more packets that a rule of the packet filter logs than are told one by one"
	}
	d.log.Info(what, about...)
	d.teller.aclLogged(at, &item, origin)
}
