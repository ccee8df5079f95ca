package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"routerd/internal/control"
	"routerd/internal/show"
)

func newDiffCommand(s *session) *cobra.Command {
	var out format
	cmd := &cobra.Command{
		Use:   "diff",
		Short: "Show what a reload would change",
		Long: `Compare the configuration file with what the router runs, and show what a
reload would change, and what that does to sessions of protocols that run. A file
with errors is reported as routerd check does.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.ask(cmd.Context(), func(ctx context.Context, c *control.Client) error {
				d, err := c.Diff(ctx)
				switch {
				case err != nil:
					return err
				case out == formatJSON:
					return show.Encode(s.out, d)
				}
				p := s.screen(out == formatWide)
				drawProblems(p, d.Warnings)
				if len(d.Changes) == 0 {
					fmt.Fprintln(p, "no difference: the router runs what the file says")
				}
				drawChanges(p, d.Changes)
				for _, e := range d.Effects {
					fmt.Fprintf(p, "%s: %s\n", e.Protocol, e.Text)
				}
				return nil
			})
		},
	}
	addFormat(cmd, &out)
	return cmd
}

func newReloadCommand(s *session) *cobra.Command {
	var out format
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Apply the configuration file anew",
		Long: `Make the router read its configuration file and apply it: all of it, or, where
anything is wrong with it, nothing. Ports that do not change lose no packet.
It takes the role admin, which root and the user that the router runs as have,
and to whom [api.role] gives it.`,
		Example: `  routerd diff && routerd reload`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.ask(cmd.Context(), func(ctx context.Context, c *control.Client) error {
				r, err := c.Reload(ctx)
				var refused *control.Error
				switch {
				case errors.As(err, &refused):
					return fmt.Errorf("reload refused, nothing changed: %w", err)
				case err != nil:
					return err
				case out == formatJSON:
					return show.Encode(s.out, r)
				}
				p := s.screen(out == formatWide)
				drawProblems(p, r.Warnings)
				drawChanges(p, r.Changes)
				fmt.Fprintf(p, "reloaded: %s, generation %d\n", show.Plural(len(r.Changes), "change", "changes"), r.Generation)
				return nil
			})
		},
	}
	addFormat(cmd, &out)
	return cmd
}

// drawChanges prints the changes, each with a sign as in the output of diff.
func drawChanges(p *show.Screen, changes []control.Change) {
	for _, c := range changes {
		sign, colour, what := "~", show.Plain, c.Old+" -> "+c.New
		switch c.Kind {
		case "added":
			sign, colour, what = "+", show.Good, c.New
		case "removed":
			sign, colour, what = "-", show.Bad, c.Old
		}
		line := sign + " " + c.Path
		if what != "" {
			line += ": " + what
		}
		fmt.Fprint(p, p.Paint(line, colour))
		if c.Impact != "" {
			fmt.Fprintf(p, "  (%s)", c.Impact)
		}
		if c.Origin != "" {
			fmt.Fprint(p, "  "+p.Paint(c.Origin, show.Faint))
		}
		fmt.Fprintln(p)
	}
}

// drawProblems prints warnings, each followed by a blank line.
func drawProblems(p *show.Screen, problems []control.Problem) {
	for _, w := range problems {
		fmt.Fprintf(p, "%s\n\n", strings.TrimRight(w.Text, "\n"))
	}
}
