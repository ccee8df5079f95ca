package acl

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"routerd/flow"
)

// Limit is the limits of one rule. What is counted outlives the Rules: it is
// handed on by the rule's name.
type Limit struct {
	rule, host bounds
	hostBits   uint8
	salt       uint64 // tells its hosts from those of other rules
	hosts      *hosts
	count      *count
}

// bounds are Limits in the form that flows are compared with. They have no zero
// that means no bound.
type bounds struct {
	Limits
	every, allowance     int64  // ns that a flow uses up, and how many may be used up; 0 = no bound
	cost, most           uint64 // the same in units, of hosts
	connections, opening int64
}

// count is what is counted of all flows of a rule.
type count struct {
	// used is the time until which the rate is used up, in ns of the caller's
	// clock: that of the generic cell rate algorithm (ITU-T I.371).
	used                 atomic.Int64
	connections, opening atomic.Int64
}

func boundsOf(l Limits) bounds {
	b := bounds{Limits: l, connections: math.MaxInt32, opening: math.MaxInt32}
	if l.Every > 0 {
		b.every, b.allowance = int64(l.Every), int64(l.Every)*int64(l.Burst)
		b.cost = units(b.every)
		b.most = b.cost * uint64(l.Burst)
	}
	if l.Connections > 0 {
		b.connections = int64(l.Connections)
	}
	if l.HalfOpen > 0 {
		b.opening = int64(l.HalfOpen)
	}
	return b
}

// limit compiles the limits of a rule, nil if it has none. They go on from what
// was counted for the rule before.
func (c *compiler) limit(of id, r *Rule) (*Limit, error) {
	if r.Limits == (Limits{}) && r.HostLimits == (Limits{}) {
		return nil, nil
	}
	if r.Action != Accept {
		return nil, fmt.Errorf("it has limits, and its action is %s; want accept", r.Action)
	}
	for _, l := range [...]Limits{r.Limits, r.HostLimits} {
		if l.Every < 0 || l.Every > 0 && (l.Burst < 1 || l.Burst > MaxBurst || l.Every > MaxFill/time.Duration(l.Burst)) ||
			l.Connections < 0 || l.Connections > MaxConnections || l.HalfOpen < 0 || l.HalfOpen > MaxConnections {
			return nil, fmt.Errorf("limits %+v: want none below 0, and a burst of 1 to %d flows that takes %s at most", l, MaxBurst, MaxFill)
		}
	}
	if r.HostLimits.Connections > MaxOfHost || r.HostLimits.HalfOpen > MaxOfHost || r.HostBits > 128 {
		return nil, fmt.Errorf("limits of a host %+v with %d bits: want %d connections and 128 bits at most", r.HostLimits, r.HostBits, MaxOfHost)
	}
	l := &Limit{rule: boundsOf(r.Limits), host: boundsOf(r.HostLimits), hostBits: r.HostBits, hosts: c.rules.hosts}
	if l.hostBits == 0 {
		l.hostBits = DefaultHostBits
	}
	if c.before != nil && c.before.limits[of] != nil {
		l.count, l.salt = c.before.limits[of].count, c.before.limits[of].salt
	} else {
		l.count, l.salt = &count{}, l.hosts.fresh()
	}
	c.rules.limits[of] = l
	return l, nil
}

// Excess says which limit a flow would exceed.
type Excess uint8

const (
	Within Excess = iota
	HostConnections
	HostHalfOpen
	HostRate
	RuleConnections
	RuleHalfOpen
	RuleRate
)

// Describe says which limit that is, as "10 connections at once of one host".
func (l *Limit) Describe(e Excess) string {
	b, of := &l.rule, ""
	if e <= HostRate {
		b, of = &l.host, " of one host"
	}
	switch e {
	case HostConnections, RuleConnections:
		return fmt.Sprintf("%d connections at once%s", b.Connections, of)
	case HostHalfOpen, RuleHalfOpen:
		return fmt.Sprintf("%d half-open connections at once%s", b.HalfOpen, of)
	case HostRate, RuleRate:
		return fmt.Sprintf("a new flow each %s%s, and %d at once", b.Every.Round(time.Microsecond), of, b.Burst)
	}
	return ""
}

// Usage is how many flows of the rule there are, and how many of them are TCP
// connections that are not open yet.
func (l *Limit) Usage() (connections, halfOpen int64) {
	return l.count.connections.Load(), l.count.opening.Load()
}

