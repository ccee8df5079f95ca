package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
		{statement("match = { prefix-set = \"nine\" }\naction = \"accept\""), `2:24: error: policy.definition.p.statement[1].match.prefix-set is "nine", and there is no such prefix-set`},
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
		{"[policy.prefix-set]\nnine = \"192.0.2.0/24\"\n" + statement("match = { prefix-set = [\"nien\"] }\naction = \"accept\""), `did you mean "nine"?`},
		{"[policy.prefix-set]\nnine = \"::ffff:192.0.2.0/120\"", `nine is "::ffff:192.0.2.0/120"`},
		{"[rip.interface.x]\nexport-policy = \"p\"\n" + statement("set = { next-hop = \"192.0.2.1\" }"), "t.toml:2:17: warning: policy p sets a next hop, which changes nothing in RIP"},
		{statement("match = { family = \"ipv6\" }\nset = { next-hop = \"192.0.2.1\" }"), "statement 1 gives routes of IPv6 the next hop 192.0.2.1"},
		{"[rip.interface.x]\nimport-policy = [\"p\", \"q\"]\n" + statement("action = \"accept\"") + "[[policy.definition.q.statement]]\naction = \"reject\"", `import-policy[2] is "q", which is never asked: p decides about every route`},
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

// All that is wrong with policies is said at once, beside what is wrong
// elsewhere.
func TestPolicyMistakesAtOnce(t *testing.T) {
	_, problems := Parse("t.toml", []byte(`log.level = "loud"
[policy.prefix-set]
a = [{ ip-prefix = "10.0.0.0/8", masklength-range = "9..40" }]
[[policy.definition.p.statement]]
match = { tag = 3 }
[[policy.definition.p.statement]]
set = { metric = 3, metric-add = 2 }
`))
	var lines []int
	for _, p := range problems {
		if !p.Warning {
			lines = append(lines, p.Place.Line)
		}
	}
	if want := []int{1, 3, 4, 6}; !slices.Equal(lines, want) {
		t.Errorf("mistakes in lines %v, want %v: %v", lines, want, problems)
	}
}

func TestPolicyDiff(t *testing.T) {
	parse := func(text string) *Config {
		t.Helper()
		c, problems := Parse("t.toml", []byte(text))
		if Failed(problems) {
			t.Fatal(problems)
		}
		return c
	}
	many := func(last string) string {
		text := "[policy.prefix-set]\nmany = ["
		for i := range 20 {
			text += fmt.Sprintf("\"10.%d.0.0/16\", ", i)
		}
		return text + `"` + last + `"]`
	}
	for _, tt := range []struct {
		name, old, new string
		want           []string
	}{
		{"nothing", policies, "\n\n" + policies, nil},
		{"a length", policies, strings.Replace(policies, "8..24", "8..25", 1), []string{
			"changed policy.prefix-set.ten 10.0.0.0/8 8..24 192.0.2.0/24 -> 10.0.0.0/8 8..25 192.0.2.0/24",
		}},
		{"a change", policies, strings.Replace(policies, "metric-add = -2", "tag = 5", 1), []string{
			"changed policy.definition.out.statement[2].set.metric-add -2 -> ",
			"changed policy.definition.out.statement[2].set.tag  -> 5",
		}},
		{"a policy", "", policies, []string{
			"added policy.definition.out.statement.marked  -> action accept, match.family ipv4, match.metric 3, match.next-hop 192.0.2.1/32 198.51.100.0/24, " +
				"match.prefix-set ten, match.protocol static bgp, match.tag 7 10..20, set.metric 4, set.next-hop 192.0.2.9, set.tag 9",
			"added policy.definition.out.statement[2]  -> action accept, match.prefix-set ten, set.metric-add -2",
			"added policy.prefix-set.ten  -> 10.0.0.0/8 8..24 192.0.2.0/24",
		}},
		{"a large set", many("192.0.2.0/24"), many("192.0.2.0/25"), []string{
			"changed policy.prefix-set.many 21 prefixes (sum 5fd7ef54) -> 21 prefixes (sum 220856cc)",
		}},
	} {
		var got []string
		for _, c := range Diff(parse(tt.old), parse(tt.new)) {
			got = append(got, c.Kind+" "+c.Path+" "+c.Old+" -> "+c.New)
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}
