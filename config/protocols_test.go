package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func means(impact string) string {
	if impact != "" {
		impact = " (" + impact + ")"
	}
	return impact
}

// The router ID above all tables is of those protocols that are spoken: it says of each
// what another one means.
func TestRouterIDDiff(t *testing.T) {
	const (
		ofOSPF = "drops all adjacencies of OSPF, unless it has one of its own; they form again"
		ofBGP  = "all sessions of BGP end and begin again, unless it has a router ID of its own"
	)
	for _, tt := range []struct{ tables, want string }{
		{"", ""},
		{"[ospf.interface.a]\narea = 0\n", ofOSPF},
		{"[bgp]\nas = 65001\n", ofBGP},
		{"[bgp]\nas = 65001\n[ospf.interface.a]\narea = 0\n", ofOSPF + "; " + ofBGP},
	} {
		var both [2]*Config
		for i := range both {
			c, problems := Parse("r1.toml", fmt.Appendf(nil, "name = \"r1\"\nrouter-id = \"10.9.0.%d\"\n[interface.a]\nkind = \"tun\"\naddresses = \"10.0.0.1/24\"\n%s", i+1, tt.tables))
			if Failed(problems) {
				t.Fatal(problems)
			}
			both[i] = c
		}
		var got string
		for _, c := range Diff(both[0], both[1]) {
			if c.Path == "router-id" {
				got += c.Impact
			}
		}
		if got != tt.want {
			t.Errorf("%q: %q, want %q", tt.tables, got, tt.want)
		}
	}
}

