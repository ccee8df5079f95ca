package ospf

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"routerd/dataplane"
	"routerd/internal/protocols/decode"
	"routerd/internal/router"
	"routerd/internal/tomltext"
	"routerd/routing/keys"
	"routerd/routing/ospf"
	"routerd/routing/policy"
)

// chains are the keys that decodeText knows; they stand above what it reads.
const chains = `[[keys.core]]
id = 1
file = "core-1"
[[keys.plain]]
id = 2
file = "plain-2"
algorithm = "plain-text"
[[keys.early]]
id = 3
file = "early-3"
accept = "2026-01-01T00:00:00Z/2027-01-01T00:00:00Z"
`

// decodeText reads [ospf] in a text, beside two interfaces, keys and a policy that
// sets a next hop, and gives what is wrong or odd as line:column+width: message,
// lines counted behind chains.
func decodeText(t *testing.T, text string) (cfg router.ProtocolConfig, said []string) {
	t.Helper()
	d, ok := tomltext.Parse("t.toml", []byte(chains+text))
	if !ok {
		t.Fatal(d.Problems())
	}
	policies, wrong := policy.Compile(policy.Config{Policies: []policy.Definition{
		{Name: "hop", Statements: []policy.Statement{{Set: policy.Set{NextHop: netip.MustParseAddr("10.0.0.9")}, Action: policy.Accept}}},
		{Name: "all", Statements: []policy.Statement{{Action: policy.Accept}}},
		{Name: "none", Statements: []policy.Statement{{Action: policy.Reject}}},
	}})
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	c := &decode.Context{
		Document: d, Policies: policies, Watches: decode.Watches{Document: d},
		Interfaces: []decode.Interface{
			{Name: "a", Kind: dataplane.KindTUN, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}},
			{Name: "b", Kind: dataplane.KindTAP, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.1.1/24")}},
			{Name: "six", Kind: dataplane.KindTUN, Addresses: []netip.Prefix{netip.MustParsePrefix("2001:db8::1/64")}},
		},
		Keys: map[string][]decode.Key{},
	}
	for id, k := range map[string]keys.Key{"core": {ID: 1}, "plain": {ID: 2, Algorithm: keys.PlainText}, "early": {ID: 3, Accept: lifetime2026}} {
		c.Keys[id] = []decode.Key{{Key: k, File: id, At: tomltext.Path(nil).With("keys").With(id).Element(0)}}
	}
	if s := d.Root().Optional(name); s.Table != nil {
		cfg = Decode(c, s)
	}
	for chain := range c.Keys {
		if c.Used(chain) {
			c.HandOut(chain, [][]byte{[]byte(strings.Repeat("x", 1+strings.Count(text, "#")*8))})
		}
	}
	for _, p := range d.Problems() {
		said = append(said, fmt.Sprintf("%d:%d+%d: %s", p.Place.Line-strings.Count(chains, "\n"), p.Place.Column, p.Width, p.Message))
	}
	return cfg, said
}

