// Command routerd is a virtual router in user space, and the tool to inspect a
// running one.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"routerd/internal/control"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// The exit codes of all commands.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnreachable = 3
)

// usageError is a mistake on the command line.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errReported means that the command has already printed the error.
var errReported = errors.New("reported")

// session is what all commands share: their output and the router they ask.
type session struct {
	out, err io.Writer
	terminal bool   // out is a terminal
	socket   string // --socket
	remote   remote
	began    bool // the command line was valid and a command has started
}

// run executes the command line and returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	s := &session{out: stdout, err: stderr, terminal: isTerminal(stdout)}
	root := newRootCommand(s)
	root.SetArgs(subcommandFirst(root, joinWatch(args)))
	cmd, err := root.ExecuteContextC(context.Background())
	code := s.exitCode(err)
	if err == nil || errors.Is(err, errReported) {
		return code
	}
	fmt.Fprintf(stderr, "routerd: %v\n", err)
	var refused *control.Error
	if errors.As(err, &refused) {
		for _, p := range refused.Problems {
			fmt.Fprintf(stderr, "\n%s\n", strings.TrimRight(p.Text, "\n"))
		}
	}
	if code == exitUsage {
		fmt.Fprintf(stderr, "Try %s --help.\n", cmd.CommandPath())
	}
	return code
}

func (s *session) exitCode(err error) int {
	var usage usageError
	var several *control.AmbiguousError
	var unreachable *control.UnreachableError
	var refused *control.Error
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &unreachable):
		return exitUnreachable
	case !s.began, errors.As(err, &usage), errors.As(err, &several),
		errors.As(err, &refused) && refused.Status == http.StatusBadRequest:
		return exitUsage
	}
	return exitFailed
}

func newRootCommand(s *session) *cobra.Command {
	root := &cobra.Command{
		Use:   "routerd",
		Short: "A virtual router in user space",
		Long: `routerd is a virtual router in user space: it forwards IPv4 and IPv6 packets
between network namespaces, virtual machines and containers without touching
the host's own routing, and can say of every packet why it went where it went.

routerd run starts a router; show, explain, diff and reload ask one that runs,
through its unix socket, or with --url over HTTPS; check, acl and lab need none.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no router answers.`,
		Example: `  routerd check routerd.toml && routerd run --config routerd.toml
  routerd show route for 10.0.2.2
  routerd explain packet --in lan0 --src 10.0.1.2 --dst 10.0.2.2 --tcp 80
  routerd lab test deploy/labs/demo.toml`,
		SilenceErrors: true,
		SilenceUsage:  true,
		// Flags and arguments have been checked by now.
		PersistentPreRun: func(*cobra.Command, []string) { s.began = true },
	}
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.PersistentFlags().StringVar(&s.socket, "socket", "",
		"unix socket of the router to ask (default $"+control.SocketVariable+", or the one in "+control.SocketDirs()[0]+")")
	s.remote.addFlags(root)
	root.AddCommand(
		newRunCommand(), newCheckCommand(s), newACLCommand(s), newShowCommand(s), newEventsCommand(s), newExplainCommand(s), newProbeCommand(s),
		newDiffCommand(s), newReloadCommand(s), newClearCommand(s), newLabCommand(s), newShellCommand(s), newTokenCommand(s), newWebCommand(s), newSupportCommand(s), newVersionCommand(s),
	)
	root.SetHelpCommand(newHelpCommand(s, root))
	nameArguments(root)
	return root
}

// group makes a command that only has subcommands.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknown(cmd, args)
			}
			var names []string
			for _, c := range commands {
				if !c.Hidden {
					names = append(names, c.Name())
				}
			}
			return usagef("%s what? It takes %s", cmd.CommandPath(), strings.Join(names, ", "))
		},
		SuggestionsMinimumDistance: 2,
	}
	cmd.AddCommand(commands...)
	return cmd
}

// ramify adds subcommands to a command that does something itself.
func ramify(cmd *cobra.Command, commands []*cobra.Command) {
	cmd.AddCommand(commands...)
	cmd.SuggestionsMinimumDistance = 2
	if strings.Contains(cmd.Use, " ") { // it takes arguments, behind which a subcommand may stand
		cmd.Annotations = map[string]string{argumentFirst: ""}
		before := cmd.ValidArgsFunction
		cmd.ValidArgsFunction = func(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			offered, directive := before(c, args, word)
			if len(args) == 1 {
				for _, further := range commands {
					offered = append(offered, further.Name())
				}
			}
			return offered, directive
		}
		return
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknown(cmd, args)
		}
		return nil
	}
}

// argumentFirst is the annotation of commands whose argument may stand before the name of
// a subcommand.
const argumentFirst = "argument-first"

// subcommandFirst puts the name of a subcommand before the argument that it stands behind:
// "show bgp neighbor 192.0.2.1 received" means "show bgp neighbor received 192.0.2.1".
func subcommandFirst(root *cobra.Command, args []string) []string {
	cmd, rest, err := root.Find(args)
	if err != nil {
		return args
	}
	if _, may := cmd.Annotations[argumentFirst]; !may {
		return args
	}
	for i := range rest {
		for _, c := range cmd.Commands() {
			if c.Name() != rest[i] {
				continue
			}
			words := append(strings.Fields(cmd.CommandPath())[1:], rest[i])
			return append(append(words, rest[:i]...), rest[i+1:]...)
		}
	}
	return args
}

// unknown is the error of a subcommand that there is not.
func unknown(cmd *cobra.Command, args []string) error {
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usagef("%s has no %q; did you mean %s?", cmd.CommandPath(), args[0], strings.Join(near, " or "))
	}
	return usagef("%s has no %q", cmd.CommandPath(), args[0])
}

// ask calls f with a client of the chosen router.
func (s *session) ask(ctx context.Context, f func(context.Context, *control.Client) error) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	defer c.Close()
	return f(ctx, c)
}
