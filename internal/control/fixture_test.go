package control

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"routerd/arp"
	"routerd/dataplane"
	"routerd/internal/access"
	"routerd/internal/protocols/bfd/bfdtest"
	"routerd/internal/protocols/bgp/bgptest"
	"routerd/internal/protocols/ospf/ospftest"
	"routerd/internal/protocols/rip/riptest"
	"routerd/internal/protocols/running"
	"routerd/internal/topology"
	"routerd/internal/verdict"
	"routerd/routing"
	"routerd/routing/rib"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares got with the golden file called name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; -update writes it", err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-want +got; if the change is meant, -update):\n%s", path, d)
	}
}

// indented is JSON as a person reads it in a golden file.
func indented(t *testing.T, raw []byte) []byte {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	var s strings.Builder
	e := json.NewEncoder(&s)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return []byte(s.String())
}

// fake is a router that always answers the same, remembers what it was asked
// and can be told to fail.
type fake struct {
	err  error
	wait bool // until the context is done

	logins *access.Logins // nil: any code
	places topology.Places

	routes   RouteQuery
	fib      FIBQuery
	packet   PacketQuery
	probe    ProbeQuery
	target   netip.Addr
	policy   PolicyQuery
	neighbor NeighborQuery
	drops    DropQuery
	loads    atomic.Int32
	nat      NATQuery
	flow     FlowQuery
	hosts    NATHostQuery
	cleared  bool
	expires  time.Time
}

var (
	// began is not in UTC, as a careless router would have it.
	began = time.Date(2026, 3, 1, 13, 0, 0, 0, time.FixedZone("CET", 3600))
	pfx   = netip.MustParsePrefix
	addr  = netip.MustParseAddr
)

func (f *fake) answer(ctx context.Context) error {
	if f.wait {
		<-ctx.Done()
		return ctx.Err()
	}
	return f.err
}

func (f *fake) Protocol(ctx context.Context, name string) (running.Protocol, error) {
	switch name {
	case "bfd":
		return bfdtest.New(), f.answer(ctx)
	case "bgp":
		return bgptest.New(), f.answer(ctx)
	case "ospf":
		return ospftest.New(), f.answer(ctx)
	}
	p, err := riptest.Named(name)
	if err == nil {
		err = f.answer(ctx)
	}
	return p, err
}

func (f *fake) Topology(ctx context.Context) (Topology, error) {
	return MapOf(ctx, f, "r1", map[string]topology.Rates{"lan0": {Received: 912.4e6, Sent: 1e6, RxPackets: 80_000, TxPackets: 1000, Drops: 2.5}}, &f.places)
}

func (f *fake) Traffic(ctx context.Context) (TrafficList, error) {
	return TrafficList{Seconds: 1, Interfaces: []InterfaceTraffic{
		{"core0", topology.Rates{}},
		{"lan0", topology.Rates{Received: 912.4e6, Sent: 1e6, RxPackets: 80_000.5, TxPackets: 1000, Drops: 2.5}},
	}}, f.answer(ctx)
}

func (f *fake) Version(ctx context.Context) (Version, error) {
	return Version{
		Version: "1.2.3", Revision: "0123456789ab", GoVersion: "go1.26.0", Name: "r1",
		PID: 4711, Started: began, Uptime: 93784.5, Generation: 42,
	}, f.answer(ctx)
}

func (f *fake) Config(context.Context) (RunningConfig, error) {
	return RunningConfig{File: "/etc/routerd/routerd.toml", Applied: began, Tag: "7f3a9c21-3", Text: "name = \"r1\"\n"}, f.err
}

var tokens = []access.Token{
	{ID: "k3v9q2xa", Name: "ci", Role: access.Operate, Created: began, Expires: began.Add(90 * day), Used: began.Add(time.Hour)},
	{ID: "abcdefgh", Name: "grafana", Role: access.Read, Created: began, Expires: began.Add(90 * day)},
}

func (f *fake) Tokens(ctx context.Context) ([]access.Token, error) { return tokens, f.answer(ctx) }

func (f *fake) AddToken(ctx context.Context, name string, role access.Role, expires time.Time) (TokenAdded, error) {
	f.expires = expires
	t := tokens[0]
	t.Name, t.Role = name, role
	return TokenAdded{t, "rtd_k3v9q2xa_secret"}, f.answer(ctx)
}

