package bgp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/routing"
	"routerd/routing/bgp"
	"routerd/routing/bgp/wire"
)

// ClearNeighborQuery selects the neighbours that are cleared. The zero query ends the
// sessions with all.
type ClearNeighborQuery struct {
	Neighbor NeighborName `query:"neighbor,arg,complete=bgp/neighbor"` // its address, with its interface if that is link-local
	// Soft has routes sent again, and no session end: "in" those of the neighbour, "out"
	// those that it is sent, "both".
	Message Message `query:"message" help:"what the neighbor is told of the reason (RFC 9003)"`
	Soft    Soft    `query:"soft" help:"have routes sent again and no session end: those that come <in>, those that go out, or both"`
}

// OnInterface implements running.Query.
func (ClearNeighborQuery) OnInterface() string { return "" }

// Message is what a neighbour is told of the reason for the end of its session.
type Message string

// Set implements show.Value.
func (m *Message) Set(text string) error {
	if len(text) > wire.MaxShutdownMessage {
		return fmt.Errorf("%d bytes, wanted at most %d", len(text), wire.MaxShutdownMessage)
	}
	*m = Message(text)
	return nil
}

func (m *Message) String() string { return string(*m) }

// Soft is a direction of routes.
type Soft string

var softWords = []string{"in", "out", "both"}

// Set implements show.Value.
func (s *Soft) Set(text string) error {
	for _, w := range softWords {
		if w == text {
			*s = Soft(text)
			return nil
		}
	}
	return errors.New("wanted in, out or both")
}

func (s *Soft) String() string { return string(*s) }

// Offered implements show.Offering.
func (*Soft) Offered() []string { return softWords }

// ClearResult is what a clear has done.
type ClearResult struct {
	Cleared int `json:"cleared"` // neighbours
}

// clearNeighborNoun ends sessions, which begin again, or has routes sent again.
func clearNeighborNoun() running.Noun {
	return show.Spec[running.Protocol, ClearNeighborQuery, ClearResult]{
		Path: "clear/" + name + "/neighbor", Changes: true,
		Help: show.Help{
			Args:  "[ADDRESS] [soft [in|out]]",
			Short: "End the session with a neighbor or with all; it begins again. With soft, routes are sent again instead",
		},
		Arguments: clearArguments,
		Ask:       clearNeighbors,
		Draw: func(s *show.Screen, q *ClearNeighborQuery, r *ClearResult) {
			what := "sessions ended"
			if q.Soft != "" {
				what = "neighbors whose routes are sent again"
			}
			fmt.Fprintf(s, "%s: %d\n", what, r.Cleared)
		},
	}.Noun()
}

// clearArguments reads a neighbour, and the words soft, in and out.
func clearArguments(q *ClearNeighborQuery, args []string) error {
	for i, arg := range args {
		switch {
		case arg == "soft" && q.Soft == "":
			q.Soft = "both"
			continue
		case (arg == "in" || arg == "out") && i > 0 && args[i-1] == "soft":
			q.Soft = Soft(arg)
			continue
		}
		if q.Neighbor != "" {
			return fmt.Errorf("%q: wanted the address of one neighbor, and soft, soft in or soft out", arg)
		}
		if err := q.Neighbor.Set(arg); err != nil {
			return fmt.Errorf("%q: %w", arg, err)
		}
	}
	return nil
}

func clearNeighbors(ctx context.Context, p running.Protocol, q ClearNeighborQuery) (out ClearResult, err error) {
	all, err := running.Ask(ctx, p, name, func(c core, _ time.Time) []bgp.NeighborStatus { return c.Neighbors() })
	if err != nil {
		return out, err
	}
	in := bgp.Clear{Message: string(q.Message), Soft: q.Soft != "", In: q.Soft == "in" || q.Soft == "both", Out: q.Soft == "out" || q.Soft == "both"}
	for _, n := range all {
		if !q.Neighbor.is(&n) {
			continue
		}
		in.Address, in.Link = n.Address, routing.NoInterface
		if n.Interface != "" {
			in.Link = n.Link
		}
		if err := running.Tell(ctx, p, name, in); err != nil {
			return out, err
		}
		out.Cleared++
	}
	if out.Cleared == 0 && q.Neighbor != "" {
		return out, show.NotFound("bgp has no neighbor %s", q.Neighbor)
	}
	return out, nil
}
