package acl

import (
	"net/netip"
	"strings"
	"testing"

	"routerd/flow"
	"routerd/internal/packet"
)

func compiled(t testing.TB, cfg Config, before *Rules) *Rules {
	t.Helper()
	r, err := Compile(cfg, interfacesForTest(), before)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestMissingSetIsAnError: a rule with a set that does not exist must not be
// read as one that matches everything, or nothing.
func TestMissingSetIsAnError(t *testing.T) {
	for _, tt := range []struct {
		name string
		rule Rule
		want string
	}{
		{"source set", Rule{Name: "r", SourceSets: []string{"gone"}}, `set "gone": there is no such prefix-set`},
		{"destination set", Rule{Name: "r", DestinationSets: []string{"gone"}}, `set "gone": there is no such prefix-set`},
		{"interface", Rule{Name: "r", Inbound: []string{"gone0"}}, `interface "gone0" does not exist`},
		{"ports without a protocol", Rule{Name: "r", SourcePorts: []flow.PortRange{{First: 1, Last: 2}}}, "no protocol"},
		{"ports of a protocol without", Rule{Name: "r", Protocols: []uint8{47}, SourcePorts: []flow.PortRange{{First: 1, Last: 2}}}, "protocol 47 has none"},
		{"ICMP types of TCP", Rule{Name: "r", Protocols: []uint8{6}, ICMP: []ICMPType{{Type: 8}}}, "ICMP types"},
		{"flags of UDP", Rule{Name: "r", Protocols: []uint8{17}, TCPFlags: Flags{2, 2}}, "TCP flags"},
		{"flags set that are not looked at", Rule{Name: "r", Protocols: []uint8{6}, TCPFlags: Flags{2, 4}}, "TCP flags"},
		{"addresses of two families", Rule{Name: "r", Sources: []flow.AddressRange{{First: netip.MustParseAddr("10.0.0.1"), Last: netip.MustParseAddr("::1")}}}, "one family"},
		{"addresses the wrong way round", Rule{Name: "r", Sources: []flow.AddressRange{{First: netip.MustParseAddr("10.0.0.2"), Last: netip.MustParseAddr("10.0.0.1")}}}, "lower one first"},
		{"no name", Rule{}, "no name"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Compile(Config{Lists: []List{{Name: "x", Rules: []Rule{tt.rule}}}}, interfacesForTest(), nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
	for want, cfg := range map[string]Config{
		"no such list":      {Local: "gone"},
		"acl-in \"gone\"":   {Interfaces: []Binding{{Interface: "lan0", In: "gone"}}},
		"acl-out \"gone\"":  {Interfaces: []Binding{{Interface: "lan0", Out: "gone"}}},
		"no such interface": {Interfaces: []Binding{{Interface: "gone0"}}},
		"used twice":        {Lists: []List{{Name: "x", Rules: []Rule{{Name: "r"}, {Name: "r"}}}}},
		"no other list has": {Lists: []List{{Name: "x"}, {Name: "x"}}},
		"default-action":    {Lists: []List{{Name: "x", Default: Count}}},
	} {
		if _, err := Compile(cfg, interfacesForTest(), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// TestRulesKeepTheirNumbers: a rule is counted by its number, so moving it in
// its list must not change that, and no other rule may get it.
func TestRulesKeepTheirNumbers(t *testing.T) {
	list := func(rules ...string) Config {
		l := List{Name: "x"}
		for _, r := range rules {
			l.Rules = append(l.Rules, Rule{Name: r})
		}
		return Config{Lists: []List{l}}
	}
	numbers := func(r *Rules) map[string]uint32 {
		m := map[string]uint32{}
		for _, n := range func() (all []uint32) {
			r.Lists(func(_ string, n []uint32) bool { all = n; return true })
			return all
		}() {
			p, _ := r.Place(n)
			m[p.Rule] = n
		}
		return m
	}
	first := compiled(t, list("a", "b", "c"), nil)
	second := compiled(t, list("c", "new", "a"), first)
	third := compiled(t, list("b", "c"), second)
	one, two, three := numbers(first), numbers(second), numbers(third)
	if one["a"] != two["a"] || one["c"] != two["c"] || two["c"] != three["c"] || one[""] != three[""] {
		t.Errorf("numbers %v, then %v, then %v: want those of rules that stay to stay", one, two, three)
	}
	if two["new"] == one["b"] || three["b"] == two["new"] {
		t.Errorf("numbers %v, then %v, then %v: want no number given to another rule", one, two, three)
	}
	if p, ok := third.Place(one["a"]); ok {
		t.Errorf("rule a is gone, and its number is %+v", p)
	}
}

// TestDecidingAllocatesNothing: a list decides about every new flow.
func TestDecidingAllocatesNothing(t *testing.T) {
	r := compiled(t, manyRules(100), nil)
	p := Packet{Family: 4, Protocol: packet.ProtoTCP, In: 1, DstPort: 1}
	p.Addresses4(1, 2)
	hits := make([]Hit, 0, 8)
	if n := testing.AllocsPerRun(100, func() { _, hits = r.In(1).Decide(&p, hits[:0]) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
