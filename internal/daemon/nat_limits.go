package daemon

import (
	"log/slog"
	"time"

	"routerd/nat"
)

// How often the refusals of address translation are looked at, and how often
// the log hears of one limit at most.
const (
	natLimitsLook = time.Second
	natLimitsTell = time.Minute
)

// natLimits tells the log when new flows come up against a limit: a line for
// each limit, and no second one within a minute. The zero natLimits has told
// nothing. One goroutine uses it.
type natLimits struct {
	looked time.Time
	limits map[natLimit]*natTold
}

// natLimit is a limit that flows can come up against.
type natLimit struct {
	kind string // the key of the configuration, or the kind of a pool
	pool string
}

// natTold is what the log has been told of a limit.
type natTold struct {
	refused uint64
	at      time.Time
}

// look compares what was refused with what the log knows of.
func (l *natLimits) look(now time.Time, n *nat.NAT, log *slog.Logger) {
	if now.Sub(l.looked) < natLimitsLook {
		return
	}
	l.looked = now
	totals := n.Totals()
	table, host := n.Limits()
	if refused, ok := l.due(now, natLimit{kind: "max-sessions"}, totals.TableFull); ok {
		log.Warn("new flows are refused: address translation has as many sessions as max-sessions allows",
			"max-sessions", table, "refused", refused)
	}
	if refused, ok := l.due(now, natLimit{kind: "max-sessions-per-host"}, totals.HostFull); ok {
		log.Warn("new flows are refused: an inside host has as many sessions as max-sessions-per-host allows",
			"max-sessions-per-host", host, "refused", refused)
	}
	for _, p := range n.PoolRefusals() {
		if refused, ok := l.due(now, natLimit{p.Kind.String(), p.Name}, p.Refused); ok {
			log.Warn("new flows are refused: no port is left where their rule takes one from",
				p.Kind.String(), p.Name, "addresses", p.Size, "ports", p.Ports.String(), "refused", refused)
		}
	}
}

// due reports whether the log is to be told of a limit now that so many flows
// have been refused in all, and how many of them it does not know of yet.
func (l *natLimits) due(now time.Time, limit natLimit, refused uint64) (since uint64, ok bool) {
	told := l.limits[limit]
	if told == nil {
		told = &natTold{}
		if l.limits == nil {
			l.limits = map[natLimit]*natTold{}
		}
		l.limits[limit] = told
	}
	if refused < told.refused {
		told.refused = 0 // a pool that was defined anew counts from 0
	}
	if refused == told.refused || !told.at.IsZero() && now.Sub(told.at) < natLimitsTell {
		return 0, false
	}
	since = refused - told.refused
	told.refused, told.at = refused, now
	return since, true
}
