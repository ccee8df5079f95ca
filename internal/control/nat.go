package control

import (
	"context"
	"net/http"
	"net/netip"

	"routerd/internal/show"
)

// NATRouter is the part of Router for address translation. All methods return
// NotFound if nothing is translated, and for a rule that does not exist.
type NATRouter interface {
	// NATSessions returns a page of the sessions that q selects, in an order
	// that does not change during their life.
	NATSessions(ctx context.Context, q NATQuery) (NATSessionPage, error)
	// NATHosts returns a page of the inside hosts that have sessions, by
	// address.
	NATHosts(ctx context.Context, q NATHostQuery) (NATHostPage, error)
	// NATRules returns the rules in the order in which they are tried.
	NATRules(ctx context.Context) (NATRuleList, error)
	// NATPools returns the pools from which rules take addresses and ports, and
	// the limits.
	NATPools(ctx context.Context) (NATPoolList, error)
	// ClearNAT ends the sessions that q selects; the zero query selects all.
	ClearNAT(ctx context.Context, q NATQuery) (NATClearResult, error)
}

// NATSessionPage is a page of the session table. It may have fewer sessions
// than asked for, even none: only a page without Next is the last.
type NATSessionPage struct {
	Sessions []NATSession `json:"sessions" show:",rows"`
	Total    int          `json:"total"` // sessions in the whole table
	Next     uint32       `json:"next,omitzero"`
}

// NATSession is one session, seen from the inside host, whichever side began
// it.
type NATSession struct {
	Protocol string      `json:"protocol" show:"proto"`  // tcp | udp | icmp | gre | ..., or a number
	Inside   NATEndpoint `json:"inside" show:"inside"`   // of the inside host
	Outside  NATEndpoint `json:"outside" show:"outside"` // its translation
	Remote   NATEndpoint `json:"remote" show:"remote"`   // the other end
	// RemoteSeen is Remote as the inside host sees it; absent if it is the
	// same.
	RemoteSeen NATEndpoint `json:"remote_seen,omitzero" show:"seen as,optional,wide"`
	BegunBy    string      `json:"begun_by" show:"begun by,wide"`                                    // inside | remote
	State      string      `json:"state,omitempty" show:"state,optional,good=established,bad=reset"` // of TCP; absent of other protocols
	Age        float64     `json:"age" show:"age,seconds,wide"`                                      // seconds since its first packet
	Expires    float64     `json:"expires" show:"expires,seconds"`                                   // seconds until it ends unless a packet comes
	// Traffic in both directions together, counted from the IP header on. A
	// super-packet counts as the packets in it.
	Packets uint64   `json:"packets" show:"packets,amount,wide"`
	Bytes   uint64   `json:"bytes" show:"bytes,amount,wide"`
	Rules   []string `json:"rules" show:"rule,commas,none=(own)"` // names, the destination rule first; none for the router's own flows
}

// NATEndpoint is one end of a session, before or after translation.
type NATEndpoint struct {
	Address netip.Addr `json:"address"`
	// Port is absent for protocols without ports. For an ICMP query it is the
	// identifier, on the side that sends the query.
	Port uint16 `json:"port,omitzero"`
}

// String returns address:port, or the address alone if there is no port.
func (e NATEndpoint) String() string {
	if e.Port == 0 {
		return e.Address.String()
	}
	return netip.AddrPortFrom(e.Address, e.Port).String()
}

// NATRuleList is the answer to /v1/nat/rule.
type NATRuleList struct {
	Rules []NATRule `json:"rules" show:",rows"`
}

// NATRule is one rule of the configuration.
type NATRule struct {
	Name        string     `json:"name" show:"rule"`
	Kind        string     `json:"kind" show:"kind"`                // source | destination | static
	Order       int        `json:"order" show:"order,right"`        // its place among the rules of its kind, from 1; the first match wins
	Translation string     `json:"translation" show:"translation"`  // masquerade | none | pool:NAME | an address, with a port if that changes | INSIDE <-> OUTSIDE
	Sessions    int        `json:"sessions" show:"sessions,amount"` // that live
	Made        uint64     `json:"made" show:"made,amount"`         // sessions since the rule last changed
	Refused     NATRefused `json:"refused" show:"refused,right,inline=wide"`
	Origin      string     `json:"origin,omitempty" show:"origin,wide"`
}

