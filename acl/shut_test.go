package acl

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"routerd/flow"
	"routerd/internal/packet"
)

// TestShutIsNeverWrong: where a list is said to refuse every connection to a
// port, no packet that begins one is accepted.
func TestShutIsNeverWrong(t *testing.T) {
	said := 0
	rapid.Check(t, func(t *rapid.T) {
		l := List{Name: "x", Default: Action(rapid.IntRange(0, 2).Draw(t, "default"))}
		for i := range rapid.IntRange(0, 3).Draw(t, "rules") {
			l.Rules = append(l.Rules, drawRule(t, string(rune('A'+i))))
		}
		cfg := Config{Lists: []List{l}, Sets: []Set{
			{Name: "none"},
			{Name: "inside", Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}},
			{Name: "both", Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/64")}},
		}}
		p, src, dst := drawPacket(t)
		p.Protocol, p.State, p.TCPFlags = packet.ProtoTCP, New, packet.TCPSyn
		to := dst
		if rapid.Bool().Draw(t, "any address") {
			if to = netip.IPv6Unspecified(); dst.Is4() && rapid.Bool().Draw(t, "of IPv4") {
				to = netip.IPv4Unspecified()
			}
		}
		rule, shut := l.Shuts(to, p.DstPort)
		if shut {
			said++
		}
		if got, hits := naive(&cfg, &l, &p, src, dst, someInterface); shut && got == Accept {
			t.Fatalf("rule %d is said to refuse all connections to port %d of %s; %q accept one from %s to %s", rule, p.DstPort, to, hits, src, dst)
		}
	})
	if said == 0 {
		t.Error("no list was shut, so nothing has been tried")
	}
}

func TestShut(t *testing.T) {
	to := netip.MustParseAddr("10.0.0.1")
	tcp := []uint8{packet.ProtoTCP}
	api := Rule{Protocols: tcp, DestinationPorts: []flow.PortRange{{First: 8443, Last: 8443}}}
	with := func(r Rule, change func(*Rule)) Rule { change(&r); return r }
	for name, tt := range map[string]struct {
		list List
		rule int
		shut bool
	}{
		"an empty list that drops":   {List{Default: Drop}, -1, true},
		"an empty list that accepts": {List{}, -1, false},
		"a rule for it":              {List{Default: Drop, Rules: []Rule{api}}, 0, false},
		"a rule for some sources":    {List{Default: Drop, Rules: []Rule{with(api, func(r *Rule) { r.SourceSets = []string{"inside"} })}}, 0, false},
		"a rule for IPv6 alone":      {List{Default: Drop, Rules: []Rule{with(api, func(r *Rule) { r.Family = 6 })}}, -1, true},
		"a rule for UDP":             {List{Default: Drop, Rules: []Rule{with(api, func(r *Rule) { r.Protocols = []uint8{17} })}}, -1, true},
		"a rule for another port":    {List{Default: Drop, Rules: []Rule{with(api, func(r *Rule) { r.DestinationPorts = []flow.PortRange{{First: 443, Last: 443}} })}}, -1, true},
		"a rule for another address": {List{Default: Drop, Rules: []Rule{with(api, func(r *Rule) {
			r.Destinations = []flow.AddressRange{flow.RangeOf(netip.MustParsePrefix("10.0.1.0/24"))}
		})}}, -1, true},
		"a rule for answers":          {List{Default: Drop, Rules: []Rule{with(api, func(r *Rule) { r.States = []State{Related} })}}, -1, true},
		"a rule for ACKs":             {List{Default: Drop, Rules: []Rule{with(api, func(r *Rule) { r.TCPFlags = Flags{packet.TCPAck, packet.TCPAck} })}}, -1, true},
		"dropped before":              {List{Rules: []Rule{{Action: Count}, {Protocols: tcp, Action: Drop}, api}}, 1, true},
		"dropped from some before":    {List{Rules: []Rule{{Sources: []flow.AddressRange{{First: to, Last: to}}, Action: Drop}}}, -1, false},
		"rejected by its first flags": {List{Rules: []Rule{{Protocols: tcp, TCPFlags: Flags{packet.TCPSyn, packet.TCPSyn}, Action: Reject}}}, 0, true},
	} {
		if rule, shut := tt.list.Shuts(to, 8443); shut != tt.shut || shut && rule != tt.rule {
			t.Errorf("%s: shut %v by %d, want %v by %d", name, shut, rule, tt.shut, tt.rule)
		}
	}
}
