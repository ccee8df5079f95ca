package router

import (
	"fmt"
	"time"

	"routerd/arp"
	"routerd/flow"
	"routerd/nat"
	"routerd/routing"
)

// translator is the router's address translation with the clock of its
// sessions. It is created with the first configuration that translates anything
// and then kept, so that sessions survive changes that do not concern them.
type translator struct {
	nat   *nat.NAT
	six   *flow.Table // the sessions of IPv6, which only a filter needs; nil until one was used
	clock flow.Clock
	on    bool      // something is translated or filtered
	next  time.Time // when to look for expired sessions
}

// How often expired sessions are looked for, and how many sessions are examined
// in one slice. Nothing signals that a first session was made, so the search
// goes on without sessions, at longer intervals.
const (
	natInterval     = 250 * time.Millisecond
	natIdleInterval = 2 * time.Second
	natBudget       = 4096
)

// NAT returns the router's address translation, for showing and clearing
// sessions; nil until a configuration has used it. Only the owner may call NAT,
// but the result may be used by any goroutine.
func (r *Router) NAT() *nat.NAT { return r.translator.nat }

// Prepare reports whether Commit would accept cfg, and how that would affect
// the sessions of address translation. It changes nothing, so call it before
// opening and closing ports for cfg.
func (r *Router) Prepare(cfg Config) (nat.Impact, error) {
	number := r.tentative()
	for _, ic := range cfg.Dataplane.Interfaces {
		if _, err := number(ic.Name); err != nil {
			return nat.Impact{}, err
		}
	}
	if _, err := r.compileACL(cfg, number); err != nil {
		return nat.Impact{}, err
	}
	n := r.translator.nat
	if n == nil {
		if !cfg.sessions().Used() {
			return nat.Impact{}, nil
		}
		n = r.newNAT() // used only to check the rules
	}
	_, impact, err := r.compileNAT(n, cfg, number)
	return impact, err
}

func (r *Router) newNAT() *nat.NAT { return nat.New(nat.Options{Random: r.random}) }

// tentative returns a function that gives interfaces the numbers that number
// would give them, without assigning any.
func (r *Router) tentative() func(name string) (routing.InterfaceID, error) {
	next, given := r.next, map[string]routing.InterfaceID{}
	return func(name string) (routing.InterfaceID, error) {
		id, known := r.ids[name]
		if !known {
			id, known = given[name]
		}
		if known {
			return id, nil
		}
		if next == routing.NoInterface {
			return 0, outOfNumbers(name)
		}
		id = next
		given[name] = id
		next++
		return id, nil
	}
}

// prepareNAT compiles cfg's translation and says what committing it would do.
// It returns nil rules if nothing is translated and never was.
func (r *Router) prepareNAT(cfg Config, now time.Time) (*nat.Rules, nat.Impact, error) {
	t := &r.translator
	if t.nat == nil {
		if !cfg.sessions().Used() {
			return nil, nat.Impact{}, nil
		}
		t.nat = r.newNAT()
		t.clock = flow.NewClock(now)
		t.next = now.Add(natInterval)
	}
	return r.compileNAT(t.nat, cfg, r.number)
}

func (r *Router) compileNAT(n *nat.NAT, cfg Config, number func(string) (routing.InterfaceID, error)) (*nat.Rules, nat.Impact, error) {
	list, err := r.natInterfaces(cfg, number)
	if err != nil {
		return nil, nat.Impact{}, err
	}
	rules, impact, err := n.Prepare(*cfg.sessions(), list)
	if err != nil {
		return nil, nat.Impact{}, fmt.Errorf("preparing address translation: %w", err)
	}
	return rules, impact, nil
}

// natInterfaces returns the interfaces of cfg for address translation, without
// duplicate addresses.
func (r *Router) natInterfaces(cfg Config, number func(string) (routing.InterfaceID, error)) ([]nat.Interface, error) {
	var list []nat.Interface
	for _, ic := range cfg.Dataplane.Interfaces {
		id, err := number(ic.Name)
		if err != nil {
			return nil, err
		}
		i := nat.Interface{ID: id, Name: ic.Name}
		l := r.links[ic.Name]
		for _, a := range ic.Addresses {
			if l == nil || !l.duplicate[a.Prefix] {
				i.Addresses = append(i.Addresses, a.Prefix)
			}
		}
		list = append(list, i)
	}
	return list, nil
}

// readdressNAT updates translation after addresses came or went without a new
// configuration.
func (r *Router) readdressNAT() error {
	if r.translator.nat == nil {
		return nil
	}
	list, err := r.natInterfaces(r.cfg, r.number)
	if err != nil {
		return err
	}
	if err := r.translator.nat.SetInterfaces(list); err != nil {
		return fmt.Errorf("taking up changed addresses in address translation: %w", err)
	}
	return nil
}

// proxied returns the address ranges that ARP answers for because they belong
// to translation.
func (t *translator) proxied() []arp.Range {
	if t.nat == nil {
		return nil
	}
	var list []arp.Range
	for _, p := range t.nat.Proxied() {
		list = append(list, arp.Range{First: p.First, Last: p.Last})
	}
	return list
}

// poll ends the sessions that had expired at the time by, if it is time to look for
// them.
func (t *translator) poll(now, by time.Time) {
	if d := t.deadline(); d.IsZero() || d.After(now) {
		return
	}
	visited, sessions := t.nat.Tick(t.clock.At(by), natBudget), t.nat.Sessions().Len()
	if t.six != nil {
		visited = max(visited, t.six.Tick(t.clock.At(by), natBudget, nil))
		sessions += t.six.Len()
	}
	switch {
	case visited == natBudget:
		t.next = now.Add(time.Millisecond)
	case sessions == 0:
		t.next = now.Add(natIdleInterval)
	default:
		t.next = now.Add(natInterval)
	}
}

// deadline is when poll must be called, the zero Time if there are no sessions.
func (t *translator) deadline() time.Time {
	if !t.on {
		return time.Time{}
	}
	return t.next
}

// commit makes rules, which prepareNAT returned, apply to all later packets.
func (t *translator) commit(rules *nat.Rules, on bool) {
	if rules != nil {
		t.nat.Commit(rules)
		t.on = on
	}
}

// review does a slice of what is left of the latest commit, and reports whether there is
// more.
func (t *translator) review() (more bool) { return t.nat != nil && t.nat.Review() }