// NATRefused counts new flows that got no session, by what was missing.
type NATRefused struct {
	Exhausted uint64 `json:"exhausted" show:"no port,amount,bad"`     // a port
	TableFull uint64 `json:"table_full" show:"table full,amount,bad"` // a place in the table: max-sessions
	HostFull  uint64 `json:"host_full" show:"host full,amount,bad"`   // one of the inside host's own: max-sessions-per-host
}

// Cell implements show.Celled: it is the sum.
func (r NATRefused) Cell(s *show.Screen) show.Cell {
	c := show.Cell{Text: s.Amount(r.Sum())}
	if r.Sum() > 0 {
		c.Style = show.Bad
	}
	return c
}

// Sum is all of them.
func (r NATRefused) Sum() uint64 { return r.Exhausted + r.TableFull + r.HostFull }

// NATPoolList is the answer to /v1/nat/pool: the table, its limits, and the
// pools.
type NATPoolList struct {
	Sessions           int        `json:"sessions"`
	MaxSessions        int        `json:"max_sessions"`
	Hosts              int        `json:"hosts"` // inside hosts that have sessions
	MaxSessionsPerHost int        `json:"max_sessions_per_host"`
	Made               uint64     `json:"made"` // sessions since the first configuration that translates
	Refused            NATRefused `json:"refused"`
	Evicted            NATEvicted `json:"evicted"`
	Pools              []NATPool  `json:"pools" show:",rows"`
}

// NATEvicted counts unanswered sessions that were ended to make room for
// others, by what was missing.
type NATEvicted struct {
	Exhausted uint64 `json:"exhausted"`  // a port
	TableFull uint64 `json:"table_full"` // a place in the table: max-sessions
}

// Sum is all of them.
func (e NATEvicted) Sum() uint64 { return e.Exhausted + e.TableFull }

// NATPool is a source of outside addresses and ports for rules.
type NATPool struct {
	Name      string   `json:"name" show:"pool"`                 // of the pool or interface; for a fixed address, the address
	Kind      string   `json:"kind" show:"kind"`                 // pool | address | interface
	Addresses []string `json:"addresses" show:"addresses,lines"` // addresses, prefixes and ranges (first-last)
	Size      int      `json:"size" show:"size,right,wide"`      // addresses
	FirstPort int      `json:"first_port"`
	LastPort  int      `json:"last_port"`
	Capacity  int      `json:"capacity" show:"total,amount,after=icmp"` // ports of each protocol, of all addresses
	Used      NATPorts `json:"used" show:",inline"`
	Mappings  int      `json:"mappings" show:"mappings,amount"`         // inside endpoints that have a port of it
	Refused   uint64   `json:"refused" show:"refused,amount,bad"`       // new flows that got no port
	Exhausted []string `json:"exhausted" show:"exhausted,optional,bad"` // protocols without a free port now
}

// NATPorts counts the ports in use of a pool, including those of rules,
// listeners and the router's own flows; for ICMP, identifiers.
type NATPorts struct {
	TCP  int `json:"tcp" show:"tcp,amount"`
	UDP  int `json:"udp" show:"udp,amount"`
	ICMP int `json:"icmp" show:"icmp,amount"`
}

// NATClearResult is the answer to a clear.
type NATClearResult struct {
	Cleared int `json:"cleared"` // sessions
}

// NATSessions asks for a page of the sessions that q selects.
func (c *Client) NATSessions(ctx context.Context, q NATQuery) (p NATSessionPage, err error) {
	return p, c.get(ctx, "nat/session", show.Values(q), &p)
}

// NATRules asks for the rules of address translation.
func (c *Client) NATRules(ctx context.Context) (l NATRuleList, err error) {
	return l, c.get(ctx, "nat/rule", nil, &l)
}

// NATPools asks for the pools and limits of address translation.
func (c *Client) NATPools(ctx context.Context) (l NATPoolList, err error) {
	return l, c.get(ctx, "nat/pool", nil, &l)
}

// ClearNAT ends the sessions that q selects; the zero query selects all.
func (c *Client) ClearNAT(ctx context.Context, q NATQuery) (r NATClearResult, err error) {
	q.After, q.Limit = 0, 0
	return r, c.do(ctx, http.MethodPost, "clear/nat/session", show.Values(natClearQuery{q, q == NATQuery{}}), &r)
}
