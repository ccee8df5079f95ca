package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"routerd/internal/lab"
	"routerd/internal/show"
)

func newLabCommand(s *session) *cobra.Command {
	cmd := group("lab", "Build a network of namespaces and routers on this machine",
		newLabUpCommand(s), newLabDownCommand(s), newLabExecCommand(s), newLabLinkCommand(s), newLabTestCommand(s),
		newLabStatusCommand(s), newLabListCommand(s), newLabGraphCommand(s), newLabWebCommand(s))
	cmd.Long = `Build the network that a topology file describes: hosts and switches are network
namespaces, routers are processes of routerd, each with a socket of its own; BIRD and
FRR run in namespaces where they are installed. Needs root.`
	cmd.Example = `  routerd lab up demo.toml
  routerd lab exec demo.toml h1 ping 10.0.2.2
  routerd lab exec demo.toml r1 routerd show route
  routerd lab link demo.toml r1:lan0 down
  routerd lab test demo.toml
  routerd lab graph demo.toml --svg > demo.svg
  routerd lab down demo.toml`
	return cmd
}

// inLab loads the topology and calls f, with a context that ends when the
// user interrupts.
func inLab(cmd *cobra.Command, file string, f func(context.Context, *lab.Lab) error) error {
	return inWired(cmd, file, "", f)
}

// inWired is inLab with a wire for all links between routers and hosts; "" leaves them as
// they are.
func inWired(cmd *cobra.Command, file string, wire lab.Wire, f func(context.Context, *lab.Lab) error) error {
	l, err := lab.Load(file, lab.Options{Wire: wire})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	return f(ctx, l)
}

// wireFlag adds --wire to a command, and reads it.
func wireFlag(cmd *cobra.Command) (read func() (lab.Wire, error)) {
	var words []string
	for _, w := range lab.Wires {
		words = append(words, string(w))
	}
	wire := cmd.Flags().String("wire", "", "the `kind` of all links between routers and hosts, whatever the file says: "+strings.Join(words, " or ")+"; it stays until the lab is down")
	cmd.RegisterFlagCompletionFunc("wire", cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	return func() (lab.Wire, error) {
		if *wire != "" && !slices.Contains(words, *wire) {
			return "", usageError{fmt.Errorf("--wire is %q; want %s", *wire, strings.Join(words, " or "))}
		}
		return lab.Wire(*wire), nil
	}
}

func newLabUpCommand(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "up TOPOLOGY.toml",
		Short: "Create or repair the lab, so that it is what the file says",
		Long: `Start the lab. Of one that is up already, make what is missing, start again what has
ended, have routers and BIRD reload a configuration that has changed, and remove
what the topology no longer has. Links that routerd lab link has cut stay cut.

With --wire veth, routers make a veth pair to each host in place of a TUN: the kernel
can carry flows between those (routerd show flow).

It returns when all routers answer and all IPv6 addresses may be used.`,
		Args:              named,
		ValidArgsFunction: completeLab,
	}
	wire := wireFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		w, err := wire()
		if err != nil {
			return err
		}
		return inWired(cmd, args[0], w, func(ctx context.Context, l *lab.Lab) error { return l.Up(ctx, s.out) })
	}
	return cmd
}

func newLabDownCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:               "down TOPOLOGY.toml",
		Short:             "End and remove everything of the lab",
		Args:              named,
		ValidArgsFunction: completeLab,
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
		Args:              named,
		ValidArgsFunction: completeLab,
		RunE: func(_ *cobra.Command, args []string) error {
			l, err := lab.Load(args[0], lab.Options{})
			if err != nil {
				return err
			}
			return l.Exec(args[1], args[2:])
		},
	}
	cmd.Flags().SetInterspersed(false) // flags after the topology belong to the command
	return cmd
}

func newLabLinkCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "link TOPOLOGY.toml NODE:INTERFACE down|up",
		Short: "Cut a link, or mend it",
		Long: `Cut the link at an interface of a node (down), or mend it (up). A cut link stays
cut, whatever routerd lab up and test do, until it is mended or the lab is taken down.

Of a router's link to a host or a switch the other node's device loses its carrier. Of
any other link the named end is set down, and the other end loses its carrier.

A test of the lab may cut links, too: $ROUTERD_LAB is the topology's file there.`,
		Example: `  routerd lab link rip.toml r1:core0 down
  routerd lab link rip.toml r1:core0 up`,
		Args:              named,
		ValidArgsFunction: completeLab,
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[2] != "down" && args[2] != "up" {
				return usagef("%q: wanted down, which cuts the link, or up, which mends it", args[2])
			}
			return inLab(cmd, args[0], func(ctx context.Context, l *lab.Lab) error {
				return l.SetLink(ctx, s.out, args[1], args[2] == "down")
			})
		},
	}
}

func newLabTestCommand(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "test TOPOLOGY.toml",
		Short:             "Run the lab's tests, after starting what of it is not up",
		Long:              "Start what of the lab is not up, as routerd lab up does, and run its tests. The lab stays up.",
		Args:              named,
		ValidArgsFunction: completeLab,
	}
	wire := wireFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		w, err := wire()
		if err != nil {
			return err
		}
		return inWired(cmd, args[0], w, func(ctx context.Context, l *lab.Lab) error {
			sum, err := l.Test(ctx, s.out)
			if err == nil && sum.Failed > 0 {
				err = errReported
			}
			return err
		})
	}
	return cmd
}

func newLabStatusCommand(s *session) *cobra.Command {
	var out format
	cmd := &cobra.Command{
		Use:   "status TOPOLOGY.toml",
		Short: "Show which nodes of the lab run and which of its links are up",
		Long: `Show which nodes of the lab run and which of its links are up, cut by routerd lab
link, down by other means, or missing. Exits with 1 unless all is up or cut.`,
		Args:              named,
		ValidArgsFunction: completeLab,
		RunE: func(cmd *cobra.Command, args []string) error {
			return inLab(cmd, args[0], func(ctx context.Context, l *lab.Lab) error {
				status, err := l.Status(ctx)
				if err != nil {
					return err
				}
				if out == formatJSON {
					err = show.Encode(s.out, status)
				} else {
					drawLabStatus(s.screen(out == formatWide), status)
				}
				if err == nil && !status.Up {
					err = errReported
				}
				return err
			})
		},
	}
	addFormat(cmd, &out)
	return cmd
}

func drawLabStatus(p *show.Screen, status *lab.Status) {
	nodes := show.Table{Columns: []show.Column{
		{Name: "node"},
		{Name: "kind"},
		{Name: "state"},
		{Name: "pid", Optional: true},
		{Name: "namespace", Optional: true},
		{Name: "socket", Optional: true, Wide: true},
		{Name: "", Optional: true},
	}}
	for _, n := range status.Nodes {
		state := show.Cell{Text: "up", Style: show.Good}
		if !n.Up {
			state = show.Cell{Text: "down", Style: show.Bad}
		}
		nodes.Add(n.Node, string(n.Kind), state, strings.Trim(fmt.Sprint(n.PIDs), "[]"), n.Namespace, n.Socket, n.Detail)
	}
	nodes.Draw(p)
	if len(status.Links) == 0 {
		return
	}
	fmt.Fprintln(p)
	links := show.Table{Columns: []show.Column{{Name: "link"}, {Name: "state"}}}
	for _, l := range status.Links {
		state := show.Cell{Text: string(l.State), Style: show.Bad}
		if l.State == lab.LinkUp {
			state.Style = show.Good
		}
		links.Add(l.Ends[0]+" - "+l.Ends[1], state)
	}
	links.Draw(p)
}

