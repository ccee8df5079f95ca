package dataplane

import (
	"fmt"
	"strings"
	"testing"

	"routerd/acl"
	"routerd/flow"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/nat"
)

// threeZones has a zone on lan0, one on lan1 and none on bare0. From the first
// to the second TCP to port 80 passes.
func threeZones() acl.Config {
	return acl.Config{
		Lists: []acl.List{{Name: "in-out", Default: acl.Drop, Rules: []acl.Rule{
			{Name: "web", Protocols: []uint8{packet.ProtoTCP}, DestinationPorts: []flow.PortRange{{First: 80, Last: 80}}, Action: acl.Accept, Origin: 81},
			{Name: "telnet", Protocols: []uint8{packet.ProtoTCP}, DestinationPorts: []flow.PortRange{{First: 23, Last: 23}}, Action: acl.Reject, Origin: 82},
		}}},
		Zones: []acl.Zone{{Name: "in", Interfaces: []string{"lan0"}, Origin: 70}, {Name: "out", Interfaces: []string{"lan1"}, Origin: 71}},
		Policies: []acl.Policy{
			{From: "in", To: "out", List: "in-out", Origin: 72},
		},
	}
}

// TestZones: every pair of zones, and the interface in none, in both families.
func TestZones(t *testing.T) {
	const ok, no, noPolicy = verdict.Forwarded, verdict.ACLDropped, verdict.ZoneNoPolicy
	four, six := both(
		leg{lan0, "tcp 10.0.1.2:4000 > 10.0.2.2:80", flagSyn, ok},
		leg{lan1, "tcp 10.0.2.2:80 > 10.0.1.2:4000", flagSynAck, ok}, // an answer
		leg{lan0, "tcp 10.0.1.2:4000 > 10.0.2.2:81", flagSyn, no},
		leg{lan0, "tcp 10.0.1.2:4000 > 10.0.2.2:23", flagSyn, verdict.ACLRejected},
		leg{lan1, "tcp 10.0.2.2:4000 > 10.0.1.2:80", flagSyn, noPolicy},
		leg{lan1, "tcp 10.0.2.2:80 > 10.0.1.2:4001", flagAck, noPolicy},
		leg{lan0, "tcp 10.0.1.2:4000 > 10.0.4.2:80", flagSyn, noPolicy},
		leg{bare0, "tcp 10.0.4.2:4000 > 10.0.2.2:80", flagSyn, noPolicy},
		leg{lan0, "icmp 10.0.1.2:7 > 10.0.2.1:0", 0, verdict.EchoReplied}, // the router itself
		leg{lan1, "icmp 10.0.2.2:7 > 10.0.1.1:0", 0, verdict.EchoReplied},
	)
	for family, legs := range map[string][]leg{"IPv4": four, "IPv6": six} {
		for name, nc := range map[string]nat.Config{"alone": {}, "beside translation": natConfig()} {
			if family == "IPv4" && name != "alone" {
				continue // other addresses: see below
			}
			t.Run(family+" "+name, func(t *testing.T) { newNetwork(t).filter(t, threeZones(), nc).walk(t, legs) })
		}
	}
}

// TestZonesWithTranslation: the list of a policy sees the hosts' own addresses,
// and a forwarded port needs a policy to where it leads.
func TestZonesWithTranslation(t *testing.T) {
	own := func(from, to, source, destination string) acl.Config {
		c := threeZones()
		c.Lists[0].Rules = []acl.Rule{{Name: "own", Sources: []flow.AddressRange{flow.RangeOf(prefix(source))}, Destinations: []flow.AddressRange{flow.RangeOf(prefix(destination))}}}
		c.Policies[0].From, c.Policies[0].To = from, to
		return c
	}
	for _, tt := range []struct {
		name string
		cfg  acl.Config
		leg  leg
	}{
		{"the source before its translation", own("in", "out", "10.0.1.0/24", "10.0.2.2/32"), leg{lan0, "udp 10.0.1.2:4000 > 10.0.2.2:53", 0, verdict.Forwarded}},
		{"not the translated source", own("in", "out", "10.0.2.1/32", "10.0.2.2/32"), leg{lan0, "udp 10.0.1.2:4000 > 10.0.2.2:53", 0, verdict.ACLDropped}},
		{"the destination behind its translation", own("out", "in", "10.0.2.2/32", "10.0.1.3/32"), leg{lan1, "tcp 10.0.2.2:5555 > 10.0.2.1:80", flagSyn, verdict.Forwarded}},
		{"not the outside destination", own("out", "in", "10.0.2.2/32", "10.0.2.1/32"), leg{lan1, "tcp 10.0.2.2:5555 > 10.0.2.1:80", flagSyn, verdict.ACLDropped}},
		{"no policy to where the port leads", threeZones(), leg{lan1, "tcp 10.0.2.2:5555 > 10.0.2.1:80", flagSyn, verdict.ZoneNoPolicy}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNetwork(t).filter(t, tt.cfg, natConfig())
			n.walk(t, []leg{tt.leg})
			if got, want := n.view.NAT.Sessions().Len(), map[bool]int{true: 1}[tt.leg.want == verdict.Forwarded]; got != want {
				t.Errorf("%d sessions, want %d", got, want)
			}
		})
	}
}

