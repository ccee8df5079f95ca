package router

import (
	"fmt"
	"time"

	"routerd/arp"
	"routerd/flow"
	"routerd/nat"
)

// translator is the router's address translation, with the clock that its
// sessions live by. It comes into being with the first configuration that
// translates anything, and then lasts: sessions outlive changes that do not
// concern them.
type translator struct {
	nat   *nat.NAT
	clock flow.Clock
	on    bool      // something is translated
	next  time.Time // when sessions are looked through for those whose time is up
}

// How often idle sessions are looked for, and how many are looked at before
// others have their turn. Nobody says that a first session was made, so the
// look for it goes on, if more slowly.
const (
	natInterval     = 250 * time.Millisecond
	natIdleInterval = 2 * time.Second
	natBudget       = 4096
)

// NAT is the router's address translation, to look into and to clear sessions
// of; nil until a configuration has asked for it. What the owner gets here
// anybody may use.
func (r *Router) NAT() *nat.NAT { return r.translator.nat }

// Prepare says whether Commit would take cfg, and what that would do to the
// sessions of address translation. It changes nothing that is in use, so who
// has ports to open and to close for cfg asks before that.
func (r *Router) Prepare(cfg Config, now time.Time) (nat.Impact, error) {
	for _, ic := range cfg.Dataplane.Interfaces {
		if _, err := r.number(ic.Name); err != nil {
			return nat.Impact{}, err
		}
	}
	_, impact, err := r.prepareNAT(cfg, now)
	return impact, err
}

// prepareNAT compiles cfg's translation and says what committing it would do.
// It gives nil where there is nothing to translate and never was.
func (r *Router) prepareNAT(cfg Config, now time.Time) (*nat.Rules, nat.Impact, error) {
	t := &r.translator
	if t.nat == nil {
		if !cfg.NAT.Enabled() {
			return nil, nat.Impact{}, nil
		}
		const spread = 0x9e3779b97f4a7c15
		t.nat = nat.New(nat.Options{Seed: (uint64(r.seed) + 1) * spread})
		t.clock = flow.NewClock(now)
		t.next = now.Add(natInterval)
	}
	list, err := r.natInterfaces(cfg)
	if err != nil {
		return nil, nat.Impact{}, err
	}
	rules, impact, err := t.nat.Prepare(cfg.NAT, list)
	if err != nil {
		return nil, nat.Impact{}, fmt.Errorf("preparing address translation: %w", err)
	}
	return rules, impact, nil
}

// natInterfaces is what translation knows of the interfaces of cfg, without
// the addresses that somebody else has.
func (r *Router) natInterfaces(cfg Config) ([]nat.Interface, error) {
	var list []nat.Interface
	for _, ic := range cfg.Dataplane.Interfaces {
		id, err := r.number(ic.Name)
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

// readdressNAT follows addresses that came or went without a new configuration.
func (r *Router) readdressNAT() error {
	if r.translator.nat == nil {
		return nil
	}
	list, err := r.natInterfaces(r.cfg)
	if err != nil {
		return err
	}
	if err := r.translator.nat.SetInterfaces(list); err != nil {
		return fmt.Errorf("taking up changed addresses in address translation: %w", err)
	}
	return nil
}

// proxied is what ARP answers for because translation owns it.
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

// poll ends sessions whose time is up, if it is time to look.
func (t *translator) poll(now time.Time) {
	if d := t.deadline(); d.IsZero() || d.After(now) {
		return
	}
	switch visited := t.nat.Tick(t.clock.At(now), natBudget); {
	case visited == natBudget:
		t.next = now.Add(time.Millisecond)
	case t.nat.Sessions().Len() == 0:
		t.next = now.Add(natIdleInterval)
	default:
		t.next = now.Add(natInterval)
	}
}

// deadline is when poll has something to do, the zero Time while nothing is
// translated.
func (t *translator) deadline() time.Time {
	if !t.on {
		return time.Time{}
	}
	return t.next
}

// commit makes rules, which prepareNAT gave, those of every later packet.
func (t *translator) commit(rules *nat.Rules, on bool) {
	if rules != nil {
		t.nat.Commit(rules) // ends all sessions where there are no rules left
		t.on = on
	}
}
