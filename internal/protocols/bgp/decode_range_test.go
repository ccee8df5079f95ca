package bgp

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"routerd/routing"
	"routerd/routing/bgp"
	"routerd/routing/bgp/wire"
)

// Ranges have the settings of their groups, and passwords of their own beside those of
// neighbours; aggregates, default routes and limits are read for all families and for one.
func TestRanges(t *testing.T) {
	got, said := decodeText(t, `[bgp]
as = 65001
graceful-shutdown = true
[bgp.aggregate."10.0.0.0/8"]
summary-only = true
policy = "all"
[bgp.aggregate."2001:db8::/32"]
[bgp.peer-group.g]
peer-as = 64500
hold-time = "30s"
auth-password-file = "group"
default-originate = true
prefix-limit = { max-prefixes = 7, action = "block", count = "received", warning-threshold-pct = 0 }
afi-safis = ["ipv4-unicast", "ipv6-unicast"]
ipv6-unicast = { default-originate = { always = true, policy = "all" }, prefix-limit = { action = "warn", count = "accepted" } }
[bgp.listen-range."10.0.0.0/24"]
peer-group = "g"
peer-as = "external"
[bgp.listen-range."2001:db8:9::/48"]
peer-group = "g"
limit = 3
[bgp.neighbor."10.0.0.2"]
peer-group = "g"
peer-as = "external"
ipv6-unicast.default-originate = false
graceful-shutdown = true
bfd = { strict = true }
`)
	if len(said) > 0 {
		t.Fatal(said)
	}
	cfg := got.Config.(bgp.Config)
	first := defaults().NeighborConfig
	first.AnyExternal, first.HoldTime, first.Password = true, 30, "group"
	limits := bgp.FamilyConfig{Enabled: true, MaximumPrefixes: 7, LimitAction: bgp.LimitBlock, LimitReceived: true}
	limits.Default.Enabled = true
	other := limits
	other.LimitAction, other.LimitReceived, other.Default.Always = bgp.LimitWarn, false, true
	first.Families = [wire.NumFamilies]bgp.FamilyConfig{limits, other}
	second, third := first, first
	second.AS, second.AnyExternal = 64500, false
	third.Address, third.GracefulShutdown, third.BFD = netip.MustParseAddr("10.0.0.2"), true, &bgp.BFD{Strict: true}
	third.Families[wire.IPv6Unicast].Default = bgp.DefaultOriginate{}
	compare := cmp.Options{
		cmpopts.IgnoreFields(bgp.DefaultOriginate{}, "Policy"), cmpopts.IgnoreFields(bgp.Aggregate{}, "Policy"),
		cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}),
	}
	want := bgp.Config{
		AS: 65001, RouterID: cfg.RouterID, RouterIDChosen: true, Rules: cfg.Rules, Listen: cfg.Listen, Distance: 21, GracefulShutdown: true,
		Aggregates: []bgp.Aggregate{
			{Prefix: netip.MustParsePrefix("10.0.0.0/8"), SummaryOnly: true}, {Prefix: netip.MustParsePrefix("2001:db8::/32")},
		},
		ListenRanges: []bgp.ListenRange{
			{Prefix: netip.MustParsePrefix("10.0.0.0/24"), Neighbor: first, Limit: 100},
			{Prefix: netip.MustParsePrefix("2001:db8:9::/48"), Neighbor: second, Limit: 3},
		},
		Neighbors: []bgp.NeighborConfig{third},
	}
	if d := cmp.Diff(want, cfg, compare, cmpopts.EquateComparable(netip.AddrPort{})); d != "" {
		t.Errorf("configuration (-want +got):\n%s", d)
	}
	d := cfg.ListenRanges[0].Neighbor.Families
	if len(d[0].Default.Policy) != 0 || len(d[1].Default.Policy) != 1 || len(cfg.Aggregates[0].Policy) != 1 || len(cfg.Aggregates[1].Policy) != 0 {
		t.Errorf("policies of default routes %v and %v, of aggregates %v", d[0].Default.Policy, d[1].Default.Policy, cfg.Aggregates)
	}
	if cfg.ListenRanges[0].Neighbor.Link != routing.NoInterface {
		t.Error("a range has a link")
	}
}

