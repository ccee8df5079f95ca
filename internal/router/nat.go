package router

import (
	"fmt"
	"time"

	"routerd/arp"
	"routerd/flow"
	"routerd/nat"
	"routerd/routing"
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
// sessions of address translation. It changes nothing, however often it is
// asked, so who has ports to open and to close for cfg asks before that.
func (r *Router) Prepare(cfg Config) (nat.Impact, error) {
	number := r.tentative()
	for _, ic := range cfg.Dataplane.Interfaces {
		if _, err := number(ic.Name); err != nil {
			return nat.Impact{}, err
		}
	}
	n := r.translator.nat
	if n == nil {
		if !cfg.NAT.Enabled() {
			return nat.Impact{}, nil
		}
		n = r.newNAT() // to be asked, and let go
	}
	_, impact, err := r.compileNAT(n, cfg, number)
	return impact, err
}

func (r *Router) newNAT() *nat.NAT { return nat.New(nat.Options{Random: r.random}) }

// tentative gives interfaces the numbers that number is going to give them,
// and uses none of them up.
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
// It gives nil where there is nothing to translate and never was.
func (r *Router) prepareNAT(cfg Config, now time.Time) (*nat.Rules, nat.Impact, error) {
	t := &r.translator
	if t.nat == nil {
		if !cfg.NAT.Enabled() {
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
	rules, impact, err := n.Prepare(cfg.NAT, list)
	if err != nil {
		return nil, nat.Impact{}, fmt.Errorf("preparing address translation: %w", err)
	}
	return rules, impact, nil
}

// natInterfaces is what translation knows of the interfaces of cfg, without
// the addresses that somebody else has.
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

// readdressNAT follows addresses that came or went without a new configuration.
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
