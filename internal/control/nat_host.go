package control

import (
	"context"
	"errors"
	"net/netip"
	"net/url"
	"strconv"
)

// NATHostQuery chooses inside hosts. The zero query is all of them.
type NATHostQuery struct {
	Inside netip.Prefix // of IPv4; the zero Prefix = any
	After  netip.Addr   // the page behind this host: NATHostPage.Next
	Limit  int          // hosts to give, 1 to MaxPage; 0 leaves it to the router
}

// NATHostPage is a part of the inside hosts that have sessions, by address. The
// list ends where Next is absent.
type NATHostPage struct {
	Hosts []NATHost  `json:"hosts"`
	Total int        `json:"total"` // hosts with sessions, whatever was asked for
	Next  netip.Addr `json:"next,omitzero"`
}

// NATHost is what one inside host has of address translation.
type NATHost struct {
	Address  netip.Addr `json:"address"`
	Sessions int        `json:"sessions"`
	Ports    int        `json:"ports"` // outside ports; sessions of one inside port share one
	// What the sessions that live now have carried, both directions together.
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

// ParseNATHosts reads an IPv4 address or prefix. The error says what is wanted.
func ParseNATHosts(s string) (netip.Prefix, error) {
	f, err := ParseNATFilter(s)
	if err != nil || f.Port != 0 || !f.Addresses.Addr().Is4() {
		return netip.Prefix{}, errors.New("wanted an IPv4 address or prefix: 10.0.0.1, 10.0.0.0/8")
	}
	return f.Addresses, nil
}

func init() {
	nouns["nat/host"] = noun{ask: func(v *query) call {
		q := NATHostQuery{Inside: parsed(v, "inside", ParseNATHosts), After: v.addr("after"), Limit: v.number("limit", 0, MaxPage)}
		return func(ctx context.Context, r Router) (any, error) { return r.NATHosts(ctx, q) }
	}}
}

// NATHosts asks for a page of the inside hosts that q chooses.
func (c *Client) NATHosts(ctx context.Context, q NATHostQuery) (p NATHostPage, err error) {
	v := url.Values{}
	if q.Inside.IsValid() {
		v.Set("inside", q.Inside.String())
	}
	if q.After.IsValid() {
		v.Set("after", q.After.String())
	}
	if q.Limit != 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	return p, c.get(ctx, "nat/host", v, &p)
}