// Each mistake by itself, where it stands.
func TestMistakes(t *testing.T) {
	const a = "[ospf.interface.a]\narea = 0\n"
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"as it should be", a, nil},
		{"nowhere", "[ospf]", []string{"1:2+4: ospf is spoken on no interface"}},
		{"an unknown key", "[ospf]\nrouterid = \"1.1.1.1\"\n" + a, []string{`2:1+8: unknown key "routerid" in ospf`}},
		{"no router", "[ospf]\nrouter-id = \"0.0.0.0\"\n" + a, []string{`2:13+9: ospf.router-id is "0.0.0.0"`}},
		{"a bandwidth without a unit", "[ospf]\nreference-bandwidth = 100\n" + a, []string{"2:23+3: ospf.reference-bandwidth is 100"}},
		{"no bandwidth", "[ospf]\nreference-bandwidth = \"0G\"\n" + a, []string{`2:23+4: ospf.reference-bandwidth is "0G"`}},
		{"an unknown kind of ABR", "[ospf]\nabr-type = \"ibm\"\n" + a, []string{`2:12+5: ospf.abr-type is "ibm"`}},
		{"no distance", "[ospf]\ndistance = { external = 0 }\n" + a, []string{"2:25+1: ospf.distance.external is 0"}},
		{"delays that shrink", "[ospf.spf]\nshort-delay = \"1ms\"\n" + a, []string{"2:15+5: the short-delay is 1ms and the initial-delay 5ms"}},
		{"a hold-down too short", "[ospf.spf]\ntime-to-learn = \"20s\"\n" + a, []string{"2:17+5: the hold-down is 10s and the time-to-learn 20s"}},
		{"a metric of nothing", "[ospf]\ndefault-metric = 16777215\n" + a, []string{"2:18+8: ospf.default-metric is 16777215"}},
		{"a third metric type", "[ospf]\nredistribute.static = { metric-type = 3 }\n" + a, []string{"2:39+1: ospf.redistribute.static.metric-type is 3"}},
		{"itself redistributed", "[ospf]\nredistribute.ospf = {}\n" + a, []string{`2:14+4: unknown key "ospf" in ospf.redistribute`}},
		{"a policy that is not there", "[ospf]\nimport-policy = \"x\"\n" + a, []string{`2:17+3: ospf.import-policy is "x", and there is no [policy.definition.x]`}},
		{"a next hop that is set", "[ospf]\nimport-policy = \"hop\"\n" + a, []string{"2:17+5: policy hop sets a next hop, which changes nothing in OSPF"}},

		{"an area of words", a + "[ospf.area.core]\ntype = \"stub\"", []string{`3:12+4: "core" is no area`}},
		{"an area twice", a + "[ospf.area.0]\n[ospf.area.\"0.0.0.0\"]", []string{`4:12+9: ospf.area."0.0.0.0" is the same area as ospf.area.0`}},
		{"a backbone that is a stub", a + "[ospf.area.0]\ntype = \"stub\"", []string{"4:8+6: ospf.area.0 is the backbone, and its type stub"}},
		{"an area without an interface", a + "[ospf.area.7]\ntype = \"stub\"", []string{"3:12+1: ospf.area.7 has no interface"}},
		{"no summary of a normal area", a + "[ospf.area.0]\nno-summary = true", []string{"4:14+4: ospf.area.0 has no-summary, which means nothing in a normal area"}},
		{"a translator of a stub area", a + "[ospf.interface.b]\narea = 7\n[ospf.area.7]\ntype = \"stub\"\ntranslator = \"always\"", []string{"7:14+8: ospf.area.7 has translator, which means nothing in a stub area"}},
		{"a range with host bits", a + "[ospf.area.0.range.\"10.0.0.1/8\"]", []string{`3:20+12: "10.0.0.1/8" is no range`}},
		{"a virtual link through a stub area", a + "[ospf.interface.b]\narea = 7\n[ospf.area.7]\ntype = \"stub\"\nvirtual-link.\"10.0.0.9\" = {}", []string{"7:1+12: a virtual link leads through ospf.area.7, which is a stub area"}},
		{"a virtual link through the backbone", a + "[ospf.area.0.virtual-link.\"10.0.0.9\"]", []string{"3:14+12: a virtual link leads through ospf.area.0, which is the backbone"}},
		{"a virtual link to itself", "[ospf]\nrouter-id = \"1.1.1.1\"\n" + a + "[ospf.interface.b]\narea = 7\n[ospf.area.7.virtual-link.\"1.1.1.1\"]", []string{"7:27+9: the virtual link to 1.1.1.1 leads to this router itself"}},
		{"areas without a backbone", "[ospf.interface.a]\narea = 1\n[ospf.interface.b]\narea = 2", []string{"3:2+4: ospf has interfaces in 2 areas and none in the backbone, so nothing goes from one area to another"}},

		{"an interface that is not there", "[ospf.interface.c]\narea = 0", []string{"1:17+1: c shall speak ospf, and there is no such interface"}},
		{"an interface of the other family", "[ospf.interface.six]\narea = 0", []string{"1:17+3: six has no address to speak ospf with"}},
		{"an interface of no area", "[ospf.interface.a]", []string{"1:17+1: ospf.interface.a is in no area"}},
		{"a negative area", "[ospf.interface.a]\narea = -1", []string{"2:8+2: ospf.interface.a.area is -1"}},
		{"a cost of nothing", a + "cost = 0", []string{"3:8+1: ospf.interface.a.cost is 0"}},
		{"parts of a second", a + "hello-interval = \"1500ms\"", []string{`3:18+8: ospf.interface.a.hello-interval is "1500ms"`}},
		{"dead before greeted", a + "dead-interval = \"10s\"", []string{"3:17+5: the dead-interval is 10s and the hello-interval 10s"}},
		{"two ways to say how often", a + "dead-interval = \"minimal\"\nhello-interval = \"1s\"", []string{"4:18+4: ospf.interface.a has a hello-interval, and a minimal dead-interval"}},
		{"a multiplier of nothing", a + "hello-multiplier = 5", []string{"3:20+1: ospf.interface.a has a hello-multiplier, and its dead-interval is 40s"}},
		{"a priority for nothing", a + "network = \"point-to-point\"\npriority = 3", []string{"4:12+1: ospf.interface.a has a priority, and a point-to-point network elects nobody"}},
		{"nobody to greet", a + "network = \"nbma\"", []string{"1:17+1: ospf.interface.a has no neighbors, and on an NBMA network only those are found that are configured here or greet first"}},
		{"neighbors that multicast finds", a + "neighbor.\"10.0.0.2\" = {}", []string{"3:23+2: 10.0.0.2 is a neighbor on a, whose neighbors are found by multicast"}},
		{"a neighbor of the other family", a + "network = \"nbma\"\nneighbor.\"fe80::1\" = {}", []string{
			"1:17+1: ospf.interface.a has no neighbors, and on an NBMA network only those are found that are configured here or greet first",
			`4:10+9: "fe80::1" is no neighbor's address`,
		}},
		{"a neighbor elsewhere", a + "network = \"nbma\"\nneighbor.\"10.9.0.2\" = {}", []string{"4:23+2: 10.9.0.2 is on no interface's subnet"}},
		{"a cost on NBMA", a + "network = \"nbma\"\nneighbor.\"10.0.0.2\" = { cost = 3 }", []string{"4:32+1: 10.0.0.2 has a cost of its own, which an NBMA network has for all"}},
		{"a priority on point-to-multipoint", a + "network = \"point-to-multipoint\"\nneighbor.\"10.0.0.2\" = { priority = 3 }", []string{"4:36+1: 10.0.0.2 has a priority, and a point-to-multipoint network elects nobody"}},

		{"a type alone", a + "auth = { type = \"md5\" }", []string{"3:8+16: ospf.interface.a.auth has no keys"}},
		{"keys alone", a + "auth = { keys = \"core\" }", []string{"3:8+17: ospf.interface.a.auth has no type"}},
		{"an unknown type", a + "auth = { type = \"sha1\", keys = \"core\" }", []string{`3:17+6: ospf.interface.a.auth.type is "sha1"`}},
		{"keys that are not there", a + "auth = { type = \"md5\", keys = \"cor\" }", []string{`3:31+5: ospf.interface.a.auth.keys is "cor", and there are no [[keys.cor]]`}},
		{"a password in MD5", a + "auth = { type = \"md5\", keys = \"plain\" }", []string{"-4:13+12: a key for plain-text in plain, where md5 is used"}},
		{"a password that is too long", a + "auth = { type = \"simple\", keys = \"plain\" } #", []string{"-5:8+9: keys.plain[1].file has a key of 9 bytes, and simple has room for 8"}},
		{"a key that is too long", a + "auth = { type = \"md5\", keys = \"core\" } # #", []string{"-8:8+8: keys.core[1].file has a key of 17 bytes, and md5 has room for 16"}},
		{"a long key that is not", a + "auth = { type = \"extended-hmac-sha256\", keys = \"core\" } # #", nil},
		{"a key that nobody accepts", a + "auth = { type = \"md5\", keys = \"early\" }", []string{"0:10+43: key 3 of early may be sent when it is not accepted"}},
	} {
		if _, got := decodeText(t, tt.text); cmp.Diff(tt.want, got) != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, cmp.Diff(tt.want, got))
		}
	}
}

// What reads without an error is what the machine takes.
func TestDefaultsAreValid(t *testing.T) {
	of, said := decodeText(t, "[ospf.interface.a]\narea = 0\n[ospf.interface.b]\narea = 1\nnetwork = \"nbma\"\nneighbor.\"10.0.1.2\" = {}")
	if len(said) > 0 {
		t.Fatal(said)
	}
	cfg := of.Config.(ospf.Config)
	want := ospf.DefaultConfig()
	want.Interfaces = map[string]ospf.InterfaceConfig{"a": ospf.DefaultInterface(ospf.NetworkByKind), "b": ospf.DefaultInterface(ospf.NBMA)}
	b := want.Interfaces["b"]
	b.Area, b.Neighbors = 1, map[netip.Addr]ospf.NeighborConfig{netip.MustParseAddr("10.0.1.2"): {Poll: pollInterval}}
	want.Interfaces["b"] = b
	if d := cmp.Diff(want, cfg, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" || len(of.Redistribute) != 0 {
		t.Errorf("redistributed %+v (-want +got):\n%s", of.Redistribute, d)
	}
	if err := cfg.Check(); err != nil {
		t.Error(err)
	}
}
