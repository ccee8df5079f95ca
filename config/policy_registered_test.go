package config

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"routerd/routing/policy"
)

// A toy protocol whose routes have a colour.
type (
	ofColour string
	repaint  string
)

func init() {
	var read func(v any) (string, error)
	read = func(v any) (string, error) {
		if list, ok := v.([]any); ok { // one of several
			all := ""
			for _, one := range list {
				c, err := read(one)
				if err != nil {
					return "", err
				}
				all += c + " "
			}
			return all, nil
		}
		c, ok := v.(string)
		if !ok || c != "red" && c != "blue" {
			return "", errors.New("which is no colour")
		}
		return c, nil
	}
	policy.Register(policy.Extension{
		Name: "colour", Want: "red or blue", Sets: "colour-set",
		Match: func(v any) (policy.Condition, error) { c, err := read(v); return ofColour(c), err },
		Set:   func(v any) (policy.Change, error) { c, err := read(v); return repaint(c), err },
	})
}

func (c ofColour) Holds(r *policy.Route) bool {
	a, ok := r.Attributes.(*string)
	return ok && strings.Contains(string(c), *a)
}
func (c ofColour) Miss(*policy.Route) string { return "it is not " + string(c) }

func (c repaint) Apply(r *policy.Route) bool {
	s := string(c)
	r.Attributes, r.AttributesSet = &s, true
	return true
}
func (c repaint) String() string { return "colour = " + string(c) }

// A key that a protocol has registered is one of the configuration: read with its
// place, checked, compiled, and told by Diff when it changes.
func TestRegisteredPolicyKeys(t *testing.T) {
	text := `[interface.lo]
kind = "loopback"
[[policy.definition.p.statement]]
match.colour = "red"
set = { colour = "blue", tag = 3 }
action = "accept"
`
	c, problems := Parse("t.toml", []byte(text))
	if len(problems) != 0 {
		t.Fatal(problems)
	}
	chain, err := c.Policies.Chain("p")
	if err != nil {
		t.Fatal(err)
	}
	red := "red"
	r := policy.Route{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Attributes: &red}
	steps, accepted := chain.Explain(&r)
	if got := *r.Attributes.(*string); !accepted || got != "blue" || red != "red" {
		t.Errorf("accepted %v as %s", accepted, got)
	}
	if len(steps) != 1 || steps[0].String() != "p, statement 1: matched, tag = 3, colour = blue, accepted" {
		t.Errorf("explained as %v", steps)
	}
	other, problems := Parse("t.toml", []byte(strings.Replace(text, `"blue"`, `"red"`, 1)))
	if len(problems) != 0 {
		t.Fatal(problems)
	}
	changes := Diff(c, other)
	if len(changes) != 1 || changes[0].Path != "policy.definition.p.statement[1].set.colour" || changes[0].Old != "blue" || changes[0].New != "red" {
		t.Errorf("the difference is %v", changes)
	}
	if changes := Diff(c, c); len(changes) != 0 {
		t.Errorf("the difference to itself is %v", changes)
	}
	for _, tt := range []struct{ old, wrong, want string }{
		{`"red"`, `"x"`, `t.toml:4:16: error: policy.definition.p.statement[1].match.colour is "x", which is no colour`},
		{`"blue"`, `7`, `t.toml:5:18: error: policy.definition.p.statement[1].set.colour is 7, which is no colour`},
		{`match.colour`, `match.color`, `did you mean "colour"?`},
	} {
		_, problems := Parse("t.toml", []byte(strings.Replace(text, tt.old, tt.wrong, 1)))
		said := ""
		for _, p := range problems {
			said += p.String() + "\n"
		}
		if !strings.Contains(said, tt.want) {
			t.Errorf("%s instead of %s, and said is\n%swant %s", tt.wrong, tt.old, said, tt.want)
		}
	}
}

// Values of a registered key may stand in sets by name, of which a route has to be in one
// that a statement names.
func TestRegisteredSets(t *testing.T) {
	text := `[interface.lo]
kind = "loopback"
[policy.colour-set]
warm = "red"
all = ["red", "blue"]
[[policy.definition.p.statement]]
match.colour-set = "warm"
action = "accept"
`
	accepts := func(c *Config, colour string) bool {
		t.Helper()
		chain, err := c.Policies.Chain("p")
		if err != nil {
			t.Fatal(err)
		}
		return chain.Accepts(&policy.Route{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Attributes: &colour})
	}
	parse := func(old, new string) *Config {
		t.Helper()
		c, problems := Parse("t.toml", []byte(strings.Replace(text, old, new, 1)))
		if len(problems) != 0 {
			t.Fatal(problems)
		}
		return c
	}
	c := parse("", "")
	if !accepts(c, "red") || accepts(c, "blue") {
		t.Errorf("accepted: red %v, blue %v, want red alone", accepts(c, "red"), accepts(c, "blue"))
	}
	if c := parse(`= "warm"`, `= ["warm", "all"]`); !accepts(c, "red") || !accepts(c, "blue") {
		t.Error("of two sets a route has to be in one")
	}
	if c := parse(`match.colour-set = "warm"`, `match = { colour-set = "all", colour = "blue" }`); accepts(c, "red") || !accepts(c, "blue") {
		t.Error("a set and a value of the same key both have to hold")
	}
	other := parse(`warm = "red"`, `warm = "blue"`)
	if changes := Diff(c, other); len(changes) != 1 || changes[0].Path != "policy.colour-set.warm" || changes[0].Old != "red" || changes[0].New != "blue" {
		t.Errorf("the difference is %v", changes)
	}
	one, _ := c.Policies.Chain("p")
	two, _ := other.Policies.Chain("p")
	if one.Same(two) {
		t.Error("a policy by another set is the same")
	}
	for _, tt := range []struct{ old, wrong, want string }{
		{`["red", "blue"]`, `["red", 7]`, `t.toml:5:15: error: policy.colour-set.all[2] is 7, which is no colour`},
		{`["red", "blue"]`, `[]`, `t.toml:5:7: error: policy.colour-set.all is an empty list`},
		{`= "warm"`, `= "warn"`, `t.toml:7:20: error: policy.definition.p.statement[1].match.colour-set is "warn", and there is no such colour-set`},
	} {
		_, problems := Parse("t.toml", []byte(strings.Replace(text, tt.old, tt.wrong, 1)))
		said := ""
		for _, p := range problems {
			said += p.String() + "\n"
		}
		if !strings.Contains(said, tt.want) {
			t.Errorf("%s instead of %s, and said is\n%swant %s", tt.wrong, tt.old, said, tt.want)
		}
	}
}
