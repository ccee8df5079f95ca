package main

import (
	"context"

	"github.com/spf13/cobra"

	"routerd/internal/control"
	"routerd/internal/show"
)

func newTokenCommand(s *session) *cobra.Command {
	sh := &shower{session: s}
	var commands []*cobra.Command
	nouns := control.Nouns()
	for i := range nouns {
		switch n := &nouns[i]; n.Path {
		case "token":
			list := sh.command(n, nil)
			list.Use, list.Aliases, list.Example = "list", nil, "  routerd token list"
			commands = append(commands, list)
		case "token/add", "token/revoke":
			commands = append(commands, sh.actionCommand(n))
		}
	}
	cmd := group("token", "Make, list and end the tokens that open the API over HTTPS", commands...)
	cmd.Long = `Make, list and end the tokens that open the API over HTTPS. It takes the role
admin: root has it, through the router's socket.`
	cmd.Example = `  routerd token add grafana
  routerd token list
  routerd token revoke k3v9q2xa`
	addFormat(cmd, &sh.format)
	return cmd
}

// actionCommand makes the command of an action, which prints its answer.
func (s *shower) actionCommand(n *control.Noun) *cobra.Command {
	query := n.NewQuery()
	return s.newCommand(n, query, func(cmd *cobra.Command) error {
		return s.ask(cmd.Context(), func(ctx context.Context, c *control.Client) error {
			answer, err := c.Ask(ctx, n, query)
			switch {
			case err != nil:
				return err
			case s.format == formatJSON:
				return show.Encode(s.out, answer)
			}
			n.Draw(s.screen(s.format == formatWide), query, answer)
			return nil
		})
	})
}