func (f *fake) RevokeToken(ctx context.Context, id string) (access.Token, error) {
	if id != tokens[0].ID {
		return access.Token{}, access.ErrNoToken
	}
	return tokens[0], f.answer(ctx)
}

func (f *fake) LoginCode(ctx context.Context, by access.Identity, role access.Role) (LoginCode, error) {
	if f.logins == nil {
		return LoginCode{Code: "abcdefgh", Role: min(role, by.Role), Expires: began}, f.answer(ctx)
	}
	code, role, expires, err := f.logins.Code(by, role)
	return LoginCode{Code: code, Role: role, Expires: expires}, err
}

func (f *fake) Audit(ctx context.Context, n int) ([]access.Entry, error) {
	list := []access.Entry{
		{Number: 7, Time: began, Who: "uid 0", Role: access.Admin, Source: "unix socket", Action: "POST /v1/reload", Status: 200, Result: "done"},
		{Number: 8, Time: began, Source: "192.0.2.7", Action: "GET /v1/route", Status: 401, Result: "a wrong token"},
	}
	return list[:min(n, 2)], f.answer(ctx)
}

func (f *fake) Interfaces(ctx context.Context) ([]Interface, error) {
	return []Interface{
		{
			Name: "lan0", Kind: "tun", Up: true, State: StateUp, MTU: 1500, Table: "main", URPF: "strict",
			Addresses: []netip.Prefix{pfx("10.0.1.1/24"), pfx("2001:db8:1::1/64")},
			Port:      &Port{Kind: "tun", Queues: 1, Host: &Host{Netns: "h1", Device: "eth0"}},
			Received:  Traffic{Packets: 1_234_567, Bytes: 9_876_543_210, Supers: 4321},
			Sent:      Traffic{Packets: 7, Bytes: 588},
			Drops:     19, Origin: "routerd.toml:12",
		},
		{
			Name: "lan1", Kind: "tun", State: StateGone, Why: "device lan1 was deleted", MTU: 1400, Table: "main", URPF: "off",
			Addresses: []netip.Prefix{pfx("10.0.2.1/24")},
			Port:      &Port{Kind: "tun", Queues: 2, Host: &Host{Device: "lan1"}}, Origin: "routerd.toml:17",
		},
		{
			Name: "core0", Kind: "packet", Up: true, State: StateUp, MTU: 1500, Table: "main", URPF: "off",
			Addresses: []netip.Prefix{pfx("10.0.12.1/24"), pfx("fe80::1/64")},
			Own: []OwnAddress{
				{pfx("10.0.12.1/24"), "core0", "usable"},
				{pfx("2001:db8:12::1/64"), "core0", "duplicate"},
				{pfx("fe80::1/64"), "core0", "tentative"},
			},
			Multicast: &Multicast{
				Groups: []netip.Addr{netip.MustParseAddr("224.0.0.9"), netip.MustParseAddr("ff02::2"), netip.MustParseAddr("ff02::1:ff00:1")},
				IGMP:   3, MLD: 1, Queries: 12, Refused: 1, Reports: 40,
			},
			Port: &Port{Kind: "packet", Queues: 1, LateCarrier: true, Host: &Host{Device: "core0"}}, Origin: "routerd.toml:21",
			Offload:  &Offload{Mode: "auto", Carries: true, Carried: Traffic{Packets: 1_000_000, Bytes: 1_400_000_000, Supers: 5000}},
			Received: Traffic{Packets: 1_000_100, Bytes: 1_400_006_000, Supers: 5000},
		},
		// No addresses: a careless router leaves the list nil.
		{Name: "lo", Kind: "loopback", Up: true, State: StateUp, MTU: 65535, Table: "main", URPF: "off"},
	}, f.answer(ctx)
}

