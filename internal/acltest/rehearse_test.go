package acltest_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"routerd/acl"
	"routerd/dataplane"
	"routerd/dataplane/reassembly"
	"routerd/flow"
	"routerd/internal/acltest"
	"routerd/internal/packet"
	"routerd/internal/router"
	"routerd/internal/verdict"
	"routerd/nat"
	"routerd/routing/rib"
)

// gateway has a LAN, from which everything may begin, and a way out, translated
// for IPv4, from which only web and pings may.
func gateway() router.Config {
	hop := func(a string) []rib.StaticNextHop {
		return []rib.StaticNextHop{{Address: netip.MustParseAddr(a), Watch: &rib.Watch{Strict: true}}}
	}
	addresses := func(list ...string) (out []dataplane.Address) {
		for _, a := range list {
			out = append(out, dataplane.Address{Prefix: netip.MustParsePrefix(a)})
		}
		return out
	}
	return router.Config{
		Name: "gw",
		Dataplane: dataplane.Config{Reassembly: reassembly.Default, Interfaces: []dataplane.InterfaceConfig{
			{Name: "lan0", Kind: dataplane.KindTUN, Addresses: addresses("10.0.1.1/24", "2001:db8:1::1/64")},
			{Name: "wan0", Kind: dataplane.KindTUN, Addresses: addresses("203.0.113.1/24", "2001:db8:113::1/64")},
		}},
		RIB: rib.Config{Static: []rib.StaticRoute{{Prefix: netip.MustParsePrefix("0.0.0.0/0"), NextHops: hop("203.0.113.2")}}},
		NAT: nat.Config{Source: []nat.SourceRule{{Name: "out", Match: nat.Match{Outbound: []string{"wan0"}}, Method: nat.Masquerade}}},
		ACL: acl.Config{
			Lists: []acl.List{
				{Name: "lan-in", Default: acl.Reject, Rules: []acl.Rule{
					{Name: "pieces", Fragments: true, Protocols: []uint8{udp}, DestinationPorts: []flow.PortRange{{First: 7, Last: 7}}, Action: acl.Drop},
					{Name: "all", Action: acl.Accept},
				}},
				{Name: "wan-in", Default: acl.Drop, Rules: []acl.Rule{
					{Name: "web", Protocols: []uint8{tcp}, DestinationPorts: []flow.PortRange{{First: 80, Last: 80}}, Action: acl.Accept},
					{Name: "ping", Protocols: []uint8{packet.ProtoICMP}, ICMP: []acl.ICMPType{{Type: 8, All: true}}, Action: acl.Accept},
				}},
			},
			Interfaces: []acl.Binding{{Interface: "lan0", In: "lan-in"}, {Interface: "wan0", In: "wan-in"}},
			Local:      "wan-in",
		},
	}
}

