package control

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"routerd/internal/show"
)

// NATHostQuery selects inside hosts. The zero query selects all.
type NATHostQuery struct {
	Inside NATHosts   `query:"inside,arg,complete=nat/host"`
	After  netip.Addr `query:"after,api"`           // the page after this host: NATHostPage.Next
	Limit  int        `query:"limit,api,max=10000"` // most hosts to return; 0 = the router's default
}

// NATHostPage is a page of the inside hosts that have sessions, by address.
// Only a page without Next is the last.
type NATHostPage struct {
	Hosts []NATHost  `json:"hosts" show:",rows"`
	Total int        `json:"total"` // all hosts with sessions
	Next  netip.Addr `json:"next,omitzero"`
}

// NATHost is an inside host's share of address translation.
type NATHost struct {
	Address  netip.Addr `json:"address" show:"host"`
	Sessions int        `json:"sessions" show:"sessions,amount"`
	Ports    int        `json:"ports" show:"ports,amount"` // outside ports; sessions of one inside port share one
	// Traffic of the current sessions, both directions together.
	Packets uint64 `json:"packets" show:"packets,amount"`
	Bytes   uint64 `json:"bytes" show:"bytes,amount"`
}

// NATHosts is a range of IPv4 hosts; the zero value means all.
type NATHosts struct{ netip.Prefix }

// Set implements show.Value: it parses an address or a prefix.
func (h *NATHosts) Set(text string) error {
	f, err := ParseNATFilter(text)
	if err != nil || f.Port != 0 || !f.Addresses.Addr().Is4() {
		return errors.New("wanted an IPv4 address or prefix: 10.0.0.1, 10.0.0.0/8")
	}
	h.Prefix = f.Addresses
	return nil
}

// More implements show.Partial.
func (p *NATHostPage) More() string {
	return fmt.Sprintf("there are more, of %d in all; --limit 0 shows all", p.Total)
}

var natHostNoun = show.Spec[Router, NATHostQuery, NATHostPage]{
	Path: "nat/host", Usual: usualRows,
	Help: show.Help{
		Aliases: []string{"hosts"}, Args: "[ADDRESS|PREFIX]",
		Short: "The inside hosts, with their sessions, ports and traffic",
		Long: `The inside hosts that have sessions, by address.

PORTS are outside ports, and ICMP identifiers, that the host has: each inside
host:port keeps one outside port, however many peers it speaks to. PACKETS and
BYTES are what the sessions that live now have carried, both directions
together; of a super-packet, the packets in it count. The router's own flows
count for the address that they leave from.`,
		Example: `  routerd show nat host
  routerd show nat host 10.1.0.0/24
  routerd show nat host 10.1.0.11 -w 1s`,
	},
	Ask: func(ctx context.Context, r Router, q NATHostQuery) (NATHostPage, error) { return r.NATHosts(ctx, q) },
}.Noun()

// NATHosts asks for a page of the inside hosts that q selects.
func (c *Client) NATHosts(ctx context.Context, q NATHostQuery) (NATHostPage, error) {
	return Get[NATHostPage](ctx, c, "nat/host", q)
}