func (f *fake) Routes(ctx context.Context, q RouteQuery) (RoutePage, error) {
	f.routes = q
	if f.err == nil && q.After == pfx("2001:db8:1::/64") {
		return RoutePage{}, f.answer(ctx)
	}
	return RoutePage{
		Routes: []Route{
			{
				Prefix: pfx("0.0.0.0/0"), Source: "static", Action: "forward", Distance: 1, Selected: true, Installed: true,
				NextHops: []NextHop{
					{Address: addr("10.0.1.2"), Weight: 1, Usable: true, Via: pfx("10.0.1.0/24"), Resolved: []Hop{{Address: addr("10.0.1.2"), Interface: "lan0", Weight: 1}}},
					{Address: addr("10.0.2.2"), Interface: "lan1", Weight: 2, WhyNot: "interface lan1 is down"},
				},
				Origin: "routerd.toml:30", Since: began,
			},
			{
				Prefix: pfx("10.0.1.0/24"), Source: "connected", Action: "forward", Interface: "lan0",
				Selected: true, Installed: true, Origin: "routerd.toml:12", Since: began,
			},
			{
				Prefix: pfx("10.0.1.0/24"), Source: "static", Action: "blackhole", Distance: 250, Tag: 7,
				WhyNot: "distance 250 is higher than connected's 0", Origin: "routerd.toml:35", Since: began,
			},
			{
				Prefix: pfx("10.0.1.1/32"), Source: "connected", Action: "local", Interface: "lan0",
				Selected: true, Installed: true, Origin: "routerd.toml:12", Since: began,
			},
			{
				Prefix: pfx("10.8.0.0/16"), Source: "ospf", Action: "forward", Distance: 110, Metric: 20, Selected: true, Installed: true,
				NextHops: []NextHop{
					{Address: addr("10.0.1.2"), Interface: "lan0", Weight: 1, Usable: true, Resolved: []Hop{{Address: addr("10.0.1.2"), Interface: "lan0", Weight: 1}}},
					{Address: addr("10.0.12.2"), Interface: "core0", Weight: 1, Backup: true, Usable: true, Resolved: []Hop{{Address: addr("10.0.12.2"), Interface: "core0", Weight: 1}}},
				},
				Since: began,
			},
			{
				Prefix: pfx("2001:db8:1::/64"), Source: "connected", Action: "forward", Interface: "lan0",
				Selected: true, Installed: true, Origin: "routerd.toml:12", Since: began,
			},
		},
		Next: pfx("2001:db8:1::/64"),
	}, f.answer(ctx)
}

func (f *fake) FIB(ctx context.Context, q FIBQuery) (FIBPage, error) {
	f.fib = q
	return FIBPage{
		Generation: 42, IPv4: 4, IPv6: 1,
		Entries: []FIBEntry{
			{
				Prefix: pfx("0.0.0.0/0"), Action: "forward", Source: "static", Distance: 1,
				NextHops: []Hop{{Address: addr("10.0.1.2"), Interface: "lan0", Weight: 1}, {Address: addr("10.0.2.2"), Interface: "lan1", Weight: 2, Dead: []string{"neighbor"}}}, Origin: "routerd.toml:30",
			},
			{
				Prefix: pfx("10.0.1.0/24"), Action: "forward", Source: "connected", Interface: "lan0",
				NextHops: []Hop{{Interface: "lan0", Weight: 1}}, Origin: "routerd.toml:12",
			},
			{Prefix: pfx("10.0.1.1/32"), Action: "local", Source: "connected", Interface: "lan0", Origin: "routerd.toml:12"},
			{
				Prefix: pfx("10.8.0.0/16"), Action: "forward", Source: "ospf", Distance: 110, Metric: 20,
				NextHops: []Hop{
					{Address: addr("10.0.1.2"), Interface: "lan0", Weight: 1, Dead: []string{"carrier"}},
					{Address: addr("10.0.12.2"), Interface: "core0", Weight: 1, Backup: true},
				},
			},
			{Prefix: pfx("2001:db8::/32"), Action: "blackhole", Source: "static", Distance: 1, Metric: 5},
		},
	}, f.answer(ctx)
}

