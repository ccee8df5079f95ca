package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"routerd/internal/control"
)

// format is the value of --output.
type format string

const (
	formatTable format = "table"
	formatWide  format = "wide"
	formatJSON  format = "json"
)

func (f *format) Set(s string) error {
	switch format(s) {
	case formatTable, formatWide, formatJSON:
		*f = format(s)
		return nil
	}
	return fmt.Errorf("wanted table, wide or json")
}

func (f *format) String() string { return string(*f) }

func (*format) Type() string { return "table|wide|json" }

func addFormat(cmd *cobra.Command, f *format) {
	*f = formatTable
	cmd.PersistentFlags().VarP(f, "output", "o", "how to print: a table, one with exact figures and every column, or JSON")
	cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "wide", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

// shower is a session with the flags of show.
type shower struct {
	*session
	format   format
	interval interval
}

func newShowCommand(s *session) *cobra.Command {
	sh := &shower{session: s}
	cmd := group("show", "Show what the router knows and does",
		newShowInterfaceCommand(sh), newShowRouteCommand(sh, 0), newShowFIBCommand(sh, 0),
		newShowARPCommand(sh, "arp", 0), newShowRIPCommand(sh, "rip"), newShowRIPCommand(sh, "ripng"),
		newShowNATCommand(sh), newShowDropsCommand(sh), newShowVersionCommand(sh),
		newShowFamilyCommand(sh, "ip", 4), newShowFamilyCommand(sh, "ipv6", 6))
	cmd.Example = `  routerd show interface
  routerd show route for 10.0.2.2
  routerd show drops --last 20
  routerd show interface -w 1s
  routerd show fib -o json | jq '.entries[].prefix'`
	addFormat(cmd, &sh.format)
	flags := cmd.PersistentFlags()
	flags.VarP(&sh.interval, "watch", "w", "show it again every `interval` ("+defaultInterval+" if none is given)")
	flags.Lookup("watch").NoOptDefVal = defaultInterval
	flags.Lookup("watch").DefValue = ""
	return cmd
}

// show asks once, or again and again, and prints the answer.
func show[T any](cmd *cobra.Command, s *shower, ask func(context.Context, *control.Client) (T, error), draw func(*paper, T)) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	defer c.Close()
	once := func(ctx context.Context, w io.Writer) error {
		answer, err := ask(ctx, c)
		if err != nil {
			return err
		}
		if s.format == formatJSON {
			return printJSON(w, answer)
		}
		var page bytes.Buffer
		draw(&paper{&page, coloured(s.terminal), s.format == formatWide}, answer)
		_, err = page.WriteTo(w)
		return err
	}
	if s.interval == 0 {
		return once(cmd.Context(), s.out)
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return s.watch(ctx, time.Duration(s.interval), cmd.CommandPath(), once)
}

func printJSON(w io.Writer, answer any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(answer)
}

func newShowVersionCommand(s *shower) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Which router answers, and since when",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return show(cmd, s, func(ctx context.Context, c *control.Client) (control.Version, error) {
				return c.Version(ctx)
			}, drawVersion)
		},
	}
}

func drawVersion(p *paper, v control.Version) {
	what := v.Version
	if v.Revision != "" {
		what += " (" + v.Revision + ")"
	}
	uptime := time.Duration(v.Uptime * float64(time.Second))
	if !p.wide {
		uptime = uptime.Round(time.Second)
	}
	for _, line := range [][2]string{
		{"router", v.Name},
		{"version", what},
		{"built with", v.GoVersion},
		{"pid", fmt.Sprint(v.PID)},
		{"started", fmt.Sprintf("%s, %v ago", v.Started.Local().Format(time.RFC3339), uptime)},
		{"tables", fmt.Sprintf("generation %d", v.Generation)},
	} {
		fmt.Fprintf(p, "%s  %s\n", p.paint(fmt.Sprintf("%-10s", line[0]), bold), line[1])
	}
}

