package daemon

import (
	"log/slog"
	"time"

	"routerd/nat"
)

// natLimits logs when new flows hit a limit: a line for each limit, at most one
// a minute. The zero natLimits has logged nothing. One goroutine uses it.
type natLimits struct {
	looked time.Time
	limits map[natLimit]*natLogged
}

// natLimit is a limit that flows can hit.
type natLimit struct {
	kind string // the key of the configuration, or the kind of a pool
	pool string
}

// natLogged is what has been logged about a limit.
type natLogged struct {
	refusals
	rules map[string]uint64 // what each rule had refused then
}

// look logs, and tells, what was refused since the last look.
func (l *natLimits) look(now time.Time, n *nat.NAT, log *slog.Logger, tell func(natRefusal)) {
	if now.Sub(l.looked) < refusalsLook {
		return
	}
	l.looked = now
	totals := n.Totals()
	table, host := n.Limits()
	if told, since := l.due(now, natLimit{kind: "max-sessions"}, totals.TableFull); told != nil {
		rules := told.rulesSince(n.RuleStates(), func(r *nat.RuleState) uint64 { return r.TableFull })
		tell(natRefusal{Limit: "max-sessions", Refused: since, Total: totals.TableFull, Rules: rules})
		log.Warn("new flows are refused: address translation has as many sessions as max-sessions allows; raise it, or see whose they are with show nat session",
			"limit", table, "refused", since, "total", totals.TableFull, "rules", rules)
	}
	if told, since := l.due(now, natLimit{kind: "max-sessions-per-host"}, totals.HostFull); told != nil {
		rules := told.rulesSince(n.RuleStates(), func(r *nat.RuleState) uint64 { return r.HostFull })
		tell(natRefusal{Limit: "max-sessions-per-host", Refused: since, Total: totals.HostFull, Rules: rules})
		log.Warn("new flows are refused: an inside host has as many sessions as max-sessions-per-host allows; raise it, or see which host with show drops --last 20",
			"limit", host, "refused", since, "total", totals.HostFull, "rules", rules)
	}
	for _, p := range n.PoolRefusals() {
		if told, since := l.due(now, natLimit{p.Kind.String(), p.Name}, p.Refused); told != nil {
			tell(natRefusal{Limit: p.Kind.String(), Pool: p.Name, Refused: since, Total: p.Refused})
			log.Warn("new flows are refused: no port is left where their rule takes one from; "+natRemedy[p.Kind],
				p.Kind.String(), p.Name, "addresses", p.Size, "ports", p.Ports.String(), "refused", since, "total", p.Refused)
		}
	}
}

// natRefusal is an event about a limit of address translation.
type natRefusal struct {
	Limit   string   `json:"limit"`           // the key of the configuration, or the kind of a pool
	Pool    string   `json:"pool,omitempty"`  // the pool that had no port left
	Refused uint64   `json:"refused"`         // flows since the last event about it
	Total   uint64   `json:"total"`           // flows in all
	Rules   []string `json:"rules,omitempty"` // whose flows they were
}

// natRemedy says what helps against a lack of ports.
var natRemedy = [...]string{
	nat.PoolNamed:     "give the pool more addresses or ports",
	nat.PoolFixed:     "have the rule translate to a pool of several addresses",
	nat.PoolInterface: "have the rule translate to a pool of several addresses instead of masquerading",
}

// due reports whether a line about a limit is due, given how many flows it has
// refused in all: it returns what was logged last, nil if no line is due, and
// how many refusals are new.
func (l *natLimits) due(now time.Time, limit natLimit, refused uint64) (told *natLogged, since uint64) {
	if l.limits == nil {
		l.limits = map[natLimit]*natLogged{}
	}
	if told = l.limits[limit]; told == nil {
		told = &natLogged{}
		l.limits[limit] = told
	}
	if since = told.due(now, refused); since == 0 {
		return nil, 0
	}
	return told, since
}

// rulesSince names the rules whose flows have been refused since the last call;
// count gives all refusals of a rule.
func (t *natLogged) rulesSince(list []nat.RuleState, count func(*nat.RuleState) uint64) []string {
	names, counted := []string{}, map[string]uint64{}
	for i := range list {
		r := &list[i]
		name, c := r.Kind.String()+" "+r.Name, count(r)
		// A rule that was changed counts from 0, so all that it counts is new.
		if c != 0 && c != t.rules[name] {
			names = append(names, name)
		}
		counted[name] = c
	}
	t.rules = counted
	return names
}
