package main

import (
	"context"
	"fmt"
	"path"
	"reflect"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"routerd/internal/control"
	"routerd/internal/show"
)

// tree makes the commands of the nouns whose paths are one word longer than the
// path below; those of longer paths become their subcommands. Nouns without
// help have no command, and actions only below clear.
func (s *session) tree(below string, command func(*control.Noun) *cobra.Command) (commands []*cobra.Command) {
	nouns := control.Nouns()
	for i := range nouns {
		n := &nouns[i]
		word, ok := strings.CutPrefix(n.Path, below)
		action := n.Changes && !strings.HasPrefix(below, "clear/")
		switch {
		case !ok || action || n.Short == "" || strings.Contains(word, "/"):
		case n.Ask != nil:
			cmd := command(n)
			if further := s.tree(n.Path+"/", command); len(further) > 0 {
				ramify(cmd, further)
			}
			commands = append(commands, cmd)
		default:
			cmd := group(word, n.Short, s.tree(n.Path+"/", command)...)
			cmd.Long, cmd.Example = n.Long, n.Example
			commands = append(commands, cmd)
		}
	}
	return commands
}

// command makes the show command of a noun. preset is its query before the
// command line is read, nil for the zero query.
func (s *shower) command(n *control.Noun, preset any) *cobra.Command {
	query := preset
	if query == nil {
		query = n.NewQuery()
	}
	most := n.Usual
	cmd := s.newCommand(n, query, func(cmd *cobra.Command) error {
		if most < 0 {
			return usagef("--limit %d: wanted a number of rows, or 0 for all", most)
		}
		return s.show(cmd, n, query, most)
	})
	if n.Usual != 0 {
		cmd.Flags().IntVar(&most, "limit", most, "at most this `number` of rows; 0 for all")
	}
	return cmd
}

// clearCommand makes the command of an action.
func (s *session) clearCommand(n *control.Noun) *cobra.Command {
	return (&shower{session: s, format: formatTable}).actionCommand(n)
}

// newCommand makes a command that reads a noun's query and then runs.
func (s *session) newCommand(n *control.Noun, query any, run func(*cobra.Command) error) *cobra.Command {
	name := n.Command
	if name == "" {
		name = path.Base(n.Path)
	}
	cmd := &cobra.Command{
		Use: strings.TrimSpace(name + " " + n.Args), Aliases: n.Aliases, Short: n.Short, Long: n.Long, Example: n.Example,
		Args: cobra.MaximumNArgs(arguments(n.Args)),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, p := range n.Parameters() {
				if p.Alias != "" && cmd.Flags().Changed(p.Name) && cmd.Flags().Changed(p.Alias) {
					return usagef("--%s and --%s mean the same: wanted one of them", p.Name, p.Alias)
				}
			}
			if err := n.Arguments(query, args); err != nil {
				return usageError{err}
			}
			return run(cmd)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	for _, p := range n.Parameters() {
		switch {
		case p.API:
		case p.Argument:
			cmd.ValidArgsFunction = s.completion(&p, query)
		default:
			s.addFlag(cmd, &p, query)
		}
	}
	return cmd
}

// arguments returns the most arguments that a command may have by its use: an
// alternative of one word counts as one, "[for] ADDRESS" as two.
func arguments(use string) int {
	most := 0
	for alternative := range strings.SplitSeq(strings.Trim(use, "[]"), "|") {
		most = max(most, len(strings.Fields(alternative)))
	}
	return most
}

func (s *session) addFlag(cmd *cobra.Command, p *show.Parameter, query any) {
	usage := strings.NewReplacer("<", "`", ">", "`").Replace(p.Help)
	names := []string{p.Name}
	if p.Alias != "" {
		names = append(names, p.Alias)
	}
	for i, name := range names {
		if i > 0 {
			usage = "same as --" + p.Name
		}
		value := p.Flag(query)
		flag := cmd.Flags().VarPF(value, name, "", usage)
		if value.Switch() {
			flag.NoOptDefVal = "true"
		}
		cmd.RegisterFlagCompletionFunc(name, s.completion(p, query))
	}
}

// completion returns the shell completion of a parameter: the values that it
// knows, or the keys of the noun that it selects from.
func (s *session) completion(p *show.Parameter, query any) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		offered := p.Offered(query)
		if p.Complete != "" && !(p.Argument && len(args) > 0) {
			offered = s.keys(p.Complete)
		}
		return offered, cobra.ShellCompDirectiveNoFileComp
	}
}

// keys returns the keys of the rows of a noun, none if the router does not
// answer.
func (s *session) keys(path string) (keys []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	nouns := control.Nouns()
	for i := range nouns {
		if n := &nouns[i]; n.Path == path {
			s.ask(ctx, func(ctx context.Context, c *control.Client) error {
				answer, err := c.Ask(ctx, n, n.NewQuery())
				if err == nil {
					keys = show.Keys(answer)
				}
				return err
			})
		}
	}
	return keys
}

// familyCommand makes "show ip" and "show ipv6", which other routers have.
// Their subcommands are the nouns of one word that have a family.
func (s *shower) familyCommand(name string, family show.Family) *cobra.Command {
	var commands []*cobra.Command
	nouns := control.Nouns()
	for i := range nouns {
		n := &nouns[i]
		for _, p := range n.Parameters() {
			if p.Name != "family" || n.Changes || strings.Contains(n.Path, "/") {
				continue
			}
			query := n.NewQuery()
			p.Set(query, family.String())
			cmd := s.command(n, query)
			if n.Command == "arp" && family == 6 { // IPv6 has no ARP
				cmd.Use, cmd.Aliases = strings.Replace(cmd.Use, "arp", "neighbor", 1), nil
			} else if n.Command == "arp" {
				cmd.Aliases = nil
			}
			commands = append(commands, cmd)
		}
	}
	cmd := group(name, fmt.Sprintf("The same of IPv%d only: show %s route, show %s fib", family, name, name), commands...)
	cmd.Hidden = true
	return cmd
}

// copied returns a copy of a query that may be changed.
func copied(query any) any {
	c := reflect.New(reflect.TypeOf(query).Elem())
	c.Elem().Set(reflect.ValueOf(query).Elem())
	return c.Interface()
}