// What changes of a protocol's table and of the keys that it uses, and what that
// means for traffic.
func TestProtocolDiff(t *testing.T) {
	dir := t.TempDir()
	load := func(text, secret string) *Config {
		t.Helper()
		path := filepath.Join(dir, "r1.toml")
		for file, data := range map[string]string{path: speaking + text, filepath.Join(dir, "core-1"): secret} {
			if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		c, problems, err := Load(path)
		if err != nil || Failed(problems) {
			t.Fatal(err, problems)
		}
		return c
	}
	const policies = "[[policy.definition.p.statement]]\naction = \"accept\"\n[[policy.definition.q.statement]]\naction = \"reject\"\n"
	const auth = "[rip.interface.a]\nauth = { type = \"md5\", keys = \"core\" }\n"
	sum := regexp.MustCompile(`sum [0-9a-f]{8}`)
	for _, tt := range []struct {
		name, old, new string
		secrets        [2]string
		want           []string
	}{
		{"nothing", auth, "\n" + auth, [2]string{"x", "x"}, nil},
		{"another secret, which is not shown", auth, auth, [2]string{"x", "y"}, []string{
			"changed keys.core.id 1.file: core-1 (sum S) -> core-1 (sum S)",
		}},
		{"a protocol", "", "[ripng.interface.six]\n", [2]string{}, []string{
			"added ripng:  -> flush-interval 5m0s, invalid-interval 3m0s, max-routes 262144, maximum-paths 8, update-interval 30s",
			"added ripng.interface.six:  -> maximum-prefix 65536, metric 1, offset-out 0, split-horizon poison-reverse",
		}},
		{"who is heard, and how much of each", "[rip.interface.a]\nallowed-neighbors = \"10.0.0.2\"\n", "[rip.interface.a]\nallowed-neighbors = [\"10.0.0.2\", \"10.0.0.8/29\"]\nmaximum-prefix = 9\n", [2]string{}, []string{
			"changed rip.interface.a.allowed-neighbors: 10.0.0.2/32 -> 10.0.0.2/32 10.0.0.8/29 (the routes of neighbors that it leaves out go)",
			"changed rip.interface.a.maximum-prefix: 65536 -> 9",
		}},
		{"timers and the default route", "[rip.interface.a]\n", "[rip]\nupdate-interval = \"20s\"\ndefault-information = {}\n[rip.interface.a]\n", [2]string{}, []string{
			"added rip.default-information:  -> metric 1, tag 0",
			"changed rip.flush-interval: 5m0s -> 3m20s", "changed rip.invalid-interval: 3m0s -> 2m0s", "changed rip.update-interval: 30s -> 20s",
		}},
		{"another policy", policies + "[rip.interface.a]\nimport-policy = \"p\"\n", policies + "[rip.interface.a]\nimport-policy = [\"q\"]\n", [2]string{}, []string{
			"changed rip.interface.a.import-policy: p -> q (the neighbors there are asked for their routes again)",
		}},
		{"redistribution", policies + "[rip]\nredistribute.static = {}\n[rip.interface.a]\n", policies + "[rip]\nredistribute.static = { tag = 4, policy = \"p\" }\n[rip.interface.a]\n", [2]string{}, []string{
			"changed rip.redistribute.static.policy:  -> p", "changed rip.redistribute.static.tag: 0 -> 4",
		}},
		{"what keeps adjacencies and what drops them", "[ospf.interface.a]\narea = 0\n", "[ospf.interface.a]\narea = 1\ncost = 5\nhello-interval = \"5s\"\n", [2]string{}, []string{
			"changed ospf.interface.a.area: 0.0.0.0 -> 0.0.0.1 (drops the adjacencies there, which form again)",
			"changed ospf.interface.a.cost:  -> 5 (traffic may go other ways)",
			"changed ospf.interface.a.dead-interval: 40s -> 20s (adjacencies stay only with neighbors that change it too within the dead-interval)",
			"changed ospf.interface.a.hello-interval: 10s -> 5s (adjacencies stay only with neighbors that change it too within the dead-interval)",
		}},
		{"routes of other sources that BGP announces", "[bgp]\nas = 65001\n", "[bgp]\nas = 65001\nredistribute.static = {}\n", [2]string{}, []string{
			"added bgp.redistribute.static:  -> metric that of the route (no session ends: neighbors are sent these routes too)",
		}},
		{"several paths, and how a family is limited", "[bgp]\nas = 65001\n[bgp.neighbor.\"10.0.0.2\"]\npeer-as = 65002\n", "[bgp]\nas = 65001\n[bgp.neighbor.\"10.0.0.2\"]\npeer-as = 65002\nadd-path = { send = \"all\" }\n[bgp.neighbor.\"10.0.0.2\".ipv4-unicast]\nprefix-limit = { max-prefixes = 9 }\n", [2]string{}, []string{
			"changed bgp.neighbor.10.0.0.2.add-path.send: 0 -> all (the session with it ends and begins again, if it begins or ends with it that several paths are sent; else they are sent again)",
			"changed bgp.neighbor.10.0.0.2.ipv4-unicast.prefix-limit.max-prefixes:  -> 9 (no session ends, unless there are more prefixes than there may be now)",
		}},
		{"areas and what is said of networks in them", "[ospf.interface.a]\narea = 7\n[ospf.area.7]\nrange.\"10.0.0.0/8\" = {}\n", "[ospf]\nspf = { initial-delay = \"1ms\" }\n[ospf.interface.a]\narea = \"0.0.0.7\"\n[ospf.area.7]\ntype = \"stub\"\nrange.\"10.0.0.0/8\" = { cost = 5 }\n", [2]string{}, []string{
			"changed ospf.area.7.range.10.0.0.0/8.cost:  -> 5",
			"changed ospf.area.7.type: normal -> stub (drops all adjacencies in the area, which form again with neighbors that change it too)",
			"changed ospf.spf.initial-delay: 5ms -> 1ms",
		}},
		{"authentication", "[rip.interface.a]\n", auth, [2]string{"x", "x"}, []string{
			"changed keys.core.id 1.file: core-1 -> core-1 (sum S)",
			"added rip.interface.a.auth:  -> keys core, type md5 (neighbors are heard only if they authenticate alike; routes of others die after the invalid-interval)",
		}},
	} {
		var got []string
		a, b := load(tt.old, tt.secrets[0]), load(tt.new, tt.secrets[1])
		for _, c := range Diff(a, b) {
			got = append(got, sum.ReplaceAllString(fmt.Sprintf("%s %s: %s -> %s", c.Kind, c.Path, c.Old, c.New), "sum S")+means(c.Impact))
			if c.Origin.Line == 0 {
				t.Errorf("%s: %s %s stands nowhere", tt.name, c.Kind, c.Path)
			}
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}
