package nat

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"routerd/flow"
	"routerd/routing"
)

// compiler turns a Config into Rules. The first mistake ends it.
type compiler struct {
	n     *NAT
	rules *Rules
	ids   map[string]routing.InterfaceID
	pools map[string]*pool // of the configuration, by name
	seen  map[ruleID]bool

	destination, source []*rule
}

// compile checks cfg and makes Rules of it. Spaces and pools that n already has
// are reused. The caller holds n.mu.
func (n *NAT) compile(cfg Config, ifs []Interface) (*Rules, error) {
	c := &compiler{
		n: n, ids: map[string]routing.InterfaceID{}, pools: map[string]*pool{}, seen: map[ruleID]bool{},
		rules: &Rules{
			cfg: cfg, names: map[routing.InterfaceID]string{}, byNumber: map[uint16]*rule{},
			by: map[routing.InterfaceID]bool{}, leads: map[routing.InterfaceID]bool{},
			own: map[uint32]routing.InterfaceID{}, masks: map[routing.InterfaceID]*pool{}, spaces: map[uint32]*space{},
		},
	}
	if err := c.limits(); err != nil {
		return nil, err
	}
	for _, i := range ifs {
		c.ids[i.Name] = i.ID
		c.rules.names[i.ID] = i.Name
		for _, p := range i.Addresses {
			if p.Addr().Is4() {
				c.rules.own[number(p.Addr())] = i.ID
			}
		}
	}
	for i := range cfg.Pools {
		if err := c.pool(&cfg.Pools[i]); err != nil {
			return nil, fmt.Errorf("nat pool %q: %w", cfg.Pools[i].Name, err)
		}
	}
	if err := c.list(); err != nil {
		return nil, err
	}
	c.masquerade(ifs)
	c.finish()
	return c.rules, nil
}

// mostSessions is the largest max-sessions.
const mostSessions = 1 << 24

func (c *compiler) limits() error {
	cfg, r := &c.rules.cfg, c.rules
	r.limit, r.perHost = cfg.MaxSessions, cfg.MaxSessionsPerHost
	if r.limit == 0 {
		r.limit = DefaultMaxSessions
	}
	if r.limit < 1 || r.limit > mostSessions {
		return fmt.Errorf("nat max-sessions %d: want 1 to %d", r.limit, mostSessions)
	}
	switch {
	case r.perHost == 0:
		r.perHost = DefaultMaxSessionsPerHost
	case r.perHost < 0:
		r.perHost = r.limit
	}
	// If one host may have all sessions, there is nothing to share out.
	r.fair = !cfg.NoFairShare && r.perHost < r.limit
	if err := cfg.Timeouts.Check(); err != nil {
		return fmt.Errorf("nat %w", err)
	}
	if int(cfg.Mapping) >= len(behaviors) || int(cfg.Filtering) >= len(behaviors) {
		return fmt.Errorf("nat mapping %s, filtering %s: want known ones", cfg.Mapping, cfg.Filtering)
	}
	return nil
}

// mostRules is half of the 16-bit numbers: replaced rules keep their numbers
// until the new configuration is in use.
const mostRules = 1<<15 - 1

// list compiles the rules of all three lists. Static rules come first in
// either index.
func (c *compiler) list() error {
	cfg := &c.rules.cfg
	if all := len(cfg.Static) + len(cfg.Destination) + len(cfg.Source); all > mostRules {
		return fmt.Errorf("nat has %d rules; want %d at most", all, mostRules)
	}
	for i := range cfg.Static {
		if err := c.static(&cfg.Static[i]); err != nil {
			return fmt.Errorf("nat static rule %q: %w", cfg.Static[i].Name, err)
		}
	}
	for i := range cfg.Destination {
		if err := c.forward(&cfg.Destination[i]); err != nil {
			return fmt.Errorf("nat destination rule %q: %w", cfg.Destination[i].Name, err)
		}
	}
	for i := range cfg.Source {
		if err := c.leave(&cfg.Source[i]); err != nil {
			return fmt.Errorf("nat source rule %q: %w", cfg.Source[i].Name, err)
		}
	}
	return nil
}