func (f *fake) Drops(ctx context.Context, q DropQuery) (Drops, error) {
	f.drops = q
	var d Drops
	for v := range verdict.All {
		if v.Class() != verdict.Dropped {
			continue
		}
		n := uint64(0)
		switch v {
		case verdict.Multicast:
			n = 12_345
		case verdict.NoRoute:
			n = 7
		case verdict.ACLDropped:
			n = 9
		case verdict.ZoneNoPolicy:
			n = 4
		case verdict.ACLLimited:
			n = 2
		}
		d.Verdicts = append(d.Verdicts, VerdictCount{v.Label(), v.Sentence(), n})
	}
	list := []Drop{
		{
			Time: began.Add(90 * time.Minute), Interface: "lan0", Header: "IPv4 10.0.1.2 > 192.0.2.1 ICMP echo request, TTL 64, 84 bytes",
			Length: 84, Verdict: "no_route", Sentence: verdict.NoRoute.Sentence(),
		},
		{
			Time: began.Add(80 * time.Minute), Interface: "lan1", Header: "IPv4 10.0.2.2:5353 > 224.0.0.251:5353 UDP, TTL 1, 120 bytes",
			Length: 120, Verdict: "multicast", Sentence: verdict.Multicast.Sentence(),
		},
	}
	d.Last = list[:min(q.Last, len(list))]
	d.Rules = []DropRule{
		{9, "acl_dropped", "wan-in", "", "routerd.toml:70"},
		{4, "zone_no_policy", "(zones)", "guests to lan", ""},
		{2, "acl_limited", "wan-in", "web", "routerd.toml:74"},
	}
	return d, f.answer(ctx)
}

func (f *fake) Neighbors(ctx context.Context, q NeighborQuery) (NeighborList, error) {
	f.neighbor = q
	return NeighborList{Neighbors: []Neighbor{
		{Address: addr("10.0.12.2"), MAC: "02:00:00:00:12:02", Interface: "core0", State: "reachable", Age: 12.5},
		{Address: addr("10.0.12.99"), Interface: "core0", State: "incomplete", Age: 0.25, Held: 3},
		{Address: addr("2001:db8:12::2"), MAC: "02:00:00:00:12:02", Interface: "core0", State: "stale", Age: 3725, Router: true},
	}, Own: []OwnAddress{
		{pfx("10.0.12.1/24"), "core0", "usable"}, {pfx("2001:db8:12::1/64"), "core0", "tentative"},
	}}, f.answer(ctx)
}

func (f *fake) ClearNeighbors(ctx context.Context, q NeighborQuery) (ClearResult, error) {
	f.neighbor = q
	return ClearResult{Cleared: 2}, f.answer(ctx)
}

func (f *fake) ExplainPacket(ctx context.Context, q PacketQuery) (PacketExplanation, error) {
	f.packet = q
	return PacketExplanation{
		In: "lan0", Packet: "IPv4 10.0.1.2:0 > 10.0.2.2:53 UDP, TTL 64, 1450 bytes",
		Steps: []Step{
			{"validate", "a sound IPv4 packet of 1450 bytes on lan0", false, "routerd.toml:12"},
			{"lookup", "route 10.0.2.0/24 (connected) directly on lan1", false, "routerd.toml:17"},
			{"hop-limit", "64 left, 63 when it leaves", false, ""},
			{"fit", "dropped: larger than the MTU of its way out and not allowed to be fragmented (1450 bytes, lan1 carries 1400)", false, "routerd.toml:17"},
			{"answer", "an ICMP error goes back to 10.0.1.2", false, ""},
			{"lookup", "route 10.0.1.0/24 (connected) directly on lan0", true, "routerd.toml:12"},
			{"egress", "leaves by lan0", true, "routerd.toml:12"},
		},
		Verdict: "too_big", Class: "dropped", Sentence: verdict.TooBig.Sentence(),
		Answer: &Answer{
			Packet:  "IPv4 10.0.1.1 > 10.0.1.2 ICMP fragmentation needed (MTU 1400), TTL 64, 576 bytes",
			Verdict: "originated", Sentence: verdict.Originated.Sentence(), Out: "lan0",
		},
	}, f.answer(ctx)
}

