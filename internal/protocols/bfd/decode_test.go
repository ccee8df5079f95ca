package bfd

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"routerd/dataplane"
	"routerd/internal/protocols/decode"
	"routerd/internal/tomltext"
	"routerd/routing/bfd"
	"routerd/routing/bfd/wire"
	"routerd/routing/keys"
)

// decodeText reads the protocol's table in a text, beside an interface and a
// client that has its neighbours watched as the table client says, and gives what
// is wrong or odd as line: message.
func decodeText(t *testing.T, text string) (cfg bfd.Config, spoken bool, said []string) {
	t.Helper()
	d, ok := tomltext.Parse("t.toml", []byte(text))
	if !ok {
		t.Fatal(d.Problems())
	}
	at := tomltext.Path(nil).With("keys").With("core").Element(0)
	c := &decode.Context{
		Document: d, Watches: decode.Watches{Document: d},
		Interfaces: []decode.Interface{{Name: "a", Kind: dataplane.KindPacket, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}}},
		Keys: map[string][]decode.Key{
			"core": {{Key: keys.Key{ID: 1}, File: "core-1", At: at}},
			"hmac": {{Key: keys.Key{ID: 1, Algorithm: keys.HMACSHA1}, File: "hmac-1", At: at}},
		},
	}
	client := d.Root().Section("client")
	c.Watches.Read(client)
	client.Done()
	if s := d.Root().Optional("bfd"); s.Table != nil {
		cfg, spoken = Decode(c, s).Config.(bfd.Config), true
	} else if implied, is := Implied(c); is {
		cfg, spoken = implied.Config.(bfd.Config), true
	}
	if c.Used("core") && len(d.Problems()) == 0 {
		c.HandOut("core", [][]byte{[]byte(strings.Repeat("x", 17))})
	}
	for _, p := range d.Problems() {
		said = append(said, fmt.Sprintf("%d: %s", p.Place.Line, p.Message))
	}
	return cfg, spoken, said
}

