package config

import (
	"net/netip"
	"strings"
	"testing"

	"routerd/routing"
	"routerd/routing/policy"
)

const policies = `
[policy.prefix-set]
ten = [{ ip-prefix = "10.0.0.0/8", masklength-range = "8..24" }, "192.0.2.0/24"]
[[policy.definition.out.statement]]
name = "marked"
match = { prefix-set = "ten", protocol = ["static", "bgp"], tag = [7, "10..20"], metric = 3, next-hop = ["192.0.2.1", "198.51.100.0/24"], family = "ipv4" }
set = { metric = 4, tag = 9, next-hop = "192.0.2.9" }
action = "accept"
[[policy.definition.out.statement]]
match = { prefix-set = "ten" }
set = { metric-add = -2 }
action = "accept"
`

func TestPolicyValues(t *testing.T) {
	c, problems := Parse("t.toml", []byte("[interface.lo]\nkind = \"loopback\""+policies))
	if len(problems) != 0 {
		t.Fatal(problems)
	}
	chain, err := c.Policies.Chain("out")
	if err != nil {
		t.Fatal(err)
	}
	r := policy.Route{Prefix: netip.MustParsePrefix("10.1.0.0/16"), Source: routing.SourceIBGP, Tag: 15, Metric: 3, NextHop: netip.MustParseAddr("198.51.100.7")}
	if ok := chain.Accepts(&r); !ok || r.Metric != 4 || r.Tag != 9 || r.NextHop != netip.MustParseAddr("192.0.2.9") {
		t.Errorf("accepted %v as %+v, want the first statement's changes", ok, r)
	}
	r = policy.Route{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Metric: 5}
	if ok := chain.Accepts(&r); !ok || r.Metric != 3 {
		t.Errorf("accepted %v as %+v, want the second statement's metric 3", ok, r)
	}
	if steps, _ := chain.Explain(&r); steps[0].Policy != "out" || steps[0].Statement != "marked" || c.Origins.Place(steps[0].Origin).Line == 0 {
		t.Errorf("explained as %+v, want the statement by its name and place", steps[0])
	}
	r = policy.Route{Prefix: netip.MustParsePrefix("10.1.2.0/25")}
	if chain.Accepts(&r) {
		t.Error("a prefix longer than the set's lengths was accepted")
	}
}

// A set that is missing, a field misspelt, a value that cannot be: never a
// silent pass.
func TestPolicyMistakes(t *testing.T) {
	statement := func(s string) string { return "[[policy.definition.p.statement]]\n" + s + "\n" }
	for _, tt := range []struct{ text, want string }{
		{statement("match = { prefix-set = \"nine\" }\naction = \"accept\""), `1:23: error: statement 1 matches by prefix-set "nine", and there is none of that name`},
		{statement("match = { prefix-sets = \"ten\" }\naction = \"accept\""), `2:11: error: unknown key "prefix-sets" in policy.definition.p.statement[1].match`},
		{statement("match = { tag = [] }\naction = \"accept\""), "policy.definition.p.statement[1].match.tag is an empty list"},
		{statement("action = \"permit\""), `action is "permit"`},
		{statement("match = { protocol = \"isis\" }\naction = \"accept\""), `protocol is "isis"`},
		{statement("match = { tag = \"20..10\" }\naction = \"accept\""), `tag is "20..10"`},
		{statement("set = { metrik = 3 }"), `unknown key "metrik"`},
		{statement("match = { tag = 1 }"), "statement 1 does nothing with what it matches"},
		{"[policy.prefix-set]\na = [{ ip-prefix = \"10.0.0.1/8\" }]", `ip-prefix is "10.0.0.1/8"`},
		{"[policy.prefix-set]\na = [{ ip-prefix = \"10.0.0.0/8\", masklength-range = \"8-24\" }]", `masklength-range is "8-24"`},
		{"[policy.prefix-set]\na = [{ ip-prefix = \"10.0.0.0/8\", masklength-range = \"4..24\" }]", "no prefix in 10.0.0.0/8 is shorter than 8 bits, and the range begins at 4"},
		{"[policy.prefix-set]\na = [{ masklength-range = \"4..24\" }]", "has no ip-prefix"},
		{statement("action = \"accept\"") + statement("action = \"reject\""), "warning: statement 2 of policy p is never reached"},
		{"[rip.redistribute.static]\npolicy = \"nobody\"", `rip.redistribute.static.policy is "nobody", and there is no [policy.definition.nobody]`},
		{"[rip.interface.x]\nimport-policy = [\"nobody\"]", `is "nobody", and there is no [policy.definition.nobody]`},
	} {
		_, problems := Parse("t.toml", []byte(tt.text))
		said := ""
		for _, p := range problems {
			said += p.String() + "\n"
		}
		if !strings.Contains(said, tt.want) {
			t.Errorf("%s\ngives\n%s, want %q", tt.text, said, tt.want)
		}
	}
}