func (f *fake) ExplainRoute(ctx context.Context, a netip.Addr) (RouteExplanation, error) {
	f.target = a
	hop := NextHop{Address: addr("192.0.2.1"), Weight: 1, Usable: true, Via: pfx("192.0.2.0/24"), Resolved: []Hop{{Address: addr("10.0.1.2"), Interface: "lan0", Weight: 1}}}
	return RouteExplanation{
		Address: addr("203.0.113.9"),
		Prefixes: []PrefixDecision{
			{Prefix: pfx("203.0.113.8/29"), Decided: "no route is usable", Routes: []Route{{
				Prefix: pfx("203.0.113.8/29"), Source: "static", Action: "forward", Distance: 1, WhyNot: "interface lan1 is down",
				NextHops: []NextHop{{Interface: "lan1", Weight: 1, WhyNot: "interface lan1 is down"}}, Origin: "routerd.toml:41", Since: began,
			}}},
			{Prefix: pfx("203.0.113.0/24"), Used: true, Decided: "distance 1 of static is lower than 110 of ospf", Routes: []Route{
				{
					Prefix: pfx("203.0.113.0/24"), Source: "static", Action: "forward", Distance: 1, Tag: 3, Selected: true, Installed: true,
					NextHops: []NextHop{hop}, Origin: "routerd.toml:37", Since: began,
				},
				{
					Prefix: pfx("203.0.113.0/24"), Source: "ospf", Action: "forward", Distance: 110, Metric: 30, WhyNot: "distance 110 is higher than static's 1",
					NextHops: []NextHop{{Address: addr("10.0.2.2"), Interface: "core0", Weight: 1, Usable: true, Resolved: []Hop{{Address: addr("10.0.2.2"), Interface: "core0", Weight: 1}}}}, Since: began,
				},
			}},
		},
		Shorter: 1,
		Resolution: []ResolutionStep{
			{Address: addr("192.0.2.1"), Via: pfx("192.0.2.0/24"), Source: "static"},
			{Depth: 1, Address: addr("10.0.1.2"), Via: pfx("10.0.1.0/24"), Source: "connected"},
		},
		Redistributed: []Redistributed{
			{To: "bgp", WhyNot: "bgp does not redistribute static"},
			{To: "rip", Offered: true, Metric: 4, Tag: 3, Policy: []string{"only-default, statement 1: does not match: the prefix is in none of the sets", "only-default, statement 2: accepts"}},
		},
		Entry: &FIBEntry{
			Prefix: pfx("203.0.113.0/24"), Action: "forward", Source: "static", Distance: 1,
			NextHops: []Hop{{Address: addr("10.0.1.2"), Interface: "lan0", Weight: 1}}, Origin: "routerd.toml:37",
		},
		Neighbors: []RouteNeighbor{{Address: addr("10.0.1.2"), Interface: "lan0", State: "reachable", MAC: "02:00:00:00:01:02", Age: 12.5}},
	}, f.answer(ctx)
}

func (f *fake) Probe(ctx context.Context, q ProbeQuery) (ProbeResult, error) {
	f.probe = q
	r := ProbeResult{
		Packet: "IPv4 10.0.12.1 > 203.0.113.9 ICMP echo request, TTL 64, 28 bytes",
		Prediction: ProbePrediction{
			Steps:   []Step{{Stage: "lookup", Text: "203.0.113.0/24 via 10.0.12.2 on core0", Origin: "routerd.toml:37"}, {Stage: "egress", Text: "leaves by core0", Origin: "routerd.toml:20"}},
			Verdict: "originated", Class: "passed", Sentence: "made by the router itself and sent", Out: "core0",
		},
		Observation: ProbeObservation{
			Verdict: "originated", Class: "passed", Sentence: "made by the router itself and sent", Out: "core0", NextHop: addr("10.0.12.2"), MAC: "02:00:00:00:0c:02", Left: 0.0005,
			Answer: &ProbeAnswer{
				Kind: "icmp_error", Text: "host unreachable", From: addr("10.0.12.2"), In: "core0", After: 0.25,
				Packet: "IPv4 10.0.12.2 > 10.0.12.1 ICMP host unreachable, TTL 64, 56 bytes",
			},
		},
	}
	r.Judge()
	return r, f.answer(ctx)
}

func (f *fake) ExplainPolicy(ctx context.Context, q PolicyQuery) (PolicyExplanation, error) {
	f.policy = q
	return PolicyExplanation{
		Policies: []string{"transit-in", "rest"},
		Route:    PolicyRoute{Prefix: pfx("198.51.100.0/24"), Source: "static", Metric: 10, Tag: 7, NextHop: addr("192.0.2.1")},
		Steps: []PolicyStep{
			{Policy: "transit-in", Statement: "no-bogons", WhyNot: "198.51.100.0/24 is not in prefix-set bogons", Decision: "undecided", Origin: "routerd.toml:50"},
			{Policy: "transit-in", Statement: "2", Matched: true, Set: []string{"metric +5", "tag = 9"}, Decision: "undecided", Origin: "routerd.toml:54"},
			{Policy: "rest", Statement: "1", Matched: true, Decision: "accepted", Origin: "routerd.toml:58"},
		},
		Accepted: true, Decided: "statement 1 of rest decides",
		Result: &PolicyRoute{Prefix: pfx("198.51.100.0/24"), Source: "static", Metric: 15, Tag: 9, NextHop: addr("192.0.2.1")},
	}, f.answer(ctx)
}

