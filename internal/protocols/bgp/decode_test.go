package bgp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"routerd/dataplane"
	"routerd/internal/protocols/decode"
	"routerd/internal/router"
	"routerd/internal/tomltext"
	"routerd/routing"
	"routerd/routing/bgp"
	"routerd/routing/bgp/wire"
	"routerd/routing/policy"
)

// decodeText reads [bgp] in a text, beside two interfaces and policies, and gives what is
// wrong or odd as line:column+width: message. Each file of a secret has its own name in
// it.
func decodeText(t *testing.T, text string) (cfg router.ProtocolConfig, said []string) {
	t.Helper()
	cfg, said = decodeAll(t, text)
	return cfg, slices.DeleteFunc(said, func(s string) bool { return strings.Contains(s, "neither an import-policy") })
}

// decodeAll is decodeText, which leaves out that a neighbour has no policies.
func decodeAll(t *testing.T, text string) (cfg router.ProtocolConfig, said []string) {
	t.Helper()
	d, ok := tomltext.Parse("t.toml", []byte(text))
	if !ok {
		t.Fatal(d.Problems())
	}
	policies, wrong := policy.Compile(policy.Config{Policies: []policy.Definition{
		{Name: "all", Statements: []policy.Statement{{Action: policy.Accept}}},
		{Name: "none", Statements: []policy.Statement{{Action: policy.Reject}}},
	}})
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	c := &decode.Context{
		Document: d, Policies: policies, Watches: decode.Watches{Document: d},
		Interfaces: []decode.Interface{
			{Name: "a", Kind: dataplane.KindTUN, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("2001:db8::1/64")}},
			{Name: "lo", Kind: dataplane.KindLoopback, Addresses: []netip.Prefix{netip.MustParsePrefix("10.9.0.1/32"), netip.MustParsePrefix("10.9.0.3/32")}},
			{Name: "b", Kind: dataplane.KindTAP, Addresses: []netip.Prefix{netip.MustParsePrefix("192.168.1.1/24")}},
		},
	}
	c.Distance[routing.SourceEBGP] = 21
	if s := d.Root().Optional(name); s.Table != nil {
		cfg = Decode(c, s)
	}
	for _, f := range c.Secrets() {
		c.HandOutSecret(f, []byte(f.File), f.File)
	}
	for _, p := range d.Problems() {
		said = append(said, fmt.Sprintf("%d:%d+%d: %s", p.Place.Line, p.Place.Column, p.Width, p.Message))
	}
	return cfg, said
}

// A neighbour of another AS without a policy is sent nothing and has nothing accepted, which
// is hardly what is wanted; with a policy in one direction it may be.
func TestNoPolicies(t *testing.T) {
	const of = "[bgp]\nas = 65001\n[bgp.peer-group.g]\nexport-policy = []\n[bgp.neighbor.\"10.0.0.2\"]\n"
	for text, warns := range map[string]bool{
		of + "peer-as = 65002":                                      true,
		of + "peer-as = \"external\"":                               true,
		of + "peer-as = 65001":                                      false,
		of + "peer-as = 65002\nshutdown = true":                     false,
		of + "peer-as = 65002\nimport-policy = []":                  false,
		of + "peer-as = 65002\nipv4-unicast.export-policy = []":     false,
		of + "peer-as = 65002\nipv6-unicast.export-policy = []":     true,
		of + "peer-as = 65002\ndefault-originate = true":            false,
		of + "peer-as = 65002\npeer-group = \"g\"":                  false,
		of + "peer-as = 65002\n[bgp.neighbor.b]\npeer-as = 65001\n": true,
	} {
		_, said := decodeAll(t, text)
		has := slices.ContainsFunc(said, func(s string) bool {
			return strings.HasPrefix(s, `5:15+10: bgp.neighbor."10.0.0.2" is of another AS, and has neither an import-policy nor an export-policy`)
		})
		if has != warns {
			t.Errorf("%s: said %q", text, said)
		}
	}
}

