package main

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"routerd/internal/control"
)

func newShowARPCommand(s *shower, name string, family int) *cobra.Command {
	q := control.NeighborQuery{Family: family}
	cmd := &cobra.Command{
		Use:   name + " [ADDRESS]",
		Short: "Stations on Ethernet links, their MAC addresses and whether they answer",
		Long: `Stations on Ethernet links: by ARP and, for IPv6, neighbour discovery.

AGE counts since the MAC was learned or last confirmed. HELD packets wait for
the station's answer.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := neighborAddress(&q, args); err != nil {
				return err
			}
			return show(cmd, s, func(ctx context.Context, c *control.Client) (control.NeighborList, error) {
				return c.Neighbors(ctx, q)
			}, drawNeighbors)
		},
	}
	if name == "arp" {
		cmd.Aliases = []string{"neighbor", "neighbors"}
	}
	cmd.Flags().StringVar(&q.Interface, "interface", "", "only on the interface `NAME`")
	return cmd
}

func neighborAddress(q *control.NeighborQuery, args []string) error {
	if len(args) == 0 {
		return nil
	}
	a, err := netip.ParseAddr(args[0])
	if err != nil || a.Zone() != "" {
		return usagef("%q: wanted an address such as 10.0.0.1", args[0])
	}
	q.Address = a.Unmap()
	return nil
}

func drawNeighbors(p *paper, list control.NeighborList) {
	t := table{columns: []column{
		{name: "address"},
		{name: "mac"},
		{name: "interface"},
		{name: "state"},
		{name: "age", right: true},
		{name: "held", right: true},
		{name: "router"},
	}}
	for i := range list.Neighbors {
		n := &list.Neighbors[i]
		state := cell{text: n.State}
		switch n.State {
		case "reachable", "static":
			state.style = good
		case "incomplete":
			state.style = bad
		}
		age := time.Duration(n.Age * float64(time.Second))
		if !p.wide {
			age = age.Round(time.Second)
		}
		router := ""
		if n.Router {
			router = "yes"
		}
		t.add(n.Address.String(), n.MAC, n.Interface, state, age, n.Held, router)
	}
	t.draw(p)
}

func newClearCommand(s *session) *cobra.Command {
	return group("clear", "Make the router forget what it has learned",
		newClearARPCommand(s), newClearRIPCommand(s, "rip"), newClearRIPCommand(s, "ripng"), newClearNATCommand(s))
}

func newClearARPCommand(s *session) *cobra.Command {
	var q control.NeighborQuery
	cmd := &cobra.Command{
		Use:     "arp [ADDRESS]",
		Aliases: []string{"neighbor", "neighbors"},
		Short:   "Forget neighbours of both families, so that they are asked for anew",
		Long: `Forget what was learned of neighbours, by ARP and neighbour discovery. Static
ones stay, as do those that are still being asked for.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := neighborAddress(&q, args); err != nil {
				return err
			}
			return s.ask(cmd.Context(), func(ctx context.Context, c *control.Client) error {
				r, err := c.ClearNeighbors(ctx, q)
				if err == nil {
					fmt.Fprintf(s.out, "neighbours forgotten: %d\n", r.Cleared)
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&q.Interface, "interface", "", "only on the interface `NAME`")
	return cmd
}