func newLabListCommand(s *session) *cobra.Command {
	var out format
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the labs that are up on this machine",
		Long: `List the labs that are up on this machine, and those of which something was left
behind. DAEMONS are routers, BIRD and FRR: those that run, of those that were started.`,
		Args: named,
		RunE: func(*cobra.Command, []string) error {
			all, err := lab.List("")
			switch {
			case err != nil:
				return err
			case out == formatJSON:
				return show.Encode(s.out, map[string]any{"labs": all})
			case len(all) == 0:
				fmt.Fprintln(s.out, "no lab is up")
				return nil
			}
			t := show.Table{Columns: []show.Column{
				{Name: "lab"}, {Name: "namespaces", Right: true}, {Name: "daemons", Right: true}, {Name: "cut links", Right: true}, {Name: "topology"},
			}}
			for _, l := range all {
				daemons := show.Cell{Text: fmt.Sprintf("%d/%d", l.Running, l.Started), Style: show.Plain}
				if l.Running < l.Started {
					daemons.Style = show.Bad
				}
				t.Add(l.Name, l.Namespaces, daemons, l.Cut, l.Topology)
			}
			t.Draw(s.screen(out == formatWide))
			return nil
		},
	}
	addFormat(cmd, &out)
	return cmd
}

func newLabGraphCommand(s *session) *cobra.Command {
	var svg, bare, still bool
	var view, from string
	cmd := &cobra.Command{
		Use:   "graph TOPOLOGY.toml",
		Short: "Draw the lab, as a Mermaid flowchart or as an SVG image",
		Long: `Draw the lab: as a flowchart in Mermaid's language, or with --svg as an image for a
slide or a page. Of a lab that is up, the image shows which nodes run and which
links are cut.

With --view, draw instead what a router of the lab knows by a link-state protocol:
the routers and networks of each area, the costs of the links both ways, and as
thick arrows its shortest paths.`,
		Example: `  routerd lab graph demo.toml --svg --no-addresses > demo.svg
  routerd lab graph demo.toml --view ospf --from r2`,
		Args:              named,
		ValidArgsFunction: completeLab,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case view != "" && svg:
				return usagef("--view %s --svg: a view is drawn as a flowchart alone", view)
			case view == "" && from != "":
				return usagef("--from %s: wanted --view with it", from)
			}
			return inLab(cmd, args[0], func(ctx context.Context, l *lab.Lab) error {
				if view != "" {
					drawn, err := l.View(ctx, view, from)
					if err == nil {
						_, err = fmt.Fprint(s.out, drawn)
					}
					return err
				}
				if !svg {
					_, err := fmt.Fprint(s.out, l.Topology.Graph(!bare))
					return err
				}
				drawing := lab.Drawing{Addresses: !bare}
				if !still {
					status, err := l.Living(ctx)
					if err != nil && !errors.Is(err, lab.ErrNotUp) && !errors.Is(err, fs.ErrPermission) {
						return err
					}
					drawing.Status = status
				}
				_, err := s.out.Write(l.Topology.SVG(drawing))
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&svg, "svg", false, "draw an SVG image")
	cmd.Flags().BoolVar(&bare, "no-addresses", false, "leave out addresses")
	cmd.Flags().BoolVar(&still, "no-state", false, "leave out of the image what runs and what is cut")
	cmd.Flags().StringVar(&view, "view", "", "draw what a router knows by this `protocol`: "+strings.Join(lab.Views(), ", "))
	cmd.Flags().StringVar(&from, "from", "", "the `node` whose view it is; the first one that has any without")
	cmd.RegisterFlagCompletionFunc("view", cobra.FixedCompletions(lab.Views(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// completeLab completes the name of a topology file and, from its content,
// nodes and ends of links.
func completeLab(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	words := strings.Fields(cmd.Use)[1:]
	if len(args) == 0 {
		return []string{"toml"}, cobra.ShellCompDirectiveFilterFileExt
	}
	word := words[min(len(args), len(words)-1)]
	if word == "COMMAND..." {
		return nil, cobra.ShellCompDirectiveDefault
	}
	if len(args) >= len(words) {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if word == "down|up" {
		return []string{"down", "up"}, cobra.ShellCompDirectiveNoFileComp
	}
	l, err := lab.Load(args[0], lab.Options{})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	if word == "NODE:INTERFACE" {
		return l.Ends(), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
	var nodes []string
	for _, n := range l.Topology.Nodes {
		nodes = append(nodes, n.Name+"\t"+string(n.Kind))
	}
	return nodes, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}