// Each mistake by itself, where it stands.
func TestMistakes(t *testing.T) {
	const head = "[bgp]\nas = 65001\n"
	const a = head + "[bgp.neighbor.\"10.0.0.2\"]\npeer-as = 65002\n"
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"as it should be", a, nil},
		{"no AS", "[bgp]\n[bgp.neighbor.\"10.0.0.2\"]\npeer-as = 65002", []string{"1:2+3: bgp has no as"}},
		{"AS 0", "[bgp]\nas = 0\n[bgp.neighbor.\"10.0.0.2\"]\npeer-as = 65002", []string{"2:6+1: bgp.as is 0"}},
		{"AS_TRANS", head + "[bgp.neighbor.\"10.0.0.2\"]\npeer-as = 23456", []string{`4:11+5: bgp.neighbor."10.0.0.2".peer-as is 23456, which stands for numbers that have no room in two octets (RFC 6793)`}},
		{"nobody", head, []string{"1:2+3: bgp has no neighbor"}},
		{"an unknown key", a + "peeras = 3", []string{`5:1+6: unknown key "peeras" in bgp.neighbor."10.0.0.2"`}},
		{"no AS of a neighbor", head + "[bgp.neighbor.\"10.0.0.2\"]", []string{`3:15+10: bgp.neighbor."10.0.0.2" has no peer-as`}},
		{"no address", head + "[bgp.neighbor.r2]\npeer-as = 1", []string{`3:15+2: "r2" is no neighbor's address`}},
		{"the router itself", head + "[bgp.neighbor.\"10.0.0.1\"]\npeer-as = 1", []string{"3:15+10: 10.0.0.1 is an address of this router's own"}},
		{"an address twice", head + "[bgp.neighbor.\"2001:db8::2\"]\npeer-as = 1\n[bgp.neighbor.\"2001:DB8::2\"]\npeer-as = 1", []string{`5:15+13: bgp.neighbor."2001:DB8::2" is the same neighbor as bgp.neighbor."2001:db8::2"`}},
		{"no link", head + "[bgp.neighbor.\"fe80::2\"]\npeer-as = 1", []string{"3:15+9: fe80::2 is link-local and means nothing without its interface"}},
		{"an unknown link", head + "[bgp.neighbor.\"fe80::2%c\"]\npeer-as = 1", []string{"3:15+11: fe80::2%c is on interface c, and there is no such interface"}},
		{"a link that is not needed", head + "[bgp.neighbor.\"10.0.0.2%a\"]\npeer-as = 1", []string{`3:15+12: "10.0.0.2%a" is no neighbor's address`}},
		{"too far away", head + "[bgp.neighbor.\"10.7.0.2\"]\npeer-as = 1", []string{`3:15+10: bgp.neighbor."10.7.0.2" is on no interface's subnet, and not several hops away`}},
		{"an unknown group", head + "[bgp.neighbor.\"10.0.0.2\"]\npeer-group = \"x\"\npeer-as = 1", []string{`4:14+3: bgp.neighbor."10.0.0.2".peer-group is "x", and there is no [bgp.peer-group.x]`}},
		{"an unknown policy", a + "import-policy = \"x\"", []string{`5:17+3: bgp.neighbor."10.0.0.2".import-policy is "x", and there is no [policy.definition.x]`}},
		{"an unknown family", a + "afi-safis = \"ipv4\"", []string{`5:13+6: bgp.neighbor."10.0.0.2".afi-safis is "ipv4"`}},
		{"keys of no family", a + "afi-safis = \"ipv4-unicast\"\nipv6-unicast.import-policy = []", []string{`6:1+12: bgp.neighbor."10.0.0.2".ipv6-unicast is said of a family that the neighbor does not have`}},
		{"a short hold time", a + "hold-time = \"2s\"", []string{`5:13+4: bgp.neighbor."10.0.0.2".hold-time is "2s"`}},
		{"a password too long", a + "auth-password-file = \"" + strings.Repeat("x", 81) + "\"", []string{`5:22+83: bgp.neighbor."10.0.0.2".auth-password-file has a password of 81 bytes, and there is room for 80`}},
		{"a reflector's client elsewhere", a + "route-reflector-client = true", []string{`5:26+4: bgp.neighbor."10.0.0.2" is of another AS, and a client of this route reflector`}},
		{"a role inside", a + "peer-group = \"i\"\n[bgp.peer-group.i]\nrole = \"peer\"\n", nil},
		{"a role inside the AS", head + "[bgp.neighbor.\"10.0.0.2\"]\npeer-as = \"internal\"\nrole = \"peer\"", []string{`5:8+6: bgp.neighbor."10.0.0.2" is of this router's AS, and this router has a role for it`}},
		{"the other family", a + "local-address = \"::1\"", []string{`5:17+5: local-address ::1 of bgp.neighbor."10.0.0.2" is of the other family`}},
		{"two listeners", a + "[bgp.x]", []string{`5:6+1: unknown key "x" in bgp`}},
		{"a network twice", "[bgp]\nas = 1\nnetworks = [\"10.0.0.0/8\", { prefix = \"10.0.0.0/8\" }]\nneighbor.\"10.0.0.2\".peer-as = 2", []string{"3:27+25: bgp.networks[2] is 10.0.0.0/8, which the list has already"}},
		{"a network of groups", "[bgp]\nas = 1\nnetworks = \"224.0.0.0/4\"\nneighbor.\"10.0.0.2\".peer-as = 2", []string{"3:12+13: bgp.networks is 224.0.0.0/4, where no packet goes"}},
		{"itself redistributed", "[bgp]\nas = 1\nredistribute.ebgp = {}\nneighbor.\"10.0.0.2\".peer-as = 2", []string{`3:14+4: unknown key "ebgp" in bgp.redistribute`}},
		{"two addresses of a family", "[bgp]\nas = 1\nlisten = [\"10.0.0.1\", \"10.9.0.1\"]\nneighbor.\"10.0.0.2\".peer-as = 2", []string{"3:23+10: bgp.listen[2] is 10.9.0.1, beside another address of its family"}},
		{"BFD from nowhere", head + "[bgp.neighbor.\"10.7.0.2\"]\npeer-as = 1\nmultihop = 2\nbfd = true", []string{`6:7+4: bgp.neighbor."10.7.0.2" is watched over several hops, and has no local-address`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, said := decodeText(t, tt.text)
			var got []string
			for _, s := range said {
				if !strings.Contains(s, "undefined") {
					got = append(got, s)
				}
			}
			for i := range got {
				if i < len(tt.want) {
					got[i] = got[i][:min(len(got[i]), len(tt.want[i]))]
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("said (-want +got):\n%s", d)
			}
		})
	}
}