var changes = []Change{
	{Kind: "added", Path: "interface.lan2", New: "tun, 10.0.3.1/24", Origin: "routerd.toml:22"},
	{Kind: "changed", Path: "interface.lan1.mtu", Old: "1500", New: "1400", Impact: "larger packets are fragmented or refused", Origin: "routerd.toml:19"},
	{Kind: "removed", Path: "static.route.203.0.113.0/24", Old: "blackhole"},
}

func (f *fake) Reload(ctx context.Context, match string) (ReloadResult, error) {
	f.loads.Add(1)
	return ReloadResult{Generation: 43, Changes: changes}, f.answer(ctx)
}

func (f *fake) Diff(ctx context.Context) (DiffResult, error) {
	return DiffResult{Changes: changes, Effects: []Effect{{"bgp", "the session with 10.0.12.2 ends and begins again"}}, Warnings: []Problem{{
		Origin: "routerd.toml:30", Warning: true, Message: "no configuration reaches 10.9.9.9",
		Text: "routerd.toml:30:14: warning: no configuration reaches 10.9.9.9\n",
	}}}, f.answer(ctx)
}

func (f *fake) Metrics(ctx context.Context) (Snapshot, error) {
	v, _ := f.Version(ctx)
	s := Snapshot{
		Version: v, Generation: 42, Steps: StepSnapshot{UpTo: [len(StepBounds)]uint64{0: 5, 1: 8, 2: 9, 3: 9, 4: 9, 5: 9, 6: 10, 7: 10, 8: 10, 9: 10}, Steps: 10, Seconds: 0.0125}, FIB4: 3, FIB6: 1, RIB4: 4, RIB6: 2, ReloadsOK: 5, ReloadsFailed: 1,
		Applied: began.Add(time.Hour), Differs: new(bool), Hops: 5, UnusableHops: 2, CertificateEnds: began.AddDate(1, 0, 0),
		Workers: []WorkerSnapshot{{Interface: "lan0", Batches: 100}, {Interface: "lan1", Queue: 1, Batches: 7}},
		Interfaces: []InterfaceSnapshot{
			{Name: "lan0", Up: true, MTU: 1500, Received: Traffic{Packets: 1, Bytes: 2, Supers: 3}, Sent: Traffic{Packets: 4, Bytes: 5, Supers: 6}},
			{Name: "lan1", MTU: 1400},
		},
	}
	s.RIB = rib.Stats{Flushes: 12, Changes: 9}
	s.RIB.Routes[routing.SourceConnected] = [2]int{3, 2}
	s.RIB.Routes[routing.SourceStatic] = [2]int{2, 0}
	s.Neighbors = []NeighborCount{{"lan0", arp.Reachable, 2}, {"lan0", arp.Incomplete, 1}}
	rules, _ := f.NATRules(ctx)
	pools, _ := f.NATPools(ctx)
	s.NAT = &NATSnapshot{rules.Rules, pools}
	lists, _ := f.ACL(ctx)
	s.ACL = &ACLSnapshot{lists.Sessions4, lists.Sessions6, lists.Rules, 7}
	s.Flows = &FlowSnapshot{
		Flows: 3, Max: 65536, Made: 40, Lost: 2, Ended: []FlowCount{{"route", 30}, {"neighbor", 0}}, Refused: []FlowCount{{"full", 1}},
	}
	s.Interfaces[0].Offload = &Offload{Mode: "auto", Carries: true, Carried: Traffic{Packets: 1, Bytes: 2, Supers: 1}}
	s.NeighborEvents = arp.Counters{Ignored: 4, Throttled: 9, Unanswered: 3, Lost: 2}
	s.Workers[0].Verdicts[verdict.Forwarded] = 1000
	s.Workers[0].Verdicts[verdict.NoRoute] = 7
	s.Workers[0].Answers[dataplane.AnswerSent] = 6
	s.Workers[1].Answers[dataplane.AnswerSent] = 2
	s.Workers[1].Answers[dataplane.AnswerLimited] = 1
	return s, f.answer(ctx)
}

var errBroken = errors.New("the loop is broken")
