package control

import (
	"context"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func (f *fake) RIPRoutes(ctx context.Context, protocol string, q RIPQuery) (RIPRoutePage, error) {
	f.protocol, f.rip = protocol, q
	if protocol == "ripng" {
		hop := addr("fe80::2")
		return RIPRoutePage{Routes: []RIPRoute{{
			Prefix: pfx("2001:db8:2::/64"), State: "learned", Source: "rip", Metric: 2,
			Paths: []RIPPath{{hop, hop, "core0", 0, 7.5}}, Since: began, Expires: 172.5,
		}}}, f.answer(ctx)
	}
	return RIPRoutePage{
		Routes: []RIPRoute{
			{Prefix: pfx("0.0.0.0/0"), State: "default", Source: "rip", Metric: 1, Since: began},
			{Prefix: pfx("10.0.1.0/24"), State: "connected", Source: "connected", Metric: 1, Since: began},
			{
				Prefix: pfx("10.0.2.0/24"), State: "learned", Source: "rip", Metric: 3, Tag: 7, Since: began, Expires: 168.25,
				Paths: []RIPPath{
					{addr("10.0.12.2"), addr("10.0.12.2"), "core0", 7, 11.75},
					{addr("10.0.13.3"), addr("10.0.13.9"), "core1", 7, 20},
				},
			},
			{Prefix: pfx("10.0.9.0/24"), State: "dying", Source: "rip", Metric: 16, Since: began, Expires: 59},
			{Prefix: pfx("203.0.113.0/24"), State: "redistributed", Source: "static", Metric: 5, Tag: 65535, Since: began},
		},
		Next: pfx("203.0.113.0/24"),
	}, f.answer(ctx)
}

func (f *fake) RIPNeighbors(ctx context.Context, protocol string, q RIPQuery) (RIPNeighborList, error) {
	f.protocol, f.rip = protocol, q
	if protocol == "ripng" {
		return RIPNeighborList{[]RIPNeighbor{
			{Address: addr("fe80::2"), Interface: "core0", Version: 1, Routes: 1, Since: began, Age: 7.5, Packets: 20},
		}}, f.answer(ctx)
	}
	return RIPNeighborList{[]RIPNeighbor{
		{Address: addr("10.0.12.2"), Interface: "core0", Version: 2, Routes: 1, Since: began, Age: 11.75, Packets: 12_345, BadEntries: 1, MaximumPrefix: 65536},
		{Address: addr("10.0.13.3"), Interface: "core1", Version: 2, Routes: 1, Since: began, Age: 20, Packets: 4, BadPackets: 3, MaximumPrefix: 1, BeyondMaximum: 41},
	}}, f.answer(ctx)
}

func (f *fake) RIPInterfaces(ctx context.Context, protocol string, q RIPQuery) (RIPInterfaceList, error) {
	f.protocol, f.rip = protocol, q
	core0 := RIPInterface{
		Name: "core0", Addresses: []netip.Addr{addr("fe80::1")}, Metric: 1, MaximumPrefix: 65536, SplitHorizon: "poison-reverse",
		Neighbors: 1, Routes: 1, NextUpdate: 12.5,
		Sent:     []RIPCount{{"regular", 60}, {"triggered", 3}, {"answer", 1}, {"goodbye", 0}, {"request", 1}},
		Received: []RIPCount{{"request", 1}, {"response", 61}},
		Refused:  []RIPCount{{"own", 64}, {"malformed", 0}, {"authentication", 0}},
	}
	if protocol == "ripng" {
		return RIPInterfaceList{[]RIPInterface{core0}}, f.answer(ctx)
	}
	core0.Addresses, core0.ReceiveVersion = []netip.Addr{addr("10.0.12.1")}, "2"
	core0.Auth, core0.Keys = "hmac-sha-256", []int{1, 2}
	core0.AllowedNeighbors = []netip.Prefix{pfx("10.0.12.2/32"), pfx("10.0.12.8/29")}
	lan0 := RIPInterface{
		Name: "lan0", Addresses: []netip.Addr{addr("10.0.1.1")}, Passive: true, Metric: 2, OffsetOut: 3, MaximumPrefix: 1,
		SplitHorizon: "none", ReceiveVersion: "1 2", Refused: []RIPCount{{"own", 0}, {"malformed", 4}, {"authentication", 2}},
	}
	return RIPInterfaceList{[]RIPInterface{core0, lan0}}, f.answer(ctx)
}

func (f *fake) ClearRIP(ctx context.Context, protocol string, q RIPQuery) (RIPClearResult, error) {
	f.protocol, f.rip = protocol, q
	return RIPClearResult{Cleared: 17}, f.answer(ctx)
}

func (f *fake) ripSnapshots(ctx context.Context) (list []RIPSnapshot) {
	for _, protocol := range ripProtocols {
		interfaces, _ := f.RIPInterfaces(ctx, protocol, RIPQuery{})
		list = append(list, RIPSnapshot{protocol, []RIPCount{{"learned", 7}, {"own", 2}, {"dying", 1}}, interfaces.Interfaces})
	}
	return list
}

// What the client gives of RIP is what the router gave, and what it asks is
// what the router is asked.
func TestRIPClient(t *testing.T) {
	f := &fake{}
	c := serveFake(t, f)
	defer c.Close()
	ctx := context.Background()
	equal := cmp.Options{
		cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmpopts.EquateEmpty(),
	}
	for _, protocol := range ripProtocols {
		heard := RIPQuery{Interface: "core0", Neighbor: addr("10.0.12.2")}
		page := heard
		page.Prefix, page.After, page.Limit = pfx("10.0.0.0/8"), pfx("10.1.0.0/16"), 7
		for _, x := range []struct {
			what   string
			q      RIPQuery
			ask    func(RIPQuery) (any, error)
			answer func(RIPQuery) (any, error)
		}{
			{
				"route", page,
				func(q RIPQuery) (any, error) { return c.RIPRoutes(ctx, protocol, q) },
				func(q RIPQuery) (any, error) { return f.RIPRoutes(ctx, protocol, q) },
			},
			{
				"neighbor", heard,
				func(q RIPQuery) (any, error) { return c.RIPNeighbors(ctx, protocol, q) },
				func(q RIPQuery) (any, error) { return f.RIPNeighbors(ctx, protocol, q) },
			},
			{
				"interface",
				RIPQuery{Interface: "core0"},
				func(q RIPQuery) (any, error) { return c.RIPInterfaces(ctx, protocol, q) },
				func(q RIPQuery) (any, error) { return f.RIPInterfaces(ctx, protocol, q) },
			},
			{
				"clear", heard,
				func(q RIPQuery) (any, error) { return c.ClearRIP(ctx, protocol, q) },
				func(q RIPQuery) (any, error) { return f.ClearRIP(ctx, protocol, q) },
			},
		} {
			f.rip, f.protocol = RIPQuery{}, ""
			got, err := x.ask(x.q)
			if err != nil {
				t.Errorf("%s %s: %v", protocol, x.what, err)
			}
			if d := cmp.Diff(x.q, f.rip, equal); d != "" || f.protocol != protocol {
				t.Errorf("%s %s asked %s (-want +got):\n%s", protocol, x.what, f.protocol, d)
			}
			want, _ := x.answer(x.q)
			if d := cmp.Diff(tidy(want), got, equal); d != "" {
				t.Errorf("%s %s (-want +got):\n%s", protocol, x.what, d)
			}
		}
	}
}
