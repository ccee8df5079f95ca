package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"routerd/internal/control"
)

// newShowRIPCommand makes "show rip" and "show ripng".
func newShowRIPCommand(s *shower, protocol string) *cobra.Command {
	cmd := group(protocol, "What "+ripNames[protocol]+" knows, hears and says",
		newShowRIPRouteCommand(s, protocol), newShowRIPNeighborCommand(s, protocol), newShowRIPInterfaceCommand(s, protocol))
	cmd.Example = strings.ReplaceAll(`  routerd show rip route
  routerd show rip route --neighbor NEIGHBOR
  routerd show rip neighbor -w 1s
  routerd show rip interface -o wide`, "show rip ", "show "+protocol+" ")
	cmd.Example = strings.ReplaceAll(cmd.Example, "NEIGHBOR", map[string]string{"rip": "10.0.12.2", "ripng": "fe80::2"}[protocol])
	return cmd
}

var ripNames = map[string]string{"rip": "RIP", "ripng": "RIPng"}

// addRIPFlags adds what chooses by where something was heard.
func addRIPFlags(s *session, cmd *cobra.Command, q *control.RIPQuery) {
	cmd.Flags().StringVar(&q.Interface, "interface", "", "only what was heard on the interface `NAME`")
	cmd.RegisterFlagCompletionFunc("interface", completeInterface(s))
	cmd.Flags().Var((*addressFlag)(&q.Neighbor), "neighbor", "only what was heard from this `address`")
}

// addressFlag is a flag that takes an address.
type addressFlag netip.Addr

func (a *addressFlag) Set(text string) error {
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		return fmt.Errorf("wanted an address such as 10.0.0.1")
	}
	*a = addressFlag(addr.Unmap())
	return nil
}

func (a *addressFlag) String() string {
	if addr := netip.Addr(*a); addr.IsValid() {
		return addr.String()
	}
	return ""
}

func (*addressFlag) Type() string { return "address" }

func newShowRIPRouteCommand(s *shower, protocol string) *cobra.Command {
	var q control.RIPQuery
	cmd := &cobra.Command{
		Use:     "route [PREFIX]",
		Aliases: []string{"routes"},
		Short:   "What it has learned and what it announces, with metrics and timers",
		Long: `What the protocol has learned and what it announces of the router's own.

A dying route was lost; it is announced as unreachable, with metric 16, until
it is forgotten. EXPIRES says when a route dies unless it is heard of again, or
when a dying one is forgotten.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Prefix = netip.Prefix{}
			if len(args) == 1 {
				p, err := netip.ParsePrefix(args[0])
				if err != nil {
					return usagef("%q: wanted a prefix such as 10.0.0.0/8", args[0])
				}
				q.Prefix = p.Masked()
			}
			return show(cmd, s, func(ctx context.Context, c *control.Client) (control.RIPRoutePage, error) {
				page, err := allRIPRoutes(ctx, c, protocol, q)
				if err == nil && len(page.Routes) == 0 && q.Prefix.IsValid() {
					err = fmt.Errorf("%s knows nothing of exactly %s", protocol, q.Prefix)
				}
				return page, err
			}, drawRIPRoutes)
		},
	}
	addRIPFlags(s.session, cmd, &q)
	return cmd
}

// allRIPRoutes walks the table page by page.
func allRIPRoutes(ctx context.Context, c *control.Client, protocol string, q control.RIPQuery) (control.RIPRoutePage, error) {
	all := control.RIPRoutePage{Routes: []control.RIPRoute{}}
	for {
		page, err := c.RIPRoutes(ctx, protocol, q)
		if err != nil {
			return all, err
		}
		all.Routes = append(all.Routes, page.Routes...)
		if q.After = page.Next; !q.After.IsValid() {
			return all, nil
		}
	}
}

func drawRIPRoutes(p *paper, page control.RIPRoutePage) {
	t := table{columns: []column{
		{name: "prefix"},
		{name: "state"},
		{name: "metric", right: true},
		{name: "tag", right: true},
		{name: "next hop", optional: true},
		{name: "interface", optional: true},
		{name: "from", wide: true},
		{name: "age", right: true, wide: true},
		{name: "expires", right: true},
		{name: "since", wide: true},
	}}
	for i := range page.Routes {
		r := &page.Routes[i]
		state := cell{text: r.State}
		switch r.State {
		case "learned":
			state.style = good
		case "dying":
			state.style = bad
		case "redistributed":
			state.text = r.Source // says as much, and more
		}
		expires := ""
		if r.Expires != 0 {
			expires = p.seconds(r.Expires)
		}
		since := r.Since.Local().Format(time.RFC3339)
		if len(r.Paths) == 0 {
			t.add(r.Prefix.String(), state, r.Metric, r.Tag, "", "", "", "", expires, since)
			continue
		}
		for n, by := range r.Paths {
			where := []any{by.NextHop.String(), by.Interface, by.Neighbor.String(), p.seconds(by.Age)}
			if n == 0 {
				t.add(append(append([]any{r.Prefix.String(), state, r.Metric, r.Tag}, where...), expires, since)...)
				continue
			}
			t.add(append([]any{"", "", "", ""}, where...)...)
		}
	}
	t.draw(p)
}

// seconds is a time that passes; exact when wide.
func (p *paper) seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	if !p.wide {
		return d.Round(time.Second).String()
	}
	return d.Round(time.Millisecond).String()
}

func newShowRIPNeighborCommand(s *shower, protocol string) *cobra.Command {
	var q control.RIPQuery
	cmd := &cobra.Command{
		Use:     "neighbor",
		Aliases: []string{"neighbors"},
		Short:   "The routers that it hears, and how many routes lead there",
		Long: `The routers that it hears, and how many routes lead there.

AGE counts since an update of the neighbour's was last used. BAD PACKETS were
not used: with another key, or malformed. BAD ENTRIES are of packets that were.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return show(cmd, s, func(ctx context.Context, c *control.Client) (control.RIPNeighborList, error) {
				return c.RIPNeighbors(ctx, protocol, q)
			}, drawRIPNeighbors)
		},
	}
	addRIPFlags(s.session, cmd, &q)
	return cmd
}

