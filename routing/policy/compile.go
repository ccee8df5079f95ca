package policy

import (
	"crypto/sha256"
	"fmt"
	"io"
	"slices"

	"routerd/internal/origin"
)

// Problem is an error in a Config or, with Warning, a likely mistake.
type Problem struct {
	Origin  origin.ID // its place
	Message string
	Want    string
	Warning bool
}

// Policies are the compiled policies of a configuration, for any number of
// goroutines to read.
type Policies struct{ byName map[string]*Policy }

// Policy is a compiled policy.
type Policy struct {
	Name       string
	statements []statement
	decidesAll bool
	depends    Depends
	sum        digest
}

// digest is a digest of the content of a policy or set, without its places.
type digest [sha256.Size]byte

type statement struct {
	name       string
	conditions []condition
	changes    []change
	action     Action
	origin     origin.ID
}

// Compile compiles the policies of a configuration. If there is an error among
// the problems the policies must not be used.
func Compile(c Config) (*Policies, []Problem) {
	k := &compiler{sets: map[string]*prefixSet{}}
	for i := range c.PrefixSets {
		k.prefixSet(&c.PrefixSets[i])
	}
	all := &Policies{byName: map[string]*Policy{}}
	for i := range c.Policies {
		d := &c.Policies[i]
		if all.byName[d.Name] != nil {
			k.wrong(d.Origin, fmt.Sprintf("a second policy called %q", d.Name), "a name of its own")
			continue
		}
		all.byName[d.Name] = k.policy(d)
	}
	return all, k.problems
}

// Named gives the policy called name, or nil. It may be called on nil.
func (p *Policies) Named(name string) *Policy {
	if p == nil {
		return nil
	}
	return p.byName[name]
}

// DecidesAll reports whether a statement decides about every route that reaches
// it, so that no later policy is ever applied.
func (p *Policy) DecidesAll() bool { return p.decidesAll }

// SetsNextHop reports whether a statement sets a next hop, for users that do
// not support that.
func (p *Policy) SetsNextHop() bool {
	return slices.ContainsFunc(p.statements, func(s statement) bool {
		return slices.ContainsFunc(s.changes, func(c change) bool { _, is := c.(setNextHop); return is })
	})
}