func newRouter(t *testing.T, more ...rib.StaticRoute) *acltest.Router {
	t.Helper()
	r, err := acltest.New(gateway(), more, time.Unix(1_700_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func from(in, src, dst string, protocol uint8, port uint16) acltest.Packet {
	p := acltest.Packet{In: in, Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst), Protocol: protocol, SrcPort: 4000, DstPort: port}
	if port == 0 {
		p.SrcPort = 0
	}
	return p
}

func wants(o acltest.Outcome) acltest.Want { return acltest.Want{Outcome: o} }

const (
	tcp = packet.ProtoTCP
	udp = packet.ProtoUDP
)

// Each answer to a packet belongs to its session, in both families, and nothing
// of it is left for the next test.
func TestAnswers(t *testing.T) {
	r := newRouter(t, rib.StaticRoute{
		Prefix: netip.MustParsePrefix("::/0"), NextHops: []rib.StaticNextHop{{Address: netip.MustParseAddr("2001:db8:113::2")}},
	})
	established, invalid := acl.Established, acl.Invalid
	for _, out := range []acltest.Packet{
		from("lan0", "10.0.1.2", "198.51.100.9", tcp, 443), from("lan0", "10.0.1.2", "198.51.100.9", udp, 53), from("lan0", "10.0.1.2", "198.51.100.9", 0, 0),
		from("lan0", "2001:db8:1::2", "2001:db8:f::9", tcp, 443), from("lan0", "2001:db8:1::2", "2001:db8:f::9", udp, 53), from("lan0", "2001:db8:1::2", "2001:db8:f::9", 0, 0),
	} {
		for _, a := range []acltest.Answer{acltest.Reply, acltest.Unreachable, acltest.TooBig, acltest.TimeExceeded} {
			result := r.Run(&acltest.Test{Steps: []acltest.Step{
				{Packet: out, Want: acltest.Want{Outcome: acltest.Accept, Out: "wan0", List: "lan-in", Rule: "all"}},
				{Packet: acltest.Packet{Answers: a}, Want: acltest.Want{Outcome: acltest.Accept, State: &established, Out: "lan0", Rule: "all"}},
			}})
			if result.Wrong || len(result.Steps) != 2 {
				t.Errorf("answer %d to %+v: %s", a, out, result.Steps[len(result.Steps)-1].Wrong)
			}
		}
	}
	// Without the session, the same answer is of nothing.
	ack := from("wan0", "2001:db8:f::9", "2001:db8:1::2", tcp, 4000)
	ack.SrcPort, ack.TCPFlags = 443, packet.TCPSyn|packet.TCPAck
	if result := r.Run(&acltest.Test{Steps: []acltest.Step{{Packet: ack, Want: acltest.Want{Outcome: acltest.Drop, State: &invalid}}}}); result.Wrong {
		t.Error(result.Steps[0].Wrong)
	}
	// Nor is a mapping of IPv4 left that would let it in.
	ack = from("wan0", "198.51.100.9", "203.0.113.1", udp, 4000)
	if result := r.Run(&acltest.Test{Steps: []acltest.Step{{Packet: ack, Want: acltest.Want{Verdict: verdict.ACLDropped, List: "wan-in", Rule: acltest.DefaultAction}}}}); result.Wrong {
		t.Error(result.Steps[0].Wrong)
	}
}

// What a packet is described by reaches the rules.
func TestDescribed(t *testing.T) {
	r := newRouter(t)
	pieces := from("lan0", "10.0.1.2", "198.51.100.9", udp, 7)
	whole := pieces
	pieces.Fragments = true
	pieces6 := from("lan0", "2001:db8:1::2", "2001:db8:113::9", udp, 7)
	pieces6.Fragments = true
	ping := from("wan0", "198.51.100.9", "203.0.113.1", 0, 0)
	ping.ICMP = &dataplane.ICMPType{Type: 13}
	for _, c := range []struct {
		name string
		p    acltest.Packet
		want acltest.Want
	}{
		{"whole", whole, acltest.Want{Outcome: acltest.Accept, Rule: "all"}},
		{"in pieces", pieces, acltest.Want{Outcome: acltest.Drop, Rule: "pieces"}},
		{"in pieces, IPv6", pieces6, acltest.Want{Outcome: acltest.Drop, Rule: "pieces"}},
		{"a timestamp request", ping, acltest.Want{Outcome: acltest.Drop, List: "wan-in"}},
		{"to the router itself", from("lan0", "10.0.1.2", "10.0.1.1", tcp, 80), acltest.Want{Verdict: verdict.PortUnreachable, List: "wan-in", Rule: "web"}},
		{"another protocol", from("lan0", "10.0.1.2", "198.51.100.9", 47, 0), acltest.Want{Outcome: acltest.Accept, Rule: "all"}},
	} {
		if result := r.Run(&acltest.Test{Steps: []acltest.Step{{Packet: c.p, Want: c.want}}}); result.Wrong {
			t.Errorf("%s: %s", c.name, result.Steps[0].Wrong)
		}
	}
}

// A packet that fares in another way than wanted ends its test, with both.
func TestUnwanted(t *testing.T) {
	r := newRouter(t)
	related := acl.Related
	out := from("lan0", "10.0.1.2", "198.51.100.9", tcp, 443)
	in := from("wan0", "198.51.100.9", "10.0.1.2", tcp, 22)
	local := from("lan0", "10.0.1.2", "10.0.1.1", 0, 0)
	answer := acltest.Packet{Answers: acltest.Reply}
	stranger := answer
	stranger.Src = netip.MustParseAddr("2001:db8::9")
	for _, c := range []struct {
		name string
		p    acltest.Packet
		w    acltest.Want
		then *acltest.Packet
		want string
	}{
		{"accepted", out, wants(acltest.Drop), nil, "accepted by rule all of acl lan-in, leaves by wan0; want drop"},
		{"dropped", in, wants(acltest.Accept), nil, "dropped by the default action of acl wan-in; want accept"},
		{"dropped without a word", in, wants(acltest.Reject), nil, "dropped by the default action of acl wan-in; want reject"},
		{"no route", from("lan0", "2001:db8:1::2", "2001:db8:f::9", tcp, 443), wants(acltest.Drop), nil, "dropped, and not by the filter: no route covers its destination (no_route); want drop"},
		{"verdict", out, acltest.Want{Verdict: verdict.NoRoute}, nil, "leaves by wan0; want no_route"},
		{"way out", out, acltest.Want{Outcome: acltest.Accept, Out: "lan0"}, nil, "want it to leave by lan0"},
		{"state", out, acltest.Want{Outcome: acltest.Accept, State: &related}, nil, "its state is new; want related"},
		{"rule", out, acltest.Want{Outcome: acltest.Accept, List: "lan-in", Rule: "web"}, nil, "want rule web of acl lan-in to have decided"},
		{"interface", from("lan9", "10.0.1.2", "10.0.1.1", 0, 0), wants(acltest.Accept), nil, `it comes in by "lan9", and the configuration has no such interface`},
		{"answer to a drop", in, wants(acltest.Drop), &answer, "it is an answer to a packet that was dropped"},
		{"answer to the router", local, acltest.Want{Verdict: verdict.EchoReplied}, &answer, "it is an answer to a packet for the router itself"},
		{"answer of the other family", out, wants(acltest.Accept), &stranger, "an answer from 2001:db8::9: want an address of the family"},
	} {
		test := acltest.Test{Steps: []acltest.Step{{Packet: c.p, Want: c.w}}}
		if c.then != nil {
			test.Steps = append(test.Steps, acltest.Step{Packet: *c.then, Want: wants(acltest.Accept)}, acltest.Step{Packet: out, Want: wants(acltest.Accept)})
		}
		result := r.Run(&test)
		last := result.Steps[len(result.Steps)-1]
		if !result.Wrong || !strings.Contains(last.Wrong, c.want) {
			t.Errorf("%s: wrong %v, %q; want %q", c.name, result.Wrong, last.Wrong, c.want)
		}
		if n := len(result.Steps); c.then != nil && n != 2 || c.then == nil && n != 1 {
			t.Errorf("%s: %d packets were run, want an end at the first that does not fare as wanted", c.name, n)
		}
	}
}

// What exceeds a limit of a rule is dropped by the filter. Rates bound nothing, since no
// time passes from one packet to the next, and a test leaves nothing counted.
func TestLimited(t *testing.T) {
	cfg := gateway()
	all := &cfg.ACL.Lists[0].Rules[1]
	all.HostLimits = acl.Limits{Connections: 1, Every: time.Hour, Burst: 1}
	all.Limits = acl.Limits{Every: time.Hour, Burst: 1}
	r, err := acltest.New(cfg, nil, time.Unix(1_700_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	if all.HostLimits.Every == 0 {
		t.Error("the caller's configuration was changed")
	}
	first := from("lan0", "10.0.1.2", "203.0.113.9", tcp, 443)
	second := first
	second.SrcPort++
	for n := range 3 {
		result := r.Run(&acltest.Test{Steps: []acltest.Step{
			{Packet: first, Want: wants(acltest.Accept)},
			{Packet: second, Want: acltest.Want{Outcome: acltest.Drop, List: "lan-in", Rule: "all"}},
		}})
		last := result.Steps[len(result.Steps)-1]
		if result.Wrong || last.Verdict != verdict.ACLLimited {
			t.Errorf("run %d: %s %s", n, last.Verdict, last.Wrong)
		}
		if want := "dropped: over a limit of rule all of acl lan-in"; last.Became() != want {
			t.Errorf("run %d: %q, want %q", n, last.Became(), want)
		}
	}
}
