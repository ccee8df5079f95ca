package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"routerd/routing"
	"routerd/routing/keys"
	"routerd/routing/rip"
)

// speaking is a router that RIP is configured on below.
const speaking = `name = "r1"
[interface.a]
kind = "tun"
addresses = ["10.0.0.1/24"]
[interface.six]
kind = "tun"
addresses = ["2001:db8::1/64"]
[[keys.core]]
id = 1
file = "core-1"
`

// Each mistake by itself, where it stands.
func TestRIPMistakes(t *testing.T) {
	lines := strings.Count(speaking, "\n")
	for _, tt := range []struct {
		name, text string
		want       []string // line:column+width: message, lines counted behind speaking
	}{
		{"as it should be", "[rip.interface.a]", nil},
		{"an unknown key", "[rip]\nupdate = \"30s\"\n[rip.interface.a]", []string{"2:1+6: unknown key \"update\" in rip"}},
		{"an update too short", "[rip]\nupdate-interval = \"10ms\"\n[rip.interface.a]", []string{"2:19+6: rip.update-interval is \"10ms\""}},
		{"routes that die before they are heard of again", "[rip]\ninvalid-interval = \"30s\"\n[rip.interface.a]", []string{"2:20+5: the invalid-interval is 30s and the update-interval 30s"}},
		{"an update longer than the others", "[ripng]\nupdate-interval = \"60s\"\ninvalid-interval = \"50s\"\n[ripng.interface.six]", []string{"3:20+5: the invalid-interval is 50s and the update-interval 1m0s"}},
		{"forgotten before it is dead", "[rip]\nflush-interval = \"3m\"\n[rip.interface.a]", []string{"2:18+4: the flush-interval is 3m0s and the invalid-interval 3m0s"}},
		{"no path", "[rip]\nmaximum-paths = 0\n[rip.interface.a]", []string{"2:17+1: rip.maximum-paths is 0"}},
		{"no route", "[rip]\nmax-routes = 0\n[rip.interface.a]", []string{"2:14+1: rip.max-routes is 0"}},
		{"an unreachable default", "[rip]\ndefault-information = { metric = 16 }\n[rip.interface.a]", []string{"2:34+2: rip.default-information.metric is 16"}},
		{"itself redistributed", "[rip]\nredistribute.rip = {}\n[rip.interface.a]", []string{"2:14+3: unknown key \"rip\" in rip.redistribute"}},
		{"a tag too large", "[rip]\nredistribute.static = { tag = 65536 }\n[rip.interface.a]", []string{"2:31+5: rip.redistribute.static.tag is 65536"}},
		{"a policy that is not there", "[rip]\nredistribute.static = { policy = \"x\" }\n[rip.interface.a]", []string{`2:34+3: rip.redistribute.static.policy is "x", and there is no [policy.definition.x]`}},
		{"an interface that is not there", "[rip.interface.b]", []string{"1:16+1: b shall speak rip, and there is no such interface"}},
		{"an interface of the other family", "[rip.interface.six]", []string{"1:16+3: six has no address to speak rip with"}},
		{"the other family's, the other way round", "[ripng.interface.a]", []string{"1:18+1: a has no address to speak ripng with"}},
		{"nowhere", "[rip]", []string{"1:2+3: rip is spoken on no interface"}},
		{"a metric that reaches nothing", "[rip.interface.a]\nmetric = 16", []string{"2:10+2: rip.interface.a.metric is 16"}},
		{"an offset of more than there is", "[rip.interface.a]\noffset-out = 16", []string{"2:14+2: rip.interface.a.offset-out is 16"}},
		{"an unknown horizon", "[rip.interface.a]\nsplit-horizon = \"poison\"", []string{"2:17+8: rip.interface.a.split-horizon is \"poison\""}},
		{"a neighbour of the other family", "[rip.interface.a]\nneighbors = [\"10.0.0.2\", \"fe80::1\"]", []string{"2:26+9: rip.interface.a.neighbors[2] is fe80::1, where rip finds nobody"}},
		{"a neighbour beyond the link", "[ripng.interface.six]\nneighbors = \"2001:db8::2\"", []string{"2:13+13: ripng.interface.six.neighbors is 2001:db8::2, where ripng finds nobody"}},
		{"an allowed neighbour of the other family", "[rip.interface.a]\nallowed-neighbors = [\"10.0.0.2\", \"fe80::1\"]", []string{"2:34+9: rip.interface.a.allowed-neighbors[2] is fe80::1/128, where rip finds nobody"}},
		{"an allowed neighbour beyond the link", "[ripng.interface.six]\nallowed-neighbors = \"2001:db8::/64\"", []string{"2:21+15: ripng.interface.six.allowed-neighbors is 2001:db8::/64, where ripng finds nobody"}},
		{"host bits of allowed neighbours", "[rip.interface.a]\nallowed-neighbors = \"10.0.0.2/24\"", []string{"2:21+13: rip.interface.a.allowed-neighbors is \"10.0.0.2/24\", which has bits set behind its length"}},
		{"nobody is allowed", "[rip.interface.a]\nallowed-neighbors = []", []string{"2:21+2: rip.interface.a.allowed-neighbors is empty, so nobody is heard"}},
		{"spoken to and not heard", "[rip.interface.a]\nneighbors = [\"10.0.0.2\", \"10.0.0.3\"]\nallowed-neighbors = \"10.0.0.3\"", []string{"3:21+10: 10.0.0.2 is among the neighbors that are spoken to, and not among the allowed ones, so it is not heard"}},
		{"no route of a neighbour", "[rip.interface.a]\nmaximum-prefix = 0", []string{"2:18+1: rip.interface.a.maximum-prefix is 0"}},
		{"version 3", "[rip.interface.a]\nreceive-version = \"3\"", []string{"2:19+3: rip.interface.a.receive-version is \"3\""}},
		{"RIPng has no versions", "[ripng.interface.six]\nreceive-version = \"2\"", []string{"2:1+15: unknown key \"receive-version\" in ripng.interface.six"}},
		{"RIPng has no authentication", "[ripng.interface.six]\nauth = { type = \"md5\", keys = \"core\" }", []string{"2:1+4: unknown key \"auth\" in ripng.interface.six"}},
		{"a type alone", "[rip.interface.a]\nauth = { type = \"md5\" }", []string{"2:8+16: rip.interface.a.auth has no keys"}},
		{"keys alone", "[rip.interface.a]\nauth = { keys = \"core\" }", []string{"2:8+17: rip.interface.a.auth has no type"}},
		{"an unknown type", "[rip.interface.a]\nauth = { type = \"md6\", keys = \"core\" }", []string{"2:17+5: rip.interface.a.auth.type is \"md6\""}},
		{"keys that are not there", "[rip.interface.a]\nauth = { type = \"md5\", keys = \"cor\" }", []string{`2:31+5: rip.interface.a.auth.keys is "cor", and there are no [[keys.cor]]`}},
		{"a key for plain text in MD5", "[[keys.core]]\nid = 2\nfile = \"core-2\"\nalgorithm = \"plain-text\"\n[rip.interface.a]\nauth = { type = \"md5\", keys = \"core\" }", []string{"4:13+12: a key for plain-text in core, where md5 is used"}},
		{"a key without a number", "[[keys.x]]\nfile = \"f\"", []string{"1:8+1: keys.x[1] has no id"}},
		{"a key without a file", "[[keys.x]]\nid = 1", []string{"1:8+1: keys.x[1] has no file"}},
		{"a number twice", "[[keys.core]]\nid = 1\nfile = \"f\"", []string{"2:6+1: keys.core[2].id is 1, which a key of core has already"}},
		{"a number too large", "[[keys.x]]\nid = 256\nfile = \"f\"", []string{"2:6+3: keys.x[1].id is 256"}},
		{"no lifetime", "[[keys.x]]\nid = 1\nfile = \"f\"\nsend = \"2026\"", []string{"4:8+6: keys.x[1].send is \"2026\""}},
		{"a lifetime backwards", "[[keys.x]]\nid = 1\nfile = \"f\"\naccept = \"2027-01-01T00:00:00Z/2026-01-01T00:00:00Z\"", []string{"4:10+43: keys.x[1].accept is \"2027-01-01T00:00:00Z/2026-01-01T00:00:00…\", which ends before it begins"}},
	} {
		_, problems := Parse("t.toml", []byte(speaking+tt.text))
		var got []string
		for _, p := range problems {
			got = append(got, fmt.Sprintf("%d:%d+%d: %s", p.Place.Line-lines, p.Place.Column, p.Width, p.Message))
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
	_, problems := Parse("t.toml", []byte("state-dir = \"lib/routerd\"\n"+speaking))
	if len(problems) != 1 || !strings.HasPrefix(problems[0].Message, `state-dir is "lib/routerd"`) {
		t.Errorf("a state-dir that is relative: %v", problems)
	}
}

// What the text says is what the machine is told.
func TestRIPValues(t *testing.T) {
	c, problems := Parse("t.toml", []byte(speaking+`
[rip]
update-interval = "10s"
maximum-paths = 4
default-information = { metric = 3, tag = 9 }
redistribute.connected = {}
redistribute.static = { metric = 5, tag = 7 }
[rip.interface.a]
passive = true
metric = 2
offset-out = 1
split-horizon = "simple"
neighbors = ["10.0.0.2"]
allowed-neighbors = ["10.0.0.2", "10.0.0.128/25"]
maximum-prefix = 500
receive-version = "1 2"
auth = { type = "hmac-sha256", keys = "core" }
`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	of := c.Protocols["rip"]
	r := of.Config.(rip.Config)
	if r.Update != 10*time.Second || r.Invalid != time.Minute || r.Flush != 100*time.Second || r.MaximumPaths != 4 {
		t.Errorf("timers %v %v %v, %d paths: want 10s, six of it, four more, and 4", r.Update, r.Invalid, r.Flush, r.MaximumPaths)
	}
	if d := r.DefaultInformation; d == nil || d.Metric != 3 || d.Tag != 9 {
		t.Errorf("default route %+v", d)
	}
	if l := of.Redistribute; len(l) != 2 || l[0].Source != routing.SourceConnected || l[0].Metric != 1 || l[1].Metric != 5 || l[1].Tag != 7 {
		t.Errorf("redistributed %+v", l)
	}
	i := r.Interfaces["a"]
	if !i.Passive || i.Metric != 2 || i.OffsetOut != 1 || i.SplitHorizon != rip.Simple || len(i.Neighbors) != 1 || i.Receive != rip.AnyVersion {
		t.Errorf("interface %+v", i)
	}
	if l := fmt.Sprint(i.AllowedNeighbors); l != "[10.0.0.2/32 10.0.0.128/25]" || i.MaximumPrefix != 500 {
		t.Errorf("allowed %s, %d routes of each; want 10.0.0.2, 10.0.0.128/25 and 500", l, i.MaximumPrefix)
	}
	if a := i.Auth; a.Algorithm != keys.HMACSHA256 || len(a.Keys) != 1 || a.Keys[0].ID != 1 {
		t.Errorf("authentication %+v", a)
	}
}

// Keys are read from files, named relative to the configuration's directory;
// one that everybody can read is odd, one that is missing or empty is wrong.
func TestKeyFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	load := func() (*Config, string) {
		t.Helper()
		c, problems, err := Load(filepath.Join(dir, "r1.toml"))
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, p := range problems {
			said = append(said, fmt.Sprintf("%d %v %s", p.Place.Line, p.Warning, strings.ReplaceAll(p.Message, dir, "DIR")))
		}
		return c, strings.Join(said, "; ")
	}
	write("r1.toml", speaking+"[rip.interface.a]\nauth = { type = \"md5\", keys = \"core\" }\n", 0o600)
	if _, got := load(); got != "10 false reading a key: open DIR/core-1: no such file or directory" {
		t.Errorf("without the file: %s", got)
	}
	write("core-1", "\n", 0o600)
	if _, got := load(); got != "10 false the key in DIR/core-1 is empty" {
		t.Errorf("an empty file: %s", got)
	}
	write("core-1", "s3cret \r\n", 0o600)
	c, got := load()
	if got != "" || string(c.Protocols["rip"].Config.(rip.Config).Interfaces["a"].Auth.Keys[0].Secret) != "s3cret " {
		t.Errorf("a key in a file: %q, %s", c.Protocols["rip"].Config.(rip.Config).Interfaces["a"].Auth.Keys[0].Secret, got)
	}
	write("core-1", "s3cret", 0o644)
	if _, got := load(); got != "10 true everybody on the machine can read the key in DIR/core-1" {
		t.Errorf("a file that everybody can read: %s", got)
	}
	write("core-1", "of seventeen byte", 0o600)
	if _, got := load(); got != "10 false keys.core[1].file has a key of 17 bytes, and md5 has room for 16" {
		t.Errorf("a key that is too long: %s", got)
	}
	// Keys that nobody uses are not read.
	write("r1.toml", speaking, 0o600)
	write("core-1", "", 0o600)
	if _, got := load(); got != "" {
		t.Errorf("keys that nobody uses: %s", got)
	}
}

func TestRIPDiff(t *testing.T) {
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
			"changed rip.interface.a.allowed-neighbors: 10.0.0.2/32 -> 10.0.0.2/32 10.0.0.8/29",
			"changed rip.interface.a.maximum-prefix: 65536 -> 9",
		}},
		{"timers and the default route", "[rip.interface.a]\n", "[rip]\nupdate-interval = \"20s\"\ndefault-information = {}\n[rip.interface.a]\n", [2]string{}, []string{
			"added rip.default-information:  -> metric 1, tag 0",
			"changed rip.flush-interval: 5m0s -> 3m20s", "changed rip.invalid-interval: 3m0s -> 2m0s", "changed rip.update-interval: 30s -> 20s",
		}},
		{"another policy", policies + "[rip.interface.a]\nimport-policy = \"p\"\n", policies + "[rip.interface.a]\nimport-policy = [\"q\"]\n", [2]string{}, []string{
			"changed rip.interface.a.import-policy: p -> q",
		}},
		{"redistribution", policies + "[rip]\nredistribute.static = {}\n[rip.interface.a]\n", policies + "[rip]\nredistribute.static = { tag = 4, policy = \"p\" }\n[rip.interface.a]\n", [2]string{}, []string{
			"changed rip.redistribute.static.policy:  -> p", "changed rip.redistribute.static.tag: 0 -> 4",
		}},
		{"authentication", "[rip.interface.a]\n", auth, [2]string{"x", "x"}, []string{
			"changed keys.core.id 1.file: core-1 -> core-1 (sum S)",
			"added rip.interface.a.auth:  -> keys core, type md5",
		}},
	} {
		var got []string
		a, b := load(tt.old, tt.secrets[0]), load(tt.new, tt.secrets[1])
		for _, c := range Diff(a, b) {
			got = append(got, sum.ReplaceAllString(fmt.Sprintf("%s %s: %s -> %s", c.Kind, c.Path, c.Old, c.New), "sum S"))
			if c.Origin.Line == 0 {
				t.Errorf("%s: %s %s stands nowhere", tt.name, c.Kind, c.Path)
			}
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}
