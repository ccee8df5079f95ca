package acl

import (
	"fmt"
	"slices"

	"routerd/internal/origin"
	"routerd/internal/packet"
	"routerd/routing"
)

// Interface is what the filter has to know of one interface.
type Interface struct {
	ID   routing.InterfaceID
	Name string
}

// Rules is a compiled Config.
type Rules struct {
	lists   []*Compiled
	in, out []*Compiled // by InterfaceID; nil where there is none
	local   *Compiled
	zones   zones
	numbers map[id]uint32
	entries []entry       // by Slot of the number; one that is out of use has neither a list nor a zone
	lives   []uint32      // by Slot: what else its latest number is made of, see number.go
	free    []uint32      // slots that a new rule may have
	limits  map[id]*Limit // of rules that have some
	hosts   *hosts
	logged  []uint32 // the numbers of what logs: Hit.Log is 1 + a place in it
}

// id identifies a rule, with rule "" the default action of a list or, with list
// "", a pair of zones without a policy.
type id struct{ list, rule, from, to string }

// entry is what a number stands for.
type entry struct {
	list, rule string
	from, to   string // of a pair of zones without a policy
	action     Action
	logs       bool
	origin     origin.ID
}

// Compiled is a list in the form that packets are decided by.
type Compiled struct {
	Name     string
	Loose    bool
	fallback Action
	number   uint32 // of the default action
	log      uint32 // Hit.Log of the default action
	v4, v6   program
	source   *List
}

// program is the rules of a list for one family.
type program struct {
	words                 int // of a bitmap
	rules                 []*rule
	states                [states][]uint64
	protocols             ranges
	sources, destinations ranges
	fromPorts, toPorts    ranges
}

// rule is a rule after the bitmaps have matched.
type rule struct {
	action Action
	asks   bool // rest has conditions
	number uint32
	log    uint32 // Hit.Log
	limit  *Limit // nil without limits
	rest   rest
}

// mostRules is the most rules that all lists together may have.
const mostRules = 1 << 16

// Compile checks cfg and compiles it. before, which may be nil, is what has been
// in use: its lists and rules keep their numbers, by which they are counted.
func Compile(cfg Config, ifs []Interface, before *Rules) (*Rules, error) {
	c := &compiler{cfg: &cfg, ids: map[string]routing.InterfaceID{}, sets: map[string]*Set{}, rules: &Rules{numbers: map[id]uint32{}, limits: map[id]*Limit{}}, before: before}
	c.rules.hosts = &hosts{key: cfg.Secret}
	if before != nil {
		c.rules.inherit(before)
		c.rules.hosts = before.hosts
	}
	for i := range cfg.Sets {
		c.sets[cfg.Sets[i].Name] = &cfg.Sets[i]
	}
	for _, i := range ifs {
		c.ids[i.Name] = i.ID
	}
	lists, rules := map[string]*Compiled{}, 0
	for i := range cfg.Lists {
		l := &cfg.Lists[i]
		if rules += len(l.Rules); rules > mostRules {
			return nil, fmt.Errorf("acl lists have more than %d rules; want %d at most", mostRules, mostRules)
		}
		if l.Name == "" || lists[l.Name] != nil {
			return nil, fmt.Errorf("acl list %q: want a name that no other list has", l.Name)
		}
		compiled, err := c.list(l)
		if err != nil {
			return nil, fmt.Errorf("acl %q: %w", l.Name, err)
		}
		lists[l.Name] = compiled
		c.rules.lists = append(c.rules.lists, compiled)
	}
	if err := c.bind(lists); err != nil {
		return nil, err
	}
	if err := c.zone(lists); err != nil {
		return nil, err
	}
	return c.rules, nil
}

type compiler struct {
	cfg    *Config
	ids    map[string]routing.InterfaceID
	sets   map[string]*Set
	rules  *Rules
	before *Rules
}

// bind finds the lists of interfaces and of the router itself.
func (c *compiler) bind(lists map[string]*Compiled) error {
	find := func(name, what string) (*Compiled, error) {
		if l := lists[name]; l != nil || name == "" {
			return l, nil
		}
		return nil, fmt.Errorf("%s %q: there is no such list", what, name)
	}
	var err error
	if c.rules.local, err = find(c.cfg.Local, "acl local"); err != nil {
		return err
	}
	for _, b := range c.cfg.Interfaces {
		n, ok := c.ids[b.Interface]
		if !ok {
			return fmt.Errorf("acl of interface %q: there is no such interface", b.Interface)
		}
		for len(c.rules.in) <= int(n) {
			c.rules.in, c.rules.out = append(c.rules.in, nil), append(c.rules.out, nil)
		}
		if c.rules.in[n], err = find(b.In, "interface "+b.Interface+" acl-in"); err != nil {
			return err
		}
		if c.rules.out[n], err = find(b.Out, "interface "+b.Interface+" acl-out"); err != nil {
			return err
		}
	}
	return nil
}

// In is the list for packets that come in by an interface, nil without one.
func (r *Rules) In(i routing.InterfaceID) *Compiled { return at(r.in, i) }

// Out is the list for forwarded packets that leave by an interface, nil without
// one.
func (r *Rules) Out(i routing.InterfaceID) *Compiled { return at(r.out, i) }

// Local is the list for packets to the router itself, nil without one.
func (r *Rules) Local() *Compiled { return r.local }

