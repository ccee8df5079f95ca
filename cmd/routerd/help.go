package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"routerd/config"
)

// newHelpCommand is cobra's help command with a subcommand for the
// configuration.
func newHelpCommand(s *session, root *cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "help [COMMAND...]",
		Short: "Help on a command, or on a key of the configuration",
		Long:  "Help on a command, as its --help gives it. Help on a key of the configuration is below config.",
		Example: `  routerd help show route
  routerd help config rip.interface.NAME.passive`,
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			found, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 && found == root {
				if near := root.SuggestionsFor(args[0]); len(near) > 0 {
					return usagef("there is no command %q; did you mean %s?", args[0], strings.Join(near, " or "))
				}
				return usagef("there is no command %q", args[0])
			}
			return found.Help()
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
			var names []string
			if found, _, err := root.Find(args); err == nil {
				for _, c := range found.Commands() {
					if c.IsAvailableCommand() && strings.HasPrefix(c.Name(), begun) {
						names = append(names, c.Name()+"\t"+c.Short)
					}
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
	cmd.AddCommand(newHelpConfigCommand(s))
	return cmd
}

func newHelpConfigCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "config [KEY]",
		Short: "What a key or a table of the configuration is for",
		Long: `Print what the shipped example says of a key or a table of the configuration,
and what applies without the key. Without KEY, list the tables.

KEY is written with dots. Where a table has a name of your choice, NAME stands
for it; the name itself does too.`,
		Example: `  routerd help config
  routerd help config nat.source
  routerd help config rip.interface.NAME.passive`,
		Args: named,
		RunE: func(_ *cobra.Command, args []string) error {
			reference, err := config.LoadReference()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				printTables(s.out, reference)
				return nil
			}
			topic, err := reference.Find(args[0])
			if err != nil {
				return usageError{err}
			}
			printTopic(s.out, topic)
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
			reference, err := config.LoadReference()
			if err != nil || len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return reference.Complete(begun), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		},
	}
}

func printTables(w io.Writer, r *config.Reference) {
	fmt.Fprintf(w, "The tables of the configuration:\n\n")
	var lines [][2]string
	for _, t := range r.Tables() {
		lines = append(lines, [2]string{t.Name, t.Says()})
	}
	printPairs(w, lines)
	var above []string
	for _, t := range r.Above() {
		above = append(above, t.Name)
	}
	last := len(above) - 1
	fmt.Fprintf(w, "\nAbove the first table stand %s and %s.\n", strings.Join(above[:last], ", "), above[last])
	fmt.Fprintf(w, "routerd help config KEY says more of a table, or of a key in it.\n")
}

// printPairs prints words and their meanings in two columns.
func printPairs(w io.Writer, lines [][2]string) {
	width := 0
	for _, l := range lines {
		width = max(width, len(l[0]))
	}
	for _, l := range lines {
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("  %-*s  %s", width, l[0], l[1]), " "))
	}
}

// mostShown is the most places of the example that are printed for one key.
const mostShown = 4

func printTopic(w io.Writer, t *config.Topic) {
	fmt.Fprintln(w, t.Name)
	if t.Like != "" && len(t.Shown) > 0 && !t.Table {
		fmt.Fprintf(w, "means the same as %s:\n", t.Like)
	}
	shown := slices.DeleteFunc(slices.Clone(t.Shown), func(s config.Shown) bool { return !s.Explained(t) })
	if len(shown) == 0 {
		shown = t.Shown[:min(len(t.Shown), 1)]
	}
	for _, s := range shown[:min(len(shown), mostShown)] {
		fmt.Fprintln(w)
		for _, c := range s.Comment {
			fmt.Fprintln(w, strings.TrimRight("  "+c, " "))
		}
		if s.In != "" {
			fmt.Fprintf(w, "    %s\n", s.In)
		}
		fmt.Fprintf(w, "    %s\n", s.Line)
	}
	if t.Default != "" {
		fmt.Fprintf(w, "\nWithout it: %s\n", t.Default)
	}
	if len(t.Below) > 0 {
		fmt.Fprintf(w, "\nIn it:\n\n")
		var lines [][2]string
		for _, b := range t.Below {
			lines = append(lines, [2]string{strings.TrimPrefix(b.Name, t.Name+"."), b.Says()})
		}
		printPairs(w, lines)
	}
}
