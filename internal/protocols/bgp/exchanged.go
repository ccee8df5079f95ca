package bgp

import (
	"context"
	"fmt"
	"net/netip"

	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/routing/bgp"
	"routerd/routing/bgp/wire"
)

// ExchangeQuery selects routes that a neighbor has sent or was sent. The neighbor has to be
// given.
type ExchangeQuery struct {
	Neighbor NeighborName `query:"neighbor,arg,complete=bgp/neighbor"`
	Prefix   netip.Prefix `query:"prefix" help:"only this <prefix>"`
	Longer   bool         `query:"longer" help:"the prefix and all that are in it"`
	Family   show.Family  `query:"family" help:"only IPv<4> or 6"`
	After    netip.Prefix `query:"after,api"`           // the page after this prefix
	Limit    int          `query:"limit,api,max=10000"` // most routes of a page; 0 = the router's default
}

// ReceivedPage is a page of the routes that a neighbor has sent, before import policies.
type ReceivedPage struct {
	Neighbor netip.Addr `json:"neighbor"`
	// Partial: what came before soft-reconfiguration was configured is missing, as far as
	// the neighbor has not sent it again.
	Partial bool         `json:"partial"`
	Routes  []Received   `json:"routes" show:",rows"`
	Next    netip.Prefix `json:"next,omitzero"`
}

// Received is a route as a neighbor has sent it.
type Received struct {
	Prefix netip.Prefix `json:"prefix"`
	PathID uint32       `json:"path_id,omitempty"`
	Attributes
	Accepted bool `json:"accepted"`
	// Why says what keeps it from being accepted; Policy and Statement are what has
	// rejected it, if a policy has.
	Why       string `json:"why,omitempty"`
	Policy    string `json:"policy,omitempty"`
	Statement string `json:"statement,omitempty"`
}

// AdvertisedPage is a page of the routes that a neighbor was sent.
type AdvertisedPage struct {
	Neighbor netip.Addr   `json:"neighbor"`
	Routes   []Advertised `json:"routes" show:",rows"`
	Next     netip.Prefix `json:"next,omitzero"`
}

// Advertised is a route as a neighbor was sent it.
type Advertised struct {
	Prefix netip.Prefix `json:"prefix"`
	PathID uint32       `json:"path_id,omitempty"`
	Attributes
	From netip.Addr `json:"from,omitzero"` // the neighbor that it came from; absent: it is the router's own
	// Pending: it has changed, and is about to be sent as it is here, or with Withdrawn to
	// be withdrawn.
	Pending   bool `json:"pending"`
	Withdrawn bool `json:"withdrawn"`
	// Originated: it is the default route of default-originate.
	Originated bool `json:"originated"`
}

// exchangeRow is a route that was sent or received in a table.
type exchangeRow struct {
	Mark        string       `show:",good=*,optional"`
	Prefix      netip.Prefix `show:"prefix"`
	PathID      uint32       `show:"path id,right,blank,optional"`
	Hop         string       `show:"next hop"`
	From        string       `show:"from,optional"`
	MED         string       `show:"med,right,optional"`
	Pref        string       `show:"pref,right,optional"`
	Path        string       `show:"as path"`
	Communities string       `show:"communities,wide,optional"`
	Note        string       `show:"note,optional,faint"`
}

func (a *Attributes) row(p netip.Prefix, path uint32) exchangeRow {
	return exchangeRow{
		Prefix: p, PathID: path, Hop: a.hop(), MED: number(a.MED), Pref: number(a.LocalPref), Path: a.path(), Communities: a.all(),
	}
}

// Drawn implements show.Drawn.
func (r *Received) Drawn(*show.Screen) any {
	row := r.row(r.Prefix, r.PathID)
	if row.Note = r.Why; r.Accepted {
		row.Mark = "*"
	}
	return &row
}

// Drawn implements show.Drawn.
func (r *Advertised) Drawn(*show.Screen) any {
	row := r.row(r.Prefix, r.PathID)
	row.From = r.From.String()
	switch {
	case r.Originated:
		row.From = "default-originate"
	case !r.From.IsValid():
		row.From = "this router"
	}
	switch {
	case r.Withdrawn:
		row.Hop, row.Path, row.From = "", "", ""
		row.Note = "about to be withdrawn"
	case r.Pending:
		row.Note = "about to be sent as it is here"
	}
	return &row
}

// DrawFoot implements show.Footer.
func (p *ReceivedPage) DrawFoot(s *show.Screen, rows int) {
	if rows == 0 {
		fmt.Fprintln(s, "no routes")
	}
	if p.Partial {
		fmt.Fprintf(s, "what %s sent before soft-reconfiguration was configured may be missing\n", p.Neighbor)
	}
}

// DrawFoot implements show.Footer.
func (*AdvertisedPage) DrawFoot(s *show.Screen, rows int) {
	if rows == 0 {
		fmt.Fprintln(s, "no routes")
	}
}

const exchangeArgs = "ADDRESS"

func receivedNoun(word string, filtered bool) running.Noun {
	help := show.Help{
		Args:  exchangeArgs,
		Short: "The routes that a neighbor has sent, before import policies",
		Long: `The routes that a neighbor has sent, before import policies; * marks those that were
accepted, and NOTE says why one was not.

They are kept where soft-reconfiguration is configured for the neighbor.`,
	}
	if filtered {
		help.Short = "The routes that a neighbor has sent and that were not accepted, and why"
		help.Long = `The routes that a neighbor has sent and that were not accepted. NOTE says why: which
statement of which policy has rejected one, or what else is in its way.

They are kept where soft-reconfiguration is configured for the neighbor.`
	}
	return show.Spec[running.Protocol, ExchangeQuery, ReceivedPage]{
		Path: name + "/neighbor/" + word, Help: help, Check: checkExchange, Arguments: exchangeArguments,
		Ask: func(ctx context.Context, p running.Protocol, q ExchangeQuery) (ReceivedPage, error) {
			return askReceived(ctx, p, q, filtered)
		},
	}.Noun()
}

