package bfd

import (
	"context"
	"fmt"
	"net/netip"

	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/routing"
	"routerd/routing/bfd"
)

// core is what the nouns ask of a bfd.Machine.
type core interface {
	Sessions() []bfd.SessionInfo
	Stray() bfd.Refusals
	Summary() bfd.Summary
}

// Query chooses sessions. The zero query is all of them.
type Query struct {
	Peer      netip.Addr `query:"peer,arg"`
	Interface string     `query:"interface,complete=interface" help:"only those on the interface <NAME>"`
	Detail    bool       `query:"detail" help:"all that there is to say of each, in lines and not in a table"`
}

// Nouns are what BFD shows, and what it can be made to do.
func Nouns() []running.Noun {
	return []running.Noun{
		show.Spec[running.Protocol, Query, List]{
			Path: name,
			Help: show.Help{
				Args: "[PEER] [detail]", Short: "Its sessions with neighbors: state, intervals, and who asked for them",
				Long: `Its sessions with neighbors: state, intervals, and who asked for them.

AGAINST says that packets pass over the neighbor since its session is down.
TRANSMIT is the time between two packets that are sent, less up to a quarter;
DETECTION after how long a silent neighbor is taken for lost. REFUSED counts
packets that were not used; "show bfd detail" says why.`,
				Example: `  routerd show bfd
  routerd show bfd detail
  routerd show bfd 10.0.12.2 -o json
  routerd show bfd -w 1s`,
			},
			Ask:       running.Answered(name, sessions),
			Arguments: arguments,
			Nothing: func(q *Query) error {
				if q.Peer.IsValid() {
					return fmt.Errorf("bfd has no session with %s", q.Peer)
				}
				return nil
			},
			Draw: draw,
		}.Noun(),
		clearNoun(),
	}
}

// arguments reads those of the command line: a peer, and the word detail.
func arguments(q *Query, args []string) error {
	for _, arg := range args {
		if arg == "detail" {
			q.Detail = true
			continue
		}
		a, err := netip.ParseAddr(arg)
		if err != nil || a.Zone() != "" || q.Peer.IsValid() {
			return fmt.Errorf("%q: wanted the address of a peer, such as 10.0.0.1, and no more than detail", arg)
		}
		q.Peer = a
	}
	return nil
}

func draw(s *show.Screen, q *Query, l *List) {
	if !q.Detail {
		show.Rows(s, l.Sessions)
		return
	}
	for i := range l.Sessions {
		if i > 0 {
			fmt.Fprintln(s)
		}
		l.Sessions[i].draw(s)
	}
}

// OnInterface implements running.Query.
func (q Query) OnInterface() string { return q.Interface }

// chosen gives the sessions that a question is about.
func chosen(c core, q *running.Question[Query]) (list []bfd.SessionInfo) {
	for _, x := range c.Sessions() {
		if q.Chooses(x.Link) && (!q.Query.Peer.IsValid() || q.Query.Peer == x.Address) {
			list = append(list, x)
		}
	}
	return list
}

func sessions(c core, q *running.Question[Query]) (list List) {
	for _, x := range chosen(c, q) {
		list.Sessions = append(list.Sessions, sessionOf(&x, q.Protocol, q.Now))
	}
	stray := c.Stray()
	list.Stray = refusalsOf(&stray)
	return list
}

// clearNoun sets counters to zero. It hands the machine a Clear as any other
// input, after a look at what that takes.
func clearNoun() running.Noun {
	type count struct {
		on      routing.InterfaceID
		cleared int
	}
	return show.Spec[running.Protocol, Query, ClearResult]{
		Path: "clear/" + name, Changes: true, Without: []string{"detail"},
		Help: show.Help{Args: "[PEER]", Short: "Set the counters of sessions to zero; no session changes its state"},
		Ask: func(ctx context.Context, p running.Protocol, q Query) (out ClearResult, err error) {
			n, err := running.Answered(name, func(c core, q *running.Question[Query]) count { return count{q.On, len(chosen(c, q))} })(ctx, p, q)
			if err != nil {
				return out, err
			}
			return ClearResult{n.cleared}, running.Tell(ctx, p, name, bfd.Clear{Link: n.on, Address: q.Peer})
		},
		Draw: func(s *show.Screen, _ *Query, r *ClearResult) {
			fmt.Fprintf(s, "sessions cleared: %d\n", r.Cleared)
		},
	}.Noun()
}
