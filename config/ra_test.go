package config

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"routerd/arp"
)

func raText(ra string) string {
	return `name = "r1"
[interface.lan0]
kind = "tap"
mtu = 1400
addresses = ["2001:db8:1::1/64", "2001:db8:2:2::1/48"]
host = { device = "tap0" }
[interface.lan0.ra]
` + ra
}

func TestRA(t *testing.T) {
	c, problems := Parse("t.toml", []byte(raText(`
prefix = ["2001:db8:1::/64"]
managed = true
other-config = true
preference = "high"
max-interval = "60s"
valid-lifetime = "2h"
autonomous = false
`)))
	if len(problems) != 0 {
		t.Fatal(problems)
	}
	want := &arp.RAConfig{
		MinInterval: 19800 * time.Millisecond, MaxInterval: time.Minute, DefaultLifetime: 3 * time.Minute, RDNSSLifetime: 3 * time.Minute,
		Managed: true, Other: true, Preference: arp.PreferenceHigh, CurHopLimit: 64,
		Prefixes: []arp.PrefixInformation{{
			Prefix: netip.MustParsePrefix("2001:db8:1::/64"), OnLink: true, Valid: 2 * time.Hour, Preferred: 2 * time.Hour,
		}},
	}
	if d := cmp.Diff(want, c.Dataplane.Interfaces[0].Neighbor.RA, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// What hosts would ignore, or be led astray by, is warned of at its place; what
// is forbidden is refused.
func TestRAProblems(t *testing.T) {
	for _, tt := range []struct {
		ra, want string
		refused  bool
	}{
		{`prefix = ["2001:db8:1::/64"]`, "", false},
		{`prefix = ["2001:db8:2:7::/64"]`, "", false}, // in a wider subnet of its own
		{`prefix = ["2001:db8:2::/48"]`, "a /64 alone", false},
		{"prefix = [\"2001:db8:2::/48\"]\nautonomous = false", "", false},
		{`prefix = ["2001:db8:9::/64"]`, "in which lan0 has no address", false},
		{`mtu = 1400`, "", false},
		{`mtu = 1500`, "more than the link's 1400", false},
		{"max-interval = \"4s\"", "", false},
		{"max-interval = \"60s\"\nlifetime = \"30s\"", "lifetime", true},
		{"max-interval = \"60s\"\nmin-interval = \"59s\"", "min-interval", true},
		{"prefix = [\"2001:db8:1::/64\"]\nvalid-lifetime = \"1h\"\npreferred-lifetime = \"2h\"", "longer than it is valid", true},
		{`preference = "best"`, "preference", true},
	} {
		_, problems := Parse("t.toml", []byte(raText(tt.ra)))
		if tt.want == "" {
			if len(problems) != 0 {
				t.Errorf("%s: %v", tt.ra, problems)
			}
			continue
		}
		if len(problems) != 1 || Failed(problems) != tt.refused || !strings.Contains(problems[0].String(), tt.want) {
			t.Errorf("%s: %v, want one problem with %q, refused: %v", tt.ra, problems, tt.want, tt.refused)
		}
	}
}
