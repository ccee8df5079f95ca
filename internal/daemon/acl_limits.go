package daemon

import (
	"time"

	"routerd/internal/events"
)

// aclLimits tells, as an event and as a line of the log, that limits of rules have
// dropped new flows: of each rule once a minute at most. The zero aclLimits has
// told nothing. One goroutine uses it.
type aclLimits struct {
	looked time.Time
	rules  map[uint32]*refusals // by the numbers of the rules that have limits
}

// aclLimitItem is the object of an event about the limits of a rule.
type aclLimitItem struct {
	List    string `json:"list"`
	Rule    string `json:"rule"`
	Refused uint64 `json:"refused"` // packets since the last event about it
	Total   uint64 `json:"total"`
}

// lookAtLimits tells what limits of the filter's rules have dropped, if it is time.
func (d *Daemon) lookAtLimits(now time.Time) {
	rules := d.router.View().ACL
	if rules == nil || !rules.Limited() || now.Sub(d.aclLimits.looked) < refusalsLook {
		return
	}
	told := d.aclLimits.rules
	d.aclLimits = aclLimits{looked: now, rules: map[uint32]*refusals{}} // without those of rules that have gone
	for _, numbers := range rules.Lists {
		for _, number := range numbers {
			if rules.Limit(number) == nil {
				continue
			}
			r := told[number]
			if r == nil {
				r = &refusals{}
			}
			d.aclLimits.rules[number] = r
			total := d.ruleHits(number).Limited
			if since := r.due(now, total); since > 0 {
				d.tellLimited(now, number, since, total)
			}
		}
	}
}

// tellLimited tells that the limits of a rule have dropped new flows.
func (d *Daemon) tellLimited(now time.Time, number uint32, since, total uint64) {
	place, _ := d.router.View().ACL.Place(number)
	origin := d.place(place.Origin)
	d.log.Warn("new flows are dropped: they are beyond a limit of a rule of the packet filter; raise it, or see which limit and whose flows with show drops --last 20",
		"list", place.List, "rule", place.Rule, "refused", since, "total", total, "place", origin)
	d.teller.desk.Report(events.Report{
		Topic: d.teller.topic.acl, Time: now, Action: events.Added, Key: place.List + " " + place.Rule, Origin: origin,
		Why: "new flows are beyond a limit of the rule", Item: aclLimitItem{place.List, place.Rule, since, total},
	})
}
