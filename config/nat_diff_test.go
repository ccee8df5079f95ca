package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const natText = `interface.lan0 = { kind = "tun", addresses = "10.0.1.1/24" }
interface.wan0 = { kind = "tun", addresses = "203.0.113.1/24" }
[nat.pool.cgn]
addresses = "203.0.113.32/29"
[[nat.source]]
name = "guests"
outbound-interface = "wan0"
source = "10.0.9.0/24"
translation = "pool:cgn"
[[nat.source]]
name = "out"
outbound-interface = "wan0"
translation = "masquerade"
[[nat.destination]]
name = "web.1"
inbound-interface = "wan0"
protocol = "tcp"
destination = "203.0.113.1:80"
translation = "10.0.1.2:8080"
hairpin = true
[[nat.static]]
name = "dmz"
outside = "203.0.113.10"
inside = "10.0.1.10"
`

func TestDiffOfNAT(t *testing.T) {
	parse := func(text string) *Config {
		t.Helper()
		c, problems := Parse("new.toml", []byte(text))
		if Failed(problems) {
			t.Fatal(problems)
		}
		return c
	}
	old := parse(natText)
	guests := natText[strings.Index(natText, "[[nat.source]]\nname = \"guests\""):strings.Index(natText, "[[nat.source]]\nname = \"out\"")]
	ends := " (translated sessions that stand on it end)"
	for _, tt := range []struct {
		name  string
		pairs []string
		want  []string // kind path old -> new (impact)
	}{
		{"nothing", nil, nil},
		{"a list at another place", []string{guests, "", "[[nat.static]]", guests + "[[nat.static]]"}, []string{
			"changed nat.source guests out -> out guests (another order, for what begins from now on; sessions stay)",
		}},
		{"a rule that comes before others changes no order", []string{"[[nat.source]]\nname = \"out\"", "[[nat.source]]\nname = \"none\"\nsource = \"10.0.8.1\"\ntranslation = \"none\"\n[[nat.source]]\nname = \"out\""}, []string{
			"added nat.source.none  -> source 10.0.8.1, translation none",
		}},
		{"a rule that goes", []string{guests, ""}, []string{
			"removed nat.source.guests outbound-interface wan0, source 10.0.9.0/24, translation pool:cgn -> " + ends,
		}},
		{"what a rule matches", []string{"10.0.9.0/24", "10.0.8.0/24"}, []string{"changed nat.source.guests.source 10.0.9.0/24 -> 10.0.8.0/24" + ends}},
		{"what a rule makes", []string{"pool:cgn", "203.0.113.7"}, []string{"changed nat.source.guests.translation pool:cgn -> 203.0.113.7" + ends}},
		{"a port forward", []string{"2:8080", "3", `"tcp"`, `["tcp", "udp"]`, "hairpin = true", ""}, []string{
			"changed nat.destination.web.1.hairpin true -> false" + ends,
			"changed nat.destination.web.1.protocol tcp -> tcp udp" + ends,
			"changed nat.destination.web.1.translation 10.0.1.2:8080 -> 10.0.1.3" + ends,
		}},
		{"a static rule", []string{"10.0.1.10", "10.0.1.11"}, []string{"changed nat.static.dmz.inside 10.0.1.10 -> 10.0.1.11" + ends}},
		{"a pool", []string{"/29\"", "/30\"\nports = \"1024-65535\""}, []string{
			"changed nat.pool.cgn.addresses 203.0.113.32/29 -> 203.0.113.32/30" + ends,
			"changed nat.pool.cgn.ports  -> 1024-65535" + ends,
		}},
		{"behaviour and limits", []string{"[nat.pool.cgn]", "[nat]\nmax-sessions = 7\nmax-sessions-per-host = 3\nfiltering = \"address-dependent\"\nmapping = \"address-dependent\"\npairing = \"arbitrary\"\nhairpin = false\ninbound-refresh = true\n[nat.pool.cgn]"}, []string{
			"changed nat.filtering address-and-port-dependent -> address-dependent",
			"changed nat.hairpin true -> false",
			"changed nat.inbound-refresh false -> true",
			"changed nat.mapping endpoint-independent -> address-dependent (for what begins from now on; sessions stay)",
			"changed nat.max-sessions 262144 -> 7",
			"changed nat.max-sessions-per-host 4096 -> 3",
			"changed nat.pairing paired -> arbitrary (for what begins from now on; sessions stay)",
		}},
		{"every timeout", []string{"[nat.pool.cgn]", "[nat.timeout]\nudp = \"2m\"\nicmp = \"30s\"\nother = \"1m\"\ntcp-established = \"3h\"\ntcp-transitory = \"2m\"\n[nat.pool.cgn]"}, []string{
			"changed nat.timeout.icmp 1m0s -> 30s",
			"changed nat.timeout.other 10m0s -> 1m0s",
			"changed nat.timeout.tcp-closing 4m0s -> 2m0s",
			"changed nat.timeout.tcp-established 2h4m0s -> 3h0m0s",
			"changed nat.timeout.tcp-opening 4m0s -> 2m0s",
			"changed nat.timeout.tcp-reset 4m0s -> 2m0s",
			"changed nat.timeout.tcp-time-wait 4m0s -> 2m0s",
			"changed nat.timeout.tcp-transitory  -> 2m0s",
			"changed nat.timeout.udp 5m0s -> 2m0s",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, c := range Diff(old, parse(strings.NewReplacer(tt.pairs...).Replace(natText))) {
				line := c.Kind + " " + c.Path + " " + c.Old + " -> " + c.New
				if c.Impact != "" {
					line += " (" + c.Impact + ")"
				}
				got = append(got, line)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("changes (-want +got):\n%s", d)
			}
		})
	}
}
