package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"routerd/internal/control"
)

func ruleNames(list control.NATRuleList) (names []string) {
	for i := range list.Rules {
		names = append(names, list.Rules[i].Name)
	}
	return names
}

func poolNames(list control.NATPoolList) (names []string) {
	for i := range list.Pools {
		names = append(names, list.Pools[i].Name)
	}
	return names
}

func newShowNATRuleCommand(s *shower) *cobra.Command {
	return &cobra.Command{
		Use:     "rule [NAME]",
		Aliases: []string{"rules"},
		Short:   "The rules in the order in which they are tried, and their sessions",
		Long: `The rules in the order in which they are tried, and their sessions.

Of each kind the first rule that matches wins; static ones come before the
others. MADE counts sessions since the rule is what it is, REFUSED new flows that
got none: for want of a port, because the table is full, or because the inside
host has as many as it may have.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeNAT(s.session, (*control.Client).NATRules, ruleNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			return show(cmd, s, func(ctx context.Context, c *control.Client) (control.NATRuleList, error) {
				list, err := c.NATRules(ctx)
				if err == nil && len(args) == 1 {
					all := ruleNames(list)
					list.Rules = slices.DeleteFunc(list.Rules, func(r control.NATRule) bool { return r.Name != args[0] })
					if len(list.Rules) == 0 {
						err = fmt.Errorf("there is no rule %q of address translation; there are %s", args[0], strings.Join(all, ", "))
					}
				}
				return list, err
			}, drawNATRules)
		},
	}
}

func drawNATRules(p *paper, list control.NATRuleList) {
	t := table{columns: append([]column{
		{name: "rule"},
		{name: "kind"},
		{name: "order", right: true},
		{name: "translation"},
		{name: "sessions", right: true},
		{name: "made", right: true},
		{name: "refused", right: true},
	}, append(refusedColumns(true), column{name: "origin", wide: true})...)}
	for i := range list.Rules {
		r := &list.Rules[i]
		row := []any{r.Name, r.Kind, r.Order, r.Translation, p.amount(uint64(r.Sessions)), p.amount(r.Made), p.refused(r.Refused.Sum())}
		t.add(append(append(row, p.refusals(r.Refused)...), r.Origin)...)
	}
	t.draw(p)
}

// refusedColumns are those of new flows that got no session, by reason.
func refusedColumns(wide bool) []column {
	return []column{
		{name: "no port", right: true, wide: wide},
		{name: "table full", right: true, wide: wide},
		{name: "host full", right: true, wide: wide},
	}
}

func (p *paper) refusals(r control.NATRefused) []any {
	return []any{p.refused(r.Exhausted), p.refused(r.TableFull), p.refused(r.HostFull)}
}

// refused is a figure that had better be 0.
func (p *paper) refused(n uint64) cell {
	if n == 0 {
		return cell{text: "0"}
	}
	return cell{p.amount(n), bad}
}

func newShowNATPoolCommand(s *shower) *cobra.Command {
	return &cobra.Command{
		Use:     "pool [NAME]",
		Aliases: []string{"pools"},
		Short:   "The session table with its limits, and the ports in use of each outside address",
		Long: `The session table with its limits, and where rules take outside addresses from.

NO PORT, TABLE FULL and HOST FULL count new flows that were refused: for want of
a port, because of max-sessions, and because of max-sessions-per-host. EVICTED
counts sessions that nobody had answered and that made room for new ones.

TCP, UDP and ICMP are ports in use of the TOTAL that there are for each of them,
those included that port forwards, listeners and the router's own flows hold; of
ICMP identifiers. EXHAUSTED names the protocols of which none is left now. With
pairing a host is refused when the one address that it has is used up, whatever
is left of the others.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeNAT(s.session, (*control.Client).NATPools, poolNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			return show(cmd, s, func(ctx context.Context, c *control.Client) (control.NATPoolList, error) {
				list, err := c.NATPools(ctx)
				if err == nil && len(args) == 1 {
					all := poolNames(list)
					list.Pools = slices.DeleteFunc(list.Pools, func(l control.NATPool) bool { return l.Name != args[0] })
					if len(list.Pools) == 0 {
						err = fmt.Errorf("there is no pool %q of address translation; there are %s", args[0], strings.Join(all, ", "))
					}
				}
				return list, err
			}, drawNATPools)
		},
	}
}

func drawNATPools(p *paper, list control.NATPoolList) {
	whole := table{columns: append(append([]column{
		{name: "sessions", right: true},
		{name: "max", right: true},
		{name: "hosts", right: true},
		{name: "max per host", right: true},
		{name: "made", right: true},
	}, refusedColumns(false)...), column{name: "evicted", right: true})}
	sessions := cell{text: p.amount(uint64(list.Sessions))}
	if list.Sessions >= list.MaxSessions {
		sessions.style = bad
	}
	row := []any{sessions, list.MaxSessions, p.amount(uint64(list.Hosts)), list.MaxSessionsPerHost, p.amount(list.Made)}
	whole.add(append(append(row, p.refusals(list.Refused)...), p.amount(list.Evicted.Sum()))...)
	whole.draw(p)
	fmt.Fprintln(p)

	t := table{columns: []column{
		{name: "pool"},
		{name: "kind"},
		{name: "addresses"},
		{name: "size", right: true, wide: true},
		{name: "ports", wide: true},
		{name: "tcp", right: true},
		{name: "udp", right: true},
		{name: "icmp", right: true},
		{name: "total", right: true},
		{name: "mappings", right: true},
		{name: "refused", right: true},
		{name: "exhausted", optional: true},
	}}
	for i := range list.Pools {
		l := &list.Pools[i]
		addresses := append(slices.Clone(l.Addresses), "")
		t.add(l.Name, l.Kind, addresses[0], l.Size, fmt.Sprintf("%d-%d", l.FirstPort, l.LastPort),
			p.amount(uint64(l.Used.TCP)), p.amount(uint64(l.Used.UDP)), p.amount(uint64(l.Used.ICMP)), p.amount(uint64(l.Capacity)),
			p.amount(uint64(l.Mappings)), p.refused(l.Refused), cell{strings.Join(l.Exhausted, " "), bad})
		for n := 1; n < len(l.Addresses); n++ {
			t.add("", "", l.Addresses[n])
		}
	}
	t.draw(p)
}
