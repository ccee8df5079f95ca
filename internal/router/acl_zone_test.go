package router

import (
	"net/netip"
	"testing"

	"routerd/acl"
	"routerd/flow"
	"routerd/internal/packet"
	"routerd/routing"
)

// TestReviewOfZones: a session is allowed for as long as a policy between its
// zones lets it begin, with the addresses that its hosts have themselves.
func TestReviewOfZones(t *testing.T) {
	list := []acl.Interface{{ID: 0, Name: "lan0"}, {ID: 1, Name: "wan0"}, {ID: 2, Name: "other0"}}
	number := func(s string) uint32 {
		a := netip.MustParseAddr(s).As4()
		return uint32(a[0])<<24 | uint32(a[1])<<16 | uint32(a[2])<<8 | uint32(a[3])
	}
	// From outside to a forwarded port: 203.0.113.1:80 is 10.0.1.3:8080.
	session := flow.Session{
		Forward: flow.Key{Proto: packet.ProtoTCP, Src: number("198.51.100.2"), Dst: number("203.0.113.1"), SrcPort: 4000, DstPort: 80},
		Reply:   flow.Key{Proto: packet.ProtoTCP, Src: number("10.0.1.3"), Dst: number("198.51.100.2"), SrcPort: 8080, DstPort: 4000},
		Note:    flow.Note{In: 2, Out: 1},
	}
	to := func(address string, port uint16) acl.List {
		return acl.List{Name: "x", Default: acl.Drop, Rules: []acl.Rule{{
			Name: "server", Protocols: []uint8{packet.ProtoTCP}, DestinationPorts: []flow.PortRange{{First: port, Last: port}},
			Destinations: []flow.AddressRange{flow.RangeOf(netip.MustParsePrefix(address))},
		}}}
	}
	zones := []acl.Zone{{Name: "lan", Interfaces: []string{"lan0"}}, {Name: "wan", Interfaces: []string{"wan0"}}}
	policy := []acl.Policy{{From: "wan", To: "lan", List: "x"}}
	for _, tt := range []struct {
		name string
		cfg  acl.Config
		want bool
	}{
		{"the policy accepts", acl.Config{Lists: []acl.List{to("10.0.1.3/32", 8080)}, Zones: zones, Policies: policy}, true},
		{"the policy would accept the outside destination", acl.Config{Lists: []acl.List{to("203.0.113.1/32", 80)}, Zones: zones, Policies: policy}, false},
		{"no policy", acl.Config{Zones: zones}, false},
		{"a policy for the other way", acl.Config{Lists: []acl.List{to("10.0.1.3/32", 8080)}, Zones: zones, Policies: []acl.Policy{{From: "lan", To: "wan", List: "x"}}}, false},
		{"one zone", acl.Config{Zones: []acl.Zone{{Name: "all", Interfaces: []string{"lan0", "wan0"}}}}, true},
		{"out of its zone", acl.Config{Zones: []acl.Zone{{Name: "lan", Interfaces: []string{"lan0"}}}}, false},
		{"neither in a zone", acl.Config{Zones: []acl.Zone{{Name: "other", Interfaces: []string{"other0"}}}}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rules, err := acl.Compile(tt.cfg, list, nil)
			if err != nil {
				t.Fatal(err)
			}
			v := &reviewer{rules: rules, stack: routing.NoInterface}
			if got := v.allows(&session, false); got != tt.want {
				t.Errorf("allowed: %v, want %v", got, tt.want)
			}
			if own := (flow.Session{Forward: session.Forward, Reply: session.Reply}); !v.allows(&own, false) {
				t.Error("a session of the router itself is not allowed")
			}
		})
	}
	moved := func(id int) acl.Config {
		c := acl.Config{Zones: []acl.Zone{{Name: "a", Interfaces: []string{"lan0"}}}, Policies: []acl.Policy{{From: "a", To: "a", List: "x"}}}
		c.Zones[0].Origin, c.Policies[0].Origin = 1, 2
		if id > 0 {
			c.Zones[0].Origin, c.Policies[0].Origin = 3, 4
		}
		if id > 1 {
			c.Zones[0].Interfaces = []string{"wan0"}
		}
		return c
	}
	one, elsewhere, other := moved(0), moved(1), moved(2)
	if !sameFilter(&one, &elsewhere) || sameFilter(&one, &other) {
		t.Error("filters are the same that differ in where they stand alone, and others are not")
	}
}