// Each mistake by itself, where it stands.
func TestMistakes(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"as it should be", "[bfd.profile.fast]\ninterval = \"50ms\"\n[bfd.peer.\"10.0.0.2\"]\nprofile = \"fast\"", nil},
		{"an unknown key", "[bfd]\nspeed = 1", []string{"2: unknown key \"speed\" in bfd"}},
		{"too fast", "[bfd.profile.x]\ninterval = \"1ms\"", []string{`2: bfd.profile.x.interval is "1ms"`}},
		{"hardly slower", "[bfd.profile.x]\ninterval = \"5ms\"", []string{"1: bfd.profile.x takes a neighbor for lost after 15ms, which a busy host may be late by"}},
		{"no packet to lose", "[bfd.profile.x]\nmultiplier = 0", []string{"2: bfd.profile.x.multiplier is 0"}},
		{"a type that there is not", "[bfd.profile.x]\nauth = { type = \"sha1\", keys = \"core\" }", []string{`2: bfd.profile.x.auth.type is "sha1"`}},
		{"no keys", "[bfd.profile.x]\nauth = { type = \"simple\" }", []string{"2: bfd.profile.x.auth has no keys"}},
		{"a key of another kind", "[bfd.profile.x]\nauth = { type = \"simple\", keys = \"hmac\" }\n[[keys.core]]\nalgorithm = \"hmac-sha1\"", []string{
			"4: a key for hmac-sha1 in hmac, which bfd does not have",
		}},
		{"a key too long", "[bfd.profile.x]\nauth = { type = \"keyed-md5\", keys = \"core\" }\n[[keys.core]]\nfile = \"core-1\"", []string{
			"4: keys.core[1].file has a key of 17 bytes, and keyed-md5 has room for 16",
		}},
		{"nobody's address", "[bfd.peer.\"224.0.0.9\"]", []string{`1: "224.0.0.9" is no neighbor's address`}},
		{"no address", "[bfd.peer.r2]", []string{`1: "r2" is no neighbor's address`}},
		{"link-local by itself", "[bfd.peer.\"fe80::2\"]", []string{"1: fe80::2 is link-local and means nothing without its interface"}},
		{"an interface that is not there", "[bfd.peer.\"fe80::2%b\"]", []string{"1: fe80::2%b is on interface b, and there is no such interface"}},
		{"two interfaces", "[bfd.peer.\"fe80::2%a\"]\ninterface = \"b\"", []string{"2: fe80::2%a is on a, and its interface is b"}},
		{"on no link", "[bfd.peer.\"10.1.0.2\"]", []string{"1: 10.1.0.2 is on no interface's subnet, so it has no session"}},
		{"multihop from nowhere", "[bfd.peer.\"10.1.0.2\"]\nmultihop = true", []string{"1: 10.1.0.2 is several hops away, and has no source"}},
		{"multihop on a link", "[bfd.peer.\"10.1.0.2\"]\nmultihop = true\ninterface = \"a\"", []string{"1: 10.1.0.2 is several hops away, and on interface a"}},
		{"two families", "[bfd.peer.\"10.1.0.2\"]\nmultihop = true\nsource = \"2001:db8::1\"", []string{"3: source 2001:db8::1 of 10.1.0.2 is of the other family"}},
		{"a source on the link", "[bfd.peer.\"10.0.0.2\"]\nsource = \"10.0.0.1\"", []string{"2: 10.0.0.2 is one hop away, and its source is that of the link"}},
		{"a peer's profile that is not there", "[bfd.profile.fast]\n[bfd.peer.\"10.0.0.2\"]\nprofile = \"fats\"", []string{`3: bfd.peer."10.0.0.2".profile is "fats", and there is no [bfd.profile.fats]`}},
		{"a client's profile that is not there", "[client]\nbfd = { profile = \"fast\" }\n[bfd]", []string{`2: client.bfd.profile is "fast", and there is no [bfd.profile.fast]`}},
		{"and without a table", "[client]\nbfd = { profile = \"fast\" }", []string{`2: client.bfd.profile is "fast", and there is no [bfd.profile.fast]`}},
		{"a client's word that is none", "[client]\nbfd = \"yes\"", []string{`2: client.bfd is "yes"`}},
		{"a client's key that is none", "[client]\nbfd = { fast = true }", []string{`2: unknown key "fast" in client.bfd`}},
	} {
		_, _, said := decodeText(t, tt.text)
		if d := cmp.Diff(tt.want, said); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

// BFD is spoken where its table stands, and where somebody asks for it.
func TestImplied(t *testing.T) {
	for text, want := range map[string]bool{
		"": false, "[bfd]": true, "[client]\nbfd = true": true, "[client]\nbfd = {}": true, "[client]\nbfd = false": false,
	} {
		cfg, spoken, said := decodeText(t, text)
		if spoken != want || len(said) > 0 {
			t.Errorf("%q: spoken %v, want %v; %v", text, spoken, want, said)
		}
		if spoken && (cfg.Check() != nil || cfg.Profiles[""].Multiplier != 3) {
			t.Errorf("%q: %+v", text, cfg)
		}
	}
}

func TestDecode(t *testing.T) {
	cfg, _, said := decodeText(t, `
[bfd.profile.default]
interval = "100ms"
receive-interval = "50ms"
multiplier = 5
[bfd.profile.far]
passive = true
minimum-ttl = 250
auth = { type = "meticulous-keyed-sha1", keys = "core" }
[bfd.peer."192.0.2.9"]
multihop = true
source = "192.0.2.1"
profile = "far"
[bfd.peer."fe80::2%a"]
shutdown = true
`)
	if len(said) > 0 || cfg.Check() != nil {
		t.Fatal(said, cfg.Check())
	}
	def, far := bfd.DefaultProfile(), bfd.DefaultProfile()
	def.Transmit, def.Receive, def.Multiplier = 100*time.Millisecond, 50*time.Millisecond, 5
	far.Passive, far.MinimumTTL = true, 250
	far.Auth = bfd.Auth{Type: wire.MeticulousKeyedSHA1, Keys: keys.Chain{{ID: 1, Secret: []byte(strings.Repeat("x", 17))}}}
	want := bfd.Config{
		Profiles: map[string]bfd.Profile{"": def, "default": def, "far": far},
		Peers: []bfd.Peer{
			{Address: netip.MustParseAddr("192.0.2.9"), Multihop: true, Source: netip.MustParseAddr("192.0.2.1"), Profile: "far"},
			{Address: netip.MustParseAddr("fe80::2"), Interface: "a", Shutdown: true},
		},
	}
	if d := cmp.Diff(want, cfg, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
