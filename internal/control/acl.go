package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"routerd/internal/show"
)

// ACLRouter is the part of Router for the packet filter. All methods return
// NotFound if nothing is filtered.
type ACLRouter interface {
	// ACL returns the lists with their rules, in the order of the configuration.
	ACL(ctx context.Context) (ACL, error)
	// ClearACL has the rules count from 0 again.
	ClearACL(ctx context.Context) error
}

// ACL is the answer to /v1/acl.
type ACL struct {
	// Sessions are the flows that pass without a look at any list, and the most
	// that there may be of each family.
	Sessions4   int       `json:"ipv4_sessions"`
	Sessions6   int       `json:"ipv6_sessions"`
	MaxSessions int       `json:"max_sessions"`
	Rules       []ACLRule `json:"rules" show:",rows"`
}

// ACLRule is a rule of a list, or the default action, which is the last of each
// list and has no name.
type ACLRule struct {
	List    string     `json:"list" show:"list"`
	Rule    string     `json:"rule" show:"rule,none=(default)"`
	Action  string     `json:"action" show:"action"`
	Packets uint64     `json:"packets" show:"packets,amount"`                             // that it matched: the first ones of flows, and those of none
	Bytes   uint64     `json:"bytes" show:"bytes,amount"`                                 // of these, from the IP header on
	Limited uint64     `json:"limited,omitempty" show:"over limit,amount,blank,optional"` // packets of these that began a flow beyond a limit of the rule
	Limits  *ACLUsage  `json:"limits,omitempty"`                                          // absent = it has none
	LastHit *time.Time `json:"last_hit,omitempty"`                                        // absent = never
	Log     bool       `json:"log,omitempty" show:"logs,wide,optional"`                   // the packets that it matches are told, see routerd events acl
	Uses    []string   `json:"uses"`                                                      // of the list: "lan0 in", "lan0 out", "local"
	Origin  string     `json:"origin" show:"place,wide"`
}

// ACLUsage is what counts for the limits of a rule now.
type ACLUsage struct {
	Connections int64 `json:"connections"` // flows that the rule has let begin since it has limits, of TCP until they are closed
	HalfOpen    int64 `json:"half_open"`   // TCP connections of these that are not open yet
}

// aclRow is a rule in a table.
type aclRow struct {
	ACLRule  `show:",inline"`
	Flows    string `show:"flows,right,wide,optional"`
	HalfOpen string `show:"half-open,right,wide,optional"`
	Last     string `show:"last hit,none=never,after=bytes"`
	For      string `show:"used for,wide"`
}

// Drawn implements show.Drawn.
func (r *ACLRule) Drawn(s *show.Screen) any {
	row := &aclRow{ACLRule: *r, For: strings.Join(r.Uses, ", ")}
	if r.Limits != nil {
		row.Flows, row.HalfOpen = s.Amount(uint64(r.Limits.Connections)), s.Amount(uint64(r.Limits.HalfOpen))
	}
	if r.LastHit != nil {
		row.Last = r.LastHit.Local().Format(time.DateTime)
		if s.Wide {
			row.Last = r.LastHit.UTC().Format(time.RFC3339)
		}
	}
	return row
}

// DrawHead implements show.Header.
func (a *ACL) DrawHead(s *show.Screen) {
	fmt.Fprintf(s, "sessions: %s of IPv4 and %s of IPv6, of %s each\n\n",
		s.Amount(uint64(a.Sessions4)), s.Amount(uint64(a.Sessions6)), s.Amount(uint64(a.MaxSessions)))
}

// aclQuery selects a list. The zero query selects all.
type aclQuery struct {
	Name string `query:"name,arg,complete=acl"`
}

// aclClearQuery has no parameters.
type aclClearQuery struct{}

// ACLClearResult is the answer to a clear.
type ACLClearResult struct {
	Cleared bool `json:"cleared"`
}

