package ospf

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"routerd/internal/protocols/decode"
	"routerd/internal/tomltext"
	"routerd/routing"
	"routerd/routing/keys"
	"routerd/routing/ospf"
	"routerd/routing/ospf/wire"
	"routerd/routing/rib"
)

var lifetime2026 = keys.Lifetime{From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Until: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}

var compareAddresses = []cmp.Option{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

// What the text says of the router is what the machine is told.
func TestValues(t *testing.T) {
	of, said := decodeText(t, `[ospf]
router-id = "10.255.0.1"
reference-bandwidth = "2.5G"
maximum-paths = 4
max-lsa = 1000
rfc1583-compatibility = false
abr-type = "standard"
prefix-suppression = true
fast-reroute = true
passive-default = true
default-metric = 30
distance = { intra-area = 100, external = 115 }
default-information = { always = true, metric-type = 1, tag = 9 }
redistribute.connected = { metric-type = 1 }
redistribute.static = { metric = 5, tag = 7 }
spf = { initial-delay = "1ms", short-delay = "20ms", long-delay = "2s", time-to-learn = "300ms", hold-down = "4s" }
stub-router = { always = true, on-startup = "60s", on-shutdown = "2s" }
graceful-restart-helper = { enabled = false, strict-lsa-checking = false, longest-grace = "90s" }
[ospf.interface.a]
area = "0.0.0.0"
[ospf.interface.b]
area = 0
passive = false
`)
	if len(said) > 0 {
		t.Fatal(said)
	}
	want := ospf.Config{
		RouterID: wire.IDOf(netip.MustParseAddr("10.255.0.1")), ReferenceBandwidth: 2_500_000_000, MaximumPaths: 4, MaxLSA: 1000,
		Distance: ospf.Distances{IntraArea: 100, InterArea: 110, External: 115}, StandardABR: true,
		DefaultInformation: &ospf.Origination{Always: true, Metric: 1, Type1: true, Tag: 9},
		SPF: ospf.Throttle{
			InitialDelay: time.Millisecond, ShortDelay: 20 * time.Millisecond, LongDelay: 2 * time.Second,
			TimeToLearn: 300 * time.Millisecond, HoldDown: 4 * time.Second,
		},
		StubRouter:        ospf.StubRouter{Always: true, OnStartup: time.Minute, OnShutdown: 2 * time.Second},
		PrefixSuppression: true, FastReroute: true,
		Helper:     ospf.Helper{Off: true, LooseLSAChecking: true, LongestGrace: 90 * time.Second},
		Areas:      map[wire.ID]ospf.AreaConfig{},
		Interfaces: map[string]ospf.InterfaceConfig{"a": ospf.DefaultInterface(ospf.NetworkByKind), "b": ospf.DefaultInterface(ospf.NetworkByKind)},
	}
	want.Type1[routing.SourceConnected] = true
	a := want.Interfaces["a"]
	a.Passive = true
	want.Interfaces["a"] = a
	if d := cmp.Diff(want, of.Config, compareAddresses...); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if l := of.Redistribute; len(l) != 2 || l[0].Source != routing.SourceConnected || l[0].Metric != 30 || l[1].Metric != 5 || l[1].Tag != 7 {
		t.Errorf("redistributed %+v", l)
	}
}

// A router ID above all tables is that of OSPF, unless it has one of its own.
func TestRouterID(t *testing.T) {
	for text, want := range map[string]string{"": "10.255.0.1", "[ospf]\nrouter-id = \"10.255.0.2\"\n": "10.255.0.2"} {
		d, ok := tomltext.Parse("t.toml", []byte(text+"[ospf.interface.a]\narea = 0\n"))
		if !ok {
			t.Fatal(d.Problems())
		}
		c := &decode.Context{Document: d, Watches: decode.Watches{Document: d}, RouterID: netip.MustParseAddr("10.255.0.1")}
		cfg := Decode(c, d.Root().Section("ospf")).Config.(ospf.Config)
		if got := cfg.RouterID.String(); got != want {
			t.Errorf("%q: router ID %s, want %s", text, got, want)
		}
	}
}

// What the text says of areas.
func TestAreas(t *testing.T) {
	of, said := decodeText(t, `[ospf.interface.a]
area = 7
[ospf.interface.b]
area = 1
[ospf.area.7]
type = "nssa"
no-summary = true
default-cost = 5
translator = "always"
default-information = { metric = 3 }
nssa-range."10.8.0.0/16" = { cost = 9, tag = 4 }
range."10.9.0.0/16" = { advertise = false }
range."10.7.0.0/16" = {}
[ospf.area."0.0.0.1".virtual-link."10.255.0.3"]
hello-interval = "5s"
auth = { type = "extended-hmac-sha512", keys = "core" }
`)
	if len(said) > 0 {
		t.Fatal(said)
	}
	timers := ospf.DefaultTimers(ospf.Virtual)
	timers.HelloInterval, timers.DeadInterval = 5*time.Second, 20*time.Second
	want := map[wire.ID]ospf.AreaConfig{
		7: {
			Type: ospf.NSSA, NoSummaries: true, DefaultCost: 5, Translator: ospf.TranslatorAlways,
			DefaultInformation: &ospf.Origination{Metric: 3},
			NSSARanges:         []ospf.Range{{Prefix: netip.MustParsePrefix("10.8.0.0/16"), Cost: 9, Tag: 4}},
			Ranges:             []ospf.Range{{Prefix: netip.MustParsePrefix("10.7.0.0/16")}, {Prefix: netip.MustParsePrefix("10.9.0.0/16"), Hide: true}},
		},
		1: {DefaultCost: 1, Virtual: map[wire.ID]ospf.VirtualConfig{wire.IDOf(netip.MustParseAddr("10.255.0.3")): {
			Timers: timers,
			Auth:   ospf.Auth{Type: wire.AuthExtended, Algorithm: keys.HMACSHA512, Keys: keys.Chain{{ID: 1, Secret: []byte("x")}}},
		}}},
	}
	cfg := of.Config.(ospf.Config)
	if d := cmp.Diff(want, cfg.Areas, compareAddresses...); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if err := cfg.Check(); err != nil {
		t.Error(err)
	}
}

// What the text says of an interface.
func TestInterfaces(t *testing.T) {
	of, said := decodeText(t, `[ospf.interface.a]
area = 4294967295
network = "point-to-multipoint"
cost = 10
dead-interval = "minimal"
hello-multiplier = 5
retransmit-interval = "3s"
transmit-delay = "2s"
mtu-ignore = true
prefix-suppression = false
fast-reroute = false
bfd = { profile = "fast", strict = true }
auth = { type = "simple", keys = "plain" }
neighbor."10.0.0.2" = { cost = 20, poll-interval = "60s" }
[ospf.interface.b]
area = 4294967295
priority = 0
bfd = true
hello-interval = "2s"
`)
	if len(said) > 0 {
		t.Fatal(said)
	}
	no := false
	b := ospf.DefaultInterface(ospf.NetworkByKind)
	b.Area, b.Priority, b.BFD, b.HelloInterval, b.DeadInterval = 1<<32-1, 0, &ospf.BFD{}, 2*time.Second, 8*time.Second
	want := map[string]ospf.InterfaceConfig{
		"a": {
			Area: 1<<32 - 1, Network: ospf.PointToMultipoint, Cost: 10, Priority: 1,
			Timers: ospf.Timers{
				HelloInterval: 200 * time.Millisecond, DeadInterval: time.Second, Minimal: 5,
				RetransmitInterval: 3 * time.Second, TransmitDelay: 2 * time.Second,
			},
			MTUIgnore: true, PrefixSuppression: &no, NoFastReroute: true, BFD: &ospf.BFD{Profile: "fast", Strict: true},
			Auth:      ospf.Auth{Type: wire.AuthSimple, Algorithm: keys.PlainText, Keys: keys.Chain{{ID: 2, Algorithm: keys.PlainText, Secret: []byte("x")}}},
			Neighbors: map[netip.Addr]ospf.NeighborConfig{netip.MustParseAddr("10.0.0.2"): {Cost: 20, Poll: time.Minute}},
		},
		"b": b,
	}
	cfg := of.Config.(ospf.Config)
	if d := cmp.Diff(want, cfg.Interfaces, compareAddresses...); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if err := cfg.Check(); err != nil {
		t.Error(err)
	}
}

// accepted says what a redistribution tells the machine of: the default route, and
// others.
func accepted(r *rib.Redistribution) (byDefault, others bool) {
	ask := func(prefix string) bool {
		return r.Policy == nil || r.Policy(&routing.Route{Prefix: netip.MustParsePrefix(prefix), Source: r.Source}).Accept
	}
	return ask("0.0.0.0/0"), ask("10.0.0.0/8")
}

// Which sources' default routes the machine hears of, and which of these are
// redistributed: where a policy decides about them, and as others alone where one is
// configured.
func TestDefaultRoutes(t *testing.T) {
	type told struct{ heard, redistributed, others bool }
	const interfaces = "area.7.type = \"nssa\"\n[ospf.interface.a]\narea = 7\n"
	for text, want := range map[string]map[routing.Source]told{
		"redistribute.static = {}\n": {routing.SourceStatic: {others: true}},
		"redistribute.static = { policy = \"all\" }\nredistribute.rip = { policy = \"none\" }\n": {
			routing.SourceStatic: {heard: true, redistributed: true, others: true}, routing.SourceRIP: {redistributed: true},
		},
		"default-information = {}\nredistribute.static = { policy = \"none\" }\nredistribute.rip = {}\n": {
			routing.SourceConnected: {heard: true}, routing.SourceStatic: {heard: true, redistributed: true}, routing.SourceRIP: {heard: true, others: true},
			routing.SourceEBGP: {heard: true}, routing.SourceIBGP: {heard: true},
		},
		"default-information = { always = true }\nredistribute.rip = {}\n": {routing.SourceRIP: {others: true}},
		"redistribute.rip = {}\nredistribute.static = { policy = \"none\" }\narea.7.default-information = {}\n": {
			routing.SourceConnected: {heard: true}, routing.SourceStatic: {redistributed: true}, routing.SourceRIP: {heard: true, others: true},
			routing.SourceEBGP: {heard: true}, routing.SourceIBGP: {heard: true},
		},
		"area.7.default-information = { always = true }\n": {},
	} {
		of, said := decodeText(t, "[ospf]\n"+text+interfaces)
		if len(said) > 0 {
			t.Errorf("%s: %q", text, said)
			continue
		}
		got := map[routing.Source]told{}
		for i := range of.Redistribute {
			r := &of.Redistribute[i]
			heard, others := accepted(r)
			got[r.Source] = told{heard, of.Config.(ospf.Config).Default[r.Source], others}
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(told{})); d != "" {
			t.Errorf("%s(-want +got):\n%s", text, d)
		}
	}
	of, _ := decodeText(t, "[ospf]\ndefault-information = {}\n[ospf.interface.a]\narea = 0")
	if o := of.Config.(ospf.Config).DefaultInformation; o == nil || *o != (ospf.Origination{Metric: 10}) {
		t.Errorf("default route %+v, want one of metric 10", o)
	}
}

func TestBandwidth(t *testing.T) {
	for text, want := range map[string]bandwidth{"10G": 10_000_000_000, "2.5G": 2_500_000_000, "64k": 64_000, "100M": 100_000_000, "1T": 1_000_000_000_000, "9600": 9600} {
		if got, err := bandwidthReading.Read(text); err != nil || got != want {
			t.Errorf("%s is %d, %v; want %d", text, got, err, want)
		}
		if again, err := bandwidthReading.Read(want.String()); err != nil || again != want {
			t.Errorf("%d is written %s, which reads as %d, %v", want, want, again, err)
		}
	}
	for _, text := range []any{"", "G", "-1G", "1e3G", "NaN", "Inf", "0.1", "10g", "10 G", "9999T", 10, true} {
		if got, err := bandwidthReading.Read(text); err == nil {
			t.Errorf("%v reads as %d", text, got)
		}
	}
}