func at(list []*Compiled, i routing.InterfaceID) *Compiled {
	if int(i) >= len(list) {
		return nil
	}
	return list[i]
}

// enter gives the number of a rule or default action.
func (c *compiler) enter(e entry) (uint32, error) {
	key := id{e.list, e.rule, e.from, e.to}
	if _, taken := c.rules.numbers[key]; taken {
		return 0, fmt.Errorf("rule %q: the name is used twice; want one for each rule of a list", e.rule)
	}
	number, known := uint32(0), false
	if c.before != nil {
		number, known = c.before.numbers[key]
	}
	if !known {
		var err error
		if number, err = c.rules.draw(); err != nil {
			return 0, err
		}
	}
	c.rules.numbers[key], c.rules.entries[Slot(number)] = number, e
	return number, nil
}

// logs gives the Hit.Log of a rule, or default action, with the number.
func (c *compiler) logs(number uint32) uint32 {
	if !c.rules.entries[Slot(number)].logs {
		return 0
	}
	c.rules.logged = append(c.rules.logged, number)
	return uint32(len(c.rules.logged))
}

func (c *compiler) list(l *List) (*Compiled, error) {
	out := &Compiled{Name: l.Name, Loose: l.Loose, fallback: l.Default, source: l}
	if l.Default > Reject {
		return nil, fmt.Errorf("default-action %s: want accept, drop or reject", l.Default)
	}
	var err error
	if out.number, err = c.enter(entry{list: l.Name, action: l.Default, logs: l.LogDefault, origin: l.Origin}); err != nil {
		return nil, err
	}
	out.log = c.logs(out.number)
	var rules []*rule
	for i := range l.Rules {
		r := &l.Rules[i]
		if r.Name == "" {
			return nil, fmt.Errorf("rule %d has no name; want one, which it is counted by", i+1)
		}
		compiled, err := c.rule(l.Name, r)
		if err != nil {
			return nil, fmt.Errorf("rule %q: %w", r.Name, err)
		}
		rules = append(rules, compiled)
	}
	for _, family := range [...]uint8{4, 6} {
		p, err := c.program(l, rules, family)
		if err != nil {
			return nil, err
		}
		if family == 4 {
			out.v4 = p
		} else {
			out.v6 = p
		}
	}
	return out, nil
}

func (c *compiler) rule(list string, r *Rule) (*rule, error) {
	if int(r.Action) >= len(actions) || r.Family != 0 && r.Family != 4 && r.Family != 6 {
		return nil, fmt.Errorf("action %d, family %d: want known ones", r.Action, r.Family)
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	number, err := c.enter(entry{list: list, rule: r.Name, action: r.Action, logs: r.Log || r.Action == Log, origin: r.Origin})
	if err != nil {
		return nil, err
	}
	limit, err := c.limit(id{list: list, rule: r.Name}, r)
	if err != nil {
		return nil, err
	}
	out := &rule{action: r.Action, limit: limit, number: number, log: c.logs(number), rest: rest{flags: r.TCPFlags, fragment: r.Fragments, lengths: r.Lengths}}
	if out.rest.in, err = c.interfaces(r.Inbound); err != nil {
		return nil, err
	}
	if out.rest.out, err = c.interfaces(r.Outbound); err != nil {
		return nil, err
	}
	for _, d := range r.DSCPs {
		out.rest.dscps |= 1 << (d & 63)
	}
	out.asks = r.TCPFlags.Of != 0 || r.Fragments || len(out.rest.in)+len(out.rest.out)+len(r.DSCPs)+len(r.Lengths) > 0
	return out, nil
}

// check refuses conditions that do not go together.
func (r *Rule) check() error {
	if len(r.SourcePorts)+len(r.DestinationPorts) > 0 {
		for _, p := range r.Protocols {
			if !HasPorts(p) {
				return fmt.Errorf("it has ports, and protocol %d has none", p)
			}
		}
		if len(r.Protocols) == 0 {
			return fmt.Errorf("it has ports and no protocol; want tcp, udp or both")
		}
	}
	if len(r.ICMP) > 0 {
		if len(r.Protocols) != 1 || r.Protocols[0] != packet.ProtoICMP && r.Protocols[0] != packet.ProtoICMPv6 {
			return fmt.Errorf("it has ICMP types; want the protocol icmp or icmpv6 alone")
		}
	}
	if r.TCPFlags.Of != 0 && !slices.Equal(r.Protocols, []uint8{packet.ProtoTCP}) {
		return fmt.Errorf("it has TCP flags; want the protocol tcp alone")
	}
	if r.TCPFlags.Set&^r.TCPFlags.Of != 0 {
		return fmt.Errorf("TCP flags %#x of %#x: want some of them", r.TCPFlags.Set, r.TCPFlags.Of)
	}
	return nil
}

// HasPorts reports whether the transport protocol has ports that rules match:
// TCP, UDP, DCCP, SCTP and UDP-Lite.
func HasPorts(protocol uint8) bool {
	switch protocol {
	case packet.ProtoTCP, packet.ProtoUDP, 33, 132, 136:
		return true
	}
	return false
}

func (c *compiler) interfaces(names []string) ([]routing.InterfaceID, error) {
	var list []routing.InterfaceID
	for _, name := range names {
		n, ok := c.ids[name]
		if !ok {
			return nil, fmt.Errorf("interface %q does not exist", name)
		}
		list = append(list, n)
	}
	return list, nil
}
