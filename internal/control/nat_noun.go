package control

import (
	"context"
	"fmt"

	"routerd/internal/show"
)

// usualRows is the default number of rows shown of lists that may have a
// million.
const usualRows = 1000

var natNouns = []Noun{
	show.Heading[Router]("nat", show.Help{
		Short: "Translated sessions, the hosts and rules they belong to, and the ports in use",
		Long: `Translated sessions, the inside hosts and rules they belong to, and the ports in use.

Each inside host:port keeps one outside port (the same number if it is free), and
only peers that it contacted may reply, unless mapping and filtering in [nat] say
otherwise. Sessions belong to a rule by its name: renaming the rule ends them.`,
		Example: `  routerd show nat session
  routerd show nat session --inside 10.1.0.11 --protocol tcp
  routerd show nat session --remote :443 --limit 20 -o wide
  routerd show nat host
  routerd show nat rule
  routerd show nat pool -w 1s`,
	}),
	natSessionNoun, natHostNoun, natRuleNoun, natPoolNoun,
	show.Heading[Router]("clear/nat", show.Help{Short: "End translated sessions"}),
	natClearNoun,
}

var natSessionNoun = show.Spec[Router, NATQuery, NATSessionPage]{
	Path: "nat/session", Usual: usualRows,
	Help: show.Help{
		Aliases: []string{"sessions"},
		Short:   "Who speaks to whom through translation, and by which outside endpoint",
		Long: `Who speaks to whom through translation, and by which outside endpoint.

INSIDE is the host's own endpoint, whoever began the session, OUTSIDE what it is
seen as, REMOTE the other side. Where an inside host reaches another one by
its outside address, SEEN AS is that address. The port of a ping is its
identifier. EXPIRES says when the session ends unless a packet comes. RULE (own)
is a flow of the router itself, which holds its port. PACKETS and BYTES (-o wide)
are those of both directions, as they arrived; of a super-packet, the packets in
it. Sessions belong to a rule by its name: renaming the rule ends them.`,
	},
	Ask: func(ctx context.Context, r Router, q NATQuery) (NATSessionPage, error) { return r.NATSessions(ctx, q) },
}.Noun()

// More implements show.Partial.
func (p *NATSessionPage) More() string {
	return fmt.Sprintf("there are more, of %d in the table; --limit 0 shows all", p.Total)
}

// natRuleQuery selects rules. The zero query selects all.
type natRuleQuery struct {
	Name string `query:"name,arg,complete=nat/rule"`
}

var natRuleNoun = show.Spec[Router, natRuleQuery, NATRuleList]{
	Path: "nat/rule",
	Help: show.Help{
		Aliases: []string{"rules"}, Args: "[NAME]",
		Short: "The rules in the order in which they are tried, and their sessions",
		Long: `The rules in the order in which they are tried, and their sessions.

Of each kind the first rule that matches wins; static ones come before the
others. MADE counts sessions since the rule is what it is, REFUSED new flows that
got none: for want of a port, because the table is full, or because the inside
host has as many as it may have.`,
	},
	Ask: func(ctx context.Context, r Router, q natRuleQuery) (NATRuleList, error) {
		list, err := r.NATRules(ctx)
		if err == nil {
			list.Rules, err = named(list.Rules, q.Name, "rule %q of address translation", func(r *NATRule) string { return r.Name })
		}
		return list, err
	},
}.Noun()

// natPoolQuery selects pools. The zero query selects all.
type natPoolQuery struct {
	Name string `query:"name,arg,complete=nat/pool"`
}

var natPoolNoun = show.Spec[Router, natPoolQuery, NATPoolList]{
	Path: "nat/pool",
	Help: show.Help{
		Aliases: []string{"pools"}, Args: "[NAME]",
		Short: "The session table with its limits, and the ports in use of each outside address",
		Long: `The session table with its limits, and where rules take outside addresses from.

NO PORT, TABLE FULL and HOST FULL count new flows that were refused: for want of
a port, because of max-sessions, and because of max-sessions-per-host. EVICTED
counts sessions that nobody had answered and that made room for new ones.

TCP, UDP and ICMP are ports in use of the TOTAL that there are for each of them,
those included that port forwards, listeners and the router's own flows hold; of
ICMP identifiers. EXHAUSTED names the protocols of which none is left now. With
pairing a host is refused when the one address that it has is used up, whatever
is left of the others.`,
	},
	Ask: func(ctx context.Context, r Router, q natPoolQuery) (NATPoolList, error) {
		list, err := r.NATPools(ctx)
		if err == nil {
			list.Pools, err = named(list.Pools, q.Name, "pool %q of address translation", func(p *NATPool) string { return p.Name })
		}
		return list, err
	},
}.Noun()

// natTotals describes the whole session table in one row.
type natTotals struct {
	Sessions   show.Cell  `show:"sessions,right"`
	Max        int        `show:"max,right"`
	Hosts      int        `show:"hosts,amount"`
	MaxPerHost int        `show:"max per host,right"`
	Made       uint64     `show:"made,amount"`
	Refused    NATRefused `show:",inline"`
	Evicted    uint64     `show:"evicted,amount"`
}

// DrawHead implements show.Header.
func (p *NATPoolList) DrawHead(s *show.Screen) {
	t := natTotals{
		show.Cell{Text: s.Amount(uint64(p.Sessions))}, p.MaxSessions, p.Hosts, p.MaxSessionsPerHost, p.Made, p.Refused, p.Evicted.Sum(),
	}
	if p.Sessions >= p.MaxSessions {
		t.Sessions.Style = show.Bad
	}
	show.Rows(s, []natTotals{t})
	fmt.Fprintln(s)
}

// natPoolRow is a pool in a table.
type natPoolRow struct {
	NATPool `show:",inline"`
	Ports   string `show:"ports,wide,after=size"`
}

// Drawn implements show.Drawn.
func (p *NATPool) Drawn(*show.Screen) any {
	return &natPoolRow{*p, fmt.Sprintf("%d-%d", p.FirstPort, p.LastPort)}
}

// natClearQuery selects sessions to end.
type natClearQuery struct {
	NATQuery
	All bool `query:"all" help:"every session"`
}

var natClearNoun = show.Spec[Router, natClearQuery, NATClearResult]{
	Path: "clear/nat/session", Changes: true, Without: []string{"after", "limit"},
	Help: show.Help{
		Aliases: []string{"sessions"},
		Short:   "End translated sessions, and give their ports back",
		Long: `End the sessions that all the filters match, and give their ports back. What
goes on being sent from inside gets a new session where that is possible, most
likely with another port.`,
		Example: `  routerd clear nat session --inside 10.1.0.11
  routerd clear nat session --protocol udp --remote :53
  routerd clear nat session --all`,
	},
	Arguments: func(q *natClearQuery, _ []string) error {
		return allOrSome("sessions", q.All, q.NATQuery != NATQuery{})
	},
	Check: func(q *natClearQuery) error {
		return allOrSomeAsked("sessions", q.All, q.NATQuery != NATQuery{})
	},
	Ask: func(ctx context.Context, r Router, q natClearQuery) (NATClearResult, error) {
		return r.ClearNAT(ctx, q.NATQuery)
	},
	Draw: func(s *show.Screen, _ *natClearQuery, r *NATClearResult) {
		fmt.Fprintf(s, "sessions ended: %d\n", r.Cleared)
	},
}.Noun()