// TestZonesAndLists: a packet has to pass the list of the way in, the policy and
// the list of the way out.
func TestZonesAndLists(t *testing.T) {
	syn := leg{lan0, "tcp 10.0.1.2:4000 > 10.0.2.2:80", flagSyn, 0}
	for _, refuses := range []string{"nothing", "in", "zone", "out"} {
		cfg := threeZones()
		action := func(who string) acl.Action {
			if who == refuses {
				return acl.Drop
			}
			return acl.Accept
		}
		cfg.Lists[0].Rules[0].Action = action("zone")
		cfg.Lists = append(cfg.Lists, acl.List{Name: "i", Default: action("in")}, acl.List{Name: "o", Default: action("out")})
		cfg.Interfaces = []acl.Binding{{Interface: "lan0", In: "i"}, {Interface: "lan1", Out: "o"}}
		if syn.want = verdict.ACLDropped; refuses == "nothing" {
			syn.want = verdict.Forwarded
		}
		t.Run(refuses+" refuses", func(t *testing.T) { newNetwork(t).filter(t, cfg, nat.Config{}).walk(t, []leg{syn}) })
	}
}

// TestExplainZones: zones, policy and rule are named with their places, and the
// log of drops says which way has no policy.
func TestExplainZones(t *testing.T) {
	n := newNetwork(t).filter(t, threeZones(), nat.Config{})
	for _, tt := range []struct {
		leg  leg
		want []string
	}{
		{leg{lan0, "tcp 10.0.1.2:4000 > 10.0.2.2:80", flagSyn, 0}, []string{
			"zone: from the zone in to the zone out: the policy says acl in-out @72", "acl-zone: accepted by rule web of acl in-out @81",
		}},
		{leg{lan0, "tcp 10.0.1.2:4000 > 10.0.2.2:99", flagSyn, 0}, []string{"acl-zone: dropped by the default action of acl in-out @0"}},
		{leg{lan1, "tcp 10.0.2.2:4000 > 10.0.1.2:80", flagSyn, 0}, []string{"zone: dropped: no policy is for packets from the zone out to the zone in @71"}},
		{leg{bare0, "tcp 10.0.4.2:4000 > 10.0.1.2:80", flagSyn, 0}, []string{"zone: dropped: no policy is for packets from an interface in no zone to the zone in @70"}},
		{leg{lan0, "tcp 10.0.1.2:4000 > 10.0.1.3:80", flagSyn, 0}, nil},
	} {
		var said []string
		for _, s := range Explain(n.view, tt.leg.in, segment(t, tt.leg.text, tt.leg.flags), testNow).Steps {
			said = append(said, fmt.Sprintf("%s: %s @%d", s.Stage, s.Text, s.Origin))
		}
		for _, want := range tt.want {
			if !strings.Contains(strings.Join(said, "\n"), want) {
				t.Errorf("%s: explain says\n%s\nwant %q", tt.leg.text, strings.Join(said, "\n"), want)
			}
		}
	}
	ring := &DropRing{}
	b := NewBatch(BatchSize, &Counters{}, ring)
	n.runIn(t, b, lan1, raw(segment(t, "tcp 10.0.2.2:4000 > 10.0.1.2:80", flagSyn)))
	last := ring.Last(1)
	if len(last) != 1 || n.view.DropSentence(&last[0]) != "dropped: no policy is for packets from the zone out to the zone in" {
		t.Errorf("the log of drops has %+v", last)
	} else if hits := b.counters.Rule(last[0].Rule - 1); hits.Packets != 1 {
		t.Errorf("the pair has counted %+v, want one packet", hits)
	}
}