var aclNouns = []Noun{
	show.Spec[Router, aclQuery, ACL]{
		Path: "acl",
		Help: show.Help{
			Args:  "[NAME]",
			Short: "The lists of the packet filter, and what their rules have matched",
			Long: `The lists of the packet filter with their rules in order, and what these have
matched.

A list decides about the first packet of a flow. The rest of the flow, both ways,
belongs to a session and passes without a look at any list, so PACKETS and BYTES
are of first packets, and of packets that belong to no flow. (default) is the
action of packets that no rule decided about. LAST HIT says when the latest was.
What was dropped is in show drops --last 20 with the rule that did it, and what
a rule logs in events acl and in the log. OVER LIMIT is how many of PACKETS a limit
of the rule has dropped, FLOWS and HALF-OPEN what counts for its limits now.`,
			Example: `  routerd show acl
  routerd show acl wan-in -o wide
  routerd show acl wan-in -w 1s
  routerd clear acl counters`,
		},
		Ask: func(ctx context.Context, r Router, q aclQuery) (ACL, error) {
			a, err := r.ACL(ctx)
			if err != nil || q.Name == "" {
				return a, err
			}
			var there []string
			for i := range a.Rules {
				if l := a.Rules[i].List; !slices.Contains(there, l) {
					there = append(there, l)
				}
			}
			a.Rules = slices.DeleteFunc(slices.Clone(a.Rules), func(r ACLRule) bool { return r.List != q.Name })
			if len(a.Rules) == 0 {
				return a, show.NotFound("there is no list %q of the packet filter; there are %v", q.Name, there)
			}
			return a, nil
		},
	}.Noun(),
	show.Heading[Router]("clear/acl", show.Help{Short: "Have the packet filter count anew"}),
	show.Spec[Router, aclClearQuery, ACLClearResult]{
		Path: "clear/acl/counters", Changes: true,
		Help: show.Help{
			Short: "Have the rules of the packet filter count from 0 again",
			Long: `Have the rules of the packet filter count from 0 again, as show acl gives them.
Metrics go on from where they are, since a counter of Prometheus never goes back.`,
		},
		Ask: func(ctx context.Context, r Router, _ aclClearQuery) (ACLClearResult, error) {
			return ACLClearResult{true}, r.ClearACL(ctx)
		},
		Draw: func(s *show.Screen, _ *aclClearQuery, _ *ACLClearResult) { fmt.Fprintln(s, "counters cleared") },
	}.Noun(),
}

// ACL asks for the lists of the packet filter.
func (c *Client) ACL(ctx context.Context) (a ACL, err error) { return a, c.get(ctx, "acl", nil, &a) }

// ClearACL has the rules of the packet filter count from 0 again.
func (c *Client) ClearACL(ctx context.Context) error {
	var r ACLClearResult
	if err := c.do(ctx, http.MethodPost, "clear/acl/counters", nil, &r); err != nil {
		return err
	}
	if !r.Cleared {
		return errors.New("clearing the counters of the packet filter: the router says that it did not")
	}
	return nil
}

// ACLSnapshot has the counters of the packet filter since the start.
type ACLSnapshot struct {
	Sessions4, Sessions6 int
	Rules                []ACLRule
	Uncounted            uint64 // flows that found no place for their host, so that no limit of a host held for them
}

// The metrics of the packet filter: by list and rule.
var (
	descACLSessions  = describe("acl_sessions", "Flows that pass without a look at any list of the packet filter.", "family")
	descACLPackets   = describe("acl_rule_packets_total", "Packets of flows that had no session yet and that the rule has matched; rule=\"\" is the default action of the list.", "list", "rule", "action")
	descACLLimited   = describe("acl_rule_limited_packets_total", "Packets that the rule has matched and that a limit of the rule has dropped.", "list", "rule")
	descACLFlows     = describe("acl_rule_flows", "Flows that count for the limits of the rule, of TCP until they are closed.", "list", "rule")
	descACLHalfOpen  = describe("acl_rule_half_open", "TCP connections that count for the limits of the rule and are not open yet.", "list", "rule")
	descACLUncounted = describe("acl_uncounted_flows_total", "Flows of a host that found no place among those that are counted, so that no limit of one host held for them.")
	descACLBytes     = describe("acl_rule_bytes_total", "Bytes of the packets that the rule has matched.", "list", "rule", "action")
)

func (to sink) acl(s *ACLSnapshot) {
	if s == nil {
		return
	}
	to.gauge(descACLSessions, float64(s.Sessions4), "ipv4")
	to.gauge(descACLSessions, float64(s.Sessions6), "ipv6")
	to.count(descACLUncounted, s.Uncounted)
	for i := range s.Rules {
		r := &s.Rules[i]
		to.count(descACLPackets, r.Packets, r.List, r.Rule, r.Action)
		to.count(descACLBytes, r.Bytes, r.List, r.Rule, r.Action)
		if r.Limits != nil {
			to.count(descACLLimited, r.Limited, r.List, r.Rule)
			to.gauge(descACLFlows, float64(r.Limits.Connections), r.List, r.Rule)
			to.gauge(descACLHalfOpen, float64(r.Limits.HalfOpen), r.List, r.Rule)
		}
	}
}