// named refuses a rule without a name, or with the name of another one.
func (c *compiler) named(r *rule) error {
	if r.name == "" {
		return fmt.Errorf("it has no name; want one, which its sessions are known by")
	}
	if c.seen[r.id()] {
		return fmt.Errorf("the name is used twice; want one for each %s rule", r.kind)
	}
	c.seen[r.id()] = true
	c.rules.all = append(c.rules.all, r)
	return nil
}

func (c *compiler) match(m *Match) (criteria, error) {
	var out criteria
	var err error
	if out.in, err = c.interfaces(m.Inbound); err != nil {
		return out, fmt.Errorf("inbound interface %w", err)
	}
	if out.out, err = c.interfaces(m.Outbound); err != nil {
		return out, fmt.Errorf("outbound interface %w", err)
	}
	for _, p := range m.Protocols {
		out.protocols.add(p)
	}
	for d, list := range map[dimension][]flow.AddressRange{bySource: m.Sources, byDestination: m.Destinations} {
		for _, r := range list {
			i, err := addresses(r)
			if err != nil {
				return out, err
			}
			out.ranges[d] = append(out.ranges[d], i)
		}
	}
	for d, list := range map[dimension][]flow.PortRange{bySourcePort: m.SourcePorts, byDestinationPort: m.DestinationPorts} {
		for _, r := range list {
			if r.First > r.Last {
				return out, fmt.Errorf("ports %s: want the lower one first", r)
			}
			out.ranges[d] = append(out.ranges[d], interval{uint32(r.First), uint32(r.Last)})
		}
	}
	return out, nil
}

