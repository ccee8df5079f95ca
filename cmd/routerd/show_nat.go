package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"routerd/internal/control"
)

func newShowNATCommand(s *shower) *cobra.Command {
	cmd := group("nat", "Translated sessions, the hosts and rules they belong to, and the ports in use",
		newShowNATSessionCommand(s), newShowNATHostCommand(s), newShowNATRuleCommand(s), newShowNATPoolCommand(s))
	cmd.Long = `Translated sessions, the inside hosts and rules they belong to, and the ports in use.

Each inside host:port keeps one outside port (the same number if it is free), and
only peers that it contacted may reply, unless mapping and filtering in [nat] say
otherwise. Sessions belong to a rule by its name: renaming the rule ends them.`
	cmd.Example = `  routerd show nat session
  routerd show nat session --inside 10.1.0.11 --protocol tcp
  routerd show nat session --remote :443 --limit 20 -o wide
  routerd show nat host
  routerd show nat rule
  routerd show nat pool -w 1s`
	return cmd
}

// parsedFlag is a flag that a function reads, whose error says what is wanted.
type parsedFlag[T interface {
	comparable
	fmt.Stringer
}] struct {
	value *T
	parse func(string) (T, error)
	name  string // of what it takes
}

func (f parsedFlag[T]) Set(text string) (err error) {
	v, err := f.parse(text)
	if err == nil {
		*f.value = v
	}
	return err
}

func (f parsedFlag[T]) String() string {
	var none T
	if f.value == nil || *f.value == none {
		return ""
	}
	return (*f.value).String()
}

func (f parsedFlag[T]) Type() string { return f.name }

