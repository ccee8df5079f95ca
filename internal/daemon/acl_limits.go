package daemon

import (
	"time"

	"routerd/internal/events"
)

// How often it is looked at what limits of the filter's rules have dropped, and
// the least time between two lines of the log about one rule.
const (
	aclLimitsLook  = time.Second
	aclLimitsPause = time.Minute
)

// aclLimits tells, as an event and as a line of the log, that limits of rules have
// dropped new flows: of each rule once a minute at most. The zero aclLimits has
// told nothing. One goroutine uses it.
type aclLimits struct {
	looked time.Time
	rules  map[string]*aclLimited
}

// aclLimited is what has been told of one rule.
type aclLimited struct {
	packets uint64
	at      time.Time
}

// aclLimitItem is the object of an event about the limits of a rule.
type aclLimitItem struct {
	List    string `json:"list"`
	Rule    string `json:"rule"`
	Refused uint64 `json:"refused"` // packets since the last event about it
	Total   uint64 `json:"total"`
}

// due gives how many packets of a rule are to be told of now, given how many its
// limits have dropped in all; 0 for none.
func (l *aclLimits) due(now time.Time, rule string, packets uint64) (since uint64) {
	told := l.rules[rule]
	if told == nil {
		told = &aclLimited{}
		l.rules[rule] = told
	}
	told.packets = min(told.packets, packets)
	if packets == told.packets || !told.at.IsZero() && now.Sub(told.at) < aclLimitsPause {
		return 0
	}
	since = packets - told.packets
	told.packets, told.at = packets, now
	return since
}

// lookAtLimits tells what limits of the filter's rules have dropped, if it is time.
func (d *Daemon) lookAtLimits(now time.Time) {
	rules := d.router.View().ACL
	if rules == nil || !rules.Limited() || now.Sub(d.aclLimits.looked) < aclLimitsLook {
		return
	}
	told := d.aclLimits.rules
	d.aclLimits = aclLimits{looked: now, rules: map[string]*aclLimited{}}
	for _, numbers := range rules.Lists {
		for _, number := range numbers {
			if rules.Limit(number) == nil {
				continue
			}
			place, _ := rules.Place(number)
			total, key := d.ruleHits(number).Limited, place.List+" "+place.Rule
			if t := told[key]; t != nil {
				d.aclLimits.rules[key] = t
			}
			since := d.aclLimits.due(now, key, total)
			if since == 0 {
				continue
			}
			origin := d.place(place.Origin)
			d.log.Warn("new flows are dropped: they are beyond a limit of a rule of the packet filter; raise it, or see which limit and whose flows with show drops --last 20",
				"list", place.List, "rule", place.Rule, "refused", since, "total", total, "place", origin)
			d.teller.desk.Report(events.Report{
				Topic: d.teller.topic.acl, Time: now, Action: events.Added, Key: key, Origin: origin, Why: "new flows are beyond a limit of the rule",
				Item: aclLimitItem{place.List, place.Rule, since, total},
			})
		}
	}
}
