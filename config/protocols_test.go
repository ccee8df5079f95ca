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
