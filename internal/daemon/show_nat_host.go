package daemon

import (
	"context"
	"slices"

	"routerd/internal/control"
	"routerd/internal/protocols/running"
	"routerd/nat"
)

// NATHosts adds up the whole table for each page, since the table changes too
// fast to keep the sums.
func (a api) NATHosts(ctx context.Context, q control.NATHostQuery) (page control.NATHostPage, err error) {
	v, err := a.translating()
	if err != nil {
		return page, err
	}
	page.Total = v.NAT.Sessions().Stats().Hosts
	list := v.NAT.HostStates(q.Inside.Prefix, func() bool { return ctx.Err() != nil })
	if ctx.Err() != nil {
		return page, ctx.Err()
	}
	if q.After.IsValid() {
		behind := slices.IndexFunc(list, func(h nat.HostState) bool { return h.Address.Compare(q.After) > 0 })
		if behind < 0 {
			behind = len(list)
		}
		list = list[behind:]
	}
	if limit := running.Limit(q.Limit); len(list) > limit {
		list = list[:limit]
		page.Next = list[limit-1].Address
	}
	for _, h := range list {
		page.Hosts = append(page.Hosts, control.NATHost{
			Address: h.Address, Sessions: h.Sessions, Ports: h.Ports, Packets: h.Traffic.Packets, Bytes: h.Traffic.Bytes,
		})
	}
	return page, nil
}