// Limit gives the limits of the rule with the number, nil if it has none.
func (r *Rules) Limit(number uint32) *Limit {
	p, ok := r.Place(number)
	if !ok {
		return nil
	}
	return r.limits[id{list: p.List, rule: p.Rule}]
}

// Limited reports whether any rule has limits.
func (r *Rules) Limited() bool { return len(r.limits) > 0 }

// Host gives the number by which the sender of p is counted: of its address or,
// of IPv6, of the prefix that is taken for one host's.
func (l *Limit) Host(p *Packet) uint64 {
	a := p.src
	if p.Family == 6 {
		switch bits := l.hostBits; {
		case bits <= 64:
			a.hi, a.lo = a.hi&^(1<<(64-bits)-1), 0
		default:
			a.lo &^= 1<<(128-bits) - 1
		}
	}
	return l.hosts.number(l.salt, a)
}

// Take asks whether a flow of the host may begin at the time now of a clock that
// never goes back, and counts it if so: in the phase Opening, or Open. dry only
// asks. The ticket is what the flow's session has to hold, see flow.Holding; who
// makes none turns it to flow.Ended.
//
// No lock is taken. Workers that ask at the same moment may find a bound of one
// host exceeded by as many as they are.
func (l *Limit) Take(host uint64, phase flow.Phase, now time.Duration, dry bool) (flow.Ticket, Excess) {
	ticket := flow.Ticket{Limiter: l, Host: host}
	excess := l.count.begin(&l.rule, phase, dry)
	if excess != Within {
		return flow.Ticket{}, excess
	}
	if l.host.Connections > 0 || l.host.HalfOpen > 0 {
		switch e := l.hosts.begin(host, phase == flow.Opening, l.host.connections, l.host.opening, dry); e {
		case Within:
			ticket.Host |= counted
		case noRoom: // the rule's own bounds hold for it alone
		default:
			excess = e
		}
	}
	switch {
	case excess != Within:
	case l.host.every > 0 && !l.hosts.take(host, int64(now), l.host.cost, l.host.most, dry):
		excess = HostRate
	case l.rule.every > 0 && !l.count.take(int64(now), l.rule.every, l.rule.allowance, dry):
		excess = RuleRate
	default:
		return ticket, Within
	}
	if !dry {
		l.Turned(ticket.Host, phase, flow.Ended)
	}
	return flow.Ticket{}, excess
}

// begin counts a flow of the rule, unless there are as many as there may be.
func (c *count) begin(b *bounds, phase flow.Phase, dry bool) Excess {
	connections, opening := weigh(phase)
	has, opens := c.connections.Load()+connections, c.opening.Load()+opening
	if !dry {
		has, opens = c.connections.Add(connections), c.opening.Add(opening)
	}
	excess := Within
	switch {
	case has > b.connections:
		excess = RuleConnections
	case opening > 0 && opens > b.opening:
		excess = RuleHalfOpen
	}
	if excess != Within && !dry {
		c.connections.Add(-connections)
		c.opening.Add(-opening)
	}
	return excess
}

// take uses up the time of one flow, if it is allowed.
func (c *count) take(now, every, allowance int64, dry bool) bool {
	for {
		used := c.used.Load()
		next := min(max(used, now), now+allowance) + every // a lower burst counts at once
		if next-now > allowance {
			return false
		}
		if dry || c.used.CompareAndSwap(used, next) {
			return true
		}
	}
}

// weigh gives as how many connections, and half-open ones, a session counts.
func weigh(p flow.Phase) (connections, opening int64) {
	switch p {
	case flow.Opening:
		return 1, 1
	case flow.Open:
		return 1, 0
	}
	return 0, 0
}

// Turned implements flow.Limiter.
func (l *Limit) Turned(host uint64, from, to flow.Phase) {
	was, opened := weigh(from)
	is, opens := weigh(to)
	l.count.connections.Add(is - was)
	l.count.opening.Add(opens - opened)
	if host&counted != 0 {
		l.hosts.add(host, is-was, opens-opened)
	}
}

// Brief reports whether connections must not stay half-open for long: where
// these are limited, see flow.Holding.
func (l *Limit) Brief() bool { return l.rule.HalfOpen > 0 || l.host.HalfOpen > 0 }
