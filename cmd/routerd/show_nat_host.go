package main

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/spf13/cobra"

	"routerd/internal/control"
)

func hostNames(page control.NATHostPage) (names []string) {
	for i := range page.Hosts {
		names = append(names, page.Hosts[i].Address.String())
	}
	return names
}

func newShowNATHostCommand(s *shower) *cobra.Command {
	limit := usualSessions
	cmd := &cobra.Command{
		Use:     "host [ADDRESS|PREFIX]",
		Aliases: []string{"hosts"},
		Short:   "The inside hosts, with their sessions, ports and traffic",
		Long: `The inside hosts that have sessions, by address.

PORTS are outside ports, and ICMP identifiers, that the host has: each inside
host:port keeps one outside port, however many peers it speaks to. PACKETS and
BYTES are what the sessions that live now have carried, both directions
together; of a super-packet, the packets in it count. The router's own flows
count for the address that they leave from.`,
		Example: `  routerd show nat host
  routerd show nat host 10.1.0.0/24
  routerd show nat host 10.1.0.11 -w 1s`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: completeNAT(s.session, func(c *control.Client, ctx context.Context) (control.NATHostPage, error) {
			return c.NATHosts(ctx, control.NATHostQuery{})
		}, hostNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 0 {
				return usagef("--limit %d: wanted a number of hosts, or 0 for all", limit)
			}
			var q control.NATHostQuery
			if len(args) == 1 {
				var err error
				if q.Inside, err = control.ParseNATHosts(args[0]); err != nil {
					return usagef("%q: %v", args[0], err)
				}
			}
			return show(cmd, s, func(ctx context.Context, c *control.Client) (control.NATHostPage, error) {
				page, err := someNATHosts(ctx, c, q, limit)
				if err == nil && page.Next.IsValid() && s.format == formatJSON {
					fmt.Fprintf(s.err, "routerd: %s\n", moreHosts(page))
				}
				return page, err
			}, drawNATHosts)
		},
	}
	cmd.Flags().IntVar(&limit, "limit", limit, "at most this `number` of hosts; 0 for all")
	return cmd
}

// someNATHosts asks page by page, up to limit hosts; 0 for all. What it gives
// has a Next only if there is more to give.
func someNATHosts(ctx context.Context, c *control.Client, q control.NATHostQuery, limit int) (control.NATHostPage, error) {
	all := control.NATHostPage{Hosts: []control.NATHost{}}
	for {
		q.Limit = control.MaxPage
		if limit != 0 {
			q.Limit = min(limit-len(all.Hosts), control.MaxPage)
		}
		page, err := c.NATHosts(ctx, q)
		if err != nil {
			return all, err
		}
		all.Hosts, all.Total, all.Next = append(all.Hosts, page.Hosts...), page.Total, page.Next
		if q.After = page.Next; q.After == (netip.Addr{}) || limit != 0 && len(all.Hosts) >= limit {
			return all, nil
		}
	}
}

func moreHosts(page control.NATHostPage) string {
	return fmt.Sprintf("there are more, of %d in all; --limit 0 shows all", page.Total)
}

func drawNATHosts(p *paper, page control.NATHostPage) {
	t := table{columns: []column{
		{name: "host"},
		{name: "sessions", right: true},
		{name: "ports", right: true},
		{name: "packets", right: true},
		{name: "bytes", right: true},
	}}
	for i := range page.Hosts {
		h := &page.Hosts[i]
		t.add(h.Address.String(), p.amount(uint64(h.Sessions)), p.amount(uint64(h.Ports)), p.amount(h.Packets), p.amount(h.Bytes))
	}
	t.draw(p)
	if page.Next.IsValid() {
		fmt.Fprintln(p, p.paint(moreHosts(page), faint))
	}
}
