package bgp

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/routing/bgp"
)

// core has the methods of bgp.Machine that the nouns use.
type core interface {
	Status() bgp.Status
	Neighbors() []bgp.NeighborStatus
	book
}

// Nouns are what BGP shows, and what it can be made to do.
func Nouns() []running.Noun {
	return []running.Noun{
		summaryNoun(name), summaryNoun(name + "/summary"), neighborNoun(),
		receivedNoun("received", false), receivedNoun("filtered", true), advertisedNoun(), routeNoun(), attributesNoun(),
		show.Heading[running.Protocol]("clear/"+name, show.Help{Short: "Begin sessions anew, or have routes sent again"}),
		clearNeighborNoun(),
	}
}

// nothing is a query of nothing.
type nothing struct{}

// OnInterface implements running.Query.
func (nothing) OnInterface() string { return "" }

// since is the seconds since a time, 0 since none.
func since(at, now time.Time) float64 {
	if at.IsZero() {
		return 0
	}
	return now.Sub(at).Seconds()
}

// NeighborName is the address of a neighbour, with its interface if it is link-local.
type NeighborName string

// Set implements show.Value.
func (n *NeighborName) Set(text string) error {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return errors.New("wanted the address of a neighbor, such as 192.0.2.1 or fe80::1%core0")
	}
	*n = NeighborName(a.String())
	return nil
}

func (n *NeighborName) String() string { return string(*n) }

// is reports whether the name is that of a neighbour. The empty one is that of all.
func (n NeighborName) is(x *bgp.NeighborStatus) bool {
	return n == "" || n == NeighborName(zoned(x.Address, x.Interface).String())
}

// zoned is an address with its interface, if it is link-local.
func zoned(a netip.Addr, on string) netip.Addr {
	if on == "" {
		return a
	}
	return a.WithZone(on)
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