// addNATFlags adds what chooses sessions.
func addNATFlags(s *session, cmd *cobra.Command, q *control.NATQuery) {
	flags := cmd.Flags()
	flags.Var(parsedFlag[control.NATProtocol]{&q.Protocol, control.ParseNATProtocol, "protocol"}, "protocol", "only of this `protocol`, by name or number")
	for _, f := range []struct {
		name, usage string
		value       *control.NATFilter
	}{
		{"inside", "only of this inside `endpoint`: an address, a prefix, :port, or both", &q.Inside},
		{"outside", "only by this outside `endpoint`, likewise", &q.Outside},
		{"remote", "only with this remote `endpoint`, likewise", &q.Remote},
	} {
		flags.Var(parsedFlag[control.NATFilter]{f.value, control.ParseNATFilter, "endpoint"}, f.name, f.usage)
	}
	flags.Uint16Var(&q.Port, "port", 0, "only with this `port` on either side, before or behind translation")
	flags.StringVar(&q.Rule, "rule", "", "only by the rule `NAME`")
	cmd.RegisterFlagCompletionFunc("protocol", cobra.FixedCompletions([]string{"tcp", "udp", "icmp"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RegisterFlagCompletionFunc("rule", completeNAT(s, (*control.Client).NATRules, ruleNames))
}

// completeNAT offers names from an answer to a shell.
func completeNAT[T any](s *session, ask func(*control.Client, context.Context) (T, error), names func(T) []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		var offered []string
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		s.ask(ctx, func(ctx context.Context, c *control.Client) error { // without an answer there is nothing to offer
			answer, err := ask(c, ctx)
			offered = names(answer)
			return err
		})
		return offered, cobra.ShellCompDirectiveNoFileComp
	}
}

// usualSessions are shown unless more are asked for: a table may have a
// million.
const usualSessions = 1000

func newShowNATSessionCommand(s *shower) *cobra.Command {
	var q control.NATQuery
	limit := usualSessions
	cmd := &cobra.Command{
		Use:     "session",
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
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 0 {
				return usagef("--limit %d: wanted a number of sessions, or 0 for all", limit)
			}
			return show(cmd, s, func(ctx context.Context, c *control.Client) (control.NATSessionPage, error) {
				page, err := someNATSessions(ctx, c, q, limit)
				if err == nil && page.Next != 0 && s.format == formatJSON {
					fmt.Fprintf(s.err, "routerd: %s\n", moreSessions(page))
				}
				return page, err
			}, drawNATSessions)
		},
	}
	addNATFlags(s.session, cmd, &q)
	cmd.Flags().IntVar(&limit, "limit", limit, "at most this `number` of sessions; 0 for all")
	return cmd
}

// someNATSessions walks the table page by page, up to limit sessions; 0 for
// all. What it gives has a Next only if there is more to give.
func someNATSessions(ctx context.Context, c *control.Client, q control.NATQuery, limit int) (control.NATSessionPage, error) {
	all := control.NATSessionPage{Sessions: []control.NATSession{}}
	for {
		left := limit - len(all.Sessions)
		switch {
		case limit == 0:
		case left > 0:
			q.Limit = min(left, control.MaxPage)
		default:
			q.Limit = 1 // is there one more?
		}
		page, err := c.NATSessions(ctx, q)
		if err != nil {
			return all, err
		}
		if limit != 0 && left == 0 && len(page.Sessions) > 0 {
			return all, nil
		}
		all.Sessions, all.Total, all.Next = append(all.Sessions, page.Sessions...), page.Total, page.Next
		if q.After = page.Next; q.After == 0 {
			return all, nil
		}
	}
}

func moreSessions(page control.NATSessionPage) string {
	return fmt.Sprintf("there are more, of %d in the table; --limit 0 shows all", page.Total)
}

func drawNATSessions(p *paper, page control.NATSessionPage) {
	t := table{columns: []column{
		{name: "proto"},
		{name: "inside"},
		{name: "outside"},
		{name: "remote"},
		{name: "seen as", optional: true, wide: true},
		{name: "begun by", wide: true},
		{name: "state", optional: true},
		{name: "age", right: true, wide: true},
		{name: "expires", right: true},
		{name: "packets", right: true, wide: true},
		{name: "bytes", right: true, wide: true},
		{name: "rule"},
	}}
	for i := range page.Sessions {
		x := &page.Sessions[i]
		seen := ""
		if x.RemoteSeen.Address.IsValid() {
			seen = x.RemoteSeen.String()
		}
		state := cell{text: x.State}
		switch x.State {
		case "established":
			state.style = good
		case "reset":
			state.style = bad
		}
		rule := cell{text: strings.Join(x.Rules, ", ")}
		if len(x.Rules) == 0 {
			rule = cell{"(own)", faint}
		}
		t.add(x.Protocol, x.Inside.String(), x.Outside.String(), x.Remote.String(), seen, x.BegunBy, state, p.seconds(x.Age), p.seconds(x.Expires), p.amount(x.Packets), p.amount(x.Bytes), rule)
	}
	t.draw(p)
	if page.Next != 0 {
		fmt.Fprintln(p, p.paint(moreSessions(page), faint))
	}
}

func newClearNATCommand(s *session) *cobra.Command {
	return group("nat", "End translated sessions", newClearNATSessionCommand(s))
}

func newClearNATSessionCommand(s *session) *cobra.Command {
	var q control.NATQuery
	var all bool
	cmd := &cobra.Command{
		Use:     "session",
		Aliases: []string{"sessions"},
		Short:   "End translated sessions, and give their ports back",
		Long: `End the sessions that all the filters match, and give their ports back. What
goes on being sent from inside gets a new session where that is possible, most
likely with another port.`,
		Example: `  routerd clear nat session --inside 10.1.0.11
  routerd clear nat session --protocol udp --remote :53
  routerd clear nat session --all`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case all && q != control.NATQuery{}:
				return usagef("--all and a filter: wanted one of them")
			case !all && q == control.NATQuery{}:
				return usagef("which sessions? A filter chooses some, --all every one")
			}
			return s.ask(cmd.Context(), func(ctx context.Context, c *control.Client) error {
				r, err := c.ClearNAT(ctx, q)
				if err == nil {
					fmt.Fprintf(s.out, "sessions ended: %d\n", r.Cleared)
				}
				return err
			})
		},
	}
	addNATFlags(s, cmd, &q)
	cmd.Flags().BoolVar(&all, "all", false, "every session")
	return cmd
}