func (c *compiler) interfaces(names []string) (interfaces, error) {
	var ids interfaces
	for _, name := range names {
		id, ok := c.ids[name]
		if !ok {
			known := make([]string, 0, len(c.ids))
			for k := range c.ids {
				known = append(known, k)
			}
			slices.Sort(known)
			return nil, fmt.Errorf("%q does not exist; want one of %s", name, strings.Join(known, ", "))
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func addresses(r flow.AddressRange) (interval, error) {
	if !r.First.Is4() || !r.Last.Is4() {
		return interval{}, fmt.Errorf("addresses %s: want IPv4, which alone is translated", r)
	}
	if r.Last.Less(r.First) {
		return interval{}, fmt.Errorf("addresses %s: want the lower one first", r)
	}
	return interval{number(r.First), number(r.Last)}, nil
}

// definition is a rule's text without its place in the file.
func definition(v any) string { return fmt.Sprintf("%+v", v) }

func (c *compiler) static(s *StaticRule) error {
	text := *s
	text.Origin = 0
	back := &rule{kind: KindStatic, name: s.Name, origin: s.Origin, text: definition(text), hairpin: s.Hairpin}
	if err := c.named(back); err != nil {
		return err
	}
	if !s.Outside.Addr().Is4() || !s.Inside.Addr().Is4() || s.Outside.Bits() != s.Inside.Bits() {
		return fmt.Errorf("outside %s, inside %s: want IPv4 addresses or prefixes of one length", s.Outside, s.Inside)
	}
	out, _ := addresses(flow.RangeOf(s.Outside))
	in, _ := addresses(flow.RangeOf(s.Inside))
	for a, id := range c.rules.own {
		if out.has(a) {
			return fmt.Errorf("outside %s: %s is the address of interface %s; want a destination rule for what comes to it", s.Outside, addr(a), c.rules.names[id])
		}
	}
	for _, other := range c.destination {
		if other.match.ranges[byDestination][0].overlaps(out) {
			return fmt.Errorf("outside %s: static rule %q has addresses of it already", s.Outside, other.name)
		}
	}
	for _, p := range c.pools {
		if p.has(out) {
			return fmt.Errorf("outside %s: pool %q has addresses of it", s.Outside, p.name)
		}
	}
	ids, err := c.interfaces(s.Interfaces)
	if err != nil {
		return fmt.Errorf("interface %w", err)
	}
	back.from, back.to = out.lo, in.lo
	back.match.in = ids
	back.match.ranges[byDestination] = intervals{out}
	there := *back
	there.match = criteria{out: ids}
	there.match.ranges[bySource] = intervals{in}
	there.from, there.to = in.lo, out.lo
	c.destination = append(c.destination, back)
	c.source = append(c.source, &there)
	c.rules.halves = append(c.rules.halves, &there)
	c.rules.outside.add(out)
	return nil
}

func (c *compiler) forward(d *DestinationRule) error {
	text := *d
	text.Origin = 0
	r := &rule{kind: KindDestination, name: d.Name, origin: d.Origin, text: definition(text), hairpin: d.Hairpin}
	err := c.named(r)
	if err != nil {
		return err
	}
	if len(d.Match.Outbound) > 0 {
		return fmt.Errorf("outbound interface %q: it is not known before the destination is translated; want inbound interfaces alone", d.Match.Outbound[0])
	}
	if len(d.Match.Inbound)+len(d.Match.Destinations) == 0 {
		return fmt.Errorf("it matches whatever passes; want a destination or an inbound interface")
	}
	if r.match, err = c.match(&d.Match); err != nil {
		return err
	}
	if !d.Address.Is4() {
		return fmt.Errorf("translation %s: want an IPv4 address", d.Address)
	}
	r.to = number(d.Address)
	if d.Ports != (flow.PortRange{}) {
		if len(d.Match.DestinationPorts) != 1 || d.Ports.Size() != d.Match.DestinationPorts[0].Size() {
			return fmt.Errorf("translation to ports %s: want one range of as many destination ports", d.Ports)
		}
		r.fromPort, r.toPort, r.ports = d.Match.DestinationPorts[0].First, d.Ports.First, true
	}
	c.destination = append(c.destination, r)
	return nil
}

func (c *compiler) leave(s *SourceRule) error {
	text := *s
	text.Origin = 0
	r := &rule{kind: KindSource, name: s.Name, origin: s.Origin, method: s.Method}
	err := c.named(r)
	if err != nil {
		return err
	}
	if r.match, err = c.match(&s.Match); err != nil {
		return err
	}
	var taken string
	switch s.Method {
	case FixedAddress:
		if !s.Address.Is4() {
			return fmt.Errorf("translation %s: want an IPv4 address", s.Address)
		}
		for _, other := range c.destination {
			if other.kind == KindStatic && other.match.ranges[byDestination].has(number(s.Address)) {
				return fmt.Errorf("translation %s: it is outside of static rule %q", s.Address, other.name)
			}
		}
		r.pool, err = c.take(PoolFixed, s.Address.String(), []flow.AddressRange{{First: s.Address, Last: s.Address}}, flow.PortRange{})
	case FromPool:
		if r.pool = c.pools[s.Pool]; r.pool == nil {
			return fmt.Errorf("translation pool:%s: there is no such pool", s.Pool)
		}
		i := slices.IndexFunc(c.rules.cfg.Pools, func(p PoolConfig) bool { return p.Name == s.Pool })
		p := c.rules.cfg.Pools[i]
		p.Origin = 0
		taken = definition(p)
	}
	if err != nil {
		return err
	}
	r.text = definition(text) + taken
	c.source = append(c.source, r)
	return nil
}

func (i interval) overlaps(j interval) bool { return i.lo <= j.hi && j.lo <= i.hi }

// first4 is an interface's first IPv4 address, which masquerade takes.
func first4(addresses []netip.Prefix) (netip.Addr, bool) {
	for _, p := range addresses {
		if p.Addr().Is4() {
			return p.Addr(), true
		}
	}
	return netip.Addr{}, false
}
