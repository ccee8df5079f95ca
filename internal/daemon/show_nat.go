package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"routerd/dataplane"
	"routerd/flow"
	"routerd/internal/control"
	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/nat"
)

// translating returns the current View if it has address translation, which may
// be read without the router's owner.
func (a api) translating() (*dataplane.View, error) {
	a.d.account()
	v := a.d.router.View()
	if v.NAT == nil {
		return nil, show.NotFound("no addresses are translated here: the configuration has no rule in [nat]")
	}
	return v, nil
}

// Bounds of one page of sessions: how many are copied at a time, and how many
// parts of the table are searched.
const (
	natCopied = 256
	natParts  = 256
)

func (a api) NATSessions(ctx context.Context, q control.NATQuery) (page control.NATSessionPage, err error) {
	v, err := a.translating()
	if err != nil {
		return page, err
	}
	filter, err := natFilter(v.NAT, q)
	if err != nil {
		return page, err
	}
	page.Total = v.NAT.Sessions().Len()
	limit, list := running.Limit(q.Limit), make([]flow.Session, natCopied)
	cursor := q.After
	for range natParts {
		if ctx.Err() != nil {
			return page, ctx.Err()
		}
		got, next := v.NAT.Walk(filter, cursor, list)
		now := v.Flows.At(time.Now()) // later than all times found
		for i := range list[:got] {
			page.Sessions = append(page.Sessions, natSession(v.NAT, &list[i], now))
			if len(page.Sessions) == limit {
				page.Next = list[i].Number
				return page, nil
			}
		}
		if cursor = next; cursor == 0 {
			break
		}
	}
	page.Next = cursor
	return page, nil
}

// natFilter converts q for the NAT. It refuses an unknown rule, which is more
// likely a typing error than a wish to see nothing.
func natFilter(n *nat.NAT, q control.NATQuery) (nat.Filter, error) {
	if q.Rule != "" {
		var names []string
		for _, r := range n.RuleStates() {
			names = append(names, r.Name)
		}
		if !slices.Contains(names, q.Rule) {
			return nat.Filter{}, show.NotFound("there is no rule %q of address translation; there are %s", q.Rule, strings.Join(names, ", "))
		}
	}
	return nat.Filter{
		Protocol: uint8(q.Protocol), Port: q.Port, Rule: q.Rule,
		Inside: nat.EndpointFilter(q.Inside), Outside: nat.EndpointFilter(q.Outside), Remote: nat.EndpointFilter(q.Remote),
	}, nil
}

func natSession(n *nat.NAT, s *flow.Session, now flow.Time) control.NATSession {
	e := nat.EndpointsOf(s)
	c := control.NATSession{
		Protocol: control.NATProtocol(s.Forward.Proto).String(),
		Inside:   natEndpoint(e.Inside), Outside: natEndpoint(e.Outside), Remote: natEndpoint(e.Remote),
		BegunBy: "inside",
		// An age of more than half of the clock's period would be negative as a
		// difference of two Times.
		Age:     (time.Duration(uint32(now-s.Created)) * time.Millisecond).Seconds(),
		Expires: s.Expires(now).Seconds(), Packets: s.Traffic.Packets, Bytes: s.Traffic.Bytes, Rules: n.RulesOf(s),
	}
	if e.Seen != e.Remote {
		c.RemoteSeen = natEndpoint(e.Seen)
	}
	if s.InsideReply {
		c.BegunBy = "remote"
	}
	if s.State != flow.Idle {
		c.State = s.State.String()
	}
	return c
}

func natEndpoint(e netip.AddrPort) control.NATEndpoint {
	return control.NATEndpoint{Address: e.Addr(), Port: e.Port()}
}

func (a api) NATRules(ctx context.Context) (list control.NATRuleList, err error) {
	err2 := a.on(ctx, func() {
		var v *dataplane.View
		if v, err = a.translating(); err != nil {
			return
		}
		translations, order := natTranslations(&a.d.cfg.NAT), map[nat.Kind]int{}
		for _, r := range v.NAT.RuleStates() {
			order[r.Kind]++
			list.Rules = append(list.Rules, control.NATRule{
				Name: r.Name, Kind: r.Kind.String(), Order: order[r.Kind], Translation: translations[r.Name],
				Sessions: r.Sessions, Made: r.Made, Refused: natRefused(&r), Origin: a.d.place(r.Origin),
			})
		}
	})
	if err2 != nil {
		return list, err2
	}
	return list, err
}

func natRefused(r *nat.RuleState) control.NATRefused {
	return control.NATRefused{Exhausted: r.Exhausted, TableFull: r.TableFull, HostFull: r.HostFull}
}

// natTranslations describes the translation of each rule, by name.
func natTranslations(c *nat.Config) map[string]string {
	m := map[string]string{}
	for _, r := range c.Source {
		switch r.Method {
		case nat.Masquerade:
			m[r.Name] = "masquerade"
		case nat.FixedAddress:
			m[r.Name] = r.Address.String()
		case nat.FromPool:
			m[r.Name] = "pool:" + r.Pool
		case nat.Exempt:
			m[r.Name] = "none"
		}
	}
	for _, r := range c.Destination {
		m[r.Name] = r.Address.String()
		if r.Ports != (flow.PortRange{}) {
			m[r.Name] += ":" + r.Ports.String()
		}
	}
	for _, r := range c.Static {
		m[r.Name] = fmt.Sprintf("%s <-> %s", flow.RangeOf(r.Inside), flow.RangeOf(r.Outside))
	}
	return m
}

func (a api) NATPools(context.Context) (list control.NATPoolList, err error) {
	v, err := a.translating()
	if err != nil {
		return list, err
	}
	totals := v.NAT.Totals()
	list.Sessions, list.Made, list.Refused = totals.Sessions, totals.Made, natRefused(&totals)
	list.MaxSessions, list.MaxSessionsPerHost = v.NAT.Limits()
	list.Evicted.TableFull, list.Evicted.Exhausted = v.NAT.Evicted()
	list.Hosts = v.NAT.Sessions().Stats().Hosts
	for _, p := range v.NAT.PoolStates() {
		c := control.NATPool{
			Name: p.Name, Kind: p.Kind.String(), Size: p.Size, FirstPort: int(p.Ports.First), LastPort: int(p.Ports.Last),
			Capacity: p.Capacity, Used: control.NATPorts{TCP: p.TCP, UDP: p.UDP, ICMP: p.ICMP}, Mappings: p.Mappings, Refused: p.Refused,
		}
		for _, r := range p.Addresses {
			c.Addresses = append(c.Addresses, r.String())
		}
		for _, proto := range p.Empty {
			c.Exhausted = append(c.Exhausted, control.NATProtocol(proto).String())
		}
		list.Pools = append(list.Pools, c)
	}
	return list, nil
}

// natMetrics returns nil if nothing is translated.
func (a api) natMetrics(ctx context.Context) (*control.NATSnapshot, error) {
	if _, err := a.translating(); err != nil {
		return nil, nil
	}
	rules, err := a.NATRules(ctx)
	if err != nil {
		return nil, err
	}
	table, err := a.NATPools(ctx)
	if err != nil {
		return nil, err
	}
	return &control.NATSnapshot{Rules: rules.Rules, Table: table}, nil
}

func (a api) ClearNAT(_ context.Context, q control.NATQuery) (out control.NATClearResult, err error) {
	v, err := a.translating()
	if err != nil {
		return out, err
	}
	filter, err := natFilter(v.NAT, q)
	if err == nil {
		out.Cleared = v.NAT.Clear(filter)
	}
	return out, err
}