// The name of an interface is a neighbour whose address is found there.
func TestUnnumbered(t *testing.T) {
	got, said := decodeText(t, `[bgp]
as = 65001
[bgp.neighbor.b]
peer-as = "external"
[bgp.neighbor.a]
peer-as = 65002
afi-safis = "ipv4-unicast"
extended-next-hop = false
[bgp.neighbor."fe80::2%b"]
peer-as = 65003
`)
	if len(said) != 1 || !strings.HasPrefix(said[0], "5:15+1: bgp.neighbor.a is an interface without Ethernet, by which its neighbor cannot be found") {
		t.Fatalf("said %q", said)
	}
	first := defaults().NeighborConfig
	first.Unnumbered, first.Interface, first.AnyExternal, first.ExtendedNextHop = true, "b", true, true
	first.Families[0].Enabled, first.Families[1].Enabled = true, true
	second := defaults().NeighborConfig
	second.Unnumbered, second.Interface, second.AS = true, "a", 65002
	second.Families[0].Enabled = true
	if d := cmp.Diff([]bgp.NeighborConfig{first, second}, got.Config.(bgp.Config).Neighbors[:2], cmpopts.EquateComparable(netip.Addr{})); d != "" {
		t.Errorf("neighbours (-want +got):\n%s", d)
	}
}

// Each mistake by itself, where it stands.
func TestRangeMistakes(t *testing.T) {
	const a = "[bgp]\nas = 65001\n[bgp.neighbor.\"10.0.0.2\"]\npeer-as = 65002\n"
	for _, tt := range []struct{ name, text, want string }{
		{"no prefix", a + "[bgp.listen-range.x]\npeer-group = \"g\"\n[bgp.peer-group.g]\npeer-as = 3\n", `5:19+1: "x" is no prefix that neighbors can have addresses in`},
		{"host bits", a + "[bgp.listen-range.\"10.0.0.1/24\"]\npeer-group = \"g\"\n[bgp.peer-group.g]\npeer-as = 3\n", `5:19+13: "10.0.0.1/24" has bits set behind its length`},
		{"host bits of an aggregate", a + "[bgp.aggregate.\"10.0.0.1/24\"]\n", `5:16+13: "10.0.0.1/24" has bits set behind its length`},
		{"a wrong range and no neighbor", "[bgp]\nas = 65001\n[bgp.listen-range.x]\npeer-group = \"g\"\n[bgp.peer-group.g]\npeer-as = 3\n", `3:19+1: "x" is no prefix`},
		{"links", a + "[bgp.listen-range.\"fe80::/10\"]\npeer-group = \"g\"\n[bgp.peer-group.g]\npeer-as = 3\n", `5:19+11: "fe80::/10" is no prefix`},
		{"no group", a + "[bgp.listen-range.\"10.0.0.0/24\"]\npeer-as = 3", `5:19+13: bgp.listen-range."10.0.0.0/24" has no peer-group`},
		{"no AS", a + "[bgp.listen-range.\"10.0.0.0/24\"]\npeer-group = \"g\"\n[bgp.peer-group.g]\n", `5:19+13: bgp.listen-range."10.0.0.0/24" has no peer-as`},
		{"nobody's limit", a + "[bgp.listen-range.\"10.0.0.0/24\"]\npeer-group = \"g\"\nlimit = 0\n[bgp.peer-group.g]\npeer-as = 3\n", `7:9+1: bgp.listen-range."10.0.0.0/24".limit is 0`},
		{"an aggregate of nothing", a + "[bgp.aggregate.x]\n", `5:16+1: "x" is no network of unicast addresses`},
		{"an aggregate of groups", a + "[bgp.aggregate.\"224.0.0.0/4\"]\n", `5:16+13: "224.0.0.0/4" is no network of unicast addresses`},
		{"another action", a + "prefix-limit.action = \"shutdown\"", `5:23+10: bgp.neighbor."10.0.0.2".prefix-limit.action is "shutdown"`},
		{"another count", a + "prefix-limit.count = \"all\"", `5:22+5: bgp.neighbor."10.0.0.2".prefix-limit.count is "all"`},
		{"a default route of words", a + "default-originate = \"yes\"", `5:21+5: bgp.neighbor."10.0.0.2".default-originate is "yes"`},
		{"an unknown word of it", a + "default-originate = { alwys = true }", `5:23+5: unknown key "alwys" in bgp.neighbor."10.0.0.2".default-originate`},
		{"a client elsewhere", "[bgp]\nas = 65001\n[bgp.neighbor.\"10.0.0.2\"]\npeer-as = \"external\"\nroute-reflector-client = true", `5:26+4: bgp.neighbor."10.0.0.2" is of another AS, and a client of this route reflector`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, said := decodeText(t, tt.text)
			found := false
			for _, s := range said {
				found = found || strings.HasPrefix(s, tt.want)
			}
			if !found || len(said) != 1 {
				t.Errorf("said %q, want %q", said, tt.want)
			}
		})
	}
}