func newShowInterfaceCommand(s *shower) *cobra.Command {
	return &cobra.Command{
		Use:     "interface [NAME]",
		Aliases: []string{"interfaces"},
		Short:   "Interfaces with their state, addresses and traffic",
		Long: `Interfaces with their state, addresses and traffic.

HOST SIDE is the kernel's end of the port, as namespace:device. A
super-packet of many segments counts as that many packets. DROPS counts packets that came in by the interface and went no further; show drops
says why.

STATE is up or down, or says why the interface has no device: missing, it has
not been there yet; gone, it was deleted; waiting, it is there and cannot be
taken. NOTE says more. Such an interface is served as soon as its device can be
had; nothing has to be reloaded.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeInterface(s.session),
		RunE: func(cmd *cobra.Command, args []string) error {
			return show(cmd, s, func(ctx context.Context, c *control.Client) (control.InterfaceList, error) {
				list, err := c.Interfaces(ctx)
				if err == nil && len(args) == 1 {
					all := names(list)
					list = slices.DeleteFunc(list, func(i control.Interface) bool { return i.Name != args[0] })
					if len(list) == 0 {
						err = fmt.Errorf("there is no interface %q; there are %s", args[0], strings.Join(all, ", "))
					}
				}
				return control.InterfaceList{Interfaces: list}, err
			}, drawInterfaces)
		},
	}
}

func names(list []control.Interface) []string {
	var n []string
	for i := range list {
		n = append(n, list[i].Name)
	}
	return n
}

// completeInterface offers the names of the interfaces to a shell.
func completeInterface(s *session) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		var offered []string
		if len(args) == 0 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			s.ask(ctx, func(ctx context.Context, c *control.Client) error { // without an answer there is nothing to offer
				list, err := c.Interfaces(ctx)
				offered = names(list)
				return err
			})
		}
		return offered, cobra.ShellCompDirectiveNoFileComp
	}
}

func drawInterfaces(p *paper, list control.InterfaceList) {
	t := table{columns: []column{
		{name: "interface"},
		{name: "kind"},
		{name: "state"},
		{name: "mtu", right: true},
		{name: "address"},
		{name: "host side", optional: true},
		{name: "rx packets", right: true},
		{name: "rx bytes", right: true},
		{name: "rx super", right: true, wide: true},
		{name: "tx packets", right: true},
		{name: "tx bytes", right: true},
		{name: "tx super", right: true, wide: true},
		{name: "drops", right: true},
		{name: "table", wide: true},
		{name: "urpf", wide: true},
		{name: "mss", wide: true, optional: true},
		{name: "queues", right: true, wide: true},
		{name: "origin", wide: true},
		{name: "groups", wide: true, optional: true},
		{name: "note", optional: true},
	}}
	for i := range list.Interfaces {
		f := &list.Interfaces[i]
		state := cell{f.State, bad}
		if f.State == control.StateUp {
			state.style = good
		}
		addresses := addressCells(f)
		host, queues, note := "", "", f.Why
		var groups []netip.Addr
		if p.wide && f.Multicast != nil {
			groups = f.Multicast.Groups
		}
		group := func(n int) string {
			if n < len(groups) {
				return groups[n].String()
			}
			return ""
		}
		if f.Port != nil {
			host, queues = hostSide(f.Port.Host), fmt.Sprint(f.Port.Queues)
			if h := f.Port.Host; note == "" && h != nil {
				note = strings.Join(h.Lacks, "; ")
			}
			if p.wide && f.Port.LateCarrier && note == "" {
				note = "a lost carrier is seen up to 1 s late: the veth's peer has the same index"
			}
		}
		t.add(f.Name, f.Kind, state, f.MTU, addresses[0], host,
			p.amount(f.Received.Packets), p.bytes(f.Received.Bytes), p.amount(f.Received.Supers),
			p.amount(f.Sent.Packets), p.bytes(f.Sent.Bytes), p.amount(f.Sent.Supers),
			p.amount(f.Drops), f.Table, f.URPF, f.MSS, queues, f.Origin, group(0), note)
		for n := 1; n < max(len(addresses), len(groups)); n++ {
			address := cell{}
			if n < len(addresses) {
				address = addresses[n]
			}
			t.add("", "", "", "", address, "", "", "", "", "", "", "", "", "", "", "", "", "", group(n))
		}
	}
	t.draw(p)
}

// addressCells gives the addresses of an interface, at least an empty one,
// with what keeps the router from using them; those that it does not use at all
// come last.
func addressCells(f *control.Interface) []cell {
	var list []cell
	for _, a := range f.Addresses {
		c := cell{text: a.String()}
		if slices.ContainsFunc(f.Own, func(o control.OwnAddress) bool { return o.Address == a && o.State == "tentative" }) {
			c.text += " tentative"
		}
		list = append(list, c)
	}
	for _, o := range f.Own {
		if !slices.Contains(f.Addresses, o.Address) && o.State == "duplicate" {
			list = append(list, cell{o.Address.String() + " duplicate", bad})
		}
	}
	if len(list) == 0 {
		list = []cell{{}}
	}
	return list
}

func hostSide(h *control.Host) string {
	switch {
	case h == nil:
		return ""
	case h.Netns == "":
		return h.Device
	}
	return h.Netns + ":" + h.Device
}
