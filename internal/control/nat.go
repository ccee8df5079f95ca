package control

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"
)

// NATRouter is what the API shows and changes of address translation. Where
// nothing is translated all of it is NotFound, as is a rule that there is not.
type NATRouter interface {
	// NATSessions gives a page of the sessions that q chooses, in an order that
	// stays while they live.
	NATSessions(ctx context.Context, q NATQuery) (NATSessionPage, error)
	// NATHosts gives a page of the inside hosts that have sessions, by address.
	NATHosts(ctx context.Context, q NATHostQuery) (NATHostPage, error)
	// NATRules gives the rules in the order in which they are tried.
	NATRules(ctx context.Context) (NATRuleList, error)
	// NATPools gives where rules take addresses and ports from, and the limits.
	NATPools(ctx context.Context) (NATPoolList, error)
	// ClearNAT ends the sessions that q chooses; the zero query is all of them.
	ClearNAT(ctx context.Context, q NATQuery) (NATClearResult, error)
}

// NATSessionPage is a part of the session table. A page may hold less than was
// asked for, even nothing: the table ends where Next is absent.
type NATSessionPage struct {
	Sessions []NATSession `json:"sessions"`
	Total    int          `json:"total"` // sessions in the table, whatever was asked for
	Next     uint32       `json:"next,omitzero"`
}

// NATSession is one session as people see it, whichever side began it.
type NATSession struct {
	Protocol string      `json:"protocol"` // tcp | udp | icmp | gre | ..., or a number
	Inside   NATEndpoint `json:"inside"`   // of the host that the session counts for
	Outside  NATEndpoint `json:"outside"`  // what that is on the other side of the translation
	Remote   NATEndpoint `json:"remote"`   // whom it speaks to
	// RemoteSeen is what the inside host knows Remote as; absent where that is
	// Remote itself.
	RemoteSeen NATEndpoint `json:"remote_seen,omitzero"`
	BegunBy    string      `json:"begun_by"`        // inside | remote
	State      string      `json:"state,omitempty"` // of TCP; absent of other protocols
	Age        float64     `json:"age"`             // seconds since its first packet
	Expires    float64     `json:"expires"`         // seconds until it ends unless a packet comes
	// What it has carried, both directions together, from the IP header on; of
	// a super-packet, the packets in it.
	Packets uint64   `json:"packets"`
	Bytes   uint64   `json:"bytes"`
	Rules   []string `json:"rules"` // names, of the destination's first; none of the router's own flows
}

// NATEndpoint is one end of a session, before or behind translation.
type NATEndpoint struct {
	Address netip.Addr `json:"address"`
	// Port is absent of protocols that have none. Of an ICMP query it is the
	// identifier, with the side that asks.
	Port uint16 `json:"port,omitzero"`
}

// String gives address:port, or the address alone where there is no port.
func (e NATEndpoint) String() string {
	if e.Port == 0 {
		return e.Address.String()
	}
	return netip.AddrPortFrom(e.Address, e.Port).String()
}

// NATRuleList is the answer to /v1/nat/rule.
type NATRuleList struct {
	Rules []NATRule `json:"rules"`
}

// NATRule is one rule of the configuration.
type NATRule struct {
	Name        string     `json:"name"`
	Kind        string     `json:"kind"`        // source | destination | static
	Order       int        `json:"order"`       // its place among those of its kind, from 1; the first that matches wins
	Translation string     `json:"translation"` // masquerade | none | pool:NAME | an address, with port where that changes | INSIDE <-> OUTSIDE
	Sessions    int        `json:"sessions"`    // that live
	Made        uint64     `json:"made"`        // sessions since the rule is what it is
	Refused     NATRefused `json:"refused"`
	Origin      string     `json:"origin,omitempty"`
}

// NATRefused counts new flows that got no session, by what was wanting.
type NATRefused struct {
	Exhausted uint64 `json:"exhausted"`  // a port
	TableFull uint64 `json:"table_full"` // a place in the table: max-sessions
	HostFull  uint64 `json:"host_full"`  // one of the inside host's own: max-sessions-per-host
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
	Pools              []NATPool  `json:"pools"`
}

