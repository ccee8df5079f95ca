package ospf

import (
	"fmt"
	"net/netip"
	"time"

	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/routing"
	"routerd/routing/ospf"
	"routerd/routing/ospf/wire"
)

// core has the methods of ospf.Machine that the nouns use.
type core interface {
	Summary(now time.Time) ospf.Summary
	Interfaces() []ospf.InterfaceInfo
	Neighbors() []ospf.NeighborInfo
	LSAs(now time.Time, f ospf.LSAFilter, limit int) []ospf.LSAInfo
	Routes(after netip.Prefix, limit int) []ospf.RouteInfo
	Route(p netip.Prefix) (ospf.RouteInfo, bool)
	Trace(p netip.Prefix) []ospf.TracedWay
	Discards(p netip.Prefix) (area wire.ID, ok bool)
	BorderRouters() []ospf.BorderInfo
	Tree(area wire.ID) []ospf.TreeNode
}

// Nouns are what OSPF shows, and what it can be made to do.
func Nouns() []running.Noun {
	return []running.Noun{
		overviewNoun(), neighborNoun(), interfaceNoun(), databaseNoun(), routeNoun(), borderNoun(), treeNoun(),
		show.Heading[running.Protocol]("clear/"+name, show.Help{Short: "Form adjacencies anew, or set counters to zero"}),
		clearNeighborNoun(), clearCountersNoun(),
	}
}

// address is a number of four octets as it is written, the zero Addr for 0 where
// that stands for none.
func address(id wire.ID) netip.Addr {
	if id == 0 {
		return netip.Addr{}
	}
	return id.Addr()
}

// idOf gives the number of an address in a query, nil for none.
func idOf(a netip.Addr) *wire.ID {
	if !a.Is4() {
		return nil
	}
	id := wire.IDOf(a)
	return &id
}

// linkName is what an interface is called, or a virtual link to a router.
func linkName(id routing.InterfaceID, name string, peer wire.ID) string {
	if id == routing.NoInterface {
		return "virtual link " + peer.String()
	}
	return name
}

// Count is how often something happened, or how many there are of a kind. All kinds
// are listed, also those that never happened.
type Count struct {
	Kind  string `json:"kind"`
	Count uint64 `json:"count"`
}

// Counts are counts of all kinds. A table shows their sum.
type Counts []Count

func (c Counts) sum() (sum uint64) {
	for _, n := range c {
		sum += n.Count
	}
	return sum
}

// Cell implements show.Celled.
func (c Counts) Cell(s *show.Screen) show.Cell { return show.Cell{Text: s.Amount(c.sum())} }

// some are the counts that are not 0, in words.
func (c Counts) some() string {
	text := ""
	for _, n := range c {
		if n.Count == 0 {
			continue
		}
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf("%d %s", n.Count, n.Kind)
	}
	if text == "" {
		return "none"
	}
	return text
}

// Refusals are counts of what was refused.
type Refusals Counts

// Cell implements show.Celled.
func (r Refusals) Cell(s *show.Screen) show.Cell {
	c := Counts(r).Cell(s)
	if Counts(r).sum() > 0 {
		c.Style = show.Bad
	}
	return c
}

// since is the seconds since a time, 0 since none.
func since(at, now time.Time) float64 {
	if at.IsZero() {
		return 0
	}
	return now.Sub(at).Seconds()
}

// until is the seconds to a time, 0 to none.
func until(at, now time.Time) float64 {
	if at.IsZero() {
		return 0
	}
	return max(at.Sub(now), 0).Seconds()
}

// line draws one thing that there is to say of something.
func line(to *show.Screen, name, format string, values ...any) {
	fmt.Fprintf(to, "  %-16s %s\n", name, fmt.Sprintf(format, values...))
}

// blocks draws each of a list by itself, with a blank line between.
func blocks[T any](to *show.Screen, list []T, draw func(*T)) {
	for i := range list {
		if i > 0 {
			fmt.Fprintln(to)
		}
		draw(&list[i])
	}
}