// Names gives the names of all policies, sorted.
func (p *Policies) Names() []string {
	var names []string
	if p != nil {
		for name := range p.byName {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Chain gives the policies of these names, one after the other. An error names
// one that does not exist.
func (p *Policies) Chain(names ...string) (Chain, error) {
	var c Chain
	for _, name := range names {
		one := p.Named(name)
		if one == nil {
			return nil, fmt.Errorf("there is no policy %q", name)
		}
		c = append(c, one)
	}
	return c, nil
}

// Same reports whether both chains have the same content, at whatever places in
// a configuration.
func (c Chain) Same(as Chain) bool {
	return slices.EqualFunc(c, as, func(a, b *Policy) bool { return a.Name == b.Name && a.sum == b.sum })
}

type compiler struct {
	sets     map[string]*prefixSet
	problems []Problem
}

func (k *compiler) wrong(at origin.ID, message, want string) {
	k.problems = append(k.problems, Problem{Origin: at, Message: message, Want: want})
}

func (k *compiler) odd(at origin.ID, message, want string) {
	k.problems = append(k.problems, Problem{Origin: at, Message: message, Want: want, Warning: true})
}

func (k *compiler) prefixSet(c *PrefixSet) {
	if k.sets[c.Name] != nil {
		k.wrong(c.Origin, fmt.Sprintf("a second prefix-set called %q", c.Name), "a name of its own")
		return
	}
	good := *c
	for _, e := range c.Entries {
		bits, most := e.Prefix.Bits(), e.Prefix.Addr().BitLen()
		switch {
		case int(e.Low) < bits:
			k.wrong(e.Origin, fmt.Sprintf("no prefix in %s is shorter than %d bits, and the range begins at %d", e.Prefix, bits, e.Low), fmt.Sprintf("a range from %d", bits))
		case e.Low > e.High:
			k.wrong(e.Origin, fmt.Sprintf("the range %d..%d has no length in it", e.Low, e.High), "the smaller number first")
		case int(e.High) > most:
			k.wrong(e.Origin, fmt.Sprintf("the range ends at %d, and the prefixes in %s have %d bits at most", e.High, e.Prefix, most), fmt.Sprintf("a range to %d", most))
		default:
			continue
		}
		good.Entries = nil // not to be compiled
	}
	if len(c.Entries) == 0 {
		k.odd(c.Origin, fmt.Sprintf("prefix-set %s is empty: nothing is in it", c.Name), "")
	}
	k.sets[c.Name] = newPrefixSet(&good)
}

func (k *compiler) policy(d *Definition) *Policy {
	p := &Policy{Name: d.Name}
	decided := "" // the statement that decides about all routes
	names := map[string]bool{}
	sum := sha256.New()
	for i := range d.Statements {
		s := k.statement(&d.Statements[i], i+1)
		if names[s.name] {
			k.wrong(s.origin, fmt.Sprintf("a second statement of policy %s called %q", d.Name, s.name), "a name of its own, or none")
		}
		names[s.name] = true
		k.write(sum, &s, &d.Statements[i])
		if decided != "" {
			k.odd(s.origin, fmt.Sprintf("statement %s of policy %s is never reached: statement %s decides about every route", s.name, d.Name, decided), "")
			decided = ""
		}
		if !p.decidesAll {
			p.depends |= s.depends()
		}
		if len(s.conditions) == 0 && s.action != Next {
			decided, p.decidesAll = s.name, true
		}
		p.statements = append(p.statements, s)
	}
	if len(d.Statements) == 0 {
		k.odd(d.Origin, fmt.Sprintf("policy %s has no statement: it decides about no route", d.Name), "")
	}
	sum.Sum(p.sum[:0])
	return p
}

// write adds the content of a statement to the digest of its policy.
func (k *compiler) write(sum io.Writer, s *statement, c *Statement) {
	fmt.Fprintf(sum, "%q %v %v %v\n", s.name, c.Match, s.changes, s.action)
	for _, list := range [][]Registered{c.Match.Registered, c.Set.Registered} {
		for _, v := range list {
			fmt.Fprintf(sum, "%q %#v\n", v.Name, v.Value)
		}
		fmt.Fprintln(sum)
	}
	for _, name := range c.Match.PrefixSets {
		if set := k.sets[name]; set != nil {
			sum.Write(set.sum[:])
		}
	}
}

func (k *compiler) statement(c *Statement, number int) statement {
	s := statement{name: c.Name, action: c.Action, origin: c.Origin}
	if s.name == "" {
		s.name = fmt.Sprint(number)
	}
	k.conditions(&s, &c.Match)
	k.changes(&s, c)
	k.registered(&s, c)
	if len(s.changes) > 0 && c.Action == Reject {
		k.odd(c.Origin, fmt.Sprintf("statement %s changes routes that it rejects", s.name), "")
	}
	k.checkFamilies(&s, c)
	if len(s.changes) == 0 && s.action == Next {
		k.wrong(c.Origin, fmt.Sprintf("statement %s does nothing with what it matches", s.name), `action = "accept" or "reject", or something to set`)
	}
	return s
}

func (k *compiler) conditions(s *statement, m *Match) {
	if m.PrefixSets != nil {
		var sets inPrefixSets
		for _, name := range m.PrefixSets {
			set := k.sets[name]
			if set == nil {
				k.wrong(s.origin, fmt.Sprintf("statement %s matches by prefix-set %q, and there is none of that name", s.name, name), "a prefix-set that there is")
				continue
			}
			sets = append(sets, set)
		}
		s.conditions = append(s.conditions, sets)
	}
	if m.Protocols != nil {
		var c fromProtocols
		for _, p := range m.Protocols {
			c |= 1 << p
		}
		s.conditions = append(s.conditions, c)
	}
	if m.Tags != nil {
		s.conditions = append(s.conditions, withTag(m.Tags))
	}
	if m.Metrics != nil {
		s.conditions = append(s.conditions, withMetric(m.Metrics))
	}
	if m.NextHops != nil {
		s.conditions = append(s.conditions, byNextHop(m.NextHops))
	}
	if len(m.Families) == 1 {
		s.conditions = append(s.conditions, ofFamily(m.Families[0]))
	}
}

func (k *compiler) changes(s *statement, c *Statement) {
	set := &c.Set
	if set.Metric != nil && set.MetricAdd != 0 {
		k.wrong(c.Origin, fmt.Sprintf("statement %s sets the metric and adds to it", s.name), "metric or metric-add")
	}
	if set.Metric != nil {
		s.changes = append(s.changes, setMetric(*set.Metric))
	}
	if set.MetricAdd != 0 {
		s.changes = append(s.changes, addMetric(set.MetricAdd))
	}
	if set.Tag != nil {
		s.changes = append(s.changes, setTag(*set.Tag))
	}
	if set.NextHop.IsValid() {
		s.changes = append(s.changes, setNextHop{set.NextHop})
	}
}
