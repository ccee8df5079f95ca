package daemon

import (
	"cmp"
	"context"

	"routerd/dataplane"
	"routerd/internal/control"
	"routerd/internal/show"
)

// ACL implements control.ACLRouter.
func (a api) ACL(ctx context.Context) (out control.ACL, err error) {
	err2 := a.on(ctx, func() {
		view := a.d.router.View()
		if view.ACL == nil {
			err = notFiltering()
			return
		}
		out.Sessions4, out.Sessions6 = view.NAT.Sessions().Len(), view.Sessions6.Len()
		out.MaxSessions, _ = view.NAT.Limits()
		out.Rules = a.d.aclRules(view, a.d.aclCleared)
	})
	if err2 != nil {
		err = err2
	}
	return out, err
}

func notFiltering() error {
	return show.NotFound("no packets are filtered here: the configuration names no list of [acl]")
}

// ClearACL implements control.ACLRouter. The counters belong to the workers, so
// what they stand at is remembered.
func (a api) ClearACL(ctx context.Context) (err error) {
	err2 := a.on(ctx, func() {
		view := a.d.router.View()
		if view.ACL == nil {
			err = notFiltering()
			return
		}
		a.d.aclCleared = map[uint32]dataplane.RuleHits{}
		for _, numbers := range view.ACL.Lists {
			for _, n := range numbers {
				a.d.aclCleared[n] = a.d.ruleHits(n)
			}
		}
		for n := range view.ACL.Missing {
			a.d.aclCleared[n] = a.d.ruleHits(n)
		}
	})
	if err2 != nil {
		return err2
	}
	return err
}

// ruleHits is what all workers have had decided by a rule of the filter.
func (d *Daemon) ruleHits(number uint32) (sum dataplane.RuleHits) {
	for _, w := range d.counted {
		sum.Add(w.counters.Rule(number))
	}
	return sum
}

// aclRules returns the rules with what they have matched since it was as cleared
// says.
func (d *Daemon) aclRules(view *dataplane.View, cleared map[uint32]dataplane.RuleHits) (list []control.ACLRule) {
	uses := map[string][]string{}
	for _, b := range d.cfg.ACL.Interfaces {
		if b.In != "" {
			uses[b.In] = append(uses[b.In], b.Interface+" in")
		}
		if b.Out != "" {
			uses[b.Out] = append(uses[b.Out], b.Interface+" out")
		}
	}
	if l := d.cfg.ACL.Local; l != "" {
		uses[l] = append(uses[l], "local")
	}
	for _, p := range d.cfg.ACL.Policies {
		uses[p.List] = append(uses[p.List], p.From+" to "+p.To)
	}
	for name, numbers := range view.ACL.Lists {
		for _, number := range numbers {
			list = append(list, d.aclRule(view, number, cleared))
			list[len(list)-1].Uses = uses[name]
		}
	}
	for number := range view.ACL.Missing {
		// There may be many of them, and most of them are never seen.
		if r := d.aclRule(view, number, cleared); r.Packets > 0 {
			list = append(list, r)
		}
	}
	return list
}

// noZonePolicy stands for the list where two zones have no policy.
const noZonePolicy = "(zones)"

// aclRule returns the rule, or the pair of zones without a policy, with the
// number, and what it has matched since it was as cleared says.
func (d *Daemon) aclRule(view *dataplane.View, number uint32, cleared map[uint32]dataplane.RuleHits) control.ACLRule {
	place, _ := view.ACL.Place(number)
	hits := d.ruleHits(number)
	r := control.ACLRule{List: place.List, Rule: place.Rule, Action: place.Action.String(), Log: place.Logs, Origin: d.place(place.Origin)}
	if place.List == "" {
		from, to := cmp.Or(place.From, "(none)"), cmp.Or(place.To, "(none)")
		r.List, r.Rule, r.Uses = noZonePolicy, from+" to "+to, []string{"no policy"}
	}
	was := cleared[number]
	hits.Packets, hits.Bytes, hits.Limited = hits.Packets-was.Packets, hits.Bytes-was.Bytes, hits.Limited-was.Limited
	if l := view.ACL.Limit(number); l != nil {
		r.Limits = &control.ACLUsage{}
		r.Limits.Connections, r.Limits.HalfOpen = l.Usage()
	}
	r.Limited = hits.Limited
	if r.Packets, r.Bytes = hits.Packets, hits.Bytes; hits.Packets > 0 {
		last := hits.Last.UTC()
		r.LastHit = &last
	}
	return r
}

// aclMetrics returns nil if nothing is filtered.
func (d *Daemon) aclMetrics(view *dataplane.View) *control.ACLSnapshot {
	if view.ACL == nil {
		return nil
	}
	return &control.ACLSnapshot{
		Sessions4: view.NAT.Sessions().Len(), Sessions6: view.Sessions6.Len(), Rules: d.aclRules(view, nil), Uncounted: view.ACL.Uncounted(),
	}
}