// A member has what its group says where it does not say otherwise, each of them its own
// password, and a neighbour alone has the defaults.
func TestNeighbors(t *testing.T) {
	got, said := decodeText(t, `[bgp]
as = "1.1"
[bgp.peer-group.g]
peer-as = 64500
hold-time = "30s"
import-policy = "all"
auth-password-file = "group"
afi-safis = ["ipv4-unicast", "ipv6-unicast"]
ipv6-unicast = { import-policy = "none", prefix-limit.max-prefixes = 9 }
role = "customer"
bfd = true
[bgp.neighbor."10.0.0.2"]
peer-group = "g"
[bgp.neighbor."2001:db8::2"]
peer-group = "g"
hold-time = "0s"
import-policy = []
auth-password-file = "own"
bfd = false
shutdown = "until Monday"
[bgp.neighbor."fe80::2%b"]
peer-as = "internal"
description = "r2"
`)
	if len(said) > 0 {
		t.Fatal(said)
	}
	cfg := got.Config.(bgp.Config)
	all := bgp.Policy{Given: true}
	first := defaults().NeighborConfig
	first.Address, first.AS, first.HoldTime, first.Password = netip.MustParseAddr("10.0.0.2"), 64500, 30, "group"
	first.HasRole, first.Role, first.BFD = true, wire.RoleCustomer, &bgp.BFD{}
	first.Families = [wire.NumFamilies]bgp.FamilyConfig{{Enabled: true, Import: all, LimitWarning: 75}, {Enabled: true, Import: all, LimitWarning: 75, MaximumPrefixes: 9}}
	second := first
	second.Address, second.HoldTime, second.Password, second.BFD = netip.MustParseAddr("2001:db8::2"), 0, "own", nil
	second.Shutdown, second.ShutdownMessage = true, "until Monday"
	third := defaults().NeighborConfig
	third.Address, third.Interface, third.AS, third.Description = netip.MustParseAddr("fe80::2"), "b", 65537, "r2"
	third.Families[wire.IPv6Unicast].Enabled = true
	want := []bgp.NeighborConfig{first, second, third}
	if d := cmp.Diff(want, cfg.Neighbors, cmpopts.IgnoreFields(bgp.Policy{}, "Chain"), cmpopts.EquateComparable(netip.Addr{})); d != "" {
		t.Errorf("neighbours (-want +got):\n%s", d)
	}
	var chains []string
	for _, n := range cfg.Neighbors[:2] {
		for _, f := range n.Families {
			names := ""
			for _, p := range f.Import.Chain {
				names += p.Name
			}
			chains = append(chains, names)
		}
	}
	// The group's table of IPv6 says more than its keys for all families; those of the
	// member say more than all of the group.
	if d := cmp.Diff([]string{"all", "none", "", ""}, chains); d != "" {
		t.Errorf("import policies (-want +got):\n%s", d)
	}
	if cfg.AS != 65537 || cfg.RouterID.String() != "10.9.0.3" || !cfg.RouterIDChosen || cfg.Distance != 21 || cfg.InternalDistance != 0 {
		t.Errorf("AS %d, router ID %v, chosen %v, distances %d and %d", cfg.AS, cfg.RouterID, cfg.RouterIDChosen, cfg.Distance, cfg.InternalDistance)
	}
	if first.ConnectRetry != 2*time.Minute {
		t.Errorf("an attempt may take %v", first.ConnectRetry)
	}
}