func drawRIPNeighbors(p *paper, list control.RIPNeighborList) {
	t := table{columns: []column{
		{name: "neighbor"},
		{name: "interface"},
		{name: "version", right: true},
		{name: "routes", right: true},
		{name: "age", right: true},
		{name: "packets", right: true},
		{name: "bad packets", right: true},
		{name: "bad entries", right: true},
		{name: "maximum", right: true, wide: true},
		{name: "beyond maximum", right: true, optional: true},
		{name: "since", wide: true},
	}}
	for i := range list.Neighbors {
		n := &list.Neighbors[i]
		badPackets := cell{text: p.amount(n.BadPackets)}
		if n.BadPackets > 0 {
			badPackets.style = bad
		}
		version := ""
		if n.Version != 0 {
			version = fmt.Sprint(n.Version)
		}
		beyond := cell{}
		if n.BeyondMaximum > 0 {
			beyond = cell{text: p.amount(n.BeyondMaximum), style: bad}
		}
		t.add(n.Address.String(), n.Interface, version, p.amount(uint64(n.Routes)), p.seconds(n.Age),
			p.amount(n.Packets), badPackets, p.amount(n.BadEntries), p.amount(uint64(n.MaximumPrefix)), beyond, n.Since.Local().Format(time.RFC3339))
	}
	t.draw(p)
}

func newShowRIPInterfaceCommand(s *shower, protocol string) *cobra.Command {
	return &cobra.Command{
		Use:     "interface [NAME]",
		Aliases: []string{"interfaces"},
		Short:   "The interfaces that speak it: settings, timers, and what went in and out",
		Long: `The interfaces that speak it: settings, timers, and what went in and out.

SENT and RECEIVED count packets, REFUSED those that were not used; -o json
says what kind they were and why. UPDATE is when the next regular one is sent.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeInterface(s.session),
		RunE: func(cmd *cobra.Command, args []string) error {
			q := control.RIPQuery{Interface: strings.Join(args, "")}
			return show(cmd, s, func(ctx context.Context, c *control.Client) (control.RIPInterfaceList, error) {
				list, err := c.RIPInterfaces(ctx, protocol, q)
				if err == nil && q.Interface != "" && len(list.Interfaces) == 0 {
					err = fmt.Errorf("%s does not speak %s now", q.Interface, protocol)
				}
				return list, err
			}, drawRIPInterfaces)
		},
	}
}

func drawRIPInterfaces(p *paper, list control.RIPInterfaceList) {
	t := table{columns: []column{
		{name: "interface"},
		{name: "address", wide: true},
		{name: "mode"},
		{name: "metric", right: true},
		{name: "offset out", right: true, wide: true},
		{name: "horizon", wide: true},
		{name: "version", optional: true, wide: true},
		{name: "auth", optional: true},
		{name: "keys", optional: true, wide: true},
		{name: "allowed", optional: true, wide: true},
		{name: "neighbors", right: true},
		{name: "routes", right: true},
		{name: "update", right: true},
		{name: "sent", right: true},
		{name: "received", right: true},
		{name: "refused", right: true},
	}}
	for n := range list.Interfaces {
		i := &list.Interfaces[n]
		mode := "active"
		if i.Passive {
			mode = "passive"
		}
		update := ""
		if i.NextUpdate != 0 {
			update = p.seconds(i.NextUpdate)
		}
		refused := cell{text: p.amount(ripSum(i.Refused))}
		if ripSum(i.Refused) > 0 {
			refused.style = bad
		}
		var addresses []string
		for _, a := range i.Addresses {
			addresses = append(addresses, a.String())
		}
		keys := strings.Trim(fmt.Sprint(i.Keys), "[]")
		allowed := strings.Trim(fmt.Sprint(i.AllowedNeighbors), "[]")
		t.add(i.Name, strings.Join(addresses, " "), mode, i.Metric, i.OffsetOut, i.SplitHorizon, i.ReceiveVersion, i.Auth, keys, allowed,
			i.Neighbors, p.amount(uint64(i.Routes)), update, p.amount(ripSum(i.Sent)), p.amount(ripSum(i.Received)), refused)
	}
	t.draw(p)
}

// ripSum leaves the router's own packets out: that it hears them is no news.
func ripSum(counts []control.RIPCount) (sum uint64) {
	for _, c := range counts {
		if c.Kind != "own" {
			sum += c.Count
		}
	}
	return sum
}

func newClearRIPCommand(s *session, protocol string) *cobra.Command {
	var q control.RIPQuery
	cmd := &cobra.Command{
		Use:   protocol,
		Short: "Forget what " + ripNames[protocol] + " has learned, and ask the neighbours for it at once",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.ask(cmd.Context(), func(ctx context.Context, c *control.Client) error {
				r, err := c.ClearRIP(ctx, protocol, q)
				if err == nil {
					fmt.Fprintf(s.out, "ways forgotten: %d\n", r.Cleared)
				}
				return err
			})
		},
	}
	addRIPFlags(s, cmd, &q)
	return cmd
}
