package main

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"routerd/internal/lab"
)

func newLabCommand(s *session) *cobra.Command {
	cmd := group("lab", "Build a network of namespaces and routers on this machine",
		newLabUpCommand(s), newLabDownCommand(s), newLabExecCommand(s), newLabTestCommand(s), newLabGraphCommand(s))
	cmd.Long = `Build the network that a topology file describes: hosts and switches are network
namespaces, routers are processes of routerd, each with a socket of its own; BIRD and
FRR run in namespaces where they are installed. Needs root.`
	cmd.Example = `  routerd lab up demo.toml
  routerd lab exec demo.toml h1 ping 10.0.2.2
  routerd lab exec demo.toml r1 routerd show route
  routerd lab test demo.toml
  routerd lab graph demo.toml
  routerd lab down demo.toml`
	return cmd
}

// inLab loads the topology and calls f, with a context that ends when the
// user interrupts.
func inLab(cmd *cobra.Command, file string, f func(context.Context, *lab.Lab) error) error {
	l, err := lab.Load(file, lab.Options{})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	return f(ctx, l)
}

func newLabUpCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "up TOPOLOGY.toml",
		Short: "Make what of the lab is not there yet",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return inLab(cmd, args[0], func(ctx context.Context, l *lab.Lab) error { return l.Up(ctx, s.out) })
		},
	}
}

func newLabDownCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "down TOPOLOGY.toml",
		Short: "End and remove everything of the lab",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return inLab(cmd, args[0], func(ctx context.Context, l *lab.Lab) error { return l.Down(ctx, s.out) })
		},
	}
}

func newLabExecCommand(_ *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "exec TOPOLOGY.toml NODE COMMAND...",
		Short: "Run a command on a node",
		Long: `Run a command on a node: inside the node's namespace; for a router, with
` + "`routerd`" + ` asking that router, for BIRD and FRR with birdc and vtysh asking theirs.`,
		Example: `  routerd lab exec demo.toml h1 ping -c 3 10.0.2.2
  routerd lab exec demo.toml r1 routerd show drops
  routerd lab exec peers.toml b1 birdc show route`,
		Args: cobra.MinimumNArgs(3),
		RunE: func(_ *cobra.Command, args []string) error {
			l, err := lab.Load(args[0], lab.Options{})
			if err != nil {
				return err
			}
			return l.Exec(args[1], args[2:])
		},
	}
	cmd.Flags().SetInterspersed(false) // flags behind the topology belong to the command
	return cmd
}

func newLabTestCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "test TOPOLOGY.toml",
		Short: "Bring the lab up if need be, and run its tests",
		Long:  "Bring the lab up if it is not, and run its tests. The lab stays up.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return inLab(cmd, args[0], func(ctx context.Context, l *lab.Lab) error {
				sum, err := l.Test(ctx, s.out)
				if err == nil && sum.Failed > 0 {
					err = errReported
				}
				return err
			})
		},
	}
}

func newLabGraphCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "graph TOPOLOGY.toml",
		Short: "Draw the lab as a Mermaid flowchart",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return inLab(cmd, args[0], func(_ context.Context, l *lab.Lab) error {
				_, err := fmt.Fprint(s.out, l.Graph())
				return err
			})
		},
	}
}
