package bgp

import (
	"context"
	"fmt"
	"time"

	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/routing/bgp"
)

// SetQuery asks for a part of the sets.
type SetQuery struct {
	After int `query:"after,api"`           // the page after this set: SetPage.Next
	Limit int `query:"limit,api,max=10000"` // most sets of a page; 0 = the router's default
}

// SetPage is a page of the sets of attributes, and how much memory all of them have.
type SetPage struct {
	Sets   int   `json:"sets"`   // all of them, however many the page has
	Octets int   `json:"octets"` // as attributes are on the wire
	List   []Set `json:"attributes" show:",rows"`
	Next   int   `json:"next,omitzero"`
}

// Set is attributes that routes share.
type Set struct {
	Number int `json:"number" show:"set,right,wide"` // another set gets it when nothing uses this one
	Users  int `json:"users" show:"users,right"`     // routes, and what was chosen of them
	Octets int `json:"octets" show:"octets,right"`
	Attributes
}

// setRow is a set in a table.
type setRow struct {
	Number      int    `show:"set,right,wide"`
	Users       int    `show:"users,right"`
	Octets      int    `show:"octets,right"`
	Hop         string `show:"next hop"`
	Pref        uint32 `show:"pref,right"`
	MED         string `show:"med,right,optional"`
	Path        string `show:"as path"`
	Communities string `show:"communities,optional"`
}

// Drawn implements show.Drawn.
func (x *Set) Drawn(*show.Screen) any {
	return &setRow{x.Number, x.Users, x.Octets, x.hop(), x.pref(), number(x.MED), x.path(), x.all()}
}

// DrawHead implements show.Header.
func (p *SetPage) DrawHead(s *show.Screen) {
	fmt.Fprintf(s, "%s of attributes, %s\n\n", show.Plural(p.Sets, "set", "sets"), memory(s, p.Octets))
}

// More implements show.Partial.
func (p *SetPage) More() string {
	return fmt.Sprintf("there are more, of %d; --limit 0 shows all", p.Sets)
}

func attributesNoun() running.Noun {
	return show.Spec[running.Protocol, SetQuery, SetPage]{
		Path:  name + "/attributes",
		Usual: 100,
		Help: show.Help{
			Short: "The sets of attributes that routes share, how many use them, and their memory",
			Long: `The sets of attributes that routes share, how many use them, and their memory.

Routes with the same attributes have one set. USERS are routes, and what was chosen
of them for a prefix; OCTETS is how long the attributes are on the wire.`,
		},
		Ask: askSets,
	}.Noun()
}

func askSets(ctx context.Context, p running.Protocol, q SetQuery) (page SetPage, err error) {
	after, most := uint32(q.After), running.Limit(q.Limit)
	var list []bgp.AttributesStatus
	for range pieces {
		piece, asked := running.Ask(ctx, p, name, func(c core, _ time.Time) []bgp.AttributesStatus {
			s := c.Status()
			page.Sets, page.Octets = s.Sets, s.SetOctets
			list, next := c.AttributesPage(after, most)
			page.Next = int(next)
			return list
		})
		list, err = append(list, piece...), asked
		most -= len(piece)
		if after = uint32(page.Next); err != nil || after == 0 || most <= 0 {
			break
		}
	}
	page.List = []Set{}
	for i := range list {
		s := &list[i]
		page.List = append(page.List, Set{int(s.Number), s.Uses, s.Octets, attributesOf(&s.Attributes)})
	}
	return page, err
}
