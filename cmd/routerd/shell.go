package main

import (
	"cmp"
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"routerd/internal/control"
	"routerd/internal/localstack"
)

func newShellCommand(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "shell [command [argument...]]",
		Short: "Run a shell or a command on the router's own addresses",
		Long: `Run a shell, or the command given, in the network namespace of the router's
own TCP/IP stack: what listens there is served on the router's addresses, and
what is dialled from there comes from them. It needs root and a [local-stack]
in the configuration.`,
		Example: `  routerd shell
  routerd shell nc -l 8080
  routerd shell ping -c1 10.0.2.2`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var v control.Version
			err := s.ask(cmd.Context(), func(ctx context.Context, c *control.Client) (err error) {
				v, err = c.Version(ctx)
				return err
			})
			if err != nil {
				return err
			}
			if v.LocalStack == "" {
				return errors.New("this router has no TCP/IP stack of its own: [local-stack] in its configuration gives it one")
			}
			if len(args) == 0 {
				args = []string{cmp.Or(os.Getenv("SHELL"), "/bin/sh")}
			}
			return localstack.Exec(v.LocalStack, args)
		},
	}
	cmd.Flags().SetInterspersed(false) // flags after the command belong to it
	return cmd
}