// NATEvicted counts sessions that nobody had answered and that were ended to
// make room for others, by what those were in want of.
type NATEvicted struct {
	Exhausted uint64 `json:"exhausted"`  // a port
	TableFull uint64 `json:"table_full"` // a place in the table: max-sessions
}

// Sum is all of them.
func (e NATEvicted) Sum() uint64 { return e.Exhausted + e.TableFull }

// NATPool is where rules take outside addresses and ports from.
type NATPool struct {
	Name      string   `json:"name"`      // of the pool or interface; a fixed address itself
	Kind      string   `json:"kind"`      // pool | address | interface
	Addresses []string `json:"addresses"` // addresses, prefixes and ranges (first-last)
	Size      int      `json:"size"`      // addresses
	FirstPort int      `json:"first_port"`
	LastPort  int      `json:"last_port"`
	Capacity  int      `json:"capacity"` // ports of each protocol, of all addresses
	Used      NATPorts `json:"used"`
	Mappings  int      `json:"mappings"`  // inside endpoints that have a port of it
	Refused   uint64   `json:"refused"`   // new flows, for want of a port
	Exhausted []string `json:"exhausted"` // protocols of which there is no port left now
}

// NATPorts counts ports of a pool, those included that rules, listeners and the
// router's own flows hold; of ICMP identifiers.
type NATPorts struct {
	TCP  int `json:"tcp"`
	UDP  int `json:"udp"`
	ICMP int `json:"icmp"`
}

// NATClearResult is what a clear has done.
type NATClearResult struct {
	Cleared int `json:"cleared"` // sessions
}

func init() {
	nouns["nat/session"] = noun{ask: func(v *query) call {
		q := v.nat()
		q.After, q.Limit = uint32(v.number("after", 0, mostNATSessions)), v.number("limit", 0, MaxPage)
		return func(ctx context.Context, r Router) (any, error) { return r.NATSessions(ctx, q) }
	}}
	nouns["nat/rule"] = noun{ask: func(*query) call {
		return func(ctx context.Context, r Router) (any, error) { return r.NATRules(ctx) }
	}}
	nouns["nat/pool"] = noun{ask: func(*query) call {
		return func(ctx context.Context, r Router) (any, error) { return r.NATPools(ctx) }
	}}
	nouns["clear/nat/session"] = noun{changes: true, ask: func(v *query) call {
		q := v.nat()
		switch all := v.flag("all"); {
		case all && q != NATQuery{}:
			v.fail("sessions to clear: all=true, and a filter besides; wanted one of them")
		case !all && q == NATQuery{}:
			v.fail("sessions to clear: wanted a filter, or all=true")
		}
		return func(ctx context.Context, r Router) (any, error) { return r.ClearNAT(ctx, q) }
	}}
}

// mostNATSessions is the highest number that a session may have.
const mostNATSessions = 1 << 24

// NATSessions asks for a page of the sessions that q chooses.
func (c *Client) NATSessions(ctx context.Context, q NATQuery) (p NATSessionPage, err error) {
	return p, c.get(ctx, "nat/session", q.values(), &p)
}

// NATRules asks for the rules of address translation.
func (c *Client) NATRules(ctx context.Context) (l NATRuleList, err error) {
	return l, c.get(ctx, "nat/rule", nil, &l)
}

// NATPools asks for the pools and limits of address translation.
func (c *Client) NATPools(ctx context.Context) (l NATPoolList, err error) {
	return l, c.get(ctx, "nat/pool", nil, &l)
}

// ClearNAT ends the sessions that q chooses; the zero query is all of them.
func (c *Client) ClearNAT(ctx context.Context, q NATQuery) (r NATClearResult, err error) {
	v := q.values()
	if q == (NATQuery{}) {
		v.Set("all", strconv.FormatBool(true))
	}
	return r, c.do(ctx, http.MethodPost, "clear/nat/session", v, &r)
}
