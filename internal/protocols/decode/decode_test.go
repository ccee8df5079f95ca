package decode

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"routerd/dataplane"
	"routerd/internal/router"
	"routerd/internal/tomltext"
	"routerd/routing"
	"routerd/routing/keys"
	"routerd/routing/policy"
	"routerd/routing/rib"
)

// context reads a text beside one interface of each kind of address, a policy
// and two chains of keys, and gives also what has been said of it.
func context(t *testing.T, text string) (*Context, *tomltext.Section, func() []string) {
	t.Helper()
	d, ok := tomltext.Parse("t.toml", []byte(text))
	if !ok {
		t.Fatal(d.Problems())
	}
	policies, wrong := policy.Compile(policy.Config{Policies: []policy.Definition{
		{Name: "some", Statements: []policy.Statement{{Match: policy.Match{Tags: []policy.Range{{Low: 1, High: 1}}}, Action: policy.Accept}}},
		{Name: "all", Statements: []policy.Statement{{Action: policy.Accept}}},
	}})
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	c := &Context{
		Document: d, Policies: policies,
		Interfaces: []Interface{
			{Name: "four", Kind: dataplane.KindTUN, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}},
			{Name: "ether", Kind: dataplane.KindTAP},
		},
		Keys: map[string][]Key{"core": {{Key: keys.Key{ID: 1}}, {Key: keys.Key{ID: 2, Algorithm: keys.HMACSHA256}}}},
	}
	return c, d.Root(), func() (said []string) {
		for _, p := range d.Problems() {
			said = append(said, fmt.Sprintf("%d:%d %s", p.Place.Line, p.Place.Column, p.Message))
		}
		return said
	}
}

// A protocol of either family, of IPv4 and of IPv6, on interfaces that have such
// an address, can form one, or are not there.
func TestOnInterfaces(t *testing.T) {
	for _, tt := range []struct {
		family int
		text   string
		want   []string
	}{
		{0, "[p.interface.four]", nil},
		{4, "[p.interface.four]", nil},
		{6, "[p.interface.four]", []string{"1:14 four has no address to speak p with"}},
		{0, "[p.interface.ether]", nil},
		{4, "[p.interface.ether]", []string{"1:14 ether has no address to speak p with"}},
		{6, "[p.interface.ether]", nil},
		{4, "[p.interface.fuor]", []string{"1:14 fuor shall speak p, and there is no such interface"}},
		{4, "[p]\ninterface = {}", []string{"1:2 p is spoken on no interface"}},
	} {
		c, top, said := context(t, tt.text)
		var read []string
		c.OnInterfaces(top.Section("p"), router.Kind{Name: "p", Family: tt.family}, func(s *tomltext.Section, name string) { read = append(read, name) })
		if d := cmp.Diff(tt.want, said()); d != "" || len(read) != 1 && tt.text[2] == '.' {
			t.Errorf("family %d, %s: read %q (-want +got):\n%s", tt.family, tt.text, read, d)
		}
	}
}

func TestChain(t *testing.T) {
	for text, want := range map[string][]string{
		`p = ["some", "all"]`: nil,
		`p = "none"`:          {`1:5 p is "none", and there is no [policy.definition.none]`},
		`p = ["all", "some"]`: {`1:13 p[2] is "some", which is never asked: all decides about every route`},
	} {
		c, top, said := context(t, text)
		c.Chain(top, "p")
		if d := cmp.Diff(want, said()); d != "" {
			t.Errorf("%s (-want +got):\n%s", text, d)
		}
	}
}

// The sources stand in a fixed order, and a protocol's own is not among them.
func TestRedistribute(t *testing.T) {
	c, top, said := context(t, "[r]\nstatic = { metric = 4 }\nconnected = {}\nrip = {}")
	list := c.Redistribute(top.Section("r"), []routing.Source{routing.SourceRIP}, func(s *tomltext.Section) (rib.Redistribution, policy.Chain) {
		return rib.Redistribution{Metric: uint32(tomltext.Get(s, "metric", 1, tomltext.Whole(1, 9)))}, nil
	})
	if len(list) != 2 || list[0].Source != routing.SourceConnected || list[0].Metric != 1 || list[1].Source != routing.SourceStatic || list[1].Metric != 4 {
		t.Errorf("redistributed %+v", list)
	}
	if d := cmp.Diff([]string{`4:1 unknown key "rip" in r`}, said()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// Two users of a chain have their own keys, and both get the secrets; each has
// room for its own length.
func TestAuth(t *testing.T) {
	c, top, said := context(t, "a = { type = \"md5\", keys = \"core\" }\nb = { type = \"hmac-sha1\", keys = \"core\" }\n[[keys.core]]\nfile = \"x\"\n[[keys.core]]\nfile = \"y\"")
	for n := range c.Keys["core"] {
		c.Keys["core"][n].At = tomltext.Path(nil).With("keys").With("core").Element(n)
	}
	md5, one := c.Auth(top.Optional("a"), 3)
	sha1, two := c.Auth(top.Optional("b"), 3)
	if md5 != keys.KeyedMD5 || sha1 != keys.HMACSHA1 || len(one) != 2 || len(two) != 2 || !c.Used("core") || c.Used("other") {
		t.Fatalf("%v %v and %v %v", md5, one, sha1, two)
	}
	c.HandOut("core", [][]byte{[]byte("long"), []byte("longer")})
	for n, secret := range []string{"long", "longer"} {
		if string(one[n].Secret) != secret || string(two[n].Secret) != secret {
			t.Errorf("secrets %q and %q, want %q in both", one[n].Secret, two[n].Secret, secret)
		}
	}
	if d := cmp.Diff([]string{"4:8 keys.core[1].file has a key of 4 bytes, and md5 has room for 3"}, said()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if a, chain := c.Auth(top.Optional("absent"), 3); a != keys.None || chain != nil {
		t.Errorf("without a table: %v %v", a, chain)
	}
}