func advertisedNoun() running.Noun {
	return show.Spec[running.Protocol, ExchangeQuery, AdvertisedPage]{
		Path: name + "/neighbor/advertised",
		Help: show.Help{
			Args: exchangeArgs, Short: "The routes that a neighbor was sent, with the attributes that it got",
			Long: `The routes that a neighbor was sent, with the attributes that it got: after export
policies, and with what is changed for a neighbor of its kind.`,
		},
		Ask: askAdvertised, Check: checkExchange, Arguments: exchangeArguments,
	}.Noun()
}

func exchangeArguments(q *ExchangeQuery, args []string) error {
	for _, arg := range args {
		if q.Neighbor != "" {
			return fmt.Errorf("%q: wanted one neighbor", arg)
		}
		if err := q.Neighbor.Set(arg); err != nil {
			return fmt.Errorf("%q: %w", arg, err)
		}
	}
	if q.Neighbor == "" {
		return fmt.Errorf("of which neighbor?")
	}
	return nil
}

func checkExchange(q *ExchangeQuery) error {
	switch {
	case q.Neighbor == "":
		return show.BadRequest("routes of which neighbor?")
	case q.Longer && !q.Prefix.IsValid():
		return show.BadRequest("longer than which prefix?")
	}
	return checkFamily(q.Prefix, q.Family)
}

// part is the page that is wanted: of one prefix, which is the first in itself, it is one.
func (q *ExchangeQuery) part() *part {
	p := pageOf(q.Prefix, q.Family, q.After, q.Limit)
	if q.exactly() {
		p.most = 1
	}
	return p
}

func (q *ExchangeQuery) exactly() bool { return q.Prefix.IsValid() && !q.Longer }

// wants reports whether a prefix of a page is wanted.
func (q *ExchangeQuery) wants(p netip.Prefix) bool { return !q.exactly() || p == q.Prefix }

// next is where the next page begins.
func (q *ExchangeQuery) next(p *part) netip.Prefix {
	if q.exactly() {
		return netip.Prefix{}
	}
	return p.next
}

// met is what the pages of several families say of the neighbour.
type met struct{ known, up, kept, whole bool }

func (m *met) add(p *bgp.Peering) {
	m.known, m.up, m.kept = m.known || p.Known, m.up || p.Up, m.kept || p.Kept && p.Up
	m.whole = m.whole && (p.Whole || !p.Kept || !p.Up)
}

// wrong says why there are no routes to be shown.
func (m *met) wrong(n NeighborName) error {
	switch {
	case !m.known:
		return show.NotFound("bgp has no neighbor %s", n)
	case !m.up:
		return show.NotFound("the session with %s is not up, or has no such family", n)
	}
	return nil
}

func askReceived(ctx context.Context, p running.Protocol, q ExchangeQuery, filtered bool) (page ReceivedPage, err error) {
	a, link, err := q.Neighbor.at(p)
	if err != nil {
		return page, err
	}
	part, seen := q.part(), met{whole: true}
	list, err := inPieces(ctx, p, part, func(c book, f wire.Family, after netip.Prefix, most int) ([]bgp.ReceivedStatus, netip.Prefix) {
		list, x := c.ReceivedPage(a, link, f, filtered, q.Prefix, after, most)
		seen.add(&x)
		return list, x.Next
	})
	if err == nil {
		err = seen.wrong(q.Neighbor)
	}
	if err == nil && !seen.kept {
		err = show.NotFound("what %s sends is not kept before policies: soft-reconfiguration = true keeps it; show bgp route neighbor %s has what was accepted", q.Neighbor, q.Neighbor)
	}
	page = ReceivedPage{Neighbor: neighborAddress(a, link, p), Partial: !seen.whole, Routes: []Received{}, Next: q.next(part)}
	for i := range list {
		if s := &list[i]; q.wants(s.Prefix) {
			page.Routes = append(page.Routes, Received{
				Prefix: s.Prefix, PathID: s.PathID, Attributes: attributesOf(&s.Attributes), Accepted: s.Accepted,
				Why: s.Why, Policy: s.Policy, Statement: s.Statement,
			})
		}
	}
	return page, err
}

func askAdvertised(ctx context.Context, p running.Protocol, q ExchangeQuery) (page AdvertisedPage, err error) {
	a, link, err := q.Neighbor.at(p)
	if err != nil {
		return page, err
	}
	part, seen := q.part(), met{}
	list, err := inPieces(ctx, p, part, func(c book, f wire.Family, after netip.Prefix, most int) ([]bgp.AdvertisedStatus, netip.Prefix) {
		list, x := c.AdvertisedPage(a, link, f, q.Prefix, after, most)
		seen.add(&x)
		return list, x.Next
	})
	if err == nil {
		err = seen.wrong(q.Neighbor)
	}
	page = AdvertisedPage{Neighbor: neighborAddress(a, link, p), Routes: []Advertised{}, Next: q.next(part)}
	for i := range list {
		if s := &list[i]; q.wants(s.Prefix) {
			page.Routes = append(page.Routes, Advertised{
				Prefix: s.Prefix, PathID: s.PathID, Attributes: attributesOf(&s.Attributes), From: s.From,
				Pending: s.Pending, Withdrawn: s.Withdrawn, Originated: s.Originated,
			})
		}
	}
	return page, err
}
