package rip

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"routerd/dataplane"
	"routerd/internal/protocols/decode"
	"routerd/internal/router"
	"routerd/internal/tomltext"
	"routerd/routing"
	"routerd/routing/keys"
	"routerd/routing/policy"
	"routerd/routing/rip"
)

// chains are the keys that decodeText knows; they stand above what it reads.
const chains = `[[keys.core]]
id = 1
file = "core-1"
[[keys.plain]]
id = 2
file = "plain-2"
algorithm = "plain-text"
`

// decodeText reads the protocol's table in a text, beside an interface of each
// family and a policy that sets a next hop, and gives what is wrong or odd as
// line:column+width: message, lines counted behind chains.
func decodeText(t *testing.T, p Protocol, text string) (cfg router.ProtocolConfig, said []string) {
	t.Helper()
	d, ok := tomltext.Parse("t.toml", []byte(chains+text))
	if !ok {
		t.Fatal(d.Problems())
	}
	policies, wrong := policy.Compile(policy.Config{Policies: []policy.Definition{{Name: "hop", Statements: []policy.Statement{
		{Set: policy.Set{NextHop: netip.MustParseAddr("10.0.0.9")}, Action: policy.Accept},
	}}}})
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	at := func(chain string) tomltext.Path { return tomltext.Path(nil).With("keys").With(chain).Element(0) }
	c := &decode.Context{
		Document: d, Policies: policies,
		Interfaces: []decode.Interface{
			{Name: "a", Kind: dataplane.KindTUN, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}},
			{Name: "six", Kind: dataplane.KindTUN, Addresses: []netip.Prefix{netip.MustParsePrefix("2001:db8::1/64")}},
		},
		Keys: map[string][]decode.Key{
			"core":  {{Key: keys.Key{ID: 1}, File: "core-1", At: at("core")}},
			"plain": {{Key: keys.Key{ID: 2, Algorithm: keys.PlainText}, File: "plain-2", At: at("plain")}},
		},
	}
	if s := d.Root().Optional(p.String()); s.Table != nil {
		cfg = p.Decode(c, s)
	}
	for _, chain := range []string{"core", "plain"} {
		secret := "s3cret"
		if strings.Contains(text, "long") {
			secret = "of seventeen byte"
		}
		if c.Used(chain) {
			c.HandOut(chain, [][]byte{[]byte(secret)})
		}
	}
	for _, p := range d.Problems() {
		said = append(said, fmt.Sprintf("%d:%d+%d: %s", p.Place.Line-strings.Count(chains, "\n"), p.Place.Column, p.Width, p.Message))
	}
	return cfg, said
}

// Each mistake by itself, where it stands.
func TestMistakes(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
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
		{"a key for plain text in MD5", "[rip.interface.a]\nauth = { type = \"md5\", keys = \"plain\" }", []string{"0:13+12: a key for plain-text in plain, where md5 is used"}},
		{"a key that is too long", "[rip.interface.a] # long\nauth = { type = \"md5\", keys = \"core\" }", []string{"-4:8+8: keys.core[1].file has a key of 17 bytes, and md5 has room for 16"}},
		{"a long key that is not", "[rip.interface.a] # long\nauth = { type = \"hmac-sha256\", keys = \"core\" }", nil},
		{"a next hop that is set", "[rip.interface.a]\nimport-policy = \"hop\"", []string{"2:17+5: policy hop sets a next hop, which changes nothing in RIP"}},
	} {
		p := RIP
		if strings.Contains(tt.text, "[ripng") {
			p = RIPng
		}
		if _, got := decodeText(t, p, tt.text); cmp.Diff(tt.want, got) != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, cmp.Diff(tt.want, got))
		}
	}
}

// What the text says is what the machine is told.
func TestValues(t *testing.T) {
	of, said := decodeText(t, RIP, `[rip]
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
`)
	if len(said) > 0 {
		t.Fatal(said)
	}
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
	if a := i.Auth; a.Algorithm != keys.HMACSHA256 || len(a.Keys) != 1 || a.Keys[0].ID != 1 || string(a.Keys[0].Secret) != "s3cret" {
		t.Errorf("authentication %+v", a)
	}
}
