package ospf

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/routing"
	"routerd/routing/ospf"
	"routerd/routing/ospf/wire"
)

// LSAQuery selects LSAs. The zero query selects all.
type LSAQuery struct {
	Type      LSType     `query:"type" help:"only LSAs of the <type>: router, network, summary ..."`
	ID        netip.Addr `query:"id" help:"only LSAs with this link state <ID>"`
	Router    netip.Addr `query:"router" help:"only LSAs of the <router>"`
	Area      netip.Addr `query:"area" help:"only LSAs of the area, as four numbers: <0.0.0.0>"`
	Interface string     `query:"interface,complete=ospf/interface" help:"only LSAs that do not leave the link of the interface <NAME>"`
	Detail    bool       `query:"detail" help:"all that there is to say of each, in lines and not in a table"`
	After     Cursor     `query:"after,api"`           // the page after this LSA: LSAPage.Next
	Limit     int        `query:"limit,api,max=10000"` // most LSAs of a page; 0 = the router's default
}

// OnInterface implements running.Query.
func (q LSAQuery) OnInterface() string { return q.Interface }

// LSType is a type of LSAs in a query.
type LSType string

// Set implements show.Value.
func (t *LSType) Set(text string) error {
	if !slices.Contains(t.Offered(), text) {
		return errors.New("wanted one of " + strings.Join(t.Offered(), ", "))
	}
	*t = LSType(text)
	return nil
}

func (t *LSType) String() string { return string(*t) }

// Offered implements show.Offering.
func (*LSType) Offered() (words []string) {
	for _, t := range lsaTypes {
		words = append(words, t.String())
	}
	return words
}

// typeNamed gives the type of a word, 0 if there is none.
func typeNamed(word string) wire.LSType {
	for _, t := range lsaTypes {
		if t.String() == word {
			return t
		}
	}
	return 0
}

// Cursor is the place of an LSA: its scope, area, link, type, ID and router, with a
// slash between.
type Cursor string

func cursorOf(k ospf.LSAKey) Cursor {
	return Cursor(fmt.Sprintf("%v/%v/%d/%v/%v/%v", k.Scope, k.Area, k.Link, k.Type, k.ID, k.Router))
}

// key reads the cursor.
func (c Cursor) key() (k ospf.LSAKey, ok bool) {
	parts := strings.Split(string(c), "/")
	if len(parts) != 6 {
		return k, false
	}
	scope := slices.Index([]string{ospf.ScopeAS.String(), ospf.ScopeArea.String(), ospf.ScopeLink.String()}, parts[0])
	link, err := strconv.ParseUint(parts[2], 10, 16)
	k.Scope, k.Link, k.Type = ospf.Scope(scope), routing.InterfaceID(link), typeNamed(parts[3])
	ok = scope >= 0 && err == nil && k.Type != 0
	for _, x := range []struct {
		text string
		to   *wire.ID
	}{{parts[1], &k.Area}, {parts[4], &k.ID}, {parts[5], &k.Router}} {
		id, err := dotted(x.text)
		*x.to, ok = id, ok && err == nil
	}
	return k, ok
}

// LSAPage is a page of the databases. Only a page without Next is the last.
type LSAPage struct {
	LSAs []LSA  `json:"lsas" show:",rows"`
	Next Cursor `json:"next,omitzero"`
}

func databaseNoun() running.Noun {
	return show.Spec[running.Protocol, LSAQuery, LSAPage]{
		Path: name + "/database",
		Help: show.Help{
			Args:  "[TYPE] [ID] [detail]",
			Short: "The LSAs that it has, of the AS, of each area and of each link",
			Long: `The LSAs that it has, of the AS, of each area and of each link.

TYPE is router, network, summary, asbr-summary, external, nssa-external,
opaque-link, opaque-area or opaque-as; ID is a link state ID. With detail it says
what is in them.`,
			Example: `  routerd show ospf database
  routerd show ospf database router detail
  routerd show ospf database external --router 10.255.0.2`,
		},
		Ask:       running.Answered(name, database),
		Arguments: databaseArguments,
		Check: func(q *LSAQuery) error {
			if _, ok := q.After.key(); q.After != "" && !ok {
				return show.BadRequest("parameter after is %q, wanted the next of a page", q.After)
			}
			return nil
		},
		Drawn: func(q *LSAQuery) bool { return q.Detail },
		Draw: func(s *show.Screen, q *LSAQuery, p *LSAPage) {
			if q.After != "" && len(p.LSAs) > 0 {
				fmt.Fprintln(s)
			}
			blocks(s, p.LSAs, func(l *LSA) { l.draw(s) })
		},
	}.Noun()
}

// databaseArguments reads a type, an ID and the word detail.
func databaseArguments(q *LSAQuery, args []string) error {
	for _, arg := range args {
		a, err := netip.ParseAddr(arg)
		switch {
		case arg == "detail" && !q.Detail:
			q.Detail = true
		case err == nil && a.Is4() && !q.ID.IsValid():
			q.ID = a
		case q.Type == "" && !q.ID.IsValid():
			if err := q.Type.Set(arg); err != nil {
				return fmt.Errorf("%q: %w, and an ID such as 10.0.0.1", arg, err)
			}
		default:
			return fmt.Errorf("%q: wanted a type, an ID such as 10.0.0.1, and detail", arg)
		}
	}
	return nil
}

func database(c core, q *running.Question[LSAQuery]) (page LSAPage) {
	limit := running.Limit(q.Query.Limit)
	f := ospf.LSAFilter{Area: idOf(q.Query.Area), ID: idOf(q.Query.ID), Router: idOf(q.Query.Router)}
	if t := typeNamed(string(q.Query.Type)); t != 0 {
		f.Types = []wire.LSType{t}
	}
	if q.On != routing.NoInterface {
		f.Link = &q.On
	}
	if k, ok := q.Query.After.key(); ok {
		f.After = &k
	}
	list := c.LSAs(q.Now, f, limit)
	for i := range list {
		page.LSAs = append(page.LSAs, lsaOf(&list[i], q))
	}
	if len(list) == limit {
		page.Next = cursorOf(list[limit-1].LSAKey)
	}
	return page
}