// Routes of the networks come from any source, with their own metrics, whatever the
// redistributions say; others as these say.
func TestNetworks(t *testing.T) {
	got, said := decodeText(t, `[bgp]
as = 1
networks = ["10.1.0.0/16", { prefix = "2001:db8::/32", always = true }]
neighbor."10.0.0.2".peer-as = 2
[bgp.redistribute]
static = { metric = 7, policy = "none" }
connected = {}
`)
	if len(said) > 0 {
		t.Fatal(said)
	}
	networks := []bgp.Network{{Prefix: netip.MustParsePrefix("10.1.0.0/16")}, {Prefix: netip.MustParsePrefix("2001:db8::/32"), Always: true}}
	if d := cmp.Diff(networks, got.Config.(bgp.Config).Networks, cmpopts.EquateComparable(netip.Prefix{})); d != "" {
		t.Errorf("networks (-want +got):\n%s", d)
	}
	var lines []string
	for _, r := range got.Redistribute {
		for _, p := range []string{"10.1.0.0/16", "10.2.0.0/16"} {
			d := r.Policy(&routing.Route{Prefix: netip.MustParsePrefix(p)})
			lines = append(lines, fmt.Sprintf("%v %s %v %v", r.Source, p, d.Accept, d.MetricSet || r.KeepMetric))
		}
	}
	want := []string{
		"connected 10.1.0.0/16 true true", "connected 10.2.0.0/16 true true",
		"static 10.1.0.0/16 true true", "static 10.2.0.0/16 false false",
		"ospf 10.1.0.0/16 true true", "ospf 10.2.0.0/16 false true",
		"rip 10.1.0.0/16 true true", "rip 10.2.0.0/16 false true",
	}
	if d := cmp.Diff(want, lines); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
